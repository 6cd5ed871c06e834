"""Modules without memory, and those that only delay: `Linear`, `Lambda` and its kin, `Reshape`, `Delay`, `Skip`."""

from __future__ import annotations

import torch
from hypothesis import strategies as st
from torch import nn

from coequal.equivalence.campaigns.families import family
from coequal.equivalence.suites.continual_inference.library import co
from coequal.equivalence.suites.continual_inference.ways import subject, ways
from coequal.subjects.subject import Subject


@family(
    in_features=st.integers(1, 3),
    out_features=st.integers(1, 3),
    bias=st.booleans(),
    channel_dim=st.sampled_from([-1, 1]),
    axes=st.integers(0, 2),
    way=ways,
)
def linear(in_features: int, out_features: int, bias: bool, channel_dim: int, axes: int, way: str) -> Subject:
    """`Linear` over channels, or over the last of the axes of space."""
    shape = (2, in_features, 8, *(4,) * axes) if channel_dim == 1 else (2, 3, 8, *(4,) * axes, in_features)
    return subject(lambda: co.Linear(in_features, out_features, bias, channel_dim=channel_dim), *shape, way=way)


def _scaled(x: torch.Tensor) -> torch.Tensor:
    return 2 * x.sigmoid()


def _summed(x: torch.Tensor) -> torch.Tensor:
    """Over channels."""
    return x.sum(1, keepdim=True)


CLOSURES = {
    "Add": lambda: co.Add(2.0),
    "Multiply": lambda: co.Multiply(2.0),
    "Identity": lambda: co.Identity(3, unused=True),
    "Constant": lambda: co.BroadcastReduce(co.Constant(2.0), co.Identity()),  # alone they do not depend on their input
    "Zero": lambda: co.BroadcastReduce(co.Zero(), co.Identity()),
    "One": lambda: co.BroadcastReduce(co.One(), co.Identity()),
    "Lambda of frames": lambda: co.Lambda(_scaled),
    "Lambda of clips": lambda: co.Lambda(_scaled, takes_time=True),
    "Lambda over channels": lambda: co.Lambda(_summed),
    "Lambda of a module": lambda: co.Lambda(nn.Sigmoid()),
    "Lambda of a linear module": lambda: co.Lambda(nn.Linear(4, 2)),
    "Lambda of three": lambda: co.Lambda(
        forward_only_fn=_scaled, forward_step_only_fn=_scaled, forward_steps_only_fn=_scaled
    ),
    "Lambda by conversion": lambda: co.continual(_scaled),
}


@family(closure=st.sampled_from(sorted(CLOSURES)), axes=st.integers(0, 2), way=ways)
def closure(closure: str, axes: int, way: str) -> Subject:
    """Functions of each frame."""
    return subject(CLOSURES[closure], 2, 4, 8, *(4,) * axes, way=way)


@family(
    delay=st.integers(0, 4),
    temporal_fill=st.sampled_from(["zeros", "replicate"]),
    auto_shrink=st.sampled_from([False, True, "centered", "lagging"]),
    axes=st.integers(0, 2),
    way=ways,
)
def delay(delay: int, temporal_fill: str, auto_shrink: bool | str, axes: int, way: str) -> Subject:
    """`Delay`: its clip mode delays nothing; where it shrinks, it leaves frames out at one end or at both."""
    return subject(lambda: co.Delay(delay, temporal_fill, auto_shrink), 2, 2, 10, *(3,) * axes, way=way)


@family(steps=st.integers(1, 4), axes=st.integers(0, 2), way=ways)
def skip(steps: int, axes: int, way: str) -> Subject:
    """`Skip`: without the first frames."""
    return subject(lambda: co.Skip(steps), 2, 2, 10, *(3,) * axes, way=way)


@family(shape=st.sampled_from([(-1, 12), (-1, 3, 4), (-1, 2, 6), (-1, 2, 3, 2)]), contiguous=st.booleans(), way=ways)
def reshape(shape: tuple[int, ...], contiguous: bool, way: str) -> Subject:
    """`Reshape`: the channels and space of each frame."""
    return subject(lambda: co.Reshape(*shape, contiguous=contiguous), 2, 4, 8, 3, way=way)
