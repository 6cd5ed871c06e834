"""R(2+1)D: every convolution over space and time taken apart, space first, then time; clips `(B, 3, T, H, W)`.

    stem    conv 1x7x7 stride (1, 2, 2), 3 -> 45; norm; relu; conv 3x1x1, 45 -> 64; norm; relu
    stages  2 residual blocks each of 64, 128, 256, 512 channels; stride 2 in space and time from the second stage on
    conv    conv 1x3x3 stride (1, s, s), N -> M; norm; relu; conv 3x1x1 stride (s, 1, 1), M -> C
    head    mean over everything; 512 -> 400

`M = floor(27 N C / (9 N + 3 C))` gives the pair as many weights as the 3x3x3 convolution N -> C that it replaces. The paper
takes M from the N and C of each convolution; torchvision takes it once a block, from the N of the block, and so does co3d:
fewer channels in the first block of a stage. Both are here; the paper's is called VMZ, after its code.

mmaction2 takes apart the convolutions of stem and shortcuts as well, by the same rule, and pools after the stem. Deeper
networks have bottlenecks: conv 1x1x1; the pair, C -> C; conv 1x1x1, C -> 4 C. R(2+1)D-152 is the paper's; R(2+1)D-R50 of
pytorchvideo is another network of that name, with time before space, C channels between, and stride 2 in space in every
stage. Norms of VMZ add 0.001 to variances; so do those of mmaction2 behind a pair, which is left out here.

Source: Tran et al., "A closer look at spatiotemporal convolutions for action recognition", CVPR 2018, section 3.5 and
table 1; layers as in torchvision (`models/video/resnet.py`), of which LukasHedegaard/co3d (`models/r2plus1d`) builds it; in
facebookresearch/VMZ (`pt/vmz/models`), open-mmlab/mmaction2 (`models/common/conv2plus1d.py`, `backbones/resnet2plus1d.py`)
and facebookresearch/pytorchvideo (`models/r2plus1d.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from coequal.reference.compose import Residual, Sequential
from coequal.reference.layer import Layer
from coequal.reference.pool import GlobalAvgPool, MaxPool
from coequal.systems.blocks import RELU, classifier, conv, normed, residual, with_eps
from coequal.systems.system import System

PAPER = "Tran et al., CVPR 2018, arXiv 1711.11248"
SIZE = 112
BLOCKS = (3, 4, 6, 3)
EPS = 1e-3  # of VMZ
POINT = (1, 1, 1)
Builder = Callable[[int, int, int], Sequential]


def middle(inputs: int, outputs: int, kernel: int = 3) -> int:
    """Channels between space, of a square `kernel`, and three frames of time.

    >>> middle(64, 64), middle(64, 128), middle(128, 128)
    (144, 230, 288)
    """
    area = kernel**2
    return 3 * area * inputs * outputs // (area * inputs + 3 * outputs)


def apart(inputs: int, between: int, outputs: int, stride: int, kernel: int = 3, frames: int = 3) -> tuple[Layer, ...]:
    """A convolution over space, then one over time, with its norm."""
    space = conv(inputs, between, (1, kernel, kernel), (1, stride, stride))
    return (*normed(space, RELU), *normed(conv(between, outputs, (frames, 1, 1), (stride, 1, 1))))


def block(inputs: int, outputs: int, stride: int, own: bool = False, all_apart: bool = False) -> Sequential:
    """Two convolutions taken apart, around a shortcut.

    `own`: the second has channels between of its own (the paper); `all_apart`: so is that of the shortcut (mmaction2).
    """
    between = middle(inputs, outputs)
    second = middle(outputs, outputs) if own else between
    main = Sequential((*apart(inputs, between, outputs, stride), RELU, *apart(outputs, second, outputs, 1)))
    if not all_apart or (inputs == outputs and stride == 1):
        return residual(main, inputs, outputs, (stride,) * 3)
    shortcut = apart(inputs, middle(inputs, outputs, 1), outputs, stride, kernel=1, frames=1)
    return Sequential((Residual(main, Sequential(shortcut)), RELU))


def bottleneck(inputs: int, inner: int, stride: int) -> Sequential:
    """The pair between two 1 x 1 x 1 convolutions, around a shortcut."""
    pair = (*apart(inner, middle(inner, inner), inner, stride), RELU)
    layers = (*normed(conv(inputs, inner, POINT), RELU), *pair, *normed(conv(inner, 4 * inner, POINT)))
    return residual(Sequential(layers), inputs, 4 * inner, (stride,) * 3)


def time_first(inputs: int, inner: int, strides: tuple[int, int, int]) -> Sequential:
    """The bottleneck of pytorchvideo: time, then space, of `inner` channels each."""
    layers = (
        *normed(conv(inputs, inner, POINT), RELU),
        *normed(conv(inner, inner, (3, 1, 1), (strides[0], 1, 1)), RELU),
        *normed(conv(inner, inner, (1, 3, 3), (1, *strides[1:])), RELU),
        *normed(conv(inner, 4 * inner, POINT)),
    )
    return residual(Sequential(layers), inputs, 4 * inner, strides)


def stem(width: int, between: int = 45, pooled: bool = False) -> Sequential:
    """Stride 2 in space only, and once more where it is `pooled`."""
    space, time = conv(3, between, (1, 7, 7), (1, 2, 2)), conv(between, width, (3, 1, 1))
    pool = (MaxPool((1, 3, 3), (1, 2, 2), (0, 1, 1)),) if pooled else ()
    return Sequential((*normed(space, RELU), *normed(time, RELU), *pool))


def r2plus1d(
    frames: int, width: int = 64, classes: int = 400, blocks: tuple[int, ...] = (2, 2, 2, 2), own: bool = False
) -> Sequential:
    """The network on clips of `frames` frames, of which the head sees an eighth."""
    network = _network([stem(width)], lambda n, c, s: block(n, c, s, own), frames, width, classes, blocks)
    return with_eps(network, EPS) if own else network


def of_mmaction2(frames: int, width: int = 64, classes: int = 400, blocks: tuple[int, ...] = BLOCKS) -> Sequential:
    """The same with stem and shortcuts taken apart by the rule, and a pool after the stem."""
    first = stem(width, middle(3, width, 7), pooled=True)
    return _network([first], lambda n, c, s: block(n, c, s, True, all_apart=True), frames, width, classes, blocks)


def _network(
    layers: list[Layer], build: Builder, frames: int, width: int, classes: int, blocks: tuple[int, ...], wider: int = 1
) -> Sequential:
    """Stem, stages, head; `build(inputs, inner, stride)` makes a block of `wider` times the inner channels."""
    inputs = width
    for i, depth in enumerate(blocks):
        inner, stride = width * 2**i, 1 if i == 0 else 2
        rest = [build(wider * inner, inner, 1)] * (depth - 1)
        layers.append(Sequential((build(inputs, inner, stride), *rest)))
        inputs = wider * inner
    pooled = -(-frames // 2 ** (len(blocks) - 1))
    return Sequential((*layers, GlobalAvgPool(3, pooled), classifier(inputs, classes)))


def deep(frames: int, width: int = 64, classes: int = 400, blocks: tuple[int, ...] = (3, 8, 36, 3)) -> Sequential:
    """R(2+1)D of bottlenecks, by the paper's rule."""
    return with_eps(_network([stem(width)], bottleneck, frames, width, classes, blocks, 4), EPS)


def of_pytorchvideo(frames: int, width: int = 64, classes: int = 400, blocks: tuple[int, ...] = BLOCKS) -> Sequential:
    """Bottlenecks with time first; stride 2 in space in every stage, in time in the last two."""
    layers: list[Layer] = [Sequential(normed(conv(3, width, (1, 7, 7), (1, 2, 2)), RELU))]
    inputs, left = width, frames
    for i, depth in enumerate(blocks):
        inner, stride = width * 2**i, 2 if i >= 2 else 1
        rest = [time_first(4 * inner, inner, POINT)] * (depth - 1)
        layers.append(Sequential((time_first(inputs, inner, (stride, 2, 2)), *rest)))
        inputs, left = 4 * inner, -(-left // stride)
    return Sequential((*layers, GlobalAvgPool(3, left), classifier(inputs, classes)))


def modules(blocks: tuple[int, ...] = (2, 2, 2, 2), bottlenecks: bool = False) -> Iterator[str]:
    """Modules with weights of torchvision and of VMZ, in the order of ours."""
    yield from ("stem.0", "stem.1", "stem.3", "stem.4")
    first, last = (("conv1.0",), ("conv3.0", "conv3.1")) if bottlenecks else (_apart("conv1"), ())
    inside = (*first, "conv1.1", *_apart("conv2"), "conv2.1", *last)
    for stage, depth in enumerate(blocks, start=1):
        for j in range(depth):
            shortcut = ("downsample.0", "downsample.1") if j == 0 and (stage > 1 or bottlenecks) else ()
            yield from (f"layer{stage}.{j}.{name}" for name in (*inside, *shortcut))
    yield "fc"


def modules_of_mmaction2(blocks: tuple[int, ...] = BLOCKS) -> Iterator[str]:
    """Those of mmaction2, whose stem and shortcuts are taken apart as well."""

    def apart(name: str) -> tuple[str, ...]:
        return (*(f"{name}.conv.{part}" for part in ("conv_s", "bn_s", "conv_t")), f"{name}.bn")

    yield from (f"backbone.{name}" for name in apart("conv1"))
    for stage, depth in enumerate(blocks, start=1):
        for j in range(depth):
            shortcut = apart("downsample") if j == 0 and stage > 1 else ()
            yield from (f"backbone.layer{stage}.{j}.{name}" for name in (*apart("conv1"), *apart("conv2"), *shortcut))
    yield "cls_head.fc_cls"


def modules_of_pytorchvideo(blocks: tuple[int, ...] = BLOCKS) -> Iterator[str]:
    """Those of pytorchvideo, of bottlenecks with time first."""
    yield from ("blocks.0.conv", "blocks.0.norm")
    apart = ("conv_b.conv_t", "conv_b.norm", "conv_b.conv_xy")
    inside = [f"branch2.{name}" for name in ("conv_a", "norm_a", *apart, "norm_b", "conv_c", "norm_c")]
    for stage, depth in enumerate(blocks, start=1):
        for j in range(depth):
            shortcut = ("branch1_conv", "branch1_norm") if j == 0 else ()
            yield from (f"blocks.{stage}.res_blocks.{j}.{name}" for name in (*inside, *shortcut))
    yield f"blocks.{len(blocks) + 1}.proj"


def _apart(name: str) -> tuple[str, ...]:
    """Space, its norm, time."""
    return f"{name}.0.0", f"{name}.0.1", f"{name}.0.3"


def system(frames: int, own: bool) -> System:
    """R(2+1)D-18 on clips of so many frames, by torchvision's rule or the paper's `own`."""
    name = f"R(2+1)D-18_{frames}{' VMZ' if own else ''}"
    return System(name, "R(2+1)D", r2plus1d(frames, own=own), (1, 3, frames, SIZE, SIZE), PAPER)


def larger() -> list[System]:
    """R(2+1)D-34 of the paper and of mmaction2, R(2+1)D-152 of the paper, R(2+1)D-R50 of pytorchvideo."""
    networks = {
        "R(2+1)D-34_8": (r2plus1d(8, blocks=BLOCKS, own=True), 8, SIZE),
        "R(2+1)D-34_32": (r2plus1d(32, blocks=BLOCKS, own=True), 32, SIZE),
        "R(2+1)D-34_8 mmaction2": (of_mmaction2(8), 8, 224),
        "R(2+1)D-34_32 mmaction2": (of_mmaction2(32), 32, 224),
        "R(2+1)D-152_32": (deep(32), 32, SIZE),
        "R(2+1)D-R50_16": (of_pytorchvideo(16), 16, 256),
    }
    return [
        System(name, "R(2+1)D", layer, (1, 3, frames, size, size), PAPER) for name, (layer, frames, size) in networks.items()
    ]


def systems() -> list[System]:
    """R(2+1)D-18 on clips of 8 and of 16 frames, by either rule; the larger ones as they were published."""
    return [*(system(frames, own) for own in (False, True) for frames in (8, 16)), *larger()]
