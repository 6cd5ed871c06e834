"""The check called `exact`: the decision as a line of the report; where functions differ, a witness on ordinary floats."""

from __future__ import annotations

import math
from dataclasses import replace

from coequal.equivalence.bench import Bench, Example
from coequal.equivalence.checks import Skip, run_once
from coequal.equivalence.compare import Mismatch
from coequal.equivalence.decide import Decision, Exactly, decide
from coequal.equivalence.report import Check, MeasuredTiming

EXACT = "exact"
QUESTION = "Are clip and stream the same function of inputs and weights, in exact arithmetic, and at how many lengths?"
SCALES = (1.0, 3.0, 0.25, 10.0)
IDENTITY = (
    "exact arithmetic sees different expressions where no difference was found on floats: an identity between functions"
    " that it does not know (sigmoid against exponentials, say) may explain it"
)
TOO_SMALL = "only exact arithmetic tells the two functions apart: no difference beyond rounding was found on ordinary floats"
CONSTANT = "the two functions differ in rounded constants alone: taken for the numbers they stand for, they are equal"


def prove(
    bench: Bench,
    timing: MeasuredTiming,
    effort: str,
    options: Exactly,
    deadline: float | None,
    only: Example | None = None,
) -> tuple[Check, Decision, Example | None, Mismatch | None]:
    """The check, the decision behind it, and for a difference an example with the mismatch: on floats, if there is one."""
    decision = decide(bench, timing, effort, options, deadline, only)
    if decision.outcome == "equal":
        return Check(EXACT, "passed", len(decision.lengths), in_words(decision)), decision, None, None
    if decision.outcome == "not decided":
        return Check(EXACT, "undecided", len(decision.lengths), f"not decided: {decision.reasons[0]}"), decision, None, None
    assert decision.example is not None
    found = witness(bench, decision.example)
    if found is not None:
        decision.reasons.append(f"a difference on ordinary floats: {found[1]}")
        return Check(EXACT, "different", 1, str(decision.mismatch)), decision, *found
    if decision.identities:
        decision.reasons.append(IDENTITY)
        return Check(EXACT, "undecided", len(decision.lengths), str(decision.mismatch)), decision, None, None
    decision.reasons.append(_only_constants(bench, decision, options) or TOO_SMALL)
    return Check(EXACT, "different", 1, str(decision.mismatch)), decision, decision.example, decision.mismatch


def _only_constants(bench: Bench, decision: Decision, options: Exactly) -> str:
    """Whether the difference goes away when constants stand for the numbers they are near."""
    if not options.literal or decision.example is None:
        return ""
    return CONSTANT if isinstance(replay(bench, decision.example, Exactly()), int) else ""


def in_words(decision: Decision) -> str:
    """`the same function at every length; P(wrong) < 2^-76`."""
    return f"the same function {horizon_in_words(decision.horizon, decision.lengths)}; P(wrong) < {power(decision.bound)}"


def horizon_in_words(horizon: int | str, lengths: list[int]) -> str:
    """`at every length`, `for streams of up to 19 frames`, `for streams of 13 frames`."""
    if horizon == "all":
        return "at every length"
    return f"for streams of {'' if len(lengths) == 1 else 'up to '}{horizon} frames"


def power(probability: float) -> str:
    """`2^-76`, rounded up."""
    return f"2^{math.ceil(math.log2(max(probability, 1e-300)))}"


def witness(bench: Bench, example: Example) -> tuple[Example, Mismatch] | None:
    """A difference on ordinary floats, at the length that exact arithmetic found, with weights of several scales."""
    scales = (None, *SCALES) if bench.subject.modules is not None else (None,)
    for i, scale in enumerate([s for s in scales for _ in range(2)]):
        name = "values" if example.chunks is None else "chunking"
        tried = replace(example, seed=bench.seed + 40 + i, scale=scale)
        outcome = run_once(bench, name, tried)
        if isinstance(outcome, Mismatch):
            return tried, outcome
    return None


def replay(bench: Bench, example: Example, options: Exactly) -> int | Mismatch | Skip:
    """One comparison, to make a difference smaller: frames compared, the difference, or why it could not be told."""
    decision = decide(bench, MeasuredTiming(), "quick", replace(options, bound=0.5), only=example)
    if decision.mismatch is not None:
        return decision.mismatch
    return 1 if decision.outcome == "equal" else Skip(decision.reasons[0] if decision.reasons else "not decided")
