"""Configuration number i of a family, from a seed and i alone; and the smallest one of which something holds.

Every number is a run of Hypothesis of its own, so that it does not matter who draws it, and in which order. Number 0 is the
simplest configuration.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import hypothesis
from hypothesis import strategies as st

from coequal.equivalence.campaigns.spelling import spelled
from coequal.subjects.errors import BadSubject

Configuration = dict[str, Any]
REPEATED = 60  # numbers in a row that draw what was drawn already: there is nothing else, or next to nothing


def distinct(strategy: st.SearchStrategy[Configuration], seed: int, count: int) -> Iterator[tuple[int, Configuration]]:
    """Configurations with their numbers, each but once.

    Args:
        strategy: What draws them.
        seed: Of all of them.
        count: How many there are at most; a small family has fewer.

    Yields:
        The number and the configuration; numbers are left out where they would repeat one.
    """
    seen = set[str]()
    number = repeated = 0
    while len(seen) < count and repeated < REPEATED:
        configuration = drawn(strategy, seed, number)
        name = spelled(configuration)
        repeated = repeated + 1 if name in seen else 0
        if name not in seen:
            seen.add(name)
            yield number, configuration
        number += 1


def drawn(strategy: st.SearchStrategy[Configuration], seed: int, number: int) -> Configuration:
    """The configuration of a number.

    Raises:
        BadSubject: The strategies have no values.
    """
    found: list[Configuration] = []
    _run(strategy, seed, number, found.append, hypothesis.Phase.generate)
    if not found:
        raise BadSubject("family: its strategies have no values")
    return found[-1 if number else 0]


def smallest(
    strategy: st.SearchStrategy[Configuration], seed: int, number: int, holds: Callable[[Configuration], bool]
) -> Configuration:
    """The simplest configuration of which something holds, found from one of which it holds.

    Args:
        strategy: What draws them.
        seed: As in `drawn`.
        number: Of a configuration of which it holds.
        holds: What is asked; it is asked of the same configuration more than once.

    Returns:
        The configuration to which Hypothesis shrinks it.
    """
    held = [drawn(strategy, seed, number)]

    def ask(configuration: Configuration) -> None:
        if holds(configuration):
            held.append(configuration)
            raise _Holds

    try:
        _run(strategy, seed, number, ask, hypothesis.Phase.generate, hypothesis.Phase.shrink)
    except _Holds:
        return held[-1]  # Hypothesis ends with the smallest
    return held[0]


class _Holds(Exception):
    """What was asked holds."""


def _run(
    strategy: st.SearchStrategy[Configuration],
    seed: int,
    number: int,
    ask: Callable[[Configuration], None],
    *phases: hypothesis.Phase,
) -> None:
    """The simplest configuration, and the one of a number; more of them where one is shrunk.

    Hypothesis draws nothing twice: its second choice would never begin as the simplest configuration does. So it chooses
    something else before.
    """

    @hypothesis.seed(int.from_bytes(hashlib.sha256(f"{seed} {number}".encode()).digest()[:8], "big"))
    @hypothesis.settings(
        max_examples=2,
        database=None,
        deadline=None,
        print_blob=False,
        report_multiple_bugs=False,
        verbosity=hypothesis.Verbosity.quiet,
        suppress_health_check=[*hypothesis.HealthCheck],  # pyright: ignore[reportArgumentType]
        phases=phases,
    )
    @hypothesis.given(st.integers(0, 2**64), strategy)
    def run(_: int, configuration: Configuration) -> None:
        ask(configuration)

    run()
