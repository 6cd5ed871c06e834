"""Every verdict of the catalogue, proved or refuted on the network in small; delay, phase and warm-up are its stream's."""

from __future__ import annotations

import dataclasses
import itertools
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
from coequal.systems.small import small, up_to_channels
from coequal.systems.streamability import KINDS, LAST, NOT, Counterexample, lasting, streamability, variant
from coequal.systems.system import System

ALL = pytest.mark.parametrize("system", SYSTEMS.values(), ids=list(SYSTEMS))

Network = tuple[Any, Shape]
PRIMES = 5  # enough for the bound in one draw

# small networks that differ in more than their channels, by the name of the first system that becomes it; and the closest
# networks that stream, of those that do not
EVERY: dict[str, Network] = {name: small(system) for name, system in SYSTEMS.items()}
SMALL: dict[str, Network] = {}
VARIANTS: dict[str, Network] = {}
_seen = set()
for _name, (_layer, _shape) in EVERY.items():
    if up_to_channels(_layer) not in _seen:
        SMALL[_name] = _layer, _shape
        if _layer.timing is None and (_closest := variant(_layer, _shape)) is not None:
            VARIANTS[_name] = _closest.layer, _shape
    _seen.add(up_to_channels(_layer))
STREAMS = {name: network for name, network in SMALL.items() if network[0].timing is not None}
REFUTED = {name: network for name, network in SMALL.items() if network[0].timing is None}
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


def networks(of: dict[str, Network]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("layer", "shape"), of.values(), ids=list(of))


def emitted(layer: Any, shape: Shape, length: int) -> list[int]:
    """In which steps of a stream of so many frames there is an output."""
    stream = Stream(convert(regular(layer).eval()))
    frames = torch.randn(lasting(layer, shape, length)).unbind(layer.time or 2)
    with torch.no_grad():
        return [t for t, frame in enumerate(frames) if stream.push(frame.clone()) is not None]


@ALL
def test_the_small_network_does_with_time_what_the_published_one_does(system: System) -> None:
    published, reduced = streamability(system.layer, system.shape), streamability(*EVERY[system.name])
    assert (reduced.kind, reduced.phase) == (published.kind, published.phase)
    assert bool(reduced.delay) == bool(published.delay)
    if published.counterexample is not None:
        assert reduced.counterexample is not None
        at = published.counterexample
        assert (reduced.counterexample.path, reduced.counterexample.operator) == (at.path, at.operator)
        assert str(reduced.variant) == str(published.variant)


def proved(layer: Any, shape: Shape, least: int) -> None:
    """Reference = torch = stream over a field, in the shortest clip of at least so many frames."""
    length = next(length for length in itertools.count(least) if outputs(layer, shape, length))
    assert prove(Architecture(layer, lasting(layer, shape, length)), seed=3, primes=PRIMES).wrong <= BOUND


@networks(STREAMS)
def test_what_streams_is_proved_to(layer: Any, shape: Shape) -> None:
    """There is an output that sees neither end of the clip; of windows, there are three."""
    proved(layer, shape, layer.timing.receptive_field + layer.timing.stride - 1 + 2 * (layer.time == 1))


# exponentials of exponentials of exponentials: no field has such chains, so these are proved layer by layer
STAGED = {"ViViT-B/16x2 FE"}


@pytest.mark.parametrize("name", STAGED)
def test_the_closest_of_many_exponentials_is_proved_to_layer_by_layer(name: str) -> None:
    """And compared as a whole."""
    layer, shape = VARIANTS[name]
    length = layer.timing.delay + layer.timing.stride + 1
    length = next(n for n in itertools.count(length) if outputs(layer, shape, n))
    clip = lasting(layer, shape, length)
    agree(Architecture(layer, clip), seed=3)
    for stage in layer.layers:
        assert prove(Architecture(stage, clip), seed=3, primes=PRIMES).wrong <= BOUND
        clip = stage.output_shape(clip)


@networks({n: network for n, network in VARIANTS.items() if n not in STAGED and up_to_channels(network[0]) not in _seen})
def test_the_closest_that_streams_is_proved_to(layer: Any, shape: Shape) -> None:
    """The stream has two outputs before the clip ends."""
    proved(layer, shape, layer.timing.delay + layer.timing.stride + 1)


@networks(HAND)
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
    assert {streamability(*network).kind for network in SMALL.values()} == set(KINDS)
    assert {streamability(*network).kind for network in HAND.values()} == set(KINDS) - {NOT}


@networks(STREAMS | HAND)
def test_delay_phase_and_warm_up_are_those_of_the_stream(layer: Any, shape: Shape) -> None:
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


def outputs(layer: Any, shape: Shape, length: int) -> int:
    """Output frames of a clip of so many frames; none where it is too short."""
    try:
        return layer.output_shape(lasting(layer, shape, length))[layer.time or 2]
    except ValueError:
        return 0


@networks(REFUTED)
def test_what_does_not_stream_is_refuted(layer: Any, shape: Shape) -> None:
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


@pytest.mark.parametrize("name", [name for name in VARIANTS if streamability(*VARIANTS[name]).kind != LAST])
def test_the_counterexample_is_the_shortest(name: str) -> None:
    """The closest variant has output 0 before the last frame, and regardless of it; shorter clips refute nothing."""
    layer, shape = VARIANTS[name]
    found = streamability(*REFUTED[name]).counterexample
    assert found is not None
    taken = [length for length in range(1, 2 * found.length + 8) if outputs(*REFUTED[name], length)]
    if taken == [found.length]:  # kernels made of so many frames, and of no others
        return
    first = emitted(layer, shape, found.length)[0]
    beyond = range(first + 2, found.length + 1)  # clips that have a frame after that step, which a stride may leave out
    refuting = [
        length
        for length in beyond
        if outputs(*REFUTED[name], length) and difference(*REFUTED[name], dataclasses.replace(found, length=length))
    ]
    assert refuting == [found.length]
    assert difference(layer, shape, found) == 0


def test_the_closest_variant_is_the_authors_own() -> None:
    """What their papers stream: X3D with gates of each frame, in the catalogue under another name, from the other side."""
    for system in SYSTEMS.values():
        if system.family == "Co3D" and system.original is not None and system.shape == SYSTEMS[system.original].shape:
            original = SYSTEMS[system.original]
            closest = streamability(original.layer, original.shape).variant
            assert system.layer == (original.layer if closest is None else closest.layer)
