"""Look-ahead: chunks come with two frames of the next chunk, which are fed again.

A centred sum of five frames, the last ones of a stream with zeros for what never comes. The wrong twin uses one frame of
look-ahead only where a chunk ends.

    coequal verify examples/subjects/look_ahead.py:right
"""

import torch

import coequal

AHEAD = 2


def clip(frames):
    """(B, C, T) -> (B, C, T)."""
    padded = torch.nn.functional.pad(frames, (2, AHEAD))
    return sum(padded[..., i : i + frames.shape[2]] for i in range(5))


class Centred:
    """The same: `chunk` is handed a chunk of four frames and the next two, fewer at the end."""

    used = AHEAD

    def __init__(self):
        self.past = None

    def chunk(self, frames):
        count = frames.shape[2] - AHEAD if frames.shape[2] > AHEAD + 3 or self.used < 0 else frames.shape[2]
        count = min(frames.shape[2], 4)
        past = torch.zeros_like(frames[..., :1]).repeat(1, 1, 2) if self.past is None else self.past
        seen = frames[..., : count + self.used]
        row = torch.nn.functional.pad(torch.cat([past, seen], 2), (0, max(0, count + AHEAD - seen.shape[2])))
        self.past = torch.cat([past, frames[..., :count]], 2)[..., -2:].clone()
        return sum(row[..., i : i + count] for i in range(5))


class Short(Centred):
    used = AHEAD - 1


def subject(stream):
    return coequal.Subject(
        clip=clip,
        stream=stream,
        example=torch.randn(2, 3, 12, generator=torch.Generator().manual_seed(0)),
        plan=coequal.Plan(unit=4, maximum=4, ahead=AHEAD),
    )


def right():
    return subject(Centred)


def wrong():
    return subject(Short)
