"""Counters beside the numbers of tensors: in settings of torch, in objects that say that they are something else."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.autograd import forward_ad

from tests.equivalence.delayed import Delayed, report_of

Tensor = torch.Tensor
LATE = 1500
FORMATS = [torch.float16, torch.float32, torch.float64, torch.bfloat16, torch.complex64, torch.complex128, None]
FLAGS = [(torch._C._get_warnAlways, torch._C._set_warnAlways), (torch._C._get_nnpack_enabled, torch._C._set_nnpack_enabled)]


class Stream(Delayed):
    def then(self, out: Tensor, x: Tensor) -> Tensor:
        return out * 2 if self.late() else out

    def late(self) -> bool:
        return False


class AsksConditions(Stream):
    """Which are the same at every frame."""

    def late(self) -> bool:
        return torch.is_grad_enabled() and torch.is_inference_mode_enabled()


class Tangent(Stream):
    def __init__(self) -> None:
        super().__init__()
        self.zero = forward_ad.make_dual(torch.zeros(1), torch.zeros(1))

    def late(self) -> bool:
        tangent = forward_ad.unpack_dual(self.zero).tangent
        self.zero = forward_ad.make_dual(torch.zeros(1), torch.zeros(1) if tangent is None else tangent + 1)
        return bool(self.zero.sum() > LATE)


class CopiesOnWrite(Stream):
    def __init__(self) -> None:
        super().__init__()
        self.bits = [torch.zeros(1) for _ in range(11)]

    def late(self) -> bool:
        for i, bit in enumerate(self.bits):
            cow = torch._C._is_cow_tensor(bit)
            self.bits[i] = torch.zeros(1) if cow else torch._lazy_clone(bit)
            if not cow:
                break
        return all(torch._C._is_cow_tensor(bit) for bit in self.bits)


class Base(Stream):
    def __init__(self) -> None:
        super().__init__()
        self.all = torch.zeros(3000)
        self.view = torch.empty(0).set_(self.all.untyped_storage(), 0, (1,), (1,))[:1]

    def late(self) -> bool:
        base = self.view._base
        assert base is not None
        count = base.shape[0]
        self.view = torch.empty(0).set_(self.all.untyped_storage(), 0, (count + 1,), (1,))[:1]
        return count == LATE


class FormatOfGradients(Stream):
    def __init__(self) -> None:
        super().__init__()
        self.digits: list[Any] = [torch.zeros(1) for _ in range(4)]
        for digit in self.digits:
            digit.grad_dtype = FORMATS[0]

    def late(self) -> bool:
        for digit in self.digits:
            value = (FORMATS.index(digit.grad_dtype) + 1) % 7
            digit.grad_dtype = FORMATS[value]
            if value:
                break
        return self.digits[3].grad_dtype is None


class Nested(Stream):
    def late(self) -> bool:
        depth = torch.autocast_increment_nesting()
        if depth > LATE:
            while torch.autocast_decrement_nesting() > 0:
                pass
        return depth > LATE


class Settings(Stream):
    def late(self) -> bool:
        for read, write in FLAGS:
            write(not read())
            if read():
                break
        return False


class Property(Stream):
    def __init__(self) -> None:
        super().__init__()
        self.held = property(lambda _, count=0: count)

    def late(self) -> bool:
        assert self.held.fget is not None
        count: int = self.held.fget(None)
        self.held = property(lambda _, count=count: count + 1)
        return count == LATE


class Liar:
    __class__ = property(lambda self: type(len))  # type: ignore[assignment]

    def __init__(self) -> None:
        self.count = 0


class Lies(Stream):
    def __init__(self) -> None:
        super().__init__()
        self.held = Liar()

    def late(self) -> bool:
        self.held.count += 1
        return self.held.count == LATE


def proved(stream: type[Stream]) -> Any:
    report = report_of(stream)
    assert report.verdict == "proved"
    return report


@pytest.mark.parametrize("stream", [Stream, AsksConditions])
def test_what_counts_nowhere_is_proved_for_every_length(stream: type[Stream]) -> None:
    assert proved(stream).horizon == "all"


HIDING = [CopiesOnWrite, Base, FormatOfGradients, Nested, Settings, Property, Lies]


@pytest.mark.parametrize("stream", HIDING, ids=lambda stream: stream.__name__)
def test_nothing_counts_beside_numbers(stream: type[Stream]) -> None:
    flags = [read() for read, _ in FLAGS]
    assert isinstance(proved(stream).horizon, int)
    for (_, write), flag in zip(FLAGS, flags, strict=True):
        write(flag)


def test_nor_in_a_tangent() -> None:
    with forward_ad.dual_level():
        assert isinstance(proved(Tangent).horizon, int)


class AsksOffset(Stream):
    def step(self, x: Tensor) -> Tensor:
        return super().step(x.as_strided(x.shape, x.stride(), x.storage_offset()))


def test_who_asks_how_frames_lie_is_proved_for_those_that_lie_so() -> None:
    report = proved(AsksOffset)
    assert report.horizon == "all"
    assert any("how frames lie in memory" in text for text in report.proof["assumptions"])
