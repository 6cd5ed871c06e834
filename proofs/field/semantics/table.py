"""What every operation means over a field: one table. An operation without an entry refuses; nothing is guessed.

An entry is a rule `(field, *arguments) -> Value` with what it says, what laws it keeps, and whence. Arguments that are
floating tensors arrive as `Value`, all else as it is. The documentation prints this table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Rule = Callable[..., Any]


@dataclass(frozen=True)
class Meaning:
    """One or several operations (their ATen names) with the same meaning."""

    names: tuple[str, ...]
    rule: Rule
    says: str
    keeps: str
    source: str
    masked: bool = False  # takes minus infinity among its arguments
    by_name: bool = False  # the rule's second argument is the operation itself
    group: str = ""


MEANINGS: dict[str, Meaning] = {}
TABLE: list[Meaning] = []

RING, RATIONAL, CONGRUENCE = "ring laws, any order", "rational identities", "same arguments, same value"
FREE = "Ackermann, Solvable cases of the decision problem, 1954: functions known by congruence alone"


def means(
    *names: str,
    says: str,
    keeps: str,
    source: str = "definition",
    masked: bool = False,
    by_name: bool = False,
    group: str = "",
) -> Callable[[Rule], Rule]:
    """Decorator: the rule for these operations."""

    def add(rule: Rule) -> Rule:
        meaning = Meaning(names, rule, says, keeps, source, masked, by_name, group or rule.__module__.rpartition(".")[2])
        for name in names:
            assert name not in MEANINGS, f"two meanings of {name}"
            MEANINGS[name] = meaning
        TABLE.append(meaning)
        return rule

    return add


# what depends on whether numbers are finite: over a field they are
ASKING = frozenset(
    (
        *("isnan", "isinf", "isneginf", "isposinf", "isfinite", "nan_to_num", "fmax", "fmin", "nansum", "nanmedian"),
        *("sort", "topk", "kthvalue"),
    )
)
# what has no meaning over a field, and why
REFUSED: dict[str, str] = {
    **dict.fromkeys(
        ("eq", "ne", "lt", "le", "gt", "ge", "equal", "is_nonzero", "sign", "sgn", "signbit", "isclose", "allclose"),
        "it compares data",
    ),
    **dict.fromkeys(
        ("argmax", "argmin", "argsort", "nonzero", "searchsorted", "bucketize"),
        "its indices depend on data",
    ),
    **dict.fromkeys(("_local_scalar_dense", "item"), "the program reads a value to branch on it, or to print it"),
    **dict.fromkeys(("floor", "ceil", "round", "trunc", "frac", "fmod", "remainder", "floor_divide"), "it rounds data"),
    **dict.fromkeys(("native_dropout", "bernoulli", "bernoulli_", "rrelu_with_noise", "multinomial"), "it is random"),
}
