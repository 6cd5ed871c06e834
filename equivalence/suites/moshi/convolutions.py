"""Convolutions, and the two that resample."""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import strategies as st

from coequal.equivalence.campaigns.families import family
from coequal.equivalence.suites.moshi.library import conv as library
from coequal.equivalence.suites.moshi.library import resample
from coequal.equivalence.suites.moshi.ways import Within, subject, ways
from coequal.subjects.chunks import Plan
from coequal.subjects.subject import Subject

NORMS = st.sampled_from(["none", "none", "weight_norm"])
CAUSAL = st.sampled_from([True] * 7 + [False])  # the last is refused: seldom
COMMON: dict[str, Any] = {
    **{"kernel_size": st.integers(1, 5), "stride": st.integers(1, 3), "groups": st.integers(1, 2), "bias": st.booleans()},
    **{"norm": NORMS, "causal": CAUSAL},
}


@family(**COMMON, dilation=st.sampled_from([1, 1, 2, 3]), pad_mode=st.sampled_from(["constant", "replicate"]), way=ways)
def conv(groups: int, way: str, stride: int, pad_mode: str, **options: Any) -> Subject:
    """`StreamingConv1d`. Where it replicates the first frame, it asks for as many frames as it keeps, in every call."""
    module = library.StreamingConv1d(2 * groups, 2 * groups, stride=stride, groups=groups, pad_mode=pad_mode, **options)
    kept = (options["kernel_size"] - 1) * options["dilation"] + 1 - stride if pad_mode == "replicate" else 0
    plan = Plan(stride, minimum=max(kept, 1))
    return subject(module, torch.randn(2, 2 * groups, 6 * stride * max(kept, 1)), way=way, plan=plan)


@family(**COMMON, trim_right_ratio=st.sampled_from([1.0] * 7 + [0.5]), way=ways)
def conv_transpose(groups: int, way: str, **options: Any) -> Subject:
    """`StreamingConvTranspose1d`."""
    module = library.StreamingConvTranspose1d(2 * groups, 2 * groups, groups=groups, **options)
    return subject(module, torch.randn(2, 2 * groups, 8), way=way)


RESAMPLED: dict[str, Any] = {
    **{"stride": st.integers(1, 3), "dimension": st.integers(1, 3), "causal": CAUSAL, "way": ways},
    **{"learnt": st.sampled_from([True, True, False]), "channel_wise": st.booleans()},
}


@family(**RESAMPLED)
def downsample(stride: int, dimension: int, way: str, **options: Any) -> Subject:
    """`ConvDownsample1d`, which replicates the first frame; `dimension`: channels."""
    module = Within(resample.ConvDownsample1d(stride, dimension, **options))
    return subject(module, torch.randn(2, dimension, 6 * stride), way=way, unit=stride)


@family(**RESAMPLED)
def upsample(stride: int, dimension: int, way: str, **options: Any) -> Subject:
    """`ConvTrUpsample1d`; `dimension`: channels."""
    return subject(Within(resample.ConvTrUpsample1d(stride, dimension, **options)), torch.randn(2, dimension, 6), way=way)
