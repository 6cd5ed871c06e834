"""Families: what is refused, what is found and made small, and that the order of configurations does not matter."""

from __future__ import annotations

import random
import sys
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import strategies as st

import coequal
from coequal.equivalence.campaigns.families import Family, Refused, checks_for
from coequal.equivalence.campaigns.found import FamilyReport, Tried
from coequal.equivalence.campaigns.search import Asked, examined, in_turn, search
from coequal.equivalence.checks import CHECKS
from coequal.equivalence.options import Options


class Causal(torch.nn.Module):
    """Clips `(B, 2, T)`; a library that refuses strides of more than the kernel."""

    def __init__(self, kernel_size: int, stride: int) -> None:
        super().__init__()
        if stride > kernel_size:
            raise ValueError(f"stride {stride} is more than {kernel_size}")
        self.conv = torch.nn.Conv1d(2, 3, kernel_size, stride=stride)
        self.kernel_size, self.stride = kernel_size, stride

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(torch.nn.functional.pad(x, (self.kernel_size - 1, 0)))


class Stream:
    """Two mistakes: the oldest tap with kernels of more than 3 and stride 2; chunks with stride 3."""

    def __init__(self, module: Causal) -> None:
        self.module, self.seen = module, 0
        self.kept: torch.Tensor | None = None

    def step(self, frame: torch.Tensor) -> torch.Tensor | None:
        k, stride = self.module.kernel_size, self.module.stride
        kept = frame.new_zeros(frame.shape[0], 2, k) if self.kept is None else self.kept
        self.kept = torch.cat([kept[:, :, 1:], frame[:, :, None]], 2)
        self.seen += 1
        if (self.seen - 1) % stride:
            return None
        window = self.kept.clone()
        if k > 3 and stride == 2:
            window[:, :, 0] = 0
        return self.module.conv(window)[:, :, 0]

    def chunk(self, frames: torch.Tensor) -> torch.Tensor | None:
        emitted = [out for frame in frames.unbind(2) if (out := self.step(frame)) is not None]
        if self.module.stride == 3:
            emitted.reverse()
        return torch.stack(emitted, 2) if emitted else None


@coequal.family(
    kernel_size=st.integers(1, 5), stride=st.integers(1, 3), dtype=st.sampled_from([torch.float32, torch.float64])
)
def conv(kernel_size, stride, dtype):
    module = Causal(kernel_size, stride).to(dtype).eval()
    return coequal.Subject(
        clip=module, stream=lambda: Stream(module), example=torch.randn(1, 2, 12, dtype=dtype), modules=module
    )


conv.__test__ = False  # with two mistakes it would be a test that fails


@pytest.fixture(scope="module")
def report() -> FamilyReport:
    return search(conv, Asked(count=40, target="conv"))


def test_two_mistakes_are_two_findings_each_at_its_smallest(report: FamilyReport) -> None:
    smallest = {finding.cause.check: finding.smallest.configuration for finding in report.findings}
    assert smallest == {
        "values": {"kernel_size": "4", "stride": "2", "dtype": "torch.float32"},
        "chunking": {"kernel_size": "3", "stride": "3", "dtype": "torch.float32"},
    }
    assert report.exit_code() == 1


def test_outcomes_are_those_of_the_options(report: FamilyReport) -> None:
    """What becomes of a configuration is known here from the mistakes themselves."""

    def expected(k: int, stride: int) -> str:
        return "refused" if stride > k else "different" if stride == 3 or (k > 3 and stride == 2) else "tested"

    for tried in report.tried:
        k, stride = int(tried.configuration["kernel_size"]), int(tried.configuration["stride"])
        assert tried.outcome == expected(k, stride), tried
    assert len({str(tried.configuration) for tried in report.tried}) == len(report.tried) == 5 * 3 * 2
    assert report.refusals.keys() == {f"ValueError: stride {s} is more than {k}" for k, s in [(1, 2), (1, 3), (2, 3)]}


def test_coverage_counts_each_configuration_once_an_option(report: FamilyReport) -> None:
    coverage = report.coverage()
    assert list(coverage) == ["kernel_size", "stride", "dtype"]
    for values in coverage.values():
        assert sum(values.values(), Counter()) == Counter(report.counts)
    assert coverage["stride"]["1"].keys() == {"tested"}


def told(report: FamilyReport) -> list[tuple]:
    return [(one.number, one.configuration, one.outcome, one.cause) for one in report.tried]


def test_the_order_of_the_work_does_not_matter() -> None:
    asked = Asked(count=14, options=Options(effort="quick", checks=("values", "chunking")), target="conv")
    report = search(conv, asked)
    assert report.findings
    other = search(conv, asked, lambda configurations: in_turn(conv, asked)(reversed(list(configurations))))
    assert told(other) == told(report)
    assert [(f.cause, f.count, f.smallest.configuration) for f in other.findings] == [
        (f.cause, f.count, f.smallest.configuration) for f in report.findings
    ]
    assert [f.smallest.report.counterexample for f in other.findings] == [
        f.smallest.report.counterexample for f in report.findings
    ]


def test_another_seed_draws_others_and_finds_the_same() -> None:
    options = Options(effort="quick", checks=("values",))
    one, other = (search(conv, Asked(count=14, options=replace(options, seed=seed))) for seed in (1, 2))
    assert [tried.configuration for tried in one.tried] != [tried.configuration for tried in other.tried]
    assert one.tried[0].configuration == other.tried[0].configuration == {
        "kernel_size": "1", "stride": "1", "dtype": "torch.float32",
    }  # fmt: skip


def test_more_configurations_begin_with_the_same(report: FamilyReport) -> None:
    assert told(search(conv, Asked(count=5, target="conv"))) == told(report)[:5]


def test_a_subject_does_not_depend_on_what_was_drawn_before() -> None:
    one = conv.subject({"kernel_size": 2, "stride": 1, "dtype": torch.float32}, seed=3)
    state = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    other = conv.subject({"kernel_size": 2, "stride": 1, "dtype": torch.float32}, seed=3)
    assert torch.equal(one.example, other.example)
    assert torch.equal(one.modules.conv.weight, other.modules.conv.weight)
    assert torch.equal(torch.get_rng_state(), state[0])
    assert (random.getstate(), np.random.get_state()[1].tolist()) == state[1:]
    assert one.name == "conv[kernel_size=2, stride=1, dtype=torch.float32]"


def test_it_is_still_a_function() -> None:
    assert isinstance(conv, Family)
    assert conv(kernel_size=1, stride=1, dtype=torch.float32).modules.kernel_size == 1


def test_a_clip_that_raises_refuses() -> None:
    @coequal.family(frames=st.integers(1, 4))
    def short(frames):
        def clip(x):
            if x.shape[2] < 3:
                raise RuntimeError(f"only {x.shape[2]} frames\nof three")
            return x.clone()

        return coequal.Subject(clip=clip, stream=Echo, example=torch.randn(1, 2, frames))

    with pytest.raises(Refused, match=r"^in the clip: RuntimeError: only 2 frames$"):
        short.subject({"frames": 2})
    found = search(short, Asked(count=8, options=Options(effort="quick", checks=("values",))))
    assert found.tried[0].outcome == "refused"


class Echo:
    def step(self, frame):
        return frame


def test_a_stream_that_raises_where_its_clip_does_not_is_a_finding() -> None:
    class Narrow:
        def step(self, frame):
            if frame.shape[1] > 2:
                raise ValueError(f"{frame.shape[1]} channels")
            return frame

    @coequal.family(channels=st.integers(1, 4))
    def echo(channels):
        return coequal.Subject(clip=torch.clone, stream=Narrow, example=torch.randn(1, channels, 6))

    found = search(echo, Asked(count=8))
    (finding,) = found.findings
    assert (finding.smallest.outcome, finding.smallest.configuration) == ("raised", {"channels": "3"})
    assert found.counts == {"tested": 2, "raised": 2}
    assert found.exit_code() == 1


def test_what_is_come_upon_while_another_is_made_small_is_shown_as_it_was() -> None:
    class Either:
        def __init__(self, size):
            self.size = size

        def step(self, frame):
            if self.size in (10, 11):
                raise ValueError("ten" if self.size == 10 else "eleven")
            return 2 * frame if self.size > 11 else frame

    @coequal.family(size=st.integers(0, 400))
    def either(size):
        return coequal.Subject(clip=torch.clone, stream=lambda: Either(size), example=torch.randn(1, 2, 6))

    found = search(either, Asked(count=4, options=Options(effort="quick", checks=("values",))))
    assert {"10", "11"}.isdisjoint(one.configuration["size"] for one in found.tried)
    smallest = {str(finding.cause): finding.smallest.configuration["size"] for finding in found.findings}
    assert smallest.pop("values: other numbers, interior") == "12"
    assert smallest
    for finding in found.findings[1:]:
        assert (finding.smallest, finding.count) == (finding.first, 0)
        assert finding.smallest.cause == finding.cause


def test_a_configuration_that_ends_the_program_stops_nothing() -> None:
    @coequal.family(channels=st.integers(1, 3))
    def exits(channels):
        if channels == 2:
            sys.exit(7)
        return coequal.Subject(clip=torch.clone, stream=Echo, example=torch.randn(1, channels, 6))

    found = search(exits, Asked(count=3, options=Options(effort="quick", checks=("values",))))
    assert (found.counts, found.exit_code()) == ({"tested": 2, "died": 1}, 1)
    assert found.findings[0].smallest.detail == "the program called sys.exit(7)"


@pytest.mark.parametrize("where", ["function", "clip", "stream", "step"])
def test_no_memory_is_neither_a_refusal_nor_a_difference(where: str) -> None:
    def enough(here: str) -> bool:
        if here == where:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes.")
        return True

    class Greedy(Echo):
        def step(self, frame):
            enough("step")
            return super().step(frame)

    @coequal.family(channels=st.just(1))
    def greedy(channels):
        enough("function")
        return coequal.Subject(
            clip=lambda x: enough("clip") and x.clone(),
            stream=lambda: enough("stream") and Greedy(),
            example=torch.randn(1, channels, 6),
        )

    (one,) = search(greedy, Asked(count=1, options=Options(effort="quick", checks=("values",)))).tried
    assert (one.outcome, str(one.cause)) == ("died", "died: out of memory")
    assert one.detail == "out of memory: RuntimeError: can't allocate memory: you tried to allocate 8 bytes."


def test_a_mistake_of_the_program_is_no_refusal() -> None:
    @coequal.family(channels=st.integers(1, 4))
    def broken(channels):
        return chanels  # noqa: F821

    with pytest.raises(coequal.BadSubject, match="broken: NameError: name 'chanels'"):
        search(broken, Asked(count=3))


def test_all_refused_is_undecided() -> None:
    @coequal.family(channels=st.integers(1, 4))
    def never(channels):
        raise NotImplementedError

    found = search(never, Asked(count=3))
    assert (found.counts, found.compared, found.exit_code()) == ({"refused": 3}, 0, 3)
    assert found.refusals == {"NotImplementedError": 3}


def test_less_than_is_required_is_a_finding_of_its_own() -> None:
    @coequal.family(channels=st.integers(1, 2))
    def echo(channels):
        return coequal.Subject(clip=torch.clone, stream=Echo, example=torch.randn(1, channels, 6))

    proved = search(echo, Asked(count=2, require="proved-all"))
    assert (proved.counts, proved.exit_code()) == ({"proved": 2}, 0)
    sampled = search(echo, Asked(count=2, require="proved", options=Options(effort="quick", checks=("values",))))
    assert [finding.cause.check for finding in sampled.findings] == ["not proved"]
    assert sampled.exit_code() == 3


def test_a_search_in_no_time_says_where_it_stopped(report: FamilyReport) -> None:
    found = search(conv, Asked(count=10, seconds=0.0))
    assert [one.number for one in found.tried] == [report.tried[0].number]
    assert found.stopped == "stopped after 1 of 10 configurations: time"


def test_checks_that_take_long_are_those_of_a_proof() -> None:
    assert set(CHECKS) - set(checks_for(None)) == {"long"}
    assert checks_for("proved")[-1] == "exact"


def test_an_examined_configuration_says_how_it_is_seen_again() -> None:
    asked = Asked(target="fam.py:conv", again="fam.py:conv --window 3")
    wrong = examined(
        conv, replace(asked, again="fam.py:conv --device cpu"), 0, {"kernel_size": 4, "stride": 2, "dtype": torch.float32}
    )
    assert isinstance(wrong, Tried)
    begin = "coequal verify 'fam.py:conv[kernel_size=4, stride=2, dtype=torch.float32]' --device cpu --only values --length"
    assert wrong.report.counterexample.reproduce.startswith(begin)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"kernel_size": 3}, "kernel_size is a Hypothesis strategy, like st.sampled_from"),
        ({"kernel_size": st.just(1)}, "takes 'stride', for which there is no strategy"),
        ({"kernel_size": st.just(1), "stride": st.just(1), "kernel": st.just(1)}, "takes no argument 'kernel'"),
    ],
)
def test_options_that_do_not_fit(options: dict, said: str) -> None:
    def function(kernel_size, stride, dtype=None):
        return None

    with pytest.raises(coequal.BadSubject, match=said):
        coequal.family(**options)(function)


@pytest.mark.parametrize(
    ("configuration", "said"),
    [({"kernel_size": 1}, "not given: stride, dtype"), ({"kernel": 1}, "no option 'kernel'; options: kernel_size, stride")],
)
def test_a_configuration_that_does_not_fit(configuration: dict, said: str) -> None:
    with pytest.raises(coequal.BadSubject, match=said):
        conv.subject(configuration)


def test_what_a_family_returns_is_checked() -> None:
    with pytest.raises(coequal.BadSubject, match=r"a family returns a coequal\.Subject, or a module"):
        coequal.family(n=st.just(1))(lambda n: n).subject({"n": 1})


def test_a_module_and_an_example_are_a_subject() -> None:
    from coequal import continual

    @coequal.family(kernel_size=st.integers(1, 3))
    def pool(kernel_size):
        return continual.convert(torch.nn.AvgPool1d(kernel_size, stride=1)), torch.randn(1, 2, 9)

    found = search(pool, Asked(count=3, options=Options(effort="quick", checks=("values",))))
    assert found.counts == {"tested": 3}
