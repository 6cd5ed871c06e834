"""The floor plan, enforced: imports run downwards, and `continual` is never our folder."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# room -> what it may import of ours (itself is always allowed)
RULE = {
    "reference": set(),
    "continual": {"reference"},
    "proofs": {"reference", "continual", "systems"},
    "equivalence": {"reference", "continual", "proofs"},
    "systems": {"reference"},
    "coequal": {"reference", "continual", "proofs", "equivalence", "systems"},
}
FOREIGN = {
    "reference": {"numpy"},
    "continual": {"torch"},
    "systems": set(),
}


def imports(path: Path) -> list[str]:
    """Dotted names of everything a file imports, wherever the import stands."""
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write absolute imports"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


FOLDERS = {room: ROOT / "src" / "coequal" if room == "coequal" else ROOT / room for room in RULE}
FILES = [(room, path) for room in RULE for path in sorted(FOLDERS[room].rglob("*.py"))]


@pytest.mark.parametrize(("room", "path"), FILES, ids=[str(p.relative_to(ROOT)) for _, p in FILES])
def test_imports_run_downwards(room: str, path: Path) -> None:
    import sys

    for name in imports(path):
        top, *rest = name.split(".")
        if top == "coequal":
            target = rest[0] if rest and rest[0] in RULE else "coequal"
            assert target == room or target in RULE[room], f"{path.relative_to(ROOT)} imports {name}"
        elif room in FOREIGN and top not in sys.stdlib_module_names:
            assert top in FOREIGN[room], f"{path.relative_to(ROOT)} imports {name}"


@pytest.mark.parametrize("room", RULE)
def test_every_room_states_its_rule(room: str) -> None:
    docstring = ast.get_docstring(ast.parse((FOLDERS[room] / "__init__.py").read_text()))
    assert docstring is not None
    assert "Layering rule" in docstring
