"""Pasts of a stream, on ordinary floats: premise (P) of `proofs/theorems/one_more.py`.

A stream of fixed memory is looked for after n frames, by gradients: in how many directions its memory moves with its
frames, and a past of n frames and one of n + 1 that leave the same memory.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from coequal.equivalence.memory.walk import Memory, Unobservable, memory_of
from coequal.equivalence.prove.premises import Fails
from coequal.equivalence.run.budget import Budget
from coequal.equivalence.run.player import StreamRaised
from coequal.equivalence.run.session import Session
from coequal.equivalence.run.weights import borrowed, drawn, put
from coequal.proofs.theorems.one_more import rank
from coequal.subjects.inputs import Tree, leaves_of, with_leaves

Tensor = torch.Tensor
FIRST = 3  # frames after which the memory is looked at
LONGEST = 64  # and after which it is looked at no more
MOST = 1024  # numbers that are remembered
TRIES = 12  # numbers of frames, and beginnings of a search
STEPS = 40  # of a search for two pasts with the same memory
SAME = 1e-11  # of a memory: two that differ by no more are rounded ones
NUDGE = 1e-5  # of frames, where gradients are compared with differences
CLOSE = 1e-5  # how near those come to one another, relatively


COARSER = (torch.float32, torch.float16, torch.bfloat16)
SHAPE = "what is remembered changes its shape"


class _Grows(Fails):
    """The memory is of no fixed size."""


@dataclass
class Pasts:
    """What was seen after `start` frames; `fails`: why nothing is said of every length."""

    start: int = 0
    moves: dict[str, Tensor] = field(default_factory=dict)  # place: how its numbers move with all frames
    fails: str = ""
    grows: bool = False  # the memory has more places, or larger ones, after more frames


def pasts_of(session: Session[Any], budget: Budget) -> Pasts:
    """Where two pasts of different lengths leave one memory, near which it moves in all directions that it ever moves in."""
    try:
        here = copy.copy(session)
        here.dtype = torch.float64
        module = session.subject.modules
        with borrowed(module, torch.float64):
            if module is not None and not session.facts.unread:
                put(module, drawn(module, session.seed))
            return _Search(here, budget).found()
    except _Grows:
        return Pasts(fails=SHAPE, grows=True)
    except (Fails, Unobservable, StreamRaised) as error:
        return Pasts(fails=str(error))
    except (RuntimeError, NotImplementedError, TypeError, ValueError) as error:  # of tensors that remember their gradients
        return Pasts(fails=f"gradients of its memory could not be followed: {type(error).__name__}: {error}")


@dataclass
class _Search:
    session: Session[Any]
    budget: Budget
    walked: Memory | None = None

    def found(self) -> Pasts:
        session = self.session
        if session.plan.unit > 1 or not session.steps:
            raise Fails("it takes no single frames")
        size = self._size()
        if not all(leaf.is_floating_point() for leaf in leaves_of(session.subject.example).values()):
            raise Fails("frames are no floats, so that its memory cannot be moved a little")
        if any(axis is None for axis in session.layout.time.values()):
            raise Fails("an input does not move with time")
        if size > MOST:
            raise Fails(f"{size} numbers are too many to see all directions in which they move")
        start = FIRST
        for _ in range(TRIES):
            one, other = self._moves(start, 1), self._moves(start + 1, 2)
            directions = rank(_together(one, self._moves(start, 3), other))
            if rank(_together(one)) == rank(_together(other)) == directions:
                return self._met(start)
            columns = next(iter(one.values())).shape[1] // start
            start = max(start + 1, -(-directions // columns))
            if start > LONGEST:
                break
        raise Fails("what it remembers goes on moving in other directions")

    def _size(self) -> int:
        """Numbers that are remembered, after some frames as after one more."""
        with torch.no_grad():
            one, other = (self._remembered(self._frames(length, 1)) for length in (FIRST, FIRST + 1))
        if [(path, t.shape) for path, t in one.items()] != [(path, t.shape) for path, t in other.items()]:
            raise _Grows(SHAPE)
        return sum(t.numel() for t in one.values())

    # -- how the memory moves ----------------------------------------------------------------------------------------------

    def _frames(self, length: int, seed: int) -> Tree:
        return self.session.random(length, self.session.batch, self.session.seed + 907 + 41 * seed)

    def _remembered(self, x: Tree) -> dict[str, Tensor]:
        """Places that hold floats, after these frames."""
        if self.budget.spent:
            raise Fails("no time was left to look for two pasts with the same memory")
        player, layout = self.session.player(), self.session.layout
        with _Uncast():
            for i in range(layout.length(x)):
                player.hand_over("step", layout.frame(x, i), 1)
        self.walked = memory_of(player.stream, self.session.subject.memory, graphs=True, before=self.walked)
        cells = ((cell.path, cell.content) for cell in self.walked.cells)
        return {path: t.clone() for path, t in cells if isinstance(t, Tensor) and t.is_floating_point()}

    def _moves(self, length: int, seed: int) -> dict[str, Tensor]:
        return self._seen(self._frames(length, seed))[1]

    def _seen(self, x: Tree) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Places that frames move: what they hold, and how each of their numbers moves with each of the frames' numbers."""
        with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(torch.clone, _as_it_is):  # memory is written over
            x = _watched(x)
            frames = list(leaves_of(x).values())
            held = self._remembered(x)
            moved = {path: t for path, t in held.items() if t.requires_grad and t.numel()}
            rows = {path: _gradients(t.reshape(-1), frames) for path, t in moved.items()}
        rows = {path: found for path, found in rows.items() if bool(found.any())}
        if not rows:
            raise Fails("what the stream remembers has no gradient")
        self._checked(x, held, rows)
        return {path: held[path].detach().reshape(-1) for path in rows}, rows

    def _checked(self, x: Tree, held: dict[str, Tensor], rows: dict[str, Tensor]) -> None:
        """Fails where gradients are not those of the function: something was detached from them."""
        leaves = leaves_of(x)
        seed = torch.Generator().manual_seed(7)
        along = {name: torch.randn(leaf.shape, generator=seed, dtype=leaf.dtype) for name, leaf in leaves.items()}
        flat = torch.cat([v.reshape(-1) for v in along.values()])
        with torch.no_grad():
            ahead, back = (
                self._remembered(with_leaves(x, {name: leaf.detach() + sign * along[name] for name, leaf in leaves.items()}))
                for sign in (NUDGE, -NUDGE)
            )
        for path in held:
            want = (ahead[path] - back[path]).reshape(-1) / (2 * NUDGE)
            got = rows[path] @ flat if path in rows else torch.zeros_like(want)
            if bool((got - want).abs().max() > CLOSE * (1 + want.abs().max())):
                raise Fails(f"{path} moves otherwise than its gradient says")

    # -- two pasts -------------------------------------------------------------------------------------------------------

    def _met(self, start: int) -> Pasts:
        """Two pasts that leave the same memory: Newton's method in all of their frames."""
        for seed in range(TRIES):
            longer = self._frames(start + 1, 11 + seed)
            shorter = self.session.layout.part(longer, 1, start)
            for _ in range(STEPS):
                (there, back), (here, moves) = self._seen(longer), self._seen(shorter)
                if list(there) != list(here):
                    raise _Grows(SHAPE)
                apart = torch.cat(list(there.values())) - torch.cat(list(here.values()))
                if float(apart.abs().max()) <= SAME * (1 + float(torch.cat(list(here.values())).abs().max())):
                    return Pasts(start, moves)
                both = torch.cat([_together(moves), -_together(back)], 1)
                change = _solved(both, apart)
                if not bool(change.isfinite().all()):
                    break
                count = both.shape[1] - _together(back).shape[1]
                shorter, longer = _moved(shorter, change[:count]), _moved(longer, change[count:])
        raise Fails("no two pasts were found, of one frame more, that leave the same memory")


def _solved(rows: Tensor, values: Tensor) -> Tensor:
    """The least change of frames that changes a memory by these values, as far as it can be changed."""
    return torch.linalg.lstsq(rows, values[:, None], rcond=1e-9, driver="gelsd").solution[:, 0]


class _Uncast(TorchDispatchMode):
    """Casts to coarser formats are exact, as over a field: rounding would hide in which directions a memory moves."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = dict(kwargs or {})
        cast = given.get("dtype")
        if func is torch.ops.aten._to_copy.default and args[0].dtype == torch.float64 and cast in COARSER:
            given["dtype"] = torch.float64
        return func(*args, **given)


def _as_it_is(kept: Tensor) -> Tensor:
    return kept


def _watched(x: Tree) -> Tree:
    return with_leaves(x, {name: leaf.detach().clone().requires_grad_() for name, leaf in leaves_of(x).items()})


def _moved(x: Tree, change: Tensor) -> Tree:
    leaves = leaves_of(x)
    parts = change.split([leaf.numel() for leaf in leaves.values()])
    pairs = zip(leaves.items(), parts, strict=True)
    return with_leaves(x, {name: leaf.detach() + part.reshape(leaf.shape) for (name, leaf), part in pairs})


def _gradients(numbers: Tensor, frames: list[Tensor]) -> Tensor:
    """A row for each number, a column for each number of the frames."""

    def at(directions: Tensor, *, batched: bool) -> Tensor:
        keep = {"retain_graph": True, "allow_unused": True, "is_grads_batched": batched}
        found = torch.autograd.grad(numbers, frames, directions, **keep)
        shape = (len(directions), -1) if batched else (-1,)
        columns = [directions.new_zeros(len(directions) if batched else 1, x.numel()) for x in frames]
        return torch.cat([(c if g is None else g).reshape(shape) for g, c in zip(found, columns, strict=True)], -1)

    every = torch.eye(len(numbers), dtype=numbers.dtype)
    try:
        return at(every, batched=True)
    except RuntimeError:  # of operations that are not known for several directions at once
        return torch.stack([at(direction, batched=False) for direction in every])


def _together(*moves: dict[str, Tensor]) -> Tensor:
    """The rows of all places, one under the other; of several pasts beside one another."""
    if any(list(one) != list(moves[0]) for one in moves):
        raise _Grows(SHAPE)
    return torch.cat([torch.cat(list(one.values())) for one in moves], 1)
