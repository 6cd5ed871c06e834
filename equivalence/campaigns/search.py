"""The search of a family: draw, examine, group failures by cause, shrink each to its smallest configuration.

How configurations are examined, one after the other or by many processes at once, is handed in: the answer is the same.
"""

from __future__ import annotations

import contextlib
import math
import shlex
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from coequal.equivalence.campaigns import drawing
from coequal.equivalence.campaigns.drawing import Configuration
from coequal.equivalence.campaigns.families import Broken, Family, Refused, checks_for
from coequal.equivalence.campaigns.found import FamilyReport, Finding, Tried
from coequal.equivalence.campaigns.spelling import spelled, value_in_words
from coequal.equivalence.causes import Cause, cause_of, without_numbers
from coequal.equivalence.options import Options
from coequal.equivalence.report import Report
from coequal.equivalence.run.budget import Budget
from coequal.equivalence.verify import verify
from coequal.subjects.errors import BadSubject, OutOfMemory
from coequal.subjects.subject import Subject


@dataclass(frozen=True)
class Asked:
    """What is wanted of a search."""

    count: int = 40  # configurations
    options: Options = field(default_factory=lambda: Options(effort="quick"))
    require: str | None = None
    target: str = "family"  # how reports call the family
    again: str | None = None  # how printed commands call it, with their options; None: they are in Python
    prepare: Callable[[Any], Subject] | None = None  # what makes a Subject of what the family returns
    seconds: float = math.inf  # on the clock, for all of it
    apart: bool = False  # a failure of the same cause without what the smallest one needs is another finding


Numbered = Iterable[tuple[int, Configuration]]
Run = Callable[[Numbered], Generator[Tried, None, None]]  # examines them all, in any order; closed, it stops
Progress = Callable[[str, int, int], None]  # what is done, how many of it, of how many


def in_turn(family: Family, asked: Asked) -> Run:
    """One after the other, in this process."""
    return lambda configurations: (examined(family, asked, number, values) for number, values in configurations)


def search(family: Family, asked: Asked, run: Run | None = None, progress: Progress = lambda *_: None) -> FamilyReport:
    """Examine a family's configurations, and find the smallest one of each cause of failure.

    Args:
        family: What draws and builds them.
        asked: How many, with which checks, and what is accepted.
        run: What examines them, in any order and in whatever processes; by default one after the other, in this one.
        progress: Told after each configuration.

    Returns:
        The report, configurations by number.

    Raises:
        BadSubject: The family is no family.
    """
    begin, budget, seed = time.monotonic(), Budget(clock=time.monotonic() + asked.seconds), asked.options.seed
    run = in_turn(family, asked) if run is None else run
    planned = list(drawing.distinct(family.configurations, seed, asked.count))
    tried: list[Tried] = []
    with contextlib.closing(run(planned)) as running:
        for one in running:
            tried.append(one)
            progress("configurations", len(tried), len(planned))
            if budget.spent:
                break
    tried.sort(key=lambda one: one.number)
    stopped = f"stopped after {len(tried)} of {len(planned)} configurations: time" if len(tried) < len(planned) else ""
    findings = tuple(_findings(family, asked, tried, run, budget, progress))
    return FamilyReport(asked.target, tuple(tried), findings, time.monotonic() - begin, seed, asked.count, stopped)


def examined(family: Family, asked: Asked, number: int, configuration: Configuration) -> Tried:
    """What becomes of one configuration.

    Args:
        family: What builds it.
        asked: With which checks, and what is accepted.
        number: Under which it was drawn.
        configuration: A value for each option.

    Returns:
        Its outcome. What the library refuses is `refused`, with the reason; a stream that cannot be run where its clip
        function can is `raised`; what ends the program, or takes more memory than there is, is `died`.
    """
    begin = time.monotonic()
    words = {name: value_in_words(value) for name, value in configuration.items()}

    def tried(outcome: str, detail: str = "", cause: Cause | None = None, report: Report | None = None) -> Tried:
        return Tried(number, words, outcome, time.monotonic() - begin, cause, detail, report)

    checks = asked.options.checks or checks_for(asked.require)
    try:
        subject = family.subject(configuration, asked.options.seed, asked.prepare)
        try:
            report = verify(subject, replace(asked.options, checks=checks), target=_again(asked, spelled(configuration)))
        except BadSubject as error:
            return tried("raised", str(error), Cause("raised", "", without_numbers(str(error))))
    except Refused as refused:
        return tried("refused", str(refused))
    except Broken as broken:
        return tried("raised", str(broken), Cause("raised", "", without_numbers(str(broken))))
    except (SystemExit, OutOfMemory) as error:
        exits = isinstance(error, SystemExit)
        said = f"the program called sys.exit({error.code!r})" if isinstance(error, SystemExit) else f"out of memory: {error}"
        return tried("died", said, Cause("died", "", "sys.exit" if exits else "out of memory"))
    cause = cause_of(report, asked.require)
    report = replace(report, target=f"{asked.target}[{spelled(configuration)}]")
    if cause is None:
        return tried(report.verdict.value)
    outcome = "problem" if report.problems and report.verdict != "different" else report.verdict.value
    return tried(outcome, str(cause), cause, report)


def _again(asked: Asked, name: str) -> str | None:
    """The beginning of a line for the shell that is about one configuration."""
    if asked.again is None:
        return None
    target, *options = shlex.split(asked.again)
    return shlex.join([f"{target}[{name}]", *options])


def _command(asked: Asked, name: str) -> str:
    """The line for the shell that verifies one configuration; empty where the target is in Python."""
    again, seed = _again(asked, name), asked.options.seed
    return "" if again is None else f"coequal verify {again}{f' --seed {seed}' * bool(seed)}"


def _findings(
    family: Family, asked: Asked, tried: list[Tried], run: Run, budget: Budget, progress: Progress
) -> Iterator[Finding]:
    """Each cause once, the first that was seen first; what shrinking comes upon is examined in its turn."""
    known = {one.name: one for one in tried}
    waiting = [one for one in tried if one.cause is not None]
    told = list[_Told]()
    simplest = drawing.drawn(family.configurations, asked.options.seed, 0)
    while waiting:
        first = waiting.pop(0)
        cause = first.cause
        if cause is None or any(one.explains(first) for one in told):
            continue
        before, others, group = len(known), tuple(told), _grouped(cause, asked)

        def alike(one: Tried, group: Cause = group, others: tuple[_Told, ...] = others) -> bool:
            same = one.cause is not None and _grouped(one.cause, asked) == group
            return same and not any(other.explains(one) for other in others)

        def holds(configuration: Configuration, number: int = first.number, alike: Callable[[Tried], bool] = alike) -> bool:
            name = spelled(configuration)
            if name not in known and not budget.spent:
                (known[name],) = run([(number, configuration)])
                waiting.append(known[name])
                progress("making findings small", len(known) - len(tried), 0)
            return name in known and alike(known[name])

        least = known[spelled(drawing.smallest(family.configurations, asked.options.seed, first.number, holds))]
        if not alike(least):  # `first` was come upon: its number draws the configuration that was made small then
            least = first
        small = asked.apart and not budget.spent  # else nobody knows which options it needs
        told.append(_Told.of(group, least, simplest) if small else _Told(group))
        count = sum(alike(one) and told[-1].explains(one) for one in tried)
        yield Finding(cause, count, first, least, len(known) - before, _command(asked, least.name))


def _grouped(cause: Cause, asked: Asked) -> Cause:
    """What failures are grouped by: where options tell them apart, the place in which they are seen does not."""
    return replace(cause, place="") if asked.apart else cause


@dataclass(frozen=True)
class _Told:
    """A cause that was told, and what its smallest configuration needs: options that are not as in the simplest one."""

    cause: Cause
    needed: tuple[tuple[str, str, str], ...] = ()  # those options, their simplest values, and those of the smallest

    @classmethod
    def of(cls, cause: Cause, least: Tried, simplest: Configuration) -> _Told:
        """Of the smallest configuration that was found."""
        words = {name: value_in_words(value) for name, value in simplest.items()}
        smallest = least.configuration
        return cls(cause, tuple((name, word, smallest[name]) for name, word in words.items() if smallest[name] != word))

    def explains(self, one: Tried) -> bool:
        """Whether a failure needs nothing else: it has the cause, and each of the options is as far from the simplest."""
        same = one.cause is not None and self.cause in (one.cause, replace(one.cause, place=""))
        return same and all(_as_far(one.configuration[name], *words) for name, *words in self.needed)


def _as_far(value: str, simplest: str, smallest: str) -> bool:
    """Whether a number is at least as far from the simplest one as another; of what is no number, whether it differs."""
    try:
        return 0 < (float(smallest) - float(simplest)) / (float(value) - float(simplest)) <= 1
    except (ValueError, ZeroDivisionError):
        return value != simplest
