"""What a suite found: the reports of its families, and the findings that are one mistake in several of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from coequal.equivalence.campaigns.found import OUTCOMES, FamilyReport, Finding
from coequal.equivalence.causes import Cause
from coequal.equivalence.report import Report

NUMBERS = "other numbers"  # a kind that says nothing of the mistake


@dataclass(frozen=True)
class Shared:
    """A finding of a family, and the other families that fail in the same way."""

    family: FamilyReport
    finding: Finding
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class SuiteReport:
    """The answer to a search of all families of a library."""

    target: str
    library: str  # with its version
    families: tuple[FamilyReport, ...]
    left_out: tuple[str, ...] = ()  # families for which there was no time
    seconds: float = 0.0
    seed: int = 0

    @property
    def counts(self) -> dict[str, int]:
        """Configurations by outcome, in the order of OUTCOMES."""
        found = sum((Counter(family.counts) for family in self.families), Counter[str]())
        return {outcome: found[outcome] for outcome in OUTCOMES if found[outcome]}

    @property
    def warnings(self) -> dict[str, int]:
        """What Python's warnings said, and in how many configurations, the most frequent first."""
        said = sum((Counter(family.warnings) for family in self.families), Counter[str]())
        return dict(said.most_common())

    @property
    def findings(self) -> tuple[Shared, ...]:
        """Each mistake once: what raises or is a problem in the same words is one, in whatever families."""
        found: dict[Any, Shared] = {}
        for family in self.families:
            for number, finding in enumerate(family.findings):
                key = _in_words(finding.cause) or (family.target, number)
                known = found.setdefault(key, Shared(family, finding))
                if known.finding is not finding and family.target not in (known.family.target, *known.others):
                    found[key] = replace(known, others=(*known.others, family.target))
        return tuple(found.values())

    def exit_code(self) -> int:
        """The worst of its families'; families of which nothing was compared count where all are such."""
        codes = [family.exit_code() for family in self.families if family.compared]
        return next((code for code in (1, 3, 0) if code in codes), 3)

    def replacing(self, change: Callable[[Report], Report]) -> SuiteReport:
        """With other reports of the smallest configurations."""
        return replace(self, families=tuple(family.replacing(change) for family in self.families))

    def to_dict(self) -> dict[str, Any]:
        """The report as plain data."""
        about = {"target": self.target, "library": self.library, "counts": self.counts, "warnings": self.warnings}
        about["left_out"] = list(self.left_out)
        shared = [
            {"family": one.family.target, "cause": str(one.finding.cause), "others": list(one.others)}
            for one in self.findings
        ]
        rest = {"seconds": self.seconds, "seed": self.seed, "families": [family.to_dict() for family in self.families]}
        return {**about, "findings": shared, **rest}


def _in_words(cause: Cause) -> Cause | None:
    """A cause that says what is wrong."""
    return None if cause.kind == NUMBERS else cause
