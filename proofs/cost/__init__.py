"""Operation counts: derived from index equations, enumerated, counted in the reference, and seen at torch's dispatcher.

    from coequal.proofs.cost import clip_cost, step_cost, state_size
    clip_cost(layer, (1, 3, 16, 112, 112)).macs()       integers, or letters: clip_cost(layer, (B, C, T, H, W))

Importing this package registers the formulas of every operator of the reference. Layering rule: as `coequal.proofs`.
"""

from coequal.proofs.cost import (  # noqa: F401  each registers its formulas
    activation,
    attention,
    class_token,
    compose,
    conv,
    decoder,
    linear,
    norm,
    pad,
    pathways,
    pool,
    position,
    recurrent,
    shift,
    softmax,
    squeeze_excite,
    transformer,
)
from coequal.proofs.cost.conventions import CONVENTIONS
from coequal.proofs.cost.cost import Cost, CostError, latex, plain
from coequal.proofs.cost.layers import (
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
from coequal.proofs.cost.symbols import LETTERS, B, C, E, H, T, W

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
