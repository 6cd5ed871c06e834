"""Weights under the names of the original code: which weights there each of ours is made of, and how.

Names of this library say where a layer stands in its tree (`0.0.weight`); checkpoints of the original code have names of
their own. A family gives the modules of the original that have weights, in the order of ours. One that is named by a string
is a torch module: what is in it (`weight`, `bias`, `running_mean`) is called alike in both, but for what torch packs as
`in_proj_weight` where the original has a linear map `qkv`; weights of an image network lack the axis of time, of length 1.
For any other, a function tells the origin of each parameter:

    parameter   a weight that stands by itself; `parameters`: several of them
    stacked     modules whose weights are one under the other here, as queries, keys and values are
    sliced      one of those that the original keeps in one tensor
    flax        a module of flax: kernels have inputs first and outputs last, norms have a scale
    attention   attention of flax, whose heads have an axis of their own
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from coequal.reference.checkpoint import Origin, Turned, element, kernel, reshaped
from coequal.reference.layer import Array, Layer

PACKED = {"in_proj_weight": "weight", "in_proj_bias": "bias"}
FLAX = {"weight": "kernel", "in_proj_weight": "kernel", "in_proj_bias": "bias"}
PROJECTED = {"q_proj_weight": "query", "k_proj_weight": "key", "v_proj_weight": "value"}

Module = str | Callable[[str], Origin]


def origins(layer: Layer, modules: Iterable[Module]) -> dict[str, Origin]:
    """What each parameter of ours is made of; ValueError where `modules` are not as many as ours."""
    ours = [name.rpartition(".") for name in layer.parameters()]
    places, originals = list(dict.fromkeys(place for place, _, _ in ours)), list(modules)
    if len(places) != len(originals):
        raise ValueError(f"original_names: {len(places)} modules have weights here, {len(originals)} are named")
    original = dict(zip(places, originals, strict=True))
    return {f"{place}.{name}": _origin(original[place], name) for place, _, name in ours}


def original_names(layer: Layer, modules: Iterable[Module]) -> dict[str, str]:
    """The name in the original code by the name of ours; ValueError where one is made of several, which `origins` has.

    >>> from coequal.reference.compose import Sequential
    >>> from coequal.reference.linear import Linear
    >>> original_names(Sequential((Linear(2, 3),)), ["fc"])
    {'0.weight': 'fc.weight', '0.bias': 'fc.bias'}
    """
    found = origins(layer, modules)
    for ours, origin in found.items():
        if len(origin.names) > 1:
            raise ValueError(f"original_names: {ours} is made of {', '.join(origin.names)}; `origins` names all of them")
    return {ours: origin.names[0] for ours, origin in found.items()}


def from_original(layer: Layer, modules: Iterable[Module], state: Mapping[str, Any]) -> dict[str, Array]:
    """Our parameters out of those of a checkpoint of the original code; ValueError where one is missing or does not fit.

    Args:
        layer: a network of the catalogue.
        modules: those of its family's file.
        state: weights by their names there: a `state_dict`, or parameters of flax, flattened with "/".

    >>> import numpy as np
    >>> from coequal.reference.linear import Linear
    >>> from coequal.reference.compose import Sequential
    >>> state = {"fc/kernel": np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), "fc/bias": np.zeros(3)}
    >>> from_original(Sequential((Linear(2, 3),)), [flax("fc")], state)["0.weight"].tolist()
    [[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]]
    """
    shapes = layer.parameters()
    return {ours: origin.of(state, shapes[ours]) for ours, origin in origins(layer, modules).items()}


def _origin(module: Module, attribute: str) -> Origin:
    if not isinstance(module, str):
        return module(attribute)
    called = PACKED.get(attribute, attribute) if module.endswith(".qkv") else attribute
    return Origin((f"{module}.{called}",))


# -- modules that are no torch modules of the same kind ------------------------------------------------------------------


def parameter(name: str) -> Module:
    """A weight that stands by itself."""
    return lambda _: Origin((name,))


def alike(attribute: str) -> Origin:
    """Weights that stand by themselves, and are called as ours are."""
    return Origin((attribute,))


def parameters(**names: str) -> Module:
    """Several of them, by what ours are called."""
    return lambda attribute: Origin((names[attribute],))


def stacked(*modules: str, turned: Turned = reshaped) -> Module:
    """Torch modules whose weights are one under the other here."""
    return lambda attribute: Origin(tuple(f"{module}.{PACKED.get(attribute, attribute)}" for module in modules), turned)


def sliced(index: int, **names: str) -> Module:
    """By the name of ours, a tensor of the original of which `index` is the one here."""
    return lambda attribute: Origin((names[attribute],), element(index))


def flax(path: str) -> Module:
    """A convolution or linear map."""
    return lambda attribute: Origin((f"{path}/{FLAX.get(attribute, attribute)}",), kernel)


def scale(path: str) -> Module:
    """A norm of flax."""
    return lambda attribute: Origin((f"{path}/{'scale' if attribute == 'weight' else attribute}",))


def attention(path: str, cuts: int = 1) -> tuple[Module, Module]:
    """What projects into attention of flax and out of it; heads in `cuts` groups, of which each has its own attention."""

    def inwards(attribute: str) -> Origin:
        if attribute in PROJECTED:
            return Origin((f"{path}/{PROJECTED[attribute]}/kernel",), kernel)
        kind = FLAX.get(attribute, attribute)
        return Origin(tuple(f"{path}/{name}/{kind}" for name in PROJECTED.values()), kernel, cuts)

    return inwards, flax(f"{path}/out")
