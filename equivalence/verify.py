"""`verify`: baseline, timing, the named checks, exact arithmetic, findings; then the first counterexample is shrunk,
located, and made repeatable.
"""

from __future__ import annotations

import contextlib
import copy
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from coequal.equivalence import conclude
from coequal.equivalence.checks import CHECKS, run_once
from coequal.equivalence.checks.attempts import Attempt, Attempts
from coequal.equivalence.checks.exact import EXACT, UNKNOWN, prove, settle
from coequal.equivalence.checks.exact import replay as repeated
from coequal.equivalence.checks.replay import command
from coequal.equivalence.compare.difference import Mismatch
from coequal.equivalence.compare.field import one_thread
from coequal.equivalence.compare.floats import Floats, in_format
from coequal.equivalence.compare.regions import Regions
from coequal.equivalence.compare.relation import compare
from coequal.equivalence.counterexample.explain import told
from coequal.equivalence.counterexample.locate import locate
from coequal.equivalence.counterexample.shrink import shrink
from coequal.equivalence.findings.accelerators import short_products
from coequal.equivalence.findings.base import FINDINGS, Looked
from coequal.equivalence.findings.catalogue import look
from coequal.equivalence.findings.lifecycle import describe_weights
from coequal.equivalence.findings.numerics import of_overflows, of_rounding
from coequal.equivalence.findings.remedies import remedies
from coequal.equivalence.findings.scales import scales
from coequal.equivalence.memory.caches import looked_through_once
from coequal.equivalence.observe.baseline import establish, owed_of, reach_of, timing_of
from coequal.equivalence.observe.distance import distance_of
from coequal.equivalence.observe.timing import short_clip
from coequal.equivalence.options import Options, Replay
from coequal.equivalence.prove.beginnings import beginning_of, running_in
from coequal.equivalence.prove.decide import Exactly
from coequal.equivalence.prove.decision import Decision
from coequal.equivalence.report import Check, Counterexample, MeasuredTiming, RegionVerdict, Relation, Report, Verdict
from coequal.equivalence.run.examples import Example
from coequal.equivalence.run.player import StreamRaised
from coequal.equivalence.run.session import Session
from coequal.equivalence.run.short_products import whole
from coequal.equivalence.several import of_all
from coequal.subjects.errors import BadSubject, nearest
from coequal.subjects.subject import Subject
from coequal.subjects.validate import check_subject

USUAL = Options()


def verify(subject: Subject, options: Options = USUAL, replay: Replay | None = None, target: str | None = None) -> Report:
    """Compare a subject's stream with its clip function; a `replay` repeats one comparison with the seed of the options.

    `target`: how reports and printed commands call the subject. BadSubject: nothing can be compared, in one line.
    """
    _check_options(options, replay)
    check_subject(subject)
    _check_allowed(subject)
    replay = replay if replay is not None and replay.chosen else None
    begin = time.monotonic()
    first = _accepted(subject, options, replay, target, None)
    paths = first.scope["outputs"]
    if len(paths) < 2:
        return first
    reports = {paths[0]: first}
    for i, path in enumerate(paths[1:], 1):
        reports[path] = _accepted(subject, _in_time(options, begin, len(paths) - i), replay, target, path)
    return conclude.answered(of_all(reports))


def _in_time(options: Options, begin: float, left: int) -> Options:
    """Options for one of so many outputs that are still to be verified."""
    if options.timeout is None:
        return options
    return replace(options, timeout=max(1.0, (options.timeout - (time.monotonic() - begin)) / left))


def _accepted(subject: Subject, options: Options, replay: Replay | None, target: str | None, leaf: str | None) -> Report:
    """The report of one output. Where it differs, and the user accepts a distance, all is asked again with that."""
    report = _of_one(subject, options, replay, target, Looking(leaf))
    if subject.within is None or replay is not None or report.verdict is not Verdict.DIFFERENT:
        return report
    names = _names(options.checks)
    asked = replace(options, checks=tuple(name for name in names if name not in (EXACT, "integers", "gradients")))
    followed = 0 if report.proof is None else report.proof["followed"]
    again = _of_one(subject, asked, replay, target, Looking(leaf, Floats(within=subject.within), followed))
    shown = again.counterexample
    if again.verdict in (Verdict.DIFFERENT, Verdict.UNDECIDED):
        why = f"not within {subject.within:g} either: {shown.detail if shown is not None else again.reasons[0]}"
        return replace(report, reasons=[*report.reasons, why])
    reasons = [
        f"clip and stream are not the same function: {report.counterexample.detail if report.counterexample else ''}",
        f"no element was further off than {subject.within:g}, which the subject's `within` accepts",
    ]
    within = replace(
        again,
        verdict=Verdict.WITHIN,
        counterexample=report.counterexample,
        quality=again.quality | {"within": subject.within},
        seconds=again.seconds + report.seconds,
        reasons=reasons,
    )
    return conclude.answered(within)


@dataclass(frozen=True)
class Looking:
    """At which output (None: the first), with which numbers, and how far an earlier proof followed the memory."""

    leaf: str | None = None
    floats: Floats = field(default_factory=Floats)
    followed: int = 0


def _of_one(subject: Subject, options: Options, replay: Replay | None, target: str | None, looking: Looking) -> Report:
    """The report of one output."""
    begin, names, exactly = time.monotonic(), _names(options.checks), Exactly(options.bound, options.literal)
    fresh = Session(subject, options.seed, looking.floats)
    fresh = fresh if looking.leaf is None else fresh.looking_at(looking.leaf)
    with _left_alone(), looked_through_once(), whole(subject) as outside, one_thread(fresh), fresh.ready(), torch.no_grad():
        baseline = establish(fresh)
        session = baseline.session.knowing(running=running_in(baseline.session))
        session = session.knowing(beginning=beginning_of(session))
        session = session if replay is not None else _timed(session)
        timing = session.facts.timing if replay is None else MeasuredTiming()
        deadline = None if options.timeout is None else begin + 0.9 * options.timeout
        attempts = Attempts(session, options.effort, deadline, replay)
        attempts.run(() if baseline.random else tuple(name for name in names if name != EXACT))
        decision = None
        if EXACT in names and not baseline.undecided:
            attempt, decision = _exact(attempts, exactly)
            attempts.add(attempt)
            if replay is None and decision is not None and decision.followed:
                _far(attempts, decision)
        elif looking.followed:
            attempts.beyond(looking.followed)
        session = attempts.session
        findings = [*baseline.findings, *settle(attempts, exactly)]
        checks = [attempt.check for attempt in attempts.made]
        failed = next((attempt for attempt in attempts.made if attempt.different), None)
        count = subject.window is None and replay is None
        regions = _regions(session, attempts.noted.regions, failed is not None) if count else {}
        if failed is not None and replay is None:
            failed = _smaller(session, failed, exactly)
        findings += conclude.problems(session, attempts)
        looked = Looked()
        if replay is None and options.checks is None:
            fine = not attempts.dependent and not any(a.different or a.finer for a in attempts.made)
            looked = look(session, timing, options.effort, fine)
        measured = _measured(session, timing, options, replay)
        findings += [*looked.findings, *of_rounding(attempts.noted.rounded), *remedies(session, failed, replay, deadline)]
        findings += [*of_overflows(attempts.noted.overflows), *scales(session, failed, replay)]
        findings += short_products(session, outside) if replay is None else []
        shown = failed or next((attempt for attempt in attempts.made if attempt.mismatch is not None), None)
        report = Report(
            target or subject.name or "subject",
            Verdict.UNDECIDED,
            relation=_relation(subject),
            timing=timing,
            checks=checks,
            regions=regions,
            counterexample=None if shown is None else _counterexample(session, shown, target, exactly, timing),
            quality=looked.quality | {name: value for name, (value, _) in measured.items()},
            weights=describe_weights(session),
            proof=None if decision is None else decision.to_dict(),
            findings=[replace(finding, allowed=finding.name in subject.allow) for finding in findings],
            notes=[*subject.notes, *baseline.notes, *(note for _, note in measured.values() if note)],
            seed=options.seed,
        )
        report = conclude.conclude(report, session, baseline, attempts, decision)
    return replace(report, seconds=time.monotonic() - begin)


def _timed(session: Session[Floats]) -> Session[Floats]:
    """The session that knows its timing, how far back it reaches, and what it may owe."""
    timing = timing_of(session)
    session = session.knowing(timing=timing, reach=reach_of(session, timing))
    return session.knowing(owed=owed_of(session, timing))


def _relation(subject: Subject) -> Relation:
    return Relation("stream" if subject.window is None else "window", subject.window, subject.offset, subject.emits)


def _measured(
    session: Session[Floats], timing: MeasuredTiming, options: Options, replay: Replay | None
) -> dict[str, tuple[Any, str]]:
    """What is measured and not judged, with a note on it: what short clips give, how far off the stream is."""
    found: dict[str, tuple[Any, str]] = {}
    if replay is not None:
        return found
    if options.checks is None and (short := short_clip(session, timing)) is not None:
        found["short_clip"] = (short, "")
    if (distance := distance_of(session)) is not None:
        found["distance"] = (distance.to_dict(), str(distance))
    return found


def _names(checks: str | Iterable[str] | None) -> tuple[str, ...]:
    if checks is None:
        return (*CHECKS, EXACT)
    names = (checks,) if isinstance(checks, str) else tuple(checks)
    for name in names:
        if name not in (*CHECKS, EXACT):
            raise BadSubject(f"there is no check {name!r}; checks: {', '.join((*CHECKS, EXACT))}")
    return names


def _check_allowed(subject: Subject) -> None:
    """A typo would waive nothing, silently."""
    known = {*CHECKS, EXACT, *FINDINGS}
    for name in subject.allow:
        if name not in known:
            meant = nearest(name, known)
            hint = f": did you mean {meant!r}?" if meant else ""
            raise BadSubject(f"allow: no check or finding is called {name!r}{hint}")


def _check_options(options: Options, replay: Replay | None) -> None:
    if not 0 < options.bound < 1:
        raise BadSubject(f"verify: bound is a probability between 0 and 1, got {options.bound!r}")
    if options.effort not in ("quick", "normal"):
        raise BadSubject(f"verify: effort is 'quick' or 'normal', got {options.effort!r}")
    format = None if replay is None else replay.format
    dtype = torch.float64 if format is None else getattr(torch, format, None)
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise BadSubject(f"verify: format is a floating-point format of torch, like 'float32', got {format!r}")


def _exact(attempts: Attempts, exactly: Exactly) -> tuple[Attempt, Decision | None]:
    """The check `exact`: in full, or the one comparison that is replayed; not after a difference on floats."""
    session = attempts.session
    if EXACT in session.subject.allow:
        return Attempt(Check(EXACT, "waived", 0, "the subject allows it")), None
    if any(attempt.different for attempt in attempts.made):
        return Attempt(Check(EXACT, "skipped", 0, "not run: floats differ already")), None
    if attempts.dependent:
        return Attempt(Check(EXACT, "skipped", 0, "not run: fresh streams depend on what ran before them")), None
    only = None
    if attempts.replayed is not None:
        kept = {k: v for k, v in attempts.replayed.chosen.items() if k not in ("scale", "format")}
        only = replace(Example(session.example_length, session.batch, session.seed), **kept)
    check, decision, example, mismatch = prove(session, attempts.effort, exactly, attempts.deadline, only, attempts.noted)
    name = EXACT if mismatch is decision.mismatch else "values"
    return Attempt(check, example, mismatch, compared=name), decision


class _left_alone:
    """The user's random state is left as it was."""

    def __enter__(self) -> None:
        self.state = torch.get_rng_state()

    def __exit__(self, *_: object) -> None:
        torch.set_rng_state(self.state)


def _regions(session: Session[Floats], seen: Regions, different: bool) -> dict[str, RegionVerdict]:
    """Verdicts of head, interior and tail. A check ends at its first difference: here whole streams are counted, in the
    subject's own format where no check says that they are different.
    """
    verdicts = _counted(session, seen, None).verdicts()
    if different or session.native == session.dtype or not any(region.different for region in verdicts.values()):
        return verdicts
    return _counted(session, Regions(session.facts.timing), str(session.native).removeprefix("torch.")).verdicts()


def _counted(session: Session[Floats], seen: Regions, format: str | None) -> Regions:
    regions = copy.deepcopy(seen)
    for i in range(3):
        length = session.legal(3 * session.facts.reach + 4 + i)
        example = Example(length, session.batch, session.seed + 700 + i, session.facts.scale)
        with (
            contextlib.suppress(Mismatch, StreamRaised, BadSubject),
            in_format(session, format) as here,
            here.weights(example),
        ):
            x = here.inputs(length, example.batch, example.seed)
            regions.add(compare(here, x, here.play(x)).regions)
    return regions


def _far(attempts: Attempts, decision: Decision) -> None:
    """Checks are asked again as far as a proof followed the memory, which is none where one of them differs."""
    late = attempts.beyond(decision.followed)
    if late is not None:
        assert late.example is not None
        decision.fail(f"{late.check.name} differs in streams of {late.example.length} frames")
        proved = attempts.made[-1]
        check = replace(proved.check, outcome="undecided", detail=f"{UNKNOWN}: {decision.reasons[-1]}")
        attempts.made[-1] = replace(proved, check=check)


def _smaller(session: Session, failed: Attempt, exactly: Exactly) -> Attempt:
    assert failed.example is not None

    def once(smaller: Example) -> object:
        if failed.repeats != EXACT:
            return run_once(session, failed.repeats, smaller)
        return repeated(session, smaller, replace(exactly, first=True))  # no other reading made the whole equal

    example, mismatch = shrink(failed.example, once, session.plan, failed.mismatch, session.subject.batches)
    return replace(failed, example=example, mismatch=mismatch)


def _counterexample(
    session: Session, failed: Attempt, target: str | None, exactly: Exactly, timing: MeasuredTiming
) -> Counterexample:
    example, mismatch = failed.example, failed.mismatch
    assert example is not None
    assert mismatch is not None
    with in_format(session, example.format) as here:
        where = locate(here, failed.repeats, example, mismatch.frame, exactly)
    return Counterexample(
        check=failed.repeats,
        frame=mismatch.frame,
        module=where.module,
        expected=mismatch.expected,
        got=mismatch.got,
        reproduce=command(target, failed.repeats, example),
        detail=mismatch.detail,
        region=mismatch.region,
        uses=where.uses,
        words=told(session, failed.repeats, example, timing),
        schedule={key: value for key, value in vars(example).items() if value not in (None, "")},
    )
