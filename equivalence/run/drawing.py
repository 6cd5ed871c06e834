"""Random clips like a subject's example: data, positions, padding masks, each input by itself."""

from __future__ import annotations

import torch

from coequal.subjects.inputs import Tree, leaves_of, with_leaves
from coequal.subjects.subject import Subject

Tensor = torch.Tensor


def drawn_like(subject: Subject, length: int, batch: int, seed: int) -> Tree:
    """A clip of so many frames and rows. Floats are normal, as wide as the example's, integers lie within its range.

    Positions count on from the example's first; masks pad where the example's do (at the end, if it has no padding).
    """
    layout, drawn = subject.layout, dict[str, Tensor]()
    for i, (name, example) in enumerate(leaves_of(subject.example).items()):
        time, rows = layout.time[name], layout.batch[name]
        shape = [length if a == time else batch if a == rows else n for a, n in enumerate(example.shape)]
        generator = torch.Generator().manual_seed((seed + 1_000_033 * i) % 2**63)
        if name == subject.positions:
            drawn[name] = _positions(example, shape, time, rows)
        elif name == subject.valid:
            drawn[name] = _padding(example, shape, time, rows, length, generator)
        else:
            drawn[name] = _numbers(example, shape, generator).to(example.device)
    return with_leaves(subject.example, drawn)


def _numbers(example: Tensor, shape: list[int], generator: torch.Generator) -> Tensor:
    if example.dtype == torch.bool:
        return torch.randint(0, 2, shape, generator=generator).bool()
    if not example.is_floating_point():
        low, high = (int(example.min()), int(example.max())) if example.numel() else (0, 1)
        return torch.randint(low, max(high, low) + 1, shape, generator=generator).to(example.dtype)
    spread = float(example.double().std()) if example.numel() > 1 else 1.0
    spread = spread if 0 < spread < float("inf") else 1.0
    format = torch.float64 if example.dtype == torch.float64 else torch.float32  # a cast to single precision must be seen
    return torch.randn(shape, generator=generator, dtype=format) * spread


def _positions(example: Tensor, shape: list[int], time: int | None, rows: int | None) -> Tensor:
    """They count on from the example's first, in each row from its own; further rows begin as those did."""
    assert time is not None
    counted = torch.arange(shape[time], device=example.device)
    numbers = counted.reshape([-1 if axis == time else 1 for axis in range(len(shape))])
    first = example.narrow(time, 0, 1)
    if rows is not None:
        first = first.index_select(rows, torch.arange(shape[rows], device=example.device) % example.shape[rows])
    return (first + numbers).to(example.dtype).expand(shape).clone()


def _padding(
    example: Tensor, shape: list[int], time: int | None, rows: int | None, length: int, generator: torch.Generator
) -> Tensor:
    """The first row is whole, where there are several; the others have at least a frame, where there is one.

    No two rows are padded alike as long as there are other paddings: a clip of as many rows as frames has them all.
    """
    count = 1 if rows is None else shape[rows]
    most = max(1, length)
    whole = 1 + torch.cat([torch.randperm(most, generator=generator) for _ in range(-(-count // most))])[:count]
    if count > 1:
        whole = torch.cat([whole[whole == most][:1], whole[whole != most], whole[whole == most][1:]])
        whole = whole if int(whole[0]) == length else torch.cat([torch.tensor([length]), whole[1:]])
    if time is None:
        return whole.clamp(max=length).reshape(shape).to(example.device, example.dtype)
    kind, at = padded(example, time), torch.arange(length)
    mask = at[None, :] < whole[:, None]
    if kind == "start":
        mask = mask.flip(1)
    elif kind == "scattered":
        mask = torch.rand((count, length), generator=generator) < 0.7
        mask[:, :1] = True
        mask[0] |= count > 1
    order = mask if rows is None or rows < time else mask.T
    along = [shape[axis] if axis in (time, rows) else 1 for axis in range(len(shape))]
    return order.reshape(along).expand(shape).clone().to(example.device, example.dtype)


def padded(mask: Tensor, time: int) -> str:
    """Where the padding of a mask is: "start", "end" or "scattered"; at the end where there is none."""
    valid = (mask != 0).movedim(time, 0).flatten(1).long()
    if bool((valid.diff(dim=0) <= 0).all()):
        return "end"
    return "start" if bool((valid.diff(dim=0) >= 0).all()) else "scattered"


def validity(subject: Subject, x: Tree) -> Tensor | None:
    """Which frames of which rows are no padding, (rows, frames); None where the subject names no mask."""
    if subject.valid is None:
        return None
    layout, leaf = subject.layout, leaves_of(x)[subject.valid]
    time, rows = layout.time[subject.valid], layout.batch[subject.valid]
    length = layout.length(x)
    if time is None:
        return torch.arange(length, device=leaf.device)[None, :] < leaf.reshape(-1, 1)
    mask = leaf != 0
    if rows is None:
        return mask.movedim(time, 0).reshape(length, -1).all(1)[None, :]
    return mask.movedim((rows, time), (0, 1)).flatten(2).all(2) if mask.dim() > 2 else mask.movedim((rows, time), (0, 1))
