"""The floor plan, enforced: imports run downwards among rooms, and in no circle among files or folders."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FACE = ROOT / "src" / "coequal"

# room -> what it may import of ours (itself is always allowed); "coequal": the public names and the version
BELOW_PROOFS = {"reference", "continual", "systems", "subjects"}
HARNESS = {*BELOW_PROOFS, "proofs", "equivalence"}
RULE = {
    "reference": set(),
    "continual": {"reference"},
    "systems": {"reference"},
    "subjects": {"reference", "continual", "systems"},
    "proofs": BELOW_PROOFS,
    "equivalence": {*BELOW_PROOFS, "proofs"},
    "api": HARNESS,
    "process": HARNESS,
    "report": {*HARNESS, "coequal"},
    "cli": {*HARNESS, "coequal", "process", "report"},
    "__main__": {"cli"},
    "coequal": {*HARNESS, "api"},
}
FOREIGN = {
    "reference": {"numpy"},
    "continual": {"torch"},
    "systems": set(),
}


def module_of(path: Path) -> str:
    """The dotted name that a file is imported by."""
    parts = path.relative_to(FACE.parent if path.is_relative_to(FACE) else ROOT).with_suffix("").parts
    name = ".".join(parts if path.is_relative_to(FACE) else ("coequal", *parts))
    return name.removesuffix(".__init__")


ROOMS = [room for room in RULE if (ROOT / room / "__init__.py").exists()]
PATHS = [*(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))]
PATHS += [path for path in FACE.rglob("*.py") if path.relative_to(FACE).parts[0] not in ROOMS]
FILES = {module_of(path): path for path in sorted(PATHS)}


def room_of(name: str) -> str:
    """The room of a dotted name of ours; the public names are those of `coequal` itself."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in RULE else "coequal"


def imported(path: Path) -> list[str]:
    """Dotted names of everything a file imports, wherever the import stands."""
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write absolute imports"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


def uses(module: str) -> set[str]:
    """Our files that a file imports."""
    found = {name if name in FILES else name.rpartition(".")[0] for name in imported(FILES[module])}
    return (found & set(FILES)) - {module}


@pytest.mark.parametrize("module", FILES)
def test_imports_run_downwards(module: str) -> None:
    import sys

    room = room_of(module)
    for name in imported(FILES[module]):
        if name.split(".")[0] == "coequal":
            assert room_of(name) == room or room_of(name) in RULE[room], f"{module} imports {name}"
        elif room in FOREIGN and name.split(".")[0] not in sys.stdlib_module_names:
            assert name.split(".")[0] in FOREIGN[room], f"{module} imports {name}"


def circle(graph: dict[str, set[str]]) -> list[str]:
    """One that imports run in; empty where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def test_no_circle_among_files() -> None:
    packages = {module for module, path in FILES.items() if path.name == "__init__.py"}
    assert not circle({module: uses(module) for module in FILES if module not in packages})


def folder_of(module: str, depth: int) -> str:
    """The folder that a file stands in, so many names down; a file by itself where it is not that deep."""
    return ".".join(module.split(".")[:depth])


@pytest.mark.parametrize("depth", [3, 4])
def test_no_circle_among_folders(depth: int) -> None:
    """The folders of a room are in order, too: `run` knows nothing of `compare`."""
    graph: dict[str, set[str]] = {}
    for module in FILES:
        here = folder_of(module, depth)
        graph.setdefault(here, set()).update({folder_of(used, depth) for used in uses(module)} - {here})
    assert not circle(graph)


@pytest.mark.parametrize("room", [*ROOMS, "coequal"])
def test_every_room_states_its_rule(room: str) -> None:
    path = FACE / "__init__.py" if room == "coequal" else ROOT / room / "__init__.py"
    docstring = ast.get_docstring(ast.parse(path.read_text()))
    assert docstring is not None
    assert "Layering rule" in docstring


def test_every_room_is_linked() -> None:
    for room in ROOMS:
        assert (FACE / room).resolve() == ROOT / room
