"""A difference that comes late is made as small as it can be, in few attempts."""

from __future__ import annotations

from coequal.equivalence.compare.difference import Mismatch
from coequal.equivalence.counterexample.shrink import shrink
from coequal.equivalence.run.examples import Example
from coequal.subjects.chunks import Plan


def test_what_differs_late_is_cut_behind_its_first_frame() -> None:
    fed = list[int]()

    def compare(example: Example) -> Mismatch | int:
        fed.append(example.length)
        return Mismatch("it differs", 1000) if example.length > 1002 else example.length

    example, mismatch = shrink(Example(1040, 2, 0), compare, Plan(), Mismatch("it differs", 1000))
    assert (example.length, mismatch.frame) == (1003, 1000)
    assert sum(fed) < 20 * 1040
