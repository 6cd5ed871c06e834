"""The catalogue in small: each network once up to its channels, and the closest one that streams of those that do not."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from typing import Any

from coequal.equivalence.campaigns.contents import Architecture
from coequal.reference.compose import Parallel, Residual, Sequential
from coequal.reference.layer import Shape
from coequal.systems.catalogue import SYSTEMS, families, networks_of
from coequal.systems.small import small, up_to_channels
from coequal.systems.streamability import lasting, operators, streamability, variant
from tests.kept import kept

Network = tuple[Any, Shape]
FAMILIES = [family for family in families() if networks_of(family)]


@kept
def reduced(name: str) -> Network:
    """The published network of that name in small."""
    return small(SYSTEMS[name])


@kept
def distinct(family: str) -> dict[str, Network]:
    """Networks of a file that differ in more than their channels, by the name of the first that becomes it."""
    first: dict[Any, str] = {}
    for system in networks_of(family):
        first.setdefault(up_to_channels(reduced(system.name)[0]), system.name)
    return {name: reduced(name) for name in first.values()}


def streams(family: str) -> dict[str, Network]:
    """Those that stream."""
    return {name: network for name, network in distinct(family).items() if network[0].timing is not None}


def refuted(family: str) -> dict[str, Network]:
    """Those that do not."""
    return {name: network for name, network in distinct(family).items() if network[0].timing is None}


@kept
def variants(family: str) -> dict[str, Network]:
    """The closest networks that stream, of those that do not and have one."""
    found = {name: (variant(*network), network[1]) for name, network in refuted(family).items()}
    return {name: (closest.layer, shape) for name, (closest, shape) in found.items() if closest is not None}


def outputs(layer: Any, shape: Shape, length: int) -> int:
    """Output frames of a clip of so many frames; none where it is too short."""
    try:
        return layer.output_shape(lasting(layer, shape, length))[layer.time or 2]
    except ValueError:
        return 0


def telling(layer: Any, shape: Shape, *, closest: bool = False) -> Architecture:
    """With the shortest clip that has an output which sees neither of its ends; of windows, there are three.

    Of a closest variant, the stream has two outputs before the clip ends.
    """
    timing = layer.timing
    least = timing.delay + 2 if closest else timing.receptive_field + 2 * (layer.time == 1)
    frames = next(n for n in itertools.count(least + timing.stride - 1) if outputs(layer, shape, n))
    return Architecture(layer, lasting(layer, shape, frames))


def mechanisms(layer: Any, shape: Shape) -> set[str]:
    """Kinds of operators and of joints, and of the verdict: sizes, strides and paddings of two and of more are one."""
    found = {streamability(layer, shape).kind, *_joints(layer)}
    for _, operator in operators(layer):
        found.add(re.sub(r"\d+", lambda size: str(min(2, int(size[0]))), repr(up_to_channels(operator))))
    return found


def _joints(layer: Any) -> Iterator[str]:
    if isinstance(layer, Sequential):
        inside: Any = layer.layers
    elif isinstance(layer, (Parallel, Residual)):
        yield f"{type(layer).__name__} of {', '.join(layer.branches)}"
        inside = layer.branches.values()
    else:
        inside = [layer.inner] if hasattr(layer, "inner") and not isinstance(layer.inner, int) else []
    for child in inside:
        yield from _joints(child)


def everywhere(of: Callable[[str], dict[str, Network]]) -> dict[str, Network]:
    """Of all families."""
    return {name: network for family in FAMILIES for name, network in of(family).items()}
