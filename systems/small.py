"""A network in small: few channels, small frames, short windows, every different block once; the same operators in order.

What it does with time is that of the network, but for how often blocks repeat and how long windows are: what is true of its
streams is proved in seconds.

    channels, features        an equal share of the published ones, so that what is put side by side still fits
    heads, folds of a shift   two; as many blocks that are one operator
    windows, tables of rows   two frames of video or three tokens, and as many more rows as the published table has; rows are
                              learned: any rows
    blocks                    one that changes no shape is left out where one like it, up to channels, has been
    space                     no strides, and windows without padding are of one pixel: both would only make frames smaller;
                              windows with padding are of three pixels
    frames                    as few and as small as the network takes, two tubelets at least
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from coequal.reference.compose import Residual, Sequential
from coequal.reference.conv import Conv
from coequal.reference.layer import Shape
from coequal.reference.pool import AvgPool
from coequal.reference.pooling_attention import PoolingBlock
from coequal.systems.streamability import operators, takes
from coequal.systems.system import System

CHANNELS = {
    *("in_channels", "out_channels", "num_features", "num_channels", "channels", "inner", "squeeze_channels", "groups"),
    "scaled",
    *("in_features", "out_features", "normalized_shape", "embed_dim", "d_model", "dim_feedforward", "classes"),
}
PARTS = {"nhead", "num_heads", "heads", "fold_div", "num_layers"}
SELECTED = {"start", "stop"}  # channels by their number
SHARES = {2: (16, 13, 12, 8), 1: (256,)}  # of what is published, by the axis of time, video or tokens: the first that fits
LEAST = {2: 1, 1: 4}  # channels; a norm of one or two features knows nothing but signs
WINDOW = {2: 2, 1: 3}  # frames
ROWS = 16  # of a table of positions in video
TOKENS = 5  # positions of a frame, one of them before a square
SIDES = (2, 3, 4, 8, 16)  # of a frame, in pixels
LONGEST = 256  # frames

Changes = Mapping[str, Callable[[Any], Any]]  # by the name of a field


def small(system: System) -> tuple[Any, Shape]:
    """The network and the smallest clip that it takes; ValueError where none of at most LONGEST frames does."""
    time = system.layer.time
    assert time is not None
    for share in SHARES[time]:
        try:
            layer = _once(_sized(_changed(system.layer, _smaller(time, system.shape[time], share))), set())
        except ValueError:  # channels that no heads share
            continue
        channels = _narrow(system.shape[3 - time], time, share)
        pools = [operator.kernel_size for _, operator in operators(layer) if isinstance(operator, AvgPool)]
        least = max((max(kernel[1:]) for kernel in pools if len(kernel) == 3), default=1)  # torch refuses smaller frames
        for side, length in itertools.product(
            [side for side in SIDES if side >= least], range(WINDOW[time] * _tubelet(layer), LONGEST)
        ):
            shape = (1, channels, length, *[side] * (len(system.shape) - 3)) if time == 2 else (1, length, channels)
            if takes(layer, shape):
                return layer, shape
    raise ValueError(f"{system.name}: its small network takes no clip of up to {LONGEST} frames")


def _tubelet(layer: Any) -> int:
    """Frames that are one for all that follows: a first convolution whose kernels do not overlap."""
    _, first = next(operators(layer))
    return first.kernel_size[0] if isinstance(first, Conv) and first.kernel_size[0] == first.strides[0] else 1


def up_to_channels(layer: Any) -> Any:
    """The same network with one channel or two, whatever it has: equal for networks that differ in channels alone."""
    return _changed(layer, {**dict.fromkeys(CHANNELS, _at_most_two), "start": _at_most_one, "stop": _at_most_two})


def _at_most_two(size: int) -> int:
    return min(size, 2)


def _at_most_one(size: int) -> int:
    return min(size, 1)


def _narrow(channels: int, time: int, share: int) -> int:
    return max(min(channels, LEAST[time]), -(-channels // share))


def _smaller(time: int, frames: int, share: int) -> Changes:
    """What becomes of the numbers of a network that was published with clips of so many frames."""
    window = WINDOW[time]
    return {
        **dict.fromkeys(CHANNELS | SELECTED, lambda size: _narrow(size, time, share)),
        **dict.fromkeys(PARTS, _at_most_two),
        "window": lambda size: window,
        "length": lambda size: size - frames + window if time == 1 else min(size, ROWS),
        "positions": lambda size: min(size, ROWS),
        "patch": lambda size: 1,
        "fusion": _at_most_one,
        "num_embeds": lambda size: max(window, size - 2 * (frames - window)),
        "side": lambda size: 3,
        **dict.fromkeys(("joints", "persons"), _at_most_two),
        "learned": lambda given: given if time == 2 else True,
    }


def _changed(value: Any, changes: Changes, name: str = "") -> Any:
    """A layer with its numbers, and those of the layers inside, changed by the names of their fields."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _with_fields(value, lambda key, field: _changed(field, changes, key))
    if isinstance(value, tuple):
        return tuple(_changed(each, changes, name) for each in value)
    return changes[name](value) if name in changes and value is not None else value


def _with_fields(layer: Any, change: Callable[[str, Any], Any]) -> Any:
    """The layer with every field changed."""
    names = [field.name for field in dataclasses.fields(layer) if field.init]
    return dataclasses.replace(layer, **{name: change(name, getattr(layer, name)) for name in names})


def _sized(value: Any) -> Any:
    """Without what makes frames smaller."""
    if isinstance(value, tuple):
        return tuple(map(_sized, value))
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return value
    layer: Any = _with_fields(value, lambda _, field: _sized(field))
    if not isinstance(getattr(layer, "kernel_size", None), tuple) or not isinstance(layer.padding, tuple):
        return layer
    sides = list(zip(layer.kernel_size[1:], layer.padding[1:], strict=True))
    space = [1 if p == 0 else min(3, k) for k, p in sides]
    padding = [0 if p == 0 else k // 2 for k, (_, p) in zip(space, sides, strict=True)]
    return dataclasses.replace(
        layer,
        kernel_size=(layer.kernel_size[0], *space),
        stride=(layer.stride[0], *[1] * len(space)),
        padding=(layer.padding[0], *padding),
    )


def _once(value: Any, seen: set[Any]) -> Any:
    """Without the blocks that change no shape and are like one before, up to channels."""
    if isinstance(value, Sequential):
        return Sequential(tuple(_once(each, seen) for each in value.layers if not _again(each, seen)))
    if isinstance(value, tuple):
        return tuple(_once(each, seen) for each in value if not (isinstance(each, PoolingBlock) and _again(each, seen)))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _with_fields(value, lambda _, field: _once(field, seen))
    return value


def _again(block: Any, seen: set[Any]) -> bool:
    if not isinstance(block, (Sequential, Residual, PoolingBlock)) or not _unchanging(block):
        return False
    known = up_to_channels(block) in seen
    seen.add(up_to_channels(block))
    return known


def _unchanging(block: Any) -> bool:
    """Whether clips have the same shape behind it, of the least of the numbers of channels that it mentions and takes."""
    if isinstance(block, PoolingBlock):
        return block.in_features == block.out_features
    for channels in sorted(set(_mentioned(block))):
        space = ((4, 4), (2, 2), (TOKENS,)) if block.time == 2 else ((),)
        for length, extent in itertools.product((LONGEST, WINDOW[2]), space):
            shape = (1, channels, length, *extent) if block.time == 2 else (1, length, channels)
            if takes(block, shape):
                return block.output_shape(shape) == shape
    return False


def _mentioned(value: Any, name: str = "") -> Iterator[int]:
    """Numbers of channels of a layer and of the layers inside."""
    if isinstance(value, tuple):
        for each in value:
            yield from _mentioned(each, name)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from _mentioned(getattr(value, field.name), field.name)
    elif isinstance(value, int) and name in CHANNELS | SELECTED:
        yield value
