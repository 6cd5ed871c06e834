"""`verify`: baseline, timing, the named checks, exact arithmetic, findings; then the first counterexample is shrunk,
located, and made repeatable.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from dataclasses import replace

import torch

from coequal.equivalence import baseline, conclude, findings
from coequal.equivalence.attempts import Attempt, Attempts
from coequal.equivalence.bench import Bench, Example
from coequal.equivalence.checks import CHECKS, run_once
from coequal.equivalence.compare import Mismatch
from coequal.equivalence.decide import BOUND, Decision, Exactly
from coequal.equivalence.errors import BadSubject
from coequal.equivalence.exact import one_thread
from coequal.equivalence.explain import told
from coequal.equivalence.locate import locate
from coequal.equivalence.measure import short_clip
from coequal.equivalence.proving import EXACT, prove, replay, settle
from coequal.equivalence.regions import Regions
from coequal.equivalence.replay import command
from coequal.equivalence.report import Check, Counterexample, MeasuredTiming, RegionVerdict, Relation, Report, Verdict
from coequal.equivalence.runner import StreamRaised
from coequal.equivalence.schedule import Chunks
from coequal.equivalence.shrink import shrink
from coequal.equivalence.subject import Subject


def verify(
    subject: Subject,
    *,
    target: str | None = None,
    seed: int = 0,
    checks: str | Iterable[str] | None = None,
    effort: str = "normal",
    timeout: float | None = None,
    length: int | None = None,
    batch: int | None = None,
    scale: float | None = None,
    chunks: Chunks | None = None,
    format: str | None = None,
    bound: float = BOUND,
    literal: bool = False,
) -> Report:
    """Compare a subject's stream with its clip function.

    `checks`: names of checks to run, or one name (all). `bound`: greatest probability of a wrong proof. `literal`: constants
    are the floats that they are. `effort`: "quick" or "normal". `timeout`: seconds after which no further example is tried.
    `length` (frames), `batch` (rows), `scale` (of drawn weights), `chunks` and `format` ("float32") repeat a single
    comparison with `seed`. BadSubject: nothing can be compared, in one line.
    """
    begin = time.monotonic()
    names, exactly = _names(checks), Exactly(bound, literal)
    _check_options(bound, effort, format)
    baseline.check_subject(subject)
    given = {"length": length, "batch": batch, "scale": scale, "chunks": chunks and tuple(chunks), "format": format}
    replayed = given if any(value is not None for value in given.values()) else None
    report = Report(target or subject.name or "subject", Verdict.UNDECIDED, seed=seed)
    bench = Bench(subject, seed)
    with _left_alone(), one_thread(bench), bench.ready(), torch.no_grad():
        facts = baseline.establish(bench)
        report.notes += [*subject.notes, *facts.notes]
        report.findings += facts.findings
        report.relation = Relation(
            "stream" if subject.window is None else "window", subject.window, subject.offset, subject.emits
        )
        if replayed is None:
            report.timing = baseline.timing_of(bench)
            bench.reach = baseline.reach_of(bench, report.timing)
            bench.regions = Regions(report.timing)
            baseline.owes(bench, report.timing)
        deadline = None if timeout is None else begin + 0.9 * timeout
        attempts = Attempts(bench, effort, deadline, replayed)
        attempts.run(() if facts.random else tuple(name for name in names if name != EXACT))
        decision = None
        if EXACT in names and not facts.undecided:
            attempt, decision = _exact(bench, report, attempts, exactly)
            attempts.made.append(attempt)
        report.findings += settle(bench, attempts.made, exactly)
        report.checks = [attempt.check for attempt in attempts.made]
        if subject.window is None and replayed is None:
            report.regions = _regions(bench)
        failed = next((attempt for attempt in attempts.made if attempt.different), None)
        if failed is not None and replayed is None:
            failed = _smaller(bench, failed, exactly)
        report.findings += conclude.problems(bench, attempts)
        if replayed is None and checks is None:
            quality = findings.look(bench, report.timing, effort, not any(a.different or a.finer for a in attempts.made))
            report.findings += quality.findings
            report.quality = quality.quality
            if (short := short_clip(bench, report.timing)) is not None:
                report.quality["short_clip"] = short
        report.weights = findings.describe_weights(bench)
        report.findings += findings.of_rounding(bench)
        shown = failed or next((attempt for attempt in attempts.made if attempt.mismatch is not None), None)
        if shown is not None:
            report.counterexample = _counterexample(bench, shown, target, exactly, report.timing)
        report.findings = [replace(finding, allowed=finding.name in subject.allow) for finding in report.findings]
        conclude.conclude(report, bench, facts, attempts, decision)
    report.seconds = time.monotonic() - begin
    return report


def _names(checks: str | Iterable[str] | None) -> tuple[str, ...]:
    if checks is None:
        return (*CHECKS, EXACT)
    names = (checks,) if isinstance(checks, str) else tuple(checks)
    for name in names:
        if name not in (*CHECKS, EXACT):
            raise BadSubject(f"there is no check {name!r}; checks: {', '.join((*CHECKS, EXACT))}")
    return names


def _check_options(bound: float, effort: str, format: str | None) -> None:
    if not 0 < bound < 1:
        raise BadSubject(f"verify: bound is a probability between 0 and 1, got {bound!r}")
    if effort not in ("quick", "normal"):
        raise BadSubject(f"verify: effort is 'quick' or 'normal', got {effort!r}")
    dtype = torch.float64 if format is None else getattr(torch, format, None)
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise BadSubject(f"verify: format is a floating-point format of torch, like 'float32', got {format!r}")


def _exact(bench: Bench, report: Report, attempts: Attempts, exactly: Exactly) -> tuple[Attempt, Decision | None]:
    """The check `exact`: in full, or the one comparison that is replayed; not after a difference on floats."""
    if EXACT in bench.subject.allow:
        return Attempt(Check(EXACT, "waived", 0, "the subject allows it")), None
    if any(attempt.different for attempt in attempts.made):
        return Attempt(Check(EXACT, "skipped", 0, "not run: floats differ already")), None
    if attempts.dependent:
        return Attempt(Check(EXACT, "skipped", 0, "not run: fresh streams depend on what ran before them")), None
    only = None
    if attempts.replayed is not None:
        kept = {k: v for k, v in attempts.replayed.items() if v is not None and k not in ("scale", "format")}
        only = replace(Example(bench.example_length, bench.batch, bench.seed), **kept)
    check, decision, example, mismatch = prove(bench, report.timing, attempts.effort, exactly, attempts.deadline, only)
    report.proof = decision.to_dict()
    name = EXACT if mismatch is decision.mismatch else "values"
    return Attempt(check, example, mismatch, compared=name), decision


class _left_alone:
    """The user's random state is left as it was."""

    def __enter__(self) -> None:
        self.state = torch.get_rng_state()

    def __exit__(self, *_: object) -> None:
        torch.set_rng_state(self.state)


def _regions(bench: Bench) -> dict[str, RegionVerdict]:
    """Verdicts of head, interior and tail. A check ends at its first difference: here whole streams are counted."""
    for i in range(3):
        length = bench.legal(3 * bench.reach + 4 + i)
        example = Example(length, bench.batch, bench.seed + 700 + i, bench.scale)
        with contextlib.suppress(Mismatch, StreamRaised), bench.weights(example):
            x = bench.inputs(length, example.batch, example.seed)
            bench.compare(x, bench.play(x))
    return bench.regions.verdicts()


def _smaller(bench: Bench, failed: Attempt, exactly: Exactly) -> Attempt:
    assert failed.example is not None

    def compare(smaller: Example) -> object:
        if failed.repeats != EXACT:
            return run_once(bench, failed.repeats, smaller)
        return replay(bench, smaller, replace(exactly, first=True))  # no other reading made the whole equal

    example, mismatch = shrink(failed.example, compare, bench.plan, failed.mismatch)
    return replace(failed, example=example, mismatch=mismatch)


def _counterexample(
    bench: Bench, failed: Attempt, target: str | None, exactly: Exactly, timing: MeasuredTiming
) -> Counterexample:
    example, mismatch = failed.example, failed.mismatch
    assert example is not None
    assert mismatch is not None
    with bench.in_format(example.format) as here:
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
        words=told(bench, failed.repeats, example, timing),
        schedule={key: value for key, value in vars(example).items() if value not in (None, "")},
    )
