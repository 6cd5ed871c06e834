"""What the harness says: verdict, checks, findings, counterexample. Never a bare bool."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Literal


class Verdict(StrEnum):
    """DESIGN: proved and tested are good news; different has a counterexample; undecided has reasons.

    `within`: different, and no further off than the user accepts. It is never called equal.
    """

    PROVED = "proved"
    TESTED = "tested"
    WITHIN = "within"
    DIFFERENT = "different"
    UNDECIDED = "undecided"


# what may be asked for: within (a distance that the user accepts), tested, proved at whatever horizon, for every length
CHUNKS = ("the size of the last chunk", "in which chunks frames came")  # what a memory may tell that a proof goes along with
REQUIRED = ("within", "tested", "proved", "proved-all")

Outcome = Literal["passed", "different", "problem", "skipped", "undecided", "waived"]
Severity = Literal["info", "low", "medium", "high"]


@dataclass(frozen=True)
class Check:
    """One named property and what became of it; `examples` counts the comparisons that could have failed."""

    name: str
    outcome: Outcome
    examples: int = 0
    detail: str = ""


@dataclass(frozen=True)
class Finding:
    """Something about numerics, conduct or weights: reported, never a reason for `different`."""

    name: str
    severity: Severity
    detail: str
    allowed: bool = False


@dataclass(frozen=True)
class Counterexample:
    """Where stream and clip part: shrunk, located, with a one-line reproduction that works."""

    check: str
    frame: int | None = None  # absolute index of the first differing output frame
    module: str | None = None  # first submodule whose output differs, by its dotted name
    expected: Any = None
    got: Any = None
    reproduce: str = ""
    detail: str = ""
    schedule: dict[str, Any] = field(default_factory=dict)  # length, batch, seed, chunks ...
    region: str = ""  # of the stream: head, interior, tail, both ends
    uses: str = ""  # which input frames the differing frame depends on, in clip and stream
    words: list[str] = field(default_factory=list)  # what can be said of all frames: "one frame late throughout"
    repeats: bool | None = None  # whether `reproduce` gave the same in a fresh process; None: it was not tried


@dataclass(frozen=True)
class Relation:
    """Which equality holds: `stream` (all frames, in order) or `window` (the last N frames), at which alignment."""

    kind: Literal["stream", "window", "unknown"] = "unknown"
    window: int | None = None
    offset: int = 0
    emits: str = "frames"


@dataclass(frozen=True)
class MeasuredTiming:
    """Measured by perturbation, in input frames; None where it could not be measured."""

    receptive_field: int | float | None = None
    stride: int | None = None
    delay: int | None = None
    causal: bool | None = None


@dataclass(frozen=True)
class RegionVerdict:
    """Head, interior or tail of the streams that were compared: `outcome` is equal, different or not compared."""

    outcome: str
    frames: int = 0
    different: int = 0


@dataclass(frozen=True)
class Report:
    """The answer to one `verify`: print it, read `.verdict`, or save `.to_json()`. Another one is `replace`d."""

    target: str
    verdict: Verdict
    seconds: float = 0.0
    relation: Relation = field(default_factory=Relation)
    timing: MeasuredTiming = field(default_factory=MeasuredTiming)
    checks: list[Check] = field(default_factory=list)
    regions: dict[str, RegionVerdict] = field(default_factory=dict)  # head, interior, tail; empty in window mode
    counterexample: Counterexample | None = None
    quality: dict[str, Any] = field(default_factory=dict)
    weights: dict[str, Any] = field(default_factory=dict)
    function: dict[str, Any] = field(default_factory=dict)  # the four answers: outcome, horizon, text
    conduct: dict[str, Any] = field(default_factory=dict)  # of isolation, ownership, copies; names of problems
    scope: dict[str, Any] = field(default_factory=dict)  # everything that was run and assumed
    proof: dict[str, Any] | None = None
    findings: list[Finding] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)  # why `tested` and not `proved`, why `undecided`
    notes: list[str] = field(default_factory=list)  # facts about the comparison: which clip, which backend ...
    seed: int = 0

    @property
    def horizon(self) -> int | str:
        """Of a proof: "all", or the number of frames up to which every length was compared; 0 without a proof."""
        return self.proof["horizon"] if self.verdict is Verdict.PROVED and self.proof is not None else 0

    @property
    def headline(self) -> str:
        """`proved for every length`, `proved up to 19 frames`, `tested`, `different`, `undecided`; of a proof, where the
        stream's memory tells in which chunks frames came, `..., in the orders of chunks that were fed`.
        """
        if self.verdict is Verdict.WITHIN:
            return f"different, within {self.quality.get('within', 0):g}"
        if self.verdict is not Verdict.PROVED:
            return self.verdict.value
        told = self.proof.get("told") if self.proof is not None else ""
        orders = ", in the orders of chunks that were fed" if told in CHUNKS else ""
        return f"proved {'for every length' if self.horizon == 'all' else f'up to {self.horizon} frames'}{orders}"

    @property
    def problems(self) -> list[Finding]:
        """Findings of high severity that nobody allowed."""
        return [f for f in self.findings if f.severity == "high" and not f.allowed]

    def exit_code(self, require: str | None = None) -> int:
        """0 good, 1 different or a high finding that nobody allowed, 3 undecided (or less than is required).

        `require`: the least verdict, of `REQUIRED`; "proved" is at whatever horizon, "proved-all" for every length.
        """
        if self.verdict is Verdict.DIFFERENT or self.problems:
            return 1
        if self.verdict is Verdict.UNDECIDED:
            return 3
        if require in ("proved", "proved-all") and self.verdict is not Verdict.PROVED:
            return 3
        if require == "tested" and self.verdict is Verdict.WITHIN:
            return 3
        return 3 if require == "proved-all" and self.horizon != "all" else 0

    def to_dict(self) -> dict[str, Any]:
        """The report as plain data, with the version of coequal."""
        from importlib.metadata import version

        data = asdict(self)
        data["verdict"] = self.verdict.value
        return {"coequal": version("coequal"), **data}

    def to_json(self) -> str:
        """The report as JSON; an infinite receptive field is written as the string "inf"."""
        return json.dumps(plain(self.to_dict()), indent=2, allow_nan=False)

    def __str__(self) -> str:
        count = len(self.problems)
        also = f"; {count} problem{'s' if count > 1 else ''}" if count else ""
        lines = [f"{self.target}: {self.headline}{also} ({self.seconds:.1f} s)"]
        lines += [f"  {c.name:<16}{c.outcome:<11}{c.examples:>5}  {c.detail}".rstrip() for c in self.checks]
        lines += [f"  finding {f.name} [{f.severity}] {f.detail}" for f in self.findings]
        lines += [f"  because {reason}" for reason in self.reasons]
        if self.counterexample is not None:
            c = self.counterexample
            lines += [
                f"  counterexample in {c.check}: frame {c.frame}, module {c.module}: {c.detail}",
                f"  {c.reproduce}",
            ]
        return "\n".join(lines)


def plain(value: Any) -> Any:
    """Finite data for JSON: floats that are not finite become strings, tuples lists."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
