"""`coequal explain`: the page of an operator, straight from its file in `reference/`.

The files are read, not imported: what is printed is what is there. Each file holds the equation (its docstring), a naive
form (`..._loops`), the vectorised form, and the layer description with its timing.
"""

from __future__ import annotations

import ast
import functools
from dataclasses import dataclass
from importlib.resources import files

from rich.console import Console, RenderableType
from rich.syntax import Syntax
from rich.text import Text

from coequal.report.terminal import trimmed
from coequal.subjects.errors import nearest

NOT_OPERATORS = {"__init__", "layer", "timing"}


@dataclass(frozen=True)
class Page:
    """One file of the reference: its docstring and the source of its functions and classes, by name."""

    name: str
    equation: str
    functions: dict[str, str]
    layers: dict[str, str]

    @property
    def title(self) -> str:
        """First line of the docstring."""
        return self.equation.partition("\n")[0]


class UnknownOperator(ValueError):
    """No file, class or function of the reference has that name; says which one is close."""


@functools.cache
def pages() -> dict[str, Page]:
    """Every operator file of the reference, by name."""
    folder = files("coequal.reference")
    sources = {entry.name[:-3]: entry.read_text() for entry in folder.iterdir() if entry.name.endswith(".py")}
    return {name: _page(name, text) for name, text in sorted(sources.items()) if name not in NOT_OPERATORS}


def _page(name: str, source: str) -> Page:
    tree = ast.parse(source)
    functions = {n.name: _source(source, n) for n in tree.body if isinstance(n, ast.FunctionDef)}
    layers = {n.name: _source(source, n) for n in tree.body if isinstance(n, ast.ClassDef)}
    return Page(name, ast.get_docstring(tree) or name, functions, layers)


def _source(source: str, node: ast.FunctionDef | ast.ClassDef) -> str:
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    return "\n".join(source.splitlines()[first - 1 : node.end_lineno])


def find(operator: str) -> tuple[Page, str | None]:
    """The page of an operator, and the layer or function of it that was meant (None: the whole page)."""
    if operator in pages():
        return pages()[operator], None
    names = {name: page for page in pages().values() for name in (*page.layers, *page.functions) if name[0] != "_"}
    lower = {name.lower(): name for name in (*names, *pages())}
    exact = operator if operator in names else lower.get(operator.lower())
    if exact in names:
        return names[exact], exact
    if exact is not None:
        return pages()[exact], None
    close = nearest(operator.lower(), lower)
    hint = f"did you mean {lower[close]}?" if close else f"known: {', '.join(pages())}"
    raise UnknownOperator(f"explain: no operator {operator!r}; {hint} (`coequal systems` lists all)")


def show(operator: str, console: Console) -> None:
    """Print equation, naive form, vectorised form, layer description. UnknownOperator if there is none."""
    page, chosen = find(operator)
    console.print(Text(f"{page.name}  (coequal/reference/{page.name}.py)", "bold"), soft_wrap=True)
    console.print(Text(page.equation), soft_wrap=True)
    for title, code in sections(page, chosen).items():
        console.print()
        console.print(Text(title, "bold"))
        if console.is_terminal:
            console.print(Syntax(code, "python", theme="ansi_dark", background_color="default", word_wrap=True))
        else:  # as it stands in the file
            console.print(Text(code), soft_wrap=True)


def sections(page: Page, chosen: str | None) -> dict[str, str]:
    """Title -> code, in the order of the lesson; with `chosen` a layer, the other layers of the file are left out."""
    naive = [code for name, code in page.functions.items() if name.endswith("_loops")]
    fast = [code for name, code in page.functions.items() if not name.endswith("_loops")]
    layers = _with_parents(page, chosen) if chosen in page.layers else page.layers
    parts = {
        "the naive form: one multiplication at a time": naive,
        "the vectorised form": fast,
        "the layer: hyper-parameters, shapes, timing": list(layers.values()),
    }
    return {title: "\n\n\n".join(codes) for title, codes in parts.items() if codes}


def _with_parents(page: Page, chosen: str | None) -> dict[str, str]:
    """A layer and the classes of the same file that it is built on."""
    wanted: dict[str, str] = {}
    queue = [chosen]
    while queue:
        name = queue.pop()
        if name in page.layers and name not in wanted:
            wanted = {name: page.layers[name], **wanted}
            bases = ast.parse(page.layers[name]).body[0].bases  # type: ignore[attr-defined]
            queue += [base.id for base in bases if isinstance(base, ast.Name)]
    return wanted


def catalogue(console: Console) -> None:
    """Print the operators of the reference, and the published systems."""
    from rich.table import Table

    table = Table.grid(padding=(0, 2, 0, 0))
    for page in pages().values():
        layers = ", ".join(name for name in page.layers if name[0] != "_")
        if layers:  # a file without any is shared by others
            table.add_row(Text(page.name, "bold"), Text(f"{page.title}\n{layers}"))
    with trimmed(console):
        console.print(Text("operators", "bold"))
        console.print(table)
        console.print()
        console.print(Text("systems", "bold"))
        console.print(_systems())


def _systems() -> RenderableType:
    """Published networks: trainable parameters, the clip they were published with, and whether they stream."""
    from rich.table import Table

    from coequal.systems.catalogue import SYSTEMS

    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False)
    for head, justify in (("name", "left"), ("parameters", "right"), ("clip", "left"), ("streams", "left")):
        table.add_column(head, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    for system in SYSTEMS.values():
        clip = "x".join(map(str, system.shape[1:]))
        table.add_row(Text(system.name, "bold"), f"{system.params:,}", clip, "yes" if system.streams else "no")
    return table
