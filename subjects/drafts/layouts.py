"""Which clip a module may take: axes and sizes, read from the parameters of its layers, in their order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from coequal.subjects.drafts import documented

LENGTH, SIDE = 12, 8  # frames of the example; its height and width, where it has any
LONG = 64  # frames, where a clip of 12 is refused (a long kernel)

# attribute of a layer -> axes of the clip, the usual ones first
LAST, FIRST = ("BTF", "TBF", "BFT"), ("BFT", "BTF")
ATTRIBUTES = {
    "num_embeddings": ("BT", "TB"),
    "in_channels": FIRST,
    "input_size": LAST,
    "in_features": LAST,
    "embed_dim": LAST,
    "d_model": LAST,
    "input_dim": LAST,
    "in_dim": LAST,
    "dim": LAST,
    "channels": FIRST,
    "num_features": FIRST,
    "hidden_size": LAST,
    "normalized_shape": LAST,
}
AXIS_TOO = ("dim", "channels")  # in torch's own layers these are an axis, or a number of groups


@dataclass(frozen=True)
class Layout:
    """A clip: axes as letters (B rows, T time, F features or channels, H, W), their sizes, and where they were read."""

    axes: str
    sizes: tuple[int, ...]
    read: str  # in words
    settled: bool = False  # whether the module says which axis is time, rather than custom
    words: int | None = None  # token ids are below it; None: the clip is of real numbers
    given: torch.Tensor | None = None  # the user's own
    fixed: bool = False  # the user gave it, or its shape

    @property
    def time(self) -> int:
        """The time axis."""
        return self.axes.index("T")

    @property
    def batch(self) -> int:
        """The axis of the rows."""
        return self.axes.index("B")

    @property
    def rows(self) -> int:
        """How many rows the example has."""
        return self.sizes[self.batch]

    def named(self) -> str:
        """The axes in words."""
        names = {"B": "rows", "T": "time", "F": "features", "H": "height", "W": "width"}
        return f"({', '.join(names[axis] for axis in self.axes)})"

    def source(self) -> str:
        """The example, in Python."""
        if self.given is not None:
            return ""
        shape, seed = ", ".join(map(str, self.sizes)), "generator=torch.Generator().manual_seed(0)"
        if self.words is not None:
            return f"example = torch.randint(0, {self.words}, ({shape}), {seed})"
        return f"example = torch.randn({shape}, {seed})"

    def example(self) -> torch.Tensor:
        """The example itself."""
        names: dict[str, Any] = {"torch": torch, "example": self.given}
        exec(self.source(), names)
        return names["example"]

    def alone(self) -> Layout:
        """The same with one row."""
        return self.of("B", 1)

    def of(self, axis: str, size: int) -> Layout:
        """The same with another size of an axis."""
        at = self.axes.index(axis)
        return replace(self, sizes=(*self.sizes[:at], size, *self.sizes[at + 1 :]))


def layouts(module: nn.Module) -> list[Layout]:
    """Clips that the module may take. What its documentation says of axes comes first, then what is usual for the layer."""
    found = list(dict.fromkeys(_of_layers(module)))
    said = documented.of_clips(documented.axes(type(module), module.forward))
    if said is None or type(module).__module__.startswith("torch.nn."):
        return found
    meant = [_as_documented(each, said) for each in found if _like(each, said)]
    return meant + [each for each in found if not _like(each, said)]


def given(module: nn.Module, example: torch.Tensor | tuple[int, ...]) -> list[Layout]:
    """The same for a clip of the user's, or its shape: only the axes, and the range of token ids, are read."""
    shape = tuple(example.shape) if isinstance(example, torch.Tensor) else example
    own = example if isinstance(example, torch.Tensor) else None
    like = [each for each in layouts(module) if len(each.axes) == len(shape)]
    like = like or [
        Layout(axes, shape, "no layer, but custom") for axes in ("BTF", "TBF", "BT", "BFTHW") if len(axes) == len(shape)
    ]
    found = [replace(each, sizes=shape, given=own, fixed=True, read=f"given; axes as of {each.read}") for each in like]
    return list({each.axes: each for each in reversed(found)}.values())[::-1]


def _like(layout: Layout, said: str) -> bool:
    return (len(layout.axes), layout.time, layout.batch) == (len(said), said.index("T"), said.index("B"))


def _as_documented(layout: Layout, said: str) -> Layout:
    return replace(layout, read=f"{layout.read}; its documentation writes the axes ({', '.join(said)})", settled=True)


def _of_layers(module: nn.Module) -> Iterator[Layout]:
    for name, layer in module.named_modules():
        for attribute in ATTRIBUTES:
            size = _size(getattr(layer, attribute, None))
            if size is not None and not (attribute in AXIS_TOO and type(layer).__module__.startswith("torch.nn.")):
                yield from _of_layer(layer, attribute, size, f"{attribute}={size} of {_called(name, layer)}")
                break


def _called(name: str, layer: nn.Module) -> str:
    return f"{'the module itself' if not name else f'module.{name}'} ({type(layer).__name__})"


def _size(value: Any) -> int | None:
    if isinstance(value, (tuple, list)) and value:
        value = value[-1]
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _of_layer(layer: nn.Module, attribute: str, size: int, read: str) -> Iterator[Layout]:
    axes = ATTRIBUTES[attribute]
    settled = attribute in ("num_embeddings", "in_channels")  # torch's own layout, and everybody's
    if isinstance(layer, nn.RNNBase):
        axes, settled = (("BTF", "TBF") if layer.batch_first else ("TBF", "BTF")), True
        read += f", batch_first={layer.batch_first}"
    kernel = getattr(layer, "kernel_size", None)
    space = (
        "HW"[: len(kernel) - 1] if attribute == "in_channels" and isinstance(kernel, tuple) and len(kernel) in (2, 3) else ""
    )
    rows = 3 if size == 2 else 2  # two sizes that are the same could be taken for one another
    letters = {"B": rows, "T": LENGTH, "F": size, "H": SIDE, "W": SIDE}
    for order, each in enumerate(axes):
        whole = each + space
        words = size if attribute == "num_embeddings" else None
        yield Layout(whole, tuple(letters[letter] for letter in whole), read, settled and order == 0, words)
