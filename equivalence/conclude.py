"""From what was found to what is said: four questions, one line each. Function, conduct, weights, scope."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from coequal.equivalence.checks import CHECKS
from coequal.equivalence.checks.attempts import Attempt, Attempts
from coequal.equivalence.checks.sharing import shared
from coequal.equivalence.findings.base import FINDINGS
from coequal.equivalence.observe.baseline import Baseline
from coequal.equivalence.prove.decision import Decision
from coequal.equivalence.report import Finding, Report, Verdict
from coequal.equivalence.run.scope import scope_of
from coequal.equivalence.run.session import Session

ONE_STREAM = "fresh streams depend on what ran before them: only the very first one could be compared"
NOT_PROVED = "exact arithmetic was not asked for: agreement was sampled, not proved"
ASPECTS = {
    "isolation": ("reset", "reuse", "reset-rows", "reorder", "clip-between", "isolation", "changes-parameters"),
    "ownership": ("input-reuse", "output-hold"),
    "copies": ("fork", "crop", "deepcopy", "pickle"),
}


def problems(session: Session, attempts: Attempts) -> list[Finding]:
    """A finding for each check of conduct and weights that failed, and for what kept the function from being seen."""
    found = [_problem(attempt) for attempt in attempts.made if attempt.check.outcome == "problem"]
    if session.facts.unread:
        names = ", ".join(session.facts.unread[:3]) + (", ..." if len(session.facts.unread) > 3 else "")
        detail = (
            f"the stream does not read its weights from `modules` ({names}): it is exported, fused, or holds copies. It was"
            " compared with the weights as they came; name no modules, or read them in each step"
        )
        found.append(Finding("own-weights", FINDINGS["own-weights"][0], detail))
    if attempts.dependent and not any(finding.name in ("reset", "reuse") for finding in found):
        found.append(Finding("isolation", "high", f"a fresh stream depends on earlier ones: {shared(session)}"))
    return found


def _problem(attempt: Attempt) -> Finding:
    name = attempt.check.name if CHECKS[attempt.check.name].kind != "function" else "isolation"
    return Finding(name, FINDINGS[name][0], attempt.check.detail)


def conclude(report: Report, session: Session, baseline: Baseline, attempts: Attempts, decision: Decision | None) -> Report:
    """With verdict, reasons, and the four lines."""
    scope = scope_of(session) | _of_the_proof(decision)
    return answered(_judged(replace(report, scope=scope), baseline, attempts, decision))


def answered(report: Report) -> Report:
    """With the lines that are drawn from checks and findings."""
    weights = report.weights | _weights(report)
    return replace(report, function=_function(report), conduct=_conduct(report), weights=weights)


def _judged(report: Report, baseline: Baseline, attempts: Attempts, decision: Decision | None) -> Report:
    """With the verdict and why it is no better. A comparison that nothing could fail decides nothing."""
    compared = [c for c in report.checks if c.name not in CHECKS or CHECKS[c.name].kind == "function"]
    undecided = [] if decision is None else decision.reasons
    if any(check.outcome == "different" for check in compared):
        return replace(report, verdict=Verdict.DIFFERENT, notes=[*report.notes, *undecided])
    if attempts.dependent and baseline.first and not baseline.undecided:
        return _because(report, Verdict.TESTED, [ONE_STREAM])
    if baseline.undecided or not any(check.outcome == "passed" for check in report.checks):
        reasons = baseline.undecided or [f"{c.name}: {c.detail}" for c in report.checks][:5]
        return _because(report, Verdict.UNDECIDED, [*reasons, *undecided])
    own = [
        f"what was proved is not seen there: {f.detail}" for f in report.findings if f.name == "own-format" and not f.allowed
    ]
    if decision is not None and decision.outcome == "equal" and not own:
        return replace(report, verdict=Verdict.PROVED)
    if own:
        return _because(report, Verdict.TESTED, own)
    return _because(report, Verdict.TESTED, [NOT_PROVED] if decision is None else undecided)


def _because(report: Report, verdict: Verdict, reasons: list[str]) -> Report:
    return replace(report, verdict=verdict, reasons=[*report.reasons, *reasons])


def _function(report: Report) -> dict[str, Any]:
    return {"outcome": report.verdict.value, "horizon": report.horizon, "text": report.headline}


def _conduct(report: Report) -> dict[str, Any]:
    """Of isolation, ownership and copies: fine, a problem, or not asked."""
    outcomes = {aspect: _aspect(report, names) for aspect, names in ASPECTS.items()}
    found = [name for names in ASPECTS.values() for name in names if _counts(report, name)]
    return {**outcomes, "problems": found, "text": _in_words(outcomes)}


def _counts(report: Report, name: str) -> bool:
    return any(f.name == name and not f.allowed and f.severity in ("high", "medium") for f in report.findings)


def _aspect(report: Report, names: tuple[str, ...]) -> str:
    if any(_counts(report, name) for name in names):
        return "problem"
    outcomes = {check.outcome for check in report.checks if check.name in names}
    return "fine" if "passed" in outcomes else "not asked"


def _in_words(outcomes: dict[str, str]) -> str:
    return ", ".join(f"{aspect} {outcome}" for aspect, outcome in outcomes.items())


def _weights(report: Report) -> dict[str, Any]:
    """What became of the checks that ask for names and for reloading."""
    outcomes = {check.name: check.outcome for check in report.checks if check.name in ("weights", "reload")}
    found = [name for name in ("weights", "reload", "own-weights") if _counts(report, name)]
    return {"outcomes": outcomes, "problems": found}


def _of_the_proof(decision: Decision | None) -> dict[str, Any]:
    if decision is None:
        return {"exact_lengths": [], "globals": [], "assumptions": []}
    return {
        "exact_lengths": list(decision.lengths),
        "globals": list(decision.globals),
        "assumptions": list(decision.assumptions),
    }
