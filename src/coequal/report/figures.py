"""Figures of a report: series over time, drawn as SVG."""

from __future__ import annotations

import math
from html import escape
from typing import Any

from coequal.report import terminal

WIDTH, HEIGHT, MARGIN = 640, 150, 48  # of a curve, in SVG units


def series(quality: dict[str, Any]) -> dict[str, list[float]]:
    """The entries of the quality section that are numbers over time: lists of two numbers or more."""
    return {name: [float(v) for v in values] for name, values in quality.items() if _is_series(values)}


def _is_series(values: Any) -> bool:
    return (
        isinstance(values, (list, tuple))
        and len(values) > 1
        and all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)
        and any(math.isfinite(v) for v in values)
    )


def figures(quality: dict[str, Any]) -> str:
    frames = quality.get("frames", "end")  # a curve may be coarser than one point a frame
    return "".join(_figure(name, values, frames) for name, values in series(quality).items())


def _figure(name: str, values: list[float], frames: Any) -> str:
    """One curve over time as SVG, its scale from 0 (or the least value) to the largest; gaps where not finite."""
    finite = [v for v in values if math.isfinite(v)]
    low, high = min(0.0, *finite), max(finite)
    high = high if high > low else low + 1
    path, pen = [], "M"
    for index, value in enumerate(values):
        if not math.isfinite(value):
            pen = "M"
            continue
        x = MARGIN + (WIDTH - MARGIN) * index / (len(values) - 1)
        path.append(f"{pen}{x:.1f},{HEIGHT - (value - low) / (high - low) * (HEIGHT - 10):.1f}")
        pen = "L"
    words = escape(name.replace("_", " "))
    return (
        f'<figure class="card"><figcaption>{words}, over time</figcaption>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT + 18}" role="img" aria-label="{words}">'
        f'<path class="axis" d="M{MARGIN},10 V{HEIGHT} H{WIDTH}"/><path class="curve" d="{" ".join(path)}"/>'
        f'<text x="{MARGIN - 6}" y="16" text-anchor="end">{terminal.number(high)}</text>'
        f'<text x="{MARGIN - 6}" y="{HEIGHT}" text-anchor="end">{terminal.number(low)}</text>'
        f'<text x="{MARGIN}" y="{HEIGHT + 16}">frame 0</text>'
        f'<text x="{WIDTH}" y="{HEIGHT + 16}" text-anchor="end">{escape(terminal.number(frames))}</text></svg></figure>'
    )
