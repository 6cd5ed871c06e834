"""Suites are found by the name of a distribution, and imported where it is installed."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from coequal.equivalence import suites
from coequal.equivalence.suites import find, names
from coequal.process.target import is_suite, loaded
from coequal.subjects.errors import BadSubject

FAMILIES = """
import tiny_library
from hypothesis import strategies as st
from coequal.equivalence.campaigns.families import family
from coequal.subjects.subject import Subject


@family(size=st.integers(1, 3))
def running(size):
    return tiny_library.subject(size)
"""


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a suite of `tiny-library`, which is not installed."""
    folder = tmp_path / "tiny_library"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "running.py").write_text(FAMILIES)
    monkeypatch.setattr(suites, "__path__", [*suites.__path__, str(tmp_path)])
    yield folder
    for name in [name for name in sys.modules if name.startswith(f"{suites.__name__}.tiny_library")]:
        del sys.modules[name]


def test_a_library_that_is_not_installed_is_said_and_nothing_is_imported(tiny: Path) -> None:
    assert "tiny-library" in names.names()
    with pytest.raises(BadSubject, match="tiny-library is not installed: its suite needs it"):
        loaded("tiny-library")


def test_a_suite_has_the_families_of_its_files(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tiny / "running.py").write_text(FAMILIES.replace("import tiny_library\n", ""))
    monkeypatch.setattr(find, "version", lambda name: "1.0")
    suite = loaded("tiny-library")
    assert is_suite(suite)
    assert (suite.name, suite.version, list(suite.families)) == ("tiny-library", "1.0", ["running"])
    assert loaded("tiny-library:running") is suite.families["running"]
    with pytest.raises(BadSubject, match="the suite of tiny-library has no family 'runing'; did you mean running"):
        loaded("tiny-library:runing")


def test_a_suite_of_a_part_of_a_library_says_which(tiny: Path) -> None:
    (tiny / "__init__.py").write_text('LIBRARY = "their-library"\n')
    with pytest.raises(BadSubject, match="their-library is not installed: the suite tiny-library needs it"):
        loaded("tiny-library")


def test_what_an_adapter_builds_is_not_taken_for_a_family(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {"torch-recurrent", "transformers-caches", "moshi"} <= set(names.names())
    monkeypatch.setattr(find, "suite_of", pytest.fail)
    assert loaded("moshi:StreamingConv1d").name == "StreamingConv1d"


def test_another_package_offers_one_as_an_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    point = importlib.metadata.EntryPoint("their-library", "coequal.equivalence.options", names.GROUP)
    monkeypatch.setattr(names, "entry_points", lambda group: [point])
    monkeypatch.setattr(find, "version", lambda name: "2.0")
    assert names.is_of_a_suite("their-library")
    assert find.suite_of("their-library").families == {}


def test_other_targets_are_about_no_suite() -> None:
    assert not names.is_of_a_suite("examples/demo.py:conv")
    assert not names.is_of_a_suite("CoX3D-S")
