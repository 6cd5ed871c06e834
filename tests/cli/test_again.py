"""Found is found again: what a target draws is the same in every process, and a printed command was tried."""

import json
import shlex
from pathlib import Path

import pytest

from coequal.__main__ import main

pytestmark = pytest.mark.usefixtures("forked")

DRAWN = """
import random

import numpy as np
import torch

import coequal

weight = torch.randn(2) + random.random() + np.random.rand()


class Stream:
    def step(self, x):
        return x * weight.to(x.dtype)[:, None].mean() * WRONG


subject = coequal.Subject(clip=lambda x: x * weight.to(x.dtype).mean(), stream=Stream, example=torch.randn(1, 2, 6))
"""

HISTORY = """
import os

import torch

import coequal

RUN = []


class Stream:
    def __init__(self):
        RUN.append(1)

    def step(self, x):
        return x * (2 if len(RUN) > 12 else 1)


subject = coequal.Subject(clip=lambda x: x * 1, stream=Stream, example=torch.randn(1, 2, 6))
"""


def verified(path: Path, text: str, *options: str) -> dict:
    path.write_text(text)
    main(["verify", f"{path}:subject", "--effort", "quick", "--json", str(path.with_suffix(".json")), *options])
    return json.loads(path.with_suffix(".json").read_text())


def test_the_command_of_a_target_that_draws_its_weights(tmp_path: Path) -> None:
    found = verified(tmp_path / "drawn.py", DRAWN.replace("WRONG", "1.5"))["counterexample"]
    assert found["repeats"] is True
    again = tmp_path / "again.json"
    assert main([*shlex.split(found["reproduce"])[1:], "--json", str(again)]) == 1
    same = json.loads(again.read_text())["counterexample"]
    assert (same["frame"], same["expected"], same["got"]) == (found["frame"], found["expected"], found["got"])


def test_what_depends_on_what_ran_before_is_said(tmp_path: Path) -> None:
    report = verified(tmp_path / "history.py", HISTORY)
    assert report["verdict"] != "proved"
    found = report["counterexample"]
    assert found["repeats"] is False
    assert any("depends on what ran before" in note for note in report["notes"])
