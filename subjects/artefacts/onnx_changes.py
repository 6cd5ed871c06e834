"""Changes of a model of ONNX that undo what usually goes wrong in an export: one at a time, each said in words."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch

from coequal.subjects.artefacts.onnx_orders import orders

Tensor = torch.Tensor
Change = tuple[str, Any]
# attributes whose defaults are often mistaken, and what else may have been meant
DEFAULTS: dict[str, dict[str, tuple[Any, ...]]] = {
    "Softmax": {"axis": (1, -1, 0, 2)},
    "LogSoftmax": {"axis": (1, -1, 0, 2)},
    "LeakyRelu": {"alpha": (0.01, 0.1, 0.2, 0.3)},
    "HardSigmoid": {"alpha": (1 / 6, 0.2)},
    "Elu": {"alpha": (1.0,)},
    "Gelu": {"approximate": ("none", "tanh")},
    "Flatten": {"axis": (1, 0, 2)},
    "Concat": {"axis": (0, 1, 2, -1)},
    "Gather": {"axis": (0, 1, 2)},
    "ReduceMean": {"keepdims": (0, 1)},
    "ReduceSum": {"keepdims": (0, 1)},
    "GRU": {"linear_before_reset": (0, 1)},
    "AveragePool": {"count_include_pad": (0, 1)},
    "Resize": {"coordinate_transformation_mode": ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel")},
    **{
        kind: {"epsilon": (1e-5, 1e-3, 1e-6, 1e-8, 1e-12)}
        for kind in ("BatchNormalization", "LayerNormalization", "InstanceNormalization", "RMSNormalization")
    },
}
MEANT = {
    "GRU": {"linear_before_reset": 0},
    "LeakyRelu": {"alpha": 0.01},
    "HardSigmoid": {"alpha": 0.2},
    "Softmax": {"axis": -1},
}
LINEAR = ("Conv", "ConvTranspose", "Gemm", "MatMul")
COARSE = (10, 16)  # float16, bfloat16


def changed(model: Any, weights: Mapping[str, Tensor]) -> Iterator[Change]:
    """Models with one thing changed: numbers of the file, attributes, orders of weights, casts, pads, fixed sizes."""
    yield from _stale(model, weights)
    for place, node in enumerate(model.graph.node):
        for rule in (_attributes, _weights, _casts, _pads, _places, _rows, orders):
            yield from rule(model, place, node)


def _with(model: Any, change: Callable[[Any], None]) -> Any:
    other = copy.deepcopy(model)
    change(other)
    return other


def _said(node: Any) -> str:
    return f"{node.op_type} {node.name or node.output[0]}"


def _held(model: Any, name: str) -> Any:
    """What stands in the file under a name: an initializer, or the value of a constant; None."""
    for tensor in model.graph.initializer:
        if tensor.name == name:
            return tensor
    for node in model.graph.node:
        if node.op_type == "Constant" and node.output[0] == name:
            return next((a.t for a in node.attribute if a.name == "value"), None)
    return None


def _array(model: Any, name: str) -> np.ndarray | None:
    import onnx

    held = _held(model, name)
    return None if held is None else onnx.numpy_helper.to_array(held)


def _putting(name: str, array: np.ndarray) -> Callable[[Any], None]:
    """Writes other numbers under a name."""

    def change(model: Any) -> None:
        import onnx

        _held(model, name).CopyFrom(onnx.numpy_helper.from_array(np.ascontiguousarray(array), name))

    return change


def _stale(model: Any, weights: Mapping[str, Tensor]) -> Iterator[Change]:
    """Initializers that are called as a tensor of the clip is, and hold other numbers."""
    for tensor in model.graph.initializer:
        twin = next((n for n in weights if tensor.name == n or tensor.name.endswith(f".{n}")), None)
        mine = _array(model, tensor.name)
        if twin is None or mine is None or tuple(mine.shape) != tuple(weights[twin].shape):
            continue
        theirs = weights[twin].detach().cpu().numpy().astype(mine.dtype)
        if apart := int((mine != theirs).sum()):
            says = f"{apart} of {mine.size} numbers of the initializer {tensor.name} are not those of the clip's {twin}"
            yield f"{says}: with those the step is right", _with(model, _putting(tensor.name, theirs))


def _attributes(model: Any, place: int, node: Any) -> Iterator[Change]:
    import onnx

    for name, values in DEFAULTS.get(node.op_type, {}).items():
        found = next((onnx.helper.get_attribute_value(a) for a in node.attribute if a.name == name), None)
        found = found.decode() if isinstance(found, bytes) else found
        for value in values:
            if found is not None and (
                value == found or (isinstance(value, float) and np.float32(value) == np.float32(found))
            ):
                continue

            def change(other: Any, name: str = name, value: Any = value) -> None:
                target = other.graph.node[place]
                for old in [a for a in target.attribute if a.name == name]:
                    target.attribute.remove(old)
                target.attribute.append(onnx.helper.make_attribute(name, value))

            is_now = "not given" if found is None else f"{found:g}" if isinstance(found, float) else f"{found}"
            shown = f"{value:g}" if isinstance(value, float) else f"{value}"
            yield f"{_said(node)}: {name} is {is_now}; with {shown} the step is right", _with(model, change)


def _weights(model: Any, place: int, node: Any) -> Iterator[Change]:
    """Weights of linear layers, turned round or transposed."""
    if node.op_type not in LINEAR:
        return
    for name in node.input[:2]:
        array = _array(model, name)
        if array is None or array.ndim < 2:
            continue
        axes = tuple(range(2, array.ndim))
        if axes:
            yield (
                f"{_said(node)}: its weight {name} is flipped; the other way round the step is right",
                _with(model, _putting(name, np.flip(array, axes))),
            )
        first, second = (0, 1) if axes else (-2, -1)
        if array.shape[first] == array.shape[second]:
            yield (
                f"{_said(node)}: its weight {name} is transposed; the other way round the step is right",
                _with(model, _putting(name, np.swapaxes(array, first, second))),
            )


def _casts(model: Any, place: int, node: Any) -> Iterator[Change]:
    """Casts to a coarser format, left out."""
    import onnx

    to = next((a.i for a in node.attribute if a.name == "to"), None)
    if node.op_type == "Cast" and to in COARSE:

        def change(other: Any) -> None:
            for cast in other.graph.node:
                for attribute in cast.attribute:
                    if cast.op_type == "Cast" and attribute.name == "to" and attribute.i == to:
                        attribute.i = 1

        kind = onnx.TensorProto.DataType.Name(to).lower()
        yield (
            f"{_said(node)}: it casts to {kind}, which loses digits; without such casts the step is right",
            _with(model, change),
        )


def _pads(model: Any, place: int, node: Any) -> Iterator[Change]:
    """Padding that is one off: moved from one end to the other, or more or less of it."""
    if node.op_type not in ("Pad", "Conv", "ConvTranspose", "AveragePool", "MaxPool"):
        return
    attribute = next((a for a in node.attribute if a.name == "pads"), None)
    array = (
        np.array(attribute.ints)
        if attribute is not None
        else _array(model, node.input[1])
        if node.op_type == "Pad"
        else None
    )
    if array is None:
        return
    half = array.size // 2
    for axis in range(half):
        for before, after in ((1, -1), (-1, 1), (1, 0), (-1, 0), (0, 1), (0, -1)):
            pads = array.copy()
            pads[axis] += before
            pads[axis + half] += after
            if pads.min() < 0:
                continue
            says = f"{_said(node)}: its pads are {array.tolist()}; with {pads.tolist()} the step is right"
            yield says, _with(model, _putting_pads(place, node, attribute is not None, pads))


def _putting_pads(place: int, node: Any, is_attribute: bool, pads: np.ndarray) -> Callable[[Any], None]:
    def change(other: Any) -> None:
        attribute = next(a for a in other.graph.node[place].attribute if a.name == "pads")
        attribute.ints[:] = pads.tolist()

    return change if is_attribute else _putting(node.input[1], pads)


def _places(model: Any, place: int, node: Any) -> Iterator[Change]:
    """Slices and look-ups that are one off."""
    inputs = {"Slice": (1, 2), "Gather": (1,)}.get(node.op_type, ())
    for which in inputs:
        array = _array(model, node.input[which])
        if array is None or array.size > 4 or (np.abs(array) > 2**30).any():
            continue
        what = {("Slice", 1): "starts", ("Slice", 2): "ends"}.get((node.op_type, which), "indices")
        for by in (1, -1):
            says = f"{_said(node)}: its {what} are {array.tolist()}; with {(array + by).tolist()} the step is right"
            yield says, _with(model, _putting_apart(place, which, array + by))


def _putting_apart(place: int, which: int, array: np.ndarray) -> Callable[[Any], None]:
    """Other numbers for this node alone: others may read the same constant."""

    def change(other: Any) -> None:
        import onnx

        node, name = other.graph.node[place], f"{other.graph.node[place].input[which]} changed"
        other.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
        node.input[which] = name

    return change


def _rows(model: Any, place: int, node: Any) -> Iterator[Change]:
    """A number of rows that stands in a shape, where it should follow the input."""
    if node.op_type not in ("Reshape", "Expand"):
        return
    shape = _array(model, node.input[1])
    if shape is None or not shape.size:
        return
    for axis in range(shape.size):
        if node.op_type == "Reshape" and shape[axis] > 0 and -1 not in shape.tolist():
            free = shape.copy()
            free[axis] = -1
            says = f"{_said(node)}: the shape {shape.tolist()} is baked in; with {free.tolist()} the step is right"
            yield says, _with(model, _putting_apart(place, 1, free))
        elif node.op_type == "Reshape" and shape[axis] > 0:
            free = np.where(shape == -1, 0, shape)
            free[axis] = -1
            says = f"{_said(node)}: the shape {shape.tolist()} is baked in; with {free.tolist()} the step is right"
            yield says, _with(model, _putting_apart(place, 1, free))
