"""The catalogue: published sizes, shapes that go through, parameters told from buffers."""

import math
import re

import pytest
import torch

from coequal.continual.to_torch import regular
from coequal.reference.layer import Layer
from coequal.systems.catalogue import SYSTEMS
from coequal.systems.system import System, is_buffer

ALL = pytest.mark.parametrize("system", SYSTEMS.values(), ids=list(SYSTEMS))

# exact parameter counts: of logs and of the model zoos, where they print integers
EXACT = {
    "R(2+1)D-18_8": 31505325,  # torchvision 0.29.2, r2plus1d_18
    "R(2+1)D-18_16": 31505325,
    "R3D-18_16": 33371472,  # torchvision 0.29.2, r3d_18
    "MC3-18_16": 11695440,  # mc3_18
    "X3D-S": 3794322,  # facebookresearch/SlowFast
    "X3D-L": 6153432,
    "CoOadTR-b1 [A.Net]": 9468950,  # LukasHedegaard/CoOadTR, runs_thumos
    "CoOadTR-b2 [A.Net]": 15766550,
    "CoOadTR-b1 [Kin.]": 10517526,
    "CoOadTR-b2 [Kin.]": 16815126,
    "CoOadTR-b1 [Kin. TVSeries]": 10526751,
    "CoOadTR-b2 [Kin. TVSeries]": 16824351,
    "CoOadTR-b1 [A.Net+AudioSet]": 13663254,
    "CoOadTR-b2 [Kin.+AudioSet]": 21009430,
}


@ALL
def test_clip_goes_through(system: System) -> None:
    assert isinstance(system.layer, Layer)
    classes = system.layer.output_shape(system.shape)[-1 if system.layer.time == 1 else 1]
    noted = re.search(r"(\d+) classes", system.notes)
    assert classes == (int(noted[1]) if noted else {"OadTR": 22, "CoOadTR": 22, "GTZAN": 10}.get(system.family, 400))
    assert system.shape[0] == 1
    assert system.source


@ALL
def test_a_network_that_streams_has_a_frame_and_a_timing(system: System) -> None:
    assert system.streams == (system.step_layer is not None) == (system.step_shape is not None)
    if system.streams:
        assert system.step_layer.timing is not None
        time = system.layer.time
        assert system.step_shape == (*system.shape[:time], 1, *system.shape[time + 1 :])
        assert system.step_layer.parameters() == system.layer.parameters()
    if system.original is not None:
        assert SYSTEMS[system.original].shape[0] == 1


@pytest.mark.parametrize(("name", "count"), EXACT.items(), ids=list(EXACT))
def test_parameters_are_as_many_as_published(name: str, count: int) -> None:
    assert SYSTEMS[name].params == count


@pytest.mark.parametrize("name", ["X3D-S", "CoI3D_8", "SlowFast-4x16-R50", "OadTR [A.Net]", "CoOadTR-b2 [A.Net]"])
def test_parameters_and_buffers_are_those_of_the_torch_twin(name: str) -> None:
    system = SYSTEMS[name]
    with torch.device("meta"):
        module = regular(system.layer)
    assert {n: tuple(v.shape) for n, v in module.state_dict().items()} == system.layer.parameters()
    assert sum(p.numel() for p in module.parameters()) == system.params
    assert sum(b.numel() for b in module.buffers() if b is not None) >= system.buffers
    assert {n for n, _ in module.named_parameters()} == {n for n in system.layer.parameters() if not is_buffer(n)}


def test_weights_go_from_the_original_to_the_stream() -> None:
    """CoI3D, CoSlow and CoX3D take the weights of their originals as they are; CoOadTR does not, and says so."""
    for system in SYSTEMS.values():
        if system.original is None:
            continue
        same = SYSTEMS[system.original].layer.parameters() == system.layer.parameters()
        assert same == ("another function" not in system.notes or "same weights" in system.notes), system.name


def test_names_are_unique_and_shapes_positive() -> None:
    assert len(SYSTEMS) == len({system.name for system in SYSTEMS.values()})
    assert all(math.prod(system.shape) > 0 for system in SYSTEMS.values())
