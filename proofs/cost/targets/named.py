"""The cost of a layer tree of the reference: an operator with sizes of a real network, or a system of the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from coequal.proofs import cost
from coequal.proofs.cost import formulas
from coequal.proofs.cost.algebra.counts import Cost, CostError, latex, plain, simplified
from coequal.proofs.cost.formulas.dispatch import time_axis
from coequal.proofs.cost.formulas.scale import Scale
from coequal.proofs.cost.savings.activations import peak_activation, step_activation
from coequal.proofs.cost.savings.machine import FLOAT32, state_bytes, traffic
from coequal.proofs.cost.targets.counterpart import executed
from coequal.reference.layer import Layer, Shape
from coequal.subjects.errors import nearest
from coequal.subjects.listing import modules_of


@dataclass(frozen=True)
class Tree:
    """What a name of the catalogue stands for: a tree for clips with an example shape, and one for streams."""

    name: str
    layer: Layer
    shape: Shape
    step_layer: Layer | None
    step_shape: Shape
    why: str = ""  # it has no step, if it has none


def _both(name: str, layer: Layer, shape: Shape) -> Tree:
    return Tree(name, layer, shape, layer if layer.timing is not None else None, shape)


def operators() -> dict[str, Tree]:
    """Every operator, in sizes of a real network, by the name of its file."""
    return {name: _both(name, *formula.example(Scale())) for name, formula in modules_of(formulas, "example").items()}


def systems() -> dict[str, Any]:
    """The published networks."""
    from coequal.systems.catalogue import SYSTEMS

    return dict(SYSTEMS)


def find(name: str) -> Tree:
    """The tree of a catalogue name; CostError names what is close."""
    mine = operators()
    known = {each.lower(): each for each in (*mine, *systems())}
    chosen = known.get(name.lower())
    if chosen in mine:
        return mine[chosen]
    if chosen is not None:
        found = systems()[chosen]
        step_shape = tuple(found.step_shape or found.shape)
        return Tree(chosen, found.layer, tuple(found.shape), found.stream, step_shape, found.notes)
    close = nearest(name.lower(), known)
    hint = f"did you mean {known[close]}?" if close else f"operators: {', '.join(mine)}"
    raise CostError(
        f"{name!r} is not in the catalogue; {hint} (for code of yours, write path/to/file.py:NAME or package.module:NAME)"
    )


def of_tree(tree: Tree, options: Mapping[str, Any]) -> dict[str, Any]:
    """What `coequal cost` says of it, as in its JSON; the options are those of the command."""
    example, convention = options["example"], options["convention"]
    one = (1, *example[1:]) if example else None  # whatever the batch
    shape, step_shape = one or tree.shape, one or tree.step_shape
    clip = cost.clip_cost(tree.layer, shape)
    notes = [] if tree.step_layer is not None else [f"no step: {tree.why or 'it needs the whole clip'}"]
    step = None
    if tree.step_layer is not None and options["mode"] != "clip":
        step, more = _step(tree.step_layer, shape, step_shape, options)
        notes += more
    return {
        "clip": {
            "macs": clip.flops(convention),
            "params": cost.params(tree.layer),
            "expression": expression(cost.clip_cost(tree.layer, lettered(tree.layer, shape)), options),
            "bytes": traffic(clip),
            "peak_activation": peak_activation(tree.layer, shape) * FLOAT32,
            "shape": list(shape),
            "modules": {
                name or type(tree.layer).__name__: one.flops(convention)
                for name, one in cost.by_layer(tree.layer, shape).items()
            },
        },
        "step": step,
        "notes": notes,
    }


def _step(layer: Layer, clip: Shape, shape: Shape, options: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    convention, steps = options["convention"], cost.step_cost(layer, shape)
    symbolic = cost.step_cost(layer, lettered(layer, shape))
    seen, notes = executed(layer, clip, convention, options["executed"])
    facts = {
        "macs": number(steps.mean.flops(convention)),
        "worst": steps.most(convention),
        "period": steps.period,
        "expression": expression(symbolic.mean, options),
        "bytes": number(traffic(steps.mean)),
        "state_bytes": state_bytes(layer, shape),
        "peak_activation": step_activation(layer, shape) * FLOAT32,
        **seen,
        "claimed": None,
        "shape": list(shape),
    }
    return facts, notes


def number(value: Any) -> int | float:
    """An integer where it is one, as it should be; otherwise the float nearest to the fraction."""
    exact = value if isinstance(value, int) else Fraction(int(value.p), int(value.q)) if hasattr(value, "p") else value
    return int(exact) if exact == int(exact) else float(exact)


def lettered(layer: Layer, shape: Shape) -> tuple[Any, ...]:
    """The shape with letters for time and space; batch and channels stay numbers."""
    time = time_axis(layer)
    names = {time: "T", **({3: "H", 4: "W"} if time == 2 and len(shape) == 5 else {3: "W"} if time == 2 else {})}
    return tuple(cost.LETTERS[names[axis]] if axis in names else size for axis, size in enumerate(shape))


def expression(costs: Cost, options: Mapping[str, Any]) -> str:
    """One line, plain or LaTeX."""
    return (latex if options["latex"] else plain)(simplified(costs.flops(options["convention"])))
