"""Edges: frames of a short clip that see its ends are not those of a stream, however the network is trained."""

from __future__ import annotations

import numpy as np

from coequal.reference.layer import Array, Layer, Parameters
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
