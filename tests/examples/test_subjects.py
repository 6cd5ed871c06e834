"""Small subjects, one for each thing that the protocol can say: right twins pass, wrong ones are found where they break."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

import coequal
from tests.kept import kept

FOLDER = Path(__file__).parents[2] / "examples" / "subjects"
RIGHT = {
    "conditioning": "proved",
    "distance": "within",
    "gradients": "proved",
    "look_ahead": "proved",
    "one_at_a_time": "proved",
    "outputs": "tested",  # indices of the largest channel: decided by data
    "padding": "proved",
    "positions": "proved",
    "prompt": "proved",
    "verbs": "proved",
    "warm_up": "proved",
}
WRONG = {
    ("conditioning", "wrong"): "values",
    ("distance", "wrong"): "values",
    ("look_ahead", "wrong"): "values",
    ("one_at_a_time", "wrong"): "reset",
    ("outputs", "wrong"): "values",
    ("padding", "wrong"): "padding",
    ("positions", "wrong"): "values",
    ("prompt", "wrong"): "chunking",
    ("verbs", "half_cropped"): "crop",
    ("verbs", "wrong"): "reorder",
    ("verbs", "wrong_row"): "reset-rows",
    ("warm_up", "wrong"): "values",
}


@kept
def verified(name: str, twin: str) -> coequal.Report:
    return coequal.verify(runpy.run_path(str(FOLDER / f"{name}.py"))[twin](), effort="quick")


def test_every_file_is_tried() -> None:
    names = {path.stem for path in FOLDER.glob("*.py")}
    assert names == RIGHT.keys()
    assert names - {"gradients"} == {name for name, _ in WRONG}


@pytest.mark.parametrize("name", RIGHT)
def test_right_ones_are_right(name: str) -> None:
    report = verified(name, "right")
    assert report.verdict == RIGHT[name], report
    assert report.exit_code() == 0, report


@pytest.mark.parametrize(("name", "twin"), WRONG)
def test_wrong_ones_are_found(name: str, twin: str) -> None:
    report = verified(name, twin)
    assert report.exit_code() == 1, report
    assert next(c for c in report.checks if c.name == WRONG[name, twin]).outcome in ("different", "problem"), report


def test_a_stream_that_detaches_its_state_has_wrong_gradients_and_right_emissions() -> None:
    report = verified("gradients", "wrong")
    assert report.verdict == "proved"
    assert "gradients" in [finding.name for finding in report.findings], report
    assert next(c for c in verified("gradients", "right").checks if c.name == "gradients").outcome == "passed"


def test_the_second_output_is_named() -> None:
    report = verified("outputs", "wrong")
    assert report.counterexample is not None
    assert "output `more[0]`" in report.counterexample.detail


def test_a_distance_is_never_called_equal() -> None:
    report = verified("distance", "right")
    assert report.headline == "different, within 0.01"
    assert report.exit_code("proved") == 3
    assert 0 < report.quality["distance"]["absolute"] < 1e-2
