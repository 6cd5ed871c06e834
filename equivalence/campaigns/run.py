"""`coequal check --exact`: `prove` on random architectures of each operator of the catalogue, and what became of each."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

import hypothesis
from hypothesis import strategies as st

from coequal.equivalence.campaigns import architectures
from coequal.equivalence.campaigns.agree import Disagreement, Progress, operators
from coequal.equivalence.campaigns.contents import Architecture
from coequal.equivalence.campaigns.prove import Proof, prove
from coequal.proofs.field.errors import NotDecided, NotExact, Undisturbed


@dataclass(frozen=True)
class ExactOutcome:
    """What became of one operator.

    `outcome`: "proved"; "tested", where some architecture was nothing but a function taken as primitive, whose formula
    was compared in floating point; "not decided", with the operation in `detail`; or "different". `wrong`: the probability
    that one of the proofs is wrong.
    """

    operator: str
    outcome: str
    examples: int
    seconds: float
    wrong: float = 1.0
    given: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    architecture: str = ""
    detail: str = ""
    reproduce: str = ""


@dataclass
class _Tally:
    """Of the examples of one operator."""

    proofs: list[Proof] = field(default_factory=list)
    last: Architecture | None = None

    def begin(self, architecture: Architecture) -> None:
        """This one is looked at: if it fails, it is the last."""
        self.last = architecture

    def outcome(self, name: str, seconds: float) -> ExactOutcome:
        """Of examples that all went through."""
        given = sorted({g for proof in self.proofs for g in proof.given})
        assumptions = sorted({a for proof in self.proofs for a in proof.assumptions})
        alone = sorted({g for proof in self.proofs if proof.by_definition for g in proof.given})
        detail = f"formulas compared in floating point alone: {', '.join(alone)}" if alone else ""
        wrong = min(1.0, sum(proof.wrong for proof in self.proofs))
        outcome = "tested" if alone or not self.proofs else "proved"
        count = len(self.proofs)
        return ExactOutcome(name, outcome, count, seconds, wrong, tuple(given), tuple(assumptions), detail=detail)


def check_exactly(
    names: Iterable[str] = (), *, max_examples: int = 10, seed: int = 0, progress: Progress | None = None
) -> list[ExactOutcome]:
    """Prove reference = torch = continual on `max_examples` random architectures of each operator (all unless named).

    `progress` as in `check`. BadSubject for an operator that does not exist.
    """
    return [_operator(name, max_examples, seed, progress) for name in operators(names)]


def _operator(name: str, max_examples: int, seed: int, progress: Progress | None) -> ExactOutcome:
    begin, tally = time.monotonic(), _Tally()

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=max_examples,
        database=None,
        deadline=None,
        print_blob=False,
        report_multiple_bugs=False,
        suppress_health_check=[*hypothesis.HealthCheck],  # pyright: ignore[reportArgumentType]
        phases=[hypothesis.Phase.generate, hypothesis.Phase.shrink],
    )
    @hypothesis.given(architectures.architectures(name), st.integers(0, 2**32 - 1))
    def attempt(architecture: Architecture, contents: int) -> None:
        tally.begin(architecture)
        tally.proofs.append(prove(architecture, contents))
        if progress is not None:
            progress(name, min(len(tally.proofs), max_examples), max_examples)

    try:
        attempt()
    except (Exception, Undisturbed) as error:
        undecided = isinstance(error, (NotDecided, NotExact))
        kind = "Disagreement" if isinstance(error, Disagreement) else type(error).__name__
        text = str(error).splitlines()[0] if str(error) else ""
        return ExactOutcome(
            name,
            "not decided" if undecided else "different",
            len(tally.proofs),
            time.monotonic() - begin,
            architecture=repr(tally.last),
            detail=text if undecided else f"{kind}: {text}",
            reproduce=f"coequal check {name} --exact --seed {seed} --max-examples {max_examples}",
        )
    return tally.outcome(name, time.monotonic() - begin)
