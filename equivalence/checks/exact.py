"""The check called `exact`: the decision as a line of the report; where functions differ, a witness on ordinary floats."""

from __future__ import annotations

from dataclasses import replace

from coequal.equivalence.checks import CHECKS, Finer, Skip
from coequal.equivalence.checks.attempts import Attempts
from coequal.equivalence.checks.domain import unseen
from coequal.equivalence.checks.rounded import explained_by_constants, looked_at
from coequal.equivalence.checks.run import Noted
from coequal.equivalence.compare.difference import Mismatch
from coequal.equivalence.compare.floats import rounds_more_coarsely
from coequal.equivalence.prove.decide import Exactly, decide
from coequal.equivalence.prove.decision import Decision
from coequal.equivalence.report import Check, Finding
from coequal.equivalence.run.examples import Example
from coequal.equivalence.run.player import StreamRaised
from coequal.equivalence.run.session import Session
from coequal.subjects.wording import horizon_in_words, power

EXACT = "exact"
UNKNOWN = "not decided"  # how the check begins where exact arithmetic could not look
QUESTION = "Are clip and stream the same function of inputs and weights, in exact arithmetic, and at how many lengths?"
SCALES = (1.0, 3.0, 0.25, 10.0)
IDENTITY = (
    "exact arithmetic sees different expressions where no difference was found on floats: an identity between functions"
    " that it does not know (sigmoid against exponentials, say) may explain it"
)
TOO_SMALL = (
    "exact arithmetic sees different expressions, but no difference beyond rounding was found on floats of ordinary size"
)
CONSTANT = "the two differ in constants alone, which are as near to one another as rounding in single precision leaves them"


def prove(
    session: Session,
    effort: str,
    options: Exactly,
    deadline: float | None,
    only: Example | None = None,
    noted: Noted | None = None,
) -> tuple[Check, Decision, Example | None, Mismatch | None]:
    """The check, the decision behind it, and for a difference an example with the mismatch: on floats, or it is none."""
    decision = decide(session, effort, options, deadline, only)
    if decision.outcome == "equal" and decision.asked and only is None and (why := _unseen(session, decision)):
        decision.fail(why)
    if decision.outcome == "equal":
        return (
            Check(EXACT, "passed", len(decision.lengths), in_words(decision.horizon, decision.lengths, decision.bound)),
            decision,
            None,
            None,
        )
    if decision.outcome == "not decided":
        return Check(EXACT, "undecided", len(decision.lengths), f"{UNKNOWN}: {decision.reasons[0]}"), decision, None, None
    assert decision.example is not None
    found = witness(session, decision.example, noted)
    own = session.subject.inputs is not None  # drawn by the subject, in its own precision
    finer = found is None or found[2]
    constants = finer and (only_constants(session, decision.example) or _rounded(session, found))
    if found is not None and not constants and not (finer and own):
        decision.doubt(f"a difference on ordinary floats: {found[1]}")
        return Check(EXACT, "different", 1, str(decision.mismatch)), decision, *found[:2]
    decision.doubt(CONSTANT if constants else _parts(decision))
    return Check(EXACT, "undecided", len(decision.lengths), str(decision.mismatch)), decision, None, None


def _unseen(session: Session, decision: Decision) -> str:
    """Why what programs asked of finite numbers keeps this from being a proof; empty where it does not."""
    try:
        return unseen(session, decision.asked, decision.partial)
    except StreamRaised as error:
        return f"the program asks whether numbers are finite, and raises where inputs are larger: {error}"


def _parts(decision: Decision) -> str:
    """Why no difference is claimed, with the functions that one side alone applies."""
    names = ", ".join(decision.functions)
    return f"{IDENTITY if decision.identities else TOO_SMALL}{f'; only one of the two applies {names}' if names else ''}"


def only_constants(session: Session, example: Example) -> bool:
    """Whether the difference goes away when constants that are near one another are taken for the same number."""
    return isinstance(replay(session, example, Exactly(near=True)), int)


def _rounded(session: Session, found: tuple[Example, Mismatch, bool] | None) -> bool:
    """Whether what was found on floats is the rounding of constants."""
    return found is not None and explained_by_constants(session, _check_of(found[0]), found[0])


def _check_of(example: Example) -> str:
    return "values" if example.chunks is None else "chunking"


def settle(attempts: Attempts, exactly: Exactly) -> list[Finding]:
    """What double precision shows and the subject's own format does not: different where exact arithmetic tells the
    functions apart, too; a finding where it does not, or where they differ in rounded constants alone.
    """
    session, made = attempts.session, attempts.made
    attempt = next((a for a in made if a.finer is not None and CHECKS[a.check.name].kind == "function"), None)
    if attempt is None or attempt.finer is None or any(a.different for a in made):
        return []
    example, finer = _until(session, attempt.check.name, *attempt.finer)
    agrees = any(a.check.name == EXACT and a.check.outcome == "passed" for a in made)
    outcome = 1 if agrees else replay(session, replace(example, scale=None), exactly)
    if (
        isinstance(outcome, Mismatch)
        and session.subject.inputs is None
        and not only_constants(session, replace(example, scale=None))
        and not explained_by_constants(session, attempt.check.name, example)
    ):
        attempts.found_different(attempt, example, finer.mismatch)
        return []
    return [_precision(session, example, finer, outcome)]


def _until(session: Session, name: str, example: Example, finer: Finer) -> tuple[Example, Finer]:
    """The same difference in a stream that ends soon after it: exact arithmetic is slow over a long one."""
    frame = finer.mismatch.frame
    if frame is None or example.chunks is not None:
        return example, finer
    length = session.legal(min(example.length, frame + 2 * session.facts.reach + 2))
    shorter = replace(example, length=length)
    outcome = looked_at(session, name, shorter) if length < example.length else None
    return (shorter, replace(outcome, constants=finer.constants)) if isinstance(outcome, Finer) else (example, finer)


def _precision(session: Session, example: Example, finer: Finer, outcome: object) -> Finding:
    if finer.constants:
        detail = f"the rounding of constants to single precision takes clip and stream apart ({finer.mismatch})"
        return Finding("precision", "medium", detail)
    own = str(session.native).removeprefix("torch.")
    seen = f"double precision shows a difference that {own} does not show ({finer.mismatch})"
    if rounds_more_coarsely(session, example):
        return Finding("precision", "high", f"{seen}: the stream casts its data to a coarser format than its clip does")
    if session.subject.inputs is not None:
        return Finding("precision", "medium", f"{seen}; the subject draws its inputs itself, in its own precision")
    if isinstance(outcome, Skip):
        return Finding("precision", "high", f"{seen}, and exact arithmetic cannot say what it is: {outcome}")
    return Finding("precision", "medium", f"{seen}; in exact arithmetic it is one of rounded constants")


def in_words(horizon: int | str, lengths: list[int], bound: float) -> str:
    """`the same function at every length; P(wrong) < 2^-76`."""
    return f"the same function {horizon_in_words(horizon, lengths)}; P(wrong) < {power(bound)}"


def witness(session: Session, example: Example, noted: Noted | None = None) -> tuple[Example, Mismatch, bool] | None:
    """A difference on floats at the length that exact arithmetic found, with weights of several scales; whether double
    precision alone shows it.
    """
    scales = (None, *SCALES) if session.subject.modules is not None and not session.facts.unread else (None,)
    name, best = _check_of(example), None
    for i, scale in enumerate([s for s in scales for _ in range(2)]):
        tried = replace(example, seed=session.seed + 40 + i, scale=scale)
        outcome = looked_at(session, name, tried, noted)
        if isinstance(outcome, Mismatch):
            return tried, outcome, False
        if isinstance(outcome, Finer) and best is None:
            best = (tried, outcome.mismatch, True)
    return best


def replay(session: Session, example: Example, options: Exactly) -> int | Mismatch | Skip:
    """One comparison, to make a difference smaller: frames compared, the difference, or why it could not be told."""
    decision = decide(session, "quick", replace(options, bound=0.5), only=example)
    if decision.mismatch is not None:
        return decision.mismatch
    return 1 if decision.outcome == "equal" else Skip(decision.reasons[0] if decision.reasons else "not decided")
