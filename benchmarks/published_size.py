"""Published networks at their published size: as many channels, blocks, frames and pixels as the paper has, random weights.

    python -P benchmarks/published_size.py [--seconds S] [--limit S] [--memory GIB] [--only NAME ...]     or `make published`

A network that streams is proved on the clip that it was published with: reference = torch module = stream, over a field. One
that does not is refuted by the two clips of its counterexample, in double precision, and its closest variant is proved. Each
in a process of its own with one thread, the cheapest of each family first; what is known stays in published_size.json, and
the page docs/published_size.md is written anew.

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
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
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
from coequal.reference.layer import Shape
from coequal.systems.catalogue import SYSTEMS
from coequal.systems.streamability import lasting, operators, streamability

ROOT = Path(__file__).resolve().parent.parent
KNOWN, PAGE = Path(__file__).with_suffix(".json"), ROOT / "docs" / "published_size.md"
PRIMES, DEEPER = 8, 16  # of a draw; where there is attention: functions of functions have higher degrees
BEYOND_ROUNDING = 1e-10  # of the largest element: in double precision no rounding is as large
SMALLER = 4  # times that weights are made smaller
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
    one = torch.as_tensor(np.random.default_rng(4).standard_normal(asked.shape))
    other = one.clone()
    other.select(asked.layer.time, found.frame).add_(1)
    module = twin(asked.layer, weights(asked.layer, 3))
    for _ in range(SMALLER):
        with torch.no_grad():
            a, b = (module(clip).select(asked.layer.time, found.output) for clip in (one, other))
            if a.isfinite().all():
                break
            for value in module.parameters():  # what multiplies features by features overflows in a deep network
                value.div_(4)
    apart = float((a - b).abs().max() / a.abs().max())
    try:
        convert(regular(asked.layer).eval())
    except NotStreamable as refusal:
        refused = refusal.path == found.path
    else:
        refused = False
    return {"verdict": "refuted" if apart > BEYOND_ROUNDING and refused else "not refuted", "apart": apart}


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


def in_turn(asked: list[Question]) -> list[Question]:
    """The cheapest of each family, then the second of each: of what streams, of what does not, of what is closest to it."""
    turns: dict[Question, int] = {}
    seen = Counter[tuple[str, bool, bool]]()
    for one in sorted(asked, key=lambda one: one.macs):
        kind = (SYSTEMS[one.name].family, one.layer.timing is None, one.closest)
        turns[one] = seen[kind]
        seen[kind] += 1
    return sorted(asked, key=lambda one: (turns[one], one.macs))


def run(asked: list[Question], seconds: float, limit: int, memory: float, note: Callable[[str, Row], None]) -> None:
    """As long as there is time."""
    taken = 0.0
    for question in in_turn(asked):
        if taken >= seconds:
            return
        if wanted(read().get(question.key), limit, memory):
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
- **no time**, **no memory**: of those that it was given.

Weights are random. One thread; seconds are those of the processor, memory is the most that was held.
"""
DEGREES = """Where blocks of attention follow one another, sums of fractions have degrees of the size of the primes, of
which more do not help.
"""
LEFT = """With the multiply-adds of one clip, in G: reference, torch module and stream compute it once each for every prime,
of which there are sixteen or more.
"""


def page(asked: list[Question], known: dict[str, Row]) -> str:
    """What is known, and what was not asked."""
    asked = sorted(asked, key=lambda one: one.macs)
    rows = [(one, known[one.key]) for one in asked if one.key in known]
    count = [sum(row["verdict"] == verdict for _, row in rows) for verdict in ("proved", "refuted")]
    text = [
        INTRODUCTION,
        f"{count[0]} are proved and {count[1]} refuted, of {len(asked)}; {len(asked) - len(rows)} were not run, which stand "
        "below. `make published`\nwrites this page, and goes on where it ended: from seconds to hours each.\n",
        f"| {' | '.join(HEADS)} |",
        f"|{'---|' * len(HEADS)}",
        *(f"| {' | '.join(cells(one, row))} |" for one, row in rows),
    ]
    whys = [f"- {one.key}: {row['why']}" for one, row in rows if row.get("why")]
    text += ["", "## Not decided", "", DEGREES, *whys] if whys else []
    left = [f"{one.key} ({one.macs / 1e9:,.1f})" for one in asked if one.key not in known]
    if left:
        text += ["", "## Not run", "", LEFT, f"{'; '.join(left)}."]
    return "\n".join([*text, ""])


def cells(one: Question, row: Row) -> list[str]:
    """A line of the table."""
    bound = f"{row['bound']:.0e}" if "bound" in row else ""
    verdict = row["verdict"] + (f", {row['apart']:.1g} apart" if row["verdict"] == "refuted" else "")
    size = " x ".join(map(str, row["size"][1:]))
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
