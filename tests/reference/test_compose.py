"""Compositions of small integer-valued layers are exact, so every comparison is `==`."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import event, given
from hypothesis import strategies as st

from coequal.reference.adaptive_pool import AdaptiveAvgPool
from coequal.reference.compose import Identity, Parallel, Residual, Sequential, combine, combine_loops
from coequal.reference.conv import Conv
from coequal.reference.layer import Layer
from coequal.reference.timing import Timing


@dataclass(frozen=True)
class Filter:
    """A channel-mixing filter in time, as plain as can be: what the compositions under test are made of."""

    channels_in: int
    channels_out: int
    kernel: int = 1
    stride: int = 1
    pads: tuple[int, int] = (0, 0)
    time: int = 2

    @property
    def timing(self):
        return Timing(self.kernel, self.stride, *self.pads)

    def parameters(self):
        return {"weight": (self.channels_out, self.channels_in, self.kernel)}

    def output_shape(self, shape):
        if shape[1] != self.channels_in:
            raise ValueError(f"expected {self.channels_in} channels, got {shape[1]}")
        return (shape[0], self.channels_out, self.timing.output_length(shape[2]))

    def __call__(self, parameters, clip):
        padded = np.concatenate([clip[:, :, :1] * 0] * self.pads[0] + [clip] + [clip[:, :, :1] * 0] * self.pads[1], axis=2)
        frames = range(0, padded.shape[2] - self.kernel + 1, self.stride)
        windows = np.stack([padded[:, :, t : t + self.kernel] for t in frames])  # (T', B, C, K)
        weight = parameters["weight"]
        return np.moveaxis((windows[:, :, None] * weight).sum(axis=(-1, -2)), 0, 2)

    def torch(self, weight, clip):
        return torch.nn.functional.conv1d(torch.nn.functional.pad(clip, self.pads), weight, stride=self.stride)


@dataclass(frozen=True)
class Mean:
    """Sum over the whole clip, one frame for all: timing None."""

    time: int = 2
    timing = None

    def parameters(self):
        return {}

    def output_shape(self, shape):
        return (*shape[:2], 1)

    def __call__(self, parameters, clip):
        return clip.sum(axis=2, keepdims=True)


@dataclass(frozen=True)
class Scale:
    """Tokens `(B, T, E)` times a vector."""

    features: int
    time: int | None = 1
    timing = Timing()

    def parameters(self):
        return {"weight": (self.features,)}

    def output_shape(self, shape):
        return tuple(shape)

    def __call__(self, parameters, clip):
        return clip * parameters["weight"]


LENGTH = 7


@st.composite
def filters(draw, channels_in, channels_out, keep=False):
    """A filter with an output for every clip of LENGTH; `keep`: it keeps the length."""
    kernel = draw(st.integers(1, 3))
    if keep:
        start = draw(st.integers(0, kernel - 1))
        return Filter(channels_in, channels_out, kernel, 1, (start, kernel - 1 - start))
    return Filter(channels_in, channels_out, kernel, draw(st.integers(1, 2)), (kernel - 1, draw(st.integers(0, 2))))


@st.composite
def trees(draw, channels, depth=2):
    """A tree that keeps the length and its channels known: `(layer, channels_out)`."""
    kinds = ["filter", "identity"] + ["sequential", "residual", "parallel", "concatenate"] * (depth > 0)
    kind = draw(st.sampled_from(kinds))
    event(kind)
    if kind == "identity":
        return Identity(), channels
    if kind == "filter":
        out = draw(st.integers(1, 3))
        return draw(filters(channels, out, keep=True)), out
    if kind == "sequential":
        layers = []
        for _ in range(draw(st.integers(1, 3))):
            layer, channels = draw(trees(channels, depth - 1))
            layers.append(layer)
        return Sequential(tuple(layers)), channels
    branches = [draw(trees(channels, depth - 1)) for _ in range(draw(st.integers(1, 3)))]
    if kind == "concatenate":
        return Parallel(tuple(b for b, _ in branches), "concatenate"), sum(c for _, c in branches)
    reduce = draw(st.sampled_from(["sum", "product"]))
    aligned = [Sequential((b, draw(filters(c, channels, keep=True)))) for b, c in branches]
    if kind == "residual":
        return Residual(aligned[0], draw(st.sampled_from([None, aligned[-1]])), reduce), channels
    return Parallel(tuple(aligned), reduce), channels


def integers(seed, shape, low=-2, high=3):
    return np.random.default_rng(seed).integers(low, high, size=shape).astype(object)


def by_hand(layer, parameters, clip, prefix=""):
    """The same tree in torch, children looked up by their full names."""
    if isinstance(layer, Identity):
        return clip
    if isinstance(layer, Filter):
        return layer.torch(parameters[f"{prefix}weight"], clip)
    if isinstance(layer, Sequential):
        for i, child in enumerate(layer.layers):
            clip = by_hand(child, parameters, clip, f"{prefix}{i}.")
        return clip
    outputs = [by_hand(child, parameters, clip, f"{prefix}{name}.") for name, child in layer.branches.items()]
    if layer.reduce == "concatenate":
        return torch.cat(outputs, dim=1)
    total = outputs[0]
    for output in outputs[1:]:
        total = total + output if layer.reduce == "sum" else total * output
    return total


@given(trees(2), st.integers(0, 2**32 - 1))
def test_trees_compute_what_torch_computes(tree, seed):
    layer, channels = tree
    clip = integers(seed, (2, 2, LENGTH))
    parameters = {name: integers([seed, i], shape) for i, (name, shape) in enumerate(layer.parameters().items())}
    got = layer(parameters, clip)
    twins = {name: torch.tensor(value.tolist(), dtype=torch.float64) for name, value in parameters.items()}
    exact = np.abs(layer({n: np.abs(v) for n, v in parameters.items()}, np.abs(clip))).max() < 2**53
    event(f"fits a float64: {exact}")
    if exact:
        expected = by_hand(layer, twins, torch.tensor(clip.tolist(), dtype=torch.float64))
        assert got.tolist() == expected.tolist()
        assert np.array_equal(layer({n: v.astype(float) for n, v in parameters.items()}, clip.astype(float)), got)
    assert layer.output_shape(clip.shape) == got.shape == (2, channels, LENGTH)
    assert isinstance(layer, Layer)


@given(
    st.sampled_from(["sum", "product", "concatenate"]),
    st.integers(1, 3),
    st.sampled_from([1, -1]),
    st.integers(0, 2**32 - 1),
)
def test_combine_is_its_loops(reduce, count, axis, seed):
    branches = [integers([seed, i], (2, 3, 4)) / Fraction(7, 3) for i in range(count)]
    assert combine(branches, reduce, axis).tolist() == combine_loops(branches, reduce, axis).tolist()


@given(st.lists(filters(1, 1), min_size=1, max_size=4), st.integers(0, 2**32 - 1))
def test_a_sequence_of_strided_filters_is_as_long_as_its_timing_says(layers, seed):
    layer = Sequential(layers)
    clip = integers(seed, (1, 1, LENGTH))
    parameters = {name: integers(seed, shape) for name, shape in layer.parameters().items()}
    assert layer(parameters, clip).shape[2] == layer.timing.output_length(LENGTH) == layer.output_shape(clip.shape)[2]


def test_tokens_are_concatenated_along_their_last_axis():
    layer = Parallel((Scale(2), Identity()), "concatenate")
    clip = integers(5, (1, 3, 2))
    got = layer({"0.weight": np.array([5, 7])}, clip)
    assert got.tolist() == [[[5 * a, 7 * b, a, b] for a, b in clip[0].tolist()]]
    assert layer.output_shape((1, 3, 2)) == (1, 3, 4)
    assert layer.time == 1


def test_a_summary_of_the_whole_clip_gates_every_frame():
    layer = Residual(Mean(), reduce="product")
    clip = integers(3, (2, 3, 4))
    assert layer({}, clip).tolist() == (clip * clip.sum(axis=2, keepdims=True)).tolist()
    assert layer.output_shape(clip.shape) == (2, 3, 4)
    assert layer.timing is None
    assert Sequential((Filter(1, 1), Mean())).timing is None
    with pytest.raises(ValueError, match="main 1, shortcut 4"):
        Residual(Mean(), reduce="concatenate")({}, clip)


def test_branches_without_a_time_axis_are_only_broadcast():
    layer = Parallel((Scale(4, time=None), Identity()), "sum")
    assert layer.time is None
    assert layer({"0.weight": np.array([1, 2, 3, 4])}, np.array([[2, 3, 5, 7]])).tolist() == [[4, 9, 20, 35]]


def test_an_empty_sequence_is_the_identity():
    layer = Sequential(())
    assert layer({}, "anything") == "anything"
    assert (layer.time, layer.timing, layer.parameters(), layer.output_shape([2, 3])) == (None, Timing(), {}, (2, 3))


@pytest.mark.parametrize("clip", [np.zeros((1, 1, 5))])
def test_errors_name_lengths_and_places(clip):
    shorter = Residual(Filter(1, 1, 3))
    message = (
        r"Residual: branches must give the same number of frames \(axis 2\), got main 3, shortcut 5: pad the shorter branch"
    )
    with pytest.raises(ValueError, match=message):
        shorter.output_shape(clip.shape)
    with pytest.raises(ValueError, match=message):
        shorter({"main.weight": np.ones((1, 1, 3))}, clip)
    with pytest.raises(
        ValueError, match=r"Sequential: layer 1 \(Residual\): Residual: branch main: expected 4 channels, got 2"
    ):
        Sequential((Filter(1, 2), Residual(Filter(4, 2)))).output_shape(clip.shape)
    with pytest.raises(
        ValueError, match=r"Parallel: the sum of branches needs shapes that broadcast, got 0 \(1, 2, 5\), 1 \(1, 3, 5\)"
    ):
        Parallel((Filter(1, 2), Filter(1, 3))).output_shape(clip.shape)
    with pytest.raises(ValueError, match=r"may differ in channels \(axis 2\) only, got 0 \(1, 1, 5\), 1 \(4, 1, 5\)"):
        Parallel((Scale(5), Widen()), "concatenate").output_shape((1, 1, 5))


@dataclass(frozen=True)
class Widen:
    """An operator without a time axis of its own that changes the batch axis."""

    time = None
    timing = Timing()

    def parameters(self):
        return {}

    def output_shape(self, shape):
        return (4, *shape[1:])

    def __call__(self, parameters, clip):
        raise AssertionError("only its shape is asked for")


def test_construction_errors():
    with pytest.raises(ValueError, match="Parallel: needs at least one layer, got none"):
        Parallel(())
    with pytest.raises(ValueError, match="Residual: reduce is one of 'sum', 'product', 'concatenate', 'affine', got 'mul'"):
        Residual(Identity(), reduce="mul")
    with pytest.raises(ValueError, match="Parallel: branches must have the same stride in time, got 0 2, 1 1"):
        Parallel((Filter(1, 1, 1, 2), Identity()))
    with pytest.raises(ValueError, match=r"Sequential: layers must agree on the time axis, got \[1, 2\]"):
        Sequential((Filter(1, 1), Scale(1)))


def test_affine_scales_and_shifts_channel_by_channel():
    """The second branch gives factors, then terms; where it gives one position for a frame, for all of that frame."""
    rng = np.random.default_rng(5)
    clip, factors = rng.standard_normal((2, 3, 4, 2, 2)), rng.standard_normal((2, 6, 4, 2, 2))
    expected = combine_loops([clip, factors], "affine", 1)
    np.testing.assert_array_equal(combine([clip, factors], "affine", 1), expected)
    np.testing.assert_array_equal(expected, clip * factors[:, :3] + factors[:, 3:])
    pooled = Parallel((Identity(2), Sequential((AdaptiveAvgPool((None, 1, 1)), Conv(3, 6, (1, 1, 1))))), "affine")
    assert pooled.output_shape((2, 3, 4, 2, 2)) == (2, 3, 4, 2, 2)
    with pytest.raises(ValueError, match="affine needs two branches, of C and of 2 C channels, got"):
        Parallel((Identity(2), Identity(2)), "affine").output_shape((2, 3, 4, 2, 2))
