"""`coequal check`: the campaign with a progress bar, and the document of its outcomes."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from coequal.process.parent import BadInput
from coequal.process.progress import Progress
from coequal.report.document import Case, Cell, Column, Document, Line, Part, Section, Status, Table, Tone

if TYPE_CHECKING:
    from coequal.equivalence.campaigns.agree import Outcome
    from coequal.equivalence.campaigns.run import ExactOutcome

EXAMPLES, PROOFS = 50, 10  # random architectures for each operator, unless told
TONES: dict[str, Tone] = {"passed": "good", "proved": "good", "tested": "good", "different": "bad", "not decided": "warn"}
STATUSES: dict[str, Status] = {"different": "failed", "not decided": "error"}


def document(options: argparse.Namespace) -> Document:
    """Compare reference, torch and continual; exit code 1: two differ, 3: not decided. BadInput: no such operator."""
    from coequal.subjects.errors import BadSubject

    try:
        return proved(_proofs(options), options.seed) if options.exact else compared(_comparisons(options), options.seed)
    except BadSubject as error:
        raise BadInput(str(error)) from error


def _comparisons(options: argparse.Namespace) -> list[Outcome]:
    from coequal.equivalence.campaigns.agree import check

    count = options.max_examples or EXAMPLES
    with Progress(count) as progress:
        return check(options.operators, max_examples=count, seed=options.seed, progress=progress.update).outcomes


def _proofs(options: argparse.Namespace) -> list[ExactOutcome]:
    from coequal.equivalence.campaigns.run import check_exactly

    count = options.max_examples or PROOFS
    with Progress(count) as progress:
        return check_exactly(options.operators, max_examples=count, seed=options.seed, progress=progress.update)


def compared(outcomes: Sequence[Outcome], seed: int) -> Document:
    """One line an operator; what differs below."""
    heads = (Column("operator", "name"), Column("outcome", "word"), Column("examples", "number"), Column("s", "number"))
    rows = tuple((o.operator, _toned(o.outcome), str(o.examples), f"{o.seconds:.1f}") for o in outcomes)
    total = sum(o.examples for o in outcomes)
    agree = f"reference = torch.nn = continual on {total} random architectures"
    passed = all(o.outcome == "passed" for o in outcomes)
    return _document(outcomes, seed, (Table(heads, rows), *_details(outcomes)), agree if passed else "")


def proved(outcomes: Sequence[ExactOutcome], seed: int) -> Document:
    """One line an operator with its bound; what was taken as given, and what is not proved, below."""
    heads = (Column("operator", "name"), Column("outcome", "word"), Column("wrong with", "word"))
    numbers = (Column("examples", "number"), Column("s", "number"))
    rows = tuple(
        (o.operator, _toned(o.outcome), _bound(o.wrong) * (o.outcome == "proved"), str(o.examples), f"{o.seconds:.1f}")
        for o in outcomes
    )
    parts: tuple[Part, ...] = (Table((*heads, *numbers), rows), *_details(outcomes), *_taken(outcomes))
    return _document(outcomes, seed, parts, _conclusion([o for o in outcomes if o.outcome == "proved"]))


def _document(outcomes: Sequence[Outcome | ExactOutcome], seed: int, parts: tuple[Part, ...], conclusion: str) -> Document:
    found = {outcome.outcome for outcome in outcomes}
    return Document(
        command="check",
        tone="bad" if "different" in found else "warn" if "not decided" in found else "good",
        parts=parts,
        conclusion=conclusion,
        cases=tuple(map(_case, outcomes)),
        data=[asdict(outcome) for outcome in outcomes],
        exit_code=1 if "different" in found else 3 if "not decided" in found else 0,
        seconds=sum(outcome.seconds for outcome in outcomes),
        seed=seed,
    )


def _toned(outcome: str) -> Cell:
    return Cell(outcome, TONES.get(outcome, ""))


def _case(outcome: Outcome | ExactOutcome) -> Case:
    detail = "\n".join(filter(None, (outcome.architecture, outcome.reproduce)))
    status = STATUSES.get(outcome.outcome, "passed")
    return Case(outcome.operator, status, outcome.detail, detail if status != "passed" else "", outcome.seconds)


def _details(outcomes: Sequence[Outcome | ExactOutcome]) -> Iterator[Section]:
    """What there is to say of an operator: where it differs, or why it is not decided or proved."""
    for o in outcomes:
        lines = (o.architecture, o.reproduce) if o.outcome in STATUSES else ()
        if o.detail:
            parts = tuple(Line(line, code=True) for line in lines if line)
            yield Section(f"{o.operator}: {o.detail}", parts, "bad" if o.outcome == "different" else "")


def _taken(outcomes: Sequence[ExactOutcome]) -> Iterator[Line]:
    """What the proofs rest on."""
    if given := sorted({g for o in outcomes for g in o.given}):
        yield Line(", ".join(given), "functions of the reference taken as torch's:")
    for assumption in sorted({a for o in outcomes for a in o.assumptions if not a.startswith("the constant")}):
        yield Line(assumption, "assumed:")


def _conclusion(proved: Sequence[ExactOutcome]) -> str:
    """How many architectures are proved, and with which probability one of them is wrong."""
    if not proved:
        return ""
    text = f"reference = torch.nn = continual proved on {sum(o.examples for o in proved)} random architectures"
    return f"{text}; the probability that one of these is wrong is {_bound(sum(o.wrong for o in proved))}"


def _bound(wrong: float) -> str:
    """`< 2^-40`: a power of two above it."""
    return f"< 2^{math.frexp(wrong)[1]}" if 0 < wrong < 1 else f"{wrong:g}"
