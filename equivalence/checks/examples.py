"""What the checks try: smallest first; each example depends on the seed alone, so that it can be repeated by itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch

from coequal.equivalence.checks.base import Examples
from coequal.equivalence.run.examples import Example
from coequal.equivalence.run.lengths import in_own_format
from coequal.equivalence.run.session import Session
from coequal.subjects.chunks import Plan, every_order
from coequal.subjects.inputs import leaves_of

FAR, MORE, LONG = 10, 64, 1000  # receptive fields, and frames more; frames at most
PAST = 8  # frames that are fed once a memory is as it will ever be, besides a receptive field
PAIRS, TRIPLES = 8, 4  # sizes of chunks, of which any two, or three, follow one another
SPREAD = (0, 3, 15, 39)  # numbers of sizes, small and large
EDGES = (31, 63)
WIDE = ((129, 128, 127, 100), (257, 256, 255, 1), (513, 512, 511, 1))  # chunks of blocks and buffers that programs have
MANY = 2**18  # numbers in a stream of theirs, at most
COARSE = (torch.float16, torch.bfloat16)


def middle_examples(*variants: str, times: float = 2.0) -> Examples:
    """A clip of twice the receptive field and a bit, once for each variant, with given and with drawn weights."""

    def examples(session: Session, effort: str) -> Iterator[Example]:
        length = session.plan.legal(int(times * session.facts.reach) + 5)
        for i, variant in enumerate(variants or ("",)):
            yield Example(length, session.batch, session.seed + 200 + i, session.facts.scale, None, variant)
            if effort == "normal" and session.subject.modules is not None:
                yield Example(length, session.batch, session.seed + 300 + i, 1.0, None, variant)

    return examples


def chunk_examples(session: Session, effort: str) -> Iterator[Example]:
    """Chunks of 1, 3 and 7, all at once, random ones, all and then single frames; a long stream in one and in large ones;
    any two sizes of some one after the other, and any three of a few.
    """
    length = session.plan.legal(2 * session.facts.reach + 17)
    far = session.plan.legal(10 * session.facts.reach + 64)
    large = [(far,), _chunked(far, 2 * session.facts.reach + 12), (far // 2, *[1] * (far % 2), far // 2)]
    regular = [_chunked(length, size) for size in (3, 7, 2, 1)]
    irregular = [(length,), (max(1, length - 3), *[1] * min(3, length - 1)), (1, *_chunked(length - 1, 4))]
    random = [session.plan.split(length, "mixed", session.seed + i) for i in range(6 if effort == "normal" else 2)]
    small = [session.plan.repeated(size, session.facts.reach + 4) for size in session.plan.smallest(16)]
    small += [session.plan.prompted(size, length) for size in range(1, 33)] if session.plan.prompt else []
    few = [session.plan.split(length, "largest"), *random, *regular, *irregular, *large, *small, *_orders(session.plan)]
    options = [*few, *_wide(session)]
    seen = dict[tuple[int, ...], None]()
    for i, chunks in enumerate(options):
        if chunks and chunks not in seen and session.plan.allows(chunks):
            seen[chunks] = None
            yield Example(sum(chunks), session.batch, session.seed + 400 + i, session.facts.scale, chunks)
    every = tuple(session.plan.smallest(8))  # each size once, where they may follow one another
    more = session.batch + 1 if session.subject.batches is None else max(session.subject.batches)
    if every and more != session.batch and session.plan.allows(every):
        yield Example(sum(every), more, session.seed + 451, session.facts.scale, every)
    mixed = [chunks for chunks in (every, *list(seen)[:1]) if chunks and session.plan.allows(chunks)]
    own = [Example(sum(chunks), session.batch, session.seed + 450, session.facts.scale, chunks) for chunks in mixed]
    yield from in_own_format(session, *own)


def _orders(plan: Plan) -> list[tuple[int, ...]]:
    """Any two of the smallest sizes one after the other, and any three of the fewest; small and large ones; sizes around
    those at which programs go another way.
    """
    sizes = plan.smallest(65)
    if len(sizes) < 2:
        return []
    spread = tuple(sizes[i] for i in SPREAD if i < len(sizes))
    each = [size for i in EDGES for size in sizes[i - 1 : i + 2]]
    pairs = _of_most(plan, sizes[:PAIRS], 2)
    return [
        pairs,
        (*pairs[:1], *pairs),  # a single frame is a step where it was a chunk
        _of_most(plan, sizes[:TRIPLES], 3),
        plan.ordered(spread),
        plan.ordered(sizes[16:41][::-1], 1),
        plan.ordered(each, 1),
        plan.ordered(each[::-1], 1),  # the largest comes before others, too: what it leaves is seen
    ]


def _wide(session: Session) -> list[tuple[int, ...]]:
    """Large chunks, each with others behind it, where frames are small enough."""
    numbers = sum(leaf.numel() for leaf in leaves_of(session.layout.frame(session.subject.example, 0)).values())
    return [chunks for chunks in WIDE if numbers * sum(chunks) <= MANY]


def _of_most(plan: Plan, sizes: tuple[int, ...], count: int) -> tuple[int, ...]:
    """Every order of as many of these sizes as the longest stream has room for."""
    orders = (plan.ordered(sizes[:most], count) for most in range(len(sizes), 1, -1))
    return next(filter(None, orders), ())


def _chunked(length: int, size: int) -> tuple[int, ...]:
    whole, rest = divmod(length, size)
    return (size,) * whole + ((rest,) if rest else ())


def far_chunks(session: Session, usual: list[Example], length: int) -> Iterator[Example]:
    """The smallest chunks up to a length, then any two of a few sizes one after the other; after the next size, too."""
    if length <= session.plan.legal(2 * session.facts.reach + 17):
        return
    few = session.plan.smallest(TRIPLES)
    for i, size in enumerate(few[:2]):
        head = session.plan.split(length) if not i else session.plan.repeated(size, length)
        chunks = (*head, *every_order(few, 2))
        if session.plan.allows(chunks):
            yield Example(sum(chunks), session.batch, session.seed + 480 + i, session.facts.scale, chunks)


def lengthened(session: Session, usual: list[Example], length: int) -> Iterator[Example]:
    """Of each kind (rows, format, variant) of which no example is as long, the longest, in a stream that is longer."""
    longest = dict[tuple[object, ...], Example]()
    for example in usual:
        kind = (example.batch, example.format, example.variant)
        if kind not in longest or example.length > longest[kind].length:
            longest[kind] = example
    past = session.plan.legal(length + session.facts.reach + PAST)
    yield from (replace(example, length=past) for example in longest.values() if example.length < length)


def the_longest(session: Session, usual: list[Example], length: int) -> Iterator[Example]:
    """Those of the greatest length, in streams of this length, if that is greater."""
    longest = max((example.length for example in usual), default=length)
    yield from (replace(example, length=length) for example in usual if example.length == longest < length)


def batch_examples(session: Session, effort: str) -> Iterator[Example]:
    """Other sizes than the example's, one row included."""
    length = session.plan.legal(2 * session.facts.reach + 3)
    some = [session.batch + 1, 3, 1, 2, 8, 4, 5, 6, 7, 17, 33]
    wanted = dict.fromkeys(some if session.subject.batches is None else session.subject.batches)
    for i, rows in enumerate(wanted):
        yield Example(length, rows, session.seed + 500 + i, session.facts.scale)


def life_examples(*variants: str, far: tuple[str, ...], times: float = 2.0) -> Examples:
    """As `middle_examples`; then these variants in a stream of ten receptive fields and 64 frames."""

    def examples(session: Session, effort: str) -> Iterator[Example]:
        yield from middle_examples(*variants, times=times)(session, effort)
        length = session.plan.legal(min(FAR * session.facts.reach + MORE, LONG))
        for i, variant in enumerate(far):
            yield Example(length, session.batch, session.seed + 260 + i, session.facts.scale, None, variant)

    return examples


def row_examples(*variants: str, many: tuple[str, ...], far: tuple[str, ...]) -> Examples:
    """As `life_examples`, of three rows; then `many` of five and eight; or of as many as are legal."""

    def examples(session: Session, effort: str) -> Iterator[Example]:
        legal = None if session.subject.batches is None else sorted(n for n in session.subject.batches if n > 1)
        few, more = (3, (5, 8)) if legal is None else (legal[0] if legal else session.batch, legal[-1:])
        yield from (replace(example, batch=few) for example in life_examples(*variants, far=far)(session, effort))
        for rows in more:
            if rows != few:
                yield from (replace(example, batch=rows) for example in middle_examples(*many)(session, "quick"))

    return examples


def long_examples(session: Session, effort: str) -> Iterator[Example]:
    """Ten receptive fields, and one stream past 1,000 frames."""
    ten = session.plan.legal(min(10 * session.facts.reach + 3, 1000))
    yield Example(ten, session.batch, session.seed + 600, session.facts.scale)
    yield Example(session.plan.legal(1040), session.batch, session.seed + 601, session.facts.scale)
    far = session.plan.legal(1040) if session.native in COARSE else ten
    yield from in_own_format(session, Example(far, session.batch, session.seed + 602, session.facts.scale))


def integer_examples(session: Session, effort: str) -> Iterator[Example]:
    """Several lengths."""
    for i, length in enumerate(sorted({session.facts.reach, 2 * session.facts.reach + 3, session.example_length})):
        yield Example(session.plan.legal(length), session.batch, session.seed + 700 + i)
