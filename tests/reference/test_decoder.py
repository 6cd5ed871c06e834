"""The decoder against its loops, and against torch.nn.TransformerDecoder with the same parameters."""

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import event, given, settings
from hypothesis import strategies as st

from coequal.reference.decoder import QueryDecoder, query_decoder_loops
from coequal.reference.layer import Layer


@dataclass(frozen=True)
class TrackedGelu:
    """GELU on the numbers of `error_bound`: NumPy has no erf, so their method is called by hand."""

    def parameters(self):
        return {}

    def __call__(self, parameters, x):
        return np.vectorize(lambda t: t * (1 + (t / math.sqrt(2)).erf()) / 2, otypes=[object])(x)


@st.composite
def decoders(draw):
    """A layer with parameters, and a clip; its eps is large, so that no norm divides by next to nothing."""
    heads = draw(st.integers(1, 2))
    size = heads * draw(st.integers(1, 2))
    wide, queries, classes = (draw(st.integers(1, 3)) for _ in range(3))
    activation = draw(st.sampled_from(["relu", "gelu"]))
    layer = QueryDecoder(size, heads, wide, draw(st.integers(1, 2)), queries, classes, activation, 0.5)
    event(f"{activation}, {queries} queries")
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    parameters = {name: rng.standard_normal(shape) for name, shape in layer.parameters().items()}
    return layer, parameters, rng.standard_normal((draw(st.integers(1, 2)), draw(st.integers(1, 4)), size))


def bound(error_bound, layer, parameters, clip):
    tracked = dataclasses.replace(layer, activation=TrackedGelu()) if layer.activation == "gelu" else layer
    return error_bound(tracked, parameters, clip)


def longest_sum(layer, clip):
    return 4 + max(2 * layer.d_model, layer.dim_feedforward, clip.shape[1] + layer.queries)


@given(decoders())
@settings(max_examples=50)
def test_vectorised_is_loops(within, error_bound, case):
    layer, parameters, clip = case
    loops = query_decoder_loops(layer, parameters, clip)
    within(layer(parameters, clip), loops, bound(error_bound, *case), longest_sum(layer, clip))
    assert layer.output_shape(clip.shape) == loops.shape


def by_torch(layer, parameters, clip):
    """torch's decoder between two concatenations; it must have exactly these parameters."""
    inner = torch.nn.TransformerDecoderLayer(
        layer.d_model, layer.nhead, layer.dim_feedforward, 0.0, layer.activation, layer.layer_norm_eps, batch_first=True
    )
    module = torch.nn.TransformerDecoder(inner, layer.num_layers, torch.nn.LayerNorm(layer.d_model, layer.layer_norm_eps))
    p = {name: torch.from_numpy(value) for name, value in parameters.items()}
    query = p.pop("query").expand(len(clip), -1, -1)
    head, foresee = ([p.pop(f"{name}.{leaf}") for leaf in ("weight", "bias")] for name in ("head", "foresee"))
    module.double().load_state_dict(p, strict=True)
    memory = torch.from_numpy(clip)
    mask = torch.triu(torch.full((layer.queries, layer.queries), True), diagonal=1)
    z = module(query, memory, tgt_mask=mask)
    last = torch.cat([memory[:, -1], z.mean(1)], 1)
    answers = [torch.nn.functional.linear(last, *head)[:, None], torch.nn.functional.linear(z, *foresee)]
    return torch.cat(answers, 1).detach().numpy()


@given(decoders())
@settings(max_examples=50)
def test_is_torch(within, error_bound, case):
    layer, parameters, clip = case
    within(layer(parameters, clip), by_torch(*case), bound(error_bound, *case), longest_sum(layer, clip))


def test_is_a_layer_that_cannot_be_streamed():
    layer = QueryDecoder(2, 1, 3, 1, 2, 4)
    assert isinstance(layer, Layer)
    assert layer.timing is None


def test_queries_do_not_look_ahead():
    """The last query changes; what the others foresee does not."""
    layer, rng = QueryDecoder(4, 2, 3, 2, 3, 2), np.random.default_rng(5)
    parameters = {name: rng.standard_normal(shape) for name, shape in layer.parameters().items()}
    clip = rng.standard_normal((1, 3, 4))
    changed = {**parameters, "query": parameters["query"] + np.array([[0], [0], [1]])}
    before, after = layer(parameters, clip), layer(changed, clip)
    np.testing.assert_array_equal(before[:, 1:-1], after[:, 1:-1])
    assert (before[:, [0, -1]] != after[:, [0, -1]]).any(axis=(0, 2)).all()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: QueryDecoder(2, 1, 3, 0, 2, 4), "num_layers, queries and classes are at least 1, got 0, 2 and 4"),
        (lambda: QueryDecoder(3, 2, 3, 1, 2, 4), "embed_dim must be a multiple of num_heads, got 3 and 2"),
        (lambda: QueryDecoder(2, 1, 3, 1, 2, 4).output_shape((1, 2, 3)), "E = d_model = 2 and a token, got (1, 2, 3)"),
        (lambda: QueryDecoder(2, 1, 3, 1, 2, 4).output_shape((1, 0, 2)), "E = d_model = 2 and a token, got (1, 0, 2)"),
    ],
)
def test_what_does_not_fit_is_named(build, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011  the whole message is compared
        build()
    assert message in str(caught.value)
