"""Two pathways on one clip, a slow one of few frames and a fast one of all, with lateral connections from fast to slow.

    f_0 = x                    s_0[j] = x[floor(j (T - 1) / (n - 1))],   n = floor(T / alpha),  j = 0 .. n - 1
    f_i = fast_i(f_{i-1})      s_i = slow_i(s_{i-1} ++ lateral_{i-1}(f_{i-1}))       (`++`: channels; no lateral before 1)
    y   = s_n ++ f_n

The frames of the slow pathway are spread from the first to the last frame of the clip, so their distance is not constant
and they are other frames in every window: nothing of it can be streamed.

Shapes: x `(B, C, T, H, W)`; the last stages must give clips that differ in channels only.
Source: Feichtenhofer, Fan, Malik & He, "SlowFast networks for video recognition", ICCV 2019, sections 3.1 to 3.3; the
selection as in facebookresearch/SlowFast, `slowfast/datasets/utils.py` (`linspace`, rounded down).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from coequal.reference.compose import _at, _prefixed
from coequal.reference.layer import Array, Layer, Parameters, Shape, scope


def spread(length: int, count: int) -> list[int]:
    """`count` frames of a clip of `length`, from the first to the last, rounded down.

    >>> spread(32, 4), spread(32, 8)
    ([0, 10, 20, 31], [0, 4, 8, 13, 17, 22, 26, 31])
    """
    return [j * (length - 1) // max(1, count - 1) for j in range(count)]


def select_frames_loops(clip: Array, count: int) -> Array:
    """Naive form: one frame at a time."""
    frames, length = [], clip.shape[2]
    for j in range(count):
        nearest = 0
        while (nearest + 1) * (count - 1) <= j * (length - 1) and nearest + 1 < length and count > 1:
            nearest += 1
        frames.append(clip[:, :, nearest])
    return np.stack(frames, axis=2)


def select_frames(clip: Array, count: int) -> Array:
    """Vectorised form: one index."""
    return clip[:, :, spread(clip.shape[2], count)]


@dataclass(frozen=True)
class SelectFrames:
    """One frame in `alpha`, spread over the clip `(B, C, T, ...)`; which ones depends on its length."""

    alpha: int
    time: int = 2
    timing = None

    def __post_init__(self) -> None:
        if self.alpha < 1:
            raise ValueError(f"SelectFrames: alpha is in frames and at least 1, got {self.alpha}")

    def parameters(self) -> dict[str, Shape]:
        """None."""
        return {}

    def output_shape(self, shape: Shape) -> Shape:
        """`T // alpha` frames; ValueError where that is none."""
        if len(shape) < 3 or shape[2] < self.alpha:
            raise ValueError(
                f"SelectFrames: expected a clip (B, C, T, ...) of at least alpha = {self.alpha} frames, got {tuple(shape)}"
            )
        return (*shape[:2], shape[2] // self.alpha, *shape[3:])

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """The selected frames."""
        return select_frames(clip, self.output_shape(clip.shape)[2])


@dataclass(frozen=True)
class Pathways:
    """Stages of a slow and a fast pathway, and what goes from fast to slow after every stage but the last.

    Parameters are called `"slow.<i>.*"`, `"fast.<i>.*"`, `"lateral.<i>.*"`.
    """

    alpha: int
    slow: tuple[Layer, ...]
    fast: tuple[Layer, ...]
    lateral: tuple[Layer, ...]
    time: int = 2
    timing = None

    def __post_init__(self) -> None:
        if not len(self.slow) == len(self.fast) == len(self.lateral) + 1:
            raise ValueError(
                "Pathways: needs as many slow stages as fast ones and one lateral connection less,"
                f" got {len(self.slow)}, {len(self.fast)} and {len(self.lateral)}"
            )

    @property
    def select(self) -> SelectFrames:
        """What the slow pathway sees of the clip."""
        return SelectFrames(self.alpha)

    @property
    def children(self) -> dict[str, Layer]:
        """The stages by the name that prefixes their parameters."""
        groups = {"slow": self.slow, "fast": self.fast, "lateral": self.lateral}
        return {f"{group}.{i}": layer for group, layers in groups.items() for i, layer in enumerate(layers)}

    def parameters(self) -> dict[str, Shape]:
        """Names and shapes, each prefixed by its stage."""
        return _prefixed(self.children.items())

    def run(self, stage: Callable[[str, Any], Any], join: Callable[[Any, Any], Any], clip: Any) -> Any:
        """The pathways, on anything: `stage(name, x)` computes a stage, `join(a, b)` puts channels one after the other."""
        slow, fast = stage("select", clip), clip
        for i in range(len(self.slow)):
            slow, fast = stage(f"slow.{i}", slow), stage(f"fast.{i}", fast)
            if i < len(self.lateral):
                slow = join(slow, stage(f"lateral.{i}", fast))
        return join(slow, fast)

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the concatenated last stages; ValueError names the stage that does not fit."""
        layers = {"select": self.select, **self.children}
        return self.run(lambda name, s: _at(f"Pathways: {name}", layers[name], s), joined_shape, shape)

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """Both pathways on a clip."""
        layers = {"select": self.select, **self.children}

        def join(a: Array, b: Array) -> Array:
            joined_shape(a.shape, b.shape)
            return np.concatenate([a, b], axis=1)

        return self.run(lambda name, x: layers[name](scope(parameters, name), x), join, clip)


def joined_shape(a: Shape, b: Shape) -> Shape:
    """Shape of two clips, channels one after the other; ValueError where anything else differs."""
    if (a[0], *a[2:]) != (b[0], *b[2:]):
        raise ValueError(
            f"Pathways: the pathways may differ in channels (axis 1) only where they meet, got {tuple(a)} and {tuple(b)}"
        )
    return (a[0], a[1] + b[1], *a[2:])
