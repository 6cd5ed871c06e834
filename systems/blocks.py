"""Pieces that the published convolutional networks share: convolution with norm, residual block, head.

A residual block is `y = relu(main(x) + shortcut(x))`, where the shortcut is x itself if shapes allow it and otherwise a
1 x 1 x 1 convolution with norm (He et al., CVPR 2016, section 3.3, option B).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from coequal.reference.activation import Activation
from coequal.reference.compose import Residual, Sequential
from coequal.reference.conv import Conv
from coequal.reference.layer import Layer
from coequal.reference.non_local import NonLocal
from coequal.reference.norm import BatchNorm
from coequal.reference.window import Ints

RELU = Activation("ReLU")
UNSEEN = "non-local blocks see the whole clip: not streamable"


def conv(inputs: int, outputs: int, kernel: Ints, stride: Ints = (1, 1, 1), groups: int = 1, bias: bool = False) -> Conv:
    """A convolution that keeps the size of the clip, stride aside: `padding = kernel // 2` along every axis."""
    return Conv(inputs, outputs, kernel, stride, tuple(k // 2 for k in kernel), groups=groups, bias=bias)


def normed(layer: Conv, *after: Layer) -> tuple[Layer, ...]:
    """The convolution, batch norm over its channels, and what follows."""
    return (layer, BatchNorm(layer.out_channels), *after)


def with_eps(layer: Any, eps: float, known: dict[int, Any] | None = None) -> Any:
    """The same network, whose batch norms add `eps` to variances: Caffe2 and what was trained with it have 0.001.

    `known`: what was changed already, by its identity: a block is often many times in a network.
    """
    known = {} if known is None else known
    if isinstance(layer, BatchNorm):
        return dataclasses.replace(layer, eps=eps)
    if isinstance(layer, tuple):
        return tuple(with_eps(each, eps, known) for each in layer)
    if not dataclasses.is_dataclass(layer) or isinstance(layer, type):
        return layer
    if id(layer) not in known:
        fields = {
            field.name: with_eps(getattr(layer, field.name), eps, known) for field in dataclasses.fields(layer) if field.init
        }
        known[id(layer)] = dataclasses.replace(layer, **fields)
    return known[id(layer)]


def residual(main: Sequential, inputs: int, outputs: int, stride: Ints) -> Sequential:
    """`relu(main(x) + shortcut(x))`; the shortcut is a convolution where channels or sizes change."""
    same = inputs == outputs and set(stride) == {1}
    shortcut = None if same else Sequential(normed(Conv(inputs, outputs, (1, 1, 1), stride, bias=False)))
    return Sequential((Residual(main, shortcut), RELU))


def non_local(channels: int, mode: str) -> Residual:
    """`x + norm(W y)`, y being the non-local operation to half of the channels, keys and values pooled.

    Every position sees the whole clip: a network that has one does not stream. Source: Wang, Girshick, Gupta & He,
    "Non-local neural networks", CVPR 2018, equation 6; open-mmlab/mmcv (`cnn/bricks/non_local.py`).
    """
    inner = channels // 2
    return Residual(Sequential((NonLocal(channels, inner, mode), *normed(conv(inner, channels, (1, 1, 1))))))


def beyond(depth: int, channels: int, stage: int, chosen: tuple[str, int] | None) -> dict[int, Residual]:
    """The non-local blocks of a stage, by the block that they follow: every other one of the second and the third stage.

    `chosen`: the mode, and the first block that one follows; None: there are none.
    """
    if chosen is None or stage not in (1, 2):
        return {}
    mode, first = chosen
    return dict.fromkeys(range(first, depth, 2), non_local(channels, mode))


def modules_of_mmaction2(
    blocks: tuple[int, ...], chosen: tuple[str, int] | None = None, shifted: bool = False
) -> Iterator[str]:
    """Modules with weights of a ResNet of mmaction2, in the order of ours; `chosen` as in `beyond`, `shifted`: TSM."""
    yield from ("backbone.conv1.conv", "backbone.conv1.bn")
    first = "conv1.conv.net" if shifted else "conv1.conv"
    for stage, depth in enumerate(blocks, start=1):
        for j in range(depth):
            at, after = f"backbone.layer{stage}.{j}", bool(chosen) and j in beyond(depth, 4, stage - 1, chosen)
            inside = (first, "conv1.bn", "conv2.conv", "conv2.bn", "conv3.conv", "conv3.bn")
            shortcut = ("downsample.conv", "downsample.bn") if j == 0 else ()
            yield from (f"{at}.block.{name}" if shifted and after else f"{at}.{name}" for name in (*inside, *shortcut))
            if after and chosen:
                maps = ("g.0.conv",) if chosen[0] == "gaussian" else ("g.0.conv", "theta.conv", "phi.0.conv")
                yield from (f"{at}.non_local_block.{name}" for name in (*maps, "conv_out.conv", "conv_out.bn"))
    yield "cls_head.fc_cls"


def classifier(features: int, classes: int) -> Conv:
    """The last linear map of clips `(B, C, T, 1, 1)`: the same numbers as torch.nn.Linear, as a 1 x 1 x 1 convolution."""
    return Conv(features, classes, (1, 1, 1))


def noted(notes: str, classes: int) -> str:
    """Notes that tell how many classes there are, where they are not the 400 of Kinetics.

    >>> noted("", 400), noted("", 101), noted("padded", 101)
    ('', '101 classes', 'padded; 101 classes')
    """
    return notes if classes == 400 else "; ".join(filter(None, (notes, f"{classes} classes")))
