"""`verify`: baseline, timing, the named checks, findings; then the first counterexample is shrunk, located, and made
repeatable.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import torch

from coequal.equivalence import baseline, findings
from coequal.equivalence.bench import Bench, Example
from coequal.equivalence.checks import CHECKS, Skip, run_once
from coequal.equivalence.compare import Mismatch
from coequal.equivalence.decide import BOUND, Decision, Exactly
from coequal.equivalence.errors import BadSubject
from coequal.equivalence.exact import one_thread
from coequal.equivalence.locate import locate
from coequal.equivalence.measure import measure, short_clip
from coequal.equivalence.proving import EXACT, prove, replay
from coequal.equivalence.regions import Regions
from coequal.equivalence.replay import command, examples_to_replay
from coequal.equivalence.report import Check, Counterexample, Finding, RegionVerdict, Relation, Report, Verdict
from coequal.equivalence.runner import StreamRaised
from coequal.equivalence.schedule import Chunks
from coequal.equivalence.shrink import shrink
from coequal.equivalence.subject import Subject

SHARE = {"quick": 6.0, "normal": 20.0}  # seconds after which a check stops trying further examples (never its first)
NOT_PROVED = "exact arithmetic was not asked for: agreement was sampled, not proved"


@dataclass
class Attempt:
    """What became of one check, with the example that failed."""

    check: Check
    example: Example | None = None
    mismatch: Mismatch | None = None
    notes: list[str] = field(default_factory=list)
    compared: str = ""  # the check that repeats the example, if it is another one

    @property
    def repeats(self) -> str:
        """The check whose comparison the example is one of."""
        return self.compared or self.check.name


def verify(
    subject: Subject,
    *,
    target: str | None = None,
    seed: int = 0,
    checks: Iterable[str] | None = None,
    effort: str = "normal",
    timeout: float | None = None,
    length: int | None = None,
    batch: int | None = None,
    scale: float | None = None,
    chunks: Chunks | None = None,
    bound: float = BOUND,
    literal: bool = False,
) -> Report:
    """Compare a subject's stream with its clip function.

    `checks`: names of checks to run (all). `bound`: greatest probability of a wrong proof. `literal`: constants are the
    floats that they are. `effort`: "quick" or "normal". `timeout`: seconds after which no further example is tried.
    `length` (frames), `batch` (rows), `scale` (of drawn weights) and `chunks` repeat a single comparison with `seed`.
    BadSubject: nothing can be compared, in one line.
    """
    begin = time.monotonic()
    names, exactly = _names(checks), Exactly(bound, literal)
    if not 0 < bound < 1:
        raise BadSubject(f"verify: bound is a probability between 0 and 1, got {bound!r}")
    if effort not in SHARE:
        raise BadSubject(f"verify: effort is 'quick' or 'normal', got {effort!r}")
    baseline.check_subject(subject)
    replayed = {"length": length, "batch": batch, "scale": scale, "chunks": None if chunks is None else tuple(chunks)}
    report = Report(target or subject.name or "subject", Verdict.UNDECIDED, seed=seed)
    bench = Bench(subject, seed)
    with _left_alone(), one_thread(bench), bench.ready(), torch.no_grad():
        facts = baseline.establish(bench)
        report.notes += [*subject.notes, *facts.notes]
        report.findings += facts.findings
        report.relation = Relation(
            "stream" if subject.window is None else "window", subject.window, subject.offset, subject.emits
        )
        replaying = any(value is not None for value in replayed.values())
        if not replaying:
            report.timing = measure(bench)
            bench.reach = baseline.reach_of(bench, report.timing)
            bench.regions = Regions(report.timing)
            baseline.owes(bench)
        deadline = None if timeout is None else begin + 0.9 * timeout
        sampled = () if facts.random else tuple(name for name in names if name != EXACT)
        attempts = _attempts(bench, sampled, effort, deadline, replayed if replaying else None)
        decision = None
        if EXACT in names and not facts.undecided:
            again = replayed if replaying else None
            attempt, decision = _exact(bench, report, attempts, effort, deadline, again, exactly)
            attempts.append(attempt)
        report.checks = [attempt.check for attempt in attempts]
        if subject.window is None and not replaying:
            report.regions = _regions(bench)
        failed = next((a for a in attempts if a.mismatch is not None and a.check.outcome == "different"), None)
        if failed is not None and not replaying:
            failed = _smaller(bench, failed, exactly)
        if not replaying and checks is None:
            quality = findings.look(bench, report.timing, effort, failed is None)
            report.findings += quality.findings
            report.quality = quality.quality
            if (short := short_clip(bench, report.timing)) is not None:
                report.quality["short_clip"] = short
        report.weights = findings.describe_weights(bench)
        if bench.lossy[0]:
            report.findings.append(findings.lossy(bench.lossy[1]))
        if failed is not None:
            report.counterexample = _counterexample(bench, failed, target, exactly)
    report.findings = [_allowed(finding, subject) for finding in report.findings]
    _conclude(report, facts.undecided, decision)
    report.seconds = time.monotonic() - begin
    return report


def _names(checks: Iterable[str] | None) -> tuple[str, ...]:
    if checks is None:
        return (*CHECKS, EXACT)
    names = (checks,) if isinstance(checks, str) else tuple(checks)
    for name in names:
        if name not in (*CHECKS, EXACT):
            raise BadSubject(f"there is no check {name!r}; checks: {', '.join((*CHECKS, EXACT))}")
    return names


def _exact(
    bench: Bench, report: Report, attempts: list[Attempt], effort: str, deadline: float | None, replayed: dict | None,
    exactly: Exactly,
) -> tuple[Attempt, Decision | None]:  # fmt: skip
    """The check `exact`: in full, or the one comparison that is replayed; not after a difference on floats."""
    if EXACT in bench.subject.allow:
        return Attempt(Check(EXACT, "waived", 0, "the subject allows it")), None
    if any(attempt.check.outcome == "different" for attempt in attempts):
        return Attempt(Check(EXACT, "skipped", 0, "not run: floats differ already")), None
    only = None
    if replayed is not None:
        given = {key: value for key, value in replayed.items() if value is not None and key != "scale"}
        only = replace(Example(bench.example_length, bench.batch, bench.seed), **given)
    check, decision, example, mismatch = prove(bench, report.timing, effort, exactly, deadline, only)
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


def _attempts(
    bench: Bench, names: Iterable[str], effort: str, deadline: float | None, replayed: dict | None
) -> list[Attempt]:
    """Every check in turn. Once `values` differs the others could only say so again."""
    attempts: list[Attempt] = []
    for name in names:
        if name in bench.subject.allow:
            attempts.append(Attempt(Check(name, "waived", 0, "the subject allows it")))
        elif attempts and attempts[0].check.name == "values" and attempts[0].check.outcome == "different":
            attempts.append(Attempt(Check(name, "skipped", 0, "not run: `values` differs already")))
        else:
            attempts.append(_attempt(bench, name, effort, deadline, replayed))
    return attempts


def _attempt(bench: Bench, name: str, effort: str, deadline: float | None, replayed: dict | None) -> Attempt:
    """One check over its examples, up to the first difference."""
    spec, count, skipped, begin, notes = CHECKS[name], 0, [], time.monotonic(), []
    examples = spec.examples(bench, effort) if replayed is None else examples_to_replay(bench, name, effort, replayed)
    for tried, example in enumerate(examples):
        late = deadline is not None and time.monotonic() > deadline
        if tried and (late or time.monotonic() - begin > SHARE[effort]):
            notes.append(f"stopped after {tried} examples: time")
            break
        outcome = run_once(bench, name, example)
        if isinstance(outcome, Mismatch):
            return Attempt(Check(name, "different", count + 1, str(outcome)), example, outcome)
        if isinstance(outcome, Skip):
            skipped.append(str(outcome))
        elif outcome > 0:
            count += 1
    if count == 0:
        reason = skipped[0] if skipped else "no example had anything to compare"
        return Attempt(Check(name, "skipped" if skipped else "undecided", 0, reason))
    return Attempt(Check(name, "passed", count, "; ".join(notes + sorted(set(skipped))[:1])))


def _smaller(bench: Bench, failed: Attempt, exactly: Exactly) -> Attempt:
    assert failed.example is not None

    def compare(smaller: Example) -> object:
        return replay(bench, smaller, exactly) if failed.repeats == EXACT else run_once(bench, failed.repeats, smaller)

    example, mismatch = shrink(failed.example, compare, bench.plan, failed.mismatch)
    return Attempt(failed.check, example, mismatch, compared=failed.compared)


def _counterexample(bench: Bench, failed: Attempt, target: str | None, exactly: Exactly) -> Counterexample:
    example, mismatch = failed.example, failed.mismatch
    assert example is not None
    assert mismatch is not None
    where = locate(bench, failed.repeats, example, mismatch.frame, exactly)
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
        schedule={key: value for key, value in vars(example).items() if value not in (None, "")},
    )


def _allowed(finding: Finding, subject: Subject) -> Finding:
    return Finding(finding.name, finding.severity, finding.detail, allowed=finding.name in subject.allow)


def _conclude(report: Report, undecided: list[str], decision: Decision | None) -> None:
    """The verdict from the outcomes; a comparison that nothing could fail decides nothing."""
    outcomes = [check.outcome for check in report.checks]
    if "different" in outcomes:
        report.verdict = Verdict.DIFFERENT
        report.notes += decision.reasons if decision is not None else []
    elif undecided or "passed" not in outcomes:
        report.verdict = Verdict.UNDECIDED
        report.reasons += undecided or [f"{c.name}: {c.detail}" for c in report.checks][:5]
    elif decision is not None and decision.outcome == "equal":
        report.verdict = Verdict.PROVED
    else:
        report.verdict = Verdict.TESTED
        report.reasons += [NOT_PROVED] if decision is None else decision.reasons
