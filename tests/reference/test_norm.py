"""Normalisation: loops, vectorised and torch, within bounds of running error analysis."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from coequal.reference.norm import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, RMSNorm, standardize, standardize_loops
from coequal.reference.timing import Timing

# layer, its torch twin, shape of a clip
CASES = [
    (BatchNorm(4), torch.nn.BatchNorm1d(4), (2, 4, 3)),
    (BatchNorm(2, eps=0.25, affine=False), torch.nn.BatchNorm2d(2, eps=0.25, affine=False), (2, 2, 3, 2)),
    (BatchNorm(3), torch.nn.BatchNorm3d(3), (1, 3, 2, 2, 2)),
    (GroupNorm(2, 4), torch.nn.GroupNorm(2, 4), (2, 4, 3, 2)),
    (GroupNorm(1, 3, eps=0.5, affine=False), torch.nn.GroupNorm(1, 3, eps=0.5, affine=False), (2, 3, 4)),
    (InstanceNorm(2), torch.nn.InstanceNorm1d(2), (2, 2, 5)),
    (
        InstanceNorm(3, affine=True, track_running_stats=True),
        torch.nn.InstanceNorm2d(3, affine=True, track_running_stats=True),
        (2, 3, 3, 2),
    ),
    (LayerNorm(5), torch.nn.LayerNorm(5), (2, 3, 5)),
    (LayerNorm((2, 3), bias=False), torch.nn.LayerNorm((2, 3), bias=False), (2, 3, 2, 3)),
    (LayerNorm(4, 1e-3, elementwise_affine=False), torch.nn.LayerNorm(4, 1e-3, elementwise_affine=False), (1, 2, 4)),
    (RMSNorm(6), torch.nn.RMSNorm(6), (2, 3, 6)),
    (
        RMSNorm((2, 2), 1e-6, elementwise_affine=False),
        torch.nn.RMSNorm((2, 2), 1e-6, elementwise_affine=False),
        (1, 3, 2, 2),
    ),
]


def draw(rng, name, shape):
    """Parameters with variances that are positive."""
    if name == "num_batches_tracked":
        return np.asarray(7)
    values = rng.normal(size=shape)
    return np.abs(values) + 0.25 if name == "running_var" else values


@pytest.mark.parametrize("case", CASES, ids=[f"{type(layer).__name__}{shape}" for layer, _, shape in CASES])
@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_torch(case, seed, within, error_bound):
    layer, module, shape = case
    rng = np.random.default_rng(seed)
    clip = rng.normal(size=shape) * 10.0 ** rng.integers(-3, 4) + rng.normal()
    parameters = {name: draw(rng, name, s) for name, s in layer.parameters().items()}
    module = module.double().eval()
    assert {k: tuple(v.shape) for k, v in module.state_dict().items()} == layer.parameters()
    module.load_state_dict({name: torch.as_tensor(value) for name, value in parameters.items()})
    got = layer(parameters, clip)
    floats = {name: value for name, value in parameters.items() if name != "num_batches_tracked"}
    if getattr(layer, "eps", 0.0) is None:
        layer = type(layer)(layer.normalized_shape, float(np.finfo(float).eps), layer.elementwise_affine)
    bound = error_bound(layer, floats, clip)
    within(got, module(torch.from_numpy(clip)).detach().numpy(), bound, int(np.prod(shape[1:])))
    assert got.shape == layer.output_shape(shape)


@given(count=st.integers(1, 6), centre=st.booleans(), seed=st.integers(0, 2**32 - 1))
def test_loops_are_the_vectorised_form(count, centre, seed, within, error_bound):
    values = np.random.default_rng(seed).normal(size=(1, count))
    loops = np.array([standardize_loops(list(values[0]), 1e-5, centre=centre)])
    bound = error_bound(lambda _, x: standardize(x, (1,), 1e-5, centre=centre), {}, values)
    within(standardize(values, (1,), 1e-5, centre=centre), loops, bound, count)


def test_timing():
    assert BatchNorm(2).timing == LayerNorm(2).timing == RMSNorm(2).timing == Timing()
    assert GroupNorm(1, 2).timing is None
    assert InstanceNorm(2).timing is None
    assert InstanceNorm(2, track_running_stats=True).timing == Timing()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: BatchNorm(2, track_running_stats=False), "the output depends on the rest of the batch: track them"),
        (lambda: GroupNorm(2, 3), "GroupNorm: 3 channels do not divide into 2 groups"),
        (lambda: GroupNorm(0, 3), "GroupNorm: 3 channels do not divide into 0 groups"),
        (lambda: BatchNorm(2).output_shape((1, 3, 4)), "axis 1 (C) of the clip (B, C, T, ...) must have 2 channels"),
        (
            lambda: LayerNorm(4).output_shape((1, 2, 3)),
            "LayerNorm: expected (B, T, ...) ending in (4,), got shape (1, 2, 3)",
        ),
        (lambda: RMSNorm((2, 3)).output_shape((2, 2, 3)), "RMSNorm: expected (B, T, ...) ending in (2, 3)"),
    ],
)
def test_errors(build, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        build()
    assert message in str(caught.value)
