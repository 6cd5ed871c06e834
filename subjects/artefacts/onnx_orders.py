"""Changes of a model of ONNX that put in order what an export put in another: gates, biases, and inputs of one node."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

GATES = {"GRU": (1, 0, 2), "LSTM": (0, 3, 1, 2)}  # where ONNX's gates stand among those of torch
EXCHANGED = {"Concat": ((0, 1),), "Sub": ((0, 1),), "Where": ((1, 2),), "BatchNormalization": ((1, 2), (3, 4))}


def orders(model: Any, place: int, node: Any) -> Iterator[tuple[str, Any]]:
    """Of one node, each said in words."""
    said = f"{node.op_type} {node.name or node.output[0]}"
    if node.op_type in GATES:
        yield from _recurrent(model, node, said)
    for a, b in EXCHANGED.get(node.op_type, ()):
        if len(node.input) > b and (node.op_type != "Concat" or len(node.input) == 2):
            names = f"{node.input[a]} and {node.input[b]}"
            says = f"{said}: its inputs {names} are exchanged; the other way round the step is right"
            yield says, _with(model, _exchanging(place, a, b))


def _recurrent(model: Any, node: Any, said: str) -> Iterator[tuple[str, Any]]:
    order = GATES[node.op_type]
    held = {tensor.name: tensor for tensor in model.graph.initializer}
    if not all(name in held for name in node.input[1:3]) or (len(node.input) > 3 and node.input[3] not in ("", *held)):
        return
    bias = node.input[3] if len(node.input) > 3 else ""
    yield (
        f"{said}: its gates stand in torch's order; in that of ONNX the step is right",
        _with(model, _changing([*node.input[1:3], *[bias] * bool(bias)], lambda a: _ordered(a, order, len(order)))),
    )
    if bias:
        yield (
            f"{said}: its biases of input and state are exchanged; the other way round the step is right",
            _with(model, _changing([bias], lambda a: np.concatenate(np.split(a, 2, 1)[::-1], 1))),
        )


def _ordered(array: np.ndarray, order: tuple[int, ...], count: int) -> np.ndarray:
    """Gates along the second axis; biases `(directions, 2 gates)` of input and state one after the other."""
    parts = [np.split(half, count, 1) for half in np.split(array, 1 if array.ndim == 3 else 2, 1)]
    return np.concatenate([half[i] for half in parts for i in order], 1)


def _with(model: Any, change: Callable[[Any], None]) -> Any:
    other = copy.deepcopy(model)
    change(other)
    return other


def _changing(names: list[str], change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Any], None]:
    def apply(model: Any) -> None:
        import onnx

        for tensor in model.graph.initializer:
            if tensor.name in names:
                array = np.ascontiguousarray(change(onnx.numpy_helper.to_array(tensor)))
                tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))

    return apply


def _exchanging(place: int, a: int, b: int) -> Callable[[Any], None]:
    def apply(model: Any) -> None:
        node = model.graph.node[place]
        node.input[a], node.input[b] = node.input[b], node.input[a]

    return apply
