"""The decision: exact arithmetic over as many draws as the bound asks for, and over all lengths if an induction holds.

Every draw runs clip and stream at several lengths, frame by frame and in chunks, and compares all residues. A difference is
taken for a difference of functions only where a witness on ordinary floats exists, or where clip and stream apply the same
functions, so that no identity between functions (sigmoid against exponentials, say) could explain it.
"""

from __future__ import annotations

import contextlib
import copy
import itertools
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from coequal.equivalence.compare.difference import Mismatch
from coequal.equivalence.compare.field import Draw, FieldSession, over_field, redrawing
from coequal.equivalence.compare.relation import agree
from coequal.equivalence.options import BOUND
from coequal.equivalence.prove import growing, induction, one_more, recurrence
from coequal.equivalence.prove.beginnings import begins_otherwise
from coequal.equivalence.prove.conditions import elsewhere
from coequal.equivalence.prove.decision import Decision
from coequal.equivalence.prove.directions import Directions, directions_of
from coequal.equivalence.prove.induction import CANDIDATES
from coequal.equivalence.prove.premises import Cut, Differs, Induction
from coequal.equivalence.prove.readings import MANY, Seen, other_readings
from coequal.equivalence.run.budget import Budget
from coequal.equivalence.run.examples import Example
from coequal.equivalence.run.lengths import value_examples
from coequal.equivalence.run.player import StreamRaised, Trace
from coequal.equivalence.run.session import ClipRaised, Session
from coequal.proofs.field import bound
from coequal.proofs.field.elementary import DEFINITIONS
from coequal.proofs.field.errors import NotDecided, NotExact, Redraw, TooFew
from coequal.subjects.inputs import Tree

Tensor = torch.Tensor
DRAWS = 12
SECONDS = {"quick": 30.0, "normal": 60.0}  # after which no further length is tried (never the first)
LEAST = 19  # frames up to which every length is compared, if there is time
FAR = 60  # frames, from which on not every window is compared
LONG = 128  # frames of a single example beyond which chains of primes are not tried
GRACE = 45.0  # seconds more for the lengths that an induction must not miss
PATIENCE = 3.0  # times as long as the first length, of which alone little follows, all of them may take
MOST = 16  # primes of one draw
MAXIMA = {"max", "relu", "abs", "clamp", "leaky_relu"}  # that are maxima of two, or of more
UNDER = "under other conditions (gradients, rows, views, autocast, its own format) memory is held as where it was followed"
AHEAD = 64  # times as many applications of functions as the first example has may come


@dataclass(frozen=True)
class Exactly:
    """What the user may choose: the greatest probability of a wrong "equal", and whether constants are taken literally."""

    bound: float = BOUND
    literal: bool = False
    near: bool = False  # constants near one another count as one: explains differences, proves nothing
    first: bool = False  # the first reading alone: where it is known that no other helps


def decide(
    session: Session,
    effort: str,
    options: Exactly,
    deadline: float | None = None,
    only: Example | None = None,
) -> Decision:
    """Whether stream and clip are the same function. Never raises for what cannot be told: that is a reason.

    `only`: this one comparison, and no induction.
    """
    begin, decision = time.monotonic(), Decision(options.bound, only)
    budget = Budget.of(SECONDS[effort], deadline)
    draw = Draw(seed=session.seed + 1, literal=options.literal, near=options.near)
    try:
        decision.grow(_growth(session, budget) if only is None else None)
        _drawn_enough(session, draw, decision, effort, budget, options)
        if _holds_positions(session, decision):
            _drawn_enough(session, draw, decision, effort, Budget.of(SECONDS[effort], deadline), options)
        if decision.induction.holds:
            again, taken = Budget.of(SECONDS[effort], deadline), time.monotonic() - begin
            why, left = begins_otherwise(session), ""
            if not why:
                why, left = elsewhere(session, decision.induction, again, taken)
            decision.assume(*[f"{UNDER}: there was time for {left}"] * bool(left))
            if why and again.spent:
                decision.generalise(replace(decision.induction, holds=False, says=why))
            elif why:
                decision.confine(why)
                _drawn_enough(session, draw, decision, effort, again, options)
        decision.conclude(session)
    except (NotDecided, NotExact) as error:
        decision.fail(str(error))
    except (StreamRaised, ClipRaised) as error:
        decision.fail(f"over a field the program raises: {error}")
    decision.take_seconds(time.monotonic() - begin)
    return decision


def _drawn_enough(session: Session, draw: Draw, decision: Decision, effort: str, budget: Budget, options: Exactly) -> None:
    """As many draws as the bound asks for, in the first reading that finds no difference."""
    draw = _first(session, draw, decision, effort, budget)
    if decision.mismatch is not None and not (options.literal or options.near or options.first):
        draw = _read_otherwise(session, draw, decision, effort, budget)
    _further(session, draw, decision)


def examples_of(session: Session, effort: str) -> list[Example]:
    """The lengths to compare: the middle one first, then one in chunks, then all from one frame up, without a gap."""
    longest = max(LEAST, *(e.length for e in value_examples(session, effort)))
    middle = session.plan.legal(2 * session.facts.reach + 3)
    order = dict.fromkeys([middle, *(session.plan.legal(n) for n in range(1, longest + 1))])
    examples = [Example(length, rows_of(session, longest), session.seed) for length in order if length]
    if session.has("chunk"):
        mixed, ordered = session.plan.split(middle, "mixed", session.seed), session.plan.ordered(session.plan.smallest(3))
        for chunks in filter(None, (ordered, mixed)):
            examples.insert(1, Example(sum(chunks), session.batch, session.seed, None, chunks))
    return examples


def rows_of(session: Session, longest: int) -> int:
    """The example's; where rows are padded as many as frames, so that every padding is among them."""
    padded = session.subject.valid is not None and session.subject.batches is None
    return max(session.batch, longest) if padded else session.batch


def far_examples(session: Session, reach: int) -> list[Example]:
    """Lengths that are compared whatever an induction says: the example's, and ten receptive fields and 64 frames."""
    lengths = dict.fromkeys(session.plan.legal(n) for n in (session.example_length, 10 * reach + 64))
    return [Example(length, session.rows, session.seed) for length in lengths if length]


def _drawn(session: Session, draw: Draw, decision: Decision, run: Callable[[FieldSession], None]) -> Draw:
    """`run` in a draw that suits; returns it. What the run adds to the bound is noted."""
    for tried, (suited, again) in enumerate(redrawing(draw), 1):
        try:
            with over_field(session, suited) as exact:
                run(exact)
                decision.note(exact, tried)
        except Redraw as redraw:
            again.append(redraw)
        draw = suited
    return draw


def _all_that_there_is_time_for(exact: FieldSession, examples: list[Example], decision: Decision, budget: Budget) -> None:
    """The first example; then the induction, which goes through all lengths; where it fails, the other examples.

    In a later draw the induction is checked where it held before, and never looked for: the bound multiplies over draws, so
    all of them must have checked what is claimed, and every example that was compared is compared in each of them.
    """
    decision.begin_draw()
    later, known = decision.draws > 0, decision.induction if decision.induction.holds else None
    try:
        _acquaint(exact, examples[0].length)
        begin = time.process_time()
        _compare(exact, examples[:1], decision, budget)
        if not later:
            budget = budget.at_least((PATIENCE - 1) * (time.process_time() - begin))
            _enough(exact, decision)
        if decision.only is not None:
            return
        follows = known is not None or not later
        _acquaint(exact, 10 * exact.facts.reach + 64 if follows else max(e.length for e in examples))
        if follows:
            begin = time.process_time()
            decision.generalise(decision.confined or _induction(exact, budget, known, decision))
            decision.add(Example(n, exact.batch, exact.seed) for n in decision.induction.lengths)
            if decision.directions is not None:  # lengths that are left have the time that they would have without
                budget = budget.more(time.process_time() - begin)
            decision.tell(_told(exact, decision.induction, budget))
        if decision.induction.holds:
            _far(exact, decision, budget)
        done = {e.length for e in decision.compared if e.chunks is None}
        rest = [e for e in examples[1:] if e.chunks is not None or (not decision.induction.holds and e.length not in done)]
        begin = time.process_time()
        _compare(exact, rest, decision, budget)
        if not decision.induction.holds and not later:  # then all that it compared is among the examples
            _to_the_end(exact, decision, budget, time.process_time() - begin)
    except Differs as found:
        decision.differ(found, exact, _seen(exact))


def _induction(exact: FieldSession, budget: Budget, known: Induction | None, decision: Decision) -> Induction:
    """For finite memory, along the state that the subject gives of its clip function, for caches that grow, or with one
    frame more.
    """
    growth, directions = decision.growth, decision.directions
    if (why := not_for_all(exact)) is not None:
        return Induction(False, why)
    if exact.subject.clip_state is not None and exact.subject.window is None:
        return recurrence.induct(exact, budget, known)
    if directions is not None:
        return one_more.induct(exact, budget.more(GRACE).half(), directions)
    if growth is not None:
        return growing.induct(exact, budget, growth)
    return induction.induct(exact, budget, known)


def _growth(session: Session, budget: Budget) -> growing.Growth | None:
    """Of caches, where the clip function looks at all earlier frames; None: that is not where the proof goes."""
    subject, field = session.subject, session.facts.timing.receptive_field
    if subject.clip_state is not None or subject.window is not None or not_for_all(session) is not None:
        return None
    if field is not None and not math.isinf(field):
        return None
    found = growing.growth_of(session, budget)
    return found if field is not None or not found.fails else None  # where the field is not known, it may be finite


def _directions(session: Session, draw: Draw, budget: Budget, growth: growing.Growth | None) -> Directions | None:
    """Of a memory of fixed size, where no cache grows; None: that is not where the proof goes."""
    if growth is None or not growth.fails:
        return None
    found = directions_of(session, draw, budget.half())
    return None if found.grows else found


def _holds_positions(session: Session, decision: Decision) -> bool:
    """Whether a memory of the last frames alone, which no period brings back, may be one that holds positions besides."""
    subject, found = session.subject, decision.induction
    if found.holds or decision.mismatch is not None or decision.growth is not None or decision.only is not None:
        return False
    if subject.clip_state is not None or subject.window is not None or not_for_all(session) is not None:
        return False
    growth = growing.growth_of(session, Budget.of(PATIENCE))
    if growth.fails:
        decision.generalise(replace(found, says=f"{found.says}; as a cache with positions: {growth.fails}"))
        return False
    decision.grow(growth)
    return True


def _told(exact: FieldSession, found: Induction, budget: Budget) -> str:
    """What the memory tells of the chunks in which frames came."""
    if found.holds or found.told or not exact.has("chunk"):
        return found.told
    return Cut(exact, budget.at_least(1.0)).tells()


def not_for_all(exact: Session) -> str | None:
    """Why nothing is said of every length: what is fed, or what lives, is not the same at all of them."""
    subject, plan = exact.subject, exact.plan
    reasons = {
        f"positions are fed in `{subject.positions}`: only those that were fed were seen": subject.positions is not None,
        f"`{subject.valid}` says what is padding: only the paddings that were drawn were seen": subject.valid is not None,
        "frames are fed again: only the lengths that were compared were seen": plan.ahead > 0 or plan.whole,
    }
    return next((why for why, is_so in reasons.items() if is_so), None)


def _seen(exact: FieldSession) -> Seen:
    """What the run met that has other readings."""
    executed = exact.numbers.over.executed.keys()
    alone = exact.numbers.clip_functions ^ exact.numbers.stream_functions
    used = exact.numbers.clip_functions | exact.numbers.stream_functions
    return Seen(
        low=bool(exact.numbers.over.field.account.low),
        rotates=bool({"cos", "sin", "cos_", "sin_"} & (executed | exact.numbers.over.field.account.computed)),
        exponential=bool({"exp", "exp_"} & (executed | exact.numbers.over.field.account.computed)),
        maxima=any((name[0] if isinstance(name, tuple) else name) in MAXIMA for name in used),
        defined=not alone.isdisjoint(DEFINITIONS),
    )


def _acquaint(exact: FieldSession, length: int) -> None:
    """Where constants are known by their floats, those of both programs are met before any is used."""
    if not exact.numbers.over.field.shadow:
        return
    x = exact.inputs(exact.legal(length), exact.batch, exact.seed)
    with contextlib.suppress(StreamRaised):
        exact.play(x)
        exact.clip(exact.window_of(x))


def _enough(exact: FieldSession, decision: Decision) -> None:
    """TooFew where the first example shows that the bound which is asked for needs more primes than these.

    Only how fast it goes depends on this guess: what is printed is the bound of what was run.
    """
    field, most = exact.numbers.over.field, MOST // decision.levels
    applications = field.account.applications * (1 if decision.only is not None else AHEAD)

    def wrong(count: int) -> float:
        return bound.wrong(applications, 2 * field.account.degrees.greatest, [min(field.primes)] * count)

    wanted = max(decision.wanted / (CANDIDATES * decision.readings), 4 * wrong(most))
    if field.count < most and wrong(field.count) > wanted:
        raise TooFew(next(n for n in range(field.count + 1, most + 1) if wrong(n) <= wanted))


def _far(exact: FieldSession, decision: Decision, budget: Budget) -> None:
    """What an induction might have missed; where there is no time for it, nothing is said of all lengths."""
    budget = budget.more(GRACE)
    for example in far_examples(exact, decision.induction.reach):
        if budget.spent:
            decision.refuse_every_length(f"no time was left to compare a stream of {example.length} frames")
            return
        _compare(exact, [example], decision, Budget())


def _compare(exact: FieldSession, examples: list[Example], decision: Decision, budget: Budget) -> None:
    alone = [e for e in examples if e.chunks is None and e.length]
    run = _long_run(exact, alone) if len(alone) > 1 else None
    for example in examples:
        if decision.compared and budget.spent:
            return
        try:
            compared = compare(exact, example, run if example in alone else None)
        except Mismatch as mismatch:
            raise Differs(example, mismatch) from None
        if compared or example.length <= _silent(exact):
            decision.add([example])
        elif example.chunks is None:
            decision.pass_over(example.length)


def _to_the_end(exact: FieldSession, decision: Decision, budget: Budget, taken: float) -> None:
    """Where streams end, all lengths that are left, if there is time for all of them; so long the first ones have taken."""
    last, end = max((e.length for e in decision.compared), default=0), exact.plan.longest
    if end is None or exact.subject.window is not None or not 0 < last < end:
        return
    left = [n for n in range(last + 1, end + 1) if exact.plan.legal(n) == n]
    if not budget.more(-taken * ((end / last) ** 2 - 1)).spent:
        _compare(exact, [Example(n, decision.compared[0].batch, exact.seed) for n in left], decision, budget)


def _silent(exact: FieldSession) -> int:
    """Frames of streams that emit nothing that counts: there is nothing in which they could differ."""
    return exact.subject.warm_up if exact.subject.warm_up else exact.subject.ignore


def _long_run(exact: FieldSession, examples: list[Example]) -> tuple[Tree, Trace] | None:
    """The longest stream, where shorter ones are its beginnings: it is fed frame by frame, and has no flush."""
    if exact.has("flush") or not exact.plan.allows((1, 1)):
        return None
    longest = max(examples, key=lambda e: e.length)
    if any((e.batch, e.seed) != (longest.batch, longest.seed) for e in examples):
        return None
    x = exact.inputs(longest.length, longest.batch, longest.seed)
    return x, exact.play(x)


def compare(exact: FieldSession, example: Example, run: tuple[Tree, Trace] | None = None) -> int:
    """Clip and stream at one length; the number of frames compared. Mismatch: the first difference.

    `run`: a longer stream that begins as this one would.
    """
    if run is not None:
        x = exact.layout.part(run[0], 0, example.length)
        return agree(exact, x, run[1].of_the_first(example.length), wanted=_wanted(exact, example.length))
    x = exact.inputs(example.length, example.batch, example.seed)
    try:
        trace = exact.play(x, example.chunks)
    except StreamRaised:
        if exact.subject.window is None and exact.refuses(example.length):
            return 0  # both do
        raise
    times = None
    if exact.subject.window is not None and example.chunks is not None:
        times = exact.play(x).seen
    return agree(exact, x, trace, times=times, wanted=_wanted(exact, example.length))


def _wanted(exact: FieldSession, length: int) -> set[int] | None:
    """Of a long stream of windows, some of which each is a clip of its own: every eighth, and the last ones (None: all)."""
    if exact.subject.window is None or length < FAR:
        return None
    return {*range(0, length, 8), *range(length - 3, length + 1)}


def _first(session: Session, draw: Draw, decision: Decision, effort: str, budget: Budget) -> Draw:
    """The first draw: all lengths that there is time for, then the induction, if they agree."""
    examples = examples_of(session, effort) if decision.only is None else [decision.only]
    decision.begin()
    if decision.only is None:
        begun = time.process_time()
        decision.move(_directions(session, draw, budget, decision.growth))
        budget = budget.more(time.process_time() - begun)

    def run(exact: FieldSession) -> None:
        _all_that_there_is_time_for(exact, examples, decision, budget)

    return _drawn(session, draw, decision, run)


def _read_otherwise(session: Session, draw: Draw, decision: Decision, effort: str, budget: Budget) -> Draw:
    """The same again in other readings, until one in which clip and stream agree; else the first one stands."""
    before = copy.copy(decision)
    long = decision.only is not None and decision.only.length > LONG
    for reading in itertools.islice(other_readings(draw, decision.seen), 1 if long else None):
        decision.read(reading)
        try:
            suited = _first(session, reading.draw, decision, effort, budget)
        except (NotDecided, StreamRaised, ClipRaised):
            continue
        if decision.mismatch is None:
            decision.take(reading)
            return suited
    decision.go_back(before)
    return draw


def _further(session: Session, draw: Draw, decision: Decision) -> None:
    """More draws until the bound is good enough, or one of them finds a difference."""
    if decision.mismatch is not None:
        return
    if not decision.compared:
        raise NotDecided("no length had anything to compare")
    examples = [decision.only] if decision.only is not None else list(decision.compared)
    if decision.induction.holds:  # which goes through its lengths again, and those far away
        done = {*decision.induction.lengths, *(e.length for e in far_examples(session, decision.induction.reach))}
        examples = examples[:1] + [e for e in examples[1:] if e.chunks is not None or e.length not in done]

    def run(exact: FieldSession) -> None:
        _all_that_there_is_time_for(exact, examples, decision, Budget())

    while decision.bound > decision.wanted and decision.draws < DRAWS and decision.mismatch is None:
        count = draw.count if decision.bound < 2.0**-10 else max(draw.count, MANY)
        draw = _drawn(session, replace(draw, seed=draw.seed + 7919, count=count), decision, run)
