"""Layers of tokens inside a clip, a frame at a time: what `coequal.reference.tokens` computes, for frames `(B, E, ...)`.

Over space a frame is all that the layer sees; it runs as it is. Over time it is itself a stream, of one token for each
position, all of them at once. Over all tokens there is none.

Source: Arnab et al., "ViViT: A video vision transformer", ICCV 2021, section 3.3.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from coequal.continual import clip_modules
from coequal.continual.conversion import How, NotStreamable, converted, register, twin
from coequal.continual.streaming import State, Streaming, begin, finish, push, settled
from coequal.continual.to_torch import makes, regular
from coequal.reference import tokens as layers
from coequal.reference.timing import Timing

__all__ = ["Tokens"]

Tensor = torch.Tensor


class Tokens(Streaming, clip_modules.Tokens):
    """`coequal.continual.clip_modules.Tokens` over space or over time."""

    inner: Any

    @property
    def timing(self) -> Timing:
        """Frame by frame over space, that of the inner layer over time."""
        return Timing() if self.over == "space" else self.inner.timing

    @property
    def emits(self) -> str:
        """What the inner layer emits."""
        return "frames" if self.over == "space" else getattr(self.inner, "emits", "frames")

    @property
    def window(self) -> int | None:
        """Frames of its window, where it has one."""
        return None if self.emits == "frames" else self.inner.window

    def begin(self, frame: Tensor) -> State:
        """Over time the state of the inner layer, and what frames look like."""
        if self.over == "space":
            return None
        return {"space": tuple(frame.shape[2:]), "inner": begin(self.inner, self._flat(frame))}

    def settled(self, state: State) -> State:
        """That of the inner layer."""
        return state if state is None else {**state, "inner": settled(self.inner, state["inner"])}

    def push(self, frame: Tensor, state: State) -> tuple[list[Tensor], State]:
        """One frame in; what the inner layer says of it comes out."""
        if self.over == "space":
            return [self.forward(frame.unsqueeze(2)).squeeze(2).clone()], state  # never the caller's own
        due, state["inner"] = push(self.inner, self._flat(frame), state["inner"])
        return [self._frame(tokens, state["space"]) for tokens in due], state

    def finish(self, state: State) -> list[Tensor]:
        """What the inner layer owes."""
        if self.over == "space":
            return []
        return [self._frame(tokens, state["space"]) for tokens in finish(self.inner, state["inner"])]

    @staticmethod
    def _flat(frame: Tensor) -> Tensor:
        """`(B, E, ...) -> (B N, E)`."""
        return frame.reshape(*frame.shape[:2], -1).transpose(1, 2).reshape(-1, frame.shape[1])

    @staticmethod
    def _frame(tokens: Tensor, space: tuple[int, ...]) -> Tensor:
        """`(B N, E) -> (B, E, ...)`."""
        positions = 1
        for size in space:
            positions *= size
        grid = tokens.reshape(tokens.shape[0] // positions, positions, tokens.shape[1])
        return grid.transpose(1, 2).reshape(grid.shape[0], grid.shape[2], *space)


# -- how torch modules become these, and layers of the reference torch modules ----------------------------------------


@register(clip_modules.Tokens)
def _(module: clip_modules.Tokens, how: How) -> Tokens:
    if module.over == "all":
        raise NotStreamable(
            how.path, module, "every token sees all frames of the clip", "let it see frames before, or one frame at a time"
        )
    if module.over == "space":
        if any(inner.training and getattr(inner, "p", 0) for inner in module.modules()):
            raise NotStreamable(how.path, module, "in train mode its output is random", "call .eval() first")
        return twin(module, Tokens)
    return twin(module, Tokens, _modules={"inner": converted(module.inner, how.at("inner"))})


@makes
def _(layer: layers.Tokens) -> nn.Module:
    return clip_modules.Tokens(regular(layer.inner), layer.over)
