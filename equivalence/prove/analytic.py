"""Whether what was executed is analytic: premise (F) of `proofs/theorems/one_more.py`."""

from __future__ import annotations

from collections.abc import Iterable

from coequal.equivalence.prove.premises import Fails
from coequal.proofs.field.arithmetic import INFINITE
from coequal.proofs.field.semantics.table import MEANINGS
from coequal.proofs.field.torch_frontend.dispatch import Exact

ANALYTIC = {  # functions, where their argument is known to be positive if it must
    *("exp", "exp2", "expm1", "sigmoid", "special_expit", "softplus", "tanh", "sinh", "cosh", "erf", "erfc", "special_erf"),
    *("sin", "cos", "atan", "asinh", "rsqrt", "pow", "log", "log2", "log10", "log1p", INFINITE),
}
ORDERED = ("order, grouping and overlap of maxima", "order of minima", "order of the members")  # laws of an operation


def is_analytic(over: Exact, names: Iterable[object]) -> None:
    """Fails where one of these functions is not, or what else was executed in this draw."""
    account = over.field.account
    functions = {str(name[0] if isinstance(name, tuple) else name) for name in names}
    ordered = {name for name in over.executed if (known := MEANINGS.get(name)) and known.keeps in ORDERED}
    if corners := (functions - ANALYTIC) | ordered:
        raise Fails(f"{min(corners)} is not analytic")
    if account.poles or account.partial:
        of = min(account.poles, default="a function")
        raise Fails(f"{of} is taken of what is not known to be positive")
    if account.undone:
        raise Fails(f"{min(account.undone)}: no derivatives are known where functions undo one another")
    if "rounded" in account.assumptions:
        raise Fails("constants are taken for others that they are near: no derivatives are known then")
