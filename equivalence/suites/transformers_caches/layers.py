"""Layers of caches by themselves, under attention of a clip with itself that is written out here."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import torch
from hypothesis import strategies as st

from coequal.equivalence.campaigns.families import family
from coequal.equivalence.suites.transformers_caches.models import HELD
from coequal.subjects.subject import Subject

Tensor = torch.Tensor
library: Any = import_module("transformers.cache_utils")
KINDS: dict[str, Callable[[int], Any]] = {
    "DynamicLayer": lambda window: library.DynamicLayer(),
    "StaticLayer": lambda window: library.StaticLayer(max_cache_len=HELD),
    "DynamicSlidingWindowLayer": library.DynamicSlidingWindowLayer,
    "StaticSlidingWindowLayer": lambda window: library.StaticSlidingWindowLayer(max_cache_len=HELD, sliding_window=window),
}


def attended(x: Tensor, keys: Tensor, first: int, offset: int, window: int | None) -> Tensor:
    """Each query over the keys up to its own: `(B, H, T, D)`; `first` and `offset`: positions of the first of both."""
    queries = first + torch.arange(x.shape[2])[:, None]
    at = offset + torch.arange(keys.shape[2])[None]
    seen = (at <= queries) & (at > queries - (window or HELD))
    scores = (x @ keys.transpose(2, 3)).masked_fill(~seen, -torch.inf)
    return scores.softmax(-1) @ keys


class Layered:
    """A layer that is told the new keys, and says which are to be looked at: those of `get_mask_sizes`."""

    def __init__(self, layer: Any, window: int | None, used: bool) -> None:
        self.layer, self.window, self.used = layer, window, used

    def chunk(self, x: Tensor) -> Tensor:
        """Several tokens."""
        if self.used:
            self.layer.update(x + 1, x + 1)
            self.layer.reset()
            self.used = False
        first = int(self.layer.get_seq_length())
        _, offset = self.layer.get_mask_sizes(x.shape[2])
        keys, _ = self.layer.update(x.clone(), x.clone())
        return attended(x, keys, first, int(offset), self.window)

    def reorder(self, index: Tensor) -> None:
        """By `reorder_cache`."""
        self.layer.reorder_cache(index)


@family(kind=st.sampled_from(list(KINDS)), window=st.sampled_from([3, 2, 5, 1]), heads=st.integers(1, 2), used=st.booleans())
def layers(kind: str, window: int, heads: int, used: bool) -> Subject:
    """`window` is that of the kinds that slide; `used`: the layer has seen other keys, and was reset."""
    sliding = window if "Sliding" in kind else None
    clip = lambda x: attended(x, x, 0, 0, sliding)  # noqa: E731
    stream = lambda: Layered(KINDS[kind](window), sliding, used)  # noqa: E731
    return Subject(clip=clip, stream=stream, example=torch.randn(2, heads, 8, 3), time=2, longest=HELD)
