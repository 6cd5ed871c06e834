"""The verdicts: does a published number follow from the network that it is said of?

    holds                     plain multiply-adds, or trainable parameters, give its printed digits
    holds under convention X  not plainly, but as X counts
    does not hold             a number follows, and it is another one
    not derivable             nothing follows: the network is not known here, or the number is a measurement

The counters that a claim names are tried in order; the first that gives the printed digits decides, and where none does, the
one that comes nearest is told. Derived numbers are exact integers, or ratios of them, and are rounded once, to the digits of
the published number, halves up.

A network may be code of somebody's, `path/to/file.py:NAME`: `measured` says what it counts for under each convention of
`proofs/cost`. Without counters all of them are tried, plain ones first.

A reduction `A / B` is a clip's count over a step's; `A` alone is both:

    macs     multiply-adds of the clip over those of a mean step: what a stream must do
    counted  what the papers' counters say of either (`ptflops`, `ptflops-step`)
    ptflops  what ptflops says of either
    cells    the rounded cells of the papers' tables, divided
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from coequal.proofs.claims.claim import BadClaims, Claim, is_code
from coequal.proofs.cost import CONVENTIONS, clip_cost, step_cost
from coequal.proofs.cost.algebra.counts import Cost
from coequal.proofs.cost.conventions.counters import COUNTERS
from coequal.proofs.cost.conventions.hooks import half_of_hlo
from coequal.proofs.cost.conventions.leaves import leaves
from coequal.reference.layer import Shape
from coequal.systems.catalogue import SYSTEMS
from coequal.systems.system import System, is_buffer

HOLDS, UNDER, FAILS, UNKNOWN = "holds", "holds under convention", "does not hold", "not derivable"
PLAIN = ("macs", "trainable")
PARAMS = {
    "trainable": "numbers that training changes",
    "weights": "weights of convolutions and of the linear map; no norm, no bias",
    "all": "every parameter of the published module, also those that it never uses",
}
RATIOS = {
    "macs": "multiply-adds of a clip over those of a mean step",
    "counted": "ptflops of the clip over ptflops-step of a frame",
    "ptflops": "ptflops of the clip over ptflops of a frame",
    "cells": "the rounded cells of the paper's table, divided",
}


SERIES = re.compile(r"\d+x\d+")  # a clip without space
WHOLE: dict[str, Callable[[Cost], Any]] = {"macs": Cost.macs, "xla": half_of_hlo}  # what also counts sums of branches


@dataclass(frozen=True)
class Judgement:
    """A claim and what became of it; `derived` in the claim's unit, None where nothing follows."""

    claim: Claim
    verdict: str
    derived: Fraction | None = None
    convention: str = ""
    why: str = ""

    @property
    def text(self) -> str:
        """The verdict in one phrase."""
        return f"{self.verdict} {self.convention}" if self.verdict == UNDER else self.verdict

    def shown(self) -> str:
        """The derived number with the published digits, or as many more as tell the two apart."""
        if self.derived is None:
            return ""
        exponent = _exponent(self.claim.value)
        while self.verdict == FAILS and rounded(self.derived, exponent) == self.claim.value:
            exponent -= 1
        return f"{rounded(self.derived, exponent):f}"

    def to_dict(self) -> dict[str, Any]:
        """For JSON: numbers in the claim's unit."""
        claim = self.claim
        quantity = f"{claim.quantity} ({claim.unit})"
        named = {key: getattr(claim, key) for key in ("system", "model", "mode", "input")}
        numbers = {"published": float(claim.value), "derived": None if self.derived is None else float(self.derived)}
        told = {"verdict": self.text, "convention": self.convention or claim.convention, "source": claim.source}
        return {**named, "quantity": quantity, **numbers, **told, "why": self.why}


def rounded(number: Fraction, exponent: int) -> Decimal:
    """To a power of ten, halves up.

    >>> rounded(Fraction(5165, 1000), -2), rounded(Fraction(5164, 1000), -2)
    (Decimal('5.17'), Decimal('5.16'))
    """
    units = number * Fraction(10) ** -exponent
    return Decimal(int(units + Fraction(1, 2))).scaleb(exponent)


def _exponent(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)  # the data file is checked: no NaN, no infinity
    return exponent


Shapes = tuple[int, ...] | None
# code, the shape of a clip (None: its own) -> {"clip" or "step": {convention: number}, "params": {"trainable": number}}
Measured = Callable[[str, Shapes], Mapping[str, Mapping[str, Any]]]


def _none(code: str, shape: Shapes) -> Mapping[str, Mapping[str, Any]]:
    raise BadClaims(f"network {code!r} is code, which only `coequal claims --data FILE` runs")


def judge(claims: Iterable[Claim], measured: Measured = _none) -> list[Judgement]:
    """A verdict for each claim, in order; `measured` counts networks that are code."""
    claims = list(claims)
    cells: dict[str, Claim] = {}
    for claim in claims:
        if claim.quantity == "flops" and claim.network:
            cells.setdefault(claim.network, claim)
    return [_judge(claim, cells, measured) for claim in claims]


def _judge(claim: Claim, cells: Mapping[str, Claim], measured: Measured) -> Judgement:
    every = _every if is_code(claim.network) else _every_counter
    names = claim.counters.split() or ([] if claim.why else every(claim))
    if not names:
        return Judgement(claim, UNKNOWN, why=claim.why)
    derived: dict[str, Fraction] = {}
    for name in names:
        if is_code(claim.network):
            derived[name] = _measured(claim, name, measured) / claim.scale
        else:
            derived[name] = DERIVATIONS[claim.quantity](claim, name, cells) / claim.scale
        if rounded(derived[name], _exponent(claim.value)) == claim.value:
            verdict = HOLDS if name in PLAIN else UNDER
            return Judgement(claim, verdict, derived[name], name, _why(claim, name, derived))
    nearest = min(derived, key=lambda name: abs(derived[name] - Fraction(claim.value)))
    return Judgement(claim, FAILS, derived[nearest], nearest, _why(claim, nearest, derived))


def _why(claim: Claim, name: str, derived: Mapping[str, Fraction]) -> str:
    """What was counted, what other counters say, what the data file says."""
    digits = min(-2, _exponent(claim.value))
    others = [f"{other}: {rounded(number, digits):f}" for other, number in derived.items() if other != name]
    parts = [f"{name}: {_meaning(claim, name)}", *others, claim.why]
    return "; ".join(part for part in parts if part)


def _meaning(claim: Claim, name: str) -> str:
    if claim.quantity == "flops":
        return (CONVENTIONS if is_code(claim.network) else COUNTERS)[name].meaning
    return (PARAMS if claim.quantity == "params" else RATIOS)[name.partition("+")[0]]


# -- what follows --------------------------------------------------------------------------------------------------------


def _system(name: str, claim: Claim) -> System:
    if name not in SYSTEMS:
        raise BadClaims(f"{claim.model}: network {name!r} is not in the catalogue; `coequal systems` lists it")
    return SYSTEMS[name]


def _flops(claim: Claim, counter: str, cells: Mapping[str, Claim]) -> Fraction:
    return _count(_system(claim.network, claim).name, counter, claim.mode, _shape(claim))


def _shape(claim: Claim) -> Shape | None:
    """The clip that a claim names, if it names one: `3x8x224x224`, or `30x3x8x224x224` where views are counted together.

    Of code `2x16` is one as well.
    """
    if not re.fullmatch(r"\d+(x\d+){3,4}", claim.input) and not (is_code(claim.network) and SERIES.fullmatch(claim.input)):
        return None
    sizes = tuple(map(int, claim.input.split("x")))
    return sizes if len(sizes) == 5 else (1, *sizes)


@functools.cache
def _count(name: str, counter: str, mode: str, shape: Shape | None = None) -> Fraction:
    """The same question is asked for many a claim."""
    return count(SYSTEMS[name], counter, mode, shape)


def count(system: System, counter: str, mode: str, shape: Shape | None = None) -> Fraction:
    """What a counter says of a network: on a clip of `shape` (by default the published one), or on one frame.

    Multiply-adds of a step are the mean over a period of its strides; no other counter looks at strides.
    """
    if counter not in COUNTERS:
        raise BadClaims(f"counter {counter!r} is not known; expected one of {', '.join(COUNTERS)}")
    rule = COUNTERS[counter].count
    if mode == "clip":
        clip = shape or system.shape
        if counter in WHOLE:
            return Fraction(WHOLE[counter](clip_cost(system.layer, clip)))
        return Fraction(sum(rule(leaf) for leaf in leaves(system.layer, clip)))
    if system.step_layer is None or system.step_shape is None:
        raise BadClaims(f"{system.name} has no step: {system.notes or 'its paper runs it on clips'}")
    frame = shape or system.step_shape
    if counter == "macs":
        return Fraction(str(step_cost(system.step_layer, frame).mean.macs()))
    return Fraction(sum(rule(leaf) for leaf in leaves(system.step_layer, frame, step=True)))


def _memory(claim: Claim, counter: str, cells: Mapping[str, Claim]) -> Fraction:
    raise BadClaims(f"{claim.model}: memory is measured, not derived: leave counters empty and say why")


def _params(claim: Claim, counter: str, cells: Mapping[str, Claim]) -> Fraction:
    """`trainable`, `weights`, or `all+N` with N parameters that the published module has besides."""
    name, _, unused = counter.partition("+")
    if name not in PARAMS or not (unused or "0").isdecimal():
        raise BadClaims(f"{claim.model}: counter {counter!r} is not known; expected one of {', '.join(PARAMS)}")
    system = _system(claim.network, claim)
    if name != "weights":
        return Fraction(system.params + int(unused or 0))
    shapes = {n: s for n, s in system.layer.parameters().items() if not is_buffer(n) and len(s) > 1}
    return Fraction(sum(_product(shape) for shape in shapes.values()))


def _product(shape: Shape) -> int:
    total = 1
    for size in shape:
        total *= size
    return total


def _reduction(claim: Claim, counter: str, cells: Mapping[str, Claim]) -> Fraction:
    clip, _, second = claim.network.partition(" / ")
    step = second or clip
    if counter not in RATIOS:
        raise BadClaims(
            f"{claim.model}: counter {counter!r} is not known of a reduction; expected one of {', '.join(RATIOS)}"
        )
    a, b = _system(clip, claim), _system(step, claim)
    if counter == "cells":
        for name in [name for name in (clip, step) if name not in cells]:
            raise BadClaims(f"{claim.model}: no printed number of {name} to divide; give it, or leave out the counter cells")
        return Fraction(cells[clip].value) * cells[clip].scale / (Fraction(cells[step].value) * cells[step].scale)
    first, second = {"counted": ("ptflops", "ptflops-step")}.get(counter, (counter, counter))
    return _count(a.name, first, "clip") / _count(b.name, second, "step")


def _every_counter(claim: Claim) -> list[str]:
    """What can be counted of a network of the catalogue. Some counters are of steps alone, one of clips."""
    of_steps = [name for name in COUNTERS if "step" in name]
    of_clips = [name for name in WHOLE if name != "macs"]
    others = of_steps if claim.mode == "clip" else of_clips
    flops = [name for name in COUNTERS if name not in others]
    ratios = [name for name in RATIOS if name != "cells"]
    return {"flops": flops, "params": list(PARAMS), "reduction": ratios, "memory": ["none"]}[claim.quantity]


# -- code --------------------------------------------------------------------------------------------------------------


def _every(claim: Claim) -> list[str]:
    """What can be counted of code."""
    return {"flops": list(CONVENTIONS), "params": ["trainable"], "reduction": ["macs"]}.get(claim.quantity, [])


def _measured(claim: Claim, name: str, measured: Measured) -> Fraction:
    """A convention's number of a clip or a step, the parameters, or the one over the other."""
    if name not in _every(claim):
        known = ", ".join(_every(claim)) or "none: it is measured, not derived"
        raise BadClaims(f"{claim.model}: counter {name!r} is not known of code; expected one of {known}")
    first, _, second = claim.network.partition(" / ")
    if claim.quantity == "reduction":
        return _counted(claim, first, "clip", name, measured) / _counted(claim, second or first, "step", name, measured)
    return _counted(claim, first, "params" if claim.quantity == "params" else claim.mode, name, measured)


def _counted(claim: Claim, code: str, mode: str, name: str, measured: Measured) -> Fraction:
    if not is_code(code):
        raise BadClaims(f"{claim.model}: {code!r} is no code; a reduction is of two networks of the catalogue, or of code")
    counts = measured(code, _shape(claim)).get(mode)
    if counts is None or counts.get(name) is None:
        raise BadClaims(f"{claim.model}: {code} has no {mode} that can be counted: `coequal cost {code}` says why")
    return Fraction(counts[name])


DERIVATIONS: dict[str, Callable[[Claim, str, Mapping[str, Claim]], Fraction]] = {
    "flops": _flops,
    "params": _params,
    "memory": _memory,
    "reduction": _reduction,
}
