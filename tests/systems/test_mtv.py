"""MTV: reference and torch, and why it is refused."""

from __future__ import annotations

import pytest

from coequal.continual.conversion import NotStreamable, convert
from coequal.continual.to_torch import regular
from coequal.equivalence.campaigns.agree import agree
from coequal.equivalence.campaigns.contents import Architecture
from coequal.reference.multiview import View
from coequal.systems import mtv
from coequal.systems.catalogue import SYSTEMS
from coequal.systems.streamability import streamability

VIEWS = (View(4, 1, 6, 4, 4), View(6, 2, 6, 2, 4), View(8, 2, 8, 1, 4))
TINY = mtv.mtv(VIEWS, (8, 8), 2, (1,), 2, 8, 5)


@pytest.mark.parametrize("shape", [(2, 3, 8, 8, 8), (1, 3, 4, 8, 4)], ids=["whole", "smaller"])
def test_reference_and_torch_are_one(shape: tuple[int, ...]) -> None:
    agree(Architecture(TINY, shape), seed=3)


def test_it_is_refused() -> None:
    with pytest.raises(NotStreamable, match=r"0 \(MultiviewEncoder\) cannot be streamed: its class tokens are learned for"):
        convert(regular(TINY).eval())
    system = SYSTEMS["MTV-B"]
    verdict = streamability(system.layer, system.shape)
    assert str(verdict.counterexample) == "clips of 8 frames: output 0 changes with frame 7"
