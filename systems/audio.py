"""The audio transformer of the GTZAN experiment: genres of music from spectrogram patches; tokens `(B, 120, 128)`.

    128 -> 192; recycled positions; 1 or 2 post-norm blocks of 16 heads and 192 hidden features; norm; 192 -> 10

The code of the experiment is not public. Sizes are those of `examples/CoViT.py` in LukasHedegaard/continual-transformers,
which has the paper's sequence length and width; the paper's own counts for it could not be checked.

Source: Hedegaard, Bakhtiarnia & Iosifidis, "Continual Transformers", ICLR 2023, section 4.2.
"""

from __future__ import annotations

from coequal.reference.compose import Sequential
from coequal.systems.oadtr import CONTINUAL, continual
from coequal.systems.system import System

WINDOW, PATCH, WIDTH, HEADS, GENRES = 120, 128, 192, 16, 10


def audio(blocks: int, window: int = WINDOW, patch: int = PATCH, width: int = WIDTH, heads: int = HEADS) -> Sequential:
    """The newest token of each window; `width` learned positions go round."""
    return continual(patch, blocks, window, width, heads, GENRES, width, width, learned=True)


def system(blocks: int) -> System:
    """The transformer of `blocks` blocks."""
    layer = audio(blocks)
    notes = "sizes of a public example, the experiment's own code is not public"
    name, shape = f"GTZAN-b{blocks}", (1, WINDOW, PATCH)
    return System(name, "GTZAN", layer, shape, CONTINUAL, notes, layer, (1, 1, PATCH))


def systems() -> list[System]:
    """One and two blocks."""
    return [system(1), system(2)]
