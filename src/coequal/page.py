"""A report as one self-contained HTML page: no scripts, nothing fetched, light or dark as the reader prefers.

`page.html` holds the look, this file the words. Every text is escaped: names and messages come from the user's code.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from coequal import __version__, text
from coequal.equivalence.report import Check, Counterexample, Finding, Report

TONES = {
    **{"proved": "good", "tested": "good", "passed": "good"},
    **{"different": "bad", "problem": "bad", "high": "bad"},
    **{"undecided": "warn", "medium": "warn", "waived": "warn"},
    **{"low": "calm", "skipped": "none", "info": "none"},
}
WIDTH, HEIGHT, MARGIN = 640, 150, 48  # of a curve, in SVG units


def html(report: Report) -> str:
    """The page."""
    sections = {
        "What was compared": _definitions(text.facts(report).items()),
        "Counterexample": "" if report.counterexample is None else _counterexample(report.counterexample),
        "Findings": _findings(report.findings),
        "Checks": _checks(report.checks),
        "Quality over time": _figures(report.quality),
        "Why not more": _list(report.reasons),
        "Assumed": _list(text.assumed(report)),
        "Notes": _list(report.notes),
    }
    verdict = report.verdict.value
    return Template(files("coequal").joinpath("page.html").read_text(encoding="utf-8")).substitute(
        verdict=escape(report.headline),
        meaning=escape(text.meaning(report)),
        tone=TONES[verdict],
        target=escape(report.target),
        sections="\n".join(f"<section><h2>{title}</h2>{body}</section>" for title, body in sections.items() if body),
        version=escape(__version__),
        seconds=f"{report.seconds:.1f}",
        seed=report.seed,
    )


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


def _definitions(rows: Iterable[tuple[str, str]]) -> str:
    inner = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in rows if value)
    return f'<div class="card"><dl>{inner}</dl></div>'


def _counterexample(found: Counterexample) -> str:
    rows = [("check", found.check), *text.counterexample_rows(found)]
    inner = "".join(f"<dt>{escape(name)}</dt><dd>{_value(name, value)}</dd>" for name, value in rows)
    again = f"<pre>{escape(found.reproduce)}</pre>" if found.reproduce else ""
    return f'<div class="card edge bad"><dl>{inner}</dl>{again}</div>'


def _value(name: str, value: str) -> str:
    shown = escape(value)
    return f"<code>{shown}</code>" if name in ("expected", "got", "module") else shown


def _findings(findings: Sequence[Finding]) -> str:
    rows = [
        (_toned(f.severity), f"<code>{escape(f.name)}</code>", escape(f.detail) + (" (allowed)" if f.allowed else ""))
        for f in findings
    ]
    return _table(("severity", "finding", "detail"), rows)


def _checks(checks: list[Check]) -> str:
    rows = [
        (f"<code>{escape(c.name)}</code>", _toned(c.outcome), str(c.examples), escape(c.detail))
        for c in text.checks_worth_a_line(checks)
    ]
    return _table(("check", "outcome", "examples", "detail"), rows)


def _toned(word: str) -> str:
    return f'<span class="tone {TONES.get(word, "none")}">{escape(word)}</span>'


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of cells that are HTML already."""
    if not rows:
        return ""
    head = _row("th", heads, heads)
    body = "".join(_row("td", heads, row) for row in rows)
    return f'<div class="card scroll"><table><thead>{head}</thead><tbody>{body}</tbody></table></div>'


def _row(tag: str, heads: Sequence[str], cells: Sequence[str]) -> str:
    style = {"examples": ' class="count"'}
    inner = (f"<{tag}{style.get(head, '')}>{cell}</{tag}>" for head, cell in zip(heads, cells, strict=True))
    return f"<tr>{''.join(inner)}</tr>"


def _list(lines: Sequence[str]) -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f'<div class="card"><ul>{items}</ul></div>' if items else ""


def _figures(quality: dict[str, Any]) -> str:
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
        f'<text x="{MARGIN - 6}" y="16" text-anchor="end">{text.number(high)}</text>'
        f'<text x="{MARGIN - 6}" y="{HEIGHT}" text-anchor="end">{text.number(low)}</text>'
        f'<text x="{MARGIN}" y="{HEIGHT + 16}">frame 0</text>'
        f'<text x="{WIDTH}" y="{HEIGHT + 16}" text-anchor="end">{escape(text.number(frames))}</text></svg></figure>'
    )
