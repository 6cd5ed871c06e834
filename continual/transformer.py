"""Transformer encoders a token at a time: what `coequal.reference.transformer` computes, for streams `(B, T, E)`.

torch.nn.TransformerEncoderLayer and torch.nn.TransformerEncoder with the same parameters and state_dict; `mode` says what
a step emits, as in `coequal.continual.attention`. Only attention looks at other tokens, so in the modes "causal", "sliding"
and "single" everything else works on the new token alone.

In mode "retroactive" every row of the window changes at every step: attention is still updated rather than redone, the
perceptron runs on all N rows. So does everything in the layers above the first one, whose whole input is new: an encoder of
depth L keeps the savings of attention in its first layer, and in mode "single" computes one query in its last, without ever
projecting keys and values (`SingleOutputMultiheadAttention.last`). Multiply-adds of a step, perceptron of F features:

    one layer, "single"         4 E^2 + 2 E F + 2 N E
    first of several            3 E^2 + N E^2 + 2 N E F + (7 + CHUNK) N E
    each in the middle          4 N E^2 + 2 N E F + 2 N^2 E
    last, "single"              4 E^2 + 2 E F + 2 A N E

Layers above the first do not mind the order of their tokens, so the rows stay in the slots of the ring until the end.

Sources: Vaswani et al., NeurIPS 2017, section 3.1; Hedegaard, Bakhtiarnia & Iosifidis, "Continual Transformers", ICLR 2023,
section 3.3 (two layers: retroactive, then single-output).
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import nn

from coequal.continual import clip_modules
from coequal.continual.attention import (
    RetroactiveMultiheadAttention,
    SingleOutputMultiheadAttention,
    attention_of,
    chronological,
    refusal,
    twin_of,
)
from coequal.continual.conversion import How, NotStreamable, needed, register
from coequal.continual.sliding_softmax import put
from coequal.continual.streaming import settled
from coequal.continual.to_torch import makes, regular
from coequal.reference import transformer as layers
from coequal.reference.timing import Timing

__all__ = ["TransformerEncoder", "TransformerEncoderLayer"]

Tensor = torch.Tensor
State = dict[str, Any]


class TransformerEncoderLayer(torch.nn.TransformerEncoderLayer):
    """Attention and perceptron around shortcuts: the parent's constructor, then `mode` and `window`."""

    time = 1
    self_attn: Any  # one of the classes of attention.py

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Any = torch.nn.functional.relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = True,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        mode: str = "retroactive",
        window: int | None = None,
    ) -> None:
        super().__init__(
            d_model,
            nhead,
            dim_feedforward,
            dropout,
            activation,
            layer_norm_eps,
            batch_first,
            norm_first,
            bias,
            device,
            dtype,
        )
        self.self_attn = attention_of(mode).of(self.self_attn, window)

    @classmethod
    def of(cls, layer: torch.nn.TransformerEncoderLayer, *, mode: str, window: int | None = None) -> TransformerEncoderLayer:
        """The twin of `layer`: the very same parameter objects, dtype, device, and train or eval mode."""
        twin = twin_of(layer, cls)
        twin.self_attn = attention_of(mode).of(layer.self_attn, window)
        return twin

    @property
    def timing(self) -> Timing:
        """That of the attention."""
        return self.self_attn.timing

    @property
    def emits(self) -> str:
        """That of the attention: "frames", "window" or "last"."""
        return self.self_attn.emits

    @property
    def window(self) -> Any:
        """That of the attention, in frames; None in mode "causal"."""
        return self.self_attn.window

    def forward(self, clip: Tensor) -> Tensor:  # type: ignore[override]
        """Clip mode: tokens `(B, T, E) -> (B, T, E)`; fewer in mode "single"."""
        attended = self.self_attn(self.norm1(clip) if self.norm_first else clip)
        return self._around(clip[:, clip.shape[1] - attended.shape[1] :], attended)

    def start(self, frame: Tensor) -> State:
        """State of the attention; in mode "retroactive" also the last N tokens, for the shortcut. `frame (B, E)`."""
        state: State = {"attention": self.self_attn.start(frame)}
        if self.emits == "window":
            state["tokens"] = frame.new_zeros((frame.shape[0], self.window, frame.shape[1]))
        return state

    def step(self, frame: Tensor, state: State) -> tuple[Tensor | None, State]:
        """Token `(B, E)` in; `(B, E)` out, or the whole window `(B, N, E)`, or None while there is none."""
        if self.emits == "window":
            slots, state = self.step_in_slots(frame, state)
            return (None if slots is None else chronological(slots, state["attention"]["seen"])), state
        attended, state["attention"] = self.self_attn.step(self._normed(frame), state["attention"])
        return (None if attended is None else self._around(frame, attended)), state

    def settled(self, state: State) -> State:
        """That of the attention."""
        return {**state, "attention": settled(self.self_attn, state["attention"])}

    def step_in_slots(self, frame: Tensor, state: State) -> tuple[Tensor | None, State]:
        """Mode "retroactive": as `step`, but token `t` is in row `t mod N`."""
        assert isinstance(self.self_attn, RetroactiveMultiheadAttention)
        attended, state["attention"] = self.self_attn.step_in_slots(self._normed(frame), state["attention"])
        slot = (state["attention"]["seen"] - 1) % state["tokens"].shape[1]
        state["tokens"] = put(state["tokens"], (slice(None), slot), frame)
        return (None if attended is None else self._around(state["tokens"], attended)), state

    def last(self, tokens: Tensor, row: int) -> Tensor:
        """Mode "single": output of token `row` of a whole window `(B, N, E)` that is new at every step: `(B, E)`."""
        assert isinstance(self.self_attn, SingleOutputMultiheadAttention)
        return self._around(tokens[:, row], self.self_attn.last(self._normed(tokens), row))

    def flush(self, state: State) -> list[Tensor]:
        """Nothing is ever owed."""
        return []

    def _normed(self, tokens: Tensor) -> Tensor:
        return self.norm1(tokens) if self.norm_first else tokens

    def _around(self, tokens: Tensor, attended: Tensor) -> Tensor:
        """Shortcut and perceptron of tokens `(..., E)` whose attention is `attended`."""
        if self.training and any(drop.p for drop in (self.dropout, self.dropout1, self.dropout2)):
            raise RuntimeError(
                f"{type(self).__name__}: dropout draws other features in every step; call eval(), or set dropout to 0"
            )
        x = tokens + attended
        if self.norm_first:
            return x + self._perceptron(self.norm2(x))
        x = self.norm1(x)
        return self.norm2(x + self._perceptron(x))

    def _perceptron(self, x: Tensor) -> Tensor:
        return self.linear2(self.activation(self.linear1(x)))


class TransformerEncoder(torch.nn.TransformerEncoder):
    """A stack of `num_layers` copies of `encoder_layer`, and `norm` at the end: the parent's constructor.

    Modes "causal" and "sliding": the layers are stacked; the receptive field of the latter grows by `window - 1` a layer.
    Modes "retroactive" and "single": the encoder of the last N tokens, all of them or the last.
    """

    time = 1

    def __init__(self, encoder_layer: TransformerEncoderLayer, num_layers: int, norm: torch.nn.Module | None = None) -> None:
        super().__init__(encoder_layer, num_layers, norm, enable_nested_tensor=False)
        self._arrange(encoder_layer.self_attn.mode, encoder_layer.window)

    @classmethod
    def of(cls, encoder: torch.nn.TransformerEncoder, *, mode: str, window: int | None = None) -> TransformerEncoder:
        """The twin of `encoder`: the very same parameter objects, dtype, device, and train or eval mode."""
        twin = twin_of(encoder, cls)
        twin.layers = torch.nn.ModuleList(
            TransformerEncoderLayer.of(cast("torch.nn.TransformerEncoderLayer", layer), mode=mode, window=window)
            for layer in encoder.layers
        )
        twin._arrange(attention_of(mode).mode, window)
        return twin

    @property
    def _stack(self) -> list[TransformerEncoderLayer]:
        return cast("list[TransformerEncoderLayer]", list(self.layers))

    def _arrange(self, mode: str, window: Any) -> None:
        """Mode "single": all but the last layer see, and give, whole windows. Modes of the reference."""
        self.mode, self.window = mode, window
        if mode == "single":
            for layer in self._stack[:-1]:
                layer.self_attn = RetroactiveMultiheadAttention.of(layer.self_attn, window)

    @property
    def emits(self) -> str:
        """That of the last layer: "frames", "window" or "last"."""
        return self._stack[-1].emits

    @property
    def timing(self) -> Timing:
        """One window; composed over the layers in mode "sliding"."""
        total = self._stack[-1].timing
        if self.emits == "frames":
            for layer in self._stack[:-1]:
                total = total.then(layer.timing)
        return total

    def forward(self, clip: Tensor) -> Tensor:  # type: ignore[override]
        """Clip mode: tokens `(B, T, E) -> (B, T, E)`; in mode "single" `(B, T - N + 1, E)`, the last of each window."""
        if self.mode != "single" or self.num_layers == 1:
            return self._stacked(clip)
        if clip.shape[1] < self.window:
            return clip[:, :0]
        windows = clip.unfold(1, self.window, 1).movedim(-1, 2)  # (B, T - N + 1, N, E)
        return self._stacked(windows.flatten(0, 1)).unflatten(0, windows.shape[:2]).squeeze(2)

    def start(self, frame: Tensor) -> list[State]:
        """One state a layer; the first layer's alone where the others see whole windows. `frame (B, E)`."""
        streaming = self._stack if self.emits == "frames" else self._stack[:1]
        return [layer.start(frame) for layer in streaming]

    def step(self, frame: Tensor, state: list[State]) -> tuple[Tensor | None, list[State]]:
        """Token `(B, E)` in; `(B, E)` out, or the whole window `(B, N, E)`, or None while there is none."""
        if self.emits == "frames" or self.num_layers == 1:
            x: Tensor | None = frame
            for i, layer in enumerate(self._stack):
                x, state[i] = layer.step(cast(Tensor, x), state[i])
        else:
            x, state[0] = self._stack[0].step_in_slots(frame, state[0])
            x = None if x is None else self._above(x, state[0]["attention"]["seen"])
        return (x if x is None or self.norm is None else self.norm(x)), state

    def settled(self, state: list[State]) -> list[State]:
        """That of each layer."""
        return [settled(layer, one) for layer, one in zip(self._stack, state, strict=False)]

    def flush(self, state: list[State]) -> list[Tensor]:
        """Nothing is ever owed."""
        return []

    def _above(self, slots: Tensor, seen: int) -> Tensor:
        """The layers above the first, on a whole window in the order of its slots."""
        for layer in self._stack[1:-1]:
            slots = layer(slots)
        if self.mode == "single":
            return self._stack[-1].last(slots, (seen - 1) % slots.shape[1])
        return chronological(self._stack[-1](slots), seen)

    def _stacked(self, x: Tensor) -> Tensor:
        for layer in self._stack:
            x = layer(x)
        return x if self.norm is None else self.norm(x)


# -- how torch modules become these, and layers of the reference torch modules ----------------------------------------


@register(nn.TransformerEncoderLayer)
@register(nn.TransformerEncoder)
def _(module: Any, how: How) -> Any:
    layer: Any = module.layers[0] if isinstance(module, nn.TransformerEncoder) else module
    mode = how.mode or getattr(module, "mode", None) or "retroactive"
    window = how.window if how.window is not None else getattr(module, "frames", None)
    if layer.training and layer.dropout.p:
        raise NotStreamable(how.path, module, "dropout is random in train mode", "call .eval() first")
    refused = refusal(layer.self_attn)
    if refused is not None:
        raise NotStreamable(how.path, module, *refused)
    if window is None and mode != "causal":
        needed(module, how, "every token attends to the whole clip")
    kind: Any = TransformerEncoder if isinstance(module, nn.TransformerEncoder) else TransformerEncoderLayer
    return kind.of(module, mode=mode, window=window)


@makes
def _(layer: layers.TransformerEncoderLayer) -> nn.Module:
    act = layer.activation if isinstance(layer.activation, str) else regular(layer.activation)
    return clip_modules.TransformerEncoderLayer(
        layer.d_model, layer.nhead, layer.dim_feedforward, 0.0, act, layer.layer_norm_eps, norm_first=layer.norm_first,
        bias=layer.bias, mode=layer.mode, window=layer.window, attention_bias=layer.attention_bias,
    )  # fmt: skip


@makes
def _(layer: layers.TransformerEncoder) -> nn.Module:
    inner: Any = regular(layer.layer)
    last = nn.LayerNorm(layer.layer.d_model, layer.layer.layer_norm_eps, bias=layer.layer.bias) if layer.norm else None
    return clip_modules.TransformerEncoder(inner, layer.num_layers, last)
