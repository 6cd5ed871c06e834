"""Every verdict of the catalogue, on the network in small: proved or refuted; delay, phase and warm-up are its stream's.

Of networks that are made of the same mechanisms one is proved, the others are compared in floating point.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

import coequal
from coequal.continual.conversion import NotStreamable, convert
from coequal.continual.module import Stream
from coequal.continual.to_torch import regular
from coequal.equivalence.campaigns import contents
from coequal.equivalence.campaigns.agree import agree
from coequal.equivalence.campaigns.contents import Architecture
from coequal.equivalence.campaigns.prove import prove
from coequal.equivalence.prove.decide import BOUND
from coequal.reference.compose import Sequential
from coequal.reference.conv import Conv
from coequal.reference.layer import Shape
from coequal.reference.pad import Pad
from coequal.reference.pool import GlobalAvgPool
from coequal.reference.shift import TemporalShift
from coequal.reference.transformer import TransformerEncoderLayer
from coequal.systems.catalogue import SYSTEMS
from coequal.systems.streamability import KINDS, LAST, NOT, Counterexample, lasting, streamability, variant
from coequal.systems.system import System
from tests.systems.networks import (
    FAMILIES,
    Network,
    distinct,
    everywhere,
    mechanisms,
    outputs,
    reduced,
    refuted,
    streams,
    telling,
    variants,
)

ALL = pytest.mark.parametrize("system", SYSTEMS.values(), ids=list(SYSTEMS))
EACH = pytest.mark.parametrize("family", FAMILIES)

PRIMES = 5  # enough for the bound in one draw
DEEP = {"CoS-TR*": 8}  # of exponentials of exponentials

# one network for each mechanism is proved here, `make catalogue` proves them all
STREAMS = (
    *("3D ResNet-18", "BQN-R50_16", "C3D padded", "CoOadTR-b1 [A.Net]", "CoOadTR-b2 [A.Net]", "CoX3D-S_13"),
    *(
        "I3D-R50 32x2",
        "MC4-18_8",
        "R(2+1)D-R50_16",
        "R2D-18_8",
        "RSANet-R50_16",
        "CoS-TR*",
        "ST-GCN",
        "TEA-R50_8",
        "TSM-R50_8",
    ),
    *("TSM-MobileNetV2 online", "TSM-MobileOne-S4_16", "ViViT-B/16x2 FE mean", "ir-CSN-50"),
)
VARIANTS = (
    *("A-GCN", "OadTR-b1 [A.Net]", "OadTR-b2 [A.Net]", "S3D-G_64", "SlowFast-8x8-R101", "TAda2D-R50_8"),
    *("TAdaConvNeXtV2-T_16", "TAdaFormer-B/16_16 SSv2", "TANet-R50_8", "ViViT-B/16x2 FDP", "ViViT-B/16x2 FSA"),
)
STAGED = "ViViT-B/16x2 FE"  # exponentials of exponentials of exponentials: no field has such chains
HAND: dict[str, Network] = {
    "causal": (Sequential((Pad(((2, 0),)), Conv(1, 1, (3,)))), (1, 1, 9)),
    "anticausal": (Sequential((Pad(((0, 2),)), Conv(1, 1, (3,)))), (1, 1, 9)),
    "valid": (Conv(1, 1, (3,)), (1, 1, 9)),
    "late phase": (Sequential((Pad(((3, 1),)), Conv(1, 1, (4,), 2), Conv(1, 1, (3,), padding=1))), (1, 1, 9)),
    "online shift": (TemporalShift(2, bidirectional=False), (1, 4, 9)),
    "shift": (TemporalShift(2), (1, 4, 9)),
    "newest": (TransformerEncoderLayer(4, 2, 4, mode="single", window=2), (1, 5, 4)),
    "mean of a shift": (Sequential((TemporalShift(2), GlobalAvgPool(1, 4))), (1, 4, 9)),
}
BY_HAND = pytest.mark.parametrize(("layer", "shape"), HAND.values(), ids=list(HAND))


@contextlib.contextmanager
def of(name: str) -> Iterator[None]:
    """Whatever fails says of which network it is."""
    try:
        yield
    except BaseException as error:
        error.add_note(f"of {name}")
        raise


def closest(name: str) -> Network:
    """The closest network that streams."""
    layer, shape = reduced(name)
    found = variant(layer, shape)
    assert found is not None
    return found.layer, shape


def emitted(layer: Any, shape: Shape, length: int) -> list[int]:
    """In which steps of a stream of so many frames there is an output."""
    stream = Stream(convert(regular(layer).eval()))
    frames = torch.randn(lasting(layer, shape, length)).unbind(layer.time or 2)
    with torch.no_grad():
        return [t for t, frame in enumerate(frames) if stream.push(frame.clone()) is not None]


@ALL
def test_the_small_network_does_with_time_what_the_published_one_does(system: System) -> None:
    published, found = streamability(system.layer, system.shape), streamability(*reduced(system.name))
    assert (found.kind, found.phase) == (published.kind, published.phase)
    assert bool(found.delay) == bool(published.delay)
    if published.counterexample is not None:
        assert found.counterexample is not None
        at = published.counterexample
        assert (found.counterexample.path, found.counterexample.operator) == (at.path, at.operator)
        assert str(found.variant) == str(published.variant)


def proved(architecture: Architecture, primes: int = PRIMES) -> None:
    """Reference = torch = stream over a field."""
    assert prove(architecture, seed=3, primes=primes).wrong <= BOUND


@pytest.mark.parametrize("name", STREAMS)
def test_what_streams_is_proved_to(name: str) -> None:
    proved(telling(*reduced(name)), DEEP.get(name, PRIMES))


@pytest.mark.parametrize("name", VARIANTS)
def test_the_closest_that_streams_is_proved_to(name: str) -> None:
    proved(telling(*closest(name), closest=True))


def test_the_closest_of_many_exponentials_is_proved_to_layer_by_layer() -> None:
    architecture = telling(*closest(STAGED), closest=True)
    clip = architecture.shape
    for stage in architecture.layer.layers:
        proved(Architecture(stage, clip))
        clip = stage.output_shape(clip)


def test_every_mechanism_is_proved() -> None:
    """What is in no network that is proved here is in none of the catalogue."""
    chosen = [*map(reduced, STREAMS), *map(closest, (*VARIANTS, STAGED))]
    known = set().union(*(mechanisms(*network) for network in chosen))
    unknown = {
        name: sorted(missing)
        for name, network in (everywhere(streams) | everywhere(variants)).items()
        if (missing := mechanisms(*network) - known)
    }
    assert not unknown


@EACH
def test_whatever_streams_agrees(family: str) -> None:
    """Reference = torch = stream in floating point, of what is not proved here too."""
    for name, network in streams(family).items():
        if name not in STREAMS:
            with of(name):
                agree(telling(*network), seed=3)
    for name, network in variants(family).items():
        if name not in VARIANTS:
            with of(f"the closest variant of {name}"):
                agree(telling(*network, closest=True), seed=3)


@BY_HAND
def test_a_verdict_of_each_kind_holds_at_every_length(layer: Any, shape: Shape) -> None:
    """By `coequal.verify`, which measures the timing as well."""
    verdict = streamability(layer, shape)
    report = coequal.verify(
        convert(regular(layer).eval()), example=torch.randn(shape), effort="quick", checks=["values", "exact"]
    )
    assert (report.verdict, report.horizon) == ("proved", "all"), str(report)
    measured = report.timing
    assert (measured.stride, measured.delay) == (verdict.phase, verdict.warm_up)


def test_there_is_one_of_each_kind() -> None:
    assert {streamability(*network).kind for network in everywhere(distinct).values()} == set(KINDS)
    assert {streamability(*network).kind for network in HAND.values()} == set(KINDS) - {NOT}


@EACH
def test_delay_phase_and_warm_up_are_those_of_the_stream(family: str) -> None:
    for name, network in streams(family).items():
        with of(name):
            timed(*network)


@BY_HAND
def test_delay_phase_and_warm_up_of_each_kind(layer: Any, shape: Shape) -> None:
    timed(layer, shape)


def timed(layer: Any, shape: Shape) -> None:
    """The delay is the least after which a stream has all outputs of the clip so far, however long that is."""
    verdict = streamability(layer, shape)
    assert verdict.delay is not None
    assert verdict.phase is not None
    assert verdict.warm_up is not None
    longest = verdict.warm_up + 3 * verdict.phase + verdict.delay
    steps = emitted(layer, shape, longest + verdict.delay)
    assert steps[0] == verdict.warm_up
    assert set(np.diff(steps)) == {verdict.phase}
    late = [
        steps[count - 1] - (length - 1)
        for length in range(1, longest + 1)
        if (count := outputs(layer, shape, length)) and count <= len(steps)
    ]
    assert max(late) == verdict.delay


@EACH
def test_what_does_not_stream_is_refuted(family: str) -> None:
    for name, network in refuted(family).items():
        with of(name):
            refuses(*network)


def refuses(layer: Any, shape: Shape) -> None:
    """Two clips that differ in a frame that came too late, and not by rounding; `convert` blames the same operator."""
    verdict = streamability(layer, shape)
    found = verdict.counterexample
    assert verdict.kind == NOT
    assert found is not None
    assert difference(layer, shape, found) > 1e-10  # far beyond roundings
    with pytest.raises(NotStreamable) as refused:
        convert(regular(layer).eval())
    assert refused.value.path == found.path


def difference(layer: Any, shape: Shape, found: Counterexample) -> float:
    """Between the outputs of the two clips, relative to the largest element; of several weights, since relu may be zero."""
    one = np.random.default_rng(4).standard_normal(lasting(layer, shape, found.length))
    other = one.copy()
    other.swapaxes(0, layer.time)[found.frame] += 1
    relative = []
    for seed in range(3):
        parameters = contents.weights(layer, seed)
        a, b = (layer(parameters, clip).swapaxes(0, layer.time)[found.output] for clip in (one, other))
        relative.append(float(np.abs(a - b).max() / np.abs(a).max()))
    return max(relative)


@EACH
def test_the_counterexample_is_the_shortest(family: str) -> None:
    for name, network in variants(family).items():
        if streamability(*network).kind != LAST:
            with of(name):
                shortest(refuted(family)[name], network)


def shortest(original: Network, variant: Network) -> None:
    """The closest variant has output 0 before the last frame, and regardless of it; shorter clips refute nothing."""
    found = streamability(*original).counterexample
    assert found is not None
    taken = [length for length in range(1, 2 * found.length + 8) if outputs(*original, length)]
    if taken == [found.length]:  # kernels made of so many frames, and of no others
        return
    first = emitted(*variant, found.length)[0]
    beyond = range(first + 2, found.length + 1)  # clips that have a frame after that step, which a stride may leave out
    refuting = [
        length
        for length in beyond
        if outputs(*original, length) and difference(*original, dataclasses.replace(found, length=length))
    ]
    assert refuting == [found.length]
    assert difference(*variant, found) == 0


def test_the_closest_variant_is_the_authors_own() -> None:
    """What their papers stream: X3D with gates of each frame, in the catalogue under another name, from the other side."""
    for system in SYSTEMS.values():
        if system.family == "Co3D" and system.original is not None and system.shape == SYSTEMS[system.original].shape:
            original = SYSTEMS[system.original]
            closest = streamability(original.layer, original.shape).variant
            assert system.layer == (original.layer if closest is None else closest.layer)
