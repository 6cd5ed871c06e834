"""`coequal explain`: the page of an operator, straight from its file in `reference/`.

The files are read, not imported: what is printed is what is there. Each file holds the equation (its docstring), a naive
form (`..._loops`), the vectorised form, and the layer description with its timing.
"""

from __future__ import annotations

import argparse
import ast
import functools
from dataclasses import dataclass
from importlib.resources import files

from coequal.process.parent import BadInput
from coequal.report.document import Document, Verbatim
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


def document(options: argparse.Namespace) -> Document:
    """Equation, naive form, vectorised form, layer description. BadInput where there is no such operator."""
    try:
        page, chosen = find(options.operator)
    except UnknownOperator as error:
        raise BadInput(str(error)) from error
    file, parts = f"coequal/reference/{page.name}.py", sections(page, chosen)
    return Document(
        command="explain",
        title=page.name,
        aside=file,
        parts=(Verbatim(page.equation), *(Verbatim(code, title, "python") for title, code in parts.items())),
        data={"operator": page.name, "layer": chosen, "file": file, "equation": page.equation, "code": parts},
    )


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
