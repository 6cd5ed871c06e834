"""What is known from abstracts alone is not in the catalogue, and what follows from them is seen on the operator."""

from __future__ import annotations

import numpy as np
import pytest

from coequal.equivalence.campaigns.agree import agree
from coequal.equivalence.campaigns.contents import Architecture, weights
from coequal.systems.abstracts import ABSTRACTS, LABEL, SHAPE, Abstract
from coequal.systems.catalogue import SYSTEMS
from coequal.systems.streamability import NOT, streamability

OPERATORS = [(f"{paper.name}: {said}", operator) for paper in ABSTRACTS for said, operator in paper.operators.items()]


@pytest.mark.parametrize("paper", ABSTRACTS, ids=[paper.name for paper in ABSTRACTS])
def test_it_says_that_there_is_no_more_than_the_abstract(paper: Abstract) -> None:
    assert paper.notes.startswith(LABEL)
    assert not [name for name in SYSTEMS if paper.name.lower() in name.lower()]


@pytest.mark.parametrize(("name", "operator"), OPERATORS, ids=[name for name, _ in OPERATORS])
def test_what_streams_is_its_clip_and_what_does_not_sees_the_last_frame(name: str, operator) -> None:
    verdict = streamability(operator, SHAPE)
    if verdict.kind != NOT:
        agree(Architecture(operator, SHAPE), seed=6)
        return
    found = verdict.counterexample
    assert found is not None
    clip = np.random.default_rng(6).standard_normal((*SHAPE[:2], found.length, *SHAPE[3:]))
    other = clip.copy()
    other[:, :, found.frame] += 1
    parameters = weights(operator, 6)
    first, second = (operator(parameters, x)[:, :, found.output] for x in (clip, other))
    assert np.abs(first - second).max() > 1e-6 * np.abs(first).max()
