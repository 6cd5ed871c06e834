"""Kernels that clips make for themselves (`reference/adaptive_kernel.py`), of C channels, T frames, F features, K taps:

    means      B C T (H W - 1) additions, B C T divisions
    kernels    B C rows: T F and F K multiply-adds, norm and ReLU of F, softmax of K
    sums       B C T H W K multiply-adds, those with padding among them

There is no step: the kernel needs every frame of the clip.
"""

from __future__ import annotations

from collections.abc import Mapping

from coequal.proofs.cost.algebra.counts import Cost
from coequal.proofs.cost.algebra.domain import Domain, Window, ranges
from coequal.proofs.cost.algebra.symbols import numel
from coequal.proofs.cost.formulas import softmax
from coequal.proofs.cost.formulas.dispatch import Sizes, clip_formula, domains, shape_formula
from coequal.proofs.cost.formulas.linear import product_cost
from coequal.proofs.cost.formulas.scale import Scale
from coequal.reference import adaptive_kernel
from coequal.reference.adaptive_kernel import AdaptiveKernel
from coequal.reference.layer import Layer, Shape


@shape_formula.register
def outputs(layer: AdaptiveKernel, shape: Sizes) -> Sizes:
    """Half of the channels."""
    return (shape[0], layer.channels, *shape[2:])


@domains.register
def _(layer: AdaptiveKernel, shape: Sizes, padding: str = "nominal") -> Mapping[str, Domain]:
    rows, frames = ranges(shape[0], layer.channels), shape[2]
    taps = Window(frames, frames, layer.taps, start=layer.taps // 2, effective=padding == "effective")
    return {
        "features": Domain((*rows, *ranges(layer.window, layer.hidden))),
        "kernel": Domain((*rows, *ranges(layer.hidden, layer.taps))),
        "conv": Domain((*rows, taps, *ranges(*shape[3:]))),
    }


@clip_formula.register
def _(layer: AdaptiveKernel, shape: Sizes, padding: str) -> Cost:
    rows, frames, elements = shape[0] * layer.channels, shape[0] * layer.channels * shape[2], numel(outputs(layer, shape))
    products = domains(layer, shape, padding)["conv"].count()
    return Cost.total(
        [
            Cost.of("pool", add=elements - frames, div=frames, reads=elements, writes=frames),
            product_cost("linear", rows, layer.window, layer.hidden, False),
            clip_formula(layer.norm, (rows, layer.hidden, 1), padding),
            Cost.of("rectifier", compare=rows * layer.hidden, reads=rows * layer.hidden, writes=rows * layer.hidden),
            product_cost("linear", rows, layer.hidden, layer.taps, False),
            softmax.rows("softmax", rows * layer.taps, rows),
            Cost.of("conv", mul=products, add=products - elements, reads=elements, writes=elements),
        ]
    )


def example(scale: Scale) -> tuple[Layer, Shape]:
    """A layer of this kind, and a clip for it."""
    return adaptive_kernel.AdaptiveKernel(scale.channels, scale.frames), (1, 2 * scale.channels, *scale.video[2:])
