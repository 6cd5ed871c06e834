"""Long lists of numbers are one place in a memory, not as many as there are numbers; writes to them are seen."""

import pytest
import torch

from coequal import Subject, verify
from coequal.equivalence.memory.contents import LONG
from coequal.equivalence.memory.walk import cells

Tensor = torch.Tensor


class Keeping:
    """A stream with a list."""

    def __init__(self, numbers) -> None:
        self.numbers = numbers


@pytest.mark.parametrize("numbers", [list(range(10 * LONG)), tuple(range(10 * LONG)), [0.5] * 10 * LONG, [True] * 10 * LONG])
def test_a_long_list_is_one_place(numbers):
    assert len(cells(Keeping(numbers))) < 20


@pytest.mark.parametrize("numbers", [list(range(10)), [1, 0.5] * LONG, ["a"] * 2 * LONG])
def test_short_ones_and_mixed_ones_are_walked_through(numbers):
    assert len(cells(Keeping(numbers))) >= len(numbers)


@pytest.mark.parametrize(
    ("before", "after"), [(0, 1), (0, False), (0.0, -0.0), (1.0, 1), (0.1, 0.1 + 2**-56)], ids=lambda number: f"{number!r}"
)
def test_another_number_is_another_memory(before, after):
    one, other = Keeping([before] * 2 * LONG), Keeping([before] * 2 * LONG)
    assert _contents(one) == _contents(other)
    other.numbers[LONG] = after
    assert _contents(one) != _contents(other)
    assert _contents(one) != _contents(Keeping((before,) * 2 * LONG))


def _contents(stream: Keeping) -> list[str]:
    return [repr(cell.content) for cell in cells(stream)]


def test_a_count_in_a_long_list_is_not_proved_for_every_length():
    class Stream:
        def __init__(self) -> None:
            self.numbers = [0] * 2 * LONG

        def step(self, frame: Tensor) -> Tensor:
            self.numbers[7] += 1
            return frame * (2 if self.numbers[7] < 500 else 3)

    report = verify(
        Subject(clip=lambda x: x * 2, stream=Stream, example=torch.randn(1, 2, 8)), checks=["exact"], effort="quick"
    )
    assert report.verdict == "proved"
    assert report.horizon != "all"
