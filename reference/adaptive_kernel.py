"""Convolution over time whose kernel each channel of each clip makes for itself, from the means of all frames.

With 2 C channels of a clip `x (B, 2 C, T, H, W)`, of exactly `window` frames T:

    m[c, t] = mean of x[C + c, t] over space
    w[c]    = softmax(W2 relu(norm(W1 m[c])))         W1 (F, T), W2 (K, F); norm with running statistics, of F features
    y[c, t] = sum_k w[c, k] x[c, t + k - K // 2]      K taps, zero outside of the clip

The two halves are two views of the same frames: what is convolved, and what decides how.

Shapes: y `(B, C, T, H, W)`.
Source: Liu, Wang, Wu, Qian & Lu, "TAM: Temporal adaptive module for video recognition", ICCV 2021, section 3.2 (global
branch); as in open-mmlab/mmaction2 (`models/common/tam.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from coequal.reference.layer import Array, Parameters, Shape, scope
from coequal.reference.norm import BatchNorm
from coequal.reference.recurrent import relu
from coequal.reference.softmax import softmax


def kernels(parameters: Parameters, means: Array, norm: BatchNorm) -> Array:
    """The taps of each row of means, `(N, T) -> (N, K)`."""
    hidden = norm(scope(parameters, "norm"), means @ parameters["fc1.weight"].T)
    return softmax(relu(hidden) @ parameters["fc2.weight"].T, -1)


def adaptive_kernel_loops(clip: Array, weights: Array) -> Array:
    """Naive form of the convolution, `(B, C, T, H, W), (B, C, K)`: one frame of one channel at a time."""
    y, taps = np.zeros_like(clip), weights.shape[2]
    for b, c, t in np.ndindex(*clip.shape[:3]):
        for k in range(taps):
            if 0 <= (frame := t + k - taps // 2) < clip.shape[2]:
                y[b, c, t] = y[b, c, t] + weights[b, c, k] * clip[b, c, frame]
    return y


def adaptive_kernel(clip: Array, weights: Array) -> Array:
    """Vectorised form: one product for each tap."""
    taps, length = weights.shape[2], clip.shape[2]
    edge = [np.zeros_like(clip[:, :, :1])] * (taps // 2)  # keeps the number system of the clip
    padded = np.concatenate([*edge, clip, *edge], axis=2)
    each = weights.reshape(*weights.shape, *[1] * (clip.ndim - 2))
    return sum(each[:, :, k] * padded[:, :, k : k + length] for k in range(taps))


@dataclass(frozen=True)
class AdaptiveKernel:
    """`channels` C of what comes out, of the 2 C that go in; clips of `window` frames, `taps` (odd) of each kernel."""

    channels: int
    window: int
    taps: int = 3
    alpha: int = 2
    time: int = 2
    timing = None

    def __post_init__(self) -> None:
        if self.taps % 2 == 0:
            raise ValueError(f"AdaptiveKernel: taps are odd, to be centred, got {self.taps}")

    @property
    def hidden(self) -> int:
        """Features F, `alpha` for each frame."""
        return self.alpha * self.window

    @property
    def norm(self) -> BatchNorm:
        """That of the hidden features."""
        return BatchNorm(self.hidden)

    def parameters(self) -> dict[str, Shape]:
        """`fc1.weight (F, T)`, those of `norm`, `fc2.weight (K, F)`."""
        norm = {f"norm.{name}": shape for name, shape in self.norm.parameters().items()}
        return {"fc1.weight": (self.hidden, self.window), **norm, "fc2.weight": (self.taps, self.hidden)}

    def output_shape(self, shape: Shape) -> Shape:
        """`(B, C, T, H, W)`; ValueError for other channels than 2 C, or other lengths than `window`."""
        if len(shape) < 4 or shape[1] != 2 * self.channels or shape[2] != self.window:
            raise ValueError(
                f"AdaptiveKernel: expected a clip (B, C, T, ...) with C = 2 channels = {2 * self.channels} and"
                f" T = window = {self.window}, got shape {tuple(shape)}"
            )
        return (shape[0], self.channels, *shape[2:])

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """The convolved half."""
        batch, channels, length = self.output_shape(clip.shape)[:3]
        seen = clip[:, channels:].reshape(batch * channels, length, -1)
        means = np.sum(seen, axis=-1) / seen.shape[-1]
        weights = kernels(parameters, means, self.norm)
        return adaptive_kernel(clip[:, :channels], weights.reshape(batch, channels, self.taps))
