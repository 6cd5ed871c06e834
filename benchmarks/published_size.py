"""Published networks at their published size: as many channels, blocks, frames and pixels as the paper has, random weights.

    python -P benchmarks/published_size.py [--seconds S] [--limit S] [--memory GIB] [--only NAME ...]     or `make published`

A network that streams is proved on the clip that it was published with: reference = torch module = stream, over a field. One
that does not is refuted by the two clips of its counterexample, in double precision, and its closest variant is proved. Each
in a process of its own with one thread, the cheapest first; what is known stays in published_size.json, and the page
docs/published_size.md is written anew. Of networks that are the same but for the number of their classes one is asked.

`--seconds`: none is begun any more after so many of processor time; `--limit`, `--memory`: what one may take. Those that ran
out of either are tried again with more of it. `--table` writes the page alone.
"""

from __future__ import annotations

import argparse
import functools
import json
import multiprocessing
import os
import resource
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from coequal.continual.conversion import NotStreamable, convert
from coequal.continual.to_torch import regular
from coequal.equivalence.campaigns.contents import Architecture, twin, weights
from coequal.equivalence.campaigns.prove import prove
from coequal.equivalence.options import BOUND
from coequal.proofs.cost import clip_cost
from coequal.proofs.field.errors import NotDecided
from coequal.reference.compose import Sequential
from coequal.reference.conv import Conv
from coequal.reference.layer import Layer, Shape
from coequal.reference.linear import Linear
from coequal.reference.pool import GlobalAvgPool
from coequal.reference.tokens import Tokens
from coequal.systems.catalogue import SYSTEMS
from coequal.systems.streamability import lasting, operators, streamability

ROOT = Path(__file__).resolve().parent.parent
KNOWN, PAGE = Path(__file__).with_suffix(".json"), ROOT / "docs" / "published_size.md"
PRIMES, DEEPER = 8, 16  # of a draw; where there is attention: functions of functions have higher degrees
BEYOND_ROUNDING = 1e-10  # of the largest element: in double precision no rounding is as large
PASSES, PASSES_OF_TWO_CLIPS = 48, 2  # through the network, at least: three programs and sixteen primes; two clips
NO_TIME, NO_MEMORY = "no time", "no memory"
DONE = ("proved", "refuted", "not decided")

Row = dict[str, Any]


@dataclass(frozen=True)
class Question:
    """Is this network its stream on clips of `shape`? `closest`: it stands for one that does not stream."""

    name: str
    layer: Any
    shape: Shape
    closest: bool = False

    @functools.cached_property
    def macs(self) -> float:
        """Multiply-adds of the clip, which reference, torch module and stream compute once each."""
        return float(clip_cost(self.layer, self.shape).macs())

    @functools.cached_property
    def work(self) -> float:
        """Multiply-adds of the answer, about."""
        return self.macs * (PASSES_OF_TWO_CLIPS if self.layer.timing is None else PASSES)

    @functools.cached_property
    def but_for_classes(self) -> tuple[Layer, Shape]:
        """What it has in common with networks of other data sets."""
        return one_class(self.layer), self.shape

    @property
    def key(self) -> str:
        """Its name, here and in the page."""
        return f"the closest variant of {self.name}" if self.closest else self.name


def questions() -> Iterator[Question]:
    """Of each network of the catalogue; a closest variant is one where the catalogue does not have it as well."""
    known = {system.layer for system in SYSTEMS.values()}
    for system in SYSTEMS.values():
        verdict = streamability(system.layer, system.shape)
        shape = system.shape
        if verdict.counterexample is not None:
            shape = lasting(system.layer, shape, verdict.counterexample.length)
        yield Question(system.name, system.layer, shape)
        if verdict.variant is not None and verdict.variant.layer not in known:
            known.add(verdict.variant.layer)
            yield Question(system.name, verdict.variant.layer, system.shape, closest=True)


def one_class(layer: Any) -> Layer:
    """The network with the first of its classes alone: its last linear map, before nothing but a mean, has one row."""
    if not isinstance(layer, Sequential):
        return layer
    place = next(i for i in reversed(range(len(layer.layers))) if not isinstance(layer.layers[i], GlobalAvgPool))
    return replace(layer, layers=(*layer.layers[:place], _one_row(layer.layers[place]), *layer.layers[place + 1 :]))


def _one_row(layer: Any) -> Any:
    if isinstance(layer, Tokens):
        return replace(layer, inner=_one_row(layer.inner))
    if isinstance(layer, Linear):
        return replace(layer, out_features=1)
    return replace(layer, out_channels=1) if isinstance(layer, Conv) else layer


def proved(asked: Question) -> Row:
    """Reference = torch = stream, or why that is not decided."""
    frames = asked.layer.output_shape(asked.shape)[asked.layer.time]
    attends = any({"num_heads", "nhead", "layer"} & vars(operator).keys() for _, operator in operators(asked.layer))
    try:
        proof = prove(Architecture(asked.layer, asked.shape), seed=3, primes=DEEPER if attends else PRIMES)
    except NotDecided as error:
        return {"verdict": "not decided", "why": str(error)}
    return {
        "verdict": "proved" if proof.wrong <= BOUND else "not decided",
        **{"outputs": frames, "bound": proof.wrong, "primes": len(proof.primes), "draws": proof.draws},
    }


def refuted(asked: Question) -> Row:
    """How far apart the first outputs of the two clips are, and that `convert` refuses the same operator."""
    found = streamability(asked.layer, SYSTEMS[asked.name].shape).counterexample
    assert found is not None
    rng = np.random.default_rng(4)
    one = torch.as_tensor(rng.standard_normal(asked.shape))
    other = one.clone()
    frame = other.select(asked.layer.time, found.frame)
    frame.add_(1)
    module = twin(asked.layer, weights(asked.layer, 3))
    with torch.no_grad():
        a = module(one)
        if not a.isfinite().all():  # what multiplies features by features overflows in a deep network
            a = measured(module, one)
            frame.copy_(torch.as_tensor(rng.standard_normal(frame.shape)))
        a, b = (y.select(asked.layer.time, found.output) for y in (a, module(other)))
    apart = float((a - b).abs().max() / a.abs().max())
    try:
        convert(regular(asked.layer).eval())
    except NotStreamable as refusal:
        refused = refusal.path == found.path
    else:
        refused = False
    return {"verdict": "refuted" if apart > BEYOND_ROUNDING and refused else "not refuted", "apart": apart}


def measured(module: torch.nn.Module, clip: torch.Tensor) -> torch.Tensor:
    """Of this clip, whose means and variances the batch norms have from now on, as in training."""

    def hook(norm: Any, given: tuple[torch.Tensor, ...]) -> None:
        axes = [axis for axis in range(given[0].dim()) if axis != 1]
        norm.running_mean.copy_(given[0].mean(axes))
        norm.running_var.copy_(given[0].var(axes, correction=0))

    norms = [part for part in module.modules() if hasattr(part, "running_var")]
    hooks = [norm.register_forward_pre_hook(hook) for norm in norms]
    try:
        return module(clip)
    finally:
        for handle in hooks:
            handle.remove()


def answer(asked: Question, limit: int, memory: float, tell: Any) -> None:
    """In a process of its own: the row, with what it took."""
    torch.set_num_threads(1)
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 10))
    resource.setrlimit(resource.RLIMIT_AS, (int(memory * 2**30),) * 2)
    try:
        row = (refuted if asked.layer.timing is None else proved)(asked)
    except MemoryError:
        row = {"verdict": NO_MEMORY}
    except RuntimeError as error:
        if "allocate" not in str(error):
            raise
        row = {"verdict": NO_MEMORY}
    used = resource.getrusage(resource.RUSAGE_SELF)
    tell.send({**row, "seconds": used.ru_utime + used.ru_stime, "gib": used.ru_maxrss / 2**20})
    tell.close()
    os._exit(0)


def answered(asked: Question, limit: int, memory: float) -> Row:
    """The row of a question; what it may take stands in it, where that was too little."""
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=answer, args=(asked, limit, memory, there))
    process.start()
    there.close()
    try:
        row = here.recv()
    except EOFError:
        row = None
    process.join()
    if row is None:
        verdict = NO_TIME if process.exitcode in (-signal.SIGXCPU, -signal.SIGKILL) else f"failed: {process.exitcode}"
        row = {"verdict": verdict, "seconds": float(limit), "gib": memory}
    frames = asked.shape[asked.layer.time]
    return {**row, "frames": frames, "size": list(asked.shape), "macs": asked.macs, "allowed": [limit, memory]}


def wanted(row: Row | None, limit: int, memory: float) -> bool:
    """Whether a question is to be asked (again)."""
    if row is None or row["verdict"] not in (*DONE, NO_TIME, NO_MEMORY):
        return True
    allowed = {NO_TIME: limit > row["allowed"][0], NO_MEMORY: memory > row["allowed"][1]}
    return allowed.get(row["verdict"], False)


def alike(asked: list[Question], known: dict[str, Row]) -> dict[str, str]:
    """Of questions whose networks differ in the number of classes alone: by each that was not asked, the one that was."""
    told = {one.but_for_classes: one.key for one in asked if known.get(one.key, {}).get("verdict") in ("proved", "refuted")}
    return {one.key: told[one.but_for_classes] for one in asked if one.key not in known and one.but_for_classes in told}


def run(asked: list[Question], seconds: float, limit: int, memory: float, note: Callable[[str, Row], None]) -> None:
    """As long as there is time."""
    taken = 0.0
    for question in sorted(asked, key=lambda one: one.work):
        if taken >= seconds:
            return
        if question.key not in alike(asked, read()) and wanted(read().get(question.key), limit, memory):
            row = answered(question, limit, memory)
            taken += row["seconds"]
            note(question.key, row)


def read() -> dict[str, Row]:
    """The rows that there are."""
    return json.loads(KNOWN.read_text()) if KNOWN.exists() else {}


def keep(key: str, row: Row) -> None:
    """One more of them."""
    KNOWN.write_text(json.dumps({**read(), key: row}, indent=1) + "\n")
    print(f"{key}: {row['verdict']}, {row['seconds']:.0f} s, {row['gib']:.1f} GiB", flush=True)


# -- the page ------------------------------------------------------------------------------------------------------------

HEADS = ("network", "frames", "clip", "G multiply-adds", "verdict", "outputs compared", "wrong with at most", "s", "GiB")
INTRODUCTION = """# At published size

The networks of the [catalogue](systems.md) with as many channels, blocks, frames and pixels as they were published with. In
small each of them is proved or refuted by the tests, or by `make catalogue`; here the same is asked of the thing itself.

- **proved**: reference, torch module and stream are one function of inputs and weights, over a field, on the clip that the
  paper has. The clip is padded at both ends, and the stream flushed; most clips are so short that no output sees neither end
  ([edges](systems.md#edges)). Clips that are longer than that, and every length, are proved in small alone.
- **refuted**: two clips that differ in their last frame alone differ in their first output, by so much of its largest
  element, in double precision; they are as long as the shortest counterexample of the network, and `convert` refuses the
  same operator. Its closest variant that streams has a row of its own, where it is not in the catalogue.
- **as** another: the same network but for the number of its classes. Rows of the last linear map are computed each by
  itself, of the same features: what is proved of one is proved of all, and features that differ make rows differ.
- **no time**, **no memory**: of those that it was given.

Weights are random. One thread; seconds are those of the processor, memory is the most that was held.
"""
DEGREES = """Where blocks of attention follow one another, sums of fractions have degrees of the size of the primes, of
which more do not help: in GTZAN-b2 up to 3e5, where primes have 20 bits, and those of exponents 15. CoOadTR-b2 has blocks
of the same kind, and more features.
"""
LEFT = """With the multiply-adds of one clip, in G: for a proof, reference, torch module and stream compute it once each for
every prime, of which there are eight or more; to refute, the torch module computes two clips.
"""


def page(asked: list[Question], known: dict[str, Row]) -> str:
    """What is known, and what was not asked."""
    asked = sorted(asked, key=lambda one: one.macs)
    others = alike(asked, known)
    rows = [(one, known[others.get(one.key, one.key)]) for one in asked if one.key in known or one.key in others]
    count = [sum(row["verdict"] == verdict for _, row in rows) for verdict in ("proved", "refuted")]
    text = [
        INTRODUCTION,
        f"{count[0]} are proved and {count[1]} refuted, of {len(asked)}, {len(others)} of them as another; "
        f"{len(asked) - len(rows)} were not run, which stand below.\n"
        "`make published` writes this page, and goes on where it ended: from seconds to hours each.\n",
        f"| {' | '.join(HEADS)} |",
        f"|{'---|' * len(HEADS)}",
        *(f"| {' | '.join(cells(one, row, others.get(one.key)))} |" for one, row in rows),
    ]
    whys = [f"- {one.key}: {row['why']}" for one, row in rows if row.get("why") and one.key in known]
    text += ["", "## Not decided", "", DEGREES, *whys] if whys else []
    left = [f"{one.key} ({one.macs / 1e9:,.1f})" for one in asked if one.key not in known | others]
    if left:
        text += ["", "## Not run", "", LEFT, f"{'; '.join(left)}."]
    return "\n".join([*text, ""])


def cells(one: Question, row: Row, other: str | None = None) -> list[str]:
    """A line of the table; the row may be that of another network."""
    size = " x ".join(map(str, row["size"][1:]))
    if other is not None:
        return [one.key, str(row["frames"]), size, f"{one.macs / 1e9:.3g}", f"{row['verdict']}, as {other}", *[""] * 4]
    bound = f"{row['bound']:.0e}" if "bound" in row else ""
    verdict = row["verdict"] + (f", {row['apart']:.1g} apart" if row["verdict"] == "refuted" else "")
    spent = [f"{row['seconds']:.0f}", f"{row['gib']:.1f}"]
    return [one.key, str(row["frames"]), size, f"{one.macs / 1e9:.3g}", verdict, str(row.get("outputs", "")), bound, *spent]


def main() -> None:
    """Ask what is not known yet, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--limit", type=int, default=1800)
    parser.add_argument("--memory", type=float, default=16.0)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()
    asked = list(questions())
    if not options.table:
        chosen = [one for one in asked if not options.only or one.key in options.only]
        run(chosen, options.seconds, options.limit, options.memory, keep)
    PAGE.write_text(page(asked, read()))


if __name__ == "__main__":
    main()
