"""Streams that are right but unusual: `verify` must call none of them different, nor find anything serious.

And streams whose function is right while their numerics or life cycle are not: the named finding, never `different`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import nn

from coequal import verify
from coequal.subjects.chunks import Plan
from coequal.subjects.subject import Claim, Subject

Tensor = torch.Tensor


def conv(*options: Any, **more: Any) -> nn.Conv1d:
    torch.manual_seed(0)
    return nn.Conv1d(*options, **more)


class Ring:
    """A valid convolution from a list of its last frames."""

    def __init__(self, module: nn.Conv1d) -> None:
        self.module, self.frames = module, list[Tensor]()

    def step(self, frame: Tensor) -> Any:
        self.frames = [*self.frames, frame.clone()][-self.module.kernel_size[0] :]
        if len(self.frames) < self.module.kernel_size[0]:
            return None
        return self.module(torch.stack(self.frames, 2))[:, :, 0]


def of_ring(change: Callable[[Any], Any] = lambda output: output) -> Subject:
    """A ring whose outputs are dressed up."""
    module = conv(2, 3, 3)

    class Stream(Ring):
        def step(self, frame: Tensor) -> Any:
            return change(super().step(frame))

    return Subject(clip=module, stream=lambda: Stream(module), example=torch.randn(2, 2, 8), modules=module)


def bursts() -> Subject:
    """Nothing until the end, then everything."""
    module = conv(2, 3, 3)

    class Stream(Ring):
        def __init__(self) -> None:
            super().__init__(module)
            self.kept: list[Tensor] = []

        def step(self, frame: Tensor) -> None:
            output = super().step(frame)
            self.kept += [] if output is None else [output]

        def flush(self) -> list[Tensor]:
            return self.kept

    return Subject(clip=module, stream=Stream, example=torch.randn(2, 2, 8), modules=module)


def fewer() -> Subject:
    """Four frames in, one out."""

    class Stream:
        def __init__(self) -> None:
            self.frames: list[Tensor] = []

        def step(self, frame: Tensor) -> Any:
            self.frames.append(frame.clone())
            if len(self.frames) < 4:
                return None
            total, self.frames = torch.stack(self.frames).sum(0), []
            return total

        def flush(self) -> list[Tensor]:
            return []

    clip = lambda x: x[:, :, : x.shape[2] // 4 * 4].unflatten(2, (-1, 4)).sum(3)  # noqa: E731
    return Subject(clip=clip, stream=Stream, example=torch.randn(2, 2, 16))


def more() -> Subject:
    """One frame in, three out."""
    module = nn.ConvTranspose1d(2, 2, 3, stride=3)

    class Stream:
        def step(self, frame: Tensor) -> list[Tensor]:
            return list(module(frame[:, :, None]).unbind(2))

    return Subject(clip=module, stream=Stream, example=torch.randn(2, 2, 6), modules=module)


@dataclass
class Memory:
    """State as a dataclass with numbers, None and a dictionary in it."""

    sums: Any = None
    seen: int = 0
    more: dict = field(default_factory=dict)


def dataclass_state() -> Subject:
    """A running sum kept in a dataclass, shown as `state`."""

    class Stream:
        def __init__(self) -> None:
            self.state = Memory()

        def step(self, frame: Tensor) -> Tensor:
            s = self.state
            total = frame.clone() if s.sums is None else s.sums + frame
            self.state = Memory(total, s.seen + 1, {"last": frame.clone()})
            return total / self.state.seen

    clip = lambda x: x.cumsum(2) / torch.arange(1, x.shape[2] + 1, dtype=x.dtype)  # noqa: E731
    return Subject(clip=clip, stream=Stream, example=torch.randn(2, 2, 8))


def buffers() -> Subject:
    """The state is a buffer of the module itself, which is copied for each stream."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.map = nn.Linear(3, 3)
            self.register_buffer("memory", torch.zeros(0, 3), persistent=False)

        def forward(self, x: Tensor) -> Tensor:
            return self.map(x).cumsum(1)

        def step(self, frame: Tensor) -> Tensor:
            before = self.memory if self.memory.shape[0] else torch.zeros_like(frame)
            self.memory = before + self.map(frame)
            return self.memory.clone()

    net = Net()

    def stream() -> Net:
        fresh = Net()
        fresh.map = net.map  # tied weights: a second module with the very same parameters
        return fresh.to(net.map.weight.dtype)

    return Subject(clip=net, stream=stream, example=torch.randn(2, 6, 3), time=1, modules=net)


def strided_outputs() -> Subject:
    """Emissions that are not contiguous in memory."""
    return of_ring(lambda output: None if output is None else torch.stack([output, output], -1)[..., 0])


def lazy() -> Subject:
    """State that exists from the first call on."""
    gru = nn.GRU(3, 4, batch_first=True)

    class Stream:
        def step(self, frame: Tensor) -> Tensor:
            output, self.hidden = gru(frame[:, None], getattr(self, "hidden", None))
            return output[:, 0]

    return Subject(clip=lambda x: gru(x)[0], stream=Stream, example=torch.randn(2, 6, 3), time=1, modules=gru)


def island() -> Subject:
    """A norm in single precision, in clip and stream alike."""
    norm = nn.LayerNorm(4)

    def f(x: Tensor) -> Tensor:
        return nn.functional.layer_norm(x.float(), (4,)).to(x.dtype) * norm.weight

    class Stream:
        def step(self, frame: Tensor) -> Tensor:
            return f(frame)

    return Subject(clip=f, stream=Stream, example=torch.randn(2, 6, 4), time=1, modules=norm)


def tokens() -> Subject:
    """Integer inputs through an embedding and a GRU."""
    table, gru = nn.Embedding(9, 3), nn.GRU(3, 4, batch_first=True)

    class Stream:
        hidden = None

        def step(self, token: Tensor) -> Tensor:
            output, self.hidden = gru(table(token)[:, None], self.hidden)
            return output[:, 0]

    modules = nn.ModuleList([table, gru])
    return Subject(
        clip=lambda x: gru(table(x))[0], stream=Stream, example=torch.randint(0, 9, (2, 7)), time=1, modules=modules
    )


def codes() -> Subject:
    """Integer outputs, compared exactly."""

    class Stream:
        def step(self, frame: Tensor) -> Tensor:
            return frame.argmax(1)

    return Subject(clip=lambda x: x.argmax(1), stream=Stream, example=torch.randn(2, 5, 7), output_time=1)


class Window:
    """The last N frames through a function."""

    def __init__(self, function: Callable[[Tensor], Tensor], size: int, axis: int) -> None:
        self.function, self.size, self.axis, self.frames = function, size, axis, list[Tensor]()

    def step(self, frame: Tensor) -> Any:
        self.frames = [*self.frames, frame.clone()][-self.size :]
        return self.function(torch.stack(self.frames, self.axis)) if len(self.frames) == self.size else None


def one_result() -> Subject:
    """Window mode; the clip's result has no time axis."""
    head = nn.Linear(2, 3)
    f = lambda x: head(x.mean(2))  # noqa: E731
    return Subject(clip=f, stream=lambda: Window(f, 4, 2), example=torch.randn(2, 2, 6), modules=head, window=4)


def whole_windows() -> Subject:
    """Window mode; every emission is a whole window."""
    layer = nn.MultiheadAttention(4, 2, batch_first=True)
    f = lambda x: layer(x, x, x, need_weights=False)[0]  # noqa: E731
    stream = lambda: Window(f, 3, 1)  # noqa: E731
    return Subject(clip=f, stream=stream, example=torch.randn(2, 6, 4), time=1, modules=layer, window=3, emits="window")


def cache() -> Subject:
    """Causal attention with a cache that grows, in chunks of any size."""
    layer = nn.MultiheadAttention(4, 2, batch_first=True)

    def newest(frames: Tensor, seen: Tensor) -> Tensor:
        ahead = torch.ones(frames.shape[1], seen.shape[1], dtype=torch.bool).triu(1 + seen.shape[1] - frames.shape[1])
        return layer(frames, seen, seen, attn_mask=ahead, need_weights=False)[0]

    def clip(x: Tensor) -> Tensor:
        return newest(x, x)

    class Stream:
        def __init__(self) -> None:
            self.seen: Tensor | None = None

        def chunk(self, frames: Tensor) -> Tensor:
            self.seen = frames.clone() if self.seen is None else torch.cat([self.seen, frames], 1)
            return newest(frames, self.seen)

        def step(self, frame: Tensor) -> Tensor:
            return self.chunk(frame[:, None])[:, 0]

    return Subject(clip=clip, stream=Stream, example=torch.randn(2, 6, 4), time=1, modules=layer)


def complex_state() -> Subject:
    """A damped rotation kept as a complex number."""
    turn = torch.polar(torch.tensor(0.9, dtype=torch.float64), torch.tensor(0.5, dtype=torch.float64))

    class Stream:
        state: Any = 0

        def step(self, frame: Tensor) -> Tensor:
            self.state = self.state * turn + frame
            return self.state.real.clone()

    def clip(x: Tensor) -> Tensor:
        frames, state = [], 0
        for frame in x.to(torch.complex128).unbind(2):
            state = state * turn + frame
            frames.append(state.real)
        return torch.stack(frames, 2) if frames else x.clone()

    return Subject(clip=clip, stream=Stream, example=torch.randn(2, 2, 8, dtype=torch.float64))


def declared_offset() -> Subject:
    """The first emission stands for frame 2 of the clip."""
    module = conv(2, 3, 3)

    class Stream(Ring):
        def __init__(self) -> None:
            super().__init__(module)
            self.skipped = 0

        def step(self, frame: Tensor) -> Any:
            output = super().step(frame)
            if output is None or self.skipped < 2:
                self.skipped += output is not None
                return None
            return output

    return Subject(clip=module, stream=Stream, example=torch.randn(2, 2, 9), modules=module, offset=2)


def units_of_four() -> Subject:
    """Chunks of multiples of four frames, and no single steps."""
    module = conv(2, 3, 4, stride=4)

    class Stream:
        def chunk(self, frames: Tensor) -> Tensor:
            assert frames.shape[2] % 4 == 0
            return module(frames)

    return Subject(clip=module, stream=Stream, example=torch.randn(2, 2, 16), modules=module, plan=4)


def first_chunk_special() -> Subject:
    """One frame first, then multiples of four: one out for each chunk of the plan's unit."""

    class Stream:
        started = False

        def chunk(self, frames: Tensor) -> Tensor:
            if not self.started:
                assert frames.shape[2] == 1
                self.started = True
                return frames.clone()
            return frames.unflatten(2, (-1, 4)).mean(3)

    def clip(x: Tensor) -> Tensor:
        rest = x[:, :, 1 : 1 + (x.shape[2] - 1) // 4 * 4].unflatten(2, (-1, 4)).mean(3)
        return torch.cat([x[:, :, :1], rest], 2)

    return Subject(clip=clip, stream=Stream, example=torch.randn(2, 2, 13), plan=Plan(4, first=1))


def no_batch() -> Subject:
    """Signals `(C, T)`."""
    module = conv(2, 3, 2)

    class Stream:
        before: Any = None

        def step(self, frame: Tensor) -> Any:
            pair, self.before = (self.before, frame), frame.clone()
            return None if pair[0] is None else module(torch.stack(pair, 1))[:, 0]

    return Subject(clip=module, stream=Stream, example=torch.randn(2, 8), time=1, batch=None, modules=module)


def whole_history() -> Subject:
    """Everything so far computed anew at each step."""
    net = nn.Sequential(nn.ConstantPad1d((2, 0), 0.0), nn.Conv1d(2, 3, 3), nn.ReLU())

    class Stream:
        def __init__(self) -> None:
            self.frames: list[Tensor] = []

        def step(self, frame: Tensor) -> Tensor:
            self.frames = [*self.frames, frame.clone()]
            return net(torch.stack(self.frames, 2))[:, :, -1]

    return Subject(clip=net, stream=Stream, example=torch.randn(2, 2, 6), modules=net)


def in_place() -> Subject:
    """A buffer of the state is updated in place; what is emitted is another tensor."""
    module = conv(2, 3, 3)

    class Stream:
        def __init__(self) -> None:
            self.buffer: Any = None
            self.seen = 0

        def step(self, frame: Tensor) -> Any:
            if self.buffer is None:
                self.buffer = frame.new_zeros(*frame.shape, 3)
            self.buffer = self.buffer.roll(-1, -1)
            self.buffer[..., -1] = frame.detach()
            self.seen += 1
            return module(self.buffer)[:, :, 0] if self.seen > 2 else None

    return Subject(clip=module, stream=Stream, example=torch.randn(2, 2, 8), modules=module)


def generator() -> Subject:
    """A Python generator, which can be neither copied nor shown."""
    module = conv(2, 3, 2)

    def stepping():
        """Send one, get what is due with it."""
        before = None
        output = None
        while True:
            now = yield output
            output = None if before is None else module(torch.stack([before, now], 2))[:, :, 0]
            before = now

    class Simple:
        def __init__(self) -> None:
            self.running = stepping()
            next(self.running)

        def step(self, frame: Tensor) -> Any:
            return self.running.send(frame.clone())

    return Subject(clip=module, stream=Simple, example=torch.randn(2, 2, 8), modules=module)


def zero_gate() -> Subject:
    """A branch behind a gate that is initialised to zero."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.branch, self.gate = nn.Conv1d(2, 2, 1), nn.Parameter(torch.zeros(1))

        def forward(self, x: Tensor) -> Tensor:
            return self.gate * self.branch(x)

    net = Net()

    class Stream:
        def step(self, frame: Tensor) -> Tensor:
            return net(frame[:, :, None])[:, :, 0]

    return Subject(clip=net, stream=Stream, example=torch.randn(2, 2, 6), modules=net)


def delayed() -> Subject:
    """Two frames later than it could, and no flush."""
    module = conv(2, 3, 3)

    class Stream(Ring):
        def __init__(self) -> None:
            super().__init__(module)
            self.held: list[Tensor] = []

        def step(self, frame: Tensor) -> Any:
            output = super().step(frame)
            self.held += [] if output is None else [output]
            return self.held.pop(0) if len(self.held) > 2 else None

    return Subject(clip=module, stream=Stream, example=torch.randn(2, 2, 9), modules=module)


def half_precision() -> Subject:
    """A model that computes in single precision only: its clip refuses doubles."""

    def clip(x: Tensor) -> Tensor:
        if x.dtype != torch.float32:
            raise TypeError("single precision only")
        return torch.tanh(x.cumsum(2))

    class Stream:
        total: Any = 0.0

        def step(self, frame: Tensor) -> Tensor:
            self.total = self.total + frame
            return torch.tanh(self.total)

    return Subject(clip=clip, stream=Stream, example=torch.randn(2, 2, 8))


def one_row_only() -> Subject:
    """Refuses any other batch size than one, loudly."""
    subject = of_ring()
    stream = subject.stream

    class Stream:
        def __init__(self) -> None:
            self.inner = stream()

        def step(self, frame: Tensor) -> Any:
            if frame.shape[0] != 1:
                raise ValueError("one row only")
            return self.inner.step(frame)

    return Subject(clip=subject.clip, stream=Stream, example=torch.randn(1, 2, 8), modules=subject.modules)


class Rising:
    """Whether each number is above the last one."""

    def __init__(self) -> None:
        self.last: Tensor | None = None

    def step(self, frame: Tensor) -> Tensor:
        last, self.last = torch.zeros_like(frame) if self.last is None else self.last, frame.clone()
        return torch.gt(frame, last)


def truth_values(stream: type = Rising) -> Subject:
    def clip(x: Tensor) -> Tensor:
        return x > nn.functional.pad(x, (1, 0))[..., :-1]

    return Subject(clip=clip, stream=stream, example=torch.randn(1, 2, 6))


CORRECT: dict[str, Callable[[], Subject]] = {
    "lists": lambda: of_ring(lambda output: [] if output is None else [output]),
    "tuples": lambda: of_ring(lambda output: () if output is None else (output,)),
    "empty tensors for nothing": lambda: of_ring(lambda output: torch.empty(0) if output is None else output),
    "bursts at the flush": bursts,
    "4:1": fewer,
    "1:3": more,
    "state as a dataclass": dataclass_state,
    "state in buffers, tied weights": buffers,
    "outputs with gaps in memory": strided_outputs,
    "state made on the first call": lazy,
    "island of single precision": island,
    "tokens": tokens,
    "integer outputs": codes,
    "truth values": truth_values,
    "window without time axis": one_result,
    "whole windows": whole_windows,
    "growing cache": cache,
    "complex state": complex_state,
    "declared offset": declared_offset,
    "units of four": units_of_four,
    "special first chunk": first_chunk_special,
    "no batch axis": no_batch,
    "whole history": whole_history,
    "state in place": in_place,
    "generator": generator,
    "zero-initialised gate": zero_gate,
    "later than it could": delayed,
    "single precision only": half_precision,
    "one row only": one_row_only,
}


def test_there_are_enough():
    assert len(CORRECT) >= 15


# what exact arithmetic cannot decide, and why
NOT_DECIDED = {
    "integer outputs": "aten.argmax: its indices depend on data",
    "truth values": "aten.gt: it compares data",
}
# proved, but for the lengths that were compared alone: the memory has no end, cannot be seen, or nobody knows how long it is
SOME_LENGTHS = {
    "complex state",
    "bursts at the flush", "state as a dataclass", "tokens", "growing cache", "whole history", "generator",
}  # fmt: skip


@pytest.mark.parametrize("name", CORRECT)
def test_is_not_accused(name):
    report = verify(CORRECT[name](), effort="quick")
    if name in NOT_DECIDED:
        assert report.verdict == "tested", report
        assert any(NOT_DECIDED[name] in reason for reason in report.reasons), report
    else:
        assert report.verdict == "proved", report
        assert (report.proof["horizon"] != "all") == (name in SOME_LENGTHS), report.proof
    assert not [finding for finding in report.findings if finding.severity == "high"], report
    assert report.exit_code() == 0


def test_a_truth_value_that_is_another_one_is_found():
    class Falling(Rising):
        def step(self, frame: Tensor) -> Tensor:
            return ~super().step(frame)

    report = verify(truth_values(Falling), effort="quick")
    assert report.verdict == "different", report
    assert isinstance(report.counterexample.got, bool)


# -- right functions with poor numerics or life cycles -------------------------------------------------------------------


def running_sum() -> Subject:
    """The mean of eight frames by adding the newest and subtracting the oldest."""

    class Stream:
        def __init__(self) -> None:
            self.frames: list[Tensor] = []
            self.total: Any = 0.0

        def step(self, frame: Tensor) -> Any:
            self.frames.append(frame.clone())
            self.total = self.total + frame
            if len(self.frames) > 8:
                self.total = self.total - self.frames.pop(0)
            return self.total / 8 if len(self.frames) == 8 else None

    return Subject(clip=nn.AvgPool1d(8, 1), stream=Stream, example=torch.randn(2, 2, 20))


def unshifted_softmax() -> Subject:
    """Attention of the newest of six frames, exponentials added and subtracted without a shift by the maximum."""

    def clip(x: Tensor) -> Tensor:
        return (torch.softmax(6 * x, 2) * x).sum(2)

    class Stream:
        def __init__(self) -> None:
            self.frames: list[Tensor] = []
            self.top: Any = 0.0
            self.bottom: Any = 0.0

        def step(self, frame: Tensor) -> Any:
            self.frames.append(frame.clone())
            weight = torch.exp(6 * frame)
            self.top, self.bottom = self.top + weight * frame, self.bottom + weight
            if len(self.frames) > 6:
                old = self.frames.pop(0)
                gone = torch.exp(6 * old)
                self.top, self.bottom = self.top - gone * old, self.bottom - gone
            return self.top / self.bottom if len(self.frames) == 6 else None

    return Subject(clip=clip, stream=Stream, example=torch.randn(2, 2, 12), window=6)


def uncopyable() -> Subject:
    subject = of_ring()

    class Stream:
        def __init__(self) -> None:
            self.inner = subject.stream()

        def step(self, frame: Tensor) -> Any:
            return self.inner.step(frame)

        def __deepcopy__(self, memo: dict) -> Any:
            raise TypeError("cannot be copied")

    return Subject(clip=subject.clip, stream=Stream, example=subject.example, modules=subject.modules)


def unpicklable() -> Subject:
    net = nn.Sequential(conv(2, 3, 1))
    net.hidden = lambda x: x

    class Stream:
        def step(self, frame: Tensor) -> Tensor:
            return net(frame[:, :, None])[:, :, 0]

    return Subject(clip=net, stream=Stream, example=torch.randn(2, 2, 6), modules=net)


def wrong_claim() -> Subject:
    subject = of_ring()
    subject.claim = Claim(receptive_field=5, delay=2, stride=1)
    return subject


def random_clip() -> Subject:
    net = nn.Sequential(nn.Conv1d(2, 2, 1), nn.Dropout(0.5)).train()

    class Stream:
        def step(self, frame: Tensor) -> Tensor:
            return net(frame[:, :, None])[:, :, 0]

    return Subject(clip=net, stream=Stream, example=torch.randn(2, 2, 6), modules=net)


def loop_clip() -> Subject:
    class Stream:
        total: Any = 0.0

        def step(self, frame: Tensor) -> Tensor:
            self.total = self.total + frame
            return torch.tanh(self.total)

    def clip(x: Tensor) -> Tensor:
        stream = Stream()
        return torch.stack([stream.step(frame) for frame in x.unbind(2)], 2)

    return Subject(clip=clip, stream=Stream, example=torch.randn(2, 2, 6))


def constant() -> Subject:
    class Stream:
        def step(self, frame: Tensor) -> Tensor:
            return frame * 0

    return Subject(clip=lambda x: x * 0, stream=Stream, example=torch.randn(2, 2, 6))


def leaves_state() -> Subject:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.map = nn.Linear(3, 3)
            self.register_buffer("steps", torch.zeros(()))

        def forward(self, x: Tensor) -> Tensor:
            return self.map(x)

    net = Net()

    class Stream:
        def step(self, frame: Tensor) -> Tensor:
            net.steps += 1
            return net.map(frame)

    return Subject(clip=net, stream=Stream, example=torch.randn(2, 6, 3), time=1, modules=net)


FINDINGS: dict[str, tuple[Callable[[], Subject], str, str]] = {
    "running sum": (running_sum, "drift", "proved"),
    "exponentials without a shift, one outlier": (unshifted_softmax, "outlier", "proved"),
    "exponentials without a shift, one NaN": (unshifted_softmax, "nan-recovery", "proved"),
    "cannot be deep-copied": (uncopyable, "deepcopy", "proved"),
    "cannot be pickled": (unpicklable, "pickle", "proved"),
    "claims too much": (wrong_claim, "claimed-timing", "proved"),
    "dropout left on": (random_clip, "randomness", "undecided"),
    "a loop over the step": (loop_clip, "loop-clip", "undecided"),
    "constant": (constant, "vacuous", "undecided"),
    "leaves a buffer behind": (leaves_state, "state-in-weights", "proved"),
    "single precision inside": (island, "island", "proved"),
}


@pytest.mark.parametrize("name", FINDINGS)
def test_is_found_and_is_not_a_difference(name):
    build, finding, verdict = FINDINGS[name]
    report = verify(build(), effort="quick")
    assert report.verdict == verdict, report
    assert finding in [f.name for f in report.findings], report


def test_what_is_allowed_does_not_count():
    subject = running_sum()
    assert verify(subject, effort="quick").exit_code() == 1
    subject.allow = ("drift",)
    assert verify(subject, effort="quick").exit_code() == 0
