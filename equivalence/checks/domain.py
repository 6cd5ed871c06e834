"""Is the stream defined wherever the clip is? Functions that are undefined for some numbers, and inputs that lead there.

`sqrt(x + 9) rsqrt(x + 9)` is 1 wherever it is anything, and NaN below -9, which no input of ordinary size reaches; exact
arithmetic knows what is equal where both are defined. So inputs are made larger, and smaller, and it is compared where clip
and stream are NaN. What overflows is none of this: nothing is said of numbers that large.

A program may ask (`where(isnan(sqrt(x + 9)), x + 1, x)`): exact arithmetic answers that numbers are finite. Where it asks,
or where something is undefined on the way, the numbers themselves are compared, too; and what is asked and never came true
here keeps exact arithmetic from a proof, unless what it is asked of comes of functions that are defined everywhere.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import torch

from coequal.equivalence.checks.base import Skip
from coequal.equivalence.compare import rounding
from coequal.equivalence.compare.defined import Defined, Question, Watch
from coequal.equivalence.compare.relation import Comparison, compare
from coequal.equivalence.run.examples import Example
from coequal.equivalence.run.player import StreamRaised
from coequal.equivalence.run.session import Session
from coequal.proofs.eager import eagerly
from coequal.subjects.inputs import Tree, leaves_of

Tensor = torch.Tensor
FACTORS = (1.0, 2.0**2, 2.0**6, 2.0**12, 2.0**20, 2.0**-10)  # of the inputs; powers of two round nothing
HUGE = (2.0**100, 2.0**200, 2.0**400, 2.0**700, 2.0**1000)  # where a program asks whether something overflows
MOVES = 4  # of inputs by `rounding.PROBE`, all of which a difference stays for: no rounding falls the same way each time


def domain(session: Session, example: Example) -> int:
    """Where the one is a number the other is one, whatever the size of the inputs."""
    if not session.floating:
        raise Skip("integer inputs are fed as they are")
    if session.subject.inputs is not None:
        raise Skip("the subject draws its inputs itself: others may mean nothing to it")
    compared = 0
    for found in _at_all_sizes(session, example):
        if not (found.watch.partial or found.watch.asked):
            raise Skip("no function in it is undefined for some numbers")
        if found.watch.overflows:
            continue
        compared += found.comparison.frames
        if found.comparison.difference is not None and _stays(session, found):
            raise replace(found.comparison.difference, detail=_in_words(found))
    return compared


def unseen(session: Session, places: Iterable[str], partial: bool) -> str:
    """Why the answers that exact arithmetic gives to what programs ask of finite numbers are not seen; empty where they are.

    `places`: where it was asked. `partial`: functions were taken where they are defined, whose arguments may be others.
    """
    example = Example(session.legal(2 * session.facts.reach + 5), session.batch, session.seed + 210)
    questions, cut = dict[str, Question](), [session]
    cut += [session.cutting()] if len(session.plan.smallest(2)) > 1 and session.has("chunk") else []
    for found in itertools.chain.from_iterable(_at_all_sizes(here, example) for here in cut):
        telling = found.factor in FACTORS and not found.watch.overflows  # what is enormous absorbs differences
        for place, question in found.watch.questions.items():
            seen = replace(question, came_true=question.came_true and telling)
            questions[place] = questions.get(place, Question()).also(seen)
        if found.comparison.difference is not None and _stays(session, found):
            return f"the program asks whether numbers are finite, and {_in_words(found)}"
    doubtful = [place for place, question in questions.items() if question.doubtful and not question.came_true]
    never = sorted({*doubtful, *(place for place in places if place not in questions)})
    if partial and never:
        return (
            f"the program asks whether what may be undefined is finite{never[0]}, and all inputs that were tried gave the"
            " same answer, which exact arithmetic takes for the only one"
        )
    return ""


def _at_all_sizes(session: Session, example: Example) -> Iterator[Found]:
    """Clip and stream compared at inputs of many sizes: of enormous ones where a program asks for what they lead to."""
    x, factors = session.inputs(example.length, example.batch, example.seed), list(FACTORS)
    if not session.floating or session.subject.inputs is not None:
        factors = [1.0]
    for factor in factors:
        larger = session.layout.on_data(functools.partial(torch.mul, other=factor), x)
        if all(bool(leaf.isfinite().all()) for leaf in leaves_of(larger).values() if leaf.is_floating_point()):
            found = _where_defined(session, larger, factor)
            yield found
            if factor == 1.0 and found.watch.asked:
                factors += HUGE


@dataclass(frozen=True)
class Found:
    """One comparison, which elements differed in it, and what was seen."""

    x: Tree
    factor: float
    comparison: Comparison
    frames: list[Tensor]
    watch: Watch


def _where_defined(session: Session, x: Tree, factor: float = 1.0) -> Found:
    """Clip and stream compared at one input."""
    defined = Defined()
    try:
        with eagerly():
            with defined.watch:
                trace = session.play(x)
            comparison = compare(session.computing(defined), x, trace)
    except StreamRaised:
        if not defined.watch.overflows:
            raise
        comparison = Comparison()
    return Found(x, factor, comparison, defined.frames, defined.watch)


def _stays(session: Session, found: Found) -> bool:
    """Whether every element that differs goes on to when inputs move a little: on an open set, that is, and no rounding."""
    for seed in range(MOVES):
        moved = session.layout.on_data(functools.partial(rounding.perturbed, seed=seed), found.x)
        again = _where_defined(session, moved)
        pairs = list(zip(found.frames, again.frames, strict=False))
        if again.watch.overflows != found.watch.overflows or not all(bool((~was | now).all()) for was, now in pairs):
            return False
    return True


def _in_words(found: Found) -> str:
    """`...: log is undefined in the stream, at inputs 64 times as large`."""
    difference, watch = found.comparison.difference, found.watch
    large = "" if found.factor == 1 else f", at inputs {found.factor:g} times as large"
    numbers = (difference.got, difference.expected) if difference else ()
    nowhere = [isinstance(number, float) and math.isnan(number) for number in numbers]
    if any(nowhere):
        name = watch.undefined[not nowhere[0]]
        why = f"{name or 'a function'} is undefined there in the {'stream' if nowhere[0] else 'clip'}"
    else:
        name = watch.undefined[0] or watch.undefined[1]
        why = f"{name} is undefined there on the way" if name else "something overflows there" if watch.overflows else ""
    return f"{difference}{': ' if why else ''}{why}{large}"
