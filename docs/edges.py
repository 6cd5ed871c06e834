"""Draws docs/edges.svg: how far the frames of CoX3D-S are from those of an endless stream, at its start and in a short clip.

python -P docs/edges.py         rewrites the figure; a test compares it

Features before the pooling of the head, on frames of 32 x 32 that change slowly, with random weights (He et al., ICCV 2015).
Drawn is `|y - y'| / |y'|` of each frame, in powers of ten, where y' is what the same network says of the frame in a stream
that began long before and never ends; where a curve stops, the two are the same but for rounding.

    zeros        a stream that starts at frame 0, as a clip that is padded there: all that its convolutions remember is zero
    replicate    a stream whose every layer starts as if its first frame had always been there (continual-inference's
                 `temporal_fill="replicate"`)
    repeated     a stream that begins with frame 0, over and over: all layers then start as if it had always been there
    clip         the frames of the published clip of 13: padded at both ends, in every layer

With P frames of padding, 28 here, all frames from frame P on are those of the endless stream, whatever the weights; a clip
of at most 2 P frames has no such frame. How fast it comes near before depends on the weights.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import torch

from coequal.continual.to_torch import regular
from coequal.reference.compose import Residual, Sequential
from coequal.reference.conv import Conv
from coequal.reference.pad import Pad
from coequal.reference.pool import GlobalAvgPool
from coequal.systems.catalogue import SYSTEMS

FIGURE = Path(__file__).resolve().parent / "edges.svg"
NAME, SIDE, SHOWN = "CoX3D-S_13", 32, 48
KEPT = 0.95  # correlation of a frame with the one before
DECADES = 12  # what is less than 10^-12 is rounding

Tensor = torch.Tensor


def features() -> Sequential:
    """The network up to the pooling over time."""
    layers = SYSTEMS[NAME].layer.layers  # type: ignore[attr-defined]
    return Sequential(layers[: next(i for i, layer in enumerate(layers) if isinstance(layer, GlobalAvgPool))])


def initial(layer: Sequential) -> torch.nn.Module:
    """As before training: convolutions that keep the variance of what relu lets pass."""
    module = regular(layer).double().eval()
    for part in module.modules():
        if isinstance(part, torch.nn.Conv3d):
            torch.nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
    return module


def video(frames: int) -> Tensor:
    """Noise that changes slowly: `(1, 3, T, H, W)`."""
    noise = torch.randn(1, 3, frames, SIDE, SIDE, dtype=torch.float64)
    for t in range(1, frames):
        noise[:, :, t] = KEPT * noise[:, :, t - 1] + (1 - KEPT**2) ** 0.5 * noise[:, :, t]
    return noise


def replicating(layer: Any) -> Any:
    """The same layers, those that pad in time with their first and last frame."""
    if isinstance(layer, Conv) and layer.padding[0]:
        around, *space = layer.padding
        pad = Pad(((around, around), *[(0, 0)] * len(space)), "replicate")
        return Sequential((pad, dataclasses.replace(layer, padding=(0, *space))))
    if isinstance(layer, Sequential):
        return Sequential(tuple(map(replicating, layer.layers)))
    if isinstance(layer, Residual):
        return dataclasses.replace(
            layer, main=replicating(layer.main), shortcut=layer.shortcut and replicating(layer.shortcut)
        )
    return layer


def curves() -> dict[str, list[float]]:
    """The distance of every frame, relative."""
    torch.manual_seed(0)
    layer = features()
    timing, clip = layer.timing, SYSTEMS[NAME].shape[2]
    assert timing is not None
    around = timing.pad_start
    module, x = initial(layer), video(around + SHOWN + timing.pad_end)
    started = x[:, :, around:]
    always = torch.cat([started[:, :, :1].expand(-1, -1, around, -1, -1), started], dim=2)
    other = regular(replicating(layer)).double().eval()
    other.load_state_dict(dict(zip(other.state_dict(), module.state_dict().values(), strict=True)))
    with torch.no_grad():
        endless = module(x)[:, :, around : around + SHOWN]
        found = {
            "zeros": module(started)[:, :, :SHOWN],
            "replicate, layer by layer": other(started)[:, :, :SHOWN],
            "first frame repeated": module(always)[:, :, around : around + SHOWN],
            f"clip of {clip} frames": module(started[:, :, :clip]),
        }
    return {name: distance(frames, endless[:, :, : frames.shape[2]]) for name, frames in found.items()}


def distance(frames: Tensor, endless: Tensor) -> list[float]:
    """The powers of ten, frame by frame, until it is rounding."""
    off, size = (torch.linalg.vector_norm(each, dim=(0, 1, 3, 4)) for each in (frames - endless, endless))
    powers = [round(float(power), 3) for power in torch.log10(off / size)]
    return powers[: max(t for t, power in enumerate(powers) if power > -DECADES) + 1]


# -- the figure --------------------------------------------------------------------------------------------------------

WIDTH, HEIGHT, LEFT, TOP = 720, 260, 50, 30
STYLES = ("stroke: #c2410c", "stroke: #8a5cc2", "stroke: #1d6fb8", "stroke: #3f7d20")


def drawn() -> str:
    """The SVG: powers of ten over frames; a line where the padding ends."""
    parts = [f'<path class="axis" d="M{LEFT},{TOP} V{HEIGHT} H{WIDTH - LEFT}"/>']
    timing = features().timing
    assert timing is not None
    x, end = f"{across(timing.pad_start):.1f}", timing.pad_start
    parts += [f'<path class="end" d="M{x},{TOP} V{HEIGHT}"/>', f'<text x="{x}" y="{TOP - 8}">P = {end} frames</text>']
    parts.append(f'<text class="name" x="{LEFT + 6}" y="{TOP - 8}">relative distance from an endless stream</text>')
    for i, ((name, powers), style) in enumerate(zip(curves().items(), STYLES, strict=True)):
        points = " ".join(f"{across(t):.1f},{down(power):.1f}" for t, power in enumerate(powers))
        parts.append(f'<polyline style="{style}" points="{points}"/>')
        parts.append(f'<path style="{style}" d="M{WIDTH - 210},{TOP + 22 * i} h30"/>')
        parts.append(f'<text class="name" x="{WIDTH - 172}" y="{TOP + 4 + 22 * i}">{name}</text>')
    parts += [f'<text x="{across(t):.1f}" y="{HEIGHT + 18}">{t}</text>' for t in range(0, SHOWN, 8)]
    parts += [f'<text x="{LEFT - 26}" y="{down(power) + 4:.1f}">1e{power}</text>' for power in range(0, -DECADES - 1, -3)]
    parts.append(f'<text x="{WIDTH - LEFT + 24}" y="{HEIGHT + 18}">frame</text>')
    return TEMPLATE.format(width=WIDTH, height=HEIGHT + 30, name=NAME, parts="\n".join(parts))


def across(t: float) -> float:
    """Where a frame is."""
    return LEFT + (WIDTH - 2 * LEFT) * t / (SHOWN - 1)


def down(power: float) -> float:
    """Where a power of ten is."""
    return TOP + (HEIGHT - TOP) * min(1.0, -power / DECADES)


TEMPLATE = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="13">
<title>{name}: relative distance from an endless stream, by frame</title>
<style>
svg {{ background: #fff }} text {{ text-anchor: middle; fill: #444 }} .name {{ text-anchor: start }}
path, polyline {{ fill: none; stroke-width: 1.8 }} .axis {{ stroke: #8795a8 }}
.end {{ stroke: #8795a8; stroke-dasharray: 4 4 }}
@media (prefers-color-scheme: dark) {{ svg {{ background: #14171c }} text {{ fill: #b9c3cf }} }}
</style>
{parts}
</svg>
"""


def main() -> None:
    """Writes the figure."""
    FIGURE.write_text(drawn())


if __name__ == "__main__":
    main()
