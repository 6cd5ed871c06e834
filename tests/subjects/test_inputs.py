"""Clips of several tensors: their axes, parts, joins, and calls with them."""

from __future__ import annotations

import pytest
import torch

from coequal.subjects.errors import BadSubject
from coequal.subjects.inputs import Inputs, axes_of, called, cloned, leaves_of, mapped, shapes

BOTH = {
    "frame": torch.arange(24.0).reshape(2, 3, 4),
    "mask": torch.ones(2, 4, dtype=torch.bool),
    "speaker": torch.zeros(2, 5),
}
LAYOUT = Inputs({"frame": 2, "mask": 1, "speaker": None}, {"frame": 0, "mask": 0, "speaker": 0}, frozenset({"mask"}))
ALONE = Inputs({"": 2}, {"": 0})


def test_length_and_rows():
    assert (LAYOUT.length(BOTH), LAYOUT.rows(BOTH), LAYOUT.lead, LAYOUT.time_axis) == (4, 2, "frame", 2)
    assert (ALONE.length(BOTH["frame"]), ALONE.rows(BOTH["frame"])) == (4, 2)
    assert Inputs({"": 0}, {"": None}).rows(torch.zeros(3)) is None


def test_parts_and_frames_leave_alone_what_does_not_move():
    part, frame = LAYOUT.part(BOTH, 1, 2), LAYOUT.frame(BOTH, 3)
    assert shapes(part) == "frame (2, 3, 2), mask (2, 2), speaker (2, 5)"
    assert shapes(frame) == "frame (2, 3), mask (2,), speaker (2, 5)"
    assert torch.equal(frame["frame"], BOTH["frame"][..., 3])


def test_parts_joined_are_the_whole():
    whole = LAYOUT.join(LAYOUT.part(BOTH, 0, 1), LAYOUT.part(BOTH, 1, 3))
    assert all(torch.equal(a, b) for a, b in zip(leaves_of(whole).values(), BOTH.values(), strict=True))


def test_rows_are_chosen_and_put_below_one_another():
    turned = LAYOUT.of_rows(BOTH, torch.tensor([1, 0]))
    assert torch.equal(turned["frame"], BOTH["frame"].flip(0))
    again = LAYOUT.stacked(LAYOUT.of_rows(BOTH, torch.tensor([0])), LAYOUT.of_rows(BOTH, torch.tensor([1])))
    assert torch.equal(again["frame"], BOTH["frame"])


def test_what_is_replaced_is_data_that_moves():
    other = mapped(lambda leaf: leaf + 1 if leaf.is_floating_point() else ~leaf, BOTH)
    new = LAYOUT.replaced(BOTH, 2, other, 2)
    changed = {name: not torch.equal(leaf, BOTH[name]) for name, leaf in new.items()}
    assert changed == {"frame": True, "mask": False, "speaker": False}
    assert torch.equal(new["frame"][..., :2], BOTH["frame"][..., :2])
    kept = LAYOUT.like(BOTH, other)
    assert torch.equal(kept["frame"], other["frame"])
    assert kept["mask"] is BOTH["mask"]
    assert kept["speaker"] is BOTH["speaker"]


def test_data_are_floats_that_are_no_masks():
    assert LAYOUT.data(BOTH) == ["frame", "speaker"]
    assert not bool(LAYOUT.on_data(torch.zeros_like, BOTH)["frame"].any())


def test_copies_share_no_memory():
    copy = cloned((BOTH["frame"], BOTH["mask"]))
    copy[0].zero_()
    assert bool(BOTH["frame"].any())
    assert isinstance(copy, tuple)


@pytest.mark.parametrize(
    ("given", "x", "axes"),
    [
        (2, torch.zeros(1, 2, 3), {"": 2}),
        ((1, None), (torch.zeros(1, 2), torch.zeros(1)), {"0": 1, "1": None}),
        ({"a": 1}, {"a": torch.zeros(1, 2), "b": torch.zeros(1)}, {"a": 1, "b": None}),
    ],
)
def test_axes_are_given_for_all_or_for_each(given, x, axes):
    assert axes_of(given, x, "Subject.time") == axes


def test_axes_of_inputs_that_are_not_there():
    with pytest.raises(BadSubject, match=r"Subject\.time: 'c' is no input of the example \(a, b\)"):
        axes_of({"c": 1}, {"a": torch.zeros(1), "b": torch.zeros(1)}, "Subject.time")
    with pytest.raises(BadSubject, match=r"Subject\.time: an axis, None, or one of them for each input"):
        axes_of((1, 2, 3), (torch.zeros(1), torch.zeros(1)), "Subject.time")


def test_calls_with_other_numbers_of_inputs_say_so():
    def step(frame, mask):
        return frame, mask

    assert called(step, (1, 2), "step") == (1, 2)
    with pytest.raises(BadSubject, match=r"step\(\) takes 2 inputs \(frame, mask\), `Subject\.example` has 1"):
        called(step, torch.zeros(1), "step")
    with pytest.raises(BadSubject, match=r"step\(\) takes 2 inputs \(frame, mask\), `Subject\.example` has 1 \(frame\)"):
        called(step, {"frame": torch.zeros(1)}, "step")


def test_a_type_error_of_the_function_itself_is_its_own():
    def step(frame):
        return frame + "text"

    with pytest.raises(TypeError):
        called(step, torch.zeros(1), "step")
