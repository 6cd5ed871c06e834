"""Where a target stands in the user's files: read, not imported."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from pathlib import Path


def place_of(target: str) -> tuple[str, int] | None:
    """File and line of `path/to/file.py:NAME` or `package.module:NAME`; None where there is no such file from here."""
    target, _ = configured(target)
    where, colon, name = target.rpartition(":") if ":" in target else (target, "", "")
    is_path = where.endswith(".py") or os.sep in where
    path = Path(where) if is_path else Path(f"{where.replace('.', os.sep)}.py")
    if not path.is_file() or not (is_path or colon):  # else a name of the catalogue
        return None
    return str(path), _line(path, name.partition(".")[0])


def configured(target: str) -> tuple[str, str | None]:
    """A target and the configuration in brackets that it names: `conv` and `kernel_size=4`; None: it names none."""
    where, bracket, configuration = target.partition("[")
    return (where, configuration[:-1]) if bracket and configuration.endswith("]") else (target, None)


def _line(path: Path, name: str) -> int:
    """Where a file gives a name its value; 1 where it does not say, or is no Python."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, OSError):
        return 1
    return next((node.lineno for node in tree.body if name in _bound(node)), 1)


def _bound(node: ast.stmt) -> Iterator[str]:
    """The names that a statement binds."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield node.name
    elif isinstance(node, (ast.Import, ast.ImportFrom)):
        yield from (alias.asname or alias.name for alias in node.names)
    else:
        yield from (n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
