"""Nothing writes another object's attributes: who made an object in the same function may, and who says here why."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parents[2]
ROOMS = ("reference", "continual", "systems", "subjects", "proofs", "equivalence", "src/coequal")
LINKED = {HERE / "src/coequal" / room for room in ROOMS}
FILES = sorted(p for room in ROOMS for p in (HERE / room).rglob("*.py") if not LINKED & set(p.parents))
# what is torch's, NumPy's, Python's or the user's has no methods of ours; the rest is said by name
ALLOWED = {
    "continual/clip_modules.py": "parts of torch's layers are replaced by those with other biases",
    "continual/compose.py": "a padding is told that the layer after it pads by itself",
    "equivalence/compare/defined.py": "torch's storages carry that they come of a function undefined for some",
    "equivalence/run/short_products.py": "torch's TF32 and cuDNN are switched off, and back on",
    "equivalence/run/state.py": "the state that a stream offers to be set",
    "equivalence/run/weights.py": "torch's tensors are lent other numbers, and get theirs back",
    "equivalence/suites/transformers_caches/models.py": "a cache is replaced by its copy, as a user does",
    "proofs/cost/targets/code.py": "continual-inference's modules are switched to steps, and back",
    "proofs/eager.py": "torch.compile is switched off, and back on",
    "proofs/field/torch_frontend/dispatch.py": "torch's storages carry what is known of their numbers",
    "proofs/field/torch_frontend/storage.py": "the same",
    "proofs/theorems/induction.py": "the machines of a theorem are run from other states",
    "subjects/adapters/pocket_tts.py": "parts of pocket-tts are told their names, as its own loader does",
    "subjects/artefacts/clip.py": "torch's storages carry that their numbers are meant as they stand",
    "subjects/artefacts/onnx_changes.py": "messages of ONNX",
    "src/coequal/__init__.py": "Python's modules get the name under which they are found",
    "src/coequal/report/writers/junit.py": "the elements of an XML tree",
}


def made(function: ast.AST) -> set[str]:
    """Names to which the function itself assigns what a call returns: constructors, copies, parts of a with statement."""
    names = set[str]()
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and any(isinstance(part, ast.Call) for part in ast.walk(node.value)):
            names |= {name.id for target in node.targets for name in ast.walk(target) if isinstance(name, ast.Name)}
    return names


def writes(tree: ast.AST) -> Iterator[ast.Attribute]:
    """Attributes that are written, and belong neither to `self` nor to what the function made."""
    functions = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    for function in functions:
        own = made(function) | {"self", "cls"}
        for node in ast.walk(function):
            written = isinstance(node, ast.Attribute) and isinstance(node.ctx, (ast.Store, ast.Del))
            if written and not (isinstance(node.value, ast.Name) and node.value.id in own):
                yield node


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(HERE).as_posix())
def test_nothing_writes_the_attributes_of_another_object(path: Path) -> None:
    found = [f"line {node.lineno}: {ast.unparse(node)}" for node in writes(ast.parse(path.read_text()))]
    name = path.relative_to(HERE).as_posix()
    if name in ALLOWED:
        assert found, f"{name} writes none any more: take it off the list"
    else:
        assert not found


def test_a_write_is_seen() -> None:
    code = "def f(a):\n    b = A()\n    b.x = 1\n    a.y = 2\n    a.z += 1\n    del a.w\n    self.v = a.u\n"
    assert [ast.unparse(node) for node in writes(ast.parse(code))] == ["a.y", "a.z", "a.w"]
