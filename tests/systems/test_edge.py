"""Edges: frames of a short clip that see its ends are not those of a stream, however the network is trained."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest
import torch

from coequal.continual.to_torch import regular
from coequal.reference.compose import Residual, Sequential
from coequal.reference.conv import Conv
from coequal.reference.layer import Array, Layer, Parameters
from coequal.reference.pool import GlobalAvgPool
from coequal.systems import c3d
from coequal.systems.catalogue import SYSTEMS

FAMILIES = ("3D ResNet", "C3D", "CSN", "R3D", "R(2+1)D", "S3D", "TEA", "TSM")


def whole_numbers(layer: Layer, seed: int, frames: int, side: int) -> tuple[Parameters, Array]:
    """Weights and a clip of -1, 0 and 1, of whose sums none rounds: equal means equal."""
    rng = np.random.default_rng(seed)
    shapes = layer.parameters()
    parameters = {name: rng.choice([-1.0, 0.0, 1.0], shape, p=[0.2, 0.6, 0.2]) for name, shape in shapes.items()}
    clip = rng.integers(-1, 2, (1, 3, frames, side, side)).astype(float)
    assert layer({name: np.abs(value) for name, value in parameters.items()}, np.abs(clip)).max() < 2**53
    return parameters, clip


def test_c3d_sees_more_frames_than_it_is_fed() -> None:
    """Its one output for 16 frames is that of no stream; a stream's is that of every clip whose ends it does not see."""
    layer = c3d.c3d(5, width=1, wide=6)
    timing = layer.timing
    assert timing is not None
    assert (timing.receptive_field, timing.stride) == (76, 16)
    assert timing.receptive_field > c3d.FRAMES
    parameters, clip = whole_numbers(layer, 8, 112, 96)
    whole, short = layer(parameters, clip), layer(parameters, clip[:, :, 48:64])
    assert (whole[:, :, 3:4] != short).any()
    inner = layer(parameters, clip[:, :, 16:96])  # frame 48 - 30 is the first that output 3 sees, 48 + 45 the last
    np.testing.assert_array_equal(inner[:, :, 2], whole[:, :, 3])


def test_published_clips_are_shorter_than_what_their_networks_see() -> None:
    """All but those that look at one frame at a time, or at all frames at once by construction."""
    timings = {s.name: (s.layer.timing, s.shape[2]) for s in SYSTEMS.values() if s.family in FAMILIES and s.layer.timing}
    assert {SYSTEMS[name].family for name in timings} == set(FAMILIES)
    within = {name for name, (timing, frames) in timings.items() if timing and timing.receptive_field <= frames}
    assert within == {name for name in timings if name.startswith(("fR2D", "R2D"))}


DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_frames_that_see_no_padding_are_counted_one_by_one() -> None:
    """The table of the edge theorem, from what each frame of a clip sees."""
    rows = runpy.run_path(str(DOCS / "tables.py"))["edges"]().splitlines()[2:]
    for name, sees, length, padded, counted in (row.strip("| ").split(" | ") for row in rows):
        layers = SYSTEMS[name].layer.layers
        ends = [i for i, layer in enumerate(layers) if isinstance(layer, GlobalAvgPool)]
        timing = Sequential(layers[: ends[-1]] if ends else layers).timing
        assert timing is not None
        outputs = timing.output_length(int(length))
        first = [j * timing.stride - timing.pad_start for j in range(outputs)]
        inside = [t for t in first if t >= 0 and t + timing.receptive_field <= int(length)]
        assert (int(sees), int(padded)) == (timing.receptive_field, timing.pad_start)
        assert counted == f"{len(inside)} of {outputs}"
        assert not inside or timing.receptive_field <= int(length)


def test_replicating_layers_start_as_those_of_continual_inference_do() -> None:
    """A convolution whose first frame fills its state, alone and around a shortcut."""
    co = pytest.importorskip("continual")
    torch.manual_seed(0)
    layer = Conv(2, 2, (3, 1), padding=(1, 0))
    theirs = co.Conv2d(2, 2, (3, 1), padding=(1, 0), temporal_fill="replicate").double().eval()
    replicating = runpy.run_path(str(DOCS / "edges.py"))["replicating"]
    for parameter in theirs.parameters():  # whole numbers, of whose sums none rounds
        parameter.data = torch.randint(-3, 4, parameter.shape).double()
    ours = regular(replicating(layer)).double().eval()
    ours.load_state_dict(dict(zip(ours.state_dict(), theirs.state_dict().values(), strict=True)))
    clip = torch.randint(-3, 4, (1, 2, 7, 3)).double()
    with torch.no_grad():
        steps = [theirs.forward_step(frame) for frame in clip.unbind(2)]
        expected = torch.stack([step for step in steps if isinstance(step, torch.Tensor)], 2)
        np.testing.assert_array_equal(ours(clip)[:, :, :-1].numpy(), expected.numpy())
    assert replicating(Residual(layer)) == Residual(replicating(layer))
    assert replicating(Conv(2, 2, (1, 3), padding=(0, 1))) == Conv(2, 2, (1, 3), padding=(0, 1))
