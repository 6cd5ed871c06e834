"""Operation counts: derived from index equations, enumerated, counted in the reference, and seen at torch's dispatcher.

    from coequal.proofs.cost import clip_cost, step_cost, state_size
    clip_cost(layer, (1, 3, 16, 112, 112)).macs()       integers, or letters: clip_cost(layer, (B, C, T, H, W))

Importing this package registers the formulas of every operator of the reference. Layering rule: as `coequal.proofs`.
"""

from coequal.proofs.cost.algebra.conventions import CONVENTIONS
from coequal.proofs.cost.algebra.counts import Cost, CostError, latex, plain
from coequal.proofs.cost.algebra.symbols import LETTERS, B, C, E, H, T, W
from coequal.proofs.cost.formulas.dispatch import (
    NoFormula,
    NotStreamable,
    Steps,
    by_layer,
    clip_cost,
    domains,
    output_shape,
    params,
    state_size,
    step_cost,
)

__all__ = [
    "CONVENTIONS",
    "LETTERS",
    "B",
    "C",
    "Cost",
    "CostError",
    "E",
    "H",
    "NoFormula",
    "NotStreamable",
    "Steps",
    "T",
    "W",
    "by_layer",
    "clip_cost",
    "domains",
    "latex",
    "output_shape",
    "params",
    "plain",
    "state_size",
    "step_cost",
]
