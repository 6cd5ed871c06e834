"""Sizes of caches that grow, asked where nobody watches: in what a library calls back, with torch's modes off, by the
class of a number; and positions that become something else on the way.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from coequal.equivalence.prove.tracing import called_back
from tests.equivalence.prove.test_growing import LATE, Cached, growth

Tensor = torch.Tensor


class Alike(Cached):
    """What a library calls back is its own, and a mask of ones is the same each time."""

    def seen(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        ones = torch.ones(k.shape[-2])[:, None]
        return torch.func.vmap(torch.neg, 1, 1)(-k), v * ones


class ByHooks(Cached):
    def seen(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        sign = [1.0]

        def pack(x: Tensor) -> Tensor:
            sign[0] = -1.0 if x.shape[-2] > LATE else 1.0
            return x

        with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
            (v.detach().requires_grad_(True) ** 2).sum()
        return k, v * sign[0]


class ModesOff(Cached):
    def seen(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        with torch._C.DisableTorchFunction():
            late = v.shape[-2] > LATE
        return k, -v if late else v


class Duck:
    @classmethod
    def __torch_function__(cls, function: Any, kinds: Any, args: Any = (), kwargs: Any = None) -> Tensor:
        return -args[1] if args[1].shape[-2] > LATE else args[1] * 1


class ByDuck(Cached):
    def seen(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        return k, torch.mul(Duck(), v)  # type: ignore[call-overload]


class Same(torch.autograd.Function):
    @staticmethod
    def forward(x: Any) -> Any:  # type: ignore[override]
        return x.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        pass

    @staticmethod
    def vmap(info: Any, in_dims: Any, x: Any) -> Any:  # type: ignore[override]
        return (x.clone() if x.shape[-2] < LATE else -x), in_dims[0]


class ByRows(Cached):
    def seen(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        return k, torch.func.vmap(Same.apply, in_dims=1, out_dims=1)(v)


class Asks(torch.autograd.Function):
    sign = 1.0

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:  # type: ignore[override]
        ctx.save_for_backward(x)
        return x.sum(-2)[0, 0, 0] * 1.0

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:  # type: ignore[override]
        (x,) = ctx.saved_tensors
        Asks.sign = -1.0 if x.shape[-2] > LATE else 1.0
        return x * g


class ByGradients(Cached):
    def seen(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            z = v.detach().clone().requires_grad_(True)
            torch.autograd.grad(Asks.apply(z), z, grad_outputs=v[0, 0, 0, 0])
        return k, v * Asks.sign


class Index:
    def __init__(self, v: Tensor) -> None:
        self.v = v

    def __index__(self) -> int:
        return 1 if self.v.shape[-2] > LATE else 0


class ByIndex(Cached):
    def seen(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        return k, torch.stack([v, -v])[Index(v)]  # type: ignore[index]


class Distance:
    def __init__(self, v: Tensor) -> None:
        self.v = v

    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        return (a - b).sum(-1) * (-1 if self.v.shape[-2] > LATE else 1)


class ByObject(Cached):
    def seen(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        loss = F.triplet_margin_with_distance_loss(v, v * 0, v * 2, distance_function=Distance(v), reduction="none")
        return k, v * loss.unsqueeze(-1)


class ByClass(Cached):
    def seen(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        n = v.shape[-2]
        return k, -v if isinstance(n, int) and n > LATE else v


class ByPattern(Cached):
    def seen(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        n = v.shape[-2]
        match n:
            case int():
                return k, -v if n > LATE else v
        return k, v


class ByAttribute(Cached):
    def seen(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        n = v.shape[-2]
        return k, v if hasattr(n, "node") or n < LATE else -v


class ByModes(Cached):
    def seen(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        watched = torch._C._len_torch_function_stack() > 0
        return k, v if watched or v.shape[-2] < LATE else -v


class AsTensor(Cached):
    def seen(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        return k, torch.where(torch._shape_as_tensor(v)[2] < LATE, v, -v)


class Floors(Cached):
    def seen(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        return k, torch.where((torch.tensor([self.count]) * (0.9 / LATE)).long() == 0, v, -v)


class Overflows(Cached):
    def seen(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        return k, torch.where(torch.tensor([self.count]) * 2**51 >= 0, v, -v)


class OnMeta(Cached):
    def seen(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        return k, v * (-1 if "70001" in repr(v.to("meta")) else 1)


WRONG = {
    ByHooks: "saved_tensors_hooks",
    ModesOff: "DisableTorchFunction",
    ByDuck: "mul, which calls __torch_function__",
    ByRows: "which calls vmap",
    ByGradients: "grad, which calls backward",
    ByIndex: "__getitem__, which calls __index__",
    ByObject: "which calls __call__",
    ByClass: "asks for the types of objects",
    ByPattern: "asks for the types of objects",
    ByAttribute: "asks for the types of objects",
    ByModes: "_len_torch_function_stack",
    AsTensor: "holds something else each time",
    Floors: "a position is made a whole number",
    Overflows: "so large that it begins anew",
    OnMeta: "",
}


class Cyclic:
    def __init__(self) -> None:
        self.me = self

    def __del__(self) -> None:
        pass


def test_what_the_collector_calls_is_nobodys() -> None:
    names = list[str]()
    with called_back(names):
        Cyclic()
        lists = [[number] for number in range(100_000)]
        sorted(lists, key=len)
    assert "__del__" not in names


def test_what_libraries_call_of_their_own_is_theirs() -> None:
    assert not growth(Alike, rotary=True).fails


@pytest.mark.parametrize("stream", WRONG, ids=lambda stream: stream.__name__)
def test_who_asks_behind_the_back_is_not_proved(stream: type[Cached]) -> None:
    fails = growth(stream, rotary=True).fails
    assert fails
    assert WRONG[stream] in fails
