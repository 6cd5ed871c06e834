"""All lengths at once: who gets it, with which period, and who does not, and why."""

import math
from typing import Any

import pytest
import torch
from torch import nn

import coequal
from coequal.equivalence.compare.field import Draw, over_field
from coequal.equivalence.compare.floats import Floats
from coequal.equivalence.prove.decide import Exactly, decide
from coequal.equivalence.prove.induction import induct
from coequal.equivalence.prove.premises import Differs
from coequal.equivalence.report import MeasuredTiming
from coequal.equivalence.run.budget import Budget
from coequal.equivalence.run.session import Session
from coequal.subjects.subject import Subject

Tensor = torch.Tensor


class Mean:
    """The mean of the last `size` frames of `(B, C)`, in a ring; `variant` says how it counts, or goes wrong."""

    def __init__(self, variant: str = "", size: int = 3) -> None:
        self.variant, self.size, self.ring, self.t = variant, size, [None] * size, 0

    def step(self, frame: Tensor) -> Tensor | None:
        slot = self.t % self.size
        if self.variant == "counts with a remainder":
            self.t = slot
        if self.variant == "wrong from frame 40 on" and self.t >= 40:
            frame = frame * 2
        if self.variant == "wrong from frame 5000 on" and self.t >= 5000:
            frame = frame * 2
        if self.variant.startswith("searches") and self.t in range(1500, 10**9):
            frame = frame * 2
        if self.variant == "indexes by its count":
            torch.zeros(10_000)[self.t]
        self.ring[slot] = frame.clone()
        self.t += 1
        if any(f is None for f in self.ring):
            return None
        return sum(self.ring) / self.size


class Listed(Mean):
    """The same in a list, without any count."""

    def __init__(self) -> None:
        self.frames = []

    def step(self, frame: Tensor) -> Tensor | None:
        self.frames = [*self.frames, frame.clone()][-3:]
        return sum(self.frames) / 3 if len(self.frames) == 3 else None


class InPieces:
    """The same of three frames at a time, and of those that are left at the end: it holds more and fewer of them."""

    def __init__(self, network: nn.Module) -> None:
        self.frames, self.network, self.t = list[Tensor](), network, 0

    def step(self, frame: Tensor) -> list[Tensor] | None:
        self.frames, self.t = [*self.frames, frame.clone()], self.t + 1
        return self.flush() if len(self.frames) == 5 else None

    def flush(self) -> list[Tensor] | None:
        if len(self.frames) < 3:
            return None
        means = self.network(torch.stack(self.frames, -1)).unbind(-1)
        self.frames = self.frames[-2:]
        return [*means]


def of(stream, reach: float | None = 3, clip=None):
    subject = Subject(clip=clip or nn.AvgPool1d(3, 1), stream=stream, example=torch.randn(1, 2, 8))
    session = Session(subject, 0, Floats())
    with session.ready(), torch.no_grad():
        session = session.knowing(reach=3)
        with over_field(session, Draw(seed=1)) as exact:
            return induct(exact.knowing(timing=MeasuredTiming(reach, 1, 0, True)), Budget())


@pytest.mark.parametrize(("stream", "period"), [(Listed, 1), (Mean, 3), (lambda: Mean("counts with a remainder"), 3)])
def test_finite_memories_are_followed(stream, period):
    found = of(stream)
    assert found.holds, found.says
    assert found.period == period
    assert found.assumptions


def test_numbers_are_watched_in_places_of_one_name_where_there_are_more_places_and_fewer():
    network = nn.Conv1d(2, 1, 3).requires_grad_(False)
    before = vars(network).copy()
    found = of(lambda: InPieces(network), clip=network)
    assert found.holds, found.says
    assert found.period == 3
    assert {name: type(value) for name, value in vars(network).items()} == {k: type(v) for k, v in before.items()}


def test_a_threshold_that_is_not_far_is_walked_up_to():
    with pytest.raises(Differs) as found:
        of(lambda: Mean("wrong from frame 40 on"))
    assert found.value.example.length == 41


def test_a_threshold_that_is_far_is_named():
    found = of(lambda: Mean("wrong from frame 5000 on"))
    assert not found.holds
    assert "compares its frame number with 5000" in found.says


def test_a_count_that_is_searched_for_in_a_long_range_is_no_search_for_ever():
    """Python tries each number of the range for whatever is no int: nothing is concluded, soon."""
    found = of(lambda: Mean("searches a range"))
    assert not found.holds
    assert "the stream uses its frame number itself: as what is compared with more than 4096 numbers" in found.says


def test_a_count_that_is_used_itself_is_named():
    found = of(lambda: Mean("indexes by its count"))
    assert not found.holds
    assert "the stream uses its frame number itself: as an index" in found.says


def test_memories_without_end_are_not_followed():
    assert "remembers everything" in of(Listed, math.inf).says


def test_where_floats_measure_no_receptive_field_the_field_does():
    assert of(Listed, None).holds


def test_a_memory_of_all_frames_depends_on_more():
    class Growing:
        def __init__(self) -> None:
            self.total, self.frames = 0, []

        def step(self, frame: Tensor) -> Tensor | None:
            self.total = self.total + frame
            self.frames = [*self.frames, frame.clone()][-3:]
            return sum(self.frames) / 3 if len(self.frames) == 3 else None

    found = of(Growing)
    assert not found.holds
    assert "stream.total depends on more than the last" in found.says


def test_a_clip_that_is_not_the_same_everywhere_is_no_ground():
    weights = torch.arange(1.0, 100.0, dtype=torch.float64)

    def clip(x: Tensor) -> Tensor:
        return x * weights[: x.shape[2]]

    class Stream:
        def __init__(self) -> None:
            self.t = 0

        def step(self, frame: Tensor) -> Tensor:
            self.t += 1
            return frame * weights[self.t - 1]

    found = of(Stream, 1, clip)
    assert not found.holds
    assert "as an index" in found.says or "does not treat all lengths alike" in found.says


def test_what_one_draw_did_not_check_is_not_claimed_after_several():
    """Without time in the first draw there is no induction; later draws, which have all the time, do not add one."""
    subject = Subject(clip=nn.AvgPool1d(3, 1), stream=Listed, example=torch.randn(1, 2, 8))
    session = Session(subject, 0, Floats())
    with session.ready(), torch.no_grad():
        session = session.knowing(reach=3, timing=MeasuredTiming(3, 1, 0, True))
        late = decide(session, "quick", Exactly(bound=2.0**-200), deadline=0.0)
        in_time = decide(session, "quick", Exactly(bound=2.0**-200))
    assert late.draws > 1
    assert late.outcome == "not decided"  # of one length nothing follows for shorter ones
    assert late.horizon == 0
    assert in_time.horizon == "all"


class Cut:
    """Sums of two frames; remembers the sizes of its last chunks, and may be wrong after some."""

    def __init__(self, count: int, wrong: tuple[int, ...] = ()) -> None:
        self.last, self.sizes, self.count, self.wrong = None, (), count, wrong

    def chunk(self, x: Tensor) -> Tensor:
        before = torch.zeros_like(x[:, :, :1]) if self.last is None else self.last
        x = torch.cat([before, x], 2)
        self.last = x[:, :, -1:]  # a view of all of the chunk: where it lies is not what it is
        self.sizes = (*self.sizes, x.shape[2] - 1)[-self.count :] if self.count else ()
        y = x[:, :, 1:] + x[:, :, :-1]
        return y * 2 if self.wrong and self.sizes == self.wrong else y

    def step(self, frame: Tensor) -> Tensor:
        return self.chunk(frame[:, :, None])[:, :, 0]


def of_chunks(*arguments: Any) -> coequal.Report:
    subject = Subject(
        clip=lambda x: x + nn.functional.pad(x, (1, 0))[:, :, :-1],
        stream=lambda: Cut(*arguments),
        example=torch.randn(2, 3, 10),
    )
    return coequal.verify(subject, checks=["values", "exact"], effort="quick")


ORDERS = ", in the orders of chunks that were fed"


def test_what_forgets_its_chunks_is_proved_for_all_orders_of_those_sizes():
    report = of_chunks(0)
    assert report.headline == "proved for every length"
    assert not any("chunk" in text for text in report.proof["assumptions"])


def test_a_memory_may_hold_the_last_chunk_which_is_said():
    report = of_chunks(1)
    assert report.headline == f"proved for every length{ORDERS}"
    assert any(text.startswith("the stream remembers the size of the last chunk") for text in report.proof["assumptions"])


def test_any_two_of_the_smallest_chunks_follow_one_another():
    assert of_chunks(2, (3, 2)).verdict == "different"


@pytest.mark.parametrize("arguments", [(2,), (3, (2, 1, 2)), (4, (1, 3, 1, 3))])
def test_a_memory_of_more_chunks_is_not_followed(arguments):
    report = of_chunks(*arguments)
    assert report.headline == f"proved up to 19 frames{ORDERS}"
    assert any(text.startswith("the stream remembers in which chunks frames came") for text in report.proof["assumptions"])
