"""A series over time, drawn as SVG."""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape

from coequal.report.document import Figure
from coequal.report.words import number

WIDTH, HEIGHT, MARGIN = 640, 150, 48  # of a curve, in SVG units


def drawn(figure: Figure) -> str:
    """One curve, its scale from 0 (or the least value) to the largest; gaps where not finite."""
    finite = [v for v in figure.values if math.isfinite(v)] or [0.0]
    low, high = min(0.0, *finite), max(finite)
    high = high if high > low else low + max(1.0, abs(low))
    words = escape(figure.name)
    return (
        f"<figure><figcaption>{words}, over time</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT + 18}" role="img" aria-label="{words}">'
        f'<path class="axis" d="M{MARGIN},10 V{HEIGHT} H{WIDTH}"/>'
        f'<path class="curve" d="{" ".join(_path(figure.values, low, high))}"/>'
        f'<text x="{MARGIN - 6}" y="16" text-anchor="end">{number(high)}</text>'
        f'<text x="{MARGIN - 6}" y="{HEIGHT}" text-anchor="end">{number(low)}</text>'
        f'<text x="{MARGIN}" y="{HEIGHT + 16}">frame 0</text>'
        f'<text x="{WIDTH}" y="{HEIGHT + 16}" text-anchor="end">{escape(figure.end)}</text></svg></figure>'
    )


def _path(values: tuple[float, ...], low: float, high: float) -> Iterator[str]:
    """The commands of the pen, which is lifted over a gap."""
    pen, extent = "M", high / 2 - low / 2 or 1.0  # halves: the difference may be larger than the largest float, or nothing
    for index, value in enumerate(values):
        if not math.isfinite(value):
            pen = "M"
            continue
        x = MARGIN + (WIDTH - MARGIN) * index / max(1, len(values) - 1)
        above = (value / 2 - low / 2) / extent
        yield f"{pen}{x:.1f},{HEIGHT - above * (HEIGHT - 10):.1f}"
        pen = "L"
