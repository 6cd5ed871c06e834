"""Systems of which an abstract is all that could be read: no architecture is published, and none is invented.

What an abstract says of operators is judged operator by operator, as small ones that show what their kind does with time. Of
sizes, multiply-adds and parameters nothing follows. They are not in the catalogue.
"""

from __future__ import annotations

from dataclasses import dataclass

from coequal.reference.conv import Conv
from coequal.reference.layer import Layer, Shape
from coequal.reference.non_local import NonLocal

LABEL = "after the abstract; no architecture published"
SHAPE: Shape = (1, 2, 8, 4, 4)


@dataclass(frozen=True)
class Abstract:
    """A paper, and the operators that its abstract names, by the words that it has for them."""

    name: str
    source: str
    operators: dict[str, Layer]
    open: str

    @property
    def notes(self) -> str:
        """What is missing."""
        return f"{LABEL}: {self.open}"


def _conv(kernel: tuple[int, int, int]) -> Conv:
    return Conv(2, 2, kernel, padding=tuple(k // 2 for k in kernel))


ABSTRACTS = (
    Abstract(
        "VidConv",
        "Nguyen, Huynh, Nguyen & Nguyen, arXiv 2207.03782",
        {"2-D convolutions, over space": _conv((1, 3, 3)), "the same, over time and a side of the frame": _conv((3, 1, 3))},
        "2-D convolutions alone, but not over which axes; where frames are channels, each needs the whole clip",
    ),
    Abstract(
        "2s-MDCN",
        "Two-stream multi-dimensional convolutional network for real-time violence detection, arXiv 2211.04255",
        {
            "1-D convolutions, over time": _conv((3, 1, 1)),
            "2-D convolutions, over space": _conv((1, 3, 3)),
            "3-D convolutions": _conv((3, 3, 3)),
        },
        "of frames and of their optical flow, which takes the frame before; nothing of how they are put together",
    ),
    Abstract(
        "STPT",
        "Weng, Pan, Han, Chang & Zhuang, ECCV 2022, arXiv 2207.10448",
        {"global attention, in late stages": NonLocal(2, 2, pooled=False)},
        "local windows in early stages, of sizes that it does not tell; its repository has a title only",
    ),
)
