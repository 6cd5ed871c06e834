"""The strategies: what they draw is valid, and everything they promise to cover is covered."""

import functools

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, find, given, settings
from hypothesis import strategies as st

import coequal
from coequal import strategies
from coequal.reference.activation import Activation
from coequal.reference.adaptive_pool import AdaptiveAvgPool
from coequal.reference.attention import MultiheadAttention
from coequal.reference.compose import Residual
from coequal.reference.conv import Conv
from coequal.reference.frame_difference import FrameDifference
from coequal.reference.layer import Layer
from coequal.reference.non_local import NonLocal
from coequal.reference.shift import TemporalShift
from coequal.reference.squeeze_excite import SqueezeExcite

SEEDS = st.integers(0, 2**32 - 1)


@given(strategies.architectures(), SEEDS, st.booleans())
@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_drawn_runs(architecture, seed, integer):
    layer = architecture.layer
    clip = strategies.clip(architecture, seed, integer=integer)
    parameters = strategies.weights(layer, seed, integer=integer)
    assert clip.shape == architecture.shape
    assert {name: np.shape(value) for name, value in parameters.items()} == layer.parameters()
    output = layer(parameters, clip)
    assert output.shape == layer.output_shape(architecture.shape)
    with torch.no_grad():
        assert strategies.twin(layer, parameters)(torch.as_tensor(clip)).shape == output.shape


@given(st.integers(0, 30), st.data())
def test_schedules_add_up(length, data):
    chunks = data.draw(strategies.schedules(length, 7))
    assert sum(chunks) == length
    assert all(1 <= chunk <= 7 for chunk in chunks)


def test_contents_depend_on_the_seed_alone():
    architecture = strategies.Architecture(Conv(2, 3, (3,)), (1, 2, 5))
    for make in (
        lambda seed: strategies.clip(architecture, seed),
        lambda seed: strategies.weights(architecture.layer, seed)["weight"],
    ):
        np.testing.assert_array_equal(make(4), make(4))
        assert (make(4) != make(5)).any()


def has(layer, kinds):
    """Whether operators of all these kinds are in a tree, or containers."""
    inside = getattr(layer, "layers", ()) or [child for child in vars(layer).values() if isinstance(child, Layer)]
    return all(isinstance(layer, kind) or any(has(child, (kind,)) for child in inside) for kind in kinds)


# what published networks put together: TSM, TEA, TAda2D, CoX3D
NETWORKS = [
    *[(TemporalShift, Conv), (FrameDifference, Activation, Residual), (AdaptiveAvgPool, Conv, Residual)],
    (SqueezeExcite, Conv),
]


WANTED = {
    "conv": [
        lambda layer: layer.padding_mode == "reflect" and layer.padding[0] == 2,
        lambda layer: layer.stride[0] == 3 and layer.kernel_size[0] == 1,
        lambda layer: layer.groups == layer.in_channels == layer.out_channels > 1 and len(layer.kernel_size) == 3,
        lambda layer: layer.dilation[0] == 2 and layer.padding[0] == 1,
    ],
    "pool": [lambda layer: getattr(layer, "ceil_mode", False) and layer.stride[0] == 3],
    "attention": [lambda layer: isinstance(layer, MultiheadAttention) and layer.mode == "single"],
    "transformer": [lambda layer: layer.num_layers == 3 and layer.layer.norm_first],
    "compose": [
        *(lambda layer: layer.timing.stride == 4, lambda layer: len(layer.layers) == 3),
        *(functools.partial(has, kinds=kinds) for kinds in NETWORKS),
    ],
    "non_local": [functools.partial(has, kinds=(NonLocal, Conv, Residual))],
}


@pytest.mark.parametrize(("operator", "index"), [(name, i) for name, wanted in WANTED.items() for i in range(len(wanted))])
def test_what_real_networks_need_is_drawn(operator, index):
    wanted = WANTED[operator][index]
    found = find(
        strategies.architectures(operator), lambda a: wanted(a.layer), settings=settings(max_examples=5000, database=None)
    )
    assert wanted(found.layer)


def test_public_name():
    assert coequal.strategies is strategies
