"""Transformer encoder (`reference/transformer.py`): attention, a perceptron of F hidden features, two norms, two sums.

    clip    4 T E^2 + 2 T^2 E + 2 T E F      for each layer
    step    causal, sliding, single: the attention's step and 2 E F; "full": the attention's, and 2 N E F for its N rows

Mode "single" of a stack: the first layer is retroactive, those between see a window that is new at every step, so they are
computed anew (`4 N E^2 + 2 N^2 E + 2 N E F`), and of the last only one row, without keys and values where that is less.
"""

from __future__ import annotations

from typing import Any

from coequal.proofs.cost.algebra.counts import Cost, Size
from coequal.proofs.cost.algebra.symbols import is_number, numel
from coequal.proofs.cost.formulas.attention import newest_row
from coequal.proofs.cost.formulas.dispatch import (
    Part,
    Sizes,
    Steps,
    clip_formula,
    one_frame,
    output_shape,
    parts,
    shape_formula,
    state_formula,
    step_formula,
)
from coequal.proofs.cost.formulas.scale import Scale
from coequal.reference import transformer
from coequal.reference.layer import Layer, Shape
from coequal.reference.transformer import TransformerEncoder, TransformerEncoderLayer


@shape_formula.register
def _(layer: TransformerEncoderLayer, shape: Sizes) -> Sizes:
    return output_shape(layer.self_attn, shape)


@parts.register
def _(layer: TransformerEncoderLayer, shape: Sizes) -> list[Part]:
    kept = output_shape(layer, shape)
    children, hidden = layer.children, (*kept[:2], layer.dim_feedforward)
    shapes = {"linear2": hidden, "activation": hidden, "self_attn": shape, "norm1": shape if layer.norm_first else kept}
    return [Part(name, child, shapes.get(name, kept)) for name, child in children.items()]


@clip_formula.register
def _(layer: TransformerEncoderLayer, shape: Sizes, padding: str) -> Cost:
    size = numel(output_shape(layer, shape))
    inside = [clip_formula(part.layer, part.shape, padding) for part in parts(layer, shape)]
    return Cost.total(inside) + Cost.of("residual", add=2 * size, reads=2 * size, writes=2 * size)


@step_formula.register
def _(layer: TransformerEncoderLayer, shape: Sizes, padding: str) -> Steps:
    """Attention of one token; everything around it for the rows that come out."""
    rows = layer.window if layer.mode == "full" else 1
    emitted = (shape[0], rows, shape[2])
    around = dict(layer.children)
    attention = step_formula(around.pop("self_attn"), shape, padding)
    normed = one_frame(layer, shape) if layer.norm_first else emitted  # tokens normalised before the attention are kept
    hidden = (*emitted[:2], layer.dim_feedforward)
    shapes = {"linear2": hidden, "activation": hidden, "norm1": normed}
    costs = [clip_formula(child, shapes.get(name, emitted), padding) for name, child in around.items()]
    size = 2 * numel(emitted)
    return attention + Steps((Cost.total(costs) + Cost.of("residual", add=size, reads=size, writes=size),))


@state_formula.register
def _(layer: TransformerEncoderLayer, shape: Sizes) -> Size:
    """The attention's; the shortcut of a whole window needs its tokens, too."""
    tokens = shape[0] * ((layer.window or 1) - 1) * shape[2] if layer.mode == "full" else 0
    return state_formula(layer.self_attn, shape) + tokens


# -- encoder -----------------------------------------------------------------------------------------------------------


@shape_formula.register
def _(layer: TransformerEncoder, shape: Sizes) -> Sizes:
    return output_shape(layer.layer, shape)


@parts.register
def _(layer: TransformerEncoder, shape: Sizes) -> list[Part]:
    """Mode "single" runs all layers once for each window of the clip."""
    window, emitted, times = layer.layer.window, output_shape(layer, shape)[1], 1
    if layer.layer.mode == "single" and window is not None and not (is_number(emitted) and emitted == 1):
        shape, times = (shape[0], window, shape[2]), emitted
    found = []
    for name, child in layer.children.items():
        found.append(Part(name, child, shape, times))
        shape = output_shape(child, shape)
    return found


@clip_formula.register
def _(layer: TransformerEncoder, shape: Sizes, padding: str) -> Cost:
    return Cost.total(clip_formula(part.layer, part.shape, padding) * part.times for part in parts(layer, shape))


@step_formula.register
def _(layer: TransformerEncoder, shape: Sizes, padding: str) -> Steps:
    children: list[Any] = list(layer.children.values())
    if layer.layer.mode in ("causal", "sliding"):
        stacked = [step_formula(child, shape, padding) for child in children]
        return Steps((Cost.total(steps.phases[0] for steps in stacked),))
    window = (shape[0], layer.layer.window, shape[2])
    cost = step_formula(children[0], shape, padding).phases[0]
    emitted = shape if layer.num_layers == 1 and layer.layer.mode == "single" else window
    if emitted is shape:
        emitted = one_frame(layer, shape)
    for child in children[1:]:
        cost += _of_window(child, emitted, padding)
        emitted = output_shape(child, emitted)
    return Steps((cost,))


def _of_window(layer: Any, window: Sizes, padding: str) -> Cost:
    """A layer on a window that is new at every step; where one row comes out, in the cheaper of two ways."""
    cost = clip_formula(layer, window, padding)
    if not isinstance(layer, TransformerEncoderLayer) or layer.mode != "single":
        return cost
    projected, newest = clip_formula(layer.self_attn, window, padding), newest_row(layer.self_attn, window)
    cheaper = newest.macs() / window[0] < projected.macs() / window[0]  # of one clip: the batch may be a letter
    return cost + projected * -1 + newest if cheaper else cost


@state_formula.register
def _(layer: TransformerEncoder, shape: Sizes) -> Size:
    """Stacked layers each keep theirs; where the others see whole windows, the first alone."""
    children = list(layer.children.values())[: layer.num_layers]
    streaming = children if layer.layer.mode in ("causal", "sliding") else children[:1]
    return sum(state_formula(child, shape) for child in streaming)


def example(scale: Scale) -> tuple[Layer, Shape]:
    """A layer of this kind, and a clip for it."""
    return transformer.TransformerEncoderLayer(
        scale.width, scale.heads, scale.hidden, mode="sliding", window=scale.tokens
    ), scale.sequence
