"""Streaming layers: each is a torch.nn.Module on clips, and `stream()` gives the same a frame, or a chunk, at a time."""

from tinystream.attention import SlidingAttention
from tinystream.conv import CausalConv1d
from tinystream.gru import GRU

__all__ = ["GRU", "CausalConv1d", "SlidingAttention"]
