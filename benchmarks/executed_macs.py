"""Multiply-adds of one step of continual-inference's own modules: executed, claimed, minimal.

    python -P benchmarks/executed_macs.py [--write benchmarks/executed_macs.md]

executed   seen at torch's dispatcher while `forward_step` runs, mean over one period in steady state
claimed    what the library says: `flops()` of its attention; elsewhere it only registers hooks with ptflops, so what those
           add up to in one step that emits, in ptflops' convention ("-" where ptflops is not installed)
minimal    the formula of the operator (`coequal.proofs.cost`): no padding in time multiplied, nothing computed twice

Batch 1, eval mode, no gradients. Nothing is timed.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

import continual as theirs
from coequal.proofs.cost import step_cost
from coequal.proofs.cost.executed.stream import steps_executed
from coequal.reference.activation import Activation
from coequal.reference.attention import MultiheadAttention
from coequal.reference.compose import Residual, Sequential
from coequal.reference.conv import Conv
from coequal.reference.layer import Layer
from coequal.reference.norm import BatchNorm
from coequal.reference.pool import AvgPool
from coequal.reference.recurrent import GRU, LSTM, RNN
from coequal.reference.squeeze_excite import SqueezeExcite
from coequal.reference.transformer import TransformerEncoder, TransformerEncoderLayer


@dataclass(frozen=True)
class Row:
    """One line: their module, ours of the same operator, the clip that both take (time is axis 2, or 1 for `(B, T, E)`)."""

    name: str
    build: Callable[[], Any]
    layer: Layer
    shape: tuple[int, ...]
    frame: tuple[int, ...]


def conv(name: str, channels: tuple[int, int], kernel: Any, space: int, **options: Any) -> Row:
    """A convolution with same-padding."""
    sizes = (kernel,) * 3 if isinstance(kernel, int) else kernel
    options = {"padding": tuple(k // 2 for k in sizes), **options}
    layer = Conv(*channels, sizes, **options)
    shape = (1, channels[0], 16, space, space)
    return Row(name, lambda: theirs.Conv3d(*channels, sizes, **options), layer, shape, (*shape[:2], space, space))


def unit(in_: int, out: int, kernel: tuple[int, ...], active: bool = True, **options: Any) -> list[Layer]:
    """Convolution without bias, batch norm, ReLU."""
    padding = tuple(k // 2 for k in kernel)
    layers: list[Layer] = [Conv(in_, out, kernel, padding=padding, bias=False, **options), BatchNorm(out)]
    return [*layers, Activation("ReLU")] if active else layers


def their_unit(in_: int, out: int, kernel: tuple[int, ...], active: bool = True, **options: Any) -> list[nn.Module]:
    """The same of theirs."""
    padding = tuple(k // 2 for k in kernel)
    made = [theirs.Conv3d(in_, out, kernel, padding=padding, bias=False, **options), nn.BatchNorm3d(out)]
    return [*made, nn.ReLU()] if active else made


class Gate(nn.Module):
    """Squeeze-and-excite of each frame, on clips (B, C, T, H, W) and on frames (B, C, H, W)."""

    def __init__(self, wide: int, narrow: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(wide, narrow), nn.Linear(narrow, wide)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`g_t x_t`."""
        means = x.mean((-2, -1)).movedim(1, -1)  # (B, [T,] C)
        gates = torch.sigmoid(self.fc2(torch.relu(self.fc1(means)))).movedim(-1, 1)
        return x * gates[..., None, None]


X3D = (48, 108, 8)  # channels, inner channels, squeezed: a block of the second stage of X3D-M
I3D = (256, 64)


def x3d_block() -> Any:
    """1x1x1, depthwise 3x3x3, squeeze-and-excite, swish, 1x1x1, around a shortcut."""
    c, i, s = X3D
    inner = [*their_unit(c, i, (1, 1, 1)), *their_unit(i, i, (3, 3, 3), active=False, groups=i)]
    return theirs.Residual(
        theirs.Sequential(*inner, theirs.Lambda(Gate(i, s)), nn.SiLU(), *their_unit(i, c, (1, 1, 1), active=False))
    )


def x3d_layer() -> Layer:
    """The same of the reference."""
    c, i, s = X3D
    inner = [*unit(c, i, (1, 1, 1)), *unit(i, i, (3, 3, 3), active=False, groups=i)]
    return Residual(Sequential((*inner, SqueezeExcite(i, s), Activation("SiLU"), *unit(i, c, (1, 1, 1), active=False))))


def i3d_block() -> Any:
    """A bottleneck: 3x1x1, 1x3x3, 1x1x1, around a shortcut."""
    c, i = I3D
    parts = [*their_unit(c, i, (3, 1, 1)), *their_unit(i, i, (1, 3, 3)), *their_unit(i, c, (1, 1, 1), active=False)]
    return theirs.Residual(theirs.Sequential(*parts))


def i3d_layer() -> Layer:
    """The same of the reference."""
    c, i = I3D
    parts = (*unit(c, i, (3, 1, 1)), *unit(i, i, (1, 3, 3)), *unit(i, c, (1, 1, 1), active=False))
    return Residual(Sequential(parts))


N, E, A, F = 64, 192, 8, 768


def attention(name: str, kind: Any, mode: str) -> Row:
    """A single attention over N tokens."""
    build = lambda: kind(E, A, sequence_len=N, batch_first=True, embed_dim_second=True)  # noqa: E731
    return Row(name, build, MultiheadAttention(E, A, mode=mode, window=N), (1, N, E), (1, E))


def encoder() -> Any:
    """Two layers: retroactive, then single-output."""
    layer = theirs.TransformerEncoderLayerFactory(E, A, F, dropout=0.0, sequence_len=N)
    return theirs.TransformerEncoder(layer, num_layers=2)


def recurrent(kind: Any, ours: Any) -> Row:
    """One layer."""
    return Row(kind.__name__, lambda: kind(E, E, batch_first=True), ours(E, E), (1, 16, E), (1, E))


ROWS = [
    *(conv(f"conv 3D, k = {k}", (64, 64), (k, 3, 3), 28) for k in (3, 5, 7)),
    conv("conv 3D, k = 3, no padding in time", (64, 64), (3, 3, 3), 28, padding=(0, 1, 1)),
    conv("depthwise 3x3x3", (108, 108), (3, 3, 3), 28, groups=108),
    conv("strided (2, 2, 2)", (64, 64), (3, 3, 3), 28, stride=(2, 2, 2)),
    conv("pointwise 1x1x1", (64, 64), (1, 1, 1), 28),
    Row("average pool (8, 7, 7)", lambda: theirs.AvgPool3d((8, 7, 7), stride=(1, 1, 1)), AvgPool((8, 7, 7), (1, 1, 1)),
        (1, 64, 16, 7, 7), (1, 64, 7, 7)),
    Row("X3D block", x3d_block, x3d_layer(), (1, X3D[0], 16, 28, 28), (1, X3D[0], 28, 28)),
    Row("I3D block", i3d_block, i3d_layer(), (1, I3D[0], 16, 28, 28), (1, I3D[0], 28, 28)),
    attention("attention, single output", theirs.SingleOutputMultiheadAttention, "single"),
    attention("attention, retroactive", theirs.RetroactiveMultiheadAttention, "full"),
    Row("encoder of two layers", encoder, TransformerEncoder(TransformerEncoderLayer(E, A, F, mode="single", window=N), 2),
        (1, N, E), (1, E)),
    recurrent(theirs.RNN, RNN),
    recurrent(theirs.LSTM, LSTM),
    recurrent(theirs.GRU, GRU),
]  # fmt: skip


def measured(row: Row) -> tuple[float, int, float]:
    """Executed (mean and worst) and minimal."""
    torch.manual_seed(0)
    module = row.build().eval()
    frames = itertools.repeat(torch.randn(row.frame))
    stepped = steps_executed(module.forward_step, frames, module)
    return float(stepped.mean()), stepped.worst(), float(step_cost(row.layer, row.shape).mean.macs())


def claim(row: Row) -> int | None:
    """What the library says of a step of its own: see the top of this file."""
    module = row.build().eval()
    if hasattr(module, "flops"):
        module.call_mode = "forward_step"
        return int(module.flops())
    return hooked(module, torch.randn(row.frame))


def hooked(module: Any, frame: torch.Tensor) -> int | None:
    """What ptflops counts in one step that emits, with the hooks that the library registers."""
    try:
        from ptflops import pytorch_ops
    except ImportError:
        return None
    module.call_mode = "forward_step"  # containers set that of what is inside
    with torch.no_grad():
        while not isinstance(module(frame), torch.Tensor):  # hooks fail on a step that emits nothing
            pass
        for _ in range(int(module.stride[0]) - 1):
            module(frame)
        parts = [part for part in module.modules() if type(part) in pytorch_ops.MODULES_MAPPING]
        for part in parts:
            part.__flops__ = 0
            part.register_forward_hook(pytorch_ops.MODULES_MAPPING[type(part)])
        module(frame)
    return sum(part.__flops__ for part in parts)


def table() -> str:
    """Markdown."""
    lines = ["| operator | frame | executed | claimed | minimal | executed / minimal |", "|---|---|---:|---:|---:|---:|"]
    for row in ROWS:
        executed, worst, minimal = measured(row)
        said = claim(row)
        ratio = f"{executed / minimal:.2f}" if minimal else "-"
        mean = f"{executed:,.0f}" if worst == executed else f"{executed:,.0f} (worst {worst:,})"
        frame = " x ".join(map(str, row.frame))
        claimed = "-" if said is None else f"{said:,}"
        lines.append(f"| {row.name} | {frame} | {mean} | {claimed} | {minimal:,.0f} | {ratio} |")
        print(lines[-1], flush=True)
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print the table; write it into the page, between its markers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", type=Path, help="page whose table to replace")
    options = parser.parse_args()
    text = table()
    if options.write:
        head, tail = (options.write.read_text() if options.write.exists() else "<!-- table -->\n<!-- end -->\n").split(
            "<!-- table -->\n"
        )
        options.write.write_text(f"{head}<!-- table -->\n{text}<!-- end -->{tail.partition('<!-- end -->')[2]}")


if __name__ == "__main__":
    main()
