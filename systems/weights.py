"""Weights under the names of the original code: which name there each of ours has.

Names of this library say where a layer stands in its tree (`0.0.weight`); checkpoints of the original code have names of
their own. A family gives the modules of the original that have weights, in the order of ours; what is in a module (`weight`,
`bias`, `running_mean`) is called alike in both, but for what torch packs as `in_proj_weight` where the original has a linear
map `qkv`. Weights of an image network lack the axis of time, of length 1.
"""

from __future__ import annotations

from collections.abc import Iterable

from coequal.reference.layer import Layer

PACKED = {"in_proj_weight": "weight", "in_proj_bias": "bias"}


def original_names(layer: Layer, modules: Iterable[str]) -> dict[str, str]:
    """The name in the original code by the name of ours; ValueError where `modules` are not as many as ours.

    >>> from coequal.reference.compose import Sequential
    >>> from coequal.reference.linear import Linear
    >>> original_names(Sequential((Linear(2, 3),)), ["fc"])
    {'0.weight': 'fc.weight', '0.bias': 'fc.bias'}
    """
    ours = [name.rpartition(".") for name in layer.parameters()]
    places, originals = list(dict.fromkeys(place for place, _, _ in ours)), list(modules)
    if len(places) != len(originals):
        raise ValueError(f"original_names: {len(places)} modules have weights here, {len(originals)} are named")
    original = dict(zip(places, originals, strict=True))
    return {f"{place}.{name}": f"{original[place]}.{_called(name, original[place])}" for place, _, name in ours}


def _called(name: str, module: str) -> str:
    """What a parameter of ours is called in a module of the original."""
    return PACKED.get(name, name) if module.endswith(".qkv") else name
