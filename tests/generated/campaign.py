"""Generated bugs: random networks, memories and mutations, each verified; none may be proved where it is wrong.

`python -P -m tests.generated.campaign [--count N] [--seed S]`, or `make campaign`. Every mutant is first seen to be wrong on
plain floats, without the harness, else it does not count; its twin without the mutation must not be accused.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass

import torch

from coequal import verify
from coequal.equivalence.report import Report
from coequal.subjects.subject import Subject
from tests.generated.mutants import Mutation, Right, mutation
from tests.generated.streams import MEMORIES, Net, subject

SHOWN = 900  # frames within which the harness always looks on floats


@dataclass(frozen=True)
class Case:
    """One seed: a network, a kind of memory, a mutation."""

    seed: int
    net: Net
    memory: str
    bug: Mutation

    @classmethod
    def drawn(cls, seed: int) -> Case:
        """Everything follows from the seed."""
        rng = random.Random(seed)
        return cls(seed, Net.drawn(rng), rng.choice(list(MEMORIES)), mutation(rng))

    def mutant(self) -> Subject:
        return subject(self.net, self.memory, self.bug.make, self.seed)

    def twin(self) -> Subject:
        return subject(self.net, self.memory, Right, self.seed)


def differs(case: Subject, length: int, scale: float = 1.0) -> bool:
    """Whether stream and clip differ on floats: drawn weights, single precision, chosen magnitude; without the harness."""
    generator = torch.Generator().manual_seed(9)
    module = case.modules
    assert module is not None
    kept = {name: p.detach().clone() for name, p in module.named_parameters()}
    stream = case.stream()
    with torch.no_grad():
        for p in module.parameters():
            p.copy_(torch.randn(p.shape, generator=generator))
        x = torch.randn(1, case.example.shape[1], length, generator=generator) * scale
        got = [stream.step(frame) for frame in x.unbind(2)]
        flat = [f for y in got if y is not None for f in (y if isinstance(y, list) else [y])]
        flat += stream.flush() if hasattr(stream, "flush") else []
        want = case.clip(x).unbind(2)
        for name, p in module.named_parameters():
            p.copy_(kept[name])
    if len(flat) != len(want):
        return True
    limit = 1e-4 * max(float(w.abs().max()) for w in want)
    return any(not bool(((a.float() - b).abs() <= limit).all()) for a, b in zip(flat, want, strict=True))


def is_wrong(case: Case) -> bool:
    """Seen on floats: at a length past the place where it is wrong, or with large frames."""
    length = case.bug.wrong_at + 12
    return differs(case.mutant(), length) or differs(case.mutant(), 16, 4000.0)


def outcome(case: Case, report: Report) -> str:
    """What became of a mutant."""
    if report.verdict == "proved" and (report.horizon == "all" or int(report.horizon) >= case.bug.wrong_at):
        return "PROVED WRONGLY" if not report.problems else "finding"
    if report.verdict == "different":
        return "different"
    if report.problems:
        return "finding"
    return "proved before" if report.verdict == "proved" else "tested"


def judged(seed: int) -> tuple[str, str, str] | None:
    """Kind, what became of the mutant, what of its twin; None: the mutation makes no difference here."""
    case = Case.drawn(seed)
    if not is_wrong(case):
        return None
    became = outcome(case, verify(case.mutant(), effort="quick"))
    twin = verify(case.twin(), effort="quick")
    right = "ACCUSED" if twin.verdict == "different" or twin.problems else twin.headline.split(" up to")[0]
    return case.bug.kind, became, right


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--count", type=int, default=300, help="mutants that are really wrong")
    options.add_argument("--seed", type=int, default=0, help="of the first")
    chosen = options.parse_args()
    torch.set_num_threads(1)
    table: dict[str, Counter[str]] = defaultdict(Counter)
    twins: Counter[str] = Counter()
    bad, done, seed, begin = list[str](), 0, chosen.seed, time.monotonic()
    while done < chosen.count:
        found, seed = judged(seed), seed + 1
        if found is None:
            continue
        kind, became, right = found
        done += 1
        table[kind][became] += 1
        twins[right] += 1
        if "WRONGLY" in became or right == "ACCUSED":
            bad.append(f"{kind}: {became}, twin {right}: python -P -m tests.generated.campaign --count 1 --seed {seed - 1}")
            print(bad[-1], flush=True)
    columns = ("different", "finding", "tested", "proved before", "PROVED WRONGLY")
    print(f"{'mutation':34}" + "".join(f"{column:>16}" for column in columns))
    for kind in sorted(table):
        print(f"{kind:34}" + "".join(f"{table[kind][column]:>16}" for column in columns))
    print(f"{done} mutants, {seed - chosen.seed} seeds, {time.monotonic() - begin:.0f} s; twins: {dict(twins)}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
