"""Parameters out of a checkpoint of other code: what stands in it under other names, in other parts and with other axes.

stacked       [A; B; C]                    weights one under the other, as queries, keys and values are
cut           [A1; B1; C1; A2; B2; C2]     each in pieces, of which all the first stand before all the second
kernel        (*k, I, O) -> (O, I, *k)     of flax, where I or O may be several axes
element       A[k]                         one of those that are kept in one tensor
interleaved   row f A + a -> row a F + f   of queries, keys and values, of A heads of F features
regrouped     c V + v -> v C + c           numbers of V joints of C channels
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from coequal.reference.layer import Array, Shape

Turned = Callable[[Array, Shape], Array]


def reshaped(value: Array, shape: Shape) -> Array:
    """As it is, with other axes of length 1."""
    return value.reshape(shape)


@dataclass(frozen=True)
class Origin:
    """A parameter of ours out of weights `names` of the original, each `turned` into a shape of ours, one under the other.

    `cuts`: each is cut into so many pieces, of which all the first stand before all the second.
    """

    names: tuple[str, ...]
    turned: Turned = reshaped
    cuts: int = 1

    def of(self, state: Mapping[str, Any], shape: Shape) -> Array:
        """The parameter, of `shape`; ValueError where a weight is missing or of another size."""
        part = shape if len(self.names) == 1 else (shape[0] // len(self.names), *shape[1:])
        values = [self._part(state, name, part) for name in self.names]
        if len(values) == 1:
            return values[0]
        pieces = zip(*(np.split(value, self.cuts) for value in values), strict=True)
        return np.concatenate(list(itertools.chain.from_iterable(pieces)))

    def _part(self, state: Mapping[str, Any], name: str, shape: Shape) -> Array:
        if name not in state:
            raise ValueError(f"from_original: the original has no {name}")
        value = np.asarray(state[name])
        try:
            return self.turned(value, shape)
        except ValueError:
            raise ValueError(f"from_original: {name} has shape {value.shape} there, not what makes {shape} here") from None


def kernel(value: Array, shape: Shape) -> Array:
    """Of flax, `(*k, I, O)`, where I or O may be several axes, as `(O, I, *k)`; a bias as it is."""
    if len(shape) < 2:
        return value.reshape(shape)
    return np.moveaxis(value.reshape(*shape[2:], shape[1], shape[0]), (-1, -2), (0, 1))


def element(index: int) -> Turned:
    """One of those along the first axis."""
    return lambda value, shape: value[index].reshape(shape)


def interleaved(heads: int) -> Turned:
    """Queries, keys and values whose every `heads`-th row is the same head's, as rows of one head after the other."""

    def turned(value: Array, shape: Shape) -> Array:
        return np.swapaxes(value.reshape(3, -1, heads, *shape[1:]), 1, 2).reshape(shape)

    return turned


def regrouped(groups: int) -> Turned:
    """Numbers of `groups` groups, all of a group in turn, as the first of all groups, then the second."""
    return lambda value, shape: value.reshape(groups, -1).T.reshape(shape) if shape else value
