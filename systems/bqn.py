"""BQN: two ResNet-50 side by side, one for every third frame and one for what moves; clips `(B, 3, 3 T, H, W)`.

The motion band-pass module takes the second difference over time of what a band-pass over space leaves:

    s[c, t] = K[c] * x[c, t]                 K of k x k elements, on a frame mirrored at its edges
    y[c, t] = sum_j w[c, j] s[c, t + j]      j = -1, 0, 1

K begins as a Laplacian of a Gaussian that sums to one, w as (-1, 2, -1) / 3; both are learned, channel by channel. The
first module takes three frames for one and no padding, so that triples are whole: output t sees frames 3 t, 3 t + 1 and
3 t + 2. Later ones keep the number of frames, and repeat the first and the last.

    input    busy: the first frame of each triple; quiet: the first module, k = 9
    stem     of each path: conv 1x7x7 stride (1, 2, 2), 3 -> 64; norm; relu; max pool 1x3x3 stride (1, 2, 2)
    block    a bottleneck of TSM in each path, b and q; then
             busy = b + norm(conv 1x1x1 (q))    quiet = q + norm(conv 1x1x1 (module(b)))    k = 7, in the last stage 3
    stages   3, 4, 6, 3 blocks of 64, 128, 256, 512 inner channels; stride 2 in space from the second stage on
    head     the mean of both paths and over space, 2048 -> 400 for every triple, mean over the triples

The code classifies each path with the same linear map and takes the mean of the two: the same function.

A shift waits for one triple, a module for one: two a block, 32 triples in all. What it then says of a triple is what one
endless clip gives. Outputs are at a phase of three frames: triples begin with the stream.

Source: Huang & Bors, "Busy-quiet video disentangling for video classification", WACV 2022, sections 3 and 4; layers as in
guoxih/busy-quiet-net (`src/bpf.py`, `src/bqn_resnet.py`).
"""

from __future__ import annotations

from collections.abc import Iterator

from coequal.reference.channels import SelectChannels
from coequal.reference.compose import Parallel, Sequential
from coequal.reference.conv import Conv
from coequal.reference.layer import Layer
from coequal.reference.pool import AvgPool, MaxPool
from coequal.reference.shift import TemporalShift
from coequal.systems.blocks import conv, normed
from coequal.systems.resnet3d import BLOCKS, stem
from coequal.systems.system import System
from coequal.systems.tsm import DIVISOR, POINT, SIZE, bottleneck, head

PAPER = "Huang & Bors, WACV 2022, arXiv 2103.15584"
TRIPLE, AROUND = (3, 1, 1), (3, 1, 1)
FIRST, SIDES = 9, (7, 7, 7, 3)  # of the kernels in space: of the first module, and of those of each stage
HALF = AvgPool(POINT, divisor_override=2)


def over_space(channels: int, side: int) -> Conv:
    """The band-pass: a filter for each channel, frames mirrored at their edges."""
    padding = (0, side // 2, side // 2)
    return Conv(channels, channels, (1, side, side), 1, padding, groups=channels, bias=False, padding_mode="reflect")


def motion(channels: int, side: int) -> Sequential:
    """The motion band-pass module that keeps the number of frames."""
    over_time = Conv(channels, channels, AROUND, 1, (1, 0, 0), groups=channels, bias=False, padding_mode="replicate")
    return Sequential((over_space(channels, side), over_time))


def motion_of_triples(channels: int, side: int) -> Sequential:
    """The one that makes one frame of three."""
    return Sequential((over_space(channels, side), Conv(channels, channels, AROUND, TRIPLE, groups=channels, bias=False)))


def halves(channels: int) -> tuple[SelectChannels, SelectChannels]:
    """The busy and the quiet path, side by side in a clip of twice as many channels."""
    return SelectChannels(0, channels), SelectChannels(channels, 2 * channels)


def block(inputs: int, inner: int, stride: int, side: int, shift: TemporalShift) -> Sequential:
    """A bottleneck in each path, and what each tells the other."""
    outputs = 4 * inner
    paths = [Sequential((half, bottleneck(inputs, inner, stride, (shift,)))) for half in halves(inputs)]
    busy, quiet = halves(outputs)
    down = Sequential((quiet, *normed(conv(outputs, outputs, POINT))))
    up = Sequential((busy, motion(outputs, side), *normed(conv(outputs, outputs, POINT))))
    across = Parallel((Parallel((busy, down)), Parallel((quiet, up))), "concatenate")
    return Sequential((Parallel(tuple(paths), "concatenate"), across))


def bqn(
    triples: int | None,
    classes: int = 400,
    width: int = 64,
    blocks: tuple[int, ...] = BLOCKS,
    first: int = FIRST,
    sides: tuple[int, ...] = SIDES,
) -> Sequential:
    """The network; `triples`: how many predictions are averaged, None for each by itself."""
    shift, thin = TemporalShift(DIVISOR), MaxPool(POINT, TRIPLE)
    busy, quiet = Sequential((thin, stem(width, 1))), Sequential((motion_of_triples(3, first), stem(width, 1)))
    layers: list[Layer] = [Parallel((busy, quiet), "concatenate")]
    inputs = width
    for i, (depth, side) in enumerate(zip(blocks, sides, strict=True)):
        inner = width * 2**i
        sizes = [(inputs, 1 if i == 0 else 2), *[(4 * inner, 1)] * (depth - 1)]
        layers.append(Sequential(tuple(block(size, inner, stride, side, shift) for size, stride in sizes)))
        inputs = 4 * inner
    return Sequential((*layers, Parallel(halves(inputs)), HALF, *head(inputs, classes, triples)))


def modules(blocks: tuple[int, ...] = BLOCKS) -> Iterator[str]:
    """Modules with weights of the original code, in the order of ours."""
    yield from (f"base_model.{name}" for name in ("conv1", "bn1", "mbpf1.conv_s", "mbpf1.conv_t", "d_conv1", "d_bn1"))
    across = ("d_down.0", "d_down.1", "mbpf.conv_s", "mbpf.conv_t", "d_up.0", "d_up.1")
    for stage, depth in enumerate(blocks, start=1):
        for j in range(depth):
            shortcut = ("downsample.0", "downsample.1") if j == 0 else ()
            inside = ("conv1", "bn1", "conv2", "bn2", "conv3", "bn3", *shortcut)
            paths = [f"path_{path}.{name}" for path in "cf" for name in inside]
            yield from (f"base_model.layer{stage}.{j}.{name}" for name in (*paths, *across))
    yield "base_model.fc"


def systems() -> list[System]:
    """Of ResNet-50, on clips of 16 triples."""
    return [System("BQN-R50_16", "BQN", bqn(16), (1, 3, 48, SIZE, SIZE), PAPER, "16 triples of frames")]
