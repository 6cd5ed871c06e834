"""The timing algebra against brute force: disturb one frame of the clip, see which frames of the output change.

All numbers are positive integers of unlimited size and every operator grows with its input (sums, maxima, products of
branches), so a disturbance larger than everything else is never hidden.
"""

import functools
import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, event, given
from hypothesis import strategies as st

from coequal.reference.compose import Identity, Parallel, Residual, Sequential
from coequal.reference.conv import Conv
from coequal.reference.pool import AvgPool, MaxPool
from coequal.reference.timing import Timing

HUGE = 10**60


@dataclass(frozen=True)
class Window:
    """A weighted sum or a maximum over `kernel` frames, `dilation` apart: what convolutions and pools look like in time."""

    kernel: int
    stride: int = 1
    dilation: int = 1
    pads: tuple[int, int] = (0, 0)
    kind: str = "sum"
    time: int = 2

    @property
    def span(self):
        return (self.kernel - 1) * self.dilation + 1

    @property
    def timing(self):
        return Timing(self.span, self.stride, *self.pads)

    def parameters(self):
        return {}

    def output_shape(self, shape):
        return (*shape[:2], self.timing.output_length(shape[2]))

    def __call__(self, parameters, clip):
        frames = [0] * self.pads[0] + list(clip[0, 0]) + [0] * self.pads[1]
        outputs = []
        for start in range(0, len(frames) - self.span + 1, self.stride):
            seen = frames[start : start + self.span : self.dilation]
            outputs.append(max(seen) if self.kind == "max" else sum((3 + k) * frame for k, frame in enumerate(seen)))
        return np.array(outputs, dtype=object).reshape(1, 1, -1)


@dataclass(frozen=True)
class Everything:
    """A running sum: memory without end."""

    time: int = 2
    timing = Timing(math.inf)

    def parameters(self):
        return {}

    def output_shape(self, shape):
        return tuple(shape)

    def __call__(self, parameters, clip):
        return np.add.accumulate(clip, axis=2)


@st.composite
def windows(draw, stride=None, growth=None):
    """A window; with `growth` its padding is such that L frames become `(L - 1 + growth) // stride + 1`, for any L."""
    kernel, dilation = draw(st.integers(2 if growth == -1 else 1, 3)), draw(st.integers(1, 3))
    stride = draw(st.integers(1, 3)) if stride is None else stride
    span = (kernel - 1) * dilation + 1
    if growth is None:
        pads = (draw(st.integers(0, span + 1)), draw(st.integers(0, span + 1)))
    else:
        start = draw(st.integers(0, span - 1 + growth))
        pads = (start, span - 1 + growth - start)
    return Window(kernel, stride, dilation, pads, draw(st.sampled_from(["sum", "max"])))


@st.composite
def branches(draw, stride, depth, unbounded):
    """A branch that keeps the length up to its stride: any two of these give the same number of frames."""
    kinds = ["window"] + ["nothing"] * (stride == 1) + ["everything"] * (stride == 1 and unbounded)
    kind = draw(st.sampled_from(kinds + ["sequence", "parallel"] * (depth > 0)))
    event(f"branch: {kind}")
    if kind == "nothing":
        return Identity()
    if kind == "everything":
        return Everything()
    if kind == "window":
        return draw(windows(stride, growth=0))
    if kind == "sequence":
        first = draw(st.sampled_from([s for s in (1, 2, 3, 4) if stride % s == 0]))
        return Sequential(
            (draw(branches(first, depth - 1, unbounded)), draw(branches(stride // first, depth - 1, unbounded)))
        )
    return draw(parallels(stride, depth - 1, unbounded, growths=(0,)))


@st.composite
def parallels(draw, stride, depth, unbounded, growths):
    """Branches side by side: of the same length for any clip, or longer or shorter than the clip by the same amount."""
    reduce = draw(st.sampled_from(["sum", "product"]))
    growth = draw(st.sampled_from(growths))
    if growth:
        event("branches that change the length")
        return Parallel((draw(windows(stride, growth)), draw(windows(stride, growth))), reduce)
    main, beside = draw(branches(stride, depth, unbounded)), draw(branches(stride, depth, unbounded))
    if stride == 1 and draw(st.booleans()):
        return Residual(main, reduce=reduce)
    return Parallel((main, beside), reduce)


@st.composite
def trees(draw, unbounded=False):
    """Windows of any padding and blocks of branches, one after the other."""
    blocks = st.one_of(windows(), st.integers(1, 2).flatmap(lambda s: parallels(s, 1, unbounded, growths=(0, 0, 1, 2, -1))))
    layers = draw(st.lists(blocks, min_size=1, max_size=3))
    if unbounded:
        layers.insert(draw(st.integers(0, len(layers))), Everything())
    return Sequential(tuple(layers))


def run(tree, length, disturbed=None):
    clip = np.array([[[Fraction(2 + (7 * t) % 5) for t in range(length)]]], dtype=object)
    if disturbed is not None:
        clip[0, 0, disturbed] += HUGE
    weights = {
        name: np.arange(3, 3 + math.prod(shape)).astype(object).reshape(shape) for name, shape in tree.parameters().items()
    }
    return list(tree(weights, clip)[0, 0])


def long_enough(tree, length):
    """Every layer inside has an output for a clip of `length` frames (torch refuses it otherwise)."""
    if isinstance(tree, Sequential):
        lengths = [length]
        for layer in tree.layers:
            if not long_enough(layer, lengths[-1]):
                return False
            lengths.append(layer.timing.output_length(lengths[-1]))
        return True
    if hasattr(tree, "branches"):
        return all(long_enough(branch, length) for branch in tree.branches.values())
    return length > 0 and tree.timing.output_length(length) > 0


def dependence(tree, length):
    """For each output frame the set of input frames that change it."""
    plain = run(tree, length)
    seen = [set() for _ in plain]
    for t in range(length):
        for j, (before, after) in enumerate(zip(plain, run(tree, length, t), strict=True)):
            if before != after:
                seen[j].add(t)
    return seen


@st.composite
def operators(draw):
    """A convolution or a pool of the reference, or a residual block of a convolution that keeps the length."""
    kind = draw(st.sampled_from(["conv", "average", "maximum", "residual"]))
    event(kind)
    kernel, dilation = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    if kind == "residual":
        beside = draw(st.sampled_from([None, Conv(1, 1, (1,), bias=False)]))
        return Residual(Conv(1, 1, (2 * kernel - 1,), 1, (kernel - 1) * dilation, dilation, bias=False), beside)
    stride = draw(st.integers(1, 3))
    if kind == "conv":
        return Conv(1, 1, (kernel,), stride, draw(st.integers(0, 3)), dilation, bias=False)
    padding = draw(st.integers(0, kernel // 2))
    if kind == "average":
        return AvgPool((kernel,), stride, padding, count_include_pad=draw(st.booleans()))
    return MaxPool((kernel,), stride, padding, dilation)


@given(st.one_of(trees(), st.lists(operators(), min_size=1, max_size=3).map(Sequential)), st.integers(0, 2))
def test_receptive_field_stride_and_padding_are_what_brute_force_sees(tree, extra):
    timing = tree.timing
    R, S, P = timing.receptive_field, timing.stride, timing.pad_start
    first = -(-P // S)  # the first output whose whole receptive field lies in the clip
    length = first * S - P + R + S + extra
    assume(long_enough(tree, length) and length <= 80)
    inside = 0
    for j, frames in enumerate(dependence(tree, length)):
        start, end = j * S - P, j * S - P + R - 1
        assert frames <= set(range(start, end + 1))
        if start >= 0 and end < length:
            inside += 1
            assert (min(frames), max(frames)) == (start, end)
            assert max(frames) == j * S + timing.delay
    assert inside >= 2
    event(f"stride {S}")


@given(st.one_of(trees(), st.lists(operators(), min_size=1, max_size=3).map(Sequential)))
def test_output_length_is_that_of_the_clip(tree):
    """For every length from 1 to beyond the receptive field: pad_end is right for all phases of the stride."""
    seen = 0
    for length in range(1, 2 * tree.timing.stride + min(tree.timing.receptive_field, 30) + 1):
        if long_enough(tree, length):
            seen += 1
            assert tree.timing.output_length(length) == len(run(tree, length)) == tree.output_shape((1, 1, length))[2]
    event(f"lengths seen: {min(seen, 10)}")


@given(trees(unbounded=True), st.integers(0, 3))
def test_unbounded_memory_has_the_delay_that_brute_force_sees(tree, extra):
    timing = tree.timing
    assert math.isinf(timing.receptive_field)
    first = max(0, -(-max(timing.pad_start, -timing.delay) // timing.stride))
    length = first * timing.stride + timing.delay + 1 + extra
    assume(0 < length <= 60 and long_enough(tree, length))
    newest = 0
    outputs = dependence(tree, length)
    assert timing.output_length(length) == len(outputs)
    for j, frames in enumerate(outputs):
        last = j * timing.stride + timing.delay
        assert all(frame <= last for frame in frames)
        if j >= first and last < length:
            newest += 1
            assert max(frames) == last
    assert newest
    event(f"delay {min(timing.delay, 8)}")


@given(st.lists(windows(), min_size=2, max_size=4))
def test_composition_is_associative(layers):
    timings = [layer.timing for layer in layers]
    left = functools.reduce(Timing.then, timings)
    right = functools.reduce(lambda after, before: before.then(after), reversed(timings))
    assert left == right == Timing().then(left) == left.then(Timing())


@given(windows(stride=2), windows(stride=2), windows(stride=2))
def test_side_by_side_is_commutative_and_associative(a, b, c):
    a, b, c = a.timing, b.timing, c.timing
    assert a.beside(b) == b.beside(a)
    assert a.beside(b).beside(c) == a.beside(b.beside(c))
    assert a.beside(a) == a


def test_a_recurrence_followed_by_a_centred_kernel_waits_for_one_frame():
    assert Timing(math.inf).then(Timing(3, 1, 1, 1)).delay == 1
    assert Timing(5).then(Timing(math.inf)).delay == 4
    assert Timing(math.inf).then(Timing(3, 2, 1, 1)).output_length(5) == 3
    assert Timing(math.inf).beside(Timing(3, 1, 1, 1)).delay == 1
    assert Timing(math.inf).delay == 0
    assert repr(Timing(math.inf)) == "Timing(receptive_field=inf, stride=1, pad_start=0, pad_end=0)"


def test_errors():
    with pytest.raises(ValueError, match="receptive_field is in frames and at least 1, got 0"):
        Timing(0)
    with pytest.raises(ValueError, match="stride is in frames and at least 1, got 0"):
        Timing(1, 0)
    with pytest.raises(ValueError, match="unbounded_delay 2 is for an infinite receptive field, got 3: the delay"):
        Timing(3, unbounded_delay=2)
    with pytest.raises(ValueError, match="parallel branches must have the same stride in time, got 1 and 2"):
        Timing(3).beside(Timing(3, 2))


def test_side_by_side_with_strides_the_shorter_branch_decides():
    """The first frame of every triple, and what three frames give: clips of whole triples alone have both."""
    first, whole = Timing(1, 3), Timing(3, 3)
    both = first.beside(whole)
    assert (both.delay, both.pad_end) == (2, 0)
    for length in range(3, 30, 3):
        assert both.output_length(length) == first.output_length(length) == whole.output_length(length) == length // 3
