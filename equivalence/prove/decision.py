"""The decision of exact arithmetic as it grows: draws and their bound, what was compared, what is assumed."""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass, field, replace
from typing import Any

from coequal.equivalence.compare.difference import Mismatch
from coequal.equivalence.compare.field import FieldSession
from coequal.equivalence.options import BOUND
from coequal.equivalence.prove.directions import Directions
from coequal.equivalence.prove.growing import Growth
from coequal.equivalence.prove.premises import Differs, Induction
from coequal.equivalence.prove.readings import HOMOMORPHISM, Reading, Seen
from coequal.equivalence.run.drawing import padded
from coequal.equivalence.run.examples import Example
from coequal.equivalence.run.ran import Ran
from coequal.equivalence.run.session import Session
from coequal.proofs.field.arithmetic import INFINITE
from coequal.proofs.theorems.error_bound import after_redraws
from coequal.subjects.inputs import leaves_of
from coequal.subjects.wording import listed, numbers

PATTERN = (
    "integer inputs are looked up, and asked where they are equal to {values}: the proof speaks of all that are equal to it"
    " at the places drawn"
)
ORDERS = "the stream remembers {told}: nothing is said of other orders of chunks than those that were fed, {orders}"
FINITE = "nothing overflows, and nothing is NaN: the program asks for it"
SHOWN = 5  # places where it does


@dataclass
class Decision:
    """`outcome`: "equal", "different", or "not decided" (`reasons`)."""

    wanted: float = BOUND  # the bound that is asked for
    only: Example | None = None  # this comparison is all that is asked for
    outcome: str = "not decided"
    bound: float = 1.0
    horizon: int | str = 0
    draws: int = 0
    primes: list[int] = field(default_factory=list)
    applications: int = 0
    degree: int = 0
    lengths: list[int] = field(default_factory=list)
    assumptions: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    example: Example | None = None
    mismatch: Mismatch | None = None
    identities: bool = False  # the difference may be an identity of functions that exact arithmetic does not know
    seen: Seen = field(default_factory=Seen)  # what could be read otherwise
    readings: int = 1  # that were tried
    homomorphic: bool = False
    compared: list[Example] = field(default_factory=list)
    silent: set[int] = field(default_factory=set)  # lengths at which nothing was due, and nothing came
    functions: list[str] = field(default_factory=list)  # that one of the two alone applies
    globals: list[str] = field(default_factory=list)  # that the stream's code reads
    asked: list[str] = field(default_factory=list)  # where, whether numbers are finite
    partial: bool = False  # functions were taken where they are defined
    patterns: bool = False  # integer inputs were asked where they are equal to a constant
    levels: int = 1
    induction: Induction = field(default_factory=lambda: Induction(False, ""))
    growth: Growth | None = None  # of caches, where the clip function looks at all earlier frames
    directions: Directions | None = None  # in which a memory of fixed size moves, where it does
    confined: Induction | None = None  # that fails under a condition which its runs do not meet
    told: str = ""  # of the chunks in which frames came, by the memory
    state: str = ""  # what was found out about the stream's memory
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for reports."""
        kept = ("outcome", "bound", "horizon", "draws", "primes", "applications", "degree", "lengths", "assumptions")
        return {name: getattr(self, name) for name in (*kept, "homomorphic", "state", "told", "followed", "seconds")}

    @property
    def followed(self) -> int:
        """Frames after which the memory came back twice, in a proof for every length; 0: there is none."""
        return self.induction.start + 2 * self.induction.period if self.induction.holds else 0

    # -- one draw --------------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Nothing is known of the draws that were made so far: the first one of a reading begins."""
        self.bound, self.draws = 1.0, 0
        self.primes, self.applications, self.degree = [], 0, 0
        self.assumptions, self.reasons = [], []

    def begin_draw(self) -> None:
        """All that is claimed is compared again in each draw: the bound multiplies over them."""
        self.compared, self.mismatch = [], None

    def add(self, examples: Iterable[Example]) -> None:
        """These were compared, and agree."""
        self.compared += examples

    def pass_over(self, length: int) -> None:
        """Nothing is due at this length, and nothing came: no gap."""
        self.silent.add(length)

    def confine(self, why: str) -> None:
        """Nothing is said of every length, whatever an induction finds; all begins again."""
        self.confined = self.induction = Induction(False, why)
        self.begin()

    def grow(self, found: Growth | None) -> None:
        """What is known of caches that grow."""
        self.growth = found

    def move(self, found: Directions | None) -> None:
        """What is known of a memory of fixed size."""
        self.directions = found

    def generalise(self, found: Induction) -> None:
        """An induction over all lengths was tried."""
        self.induction = found

    def tell(self, what: str) -> None:
        """The memory tells this of the chunks in which frames came."""
        self.told = what

    def differ(self, found: Differs, exact: FieldSession, seen: Seen) -> None:
        """Clip and stream are two functions, in this reading."""
        self.mismatch, self.example = found.mismatch, found.example
        alone = (exact.numbers.clip_functions ^ exact.numbers.stream_functions) - {INFINITE}
        self.functions = sorted({name if isinstance(name, str) else str(name[0]) for name in alone})  # type: ignore[index]
        self.identities, self.seen = bool(alone), seen

    def note(self, exact: FieldSession, tried: int) -> None:
        """What a draw adds to the bound, and what it assumed; `tried` draws, of which the last suited.

        A search accepts the first candidate that fits: the probability is that of any of them, a union bound.
        """
        over = exact.numbers.over
        candidates = (max(1, self.induction.tried) if self.induction.holds else 1) * self.readings
        self.bound *= min(1.0, after_redraws(over.field.wrong, tried) * (candidates if self.draws == 0 else 1))
        self.draws += 1
        self.primes = sorted({*self.primes, *over.field.primes})
        self.applications = max(self.applications, over.field.account.applications)
        self.degree = max(self.degree, over.field.account.degrees.greatest)
        self.assume(*over.field.account.assumptions.values(), *_drawn_alone(exact))
        if over.field.account.asked:
            self.asked = sorted({*self.asked, *(place for _, place in over.field.account.asked)})
            self.assume(f"{FINITE}: {listed(sorted(map(''.join, over.field.account.asked))[:SHOWN])}")
        self.partial |= over.field.account.partial
        self.doubt(*over.field.account.reasons.values())
        self.doubt(
            *(
                f"the program asks its integer inputs for {value}, and all of those drawn gave the same answer"
                for value in sorted(v for v, answers in over.equal_to.items() if len(answers) < 2)
            )
        )
        if over.equal_to:
            self.patterns = True
            self.assume(PATTERN.format(values=", ".join(sorted(over.equal_to))))
        if over.integers_used:
            names = ", ".join(f"aten.{name}" for name in sorted(over.integers_used))
            self.doubt(f"the program computes with its integer inputs ({names}): only those drawn were compared")

    # -- readings --------------------------------------------------------------------------------------------------------

    def read(self, reading: Reading) -> None:
        """Another reading is tried: whichever of them agrees first is taken, a union bound."""
        self.readings, self.levels = self.readings + 1, reading.draw.levels

    def take(self, reading: Reading) -> None:
        """In this one clip and stream agree."""
        self.homomorphic = reading.assumption == HOMOMORPHISM
        self.assume(*filter(None, [reading.assumption]))

    def go_back(self, before: Decision) -> None:
        """None agrees: what was found in the first one stands."""
        vars(self).update(vars(before))

    # -- what it comes to ------------------------------------------------------------------------------------------------

    def assume(self, *texts: str) -> None:
        """What a proof rests on, once."""
        self.assumptions += [text for text in dict.fromkeys(texts) if text not in self.assumptions]

    def doubt(self, *texts: str) -> None:
        """Why nothing is proved, once."""
        self.reasons += [text for text in dict.fromkeys(texts) if text not in self.reasons]

    def fail(self, reason: str) -> None:
        """It could not be decided."""
        self.outcome = "not decided"
        self.reasons.append(reason)

    def take_seconds(self, seconds: float) -> None:
        """How long all of it took."""
        self.seconds = seconds

    def refuse_every_length(self, why: str) -> None:
        """The induction is not believed after all."""
        self.induction = replace(self.induction, holds=False, says=why)

    def conclude(self, session: Session) -> None:
        """Different; else equal up to a horizon, if nothing is in doubt."""
        if self.mismatch is not None:
            self.outcome = "different"
            return
        if self.bound > self.wanted:
            self.doubt(f"after {self.draws} draws the probability of a wrong answer is bounded by {self.bound:.1e} only")
        self._find_horizon(session)
        if self.horizon == 0:
            shown = listed(self.lengths[:5])
            self.doubt(f"of streams of {shown} frames alone nothing follows for shorter ones: there was no more time")
        self.outcome = "not decided" if self.reasons else "equal"

    def _find_horizon(self, session: Session) -> None:
        """What the induction says of it: else all legal lengths up to it were compared, without a gap."""
        induction, alone = self.induction, self.only is not None
        self.lengths = sorted({e.length for e in self.compared if e.chunks is None or alone})
        every = induction.holds and not self.patterns
        ends = [n for n in (session.plan.longest, induction.ends) if n is not None]  # where streams end: all that there are
        whole = min(ends, default="all")
        self.horizon = whole if every else gap_free(session, self.lengths, self.silent, only=alone)
        self.state, self.globals = induction.says, induction.globals
        if not every and not alone and self.horizon == session.plan.longest:
            self.state = f"streams end after {self.horizon} frames: every length that there is was compared"
        if induction.holds and self.patterns:
            self.state = "where integer inputs are equal to a constant is known for the lengths that were compared"
        if induction.holds:
            self.assume(*induction.assumptions)
        if self.told:
            self.assume(ORDERS.format(told=self.told, orders=orders_in_words(session.ran)))


def gap_free(session: Session, lengths: list[int], silent: Set[int] = frozenset(), *, only: bool = False) -> int:
    """The greatest length up to which every legal one was compared; of a single comparison, its length.

    Of windows every stream holds all shorter ones. A length that the clip function refuses is no gap, nor is a `silent` one.
    """
    if session.subject.window is not None or only:
        return max(lengths, default=0)
    horizon, compared = 0, {*lengths, *silent, *(n for n, refused in session.refused.items() if refused)}
    for length in range(1, max(lengths, default=0) + 1):
        if session.plan.legal(length) == length and length not in compared:
            break
        horizon = length
    return horizon


def orders_in_words(ran: Ran) -> str:
    """`any two of 1 to 8 frames and any three of 1 to 4 one after the other, and chunks of 1 to 41 in some orders`."""
    two, three = ran.ordered(2), ran.ordered(3)
    parts = [f"any two of {numbers(two)} frames"] if len(two) > 1 else []
    parts += [f"any three of {numbers(three)}"] if len(three) > 1 else []
    after = f"{listed(parts)} one after the other, and " if parts else ""
    return f"{after}chunks of {numbers(sorted(ran.chunks), 8)} in some orders"


def _drawn_alone(exact: FieldSession) -> list[str]:
    """What is no symbol, and is assumed to be as it was drawn."""
    subject, leaves = exact.subject, leaves_of(exact.subject.example)
    said = list[str]()
    if subject.positions is not None:
        axis = exact.layout.time[subject.positions]
        assert axis is not None
        first = sorted({int(number) for number in leaves[subject.positions].select(axis, 0).flatten()})
        said.append(f"positions (`{subject.positions}`) count from {listed(first)} on")
    if subject.valid is not None:
        time = exact.layout.time[subject.valid]
        kind = "end" if time is None else padded(leaves[subject.valid], time)
        every = subject.batches is None and kind != "scattered"
        which = f"every padding at the {kind}, each in a row of its own" if every else "the paddings that were drawn"
        said.append(f"padding (`{subject.valid}`): {which}")
    if subject.ignore or subject.warm_up:
        said.append("nothing is said of the emissions that do not count (`ignore`, `warm_up`)")
    return said
