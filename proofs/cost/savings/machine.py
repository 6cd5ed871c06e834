"""Beyond counting: bytes, arithmetic intensity, energy; where a step that saves work stops saving energy or time.

    bytes        compulsory traffic: inputs, parameters and outputs of every layer once each, and the state a step touches
    intensity    multiply-adds for each byte moved
    energy       MAC e_mac + numbers moved e_memory, relative to one MAC, from a table that is passed in
    time         at least max(MAC / peak, bytes / bandwidth): the roofline

A step re-reads every weight for one frame; a clip reads them once for T. With w weights, per-frame work m and other traffic
a, of a clip that is run anew for every `every` frames and a step whose weights serve F frames each time they are loaded
(F streams side by side, or F frames in a chunk), energies per frame are

    clip    (m_clip + e (w + a_clip)) / every          step    m_step + e (w / F + a_step)

equal at `F = e w / ((m_clip + e (w + a_clip)) / every - m_step - e a_step)`: with fewer frames for each load than that, the
step costs more, although it saves multiply-adds. Below zero no number of frames is enough.

Sources: Chen, Emer & Sze, "Eyeriss", ISCA 2016, table IV, as in Sze, Chen, Yang & Emer, "Efficient processing of deep neural
networks: a tutorial and survey", Proc. IEEE 105, 2017, section V (relative energies, 65 nm, 16 bit); Williams, Waterman &
Patterson, "Roofline", CACM 2009.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from coequal.proofs.cost.algebra.counts import Cost, Size
from coequal.proofs.cost.formulas.dispatch import Sizes, state_size
from coequal.reference.layer import Layer

FLOAT32 = 4  # bytes
# energy of an access to a number, relative to one multiply-add: register file, other processing element, buffer, DRAM
EYERISS: Mapping[str, float] = {"mac": 1, "register file": 1, "array": 2, "global buffer": 6, "dram": 200}


def traffic(cost: Cost, width: int = FLOAT32) -> Size:
    """Bytes that must move at least, with `width` bytes for each number."""
    return cost.moved() * width


def intensity(cost: Cost, width: int = FLOAT32) -> Any:
    """Multiply-adds for each byte moved."""
    return Fraction(cost.macs()) / Fraction(traffic(cost, width))


def energy(cost: Cost, table: Mapping[str, float] = EYERISS, memory: str = "dram") -> Any:
    """In units of one multiply-add, when every number that moves comes from `memory`, a row of the table."""
    return cost.macs() * table["mac"] + cost.moved() * table[memory]


def frames_per_weight_load(
    clip: Cost, step: Cost, *, every: int = 1, table: Mapping[str, float] = EYERISS, memory: str = "dram"
) -> Fraction | None:
    """Frames that one load of the weights must serve for a step to cost no more energy than a clip for every `every` frames.

    None: no number of frames is enough. At most 1: a stream that loads them for every single frame saves energy.
    """
    e, weights = table[memory], clip.weights
    others = table["mac"] * step.macs() + e * (step.moved() - step.weights)
    left = Fraction(energy(clip, table, memory)) / every - Fraction(others)
    return None if left <= 0 else Fraction(e * weights) / left


@dataclass(frozen=True)
class Machine:
    """A roofline: multiply-adds and bytes for each second."""

    name: str
    macs: float
    bytes: float

    @property
    def ridge(self) -> float:
        """Multiply-adds for each byte below which memory is what one waits for."""
        return self.macs / self.bytes

    def seconds(self, cost: Cost, width: int = FLOAT32) -> float:
        """No run can be faster."""
        return float(max(cost.macs() / self.macs, traffic(cost, width) / self.bytes))


def state_bytes(layer: Layer, shape: Sizes, width: int = FLOAT32) -> Size:
    """Bytes that a stream keeps from step to step."""
    return state_size(layer, shape) * width
