"""Transformer encoders against torch.nn with the same parameters, every mode against its definition."""

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import event, given, settings
from hypothesis import strategies as st

from coequal.reference.activation import Activation
from coequal.reference.layer import Layer
from coequal.reference.timing import Timing
from coequal.reference.transformer import TransformerEncoder, TransformerEncoderLayer

SEEDS = st.integers(0, 2**32 - 1)
MODULES = {  # what the reference calls an activation, and what torch does
    "relu": "relu",
    "gelu": "gelu",
    Activation("Tanh"): torch.nn.Tanh(),
    Activation("LeakyReLU"): torch.nn.LeakyReLU(),
}


@dataclass(frozen=True)
class TrackedGelu:
    """GELU on the numbers of `error_bound`: NumPy has no erf, so their method is called by hand."""

    def parameters(self):
        return {}

    def __call__(self, parameters, x):
        return np.vectorize(lambda t: t * (1 + (t / math.sqrt(2)).erf()) / 2, otypes=[object])(x)


def tracking(layer):
    """The same layer or encoder, for `error_bound`."""
    if isinstance(layer, TransformerEncoder):
        return dataclasses.replace(layer, layer=tracking(layer.layer))
    return dataclasses.replace(layer, activation=TrackedGelu()) if layer.activation == "gelu" else layer


def drawn(layer, seed):
    rng = np.random.default_rng(seed)
    return {name: rng.standard_normal(shape) for name, shape in layer.parameters().items()}


@st.composite
def layers(draw, modes=("full", "causal", "sliding", "single"), eps=(1e-5, 0.5)):
    """A layer and the length of a clip of at least one window."""
    mode = draw(st.sampled_from(modes))
    window = draw(st.integers(1, 3)) if mode in ("sliding", "single") else None
    heads = draw(st.integers(1, 2))
    layer = TransformerEncoderLayer(
        heads * draw(st.integers(1, 2)),
        heads,
        draw(st.integers(1, 3)),
        draw(st.sampled_from(tuple(MODULES))),
        layer_norm_eps=draw(st.sampled_from(eps)),
        norm_first=draw(st.booleans()),
        bias=draw(st.booleans()),
        mode=mode,
        window=window,
    )
    event(f"{mode}, norm_first={layer.norm_first}, {layer.activation}")
    return layer, draw(st.integers(window or 1, 4))


def twin(layer):
    """torch.nn.TransformerEncoderLayer of the same description; dropout plays no part."""
    return torch.nn.TransformerEncoderLayer(
        layer.d_model,
        layer.nhead,
        layer.dim_feedforward,
        dropout=0.0,
        activation=MODULES[layer.activation],
        layer_norm_eps=layer.layer_norm_eps,
        batch_first=True,
        norm_first=layer.norm_first,
        bias=layer.bias,
        dtype=torch.float64,
    )


def loaded(module, layer, parameters):
    """The module with these parameters; it must have exactly these."""
    assert {name: tuple(value.shape) for name, value in module.state_dict().items()} == layer.parameters()
    module.load_state_dict({name: torch.from_numpy(value) for name, value in parameters.items()})
    return module


def seen(mode, window, length):
    """torch's mask of a mode, True excluded."""
    i, j = np.indices((length, length))
    past = {"full": length, "causal": length, "sliding": window, "single": window or length}[mode]
    return torch.from_numpy((j <= i - past) | ((j > i) & (mode != "full")))


def longest_sum(layer, length):
    """The longest product, and the roundings that torch's fused kernels order differently."""
    return 4 + max(layer.d_model, layer.dim_feedforward, length)


@given(layers(), SEEDS)
def test_layer_is_torch(within, error_bound, case, seed):
    layer, length = case
    parameters, clip = drawn(layer, seed), np.random.default_rng(seed + 1).standard_normal((2, length, layer.d_model))
    module = loaded(twin(layer), layer, parameters)
    expected = module(torch.from_numpy(clip), src_mask=seen(layer.mode, layer.window, length)).detach().numpy()
    if layer.mode == "single":
        expected = expected[:, layer.window - 1 :]
    got = layer(parameters, clip)
    within(got, expected, error_bound(tracking(layer), parameters, clip), longest_sum(layer, length))
    assert layer.output_shape(clip.shape) == got.shape
    assert layer.timing == layer.self_attn.timing


@st.composite
def encoders(draw, modes):
    """An encoder with parameters, its torch twin with the same, and a clip.

    Its eps is large: a chain of norms that divide by next to nothing would make the bound larger than the output.
    """
    layer, length = draw(layers(modes, eps=(0.5, 2.0)))
    encoder = TransformerEncoder(layer, draw(st.integers(1, 3)), draw(st.booleans()))
    norm = torch.nn.LayerNorm(layer.d_model, layer.layer_norm_eps, bias=layer.bias, dtype=torch.float64)
    module = torch.nn.TransformerEncoder(
        twin(layer), encoder.num_layers, norm if encoder.norm else None, enable_nested_tensor=False
    )
    seed = draw(SEEDS)
    parameters = drawn(encoder, seed)
    clip = np.random.default_rng(seed + 1).standard_normal((1, length, layer.d_model))
    return encoder, parameters, loaded(module, encoder, parameters), clip


@given(encoders(modes=("full", "causal", "sliding")))
@settings(max_examples=50)
def test_encoder_is_torch(within, error_bound, case):
    encoder, parameters, module, clip = case
    layer, length = encoder.layer, clip.shape[1]
    expected = module(torch.from_numpy(clip), mask=seen(layer.mode, layer.window, length)).detach().numpy()
    within(encoder(parameters, clip), expected, error_bound(tracking(encoder), parameters, clip), longest_sum(layer, length))
    assert encoder.output_shape(clip.shape) == expected.shape


@given(encoders(modes=("single",)))
@settings(max_examples=50)
def test_single_output_encoder_is_the_last_token_of_the_full_one_on_each_window(within, error_bound, case):
    encoder, parameters, full, clip = case
    x, window = torch.from_numpy(clip), encoder.layer.window
    ends = range(window, clip.shape[1] + 1)
    expected = torch.stack([full(x[:, end - window : end])[:, -1] for end in ends], dim=1).detach().numpy()
    bound = error_bound(tracking(encoder), parameters, clip)
    within(encoder(parameters, clip), expected, bound, longest_sum(encoder.layer, window))
    assert encoder.output_shape(clip.shape) == expected.shape
    event(f"{encoder.num_layers} layers, {len(ends)} windows")


@given(layers(), SEEDS)
@settings(max_examples=50)
def test_extended_precision(within, error_bound, case, seed):
    layer, length = case
    parameters, clip = drawn(layer, seed), np.random.default_rng(seed + 1).standard_normal((2, length, layer.d_model))
    exact = layer({name: value.astype(np.longdouble) for name, value in parameters.items()}, clip.astype(np.longdouble))
    assert exact.dtype == np.longdouble
    single = layer({name: value.astype(np.float32) for name, value in parameters.items()}, clip.astype(np.float32))
    assert single.dtype == np.float32
    within(layer(parameters, clip), exact, error_bound(tracking(layer), parameters, clip), longest_sum(layer, length))


def test_an_activation_with_a_parameter_is_part_of_the_layer():
    layer = TransformerEncoderLayer(4, 2, 3, activation=Activation("PReLU"))
    module = torch.nn.TransformerEncoderLayer(4, 2, 3, activation=torch.nn.PReLU(), batch_first=True)
    assert layer.parameters() == {name: tuple(value.shape) for name, value in module.state_dict().items()}


def test_timing():
    def timing(num_layers, **options):
        return TransformerEncoder(TransformerEncoderLayer(4, 2, 3, **options), num_layers).timing

    assert timing(2) is None
    assert timing(2, window=5) == timing(2, mode="single", window=5) == Timing(5)
    assert timing(3, mode="sliding", window=5) == Timing(13, 1, 12, 0)
    assert timing(3, mode="causal") == Timing(math.inf)
    encoder = TransformerEncoder(TransformerEncoderLayer(4, 2, 3), 1)
    assert isinstance(encoder, Layer)
    assert isinstance(encoder.layer, Layer)
    assert encoder.time == encoder.layer.time == 1


def test_a_clip_shorter_than_its_window_has_no_single_output():
    encoder = TransformerEncoder(TransformerEncoderLayer(4, 2, 3, mode="single", window=5), 2)
    assert encoder(drawn(encoder, 3), np.zeros((2, 4, 4))).shape == encoder.output_shape((2, 4, 4)) == (2, 0, 4)


def test_errors():
    with pytest.raises(ValueError, match="activation is 'relu', 'gelu' or an Activation layer, got 'swish'"):
        TransformerEncoderLayer(4, 2, activation="swish")
    with pytest.raises(ValueError, match="embed_dim must be a multiple of num_heads, got 4 and 3"):
        TransformerEncoderLayer(4, 3)
    with pytest.raises(ValueError, match="num_layers is at least 1, got 0"):
        TransformerEncoder(TransformerEncoderLayer(4, 2), 0)
    with pytest.raises(ValueError, match=r"expected a clip \(B, T, E\) with E = embed_dim = 4, got shape \(1, 5, 3\)"):
        TransformerEncoderLayer(4, 2)({}, np.zeros((1, 5, 3)))
