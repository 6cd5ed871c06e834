"""NumPy over a field: the table says what NumPy says, what is not in it refuses by name, nothing turns into floats."""

import numpy as np
import pytest
import torch

from coequal.proofs.field.arithmetic import Field
from coequal.proofs.field.errors import NotDecided
from coequal.proofs.field.numpy_frontend.array import FieldArray
from coequal.proofs.field.numpy_frontend.primitives import PRIMITIVES, taken
from coequal.proofs.field.numpy_frontend.table import FUNCTIONS, REFUSED, UFUNCS
from coequal.proofs.field.torch_frontend.dispatch import Exact
from coequal.reference import activation, position
from coequal.reference.activation import erf

rng = np.random.default_rng(5)
X, Y = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 3, 4))
POSITIVE, SQUARE = np.abs(X) + 0.1, rng.normal(size=(4, 4))
HIGHEST = np.where(X > 1, -np.inf, X)


@pytest.fixture
def exact():
    return Exact(Field.drawn(3))


def symbols(exact, *shape):
    return FieldArray(exact.store.symbols.fresh(torch.empty(shape, dtype=torch.float64)), exact)


def same(exact, a, b):
    assert a.shape == b.shape
    return bool(exact.same(a.tensor, b.tensor).all())


# name in the table -> a use of it, as a function of arrays and NumPy arrays that they stand for
BINARY = ("add", "subtract", "multiply", "divide", "maximum", "minimum")
UNARY = (
    *("negative", "positive", "reciprocal", "square", "absolute", "exp", "exp2", "expm1", "sin", "cos", "tan"),
    *("sinh", "cosh", "tanh", "arctan", "isnan", "isinf", "isfinite"),
)
USES = {
    **{name: (getattr(np, name), X, Y) for name in BINARY},
    **{name: (getattr(np, name), X) for name in UNARY},
    **{name: (getattr(np, name), POSITIVE) for name in ("sqrt", "log", "log1p")},
    "power": (lambda x: x**3, X),
    "matmul": (np.matmul, X, SQUARE),
    "erf (vectorized)": (erf, X),
    "sum": (lambda x: np.sum(x, axis=(0, 2)), X),
    "mean": (lambda x: np.mean(x, axis=1, keepdims=True), X),
    "max": (lambda x: np.max(x, axis=(0, 1)), X),
    "amax": (lambda x: np.amax(x, axis=-1, keepdims=True), X),
    "min": (lambda x: np.min(x, axis=0), X),
    "amin": (np.amin, X),
    "cumsum": (lambda x: np.cumsum(x, axis=1), X),
    "concatenate": (lambda x, y: np.concatenate([x, y, np.ones((2, 1, 4))], axis=1), X, Y),
    "stack": (lambda x, y: np.stack([x, y], axis=-1), X, Y),
    "split": (lambda x: np.split(x, 3, axis=1)[1], X),
    "swapaxes": (lambda x: np.swapaxes(x, 0, -1), X),
    "moveaxis": (lambda x: np.moveaxis(x, 0, 2), X),
    "transpose": (lambda x: np.transpose(x, (2, 0, 1)), X),
    "reshape": (lambda x: np.reshape(x, (6, -1)), X),
    "expand_dims": (lambda x: np.expand_dims(x, 1), X),
    "squeeze": (lambda x: np.squeeze(x[:, :1], 1), X),
    "broadcast_to": (lambda x: np.broadcast_to(x, (5, 2, 3, 4)), X),
    "roll": (lambda x: np.roll(x, 2, axis=2), X),
    "flip": (lambda x: np.flip(x, axis=(0, 2)), X),
    "repeat": (lambda x: np.repeat(x, 3, axis=1), X),
    "pad": (lambda x: np.pad(x, [(0, 0), (1, 0), (2, 3)], "reflect"), rng.normal(size=(1, 3, 4))),
    "where": (lambda x, y: np.where(Y > 0, x, y), X, Y),
    "einsum": (lambda x, y: np.einsum("abc,dbc->ad", x, y), X, Y),
    "dot": (np.dot, SQUARE, SQUARE),
    "zeros_like": (np.zeros_like, X),
    "ones_like": (np.ones_like, X),
    "full_like": (lambda x: np.full_like(x, 2.5), X),
    "copy": (np.copy, X),
    "isneginf": (np.isneginf, HIGHEST),
}


def test_every_entry_is_used():
    assert set(USES) == set(UFUNCS) | set(FUNCTIONS)


@pytest.mark.parametrize("name", sorted(USES))
def test_the_table_says_what_numpy_says(name, exact, within):
    call, *arrays = USES[name]
    expected = call(*arrays)
    got = call(*(FieldArray(torch.as_tensor(a), exact) for a in arrays))
    if expected.dtype == bool:
        assert got.tolist() == expected.tolist()
    else:
        within(got.tensor.numpy(), expected, np.abs(expected) + 1, 40)


INDICES = [
    (0,), (slice(None), -1), (Ellipsis, slice(None, None, 2)), (slice(None), None, 1), (slice(None), slice(None, None, -1)),
    (Ellipsis, slice(2, 0, -1), slice(None, None, -2)), (None, Ellipsis, slice(None, None, -1)), (0, slice(None, None, -1)),
    (slice(None), np.array([2, 0, 0])), (np.arange(12).reshape(3, 4) % 5 > 1, ), (slice(None), [1, 2]), np.int64(1),
]  # fmt: skip


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_indices_are_numpys(index, exact):
    values = rng.normal(size=(3, 4, 5))
    assert FieldArray(torch.as_tensor(values), exact)[index].tensor.tolist() == values[index].tolist()


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "wrap"])
def test_padding_of_every_mode(mode, exact):
    got = np.pad(FieldArray(torch.as_tensor(X), exact), [(0, 0), (1, 2), (3, 0)], mode)
    assert got.tensor.tolist() == np.pad(X, [(0, 0), (1, 2), (3, 0)], mode).tolist()


def test_identities_hold_exactly_and_differences_show(exact):
    x, y = symbols(exact, 3, 4), symbols(exact, 3, 4)
    assert same(exact, (x + y) * (x - y), x * x - y * y)
    assert same(exact, 1 / (1 / x), x)
    assert same(exact, x * 0.1, x / 10)
    assert same(exact, np.maximum(np.maximum(x, y), x), np.maximum(y, x))
    assert not same(exact, x + y, x + y + 2.0**-200)
    assert not same(exact, np.exp(x + y), np.exp(x) * np.exp(y))  # a free function: one knows nothing of it


def test_arrays_are_written_in_place(exact):
    x, y = symbols(exact, 3, 4), symbols(exact, 4)
    z = np.zeros_like(x)
    z[1] = y
    z[2, 1:] = 5
    z += x
    np.add(z, 1, out=z)
    expected = x + np.stack([np.zeros(4), np.zeros(4), np.array([0, 5, 5, 5])]) + 1
    assert same(exact, z[0], expected[0])
    assert same(exact, z[1], expected[1] + y)
    assert same(exact, z[2], expected[2])
    view = z[:, 0]
    view[0] = 7
    assert same(exact, z[0, :1], np.full_like(z[0, :1], 7))


def test_shape_and_iteration(exact):
    x = symbols(exact, 3, 4)
    assert (x.shape, x.ndim, x.size, len(x), x.T.shape, x.dtype) == ((3, 4), 2, 12, 3, (4, 3), np.float64)
    assert repr(x) == "FieldArray(shape=(3, 4))"
    rows = list(x)
    assert len(rows) == 3
    assert same(exact, np.stack(rows), x)
    assert same(exact, np.add.reduce(x), x.sum(axis=0))


REFUSALS = {
    "numpy.asarray: residues are no floats": np.asarray,
    "numpy.float: residues are no floats": lambda x: float(x[0, 0]),
    "numpy.bool: the program reads a value": lambda x: bool(x[0, 0]),
    "numpy.greater: it compares data": lambda x: x > 0,
    "numpy.sign: it compares data": np.sign,
    "numpy.floor: it rounds data": np.floor,
    "numpy.argmax: its indices depend on data": np.argmax,
    "numpy.getitem: its indices depend on data": lambda x: x[x],
    "numpy.where: called like this: its condition depends on data": lambda x: np.where(x, 1, x),
    "numpy.cov: it has no meaning here yet": np.cov,
    "numpy.arcsinh: it has no meaning here yet": np.arcsinh,
    "numpy.add.accumulate: it has no meaning here yet": np.add.accumulate,
    "numpy.exp: with where": lambda x: np.exp(x, where=np.ones((3, 4), bool)),
    "numpy.sum: called like this: .*'initial'": lambda x: np.sum(x, initial=1.0),
    "numpy.add: into an array of floats": lambda x: np.add(x, 1, out=np.zeros((3, 4))),
    "numpy.setitem: through a slice that runs backwards": lambda x: x.__setitem__(slice(None, None, -1), 0),
}


@pytest.mark.parametrize("text", sorted(REFUSALS))
def test_what_has_no_meaning_refuses_by_name_and_place(text, exact):
    with pytest.raises(NotDecided, match=f"^{text}.*\\(test_array.py, line"):
        REFUSALS[text](symbols(exact, 3, 4))


def test_nothing_is_both_meant_and_refused():
    assert not (set(UFUNCS) | set(FUNCTIONS)) & set(REFUSED)


def test_a_buffer_of_floats_takes_no_residues(exact):
    with pytest.raises((NotDecided, ValueError)):
        np.zeros(3)[0] = symbols(exact, 3)[0]


def test_primitives_stand_in_only_inside_and_only_over_a_field(exact):
    before = [getattr(owner, p.name) for p in PRIMITIVES for owner in p.owners]
    x = symbols(exact, 2, 3)
    with pytest.raises(NotDecided, match=r"numpy\.greater"):
        activation.activation("ELU", x)
    with taken() as used:
        assert activation.activation("ELU", X).tolist() == activation.TABLE["ELU"][0](X, 1.0).tolist()
        assert used == set()
        assert same(exact, activation.activation("ELU", x), FieldArray(_elu(exact, x), exact))
        assert used == {"ELU"}
        assert position.np is not np
    assert position.np is np
    assert [getattr(owner, p.name) for p in PRIMITIVES for owner in p.owners] == before


def _elu(exact, x):
    with exact.running():
        return torch.nn.functional.elu(x.tensor)
