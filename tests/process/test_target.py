"""TARGET -> Subject, and one line for everything that can be wrong with it."""

import sys
from pathlib import Path

import pytest
import torch

from coequal.process.target import load
from coequal.subjects.errors import BadSubject

MINE = """
import torch, coequal
import sibling

class Echo:
    def step(self, frame):
        return frame

example = torch.randn(1, 2, 5)
subject = coequal.Subject(clip=lambda x: x, stream=Echo, example=example, allow=("drift",))
named = coequal.Subject(clip=lambda x: x, stream=Echo, example=example, name="echo")
linear = torch.nn.Linear(2, 2)
seven = 7

class Holder:
    inner = subject

def factory():
    return subject

def needs(size, depth=1):
    return subject

def raises():
    return torch.zeros(2, 3) @ torch.zeros(2, 3)

def leaves():
    raise SystemExit(3)

def gives_a_string():
    return "subject"
"""


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "sibling", raising=False)
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "sibling.py").write_text("")
    return str(tmp_path / "mine.py")


@pytest.mark.parametrize("name", ["subject", "factory", "Holder.inner"])
def test_a_subject_or_a_factory_of_one(mine: str, name: str) -> None:
    found = load(f"{mine}:{name}")
    assert found.name == f"{mine}:{name}"
    assert found.example.shape == (1, 2, 5)


def test_a_name_of_its_own_is_kept(mine: str) -> None:
    assert load(f"{mine}:named").name == "echo"


def test_options_extend_the_subject(mine: str) -> None:
    found = load(f"{mine}:subject", window=4, allow=["fork"], example=(2, 3, 7))
    assert (found.window, found.allow, tuple(found.example.shape)) == (4, ("drift", "fork"), (2, 3, 7))


def test_the_drawn_example_depends_on_the_seed_alone(mine: str) -> None:
    first, again, other = (load(f"{mine}:subject", example=(1, 2, 9), seed=s).example for s in (5, 5, 6))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_module_of_the_working_directory(mine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(mine).parent
    (folder / "dotted_mine.py").write_text(MINE)
    sys.path.append(str(folder))
    assert load("dotted_mine:subject").example.shape == (1, 2, 5)


def test_the_folder_of_the_file_comes_last_on_the_path(mine: str) -> None:
    load(f"{mine}:subject")
    assert sys.path[-1] == str(Path(mine).parent)


WRONG = {
    "mine.py:subjet": "no name 'subjet' in {mine}; did you mean subject?",
    "mine.py:zzz": "no name 'zzz' in {mine}; it has Echo, Holder, factory, gives_a_string, leaves, linear, named, needs",
    "mine.py": "which name in {mine}? write {mine}:NAME; it has Echo, subject, named, linear, Holder,",
    "mime.py:subject": "no file {folder}/mime.py; did you mean mine.py?",
    "mine.py:seven": "{mine}:seven is of type int; expected a coequal.Subject, a function without arguments",
    "mine.py:gives_a_string": "{mine}:gives_a_string is of type str; expected a coequal.Subject",
    "mine.py:needs": "{mine}:needs takes arguments (size); expected a coequal.Subject",
    "mine.py:linear": "{mine}:linear is the module Linear, which needs an example clip: add --example SHAPE",
    "mine.py:raises": "calling {mine}:raises: {mine}, line 25: RuntimeError: mat1 and mat2 shapes cannot be multi",
    "mine.py:leaves": "calling {mine}:leaves: {mine}, line 28: the program called sys.exit(3)",
}


@pytest.mark.parametrize(("target", "says"), WRONG.items(), ids=WRONG)
def test_what_is_wrong_with_a_target(mine: str, target: str, says: str) -> None:
    folder = str(Path(mine).parent)
    with pytest.raises(BadSubject) as error:
        load(f"{folder}/{target}")
    assert str(error.value).startswith(says.format(mine=mine, folder=folder))


BROKEN = {
    "def f(:\n    pass\n": "line 1: SyntaxError: ",
    "x = 1\nimport not_there\n": "line 2: ModuleNotFoundError: No module named 'not_there'",
    "from math import nothing_such\n": "line 1: ImportError: cannot import name 'nothing_such' from 'math'",
    "def f():\n    return 1 / 0\n\nf()\n": "line 2: ZeroDivisionError: division by zero",
    "import sys\nsys.exit('bye')\n": "line 2: the program called sys.exit('bye')",
    "raise KeyError('a\\nb')\n": "line 1: KeyError: 'a\\nb'",
    "input()\n": "line 1: ",
}


@pytest.mark.parametrize(
    ("source", "says"), BROKEN.items(), ids=[text.split(":")[1].strip() or "input" for text in BROKEN.values()]
)
def test_a_broken_file_is_blamed_at_its_line(
    tmp_path: Path, source: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    path = tmp_path / "broken.py"
    path.write_text(source)
    with pytest.raises(BadSubject) as error:
        load(f"{path}:x")
    assert str(error.value).startswith(f"importing {path}: {path}, {says}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("target", ["no_such_module:x", "no_such.module:x", "json.nothing:x"])
def test_a_missing_module(target: str) -> None:
    with pytest.raises(BadSubject, match=rf"^no module {target[:-2]}, neither installed nor in "):
        load(target)


def test_a_dotted_module_that_misses_an_import_is_blamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lacking").mkdir()
    (tmp_path / "lacking" / "__init__.py").write_text("import torch_from_the_future\n")
    (tmp_path / "lacking" / "inner.py").write_text("")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    with pytest.raises(BadSubject, match=r"lacking/__init__.py, line 1: ModuleNotFoundError: No module named 'torch_from"):
        load("lacking.inner:x")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("cox3d-S_13", r"did you mean 'CoX3D-S_13'\? Or write path/to/file\.py:NAME or package\.module:NAME"),
        ("zzz", r"see `coequal systems`, or write path/to/"),
    ],
)
def test_a_name_that_is_not_in_the_catalogue(name: str, hint: str) -> None:
    with pytest.raises(BadSubject, match=f"^'{name}' is not in the catalogue; {hint}"):
        load(name)


def test_a_published_network_that_does_not_stream() -> None:
    with pytest.raises(BadSubject, match=r"^X3D-S has no stream to compare: squeeze-and-excite over the whole clip"):
        load("X3D-S")


def test_a_published_network_by_its_name() -> None:
    subject = load("GTZAN-b1", example=(1, 130, 128))
    assert subject.name == "GTZAN-b1"
    assert tuple(subject.example.shape) == (1, 130, 128)
