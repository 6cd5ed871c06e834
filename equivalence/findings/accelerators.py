"""What an accelerator's shortened products do to a stream: `coequal.equivalence.run.short_products`."""

from __future__ import annotations

import torch

from coequal.equivalence.checks.run import distance
from coequal.equivalence.findings.base import FINDINGS
from coequal.equivalence.report import Finding
from coequal.equivalence.run.examples import Example
from coequal.equivalence.run.session import Session
from coequal.equivalence.run.short_products import shortened

MORE = 4.0  # times as far apart as without: beyond what another order of sums does


def short_products(session: Session, allowed: list[str]) -> list[Finding]:
    """One finding, if clip and stream are further apart where products are shortened, as the user's program `allowed` it."""
    if not allowed or session.native != torch.float32:
        return []
    example = Example(session.legal(session.example_length), session.batch, session.seed)
    exact = distance(session, "values", example, session.native, full=True)
    with shortened(allowed):
        short = distance(session, "values", example, session.native, full=True)
    if exact is None or short is None or short <= MORE * exact:
        return []
    cure = ", ".join(f"{name}.allow_tf32 = False" for name in allowed)
    says = f"off by {short:.1e} with it, by {exact:.1e} without; {cure} switches it off, as here"
    return [Finding("tf32", FINDINGS["tf32"][0], f"{FINDINGS['tf32'][1]} ({says})")]
