"""One answer about several outputs: each is verified by itself, and the whole is worth what its worst part is."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

from coequal.equivalence.checks.exact import EXACT, in_words
from coequal.equivalence.report import Check, Finding, Outcome, RegionVerdict, Report, Verdict

WORST = (Verdict.DIFFERENT, Verdict.UNDECIDED, Verdict.WITHIN, Verdict.TESTED, Verdict.PROVED)
# what a check says of all of them: the first of these that is true of one
OUTCOMES: tuple[Outcome, ...] = ("different", "problem", "undecided", "passed", "waived", "skipped")


def of_all(reports: dict[str, Report]) -> Report:
    """The report of all outputs, by path; the conclusions (function, conduct) are still to be drawn."""
    first = next(iter(reports.values()))
    worst = min(reports.values(), key=lambda report: WORST.index(report.verdict))
    proof = _proof(reports)
    return dataclasses.replace(
        first,
        verdict=worst.verdict,
        seconds=sum(report.seconds for report in reports.values()),
        checks=_checks(reports, proof),
        regions=_regions(reports),
        findings=_findings(reports),
        counterexample=_counterexample(worst, reports),
        proof=proof,
        reasons=_said(reports, lambda report: report.reasons),
        notes=[f"outputs, each verified by itself: {', '.join(reports)}", *_said(reports, lambda report: report.notes)],
        scope=_scope(reports),
        quality=first.quality | {"distance": {path: report.quality.get("distance") for path, report in reports.items()}},
    )


def of(path: str, text: str) -> str:
    """A sentence about one of them."""
    return f"output `{path}`: {text}"


def _said(reports: dict[str, Report], texts: Callable[[Report], Iterable[str]]) -> list[str]:
    """Sentences, once where they are true of all."""
    said: dict[str, list[str]] = {}
    for path, report in reports.items():
        for text in texts(report):
            said.setdefault(text, []).append(path)
    return [text if len(paths) == len(reports) else of(", ".join(paths), text) for text, paths in said.items()]


def _checks(reports: dict[str, Report], proof: dict[str, Any] | None) -> list[Check]:
    checks = [_check(name, reports) for name in dict.fromkeys(c.name for r in reports.values() for c in r.checks)]
    if proof is None or proof["outcome"] != "equal":
        return checks
    said = in_words(proof["horizon"], proof["lengths"], proof["bound"])
    return [dataclasses.replace(c, detail=said, examples=len(proof["lengths"])) if c.name == EXACT else c for c in checks]


def _check(name: str, reports: dict[str, Report]) -> Check:
    every = {path: check for path, report in reports.items() for check in report.checks if check.name == name}
    found = {check.outcome for check in every.values()}
    outcome: Outcome = OUTCOMES[min(map(OUTCOMES.index, found))]
    alike = {path: check for path, check in every.items() if check.outcome == outcome}
    details = {check.detail for check in alike.values()}
    path, one = next(iter(alike.items()))
    same = len(alike) == len(reports) and len(details) == 1
    detail = one.detail if same or not one.detail else of(path, one.detail)
    return Check(name, outcome, sum(check.examples for check in every.values()), detail)


def _findings(reports: dict[str, Report]) -> list[Finding]:
    found: dict[tuple[Any, ...], list[str]] = {}
    for path, report in reports.items():
        for finding in report.findings:
            found.setdefault((finding.name, finding.severity, finding.detail, finding.allowed), []).append(path)
    return [
        Finding(name, severity, detail if len(paths) == len(reports) else of(", ".join(paths), detail), allowed)
        for (name, severity, detail, allowed), paths in found.items()
    ]


def _regions(reports: dict[str, Report]) -> dict[str, RegionVerdict]:
    merged: dict[str, RegionVerdict] = {}
    for report in reports.values():
        for name, region in report.regions.items():
            before = merged.get(name)
            if before is None:
                merged[name] = region
                continue
            different = before.different + region.different
            outcome = "different" if different else min(before.outcome, region.outcome)  # "equal" < "not compared"
            merged[name] = RegionVerdict(outcome, before.frames + region.frames, different)
    return merged


def _counterexample(worst: Report, reports: dict[str, Report]) -> Any:
    """That of the first of the worst, or of the first that has one."""
    ranked = sorted(reports.items(), key=lambda item: WORST.index(item[1].verdict))
    path, report = next(((p, r) for p, r in ranked if r.counterexample is not None), (None, None))
    if report is None or report.counterexample is None or path is None:
        return None
    return dataclasses.replace(report.counterexample, detail=of(path, report.counterexample.detail))


def _proof(reports: dict[str, Report]) -> dict[str, Any] | None:
    """All of them at once: the bounds add up, and a length counts that was compared for each."""
    proofs = {path: report.proof for path, report in reports.items() if report.proof is not None}
    if not proofs:
        return None
    every, first = list(proofs.values()), next(iter(proofs.values()))
    equal = len(proofs) == len(reports) and all(proof["outcome"] == "equal" for proof in every)
    outcome = next((proof["outcome"] for proof in every if proof["outcome"] != "equal"), "equal" if equal else "not decided")
    horizons = [proof["horizon"] for proof in every]
    finite = [horizon for horizon in horizons if horizon != "all"]
    states = {path: proof["state"] for path, proof in proofs.items() if proof.get("state")}
    state = next(iter(states.values()), "")
    return {
        **first,
        "outcome": outcome,
        "bound": min(1.0, sum(proof["bound"] for proof in every)),
        "horizon": min(finite) if finite else "all",
        "draws": max(proof["draws"] for proof in every),
        "primes": sorted({prime for proof in every for prime in proof["primes"]}),
        "applications": max(proof["applications"] for proof in every),
        "degree": max(proof["degree"] for proof in every),
        "lengths": sorted(set.intersection(*(set(proof["lengths"]) for proof in every))),
        "assumptions": list(dict.fromkeys(text for proof in every for text in proof["assumptions"])),
        "homomorphic": any(proof["homomorphic"] for proof in every),
        "state": state if len(set(states.values())) <= 1 else "; ".join(of(p, s) for p, s in states.items()),
        "seconds": sum(proof["seconds"] for proof in every),
    }


def _scope(reports: dict[str, Report]) -> dict[str, Any]:
    """What was run for any of them; exact lengths are those of all."""
    scopes = [report.scope for report in reports.values()]
    merged = dict(scopes[0])
    for key, value in merged.items():
        if isinstance(value, list) and key not in ("exact_lengths", "outputs"):
            merged[key] = list({repr(item): item for scope in scopes for item in scope[key]}.values())
    merged["exact_lengths"] = sorted(set.intersection(*(set(scope["exact_lengths"]) for scope in scopes)))
    return merged
