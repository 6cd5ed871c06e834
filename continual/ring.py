"""The last K frames of a stream in one tensor that stays where it is, and its position beside it, in a tensor as well.

`frames` is `(B, C, K, ...)`, `slots` the K slots from the oldest frame to the newest. Frames lie in the order in which
`slots` is its own inverse, so that it is also the frame, counted from the oldest, that lies in each slot: a frame is written
into the first slot, and then all of them move up by one. Nothing of that is a number of Python, so that the same operations
on the same memory are the next step: a CUDA graph of one step is one of all.
"""

from __future__ import annotations

import torch

Tensor = torch.Tensor
Ring = dict[str, Tensor]


def ring_of(frames: list[Tensor]) -> Ring:
    """A ring of frames `(B, C, ...)`, the oldest first."""
    slots = torch.arange(len(frames) - 1, -1, -1, device=frames[0].device)
    return {"frames": torch.stack(frames[::-1], 2), "slots": slots}


def written(ring: Ring, frame: Tensor) -> Ring:
    """The newest frame in the place of the oldest: in the memory of the ring, but for its slots."""
    return {"frames": ring["frames"].index_copy_(2, ring["slots"][:1], frame.unsqueeze(2)), "slots": ring["slots"].roll(-1)}


def listed(ring: Ring) -> list[Tensor]:
    """The frames, the oldest first."""
    return list(ring["frames"].index_select(2, ring["slots"]).unbind(2))
