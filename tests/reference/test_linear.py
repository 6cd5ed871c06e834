"""Linear map and embedding: loops = vectorised = torch, on small integers, so `==`."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from coequal.reference.linear import Embedding, Linear, embedding_loops, linear_loops
from coequal.reference.timing import Timing


@given(st.integers(1, 4), st.integers(1, 4), st.booleans(), st.integers(0, 2**32 - 1))
def test_linear(inputs, outputs, bias, seed):
    rng = np.random.default_rng(seed)
    layer, module = Linear(inputs, outputs, bias), torch.nn.Linear(inputs, outputs, bias, dtype=torch.float64)
    parameters = {name: rng.integers(-9, 10, shape).astype(float) for name, shape in layer.parameters().items()}
    assert {k: tuple(v.shape) for k, v in module.state_dict().items()} == layer.parameters()
    module.load_state_dict({name: torch.from_numpy(value) for name, value in parameters.items()})
    clip = rng.integers(-9, 10, (2, 3, inputs)).astype(float)
    got = layer(parameters, clip)
    np.testing.assert_array_equal(got, module(torch.from_numpy(clip)).detach().numpy())
    np.testing.assert_array_equal(got, linear_loops(clip, parameters["weight"], parameters.get("bias")))
    assert got.shape == layer.output_shape(clip.shape)
    assert layer.timing == Timing()


@given(st.integers(1, 5), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_embedding(vocabulary, features, seed):
    rng = np.random.default_rng(seed)
    layer = Embedding(vocabulary, features)
    table, tokens = rng.normal(size=(vocabulary, features)), rng.integers(0, vocabulary, (2, 5))
    module = torch.nn.Embedding(vocabulary, features, _weight=torch.from_numpy(table))
    got = layer({"weight": table}, tokens)
    np.testing.assert_array_equal(got, module(torch.from_numpy(tokens)).detach().numpy())
    np.testing.assert_array_equal(got, embedding_loops(tokens, table))
    assert got.shape == layer.output_shape(tokens.shape)
    assert layer.parameters() == {"weight": (vocabulary, features)}
    assert layer.timing == Timing()
    assert layer({"weight": table}, tokens[:, :0]).shape == (2, 0, features)


def test_runs_on_fractions():
    rng = np.random.default_rng(10)
    draw = lambda *shape: np.vectorize(lambda n: Fraction(int(n), 7), otypes=[object])(rng.integers(-9, 10, shape))  # noqa: E731
    clip, parameters = draw(2, 3, 4), {"weight": draw(5, 4), "bias": draw(5)}
    got = Linear(4, 5)(parameters, clip)
    assert {type(value) for value in got.ravel()} == {Fraction}
    assert got.tolist() == linear_loops(clip, parameters["weight"], parameters["bias"]).tolist()


def test_errors():
    with pytest.raises(ValueError, match=r"Linear: the last axis must have 3 features, got \(1, 2, 4\)"):
        Linear(3, 2).output_shape((1, 2, 4))
    for token in (-1, 3):
        with pytest.raises(IndexError, match=r"Embedding: tokens must be 0 \.\. 2, got values from"):
            Embedding(3, 2)({"weight": np.eye(3, 2)}, np.array([[1, token]]))
