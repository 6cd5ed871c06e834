"""Public names say their types; nothing takes many arguments only to hand them on: what belongs together is one object."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.layout.test_imports import FILES, ROOT

MOST = 6
# file: why a function there takes more
ALLOWED = {
    "continual/attention.py": "the signature of torch.nn.MultiheadAttention",
    "continual/transformer.py": "that of torch.nn.TransformerEncoderLayer",
    "equivalence/suites/continual_inference/convolutions.py": "the options of its family, by their names",
    "src/coequal/api.py": "the one list of options, of which it makes objects",
}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def arguments(function: Function) -> list[ast.arg]:
    """All but `self` and `cls`."""
    given = function.args
    rest = [one for one in (given.vararg, given.kwarg) if one is not None]
    return [one for one in (*given.posonlyargs, *given.args, *given.kwonlyargs, *rest) if one.arg not in ("self", "cls")]


def handed_on(function: Function) -> list[str]:
    """Arguments that the function does nothing with but to give them, as they are, to what it calls."""
    handed, used = set[str](), set[str]()
    given = [id(value) for node in ast.walk(function) if isinstance(node, ast.Call) for value in values(node)]
    for node in (node for statement in function.body for node in ast.walk(statement)):
        if isinstance(node, ast.Name):
            (handed if id(node) in given else used).add(node.id)
    return [one.arg for one in arguments(function) if one.arg in handed - used]


def values(call: ast.Call) -> list[ast.expr]:
    """What a call is given."""
    return [*call.args, *(keyword.value for keyword in call.keywords)]


def public(tree: ast.AST) -> Iterator[Function]:
    """Functions and methods that are public, and constructors of public classes."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public(node)
        elif isinstance(node, Function) and (not node.name.startswith("_") or node.name == "__init__"):
            yield node


def test_public_names_are_typed() -> None:
    for path in FILES.values():
        for function in public(ast.parse(path.read_text())):
            untyped = [one.arg for one in arguments(function) if one.annotation is None]
            where = f"{path}, line {function.lineno}: {function.name}"
            assert not untyped, where
            assert function.returns is not None, where


def test_nothing_takes_many_arguments_only_to_hand_them_on() -> None:
    many: dict[str, dict[str, list[str]]] = {}
    for path in FILES.values():
        for function in (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, Function)):
            if len(names := handed_on(function)) > MOST:
                many.setdefault(path.relative_to(ROOT).as_posix(), {})[function.name] = names
    assert not {name: found for name, found in many.items() if name not in ALLOWED}
    assert set(many) == set(ALLOWED), "what has none any more is to be taken off the list"


def test_an_argument_that_is_handed_on_is_seen() -> None:
    tree = ast.parse("def f(a, b, c, d, *rest, **more):\n    return g(a, b + 1, h(c), d.x, *rest, k=a, **more)\n")
    (function,) = tree.body
    assert isinstance(function, ast.FunctionDef)
    assert handed_on(function) == ["a", "c", "more"]
