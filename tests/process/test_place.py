"""Where a target stands in the user's files."""

from pathlib import Path

import pytest

from coequal.process.place import place_of

FILE = """import torch
from torch import nn as layers

first = second = 1
pair, (other, third) = 2, (3, 4)
if first:
    inner: int = 5


@torch.no_grad
def made():
    hidden = 6


class Model:
    pass
"""
LINES = {"second": 4, "third": 5, "inner": 6, "made": 11, "Model": 15, "Model.part": 15, "layers": 2, "hidden": 1, "none": 1}


@pytest.mark.parametrize("name", LINES)
def test_of_a_file(name: str, tmp_path: Path) -> None:
    path = tmp_path / "theirs.py"
    path.write_text(FILE)
    assert place_of(f"{path}:{name}") == (str(path), LINES[name])


def test_of_a_module_below_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "module.py").write_text(FILE)
    assert place_of("package.module:made") == ("package/module.py", 11)


@pytest.mark.parametrize("target", ["CoX3D-M_16", "torch.nn:Conv3d", "no/such/file.py:x", "x.py", ":", ""])
def test_of_what_is_no_file_from_here(target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "CoX3D-M_16.py").write_text("")
    assert place_of(target) is None


def test_of_a_file_that_is_no_python(tmp_path: Path) -> None:
    path = tmp_path / "theirs.py"
    path.write_bytes(b"\xff\x00 def (")
    assert place_of(f"{path}:x") == (str(path), 1)
