"""Draws docs/efficiency.svg, and has the rows of the table beside it: what every network costs, also in energy.

python -P docs/efficiency.py         rewrites the figure; a test compares it

The cost metrics are those of Sze, Chen, Yang & Emer, "Efficient processing of deep neural networks: a tutorial and
survey", Proc. IEEE 105, 2017, section V: multiply-adds, numbers that must move (inputs, weights, outputs of every layer
once each, and what a stream reads and writes of its state), and energy. Energies are relative, a multiply-add being 1 and a
number from DRAM 200: Chen, Emer & Sze, "Eyeriss", ISCA 2016, table IV (65 nm, 16 bit). Every number is taken to come from
DRAM, and weights to be loaded anew for every step: the worst case for a stream.

Drawn is, for each network that streams, how many times less a step costs than a clip: across in multiply-adds, upwards in
energy. On the line both are the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from coequal.cli.systems import scaled
from coequal.proofs.cost import clip_cost, step_cost
from coequal.proofs.cost.algebra.counts import Cost
from coequal.proofs.cost.savings.machine import energy
from coequal.systems.catalogue import SYSTEMS

FIGURE = Path(__file__).resolve().parent / "efficiency.svg"
HEADS = (
    "network",
    "clip, multiply-adds",
    "moved",
    "energy",
    "step, multiply-adds",
    "moved",
    "energy",
    "fewer",
    "less energy",
)


@dataclass(frozen=True)
class Row:
    """One network; the cost of a step is the mean over a period of its strides, None where nothing streams."""

    name: str
    family: str
    clip: Cost
    step: Cost | None

    @property
    def fewer(self) -> float | None:
        """A clip has as many times the multiply-adds of a step."""
        return float(self.clip.macs() / self.step.macs()) if self.step else None

    @property
    def less(self) -> float | None:
        """The same of energy."""
        return float(energy(self.clip) / energy(self.step)) if self.step else None

    def cells(self) -> tuple[str, ...]:
        """For the table."""
        step = ("", "", "") if self.step is None else tuple(map(scaled, numbers(self.step)))
        ratios = ("" if ratio is None else f"{ratio:.3g}" for ratio in (self.fewer, self.less))
        return (self.name, *map(scaled, numbers(self.clip)), *step, *ratios)


def numbers(cost: Cost) -> tuple[float, ...]:
    """Multiply-adds, numbers that move, energy."""
    return float(cost.macs()), float(cost.moved()), float(energy(cost))


def rows() -> Iterator[Row]:
    """Every network; a prediction for every frame."""
    for system in SYSTEMS.values():
        stream = system.stream
        step = None if stream is None else step_cost(stream, system.shape).mean
        yield Row(system.name, system.family, clip_cost(system.layer, system.shape), step)


# -- the figure --------------------------------------------------------------------------------------------------------

WIDTH, HEIGHT, LEFT, TOP = 720, 420, 60, 30
DECADES = (0, 3)  # powers of ten of both axes


def drawn() -> str:
    """The SVG: a point for each network that streams, its name for who points at it."""
    low, high = DECADES
    ends = [(across(10.0**power), down(10.0**power)) for power in DECADES]
    parts = [
        f'<path class="axis" d="M{LEFT},{TOP} V{HEIGHT} H{WIDTH - LEFT}"/>',
        f'<path class="same" d="M{ends[0][0]:.1f},{ends[0][1]:.1f} L{ends[1][0]:.1f},{ends[1][1]:.1f}"/>',
    ]
    for row in rows():
        if row.fewer is not None and row.less is not None:
            told = f"{row.name}: {row.fewer:.3g}x fewer multiply-adds, {row.less:.3g}x less energy"
            parts.append(
                f'<circle cx="{across(row.fewer):.1f}" cy="{down(row.less):.1f}" r="4"><title>{told}</title></circle>'
            )
    for power in range(low, high + 1):
        parts.append(f'<text x="{across(10.0**power):.1f}" y="{HEIGHT + 18}">{10.0**power:g}x</text>')
        parts.append(f'<text x="{LEFT - 24}" y="{down(10.0**power) + 4:.1f}">{10.0**power:g}x</text>')
    parts.append(f'<text x="{WIDTH / 2}" y="{HEIGHT + 38}">fewer multiply-adds in a step than in a clip</text>')
    parts.append(f'<text x="{LEFT + 56}" y="{TOP - 10}">less energy</text>')
    return TEMPLATE.format(width=WIDTH, height=HEIGHT + 50, parts="\n".join(parts))


def across(ratio: float) -> float:
    """Where a ratio of multiply-adds is."""
    low, high = DECADES
    return LEFT + (WIDTH - 2 * LEFT) * (math.log10(ratio) - low) / (high - low)


def down(ratio: float) -> float:
    """Where a ratio of energies is."""
    low, high = DECADES
    return HEIGHT - (HEIGHT - TOP) * (math.log10(ratio) - low) / (high - low)


TEMPLATE = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="13">
<title>What a step saves, in multiply-adds and in energy</title>
<style>
svg {{ background: #fff }} text {{ text-anchor: middle; fill: #444 }} circle {{ fill: #1d6fb8; fill-opacity: 0.55 }}
path {{ fill: none; stroke-width: 1.8; stroke: #8795a8 }} .same {{ stroke-dasharray: 4 4 }}
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
