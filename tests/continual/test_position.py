"""Positional encodings as streams against the reference on clips."""

import copy
import pickle
import re

import numpy as np
import pytest
import torch

from coequal.continual import position
from coequal.continual.module import Continual, Stream
from coequal.reference import position as reference

CASES = [
    (position.SinusoidalEncoding(5, 40), reference.SinusoidalEncoding(5, 40)),
    (position.LearnedEncoding(4, 40), reference.LearnedEncoding(4, 40)),
    (position.RecyclingEncoding(4, 7), reference.RecyclingEncoding(4, 7)),
    (position.RecyclingEncoding(4, 7, offset=5), reference.RecyclingEncoding(4, 7, offset=5)),
    (position.RecyclingEncoding(6, 9, learned=False), reference.RecyclingEncoding(6, 9, learned=False)),
    (position.RotaryEncoding(4), reference.RotaryEncoding(4)),
    (position.RotaryEncoding(4, 100.0, interleaved=False), reference.RotaryEncoding(4, 100.0, interleaved=False)),
]


def arrays(module):
    return {name: value.detach().numpy() for name, value in module.state_dict().items()}


def clip_for(module, length=40):
    features = module.features * (2 if isinstance(module, position.RotaryEncoding) else 1)
    return np.random.default_rng(features).standard_normal((2, length, features))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("module", "layer"), CASES)
def test_stream_and_clip_are_the_reference(within, module, layer, dtype):
    """A row is added with one rounding; a rotation takes two products and a sum of entries that were rounded before."""
    module = copy.deepcopy(module).to(dtype)
    clip = torch.from_numpy(clip_for(module)).to(dtype)
    expected = layer(arrays(module), clip.numpy())
    stream = Stream(module)
    got = torch.stack([stream.push(frame) for frame in clip.unbind(1)], 1)
    assert got.dtype == dtype
    assert torch.equal(module(clip), got)
    assert stream.flush() == []
    magnitude = np.abs(clip.numpy()).max() + max([1.0, *(np.abs(value).max() for value in arrays(module).values())])
    angles = 40 if isinstance(module, position.RotaryEncoding) else 0  # rounding of an angle of up to 40 radians
    within(got.detach().numpy(), expected, 2 * magnitude, 4 + angles)


@pytest.mark.parametrize(("module", "layer"), CASES)
def test_protocol_names_and_timing(module, layer):
    assert isinstance(module, Continual)
    assert {name: tuple(value.shape) for name, value in module.state_dict().items()} == layer.parameters()
    assert module.timing == layer.timing
    assert module.time == 1
    twin, clip = pickle.loads(pickle.dumps(module)), torch.from_numpy(clip_for(module)).float()
    assert torch.equal(twin(clip), module(clip))


@pytest.mark.parametrize(("module", "layer"), CASES)
def test_gradients_pass_through(module, layer):
    clip = torch.from_numpy(clip_for(module)).requires_grad_()
    module = copy.deepcopy(module).double()
    weight = torch.from_numpy(np.random.default_rng(8).standard_normal(clip.shape))
    stream = Stream(module)
    wanted = [clip, *module.parameters()]
    streamed = torch.stack([stream.push(frame) for frame in clip.unbind(1)], 1)
    first = torch.autograd.grad((streamed * weight).sum(), clip)[0]
    assert torch.equal(first, torch.autograd.grad((module(clip) * weight).sum(), clip)[0])
    if len(wanted) > 1 and isinstance(module, position.LearnedEncoding):  # each row is met once: the very weighting
        rows = torch.autograd.grad((module(clip) * weight).sum(), module.weight)[0]
        assert torch.equal(rows, weight.sum(0))


@pytest.mark.parametrize("module", [position.SinusoidalEncoding(4, 3), position.LearnedEncoding(4, 3)])
def test_the_end_of_the_table(module):
    message = (
        f"{type(module).__name__}: token 3 (counted from 0) is beyond the table of 3 positions; start a new stream, or use"
        " RecyclingEncoding for endless ones"
    )
    stream = Stream(module)
    for _ in range(3):
        stream.push(torch.zeros(1, 4))
    with pytest.raises(ValueError, match=re.escape(message)):
        stream.push(torch.zeros(1, 4))
    with pytest.raises(ValueError, match=re.escape(message)):
        module(torch.zeros(1, 4, 4))
    assert stream.flush() == []
    assert torch.equal(stream.push(torch.zeros(1, 4)), module(torch.zeros(1, 1, 4))[:, 0])


def test_a_recycled_row_comes_back():
    module = position.RecyclingEncoding(4, 3)
    stream = Stream(module)
    rows = [stream.push(torch.zeros(1, 4))[0] for _ in range(7)]
    assert all(torch.equal(row, module.pe.weight[t % 3]) for t, row in enumerate(rows))


def test_late_positions_are_as_exact_as_early_ones(within):
    """In single precision, the angle of token 100000 alone would be wrong in the third digit."""
    module, frame = position.RotaryEncoding(2), torch.tensor([[0.3, -0.7]])
    got, _ = module.step(frame, 100_000)
    x, y = frame[0].double().tolist()
    cos, sin = np.cos(100_000.0), np.sin(100_000.0)
    within(got[0].numpy(), np.array([x * cos - y * sin, x * sin + y * cos]), 1.0, 4)


def test_errors_name_the_shape():
    for module, wanted in (
        (position.LearnedEncoding(4, 3), "E = embed_dim = 4"),
        (position.RotaryEncoding(4), "E a multiple of head_dim = 4"),
    ):
        name = type(module).__name__
        with pytest.raises(ValueError, match=re.escape(f"{name}: expected a frame (B, E) with {wanted}, got (1, 6)")):
            module.step(torch.zeros(1, 6), 0)
        with pytest.raises(ValueError, match=re.escape(f"{name}: expected a clip (B, T, E) with {wanted}, got (4,)")):
            module(torch.zeros(4))
    with pytest.raises(ValueError, match="head_dim must be even, to make pairs, got 3"):
        position.RotaryEncoding(3)
