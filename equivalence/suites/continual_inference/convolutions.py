"""Convolutions: `Conv1d`, `Conv2d`, `Conv3d`, with all that they take."""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import strategies as st
from torch.nn import functional

from coequal.equivalence.campaigns.families import family
from coequal.equivalence.suites.continual_inference.filling import filled
from coequal.equivalence.suites.continual_inference.library import co
from coequal.equivalence.suites.continual_inference.ways import subject, ways
from coequal.subjects.subject import Subject

MODES = ["zeros", "zeros", "replicate", "replicate", "reflect", "circular"]  # the last two are refused: seldom
OPTIONS: dict[str, Any] = {
    **{"rank": st.integers(1, 3), "kernel_size": st.integers(1, 4), "space_kernel": st.integers(1, 2)},
    **{"stride": st.integers(1, 3), "space_stride": st.integers(1, 2)},
    **{"padding": st.integers(0, 3), "space_padding": st.integers(0, 1)},
    **{"dilation": st.sampled_from([1, 1, 1, 1, 2]), "space_dilation": st.integers(1, 2)},
    **{
        "groups": st.integers(1, 2),
        "bias": st.booleans(),
        "temporal_fill": st.sampled_from(["default", "zeros", "replicate"]),
    },
    **{"padding_mode": st.sampled_from(MODES), "way": ways},
}


@family(**OPTIONS)
def conv(
    rank: int,
    kernel_size: int,
    space_kernel: int,
    stride: int,
    space_stride: int,
    padding: int,
    space_padding: int,
    dilation: int,
    space_dilation: int,
    groups: int,
    bias: bool,
    temporal_fill: str,
    padding_mode: str,
    way: str,
) -> Subject:
    """Its clip: `forward`; where `temporal_fill` is given, a clip that goes on like that in time."""

    def sizes(time: int, space: int) -> tuple[int, ...]:
        return (time, *(space,) * (rank - 1))

    fill: dict[str, Any] = {} if temporal_fill == "default" else {"temporal_fill": temporal_fill}

    def build() -> torch.nn.Module:
        kind = getattr(co, f"Conv{rank}d")
        return kind(
            2 * groups,
            2 * groups,
            sizes(kernel_size, space_kernel),
            stride=sizes(stride, space_stride),
            padding=sizes(padding, space_padding),
            dilation=sizes(dilation, space_dilation),
            groups=groups,
            bias=bias,
            padding_mode=padding_mode,
            **fill,
        )

    made = subject(build, 2, 2 * groups, 10, *(4,) * (rank - 1), way=way)
    module: Any = made.modules
    if not fill:
        return made

    def clip(x: torch.Tensor) -> torch.Tensor:
        x = filled(x, padding, temporal_fill)
        around = (space_padding,) * 2 * (rank - 1)
        x = functional.pad(x, around) if padding_mode == "zeros" or not space_padding else _wrapped(x, around, padding_mode)
        convolve = getattr(functional, f"conv{rank}d")
        return convolve(x, module.weight, module.bias, module.stride, 0, module.dilation, module.groups)

    made.clip, made.twin = clip, None
    return made


def _wrapped(x: torch.Tensor, around: tuple[int, ...], mode: str) -> torch.Tensor:
    """Space around each frame; torch pads the last axes of all."""
    return functional.pad(x, (*around, 0, 0) if around else around, mode=mode)
