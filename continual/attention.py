"""Multi-head self-attention a token at a time: what `coequal.reference.attention` computes, for streams `(B, T, E)`.

| class                          | a step emits                              | multiply-adds of a step         |
|--------------------------------|-------------------------------------------|---------------------------------|
| CausalMultiheadAttention       | its token, which sees all t so far        | 4 E^2 + 2 t E                   |
| SlidingMultiheadAttention      | its token, which sees the last N          | 4 E^2 + 2 N E                   |
| SingleOutputMultiheadAttention | the same, once N tokens have been seen    | 4 E^2 + 2 N E                   |
| RetroactiveMultiheadAttention  | all of the last N, each seeing the others | 3 E^2 + N E^2 + (7 + CHUNK) N E |

All are torch.nn.MultiheadAttention: its constructor (but `batch_first` is always true), parameters and state_dict. `forward`
takes one clip `(B, T, E)` and returns the tokens alone. Keys and values are projected once and kept, softmax is taken over
all that a query sees, shifted by its maximum as in clip mode.

Sources: Vaswani et al., NeurIPS 2017 (causal, with a cache); Beltagy, Peters & Cohan, "Longformer", 2020 (sliding);
Hedegaard, Bakhtiarnia & Iosifidis, "Continual Transformers", ICLR 2023 (single-output, retroactive).
"""

from __future__ import annotations

import copy
import math
from typing import Any, ClassVar

import torch
from torch import nn
from torch.nn.functional import linear

from coequal.continual import clip_modules, sliding_softmax
from coequal.continual.conversion import How, NotStreamable, needed, register
from coequal.continual.sliding_softmax import put
from coequal.continual.to_torch import makes
from coequal.reference import attention as layers
from coequal.reference.attention import attention_timing
from coequal.reference.timing import Timing

__all__ = [
    "CausalMultiheadAttention",
    "RetroactiveMultiheadAttention",
    "SingleOutputMultiheadAttention",
    "SlidingMultiheadAttention",
]

Tensor = torch.Tensor
State = dict[str, Any]


class ContinualAttention(torch.nn.MultiheadAttention):
    """What the four have in common: constructor, projections, masks. `mode` is that of the reference."""

    mode: ClassVar[str]
    emits: ClassVar[str] = "frames"
    time = 1
    window: Any  # frames; None in mode "causal" alone

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        window: int | None = None,
    ) -> None:
        super().__init__(
            embed_dim, num_heads, dropout, bias, add_bias_kv, add_zero_attn, kdim, vdim, batch_first, device, dtype
        )
        self.window = window
        if refusal := self.refusal():
            raise ValueError(f"{type(self).__name__}: {refusal[0]}; {refusal[1]}")

    @classmethod
    def of(cls, attention: torch.nn.MultiheadAttention, window: int | None = None) -> ContinualAttention:
        """The twin of `attention`: the very same parameter objects, dtype, device, and train or eval mode."""
        twin = twin_of(attention, cls)
        twin.window = window
        if refusal := twin.refusal():
            raise ValueError(f"{cls.__name__}: {refusal[0]}; {refusal[1]}")
        return twin

    def refusal(self) -> tuple[str, str] | None:
        """Reason and remedy, where this attention cannot be streamed exactly."""
        return refusal(self) or self._window_refusal()

    def _window_refusal(self) -> tuple[str, str] | None:
        if self.window is None:
            return "its window is not given", "give a window, the number of tokens attended to"
        if self.window < 1:
            return f"window is in frames and at least 1, got {self.window}", "give a longer one"
        return None

    @property
    def timing(self) -> Timing:
        """In frames; as the reference's layer of the same mode."""
        return attention_timing(self.mode, self.window)  # type: ignore[return-value]

    def forward(self, clip: Tensor) -> Tensor:  # type: ignore[override]
        """Clip mode: tokens `(B, T, E) -> (B, T, E)`; fewer in mode "single"."""
        self._check(clip.shape, 3, "a clip (B, T, E)")
        first = self._returned_from(clip.shape[1])
        if first >= clip.shape[1]:
            return clip[:, :0]
        mask = self._mask(clip.shape[1], clip.device)
        output, _ = super().forward(
            clip[:, first:], clip, clip, need_weights=False, attn_mask=None if mask is None else mask[first:]
        )
        return output

    def flush(self, state: State) -> list[Tensor]:
        """Nothing is ever owed."""
        return []

    def _returned_from(self, length: int) -> int:
        return 0

    def _mask(self, length: int, device: torch.device) -> Tensor | None:
        """`(T, T)`, True where a query may not see a key; None: all see all."""
        age = torch.arange(length, device=device)[:, None] - torch.arange(length, device=device)
        return (age < 0) if self.window is None else (age < 0) | (age >= self.window)

    def _check(self, shape: torch.Size, rank: int, meaning: str) -> None:
        if len(shape) != rank or shape[-1] != self.embed_dim:
            raise ValueError(
                f"{type(self).__name__}: expected {meaning} with E = embed_dim = {self.embed_dim}, got {tuple(shape)}"
            )
        if self.training and self.dropout:
            raise RuntimeError(
                f"{type(self).__name__}: dropout {self.dropout} draws other weights in every step; call eval(), or set"
                " dropout to 0"
            )

    def _project_in(self, frame: Tensor) -> tuple[Tensor, Tensor]:
        """Query (scaled) `(B A, 1, D)`, and key and value `(2, B A, 1, D)`, of one token `(B, E)`."""
        self._check(frame.shape, 2, "a frame (B, E)")
        projected = linear(frame, self.in_proj_weight, self.in_proj_bias)
        heads = projected.view(-1, 3, self.num_heads, self.head_dim).transpose(0, 1).reshape(3, -1, 1, self.head_dim)
        return heads[0] * (1 / math.sqrt(self.head_dim)), heads[1:]

    def _attend(self, query: Tensor, kept: Tensor) -> Tensor:
        """One query per head `(B A, 1, D)` over keys and values `(2, B A, K, D)`: `(B, E)`."""
        keys, values = kept.unbind(0)
        weights = torch.softmax(torch.bmm(query, keys.transpose(1, 2)), -1)
        return self.out_proj(torch.bmm(weights, values).view(-1, self.embed_dim))


def refusal(attention: torch.nn.MultiheadAttention) -> tuple[str, str] | None:
    """Reason and remedy, where no attention of these can stand for `attention`."""
    E = attention.embed_dim
    if not attention.batch_first:
        return "tokens must be (B, T, E)", "build it with batch_first=True"
    if (attention.kdim, attention.vdim) != (E, E):
        return (
            f"a stream is self-attention, so keys and values have embed_dim = {E} features,"
            f" got kdim {attention.kdim}, vdim {attention.vdim}",
            "leave kdim and vdim out",
        )
    if attention.bias_k is not None or attention.add_zero_attn:
        return "add_bias_kv and add_zero_attn are not supported", "leave them out"
    return None


def twin_of(module: Any, cls: type | None = None) -> Any:
    """A copy of `module`, of class `cls`, that shares the very same parameters and buffers and nothing that can be set."""
    twin: Any = object.__new__(cls or type(module))
    twin.__dict__.update({name: copy.copy(v) if isinstance(v, dict) else v for name, v in module.__dict__.items()})
    twin._modules.update({name: twin_of(child) for name, child in module._modules.items() if child is not None})
    return twin


class SlidingMultiheadAttention(ContinualAttention):
    """Every token attends to itself and the `window - 1` before it; one out for each one in."""

    mode = "sliding"

    def start(self, frame: Tensor) -> State:
        """Rings of `window` keys and values; `frame (B, E)`."""
        return {"seen": 0, "ring": frame.new_zeros((2, frame.shape[0] * self.num_heads, self.window, self.head_dim))}

    def step(self, frame: Tensor, state: State) -> tuple[Tensor | None, State]:
        """Token `(B, E)` in; the same token attended out."""
        query, new = self._project_in(frame)
        if "slots" in state:
            return self._turned(query, new, state)
        slot = state["seen"] % self.window
        state["seen"] += 1
        ring = state["ring"] = put(state["ring"], (..., slice(slot, slot + 1), slice(None)), new)
        if state["seen"] < self.window:
            return self._early(query, ring[:, :, : state["seen"]]), state
        return self._attend(query, ring), state

    def settled(self, state: State) -> State:
        """A full ring with its slots, the oldest first, on the device."""
        seen, ring = state["seen"], state["ring"]
        if seen < self.window:
            return state
        return {**state, "slots": (torch.arange(self.window, device=ring.device) + seen) % self.window}

    def _turned(self, query: Tensor, new: Tensor, state: State) -> tuple[Tensor, State]:
        """A token in the place of the oldest."""
        ring = state["ring"].index_copy_(2, state["slots"][:1], new)
        state = {"seen": state["seen"] + 1, "ring": ring, "slots": state["slots"].roll(-1)}
        return self._attend(query, ring), state

    def _early(self, query: Tensor, ring: Tensor) -> Tensor | None:
        """The output while the window is not full: `ring` holds the tokens so far."""
        return self._attend(query, ring)


class SingleOutputMultiheadAttention(SlidingMultiheadAttention):
    """The last token of each whole window of `window` tokens; None before the first."""

    mode, emits = "single", "last"

    def _early(self, query: Tensor, ring: Tensor) -> Tensor | None:
        return None

    def _returned_from(self, length: int) -> int:
        return self.window - 1

    def last(self, window: Tensor, row: int) -> Tensor:
        """Output of token `row` of a whole window `(B, N, E)` that changes entirely at every step: `(B, E)`.

        Keys and values are not projected: with `u = Wk^T q`, `q . (Wk x_j + bk) = u . x_j + q . bk`, whose last term softmax
        ignores, and `sum_j p_j (Wv x_j + bv) = Wv sum_j p_j x_j + bv`. Multiply-adds `4 E^2 + 2 A N E`;
        with projection `2 N E^2 + 2 E^2 + 2 N E`.
        """
        wq, wk, wv = self.in_proj_weight.chunk(3)
        bq, _, bv = (None,) * 3 if self.in_proj_bias is None else self.in_proj_bias.chunk(3)
        per_head = (self.num_heads, self.head_dim, self.embed_dim)
        q = linear(window[:, row], wq, bq) * (1 / math.sqrt(self.head_dim))
        u = (q.view(-1, self.num_heads, self.head_dim).transpose(0, 1) @ wk.view(per_head)).transpose(0, 1)  # (B, A, E)
        mixed = torch.softmax(u @ window.transpose(1, 2), -1) @ window  # (B, A, E)
        heads = (mixed.transpose(0, 1) @ wv.view(per_head).transpose(1, 2)).transpose(0, 1).reshape(q.shape)
        return self.out_proj(heads if bv is None else heads + bv)


class CausalMultiheadAttention(ContinualAttention):
    """Every token attends to itself and all before it. The cache of keys and values grows with the stream, by doubling."""

    mode = "causal"

    def _window_refusal(self) -> tuple[str, str] | None:
        if self.window is None:
            return None
        return "causal attention sees everything and has no window", "use mode 'sliding' for the last `window` frames"

    def start(self, frame: Tensor) -> State:
        """Empty cache; `frame (B, E)`."""
        return {"seen": 0, "cache": frame.new_zeros((2, frame.shape[0] * self.num_heads, 16, self.head_dim))}

    def step(self, frame: Tensor, state: State) -> tuple[Tensor | None, State]:
        """Token `(B, E)` in; the same token attended out."""
        query, new = self._project_in(frame)
        now, cache = state["seen"], state["cache"]
        if now == cache.shape[2]:
            cache = torch.cat([cache, torch.zeros_like(cache)], dim=2)
        state["seen"], state["cache"] = now + 1, put(cache, (..., slice(now, now + 1), slice(None)), new)
        return self._attend(query, state["cache"][:, :, : now + 1]), state


class RetroactiveMultiheadAttention(ContinualAttention):
    """All of the last `window` tokens, each attending to all of them: `(B, N, E)`, oldest first; None before `N` tokens.

    How a step avoids doing the whole window anew, and stays exact for ever: `coequal.continual.sliding_softmax`.
    """

    mode, emits = "full", "window"

    def _mask(self, length: int, device: torch.device) -> None:
        return None

    def start(self, frame: Tensor) -> State:
        """Rings of queries, keys and values; `frame (B, E)`."""
        groups = frame.shape[0] * self.num_heads
        return sliding_softmax.begin(frame.new_zeros((groups, self.head_dim)), self.window)

    def step(self, frame: Tensor, state: State) -> tuple[Tensor | None, State]:
        """Token `(B, E)` in; the whole window `(B, N, E)` out."""
        slots, state = self.step_in_slots(frame, state)
        return (None if slots is None else chronological(slots, state["seen"])), state

    def step_in_slots(self, frame: Tensor, state: State) -> tuple[Tensor | None, State]:
        """As `step`, but token `t` is in row `t mod N`: cheaper where the order does not matter."""
        query, new = self._project_in(frame)
        heads, state = sliding_softmax.step(query.squeeze(1), new[0].squeeze(1), new[1].squeeze(1), state)
        if heads is None:
            return None, state
        return self.out_proj(heads.view(frame.shape[0], self.embed_dim, -1).transpose(1, 2)), state


def chronological(slots: Tensor, seen: int) -> Tensor:
    """A ring `(B, N, ...)` in which token `t` of `seen` tokens has row `t mod N`, oldest first: a new tensor."""
    first = seen % slots.shape[1]
    return torch.cat([slots[:, first:], slots[:, :first]], dim=1)


MODES: dict[str, type[ContinualAttention]] = {
    "retroactive": RetroactiveMultiheadAttention,
    "full": RetroactiveMultiheadAttention,
    "single": SingleOutputMultiheadAttention,
    "causal": CausalMultiheadAttention,
    "sliding": SlidingMultiheadAttention,
}


def attention_of(mode: str) -> type[ContinualAttention]:
    """The class of a mode; ValueError names those there are."""
    if mode not in MODES:
        raise ValueError(f"attention: mode is one of {', '.join(map(repr, MODES))}, got {mode!r}")
    return MODES[mode]


# -- how torch modules become these, and layers of the reference torch modules ----------------------------------------


@register(nn.MultiheadAttention)
def _(module: nn.MultiheadAttention, how: How) -> Any:
    mode = how.mode or getattr(module, "mode", None) or "retroactive"
    window = how.window if how.window is not None else getattr(module, "frames", None)
    if module.training and module.dropout:
        raise NotStreamable(how.path, module, "dropout is random in train mode", "call .eval() first")
    refused = refusal(module)
    if refused is not None:
        raise NotStreamable(how.path, module, *refused)
    if window is None and mode != "causal":
        needed(module, how, "every token attends to the whole clip")
    return attention_of(mode).of(module, window)


@makes
def _(layer: layers.MultiheadAttention) -> nn.Module:
    size = layer.embed_dim
    if {layer.kdim, layer.vdim} - {None, size}:
        raise TypeError("regular: self-attention of a clip has kdim = vdim = embed_dim")
    return clip_modules.SelfAttention(size, layer.num_heads, layer.bias, layer.mode, layer.window, layer.out_bias)
