"""Streaming encoders against the reference and torch.nn.TransformerEncoder with the same parameters."""

import copy
import pickle
import re

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from coequal.continual.module import Continual
from coequal.continual.sliding_softmax import CHUNK
from coequal.continual.transformer import TransformerEncoder, TransformerEncoderLayer
from coequal.equivalence.campaigns.agree import agree
from coequal.equivalence.campaigns.contents import Architecture
from coequal.reference import transformer as reference
from coequal.reference.activation import Activation

ACTIVATIONS = {  # torch's, and the reference's
    "relu": (torch.nn.functional.relu, "relu"),
    "tanh": (torch.nn.Tanh(), Activation("Tanh")),
    "leaky": (torch.nn.LeakyReLU(), Activation("LeakyReLU")),
}
MODES = [("full", 5), ("single", 4), ("causal", None), ("sliding", 4), ("full", 9)]
E, A, F = 4, 2, 3


def drawn(mode, window, *, depth=1, norm=False, activation="relu", norm_first=False, bias=True, seed=0):
    """torch's encoder, ours with the same parameters, and the reference's. The eps is large: it keeps the bounds small."""
    torch.manual_seed(seed)
    function, named = ACTIVATIONS[activation]
    layer = torch.nn.TransformerEncoderLayer(E, A, F, 0.1, function, 0.5, True, norm_first, bias, dtype=torch.float64)
    last = torch.nn.LayerNorm(E, 0.5, bias=bias, dtype=torch.float64) if norm else None
    original = torch.nn.TransformerEncoder(layer, depth, last, enable_nested_tensor=False).eval()
    for parameter in original.parameters():
        torch.nn.init.normal_(parameter)
    described = reference.TransformerEncoderLayer(E, A, F, named, 0.5, norm_first, bias, mode, window)
    mode = {"full": "retroactive"}.get(mode, mode)
    return (
        original,
        TransformerEncoder.of(original, mode=mode, window=window),
        reference.TransformerEncoder(described, depth, norm),
    )


def arrays(module):
    return {name: value.detach().numpy() for name, value in module.state_dict().items()}


def clip_of(length, batch=1):
    return np.random.default_rng(length).standard_normal((batch, length, E))


def stream(module, clip):
    state, outputs = module.start(clip[:, 0]), []
    for frame in clip.unbind(1):
        output, state = module.step(frame, state)
        outputs.append(output)
    assert module.flush(state) == []
    return outputs


def roundings(length):
    """The longest sum, torch's fused kernels, and six for each merge of aggregates."""
    return 5 + length + 6 * (3 + length // CHUNK)


def check(within, error_bound, module, layer, clip):
    """Every emission is the reference's."""
    length, parameters = clip.shape[1], arrays(module)
    outputs = stream(module, torch.from_numpy(clip))
    first = 0 if module.emits == "frames" else module.window - 1
    assert [output is None for output in outputs] == [t < first for t in range(length)]
    got = torch.stack(outputs[first:], 1).detach().numpy()
    if module.emits != "window":
        within(got, layer(parameters, clip), error_bound(layer, parameters, clip), roundings(length))
        return
    for t in (first, first + 1, (first + length) // 2, length - 1):
        seen = clip[:, t - first : t + 1]
        bound = error_bound(layer, parameters, seen)
        within(got[:, t - first], layer(parameters, seen), bound, roundings(length))


@pytest.mark.parametrize(("mode", "window"), MODES)
@pytest.mark.parametrize(("activation", "norm_first", "bias"), [("relu", False, True), ("tanh", True, False)])
def test_layer_is_reference(within, error_bound, mode, window, activation, norm_first, bias):
    _, module, layer = drawn(mode, window, activation=activation, norm_first=norm_first, bias=bias)
    module.layers[0].load_state_dict(module.layers[0].state_dict())
    check(within, error_bound, module.layers[0], layer.layer, clip_of(2 * (window or 5) + 3))


@pytest.mark.parametrize(("mode", "window"), MODES[:4])
@pytest.mark.parametrize(("depth", "norm", "norm_first"), [(1, True, False), (2, False, False), (3, True, True)])
def test_encoder_is_reference(within, error_bound, mode, window, depth, norm, norm_first):
    _, module, layer = drawn(mode, window, depth=depth, norm=norm, norm_first=norm_first, activation="leaky")
    check(within, error_bound, module, layer, clip_of((window or 3) + 4))


@pytest.mark.parametrize(("mode", "window"), MODES[:4])
@pytest.mark.parametrize("depth", [1, 2])
def test_forward_is_reference(within, error_bound, mode, window, depth):
    _, module, layer = drawn(mode, window, depth=depth)
    clip, parameters = clip_of(7, batch=2), arrays(module)
    got, bound = module(torch.from_numpy(clip)).detach().numpy(), error_bound(layer, parameters, clip)
    within(got, layer(parameters, clip), bound, roundings(7))


@pytest.mark.parametrize("depth", [1, 2])
def test_whole_windows_are_torch_in_its_fast_path(within, error_bound, depth):
    original, module, layer = drawn("full", 6, depth=depth)
    clip = torch.from_numpy(clip_of(15))
    with torch.no_grad():
        outputs = stream(module, clip)
        for t in range(5, 15):
            seen = clip[:, t - 5 : t + 1]
            bound = error_bound(layer, arrays(module), seen.numpy())
            within(outputs[t].numpy(), original(seen).numpy(), bound, roundings(15))


def test_single_output_of_a_short_clip_is_empty():
    _, module, _ = drawn("single", 4, depth=2)
    clip = torch.from_numpy(clip_of(3, batch=2))
    assert module(clip).shape == (2, 0, E)
    assert stream(module, clip) == [None] * 3


@pytest.mark.parametrize(("mode", "window"), MODES)
@pytest.mark.parametrize("depth", [1, 3])
def test_timing_names_and_protocol(mode, window, depth):
    original, module, layer = drawn(mode, window, depth=depth, norm=True)
    assert isinstance(module, Continual)
    assert module.timing == layer.timing
    assert module.time == 1
    assert module.window == window
    assert {name: tuple(value.shape) for name, value in module.state_dict().items()} == layer.parameters()
    ours, theirs = dict(module.named_parameters()), dict(original.named_parameters())
    assert list(ours) == list(theirs)
    assert all(ours[name] is theirs[name] for name in theirs)
    assert type(original.layers[0]) is torch.nn.TransformerEncoderLayer
    module.train()
    assert not any(child.training for child in original.modules())


@pytest.mark.parametrize(("mode", "window"), MODES[:4])
def test_constructors_are_the_parents(within, mode, window):
    """The same arguments make the same tree of parameters; every layer gets its own."""
    ours = TransformerEncoderLayer(E, A, F, 0.0, mode=mode, window=window, norm_first=True)
    encoder = TransformerEncoder(ours, 2, torch.nn.LayerNorm(E))
    parent = torch.nn.TransformerEncoder(
        torch.nn.TransformerEncoderLayer(E, A, F, 0.0, norm_first=True, batch_first=True), 2, torch.nn.LayerNorm(E), False
    )
    parent.load_state_dict(encoder.state_dict())
    again = TransformerEncoder.of(parent, mode=mode, window=window)
    clip = torch.randn(2, 9, E)
    for one, other in zip(stream(encoder, clip), stream(again, clip), strict=True):
        assert (one is None and other is None) or torch.equal(one, other)
    assert encoder.timing == again.timing
    assert encoder.emits == again.emits
    assert len({id(parameter) for parameter in encoder.parameters()}) == len(list(parent.parameters()))


@pytest.mark.parametrize(("mode", "window"), MODES[:4])
@pytest.mark.parametrize("depth", [1, 2])
def test_forks_pickles_and_batches(mode, window, depth):
    _, module, _ = drawn(mode, window, depth=depth)
    clip = torch.from_numpy(clip_of(16, batch=2))
    spoilt = clip.clone()
    spoilt[1, 6] = torch.nan
    with torch.no_grad():
        expected = stream(module, clip)
        for one, other in zip(expected, stream(module, spoilt), strict=True):
            assert (one is None and other is None) or torch.equal(one[0], other[0])
        state = module.start(clip[:, 0])
        for t in range(9):
            _, state = module.step(clip[:, t], state)
        fork, twin = copy.deepcopy(state), pickle.loads(pickle.dumps(module))
        for t in range(9, 16):
            module.step(clip[:, 2], state)
            y, fork = twin.step(clip[:, t], fork)
            assert torch.equal(y, expected[t])


@pytest.mark.parametrize(("mode", "window"), MODES[:4])
@pytest.mark.parametrize("depth", [1, 2])
def test_gradients_reach_every_frame_and_parameter(within, error_bound, mode, window, depth):
    """Of a random weighting of the last emission. The derivative through attention alone has a bound of its own, by the
    chain rule (test_attention); here the forward pass says how much rounding is amplified, normwise.
    """
    _, module, layer = drawn(mode, window, depth=depth, activation="tanh")
    length = (window or 3) + 3
    clip = torch.from_numpy(clip_of(length)).requires_grad_()
    last = stream(module, clip)[-1]
    seen = clip if module.emits == "frames" else clip[:, length - window :]
    expected = module(seen)
    expected = expected if module.emits == "window" else expected[:, -1]
    weight = torch.from_numpy(np.random.default_rng(4).standard_normal(last.shape))
    wanted = [clip, *module.parameters()]
    one = torch.autograd.grad((last * weight).sum(), wanted)
    two = torch.autograd.grad((expected * weight).sum(), wanted)
    for a, b in zip(one, two, strict=True):
        assert a.any()
        largest = max(float(g.abs().max()) for g in two)
        within(a.numpy(), b.numpy(), largest, amplified(module, layer, seen, error_bound))


def amplified(module, layer, seen, error_bound):
    """Roundings of the backward pass: those of the forward pass, as often as that amplifies its own."""
    bound = error_bound(layer, arrays(module), seen.detach().numpy())
    return int(np.ceil(bound.max())) * roundings(seen.shape[1])


def macs(module, window, features):
    """Multiply-adds of matrix products of one turn of the ring."""
    clip = torch.randn(1, 3 * window, features)
    with torch.no_grad():
        state = module.start(clip[:, 0])
        for t in range(2 * window):
            _, state = module.step(clip[:, t], state)
        # the fused attention of layers in the middle counts as nothing: torch decomposes it
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            for t in range(2 * window, 3 * window):
                _, state = module.step(clip[:, t], state)
    return counter.get_total_flops() // 2


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_multiply_adds_are_those_of_the_table(depth):
    E, A, F, N = 16, 2, 24, 16
    layer = TransformerEncoderLayer(E, A, F, 0.0, mode="single", window=N)
    module = TransformerEncoder(layer, depth).eval()
    denominators = (3 + CHUNK) * N * A - CHUNK * A - CHUNK * E  # see test_attention
    first = 3 * E * E + N * E * E + 2 * N * E * F + (7 + CHUNK) * N * E + denominators
    middle = 4 * N * E * E + 2 * N * E * F + 2 * N * N * E
    last = 4 * E * E + 2 * E * F + (2 * A * N * E if depth > 1 else 2 * N * E)
    assert macs(module, N, E) == N * (last + (first if depth > 1 else 0) + (middle if depth > 2 else 0))


def test_dropout_in_train_mode_and_modes_that_do_not_exist():
    layer = TransformerEncoderLayer(E, A, F, 0.5, window=3)
    layer.self_attn.dropout = 0.0
    with pytest.raises(RuntimeError, match="TransformerEncoderLayer: dropout draws other features in every step; call eval"):
        layer(torch.zeros(1, 3, E))
    with pytest.raises(ValueError, match=re.escape("'sliding', got 'whole'")):
        TransformerEncoderLayer(E, A, F, mode="whole", window=3)
    with pytest.raises(ValueError, match="its window is not given; give a window"):
        TransformerEncoderLayer(E, A, F, mode="single")


def test_a_gelu_by_tanh_is_one_in_clip_mode_too():
    """torch's fused layer, in eval mode without gradients, takes the exact GELU for it."""
    gelu = Activation("GELU", (("approximate", "tanh"),))
    full = reference.TransformerEncoderLayer(4, 2, 6, gelu, norm_first=True)
    single = reference.TransformerEncoderLayer(4, 2, 6, gelu, mode="single", window=3)
    agree(Architecture(full, (2, 5, 4), 3), seed=3)
    agree(Architecture(single, (2, 5, 4)), seed=3)
