"""`coequal explain` and `coequal systems`."""

import ast
import inspect
import json
from importlib import import_module
from pathlib import Path

import pytest

from coequal.__main__ import main
from coequal.cli import explain as lesson
from coequal.systems.catalogue import SYSTEMS


@pytest.mark.parametrize("name", lesson.pages())
def test_every_operator_has_its_page(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", name]) == 0
    out = capsys.readouterr().out
    module = import_module(f"coequal.reference.{name}")
    assert (inspect.getdoc(module) or "").splitlines()[0] in out
    for layer in lesson.pages()[name].layers:
        assert inspect.getsource(getattr(module, layer)).rstrip() in out


@pytest.mark.parametrize("name", lesson.pages())
def test_a_page_is_python(name: str) -> None:
    for code in lesson.sections(lesson.pages()[name], None).values():
        ast.parse(code)


def test_a_layer_comes_with_the_classes_it_is_built_on_only(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "LSTM"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("recurrent  (coequal/reference/recurrent.py)\n")
    assert "class LSTM(_Recurrent):" in out
    assert "class _Recurrent:" in out
    assert "class GRU(_Recurrent):" not in out
    assert out.index("class _Recurrent:") < out.index("class LSTM(")


@pytest.mark.parametrize("name", ["lstm", "temporalshift", "temporal_shift", "Shift"])
def test_case_and_functions_are_understood(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", name]) == 0
    assert "coequal/reference/" in capsys.readouterr().out.splitlines()[0]


@pytest.mark.parametrize(
    ("name", "hint"), [("shfit", "did you mean shift?"), ("LSTMM", "did you mean LSTM?"), ("%", "known: ")]
)
def test_an_unknown_operator(name: str, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", name]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"coequal: explain: no operator {name!r}; {hint}")
    assert err.count("\n") == 1


def test_operators_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["systems"]) == 0
    out = capsys.readouterr().out
    for page in lesson.pages().values():
        assert (f"\n{page.name} " in out) == bool(page.layers)


def test_both_are_data_for_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "data.json"
    assert main(["explain", "GRU", "--json", str(path)]) == 0
    told = json.loads(path.read_text())
    assert (told["operator"], told["layer"], told["file"]) == ("recurrent", "GRU", "coequal/reference/recurrent.py")
    assert list(told["code"]) == list(lesson.sections(lesson.pages()["recurrent"], "GRU"))
    assert main(["systems", "--json", str(path)]) == 0
    told = json.loads(path.read_text())
    assert [system["name"] for system in told["systems"]] == list(SYSTEMS)
    assert {"name": "pad", "title": lesson.pages()["pad"].title, "layers": ["Pad"]} in told["operators"]
