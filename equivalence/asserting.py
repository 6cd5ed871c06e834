"""`coequal.assert_equal`: an assertion in any test, with or without pytest, under Hypothesis or not.

What fails says everything in its message, and shows nothing of this package in its traceback. pytest, where it runs, says by
the context what tests want unless they say it themselves, and takes notes of the reports.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any

from coequal.equivalence.causes import Cause, cause_of
from coequal.equivalence.options import chosen
from coequal.equivalence.report import REQUIRED, Check, Counterexample, Report, Verdict
from coequal.equivalence.verify import verify
from coequal.subjects.adapters.find import subject_of
from coequal.subjects.errors import BadSubject
from coequal.subjects.subject import Subject

MEANING = {
    Verdict.DIFFERENT: "the stream does not compute its clip function",
    Verdict.UNDECIDED: "the stream could not be run or observed well enough",
}


class NotEqual(AssertionError):
    """A stream is not accepted. The message is the whole explanation, `report` what it was made of."""

    def __init__(self, report: Report, require: str | None = None) -> None:
        super().__init__(explained(report, require))
        self.report = report


@functools.cache
def _not_equal(cause: Cause | None) -> type[NotEqual]:
    """A class for each cause: Hypothesis takes failures of one class and line for one, and shrinks them into one another."""
    return type(NotEqual.__name__, (NotEqual,), {"__module__": "coequal", "__doc__": str(cause)})


@dataclass(frozen=True)
class Context:
    """What tests want unless they say it themselves, and who wants to know what became of it."""

    effort: str = "quick"
    seed: int = 0
    require: str | None = None
    note: Callable[[Report], None] = lambda report: None

    @property
    def options(self) -> dict[str, Any]:
        """Options of a verification."""
        return {"effort": self.effort, "seed": self.seed}


CONTEXT: ContextVar[Context] = ContextVar("coequal")


@contextlib.contextmanager
def in_test(context: Context) -> Iterator[None]:
    """Within it, assertions take what they are not told from `context`."""
    token = CONTEXT.set(context)
    try:
        yield
    finally:
        CONTEXT.reset(token)


def assert_equal(what: Any, *, example: Any = None, require: str | None = None, **options: Any) -> Report:
    """Fail unless a stream computes its clip function.

    It is an assertion like any other: it needs no fixture, and may stand in a test of Hypothesis (`@given`), which then
    shrinks each cause by itself. Under pytest, the command line (`--coequal-require` and others) and the mark
    `@pytest.mark.coequal(...)` say what is not said here.

    Args:
        what: A Subject, or a module that an adapter recognises.
        example: A clip that the module accepts.
        require: The least verdict that is accepted: "within" (what `Subject.within` accepts; the default), "tested",
            "proved" (up to some length), or "proved-all" (for every length).
        **options: Those of `coequal.verify`; `effort` is "quick" unless it is said.

    Returns:
        The report, which is good news.

    Raises:
        NotEqual: An AssertionError with the whole explanation: the stream differs, has a problem of high severity, could not
            be decided, or is less than what is required.
        BadSubject: Nothing can be compared.
    """
    __tracebackhide__ = True
    context = CONTEXT.get(Context())
    required = context.require if require is None else require
    if required not in (None, *REQUIRED):
        raise BadSubject(f"assert_equal: require is one of {', '.join(REQUIRED)}, got {require!r}")
    report = _verified(what, example, {**context.options, **options})
    context.note(report)
    if report.exit_code(required):
        raise _not_equal(cause_of(report, required))(report, required)
    return report


def _verified(what: Any, example: Any, options: dict[str, Any]) -> Report:
    """The report. What cannot be compared is said without the way through this package."""
    __tracebackhide__ = True
    try:
        subject = what if isinstance(what, Subject) else subject_of(what, example)
        given = {} if what is not subject or example is None else {"example": example}
        return verify(replace(subject, **given), *chosen(**options))
    except BadSubject as error:
        bad, cause = BadSubject(str(error)), _theirs(error)
    raise bad from cause


def _theirs(error: BaseException) -> BaseException | None:
    """What the user's code raised in the first place, without the frames of this package; None: it raised nothing."""
    first = error
    while (before := first.__cause__ or first.__context__) is not None:
        first = before
    trace = without_ours(first.__traceback__)
    return None if first is error or trace is None else first.with_traceback(trace)


def without_ours(trace: TracebackType | None) -> TracebackType | None:
    """A traceback without the frames of this package."""
    if trace is None:
        return None
    rest = without_ours(trace.tb_next)
    if f"{trace.tb_frame.f_globals.get('__name__')}.".startswith("coequal."):
        return rest
    return TracebackType(rest, trace.tb_frame, trace.tb_lasti, trace.tb_lineno)


# -- in words ----------------------------------------------------------------------------------------------------------


def explained(report: Report, require: str | None = None) -> str:
    """Why a report is not accepted, in lines: what was found, what was looked at, and how to see it again."""
    return "\n".join(_lines(report, require))


def _lines(report: Report, require: str | None) -> Iterator[str]:
    count = len(report.problems)
    meaning = MEANING.get(report.verdict) or ("" if count else f"less than {require}, which is required")
    also = f"{count} problem{'s' * (count > 1)}" if count else ""
    yield f"{report.target} is {report.headline}: {'; '.join(filter(None, (meaning, also)))}"
    yield from (f"  {check.name}: {check.outcome}, {check.detail}" for check in report.checks if _bad(check))
    if report.counterexample is not None:
        yield from _counterexample(report.counterexample)
    yield from (f"  finding {finding.name} ({finding.severity}): {finding.detail}" for finding in report.findings)
    yield from (f"  because {reason}" for reason in report.reasons)
    if passed := [f"{check.name} ({check.examples})" for check in report.checks if check.outcome == "passed"]:
        yield f"  passed: {', '.join(passed)}"
    if report.counterexample is not None and report.counterexample.reproduce:
        yield f"  again: {report.counterexample.reproduce}"


def _bad(check: Check) -> bool:
    return check.outcome in ("different", "problem", "undecided")


def _counterexample(found: Counterexample) -> Iterator[str]:
    """Its facts, a line each."""
    rows = {
        "frame": found.frame,
        "region": found.region,
        "module": found.module,
        "expected": found.expected,
        "got": found.got,
        "in words": "; ".join(found.words),
        "depends": found.uses,
        "schedule": ", ".join(f"{name} {value}" for name, value in found.schedule.items()),
    }
    yield f"  counterexample, in the check {found.check}:"
    yield from (f"    {name:<9} {value}" for name, value in rows.items() if value not in (None, ""))
