"""Pooling: average and maximum over one to three axes, and the adaptive ones."""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import strategies as st
from torch.nn import functional

from coequal.equivalence.campaigns.families import family
from coequal.equivalence.suites.continual_inference.filling import filled
from coequal.equivalence.suites.continual_inference.library import co
from coequal.equivalence.suites.continual_inference.ways import subject, ways, window_ways
from coequal.subjects.subject import Subject

FILLS = st.sampled_from(["default", "zeros", "replicate", "neg_inf"])
COMMON: dict[str, Any] = {
    **{"rank": st.integers(1, 3), "kernel_size": st.integers(1, 4), "space_kernel": st.integers(1, 2)},
    **{
        "stride": st.sampled_from([1, 2, 3, None]),
        "padding": st.integers(0, 2),
        "space_padding": st.sampled_from([0, 0, 1]),
    },
    **{"dilation": st.integers(1, 2), "space_dilation": st.sampled_from([1, 1, 1, 2]), "ceil_mode": st.booleans()},
    **{"temporal_fill": FILLS, "way": ways},
}


def _pool(
    name: str,
    rank: int,
    kernel_size: int,
    space_kernel: int,
    stride: int | None,
    padding: int,
    space_padding: int,
    dilation: int,
    space_dilation: int,
    temporal_fill: str,
    way: str,
    options: dict[str, Any],
) -> Subject:
    """`options`: what the two kinds do not share. Where `temporal_fill` is given, the clip goes on like that in time."""

    def sizes(time: int, space: int) -> tuple[int, ...]:
        return (time, *(space,) * (rank - 1))

    steps = None if stride is None else sizes(stride, 1)
    given = options | ({} if temporal_fill == "default" else {"temporal_fill": temporal_fill})

    def build() -> torch.nn.Module:
        kind = getattr(co, f"{name}Pool{rank}d")
        return kind(
            sizes(kernel_size, space_kernel),
            stride=steps,
            padding=sizes(padding, space_padding),
            dilation=sizes(dilation, space_dilation),
            **given,
        )

    made = subject(build, 2, 2, 10, *(4,) * (rank - 1), way=way)
    if temporal_fill == "default" or not padding:
        return made
    module: Any = made.modules
    module.forward(made.example)  # refuses more padding than a window may have
    pool = getattr(functional, f"{name.lower()}_pool{rank}d")
    around = {
        "kernel_size": sizes(kernel_size, space_kernel),
        "stride": steps,
        "padding": sizes(0, space_padding),
        **options,
    }
    if name == "Max":
        around["dilation"] = sizes(dilation, space_dilation)
    made.clip = lambda x: pool(filled(x, padding, temporal_fill), **around)
    return made


@family(**COMMON, count_include_pad=st.booleans(), divisor_override=st.sampled_from([None, 3]))
def avg_pool(ceil_mode: bool, count_include_pad: bool, divisor_override: int | None, **options: Any) -> Subject:
    """`AvgPool1d`, `AvgPool2d`, `AvgPool3d`; the first of them takes no divisor."""
    given: dict[str, Any] = {"ceil_mode": ceil_mode, "count_include_pad": count_include_pad}
    given |= {} if divisor_override is None else {"divisor_override": divisor_override}
    return _pool("Avg", options=given, **options)


@family(**COMMON)
def max_pool(ceil_mode: bool, **options: Any) -> Subject:
    """`MaxPool1d`, `MaxPool2d`, `MaxPool3d`."""
    return _pool("Max", options={"ceil_mode": ceil_mode}, **options)


@family(
    kind=st.sampled_from(["Avg", "Max"]),
    rank=st.integers(2, 3),
    kernel_size=st.integers(1, 4),
    output_size=st.sampled_from([1, 2, None]),
    stride=st.integers(1, 2),
    dilation=st.integers(1, 2),
    temporal_fill=FILLS,
    way=window_ways,
)
def adaptive_pool(
    kind: str,
    rank: int,
    kernel_size: int,
    output_size: int | None,
    stride: int,
    dilation: int,
    temporal_fill: str,
    way: str,
) -> Subject:
    """`AdaptiveAvgPool2d`, ... over all of the clip, in steps over `kernel_size` frames; `output_size` is that of space.

    With a dilation, a step is over as many frames, of which some between are left out.
    """
    fill = {} if temporal_fill == "default" else {"temporal_fill": temporal_fill}

    def build() -> torch.nn.Module:
        size = (1, *(output_size,) * (rank - 1))
        made = getattr(co, f"Adaptive{kind}Pool{rank}d")
        return made(size, kernel_size=kernel_size, stride=stride, dilation=dilation, **fill)

    made = subject(build, 2, 2, 8, *(4,) * (rank - 1), way=way)
    module: Any = made.modules
    made.clip, made.window = lambda x: module.forward(x[:, :, ::dilation]), dilation * (kernel_size - 1) + 1
    return made
