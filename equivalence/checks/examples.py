"""What the checks try: smallest first; each example depends on the seed alone, so that it can be repeated by itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch

from coequal.equivalence.bench import Bench, Example
from coequal.equivalence.checks.base import Examples

COARSE = (torch.float16, torch.bfloat16)


def in_own_format(bench: Bench, *examples: Example) -> Iterator[Example]:
    """The same in the format that the subject came in, where that is another than the one that is compared in."""
    if bench.native != bench.dtype:
        name = str(bench.native).removeprefix("torch.")
        yield from (replace(example, format=name) for example in examples)


def _lengths(bench: Bench, effort: str) -> list[int]:
    """0, 1, 2, ... past the receptive field, then some longer ones; legal for the plan."""
    reach = bench.reach
    few = sorted({0, 1, 2, 3, reach - 1, reach, reach + 1, reach + 2, 2 * reach + 1, bench.example_length})
    many = sorted({*range(min(2 * reach + 3, 14)), *few, 3 * reach + 2})
    wanted = many if effort == "normal" else few
    return sorted({bench.plan.legal(n) for n in wanted if n >= 0})


def value_examples(bench: Bench, effort: str) -> Iterator[Example]:
    """Every length with the given weights, then the longer ones with weights drawn at several scales."""
    lengths = _lengths(bench, effort)
    middle = bench.plan.legal(2 * bench.reach + 3)
    for i, length in enumerate(lengths):
        yield Example(length, bench.batch, bench.seed + i)
    scales = (1.0, 0.25, 3.0, 1.0) if effort == "normal" else (1.0, 3.0)
    if bench.subject.modules is not None:
        for i, scale in enumerate(scales):
            for length in (middle, lengths[min(3, len(lengths) - 1)]) if effort == "normal" else (middle,):
                yield Example(length, bench.batch, bench.seed + 100 + i, scale)
    own = [Example(n, bench.batch, bench.seed + 150 + i, bench.scale) for i, n in enumerate((bench.example_length, middle))]
    yield from in_own_format(bench, *dict.fromkeys(replace(e, length=bench.plan.legal(e.length)) for e in own))


def middle_examples(*variants: str, times: float = 2.0) -> Examples:
    """A clip of twice the receptive field and a bit, once for each variant, with given and with drawn weights."""

    def examples(bench: Bench, effort: str) -> Iterator[Example]:
        length = bench.plan.legal(int(times * bench.reach) + 5)
        for i, variant in enumerate(variants or ("",)):
            yield Example(length, bench.batch, bench.seed + 200 + i, bench.scale, None, variant)
            if effort == "normal" and bench.subject.modules is not None:
                yield Example(length, bench.batch, bench.seed + 300 + i, 1.0, None, variant)

    return examples


def chunk_examples(bench: Bench, effort: str) -> Iterator[Example]:
    """Chunks of 1, 3 and 7, all at once, random ones, all and then single frames; a long stream in one and in large ones."""
    length = bench.plan.legal(2 * bench.reach + 17)
    far = bench.plan.legal(10 * bench.reach + 64)
    large = [(far,), _chunked(far, 2 * bench.reach + 12), (far // 2, *[1] * (far % 2), far // 2)]
    regular = [_chunked(length, size) for size in (3, 7, 2, 1)]
    irregular = [(length,), (max(1, length - 3), *[1] * min(3, length - 1)), (1, *_chunked(length - 1, 4))]
    random = [bench.plan.split(length, "mixed", bench.seed + i) for i in range(6 if effort == "normal" else 2)]
    options = [bench.plan.split(length, "largest"), *random, *regular, *irregular, *large]
    seen = dict[tuple[int, ...], None]()
    for i, chunks in enumerate(options):
        if chunks and chunks not in seen and bench.plan.allows(chunks):
            seen[chunks] = None
            yield Example(sum(chunks), bench.batch, bench.seed + 400 + i, bench.scale, chunks)
    own = [Example(sum(chunks), bench.batch, bench.seed + 450, bench.scale, chunks) for chunks in list(seen)[:1]]
    yield from in_own_format(bench, *own)


def _chunked(length: int, size: int) -> tuple[int, ...]:
    whole, rest = divmod(length, size)
    return (size,) * whole + ((rest,) if rest else ())


def batch_examples(bench: Bench, effort: str) -> Iterator[Example]:
    """Other sizes than the example's, one row included."""
    length = bench.plan.legal(2 * bench.reach + 3)
    for i, rows in enumerate(dict.fromkeys([bench.batch + 1, 3, 1, 2, 8])):
        yield Example(length, rows, bench.seed + 500 + i, bench.scale)


def long_examples(bench: Bench, effort: str) -> Iterator[Example]:
    """Ten receptive fields, and one stream past 1,000 frames."""
    ten = bench.plan.legal(min(10 * bench.reach + 3, 1000))
    yield Example(ten, bench.batch, bench.seed + 600, bench.scale)
    rows = 1 if bench.one_row else bench.batch
    yield Example(bench.plan.legal(1040), rows, bench.seed + 601, bench.scale)
    far = bench.plan.legal(1040) if bench.native in COARSE else ten
    yield from in_own_format(bench, Example(far, rows, bench.seed + 602, bench.scale))


def integer_examples(bench: Bench, effort: str) -> Iterator[Example]:
    """Several lengths."""
    for i, length in enumerate(sorted({bench.reach, 2 * bench.reach + 3, bench.example_length})):
        yield Example(bench.plan.legal(length), bench.batch, bench.seed + 700 + i)
