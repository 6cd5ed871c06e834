"""The account of one draw: what its bound is computed from, what was assumed, and what a program was seen to use."""

from __future__ import annotations

from dataclasses import dataclass, field

from coequal.proofs.field.degree import Degree, Degrees

DOMAIN = "domain "  # how the keys of assumptions on functions begin that are undefined for some numbers


@dataclass
class Account:
    """Of one run of clip and stream over one draw of primes."""

    degrees: Degrees = field(default_factory=Degrees)
    applications: int = 0  # of free functions, element by element
    assumptions: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)  # why no more than agreement can be claimed
    asked: set[tuple[str, str]] = field(default_factory=set)  # what a program asked of finite numbers, and where
    used: set[object] = field(default_factory=set)  # names of the free functions that a program applied, and INFINITE
    computed: set[str] = field(default_factory=set)  # what was computed of constants alone
    poles: set[str] = field(default_factory=set)  # divisions, roots, logarithms of what may be zero
    undone: set[str] = field(default_factory=set)  # functions whose inverse gave their argument back
    masks: set[float] = field(default_factory=set)  # finite numbers that stand for minus infinity
    low: set[float] = field(default_factory=set)  # finite constants that could be masks
    canaries: int = 0  # dot products compared with Python's integers

    def use(self, name: object) -> None:
        """A program applies this function; which of clip and stream runs is its caller's to know (`used_by`)."""
        self.used.add(name)

    def used_by(self, names: set[object]) -> None:
        """From now on what is used is noted here."""
        self.used = names

    def apply(self, elements: int) -> None:
        """A free function was applied to so many elements: two of them may be confused, which the bound counts."""
        self.applications += elements

    def compare(self, *degrees: Degree) -> None:
        """Values of these degrees are told apart by their residues."""
        self.degrees.compared(*degrees)

    def assume(self, key: str, text: str) -> None:
        """What the answer rests on, once."""
        self.assumptions.setdefault(key, text)

    def doubt(self, key: str, text: str) -> None:
        """Why no more than agreement can be claimed, once."""
        self.reasons.setdefault(key, text)

    def ask(self, name: str, place: str) -> None:
        """A program asks whether data is finite, which it is here."""
        self.asked.add((name, place))

    @property
    def partial(self) -> bool:
        """Whether functions were taken where they are defined."""
        return any(key.startswith(DOMAIN) for key in self.assumptions)

    def compute(self, name: str) -> None:
        """A function of constants alone was computed."""
        self.computed.add(name)

    def spot_check(self) -> int:
        """One more dot product is compared with Python's integers: its number."""
        self.canaries += 1
        return self.canaries
