"""Convolution a frame at a time: bitwise the clip's on small integers, and not one multiply-add too many."""

import copy
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from coequal.continual.conv import Conv1d, Conv2d, Conv3d, _Conv
from coequal.continual.conversion import convert
from coequal.continual.module import Continual, Stream
from coequal.reference.timing import Timing

CLASSES = {1: Conv1d, 2: Conv2d, 3: Conv3d}


@st.composite
def modules(draw):
    """A convolution of any rank, mode, stride, dilation and padding, with the extent of its frames."""
    rank = draw(st.integers(1, 3))
    axis = lambda low, high: tuple(draw(st.integers(low, high)) for _ in range(rank))  # noqa: E731
    mode = draw(st.sampled_from(["zeros", "zeros", "replicate", "reflect"]))
    padding = draw(st.sampled_from(["numbers", "numbers", "same", "valid"]))
    stride = (1,) * rank if padding == "same" else axis(1, 3)
    inputs, outputs, groups = draw(st.sampled_from([(1, 1, 1), (2, 4, 2), (4, 2, 2), (3, 3, 3), (8, 2, 1), (2, 4, 1)]))
    pads = axis(0, 3 if mode != "reflect" else 2) if padding == "numbers" else padding
    return CLASSES[rank](
        inputs, outputs, axis(1, 3), stride, pads, axis(1, 2), groups, draw(st.booleans()), mode
    )  # fmt: skip


@given(module=modules(), length=st.integers(0, 9), seed=st.integers(0, 2**31), recording=st.booleans())
@settings(max_examples=300)
def test_bitwise_the_clip(module, length, seed, recording, emitted, small_integers):
    module = small_integers(module, seed)
    space = [5] * (len(module.kernel_size) - 1)
    clip = torch.randint(-4, 5, (2, module.in_channels, length, *space), generator=torch.Generator().manual_seed(seed))
    clip = clip.double()
    with torch.set_grad_enabled(recording):
        try:
            wanted = list(module(clip).unbind(2)) if length else []
        except RuntimeError:
            wanted = []  # torch refuses a clip this short
        frames = emitted(module, clip)
    assert len(frames) == len(wanted)
    assert all(torch.equal(got, want) for got, want in zip(frames, wanted, strict=True))
    if wanted:
        assert module.timing.output_length(length) == len(wanted)


@pytest.mark.parametrize(("inputs", "outputs", "form"), [(2, 2, "inputs"), (8, 1, "outputs"), (1, 8, "inputs")])
def test_the_form_is_what_moves_less(inputs, outputs, form):
    assert Conv1d(inputs, outputs, 3).form == form


@pytest.mark.parametrize("options", [{"stride": 2}, {"dilation": 2}, {"groups": 2}, {"padding_mode": "replicate"}])
def test_sums_of_outputs_only_where_they_are_simple(options):
    assert Conv1d(8, 2, 3, padding=1, **options).form == "inputs"


@pytest.mark.parametrize(
    "module",
    [
        Conv3d(4, 6, 3, padding=(0, 1, 1)),
        Conv3d(16, 2, (3, 1, 1)),
        Conv3d(6, 6, (3, 3, 3), padding=(0, 1, 1), groups=6),
        Conv3d(6, 6, (5, 1, 1), groups=6),
        Conv2d(4, 4, (3, 3), groups=2),
        Conv1d(4, 3, 3),
        Conv1d(4, 4, 3, groups=2),
        Conv3d(4, 6, (1, 1, 1), stride=(2, 1, 1)),
        Conv3d(4, 6, (3, 3, 3), stride=(2, 2, 2), padding=(1, 1, 1)),
        Conv3d(64, 64, (1, 3, 3), padding=(0, 1, 1)),
        Conv3d(64, 64, (3, 3, 3), padding=(0, 1, 1)),
    ],
    ids=str,
)
def test_a_step_executes_exactly_its_formula(module, multiply_adds):
    frames = torch.randn(12, 1, module.in_channels, *[8] * (len(module.kernel_size) - 1))
    counts, outputs = [], []
    stream = Stream(module)
    with torch.no_grad(), multiply_adds:
        for frame in frames:
            before = multiply_adds.count
            output = stream.push(frame)
            counts.append(multiply_adds.count - before)
            outputs.append(0 if output is None else output.numel())
    kernel, positions = module.kernel_size, max(outputs)
    formula = positions * module.in_channels // module.groups
    for size in kernel:
        formula *= size
    period = module.stride[0]
    assert sum(counts[-2 * period :]) == 2 * formula
    if module.form == "inputs":
        assert all(bool(count) == bool(size) for count, size in zip(counts, outputs, strict=True))


def test_start_padding_is_not_multiplied(multiply_adds):
    # a ring skips the taps that lie in the padding; sums skip the outputs before the first
    for module in (Conv1d(4, 3, 3, padding=2), Conv1d(8, 1, 3)):
        stream, counts = Stream(module), []
        with torch.no_grad(), multiply_adds:
            for frame in torch.randn(4, 1, module.in_channels):
                before = multiply_adds.count
                stream.push(frame)
                counts.append(multiply_adds.count - before)
        assert [count // (module.in_channels * module.out_channels) for count in counts] == [1, 2, 3, 3]


def test_a_window_wholly_in_the_padding_is_the_bias(emitted, same_frames, small_integers):
    for module in (
        Conv2d(2, 3, (2, 2), padding=(3, 0)),
        Conv2d(12, 1, (2, 2), padding=(1, 1)),
        Conv1d(2, 3, 1, padding=2, bias=False),
    ):
        small_integers(module, 3)
        clip = torch.randint(-3, 4, (1, module.in_channels, 3, *[4] * (len(module.kernel_size) - 1))).double()
        with torch.no_grad():
            same_frames(emitted(module, clip), module(clip))


def test_gradients_through_steps_are_those_through_the_clip(emitted, small_integers):
    for module in (
        Conv2d(2, 3, (3, 2), padding=(1, 0)),
        Conv1d(3, 3, 3, groups=3),
        Conv1d(8, 1, 3, padding=1),
        Conv1d(2, 2, 2, stride=2),
    ):
        small_integers(module, 5)
        clip = (
            torch.randint(-3, 4, (2, module.in_channels, 6, *[3] * (len(module.kernel_size) - 1))).double().requires_grad_()
        )
        weight = torch.randint(-3, 4, module(clip).shape).double()
        wanted = torch.autograd.grad((module(clip) * weight).sum(), [clip, *module.parameters()])
        output = torch.stack(emitted(module, clip), 2)
        got = torch.autograd.grad((output * weight).sum(), [clip, *module.parameters()])
        assert all(torch.equal(a, b) for a, b in zip(got, wanted, strict=True))


def test_gradients_may_be_switched_on_in_the_middle(small_integers):
    module = small_integers(Conv2d(3, 3, (3, 1), groups=3), 1)
    clip = torch.randint(-3, 4, (1, 3, 12, 4)).double()
    stream, frames = Stream(module), []
    for t, frame in enumerate(clip.unbind(2)):
        with torch.set_grad_enabled(t in (6, 7, 8)):
            frames.append(stream.push(frame))
    assert all(
        torch.equal(got.detach(), want) for got, want in zip(frames[2:], module(clip).detach().unbind(2), strict=True)
    )


@pytest.mark.parametrize("module", [Conv1d(2, 2, 3, padding=1), Conv1d(8, 1, 3), Conv3d(2, 2, (3, 1, 1), groups=2)], ids=str)
def test_a_state_can_be_forked_and_saved(module, small_integers):
    module = small_integers(module, 2)
    space = [3] * (len(module.kernel_size) - 1)
    clip, other = (torch.randint(-3, 4, (2, module.in_channels, 8, *space)).double() for _ in range(2))
    with torch.no_grad():
        stream = Stream(module)
        for frame in clip.unbind(2)[:5]:
            stream.push(frame)
        twin, saved = stream.fork(), pickle.dumps(stream.state)
        for frame in other.unbind(2)[5:]:
            stream.push(frame)
        third = Stream(copy.deepcopy(module))
        third.state, third._started = pickle.loads(saved), True
        mixed = list(module(clip).unbind(2))
        for one in (twin, third):
            frames = [one.push(frame) for frame in clip.unbind(2)[5:]] + one.flush()
            assert all(torch.equal(a, b) for a, b in zip(frames, mixed[-len(frames) :], strict=True))


def test_new_weights_take_effect_at_once(small_integers):
    module = small_integers(Conv1d(3, 3, 3, groups=3), 1)
    stream, clip = Stream(module), torch.randint(-3, 4, (1, 3, 9)).double()
    with torch.no_grad():
        for frame in clip.unbind(2)[:-1]:
            stream.push(frame)
        small_integers(module, 9)
        assert torch.equal(stream.push(clip[:, :, -1]), module(clip)[:, :, -1])


def test_the_protocol():
    module = Conv3d(2, 4, (3, 3, 3), stride=(2, 1, 1), padding=(1, 1, 1))
    assert isinstance(module, torch.nn.Conv3d)
    assert isinstance(module, Continual)
    assert (module.time, module.timing) == (2, Timing(3, 2, 1, 1))
    assert module.state_dict().keys() == torch.nn.Conv3d(2, 4, 3).state_dict().keys()
    converted = convert(torch.nn.Conv3d(2, 4, 3))
    assert type(converted) is Conv3d
    assert issubclass(Conv1d, _Conv)


def test_single_precision_takes_the_fast_kernel_and_agrees(within):
    module = Conv3d(64, 64, (3, 3, 3), padding=(0, 1, 1), bias=False)
    clip = torch.randn(1, 64, 3, 12, 12)
    with torch.no_grad():
        stream = Stream(module)
        frames = [stream.push(frame) for frame in clip.unbind(2)]
        exact = copy.deepcopy(module).double()(clip.double())[:, :, 0]
        size = torch.nn.functional.conv3d(clip.abs().double(), module.weight.abs().double(), padding=(0, 1, 1))[:, :, 0]
    within(frames[-1].numpy(), exact.numpy(), size.numpy(), 64 * 27)
