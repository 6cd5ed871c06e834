"""Causal attention of given queries, keys and values, a token at a time: what `coequal.reference.qkv_attention` computes.

Tokens `(B, 3 E)` in, `(B, E)` out; the keys and values of all tokens so far are kept.
Source: Vaswani et al., "Attention is all you need", NeurIPS 2017, section 3.2.
"""

from __future__ import annotations

import torch
from torch import nn

from coequal.continual import clip_modules
from coequal.continual.conversion import How, plainly
from coequal.continual.streaming import State, Streaming
from coequal.continual.to_torch import makes
from coequal.reference import qkv_attention as layers
from coequal.reference.attention import attention_timing
from coequal.reference.timing import Timing

__all__ = ["QKVAttention"]

Tensor = torch.Tensor


class QKVAttention(Streaming, clip_modules.QKVAttention):
    """`coequal.continual.clip_modules.QKVAttention` of mode "causal", with a cache that grows with the stream."""

    time = 1

    @property
    def timing(self) -> Timing:
        """It sees everything before."""
        return attention_timing("causal", None)  # type: ignore[return-value]

    def begin(self, frame: Tensor) -> State:
        """No token yet: keys and values `(2, B, A, 0, E / A)`."""
        size = self.embed_dim // self.num_heads
        return frame.new_zeros((2, frame.shape[0], self.num_heads, 0, size))

    def push(self, frame: Tensor, state: State) -> tuple[list[Tensor], State]:
        """One token in; the same token attended out."""
        q, k, v = self.heads(frame.unsqueeze(1)).unbind(0)
        state = torch.cat([state, torch.stack([k, v])], 3)
        return [self.attended(q, state[0], state[1], None).squeeze(1)], state


# -- how torch modules become these, and layers of the reference torch modules ----------------------------------------


def _refusal(module: clip_modules.QKVAttention, how: How) -> tuple[str, str] | None:
    if module.mode == "causal":
        return None
    return "every token attends to all tokens of the clip", "use mode 'causal': it attends to those before"


plainly({clip_modules.QKVAttention: QKVAttention}, _refusal)


@makes
def _(layer: layers.QKVAttention) -> nn.Module:
    return clip_modules.QKVAttention(layer.embed_dim, layer.num_heads, layer.mode)
