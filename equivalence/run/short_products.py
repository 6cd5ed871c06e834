"""Products that an accelerator shortens: NVIDIA's TF32 keeps 10 binary digits of both factors in what is called float32.

torch allows it in convolutions and recurrent layers unless it is told otherwise. Clip and stream are compared without it:
what they then are apart is of the functions. How far it takes them apart is measured, and said.
Source: torch documentation, "CUDA semantics", section on TensorFloat-32.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch

from coequal.subjects.inputs import leaves_of
from coequal.subjects.subject import Subject

PLACES: dict[str, Any] = {
    "torch.backends.cuda.matmul": torch.backends.cuda.matmul,
    "torch.backends.cudnn": torch.backends.cudnn,
}


def on_cuda(subject: Subject) -> bool:
    """Whether its clips lie on a GPU of NVIDIA's."""
    return any(leaf.device.type == "cuda" for leaf in leaves_of(subject.example).values())


@contextlib.contextmanager
def whole(subject: Subject) -> Iterator[list[str]]:
    """Inside, float32 is float32; gives the places in torch where it was allowed to be less. Nothing happens on a CPU."""
    outside = [name for name, place in PLACES.items() if _allows(place)] if on_cuda(subject) else []
    _allow(outside, False)
    try:
        yield outside
    finally:
        _allow(outside, True)


@contextlib.contextmanager
def shortened(places: list[str]) -> Iterator[None]:
    """Inside `whole`, what was allowed outside."""
    _allow(places, True)
    try:
        yield
    finally:
        _allow(places, False)


@contextlib.contextmanager
def without_cudnn() -> Iterator[None]:
    """Inside, recurrent layers have gradients in evaluation, which cuDNN's do not."""
    enabled = torch.backends.cudnn.enabled
    torch.backends.cudnn.enabled = False
    try:
        yield
    finally:
        torch.backends.cudnn.enabled = enabled


def _allows(place: Any) -> bool:
    try:
        return bool(place.allow_tf32)
    except RuntimeError:  # set by operation, which this way of asking does not know
        return False


def _allow(places: list[str], allowed: bool) -> None:
    for name in places:
        PLACES[name].allow_tf32 = allowed
