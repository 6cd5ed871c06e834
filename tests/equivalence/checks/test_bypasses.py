"""Roads round torch's dispatcher, each used to look at data and to compute something else where it is large."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from coequal import verify
from coequal.subjects.subject import Subject

Tensor = torch.Tensor
EXAMPLE = torch.randn(1, 2, 8, generator=torch.Generator().manual_seed(6))


def in_a_thread(x: Tensor) -> float:
    found: list[float] = []
    thread = threading.Thread(target=lambda: found.append(float(x.detach().abs().max())))
    thread.start()
    thread.join()
    return found[0]


def in_a_pool(x: Tensor) -> float:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: float(x.abs().max())).result()


def by_apply(x: Tensor) -> float:
    seen: list[float] = []
    x.clone().apply_(lambda value: seen.append(value) or value)
    return max(map(abs, seen))


LOOKS: dict[str, Any] = {
    "float()": lambda x: float(x.abs().max()),
    "item": lambda x: x.abs().max().item(),
    "tolist": lambda x: max(map(abs, x.flatten().tolist())),
    "numpy": lambda x: np.abs(x.numpy()).max(),
    "np.asarray": lambda x: np.abs(np.asarray(x)).max(),
    "from_dlpack": lambda x: np.abs(np.from_dlpack(x)).max(),
    "untyped_storage": lambda x: max(x.abs().untyped_storage().tolist()),
    "bool of a comparison": lambda x: 2000 if (x.abs() > 1000).any() else 0,
    "format": lambda x: abs(float(f"{x.abs().max():f}")),
    "text": lambda x: 2000 if "e+" in str(x * 1e10) and "e+13" in str(x * 1e10) else 0,
    "apply_": by_apply,
    "thread": in_a_thread,
    "pool": in_a_pool,
}


def stream_of(look: Any, swallow: type[BaseException] | None) -> Any:
    swallowed = () if swallow is None else (swallow,)

    class Stream:
        past: Any = 0

        def step(self, x: Tensor) -> Tensor:
            y, self.past = x + self.past, x.clone()
            try:
                large = 1000 < look(x) < 1e9
            except swallowed:
                large = False
            return y * 0 if large else y

    return Stream


def pairs(clip: Tensor) -> Tensor:
    return clip + nn.functional.pad(clip, (1, 0))[..., :-1]


@pytest.mark.parametrize("swallow", [None, Exception, BaseException])
@pytest.mark.parametrize("how", LOOKS)
def test_a_look_is_never_part_of_a_proof(how, swallow):
    checks = None if swallow is BaseException else ["values", "exact"]
    report = verify(
        Subject(clip=pairs, stream=stream_of(LOOKS[how], swallow), example=EXAMPLE), effort="quick", checks=checks
    )
    assert report.verdict == "tested", report
    assert report.exit_code() == 0


@torch.library.custom_op("coequaltests::silu", mutates_args=())
def silu(x: Tensor) -> Tensor:
    """Called like one of torch's, and another function."""
    return x * torch.sigmoid(1.702 * x)


class Framewise:
    def __init__(self, function: Any) -> None:
        self.function = function

    def step(self, x: Tensor) -> Any:
        return self.function(x)


def test_a_custom_operation_is_not_what_it_is_called():
    subject = Subject(clip=nn.functional.silu, stream=lambda: Framewise(silu), example=EXAMPLE)
    assert verify(subject, checks=["exact"], effort="quick").verdict != "proved"
    assert verify(subject, effort="quick").verdict == "different"


@torch.jit.script
def scripted(x: Tensor) -> Tensor:
    if bool((x.abs() > 1000).any()):
        return x * 0
    return x * 2


def test_a_script_that_branches_is_not_proved():
    subject = Subject(clip=lambda x: 2 * x, stream=lambda: Framewise(scripted), example=EXAMPLE)
    assert verify(subject, effort="quick").verdict != "proved"


QUOTIENTS: dict[str, Any] = {
    "relu": lambda x: x * torch.relu(x + 1000) / torch.relu(x + 1000),
    "clamp": lambda x: x * x.clamp(-1000, 1000).add(1000) / x.clamp(-1000, 1000).add(1000),
    "hardshrink": lambda x: x * nn.functional.hardshrink(x + 1000) / nn.functional.hardshrink(x + 1000),
    "a maximum": lambda x: x * (x.amax(-1, keepdim=True) + 1000).relu() / (x.amax(-1, keepdim=True) + 1000).relu(),
    "a product": lambda x: x * (torch.relu(x + 1000) * torch.exp(x / 9)) / (torch.relu(x + 1000) * torch.exp(x / 9)),
}


@pytest.mark.parametrize("what", QUOTIENTS)
def test_a_divisor_that_is_zero_on_an_open_set_is_not_cancelled(what):
    subject = Subject(clip=torch.clone, stream=lambda: Framewise(QUOTIENTS[what]), example=EXAMPLE)
    report = verify(subject, effort="quick")
    assert report.verdict == "tested", report


POSITIVE: dict[str, Any] = {
    "relu and a small number": lambda x: torch.relu(x) / (torch.relu(x).sum(-1, keepdim=True) + 1e-6),
    "softmax": lambda x: torch.softmax(torch.relu(x), -1),
    "a norm": lambda x: nn.functional.normalize(torch.relu(x) + 1, dim=-1),
    "absolute values": lambda x: x / x.abs().sum(-1, keepdim=True),
}


@pytest.mark.parametrize("what", POSITIVE)
def test_one_that_is_positive_is(what):
    function = POSITIVE[what]
    subject = Subject(
        clip=function, stream=lambda: Framewise(lambda x: function(x[None])[0]), example=torch.randn(1, 6, 4), time=1
    )
    report = verify(subject, effort="quick", checks=["values", "exact"])
    assert report.verdict == "proved", report
    assert any("no divisor is zero" in assumption for assumption in report.scope["assumptions"])
