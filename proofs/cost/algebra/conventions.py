"""What different people mean by "FLOPs": a table. A rule says what each operator class counts for, in terms of its counts.

Nobody agrees. Multiply-adds count as one or as two, biases and norms are in or out, attention products are missing in
tools that only know modules. So a number is printed with the name of its convention, never bare.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# classes whose multiplications are multiply-adds
PRODUCTS = ("conv", "linear", "projection", "attention", "recurrent")
OPERATIONS = ("mul", "add", "div", "exp", "compare")  # counts that are scalar operations


@dataclass(frozen=True)
class Convention:
    """`rules`: operator class -> {count: weight}; a class that is not there is not counted."""

    meaning: str
    source: str
    rules: Mapping[str, Mapping[str, int]]


PRODUCT_RULES: dict[str, dict[str, int]] = {kind: {"mul": 1} for kind in PRODUCTS}
KINDS = (
    *PRODUCTS,
    *(f"{kind} bias" for kind in PRODUCTS if kind != "attention"),
    *("scale", "mask", "attention softmax", "softmax", "norm", "norm without affine", "token norm", "rectifier"),
    *("activation", "pool", "gate", "residual", "position", "recurrent cell", "elementwise", "move"),
)

CONVENTIONS: dict[str, Convention] = {
    "macs": Convention(
        "multiply-adds of convolutions, linear maps, attention products, recurrent products",
        "what most papers print and call FLOPs; fvcore and torchvision's _ops",
        PRODUCT_RULES,
    ),
    "flops": Convention(
        "two for each multiply-add: a multiplication and an addition",
        "torch.utils.flop_counter",
        {kind: {"mul": 2} for kind in PRODUCTS},
    ),
    "conv-linear": Convention(
        "multiply-adds of convolutions and linear layers, attention's projections among them; no attention products",
        "SlowFast MODEL_ZOO, VMZ tutorials/models.md (conv and fc)",
        {kind: {"mul": 1} for kind in ("conv", "linear", "projection")},
    ),
    "ptflops-0.6": Convention(
        "multiply-adds and biases (a linear layer's once, not each token), 2 for each element of a norm, 1 for"
        " each of a rectifier, 1 for each input of a pool; sigmoid, swish, gates, residual sums and layer norm are free",
        "sovrasov/flops-counter.pytorch 0.6.9, ptflops/pytorch_ops.py: the hooks of MODULES_MAPPING",
        {
            **{kind: {"mul": 1} for kind in ("conv", "linear", "attention", "recurrent")},
            "projection": {"mul": 1, "writes": 1},  # and the scaling of the queries, as many as there are outputs
            **{"conv bias": {"add": 1}, "linear bias": {"weights": 1}, "projection bias": {"add": 1}},
            **{"recurrent bias": {"add": 1}, "attention softmax": {"exp": 1}},
            **{"norm": {"writes": 2}, "norm without affine": {"writes": 1}},
            **{"rectifier": {"writes": 1}, "pool": {"reads": 1}},
        },
    ),
    "fvcore-old": Convention(
        "multiply-adds, and 5 for each element of a batch or layer norm (4 without weight and bias)",
        "facebookresearch/fvcore, nn/jit_handles.py: norm_flop_counter, as used before batchnorm_flop_jit",
        {**PRODUCT_RULES, "norm": {"writes": 5}, "norm without affine": {"writes": 4}, "token norm": {"writes": 5}},
    ),
    "hlo": Convention(
        "two for each multiply-add, one for each other multiplication, addition, division and comparison; scores are not"
        " scaled, transcendental functions are free",
        "openxla/xla, xla/service/hlo_cost_analysis.cc: HandleDot, HandleElementwiseOp, HandleReduce",
        {
            **{kind: {"mul": 2} for kind in PRODUCTS},
            **{
                kind: {"mul": 1, "add": 1, "div": 1, "compare": 1}
                for kind in KINDS
                if kind not in (*PRODUCTS, "scale", "move")
            },
        },
    ),
    "operations": Convention(
        "every multiplication, addition, division, transcendental and comparison of the equations counts one",
        "the equations in coequal.reference, as they stand",
        {kind: dict.fromkeys(OPERATIONS, 1) for kind in KINDS},
    ),
}
