"""The torch modules of video transformers in clip mode: what the reference says, and refused as streams."""

import pytest

from coequal.continual.conversion import NotStreamable, convert
from coequal.continual.to_torch import regular
from coequal.equivalence.campaigns.agree import agree
from coequal.equivalence.campaigns.contents import Architecture
from coequal.reference.multiview import MultiviewEncoder, View
from coequal.reference.pooling_attention import PoolingBlock, PoolingEncoder

POOL = (3, 3, 3)
ENCODERS = {
    "first kind": PoolingEncoder(
        (PoolingBlock(4, 8, 1, None, POOL, (1, 1, 1), (1, 2, 2)), PoolingBlock(8, 8, 2, POOL, POOL, (1, 2, 2))), 3, 16
    ),
    "improved": PoolingEncoder(
        (PoolingBlock(4, 8, 2, POOL, POOL, (1, 2, 2), (1, 2, 2), (3, 4)), PoolingBlock(8, 8, 2, reach=(3, 4)))
    ),
    "without pools": PoolingEncoder((PoolingBlock(4, 4, 2, None, None, reach=(3, 4)),)),
    "views": MultiviewEncoder((View(4, 1, 6, 2, 2), View(6, 2, 6, 1, 2)), 2, (1,), 4, 4, 4),
}


@pytest.mark.parametrize("name", ENCODERS)
def test_clips_are_the_references(name):
    frames = 2 if name == "views" else 3
    agree(Architecture(ENCODERS[name], (2, 4, frames, 4, 4)), seed=3)


@pytest.mark.parametrize("name", ENCODERS)
def test_no_stream_computes_them(name):
    reason = "class tokens are learned for each place" if name == "views" else "every token sees all frames of the clip"
    with pytest.raises(NotStreamable, match=reason):
        convert(regular(ENCODERS[name]).eval())
