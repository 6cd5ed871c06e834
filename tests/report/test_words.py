"""What a report says, in words."""

import pytest

from coequal.equivalence.report import Counterexample, MeasuredTiming
from coequal.report import words


def test_a_timing_measured_in_part() -> None:
    said = words.timing_in_words(MeasuredTiming(stride=2))
    assert said == "receptive field ?, stride 2, delay ? (frames), causality not measured"


def test_tensors_as_expected_and_got() -> None:
    torch = pytest.importorskip("torch")
    found = Counterexample("values", 0, None, torch.tensor([1.5, -2.25]), torch.tensor([[0.5]]))
    rows = dict(words.counterexample_rows(found))
    assert rows == {"frame": "0", "expected": "tensor([ 1.5000, -2.2500])", "got": "tensor([[0.5000]])"}


def test_weights_in_words() -> None:
    assert words.weights_in_words({"drawn": True, "tensors": 4, "numbers": 130}) == "re-drawn: 4 tensors, 130 numbers"
    assert words.weights_in_words({"drawn": False, "why": "no modules"}) == "as they came: no modules"
    assert words.weights_in_words({}) == ""
