"""What a search of a family found: plain data, without torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from coequal.equivalence.causes import Cause
from coequal.equivalence.report import Counterexample, Report, plain

GOOD = ("proved", "tested", "within", "refused")
OUTCOMES = (*GOOD, "undecided", "problem", "different", "raised", "died")  # in the order of their columns
WORST = ("different", "problem", "raised", "died")  # what makes the exit code 1


@dataclass(frozen=True)
class Tried:
    """What became of one configuration; `cause`: why it is not accepted, `detail` in words."""

    number: int
    configuration: dict[str, str]  # values in words
    outcome: str
    seconds: float = 0.0
    cause: Cause | None = None
    detail: str = ""
    report: Report | None = None  # of one that is not accepted
    warned: tuple[str, ...] = ()  # what Python's warnings said, each once

    @property
    def name(self) -> str:
        """The configuration as it is spelled."""
        return ", ".join(f"{name}={value}" for name, value in self.configuration.items())

    @property
    def counterexample(self) -> Counterexample | None:
        """That of its report, where there is one."""
        return None if self.report is None else self.report.counterexample


@dataclass(frozen=True)
class Finding:
    """One cause: how many configurations show it, the first of them, and the smallest that does."""

    cause: Cause
    count: int
    first: Tried
    smallest: Tried
    tried: int = 0  # configurations that were tried to make it small
    again: str = ""  # the command that examines the smallest by itself; "": it is in Python


@dataclass(frozen=True)
class FamilyReport:
    """The answer to a search of a family."""

    target: str
    tried: tuple[Tried, ...]
    findings: tuple[Finding, ...] = ()
    seconds: float = 0.0
    seed: int = 0
    asked: int = 0  # configurations
    stopped: str = ""  # why fewer were tried

    @property
    def counts(self) -> dict[str, int]:
        """Configurations by outcome, in the order of OUTCOMES."""
        found = Counter(tried.outcome for tried in self.tried)
        return {outcome: found[outcome] for outcome in OUTCOMES if found[outcome]}

    @property
    def compared(self) -> int:
        """Configurations that the library does not refuse."""
        return sum(count for outcome, count in self.counts.items() if outcome != "refused")

    @property
    def refusals(self) -> dict[str, int]:
        """Reasons why configurations were refused, the most frequent first."""
        return dict(Counter(tried.detail for tried in self.tried if tried.outcome == "refused").most_common())

    @property
    def warnings(self) -> dict[str, int]:
        """What Python's warnings said, and in how many configurations, the most frequent first."""
        return dict(Counter(said for tried in self.tried for said in tried.warned).most_common())

    def coverage(self) -> dict[str, dict[str, Counter[str]]]:
        """Option, value in words -> outcomes."""
        found: dict[str, dict[str, Counter[str]]] = {}
        for tried in self.tried:
            for option, value in tried.configuration.items():
                found.setdefault(option, {}).setdefault(value, Counter())[tried.outcome] += 1
        return found

    def exit_code(self) -> int:
        """0 good, 1 a difference, problem or death, 3 undecided, less than is required, or nothing was compared."""
        if any(finding.smallest.outcome in WORST for finding in self.findings):
            return 1
        return 3 if self.findings or not self.compared else 0

    def replacing(self, change: Callable[[Report], Report]) -> FamilyReport:
        """With other reports of the smallest configurations."""
        smallest = [finding.smallest for finding in self.findings]
        changed = [one if one.report is None else replace(one, report=change(one.report)) for one in smallest]
        findings = [replace(finding, smallest=one) for finding, one in zip(self.findings, changed, strict=True)]
        return replace(self, findings=tuple(findings))

    def to_dict(self) -> dict[str, Any]:
        """The report as plain data; reports are those of the smallest configurations alone."""
        from importlib.metadata import version

        tried = [asdict(replace(one, report=None)) for one in self.tried]
        findings = [asdict(finding) | {"first": asdict(replace(finding.first, report=None))} for finding in self.findings]
        rest = {"seconds": self.seconds, "seed": self.seed, "asked": self.asked, "stopped": self.stopped}
        counts = {"counts": self.counts, "refusals": self.refusals, "warnings": self.warnings}
        return plain(
            {"coequal": version("coequal"), "target": self.target, **counts, "findings": findings, "tried": tried, **rest}
        )
