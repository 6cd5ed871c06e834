"""Random networks: blocks after one another, side by side, around shortcuts; those of published networks among them.

shifted       channels a frame back and ahead (TSM)
difference    of what two convolutions make of the next frame and of this one (TEA)
excited       every channel times a gate that the next frame decides (TEA)
calibrated    every channel times what the frames about it look like, a mean over space at a time (TAda2D)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from coequal.equivalence.campaigns.contents import Architecture
from coequal.reference import (
    activation,
    adaptive_pool,
    compose,
    conv,
    frame_difference,
    norm,
    pool,
    shift,
    squeeze_excite,
)
from coequal.reference.layer import Layer

Draw = Callable[[st.SearchStrategy], Any]


@st.composite
def trees(draw: Draw, depth: int = 3) -> Architecture:
    """Random networks on `(B, C, T)` or `(B, C, T, W)`: stacks of layers, residual and parallel blocks, strides."""
    rank = draw(st.integers(1, 2))
    channels = draw(st.integers(1, 3))
    layers, width, reach = [], channels, 1
    for _ in range(draw(st.integers(1, depth))):
        layer, width = draw(_blocks(rank, width))
        layers.append(layer)
        reach += 6
    shape = (2, channels, 2 * reach + draw(st.integers(0, 8)), *[6] * (rank - 1))
    return Architecture(compose.Sequential(tuple(layers)), shape)


@st.composite
def _blocks(draw: Draw, rank: int, width: int) -> tuple[Layer, int]:
    """One block and the channels that come out of it."""
    return draw(st.sampled_from(BLOCKS))(draw, rank, width)


def _stride(draw: Draw, rank: int) -> tuple[int, ...]:
    return (draw(st.integers(1, 2)), *[1] * (rank - 1))


def _conv_block(draw: Draw, rank: int, width: int) -> tuple[Layer, int]:
    out = draw(st.integers(1, 3))
    return _same(draw, rank, width, out, _stride(draw, rank)), out


def _activation_block(draw: Draw, rank: int, width: int) -> tuple[Layer, int]:
    return activation.Activation(draw(st.sampled_from(["ReLU", "GELU", "SiLU"]))), width


def _norm_block(draw: Draw, rank: int, width: int) -> tuple[Layer, int]:
    return norm.BatchNorm(width), width


def _pool_block(draw: Draw, rank: int, width: int) -> tuple[Layer, int]:
    cls = draw(st.sampled_from([pool.AvgPool, pool.MaxPool]))
    return cls((3,) * rank, _stride(draw, rank), 1), width


def _residual_block(draw: Draw, rank: int, width: int) -> tuple[Layer, int]:
    return compose.Residual(_same(draw, rank, width, width)), width


def _parallel_block(draw: Draw, rank: int, width: int) -> tuple[Layer, int]:
    out, reduce = draw(st.integers(1, 3)), draw(st.sampled_from(["sum", "product", "concatenate"]))
    branches = tuple(_same(draw, rank, width, out) for _ in range(2))
    return compose.Parallel(branches, reduce), out * (2 if reduce == "concatenate" else 1)


def _shortcut_block(draw: Draw, rank: int, width: int) -> tuple[Layer, int]:
    out, stride = draw(st.integers(1, 3)), (2, *[1] * (rank - 1))
    return compose.Residual(_same(draw, rank, width, out, stride), conv.Conv(width, out, (1,) * rank, stride)), out


def _squeeze_block(draw: Draw, rank: int, width: int) -> tuple[Layer, int]:
    return squeeze_excite.SqueezeExcite(width, 2, "window", draw(st.integers(1, 3))), width


def _shifted_block(draw: Draw, rank: int, width: int) -> tuple[Layer, int]:
    return shift.TemporalShift(draw(st.integers(2, 3)), draw(st.booleans())), width


def _difference_block(draw: Draw, rank: int, width: int) -> tuple[Layer, int]:
    out = draw(st.integers(1, 3))
    return _difference(draw, rank, width, out), out


def _excited_block(draw: Draw, rank: int, width: int) -> tuple[Layer, int]:
    gate = (_difference(draw, rank, width, 1), *_mean_of_frames(rank), conv.Conv(1, width, (1,) * rank))
    return _gated((*gate, activation.Activation("Sigmoid"))), width


def _calibrated_block(draw: Draw, rank: int, width: int) -> tuple[Layer, int]:
    narrow, kernel = draw(st.integers(1, 2)), (3, *[1] * (rank - 1))
    around = (1, *[0] * (rank - 1))
    route = (conv.Conv(width, narrow, kernel, 1, around), norm.BatchNorm(narrow), activation.Activation("ReLU"))
    return _gated((*_mean_of_frames(rank), *route, conv.Conv(narrow, width, kernel, 1, around))), width


BLOCKS = [
    *(_conv_block, _activation_block, _norm_block, _pool_block),
    *(_residual_block, _parallel_block, _shortcut_block, _squeeze_block),
    *(_shifted_block, _difference_block, _excited_block, _calibrated_block),
]


def _difference(draw: Draw, rank: int, width: int, out: int) -> compose.Sequential:
    """The next frame less this one, of two maps of the channels."""
    return compose.Sequential((_same(draw, rank, width, 2 * out), frame_difference.FrameDifference(out)))


def _mean_of_frames(rank: int) -> tuple[Layer, ...]:
    """Over space, a frame at a time: nothing where there is no space."""
    return () if rank == 1 else (adaptive_pool.AdaptiveAvgPool((None, *[1] * (rank - 1))),)


def _gated(gate: tuple[Layer, ...]) -> compose.Residual:
    """`x + gate(x) x`."""
    return compose.Residual(compose.Residual(compose.Sequential(gate), reduce="product"))


def _same(draw: Draw, rank: int, width: int, out: int, stride: Any = 1) -> conv.Conv:
    """A convolution that keeps the length, but for its stride."""
    kernel = tuple(draw(st.sampled_from([1, 3])) for _ in range(rank))
    return conv.Conv(width, out, kernel, stride, tuple(k // 2 for k in kernel))
