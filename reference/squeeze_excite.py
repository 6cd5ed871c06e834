"""Squeeze-and-excite: the mean of each channel decides how much of it passes. Clips `(B, C, T, ...)`.

    s[c, t] = mean of x[c] over space, and over the frames of the scope         squeeze
    g[t]    = sigm(W2 relu(W1 s[t] + b1) + b2)                                  excite     W1 (C', C), W2 (C, C')
    y[c, t] = g[c, t] x[c, t]

The scope of frame `t` is "frame": `t` alone; "clip": the whole clip, one gate for all of it, which cannot be streamed;
"window": the last `window` frames up to `t`, where frames before the clip count as zeros (a causal average pool).

Source: Hu, Shen & Sun, "Squeeze-and-excitation networks", CVPR 2018, equations 2 to 4; over the frames of a clip, as in X3D
(Feichtenhofer, CVPR 2020). Parameters as in torchvision.ops.SqueezeExcitation, without the axes of length 1 of its
pointwise convolutions: `fc1`, `fc2`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from coequal.reference.layer import Array, Parameters, Shape
from coequal.reference.recurrent import relu, sigmoid
from coequal.reference.timing import Timing

SCOPES = ("frame", "clip", "window")


def squeeze_excite_loops(parameters: Parameters, clip: Array, window: int | None) -> Array:
    """Naive form, one mean and one gate at a time; `window`: frames of a scope, None for the whole clip."""
    result = clip.copy()
    batch, channels, length = clip.shape[:3]
    for b in range(batch):
        for t in range(length):
            frames = range(length) if window is None else range(max(0, t - window + 1), t + 1)
            count = (window or length) * math.prod(clip.shape[3:])
            s = [sum(value for f in frames for value in clip[b, c, f].reshape(-1)) / count for c in range(channels)]
            hidden = [relu(value) for value in _dense(parameters, "fc1", s)]
            for c, logit in enumerate(_dense(parameters, "fc2", hidden)):
                result[b, c, t] = clip[b, c, t] * sigmoid(logit)
    return result


def _dense(parameters: Parameters, name: str, x: list) -> list:
    rows = zip(parameters[f"{name}.weight"], parameters[f"{name}.bias"], strict=True)
    return [sum(w * value for w, value in zip(row, x, strict=True)) + bias for row, bias in rows]


def squeeze(clip: Array, window: int | None) -> Array:
    """Means over space and the scope of each frame: `(B, C, T, ...) -> (B, C, T)`, or `(B, C, 1)` for `window` None."""
    batch, channels, length = clip.shape[:3]
    size = math.prod(clip.shape[3:])
    frames = clip.reshape(batch, channels, length, size).sum(axis=-1)
    if window is None:
        return frames.sum(axis=-1, keepdims=True) / (length * size)
    padded = np.concatenate([np.zeros_like(frames[:, :, :1])] * (window - 1) + [frames], axis=2)
    return sum(padded[:, :, k : k + length] for k in range(window)) / (window * size)


def squeeze_excite(parameters: Parameters, clip: Array, window: int | None) -> Array:
    """The clip times its gates; `window`: frames of a scope, None for the whole clip."""
    s = np.swapaxes(squeeze(clip, window), 1, 2)  # (B, T, C)
    hidden = relu(s @ parameters["fc1.weight"].T + parameters["fc1.bias"])
    gate = sigmoid(hidden @ parameters["fc2.weight"].T + parameters["fc2.bias"])
    gate = np.swapaxes(gate, 1, 2)  # (B, C, T or 1)
    return clip * gate.reshape(*gate.shape, *[1] * (clip.ndim - 3))


@dataclass(frozen=True)
class SqueezeExcite:
    """Gates of `channels` channels through `squeeze_channels` hidden ones; `scope` "frame", "clip" or "window"."""

    channels: int
    squeeze_channels: int
    scope: str = "frame"
    window: int | None = None

    def __post_init__(self) -> None:
        if self.scope not in SCOPES:
            raise ValueError(f"SqueezeExcite: scope is one of {', '.join(map(repr, SCOPES))}, got {self.scope!r}")
        if (self.scope == "window") != (self.window is not None):
            raise ValueError(
                f"SqueezeExcite: a window, in frames, goes with scope 'window' and with no other,"
                f" got scope {self.scope!r} and window {self.window}"
            )
        if self.window is not None and self.window < 1:
            raise ValueError(f"SqueezeExcite: window is in frames and at least 1, got {self.window}")

    @property
    def time(self) -> int:
        """Axis 2 of `(B, C, T, ...)`."""
        return 2

    @property
    def _frames(self) -> int | None:
        return 1 if self.scope == "frame" else self.window

    @property
    def timing(self) -> Timing | None:
        """The frames of the scope, zeros before the clip; None over the whole clip."""
        return None if self._frames is None else Timing(self._frames, pad_start=self._frames - 1)

    def parameters(self) -> dict[str, Shape]:
        """`fc1.weight (C', C)`, `fc1.bias`, `fc2.weight (C, C')`, `fc2.bias`."""
        wide, narrow = self.channels, self.squeeze_channels
        return {"fc1.weight": (narrow, wide), "fc1.bias": (narrow,), "fc2.weight": (wide, narrow), "fc2.bias": (wide,)}

    def output_shape(self, shape: Shape) -> Shape:
        """The shape itself."""
        if len(shape) < 3 or shape[1] != self.channels:
            raise ValueError(
                f"SqueezeExcite: expected a clip (B, C, T, ...) with C = channels = {self.channels},"
                f" got shape {tuple(shape)}"
            )
        return tuple(shape)

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """The clip times its gates."""
        self.output_shape(clip.shape)
        return squeeze_excite(parameters, clip, self._frames)
