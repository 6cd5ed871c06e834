"""The demonstration: every row builds, some are verified here, `make demo` verifies all of them."""

import runpy
from pathlib import Path

import pytest

import coequal
from coequal import verify

pytest.importorskip("continual", reason="continual-inference is not installed: pip install 'coequal[demo]'")
DEMO = runpy.run_path(str(Path(__file__).resolve().parents[2] / "examples" / "demo.py"))


def test_at_least_twelve_rows():
    assert len({what for what, _ in DEMO["ROWS"]}) == len(DEMO["ROWS"]) >= 12


@pytest.mark.parametrize(("what", "factory"), DEMO["ROWS"], ids=[what for what, _ in DEMO["ROWS"]])
def test_every_row_is_a_subject(what, factory):
    subject = factory()
    assert isinstance(subject, coequal.Subject)
    assert subject.example.shape[subject.time] > 1


@pytest.mark.parametrize("name", ["conv", "depthwise"])
def test_right_ones_are_right(name):
    assert verify(DEMO[name](), effort="quick").verdict == "proved"


def test_two_encoder_layers_differ_in_the_second():
    """Its second layer reads the ring of the first where that wraps around."""
    report = verify(DEMO["encoder_two_layers"](), effort="quick")
    assert report.verdict == "different"
    assert report.counterexample.module is not None, report
