"""Every check in turn over its examples, and what became of each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from coequal.equivalence.checks import CHECKS, Finer, Skip, cause
from coequal.equivalence.checks.base import CHUNKS
from coequal.equivalence.checks.replay import examples_to_replay
from coequal.equivalence.checks.rounded import looked_at
from coequal.equivalence.checks.run import Noted
from coequal.equivalence.compare.difference import Mismatch
from coequal.equivalence.compare.floats import Floats, in_format
from coequal.equivalence.compare.rounding import Rounded
from coequal.equivalence.options import Replay
from coequal.equivalence.report import Check
from coequal.equivalence.run.budget import Budget
from coequal.equivalence.run.examples import Example
from coequal.equivalence.run.session import Session
from coequal.subjects.wording import listed, numbers

SHARE = {"quick": 6.0, "normal": 20.0}  # seconds after which a check stops trying further examples (never its first)
FARTHEST = 1200  # frames of streams in which checks are asked again once a proof says how far the memory reaches
ALONE = ("reset", "reuse", "output-hold")  # what can be asked of streams that depend on one another
DEPENDENT = "fresh streams depend on what ran before them: only the very first one can be compared"


@dataclass
class Attempt:
    """What became of one check, with the example that failed."""

    check: Check
    example: Example | None = None
    mismatch: Mismatch | None = None
    finer: tuple[Example, Finer] | None = None  # what double precision alone shows
    compared: str = ""  # the check that repeats the example, if it is another one

    @property
    def repeats(self) -> str:
        """The check whose comparison the example is one of."""
        return self.compared or self.check.name

    @property
    def different(self) -> bool:
        """Whether the function is another one."""
        return self.check.outcome == "different"


@dataclass
class Looked:
    """What the examples of one check showed, up to the first difference."""

    asked: list[Example] = field(default_factory=list)  # that had something to compare
    skipped: list[str] = field(default_factory=list)  # reasons
    finer: tuple[Example, Finer] | None = None
    differs: tuple[Example, Mismatch] | None = None
    stopped: int | None = None  # examples after which there was no time for more


@dataclass
class Attempts:
    """All of one run; `dependent`: streams depend on one another, so that no function can be seen."""

    session: Session[Floats]
    effort: str
    deadline: float | None
    replayed: Replay | None
    made: list[Attempt] = field(default_factory=list)
    dependent: bool = False
    noted: Noted = field(default_factory=Noted)

    def run(self, names: Iterable[str]) -> list[Attempt]:
        """Once `values` differs the others could only say so again."""
        for name in names:
            self.made.append(self._one(name))
        return self.made

    def add(self, attempt: Attempt) -> None:
        """One that was made elsewhere."""
        self.made.append(attempt)

    def found_different(self, attempt: Attempt, example: Example, mismatch: Mismatch) -> None:
        """What passed in the subject's own format is another function, after all."""
        check = replace(attempt.check, outcome="different", detail=str(mismatch))
        self.made[self.made.index(attempt)] = replace(attempt, check=check, example=example, mismatch=mismatch)

    def beyond(self, length: int) -> Attempt | None:
        """What passed is asked once more in streams that are as long as a proof followed the memory; what differs there.

        Of checks that sample situations, and of those that ask where a stream runs, not what it computes: the proof's own
        runs are frames of one kind, in one mode and format.
        """
        for i, attempt in enumerate(self.made):
            spec = CHECKS.get(attempt.check.name)
            if spec is None or spec.far is None or attempt.check.outcome != "passed":
                continue
            usual = list(spec.examples(self.session, self.effort))
            if examples := list(spec.far(self.session, usual, self.session.legal(min(length, FARTHEST)))):
                self.made[i] = self._again(attempt, examples, length)
            if (different := next((a for a in self.made if a.different), None)) is not None:
                return different
        return None

    def _again(self, attempt: Attempt, examples: list[Example], length: int) -> Attempt:
        """One check over more examples; what there was no time for is said."""
        name, frames = attempt.check.name, max(example.length for example in examples)
        looked = self._look(name, examples, at_least=0)
        if looked.differs is not None:
            return attempt if self._differs_already(name, looked.differs[0]) else self._failed(attempt, *looked.differs)
        said = f"also in streams of {frames} frames{f', of the {length} that a proof looked at' * (length > frames)}"
        if looked.stopped is not None:
            said = f"no time for {len(examples) - looked.stopped} of {len(examples)} streams of {frames} frames"
        detail = "; ".join(filter(None, [attempt.check.detail, said]))
        check = replace(attempt.check, examples=attempt.check.examples + len(looked.asked), detail=detail)
        return replace(attempt, check=check, finer=attempt.finer or looked.finer)

    def _failed(self, attempt: Attempt, example: Example, mismatch: Mismatch) -> Attempt:
        """What passed fails after all: another function, or a problem."""
        different = CHECKS[attempt.check.name].kind == "function"
        check = replace(attempt.check, outcome="different" if different else "problem", detail=str(mismatch))
        if different and self._depends(example):
            check = replace(check, outcome="problem", detail=DEPENDENT)
        return replace(attempt, check=check, example=example, mismatch=mismatch)

    def _one(self, name: str) -> Attempt:
        if name in self.session.subject.allow:
            return Attempt(Check(name, "waived", 0, "the subject allows it"))
        if self.made and self.made[0].check.name == "values" and self.made[0].different:
            return Attempt(Check(name, "skipped", 0, "not run: `values` differs already"))
        if self.dependent and name not in ALONE:
            return Attempt(Check(name, "skipped", 0, f"not run: {DEPENDENT}"))
        attempt = self._attempt(name)
        return self._explained(name, attempt) if attempt.different else attempt

    def _attempt(self, name: str) -> Attempt:
        """One check over its examples, up to the first difference."""
        looked = self._look(name, self._examples(name), at_least=1)
        count = len(looked.asked)
        if looked.differs is not None:
            example, mismatch = looked.differs
            if self._differs_already(name, example):
                return Attempt(Check(name, "skipped", 0, "not asked: `values` differs there, whatever is done"))
            kind = "different" if CHECKS[name].kind == "function" else "problem"
            return Attempt(Check(name, kind, count + 1, str(mismatch)), example, mismatch)  # type: ignore[arg-type]
        if count == 0:
            reason = looked.skipped[0] if looked.skipped else "no example had anything to compare"
            return Attempt(Check(name, "skipped" if looked.skipped else "undecided", 0, reason))
        notes = [_in_words(looked.asked)] * CHECKS[name].sampled
        notes += [f"stopped after {looked.stopped} examples: time"] * (looked.stopped is not None)
        return Attempt(Check(name, "passed", count, "; ".join(notes + sorted(set(looked.skipped))[:1])), finer=looked.finer)

    def _look(self, name: str, examples: Iterable[Example], at_least: int) -> Looked:
        """A check's examples one after the other, up to the first difference or the end of its time."""
        looked, budget = Looked(), Budget.of(SHARE[self.effort], self.deadline)
        for tried, example in enumerate(examples):
            if tried >= at_least and budget.spent:
                looked.stopped = tried
                break
            outcome = looked_at(self.session, name, example, self.noted)
            if isinstance(outcome, Mismatch):
                looked.differs = example, outcome
                break
            if isinstance(outcome, Skip):
                looked.skipped.append(str(outcome))
                continue
            if isinstance(outcome, Finer) and (looked.finer is None or outcome.constants > looked.finer[1].constants):
                looked.finer = (example, outcome)
            if isinstance(outcome, (Finer, Rounded)) or outcome > 0:
                looked.asked.append(example)
        return looked

    def _differs_already(self, name: str, example: Example) -> bool:
        """Whether what a check of conduct or weights shows is none of either: a fresh stream differs at this example."""
        if CHECKS[name].kind == "function" or self.dependent or not self.made:
            return False
        if example.variant == CHUNKS and any(attempt.different for attempt in self.made):
            return True  # in chunks it is another function
        values = self.made[0]
        if values.check.name != "values" or values.check.outcome != "passed":
            return False
        plain = replace(example, variant="", chunks=None)
        if name in ALONE and not self._forgotten(plain):
            return False
        outcome = looked_at(self.session, "values", plain)
        if isinstance(outcome, Mismatch):
            self.found_different(values, plain, outcome)
        return isinstance(outcome, (Mismatch, Finer) if name == "gradients" else Mismatch)  # those are asked in double only

    def _forgotten(self, example: Example) -> bool:
        """Whether what ran before leaves no trace: what was right at first still is, and so is whatever comes after it."""
        right = max((e for e in self._examples("values") if e.format is None), key=lambda e: e.length, default=None)
        if right is None or isinstance(looked_at(self.session, "values", right), Mismatch):
            return False
        with in_format(self.session, example.format) as here, here.weights(example):
            return not cause.depends_on_history(here, example)

    def _examples(self, name: str) -> Iterable[Example]:
        if self.replayed is None:
            return CHECKS[name].examples(self.session, self.effort)
        return examples_to_replay(self.session, name, self.effort, self.replayed)

    def _explained(self, name: str, attempt: Attempt) -> Attempt:
        """A difference that is none of functions: of what ran before, or of weights that the stream does not read."""
        example, session = attempt.example, self.session
        assert example is not None
        if self._depends(example):
            return replace(attempt, check=replace(attempt.check, outcome="problem", detail=DEPENDENT))
        with in_format(session, example.format) as here:
            unread = () if example.scale is None else cause.weights_not_read(here, example)
        if unread and not session.facts.unread:
            self.session = session.knowing(unread=unread)
            return self._one(name)
        return attempt

    def _depends(self, example: Example) -> bool:
        """Whether fresh streams depend on what ran before them, which is remembered."""
        with in_format(self.session, example.format) as here, here.weights(example):
            found = cause.depends_on_history(here, example)
        self.dependent |= found
        return found


def _in_words(asked: list[Example]) -> str:
    """`in streams of 9 and 84 frames, of 3, 5 and 8 rows: twice, again, at once`: where a property was asked for."""
    rows, variants = sorted({e.batch for e in asked}), listed(filter(None, dict.fromkeys(e.variant for e in asked)))
    return (
        f"in streams of {numbers(sorted({e.length for e in asked}))} frames, {numbers(rows)} row{'s' * (rows != [1])}"
        f"{': ' if variants else ''}{variants}"
    )
