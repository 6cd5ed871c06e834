"""Outputs as trees: their paths, what is selected, what is refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
import torch

from coequal.subjects.errors import BadSubject
from coequal.subjects.outputs import Outputs, others_of, tensors_of

A, B = torch.zeros(2, 4), torch.ones(2, 3, 4)


@dataclass
class Both:
    hidden: Any
    cache: Any = None


class Pair(NamedTuple):
    low: torch.Tensor
    high: torch.Tensor


@pytest.mark.parametrize(
    ("tree", "paths"),
    [
        (A, [""]),
        ((A, B), ["[0]", "[1]"]),
        ({"a": A, "b": [B, None]}, ["a", "b[0]"]),
        (Both((A, B)), ["hidden[0]", "hidden[1]"]),
        (Pair(A, B), ["low", "high"]),
        ({"deep": Both(Pair(A, B))}, ["deep.hidden.low", "deep.hidden.high"]),
    ],
)
def test_tensors_are_found_by_path(tree, paths):
    assert list(tensors_of(tree)) == paths


def test_what_is_no_tensor_is_listed():
    assert others_of(Both(A, object())) == {"cache": "object"}
    outputs = Outputs(time=1)
    outputs.of_clip(Both(A, cache=set()))
    assert outputs.left_out == {"cache": "set"}


def test_one_of_several_is_looked_at():
    outputs = Outputs(time={"a": 1, "b": 2})
    assert outputs.of_clip({"a": A, "b": B}) is A
    assert outputs.at("b").of_clip({"a": A, "b": B}) is B
    assert (outputs.axis, outputs.at("b").axis) == (1, 2)
    (frame,) = outputs.at("b").of_stream({"a": A[:, 0], "b": B[..., 0]}, "step()", chunk=False)
    assert frame.shape == (2, 3)
    assert len(outputs.at("b").of_stream({"a": A, "b": B}, "chunk()", chunk=True)) == 4


def test_an_axis_that_is_not_given():
    outputs = Outputs(time={"a": 1})
    outputs.of_clip({"b": B})
    with pytest.raises(BadSubject, match=r"output_time: no axis for the output 'b'; it has a"):
        _ = outputs.axis


def test_none_is_not_due_and_a_missing_name_is_refused():
    outputs = Outputs(time=1)
    outputs.of_clip({"a": A, "b": A})
    assert outputs.of_stream({"a": None, "b": A[:, 0]}, "step()", chunk=False) == []
    assert outputs.of_stream(None, "step()", chunk=False) == []
    with pytest.raises(BadSubject, match=r"clip\(\) returns `b`, which step\(\) does not"):
        outputs.of_stream({"a": A[:, 0]}, "step()", chunk=False)
    with pytest.raises(BadSubject, match=r"step\(\) returns `c`, which clip\(\) does not"):
        outputs.of_stream({"a": A, "b": A, "c": A}, "step()", chunk=False)


def test_a_tuple_is_a_tree_where_the_clip_has_several_outputs():
    several, single = Outputs(time=1), Outputs(time=1)
    several.of_clip((A, A))
    single.of_clip(A)
    assert len(several.of_stream((A[:, 0], A[:, 1]), "step()", chunk=False)) == 1
    assert len(several.of_stream([(A[:, 0], A[:, 1])] * 2, "step()", chunk=False)) == 2
    assert len(single.of_stream((A[:, 0], A[:, 1]), "step()", chunk=False)) == 2


@pytest.mark.parametrize("select", ["hidden[1]", lambda output: output.hidden[1], ("hidden[1]",)])
def test_what_is_selected(select):
    outputs = Outputs(select, time=2)
    assert outputs.of_clip(Both((A, B))) is B


def test_what_cannot_be_selected():
    with pytest.raises(BadSubject, match=r"Subject\.select: clip\(\) returned no `logits`: it has hidden"):
        Outputs("logits").of_clip(Both(A))


def test_a_dictionary_for_a_tensor():
    outputs = Outputs(time=1)
    outputs.of_clip(A)
    with pytest.raises(BadSubject, match=r"the stream returned dict: expected a tensor"):
        outputs.of_stream({"a": A}, "step()", chunk=False)
