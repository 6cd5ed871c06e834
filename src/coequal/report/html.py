"""A report as one self-contained HTML page: no scripts, nothing fetched, light or dark as the reader prefers.

`report.html` holds the look, this file the words. Every text is escaped: names and messages come from the user's code.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from string import Template

from coequal import __version__
from coequal.equivalence.report import Check, Counterexample, Finding, Report
from coequal.report import terminal
from coequal.report.figures import figures

TONES = {
    **{"proved": "good", "tested": "good", "passed": "good"},
    **{"different": "bad", "problem": "bad", "high": "bad"},
    **{"undecided": "warn", "within": "warn", "medium": "warn", "waived": "warn"},
    **{"low": "calm", "skipped": "none", "info": "none"},
}


def html(report: Report) -> str:
    """The page."""
    sections = {
        "What was compared": _definitions(terminal.facts(report).items()),
        "Counterexample": "" if report.counterexample is None else _counterexample(report.counterexample),
        "Findings": _findings(report.findings),
        "Checks": _checks(report.checks),
        "Quality over time": figures(report.quality),
        "Why not more": _list(report.reasons),
        "Assumed": _list(terminal.assumed(report)),
        "Notes": _list(report.notes),
    }
    verdict = report.verdict.value
    return Template(files("coequal.report").joinpath("report.html").read_text(encoding="utf-8")).substitute(
        verdict=escape(report.headline),
        meaning=escape(terminal.meaning(report)),
        tone=TONES[verdict],
        target=escape(report.target),
        sections="\n".join(f"<section><h2>{title}</h2>{body}</section>" for title, body in sections.items() if body),
        version=escape(__version__),
        seconds=f"{report.seconds:.1f}",
        seed=report.seed,
    )


def _definitions(rows: Iterable[tuple[str, str]]) -> str:
    inner = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in rows if value)
    return f'<div class="card"><dl>{inner}</dl></div>'


def _counterexample(found: Counterexample) -> str:
    rows = [("check", found.check), *terminal.counterexample_rows(found)]
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
        for c in terminal.checks_worth_a_line(checks)
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
