"""Draws docs/rooms.svg: the rooms of the house and the folders in them, in the order in which imports run.

python -P docs/rooms.py [--check]        --check: exit code 1 if the figure is not what the imports say
"""

from __future__ import annotations

import ast
import sys
from graphlib import TopologicalSorter
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FACE = ROOT / "src" / "coequal"
FIGURE = ROOT / "docs" / "rooms.svg"
ROOMS = ("reference", "continual", "systems", "subjects", "proofs", "equivalence", "api", "process", "report", "cli")
WIDTH, HEIGHT, LINE, GAP, LEFT = 860, 46, 17, 30, 20

Graph = dict[str, set[str]]


def files() -> dict[str, Path]:
    """Module name, without `coequal.`, of every file of ours."""
    found = {}
    for room in ROOMS:
        folder = ROOT / room if (ROOT / room).is_dir() else FACE / room
        paths = sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]
        for path in paths:
            inside = path.with_suffix("").parts[len(folder.parent.parts) :]
            found[".".join(inside).removesuffix(".__init__")] = path
    return found


def imports(path: Path) -> set[str]:
    """What a file imports of ours, without `coequal.`."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("coequal."):
            names |= {f"{node.module}.{alias.name}".removeprefix("coequal.") for alias in node.names}
    return names


def among(depth: int, inside: str = "") -> Graph:
    """Who imports whom, by the first `depth` parts of their names; `inside` one room alone."""
    graph: Graph = {}
    for name, path in files().items():
        if not name.startswith(inside) or name == inside.rstrip("."):
            continue
        here = ".".join(name.split(".")[:depth])
        used = {".".join(other.split(".")[:depth]) for other in imports(path) if other.startswith(inside)}
        graph.setdefault(here, set()).update(used - {here})
    return {here: used & set(graph) for here, used in graph.items()}


def ranks(graph: Graph) -> list[list[str]]:
    """Layers, the lowest first: each imports from those before it alone."""
    sorter, layers = TopologicalSorter(graph), []
    sorter.prepare()
    while sorter.is_active():
        layers.append(sorted(ready := sorter.get_ready()))
        sorter.done(*ready)
    return layers


def folders_of(room: str) -> str:
    """The folders of a room (files by themselves, where it has no folders), the lowest first."""
    layers = ranks(among(2, f"{room}."))
    if not any((base / name.replace(".", "/")).is_dir() for base in (ROOT, FACE) for layer in layers for name in layer):
        return ""
    return " < ".join(", ".join(name.partition(".")[2] for name in layer) for layer in layers)


def wrapped(text: str, width: int) -> list[str]:
    """Lines of at most so many letters."""
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + len(word) >= width:
            lines, line = [*lines, line], ""
        line = f"{line} {word}".strip()
    return [*lines, line] if line else lines


def drawn() -> str:
    """The SVG: a row a rank, highest on top; arrows to what is imported directly and not by way of another."""
    graph = among(1)
    layers = ranks(graph)[::-1]
    boxes, arrows, middle, y = list[str](), list[str](), {}, GAP
    for layer in layers:
        wide = (WIDTH - 2 * LEFT - GAP * (len(layer) - 1)) / len(layer)
        texts = {room: wrapped(folders_of(room), int(wide / 6.6)) for room in layer}
        tall = HEIGHT + LINE * max(len(lines) for lines in texts.values())
        for i, room in enumerate(layer):
            x = LEFT + i * (wide + GAP)
            middle[room] = (x + wide / 2, y, y + tall)
            boxes.append(f'<rect x="{x:.0f}" y="{y}" width="{wide:.0f}" height="{tall}" rx="6"/>')
            boxes.append(f'<text class="room" x="{x + wide / 2:.0f}" y="{y + 28}">{room}</text>')
            for j, line in enumerate(texts[room]):
                boxes.append(f'<text x="{x + wide / 2:.0f}" y="{y + 48 + LINE * j}">{escape(line)}</text>')
        y += tall + 2 * GAP
    for room, used in sorted(graph.items()):
        for other in sorted(direct(graph, room, used)):
            (x1, _, bottom), (x2, top, _) = middle[room], middle[other]
            arrows.append(f'<line x1="{x1:.0f}" y1="{bottom}" x2="{x2:.0f}" y2="{top}"/>')
    return TEMPLATE.format(width=WIDTH, height=y - GAP, parts="\n".join(arrows + boxes))


def direct(graph: Graph, room: str, used: set[str]) -> set[str]:
    """Of what a room imports: what none of the others there imports, too."""
    return {other for other in used if not any(other in graph[third] for third in used - {other})}


TEMPLATE = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="13">
<title>Rooms of coequal: an arrow leads to what is imported</title>
<style>
svg {{ background: #fff }} text {{ text-anchor: middle; fill: #444 }} .room {{ font-size: 16px; fill: #111 }}
rect {{ fill: #f3f5f8; stroke: #8795a8 }} line {{ stroke: #8795a8; stroke-width: 1.4; marker-end: url(#arrow) }}
@media (prefers-color-scheme: dark) {{ svg {{ background: #14171c }} rect {{ fill: #232932 }}
text {{ fill: #b9c3cf }} .room {{ fill: #f2f5f8 }} }}
</style>
<marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">
<path d="M0 0 8 4 0 8z" fill="#8795a8"/></marker>
{parts}
</svg>
"""


def main() -> int:
    """Writes the figure, or says whether it is up to date."""
    figure = drawn()
    if "--check" in sys.argv:
        return int(FIGURE.read_text() != figure)
    FIGURE.write_text(figure)
    return 0


if __name__ == "__main__":
    sys.exit(main())
