"""Every length of streams that remember everything: along the state that a subject gives of its clip function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import coequal
from coequal import Subject, verify

Tensor = torch.Tensor
FEATURES, HIDDEN = 2, 3


class Stepwise:
    """A recurrent layer, a frame at a time, that counts its frames."""

    def __init__(self, layer: nn.Module) -> None:
        self.layer, self.state, self.count = layer, None, 0

    def step(self, frame: Tensor) -> Tensor:
        self.count += 1
        output, self.state = self.layer(self.seen(frame).unsqueeze(1), self.state)
        return output.squeeze(1)

    def seen(self, frame: Tensor) -> Tensor:
        return frame


def layer(kind: type[nn.Module], stream: Callable[[nn.Module], Any] = Stepwise) -> Subject:
    module = kind(FEATURES, HIDDEN, batch_first=True)
    return Subject(
        clip=lambda x: module(x)[0],
        stream=lambda: stream(module),
        example=torch.randn(2, 5, FEATURES, generator=torch.Generator().manual_seed(0)),
        time=1,
        modules=module,
        clip_state=module,
    )


def scanned(x: Tensor, state: Tensor | None, rate: float = 0.9) -> tuple[Tensor, Tensor]:
    """Moving averages."""
    frames = []
    for frame in x.unbind(2):
        state = frame.clone() if state is None else rate * state + (1 - rate) * frame
        frames.append(state)
    assert state is not None
    return torch.stack(frames, 2), state


class Average:
    """The same, a frame at a time."""

    def __init__(self) -> None:
        self.mean: Tensor | None = None

    def step(self, frame: Tensor) -> Tensor:
        self.mean = frame.clone() if self.mean is None else 0.9 * self.mean + (1 - 0.9) * frame
        return self.mean.clone()


def averages(stream: Callable[[], Any] = Average, **fields: Any) -> Subject:
    example = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(0))
    given = {"clip": lambda x: scanned(x, None)[0], "stream": stream, "example": example, "clip_state": scanned}
    return Subject(**(given | fields))


class Decaying(nn.Module):
    """Attention with decay: parallel, and with the matrix that it is recurrent in."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(FEATURES, 2) for _ in range(3))

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        q, k, v, count = self.query(x), self.key(x), self.value(x), x.shape[1]
        place = torch.arange(count, dtype=x.dtype)
        apart = place[:, None] - place
        decay = torch.where(apart >= 0, 0.8 ** apart.clamp(min=0), torch.zeros((), dtype=x.dtype))
        output = (q @ k.mT * decay) @ v
        after = (k * (0.8 ** (count - 1 - place))[:, None]).mT @ v
        if state is None:
            return output, after
        return output + (0.8 ** (place + 1))[:, None] * (q @ state), after + 0.8**count * state


class Recurrent:
    """The same, a frame at a time."""

    def __init__(self, module: Decaying) -> None:
        self.module, self.matrix = module, None

    def step(self, frame: Tensor) -> Tensor:
        q, k, v = (part(frame).unsqueeze(1) for part in (self.module.query, self.module.key, self.module.value))
        now = k.mT @ v
        self.matrix = now if self.matrix is None else 0.8 * self.matrix + now
        return (q @ self.matrix).squeeze(1)


def attention() -> Subject:
    module = Decaying()
    return Subject(
        clip=lambda x: module(x)[0],
        stream=lambda: Recurrent(module),
        example=torch.randn(2, 5, FEATURES, generator=torch.Generator().manual_seed(0)),
        time=1,
        modules=module,
        clip_state=module,
    )


RIGHT = {
    "RNN": lambda: layer(nn.RNN),
    "GRU": lambda: layer(nn.GRU),
    "LSTM": lambda: layer(nn.LSTM),
    "a loop": averages,
    "attention with decay, in parallel": attention,
}


@pytest.mark.parametrize("what", RIGHT)
def test_a_recurrence_is_proved_for_every_length(what: str) -> None:
    report = verify(RIGHT[what](), effort="quick", checks=["values", "exact"])
    assert report.verdict == "proved", report
    assert report.proof["horizon"] == "all", report
    assert any("clip_state" in text for text in report.proof["assumptions"])


def test_ours_say_how_they_go_on() -> None:
    from coequal import continual

    module = continual.convert(nn.GRU(FEATURES, HIDDEN, batch_first=True))
    report = verify(module, example=torch.randn(2, 5, FEATURES), effort="quick", checks=["values", "exact"])
    assert report.proof["horizon"] == "all", report


class Resets(Stepwise):
    def step(self, frame: Tensor) -> Tensor:
        if self.count % 5000 == 4999:
            self.state = None
        return super().step(frame)


class ResetsOften(Stepwise):
    def step(self, frame: Tensor) -> Tensor:
        if self.count % 997 == 996:
            self.state = None
        return super().step(frame)


class Changes(Stepwise):
    def seen(self, frame: Tensor) -> Tensor:
        return frame if self.count < 5000 else 2 * frame


class HoldsMore(Stepwise):
    def seen(self, frame: Tensor) -> Tensor:
        self.before = frame.clone()
        return frame


class InTheMiddle(Average):
    """Keeps its number as a part of a larger tensor, of which it could look at the rest."""

    def step(self, frame: Tensor) -> Tensor:
        super().step(frame)
        self.mean = torch.stack([self.mean, frame])[0]
        return self.mean.clone()


class Drifts(Average):
    """Remembers its number twice, and goes on from the mean of both."""

    def __init__(self) -> None:
        super().__init__()
        self.other: Tensor | None = None

    def step(self, frame: Tensor) -> Tensor:
        if self.other is not None:
            self.mean = self.mean + 0.25 * self.other  # type: ignore[operator]
        mean = super().step(frame)
        self.other = torch.zeros_like(mean)
        return mean


def flushing() -> Subject:
    class Flushing(Average):
        def flush(self) -> None:
            return None

    return averages(Flushing)


class Lasting(Average):
    """Emits its last number once more at the end, if it is a large one after many frames."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def step(self, frame: Tensor) -> Tensor:
        self.count += 1
        return super().step(frame)

    def flush(self) -> Tensor | None:
        return self.mean if self.count > 4000 else None


def counted(x: Tensor, state: Any) -> tuple[Tensor, Any]:
    """A continuation that counts its frames, too."""
    output, mean = scanned(x, None if state is None else state[0])
    return output, (mean, 0 if state is None else state[1] + 1)


def unlike(x: Tensor, state: Any) -> tuple[Tensor, Any]:
    """Goes on otherwise than it began."""
    return scanned(x, state if state is None else 1.001 * state)


def another(x: Tensor, state: Any) -> tuple[Tensor, Any]:
    return scanned(x, state, 0.8)


OPEN = {
    "resets itself at frame 5000": (lambda: layer(nn.GRU, Resets), "a count modulo 5000"),
    "resets itself at frame 997": (lambda: layer(nn.GRU, ResetsOften), "a period of 997 frames would take"),
    "changes at frame 5000": (lambda: layer(nn.GRU, Changes), "compares its frame number with 5000"),
    "holds more than the state": (lambda: layer(nn.GRU, HoldsMore), "stream.before is no part of"),
    "holds a part of a tensor": (lambda: averages(InTheMiddle), "a part of a larger tensor"),
    "flushes after frame 4000": (lambda: averages(Lasting), "compares its frame number with 4000"),
    "the continuation counts": (lambda: averages(clip_state=counted), "is no float tensor"),
    "the continuation goes on otherwise": (lambda: averages(clip_state=unlike), "something else for 1 and 4 frames"),
    "another continuation": (lambda: averages(clip_state=another), "another output than the clip function"),
    "the continuation raises": (lambda: averages(clip_state=lambda x, state: x[state]), "clip_state raises"),
}


@pytest.mark.parametrize("what", OPEN)
def test_a_premise_that_fails_is_said(what: str) -> None:
    subject, why = OPEN[what]
    report = verify(subject(), effort="quick", checks=["values", "exact"])
    assert report.verdict == "proved", report
    assert report.proof["horizon"] != "all"
    assert why in report.proof["state"], report.proof["state"]


def test_what_is_remembered_twice_may_be_told_from_itself() -> None:
    report = verify(averages(Drifts), effort="quick", checks=["values", "exact"])
    assert report.proof["horizon"] == "all", report.proof[
        "state"
    ]  # the second number is zero for ever: it depends on no frame


def test_a_flush_that_gives_nothing_changes_nothing() -> None:
    report = verify(flushing(), effort="quick", checks=["values", "exact"])
    assert report.proof["horizon"] == "all", report


@pytest.mark.parametrize("rate", [0.9 * (1 + 1e-6), 0.9 + 1e-3])
def test_another_rate_is_another_function(rate: float) -> None:
    class Other(Average):
        def step(self, frame: Tensor) -> Tensor:
            self.mean = frame.clone() if self.mean is None else rate * self.mean + (1 - rate) * frame
            return self.mean.clone()

    assert verify(averages(Other), effort="quick", checks=["values", "exact"]).verdict == "different"


def test_a_continuation_is_a_function() -> None:
    with pytest.raises(coequal.BadSubject, match=r"Subject\.clip_state: expected a callable or None, got Tensor"):
        verify(averages(clip_state=torch.ones(2)))


class Layers:
    """Two cells for the two layers of an RNN, whose state is one tensor; `twisted` after so many frames."""

    twisted: int | None = None

    def __init__(self, module: nn.RNN) -> None:
        cells = nn.RNNCell(FEATURES, HIDDEN), nn.RNNCell(HIDDEN, HIDDEN)
        for i, cell in enumerate(cells):
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                setattr(cell, name, getattr(module, f"{name}_l{i}"))
        self.cells, self.states, self.count = cells, [None, None], 0

    def step(self, frame: Tensor) -> Tensor:
        self.count += 1
        for i, cell in enumerate(self.cells):
            self.states[i] = frame = cell(frame, self.states[i])
        if self.count == self.twisted:
            self.states.reverse()
        return frame


class Beside(Layers):
    """All states in one tensor, the layers beside one another."""

    def step(self, frame: Tensor) -> Tensor:
        if self.states[0] is not None:
            self.states = list(self.together.split(HIDDEN, -1))
        output = super().step(frame)
        self.together, self.states = torch.cat(self.states, -1), [0.0, 0.0]
        return output


def two_layers(stream: type) -> Subject:
    module = nn.RNN(FEATURES, HIDDEN, num_layers=2, batch_first=True)
    example = torch.randn(2, 5, FEATURES, generator=torch.Generator().manual_seed(0))
    fields = {"clip": lambda x: module(x)[0], "stream": lambda: stream(module), "modules": module, "clip_state": module}
    return Subject(example=example, time=1, **fields)


@pytest.mark.parametrize("stream", [Layers, Beside])
def test_a_state_may_be_held_in_other_parts_than_the_clip_functions(stream: type) -> None:
    report = verify(two_layers(stream), checks=["exact"], effort="quick")
    assert report.horizon == "all", report.proof


def test_parts_that_change_places_far_away_are_not_believed() -> None:
    report = verify(two_layers(type("Twisted", (Layers,), {"twisted": 2000})), checks=["exact"], effort="quick")
    assert report.horizon != "all", report.proof


class InForms(Average):
    """Twelve copies of its state, of which each is a view or is none: together they count frames."""

    last = 12

    def __init__(self) -> None:
        super().__init__()
        self.copies: list[Tensor] = []

    def step(self, frame: Tensor) -> Tensor:
        mean = super().step(frame)
        views = [copy._is_view() for copy in self.copies] or [False] * 12
        for i in range(self.last):
            views[i] = not views[i]
            if views[i]:
                break
        self.copies = [mean.clone().view_as(mean) if view else mean.clone() for view in views]
        return mean * 2 if views[10] and views[8] else mean


class InOneForm(InForms):
    last = 0


@pytest.mark.parametrize(("stream", "every"), [(InOneForm, True), (InForms, False)])
def test_the_form_of_a_state_is_memory(stream: type[InForms], every: bool) -> None:
    report = verify(averages(stream), effort="quick", checks="exact")
    assert report.verdict == "proved"
    assert (report.horizon == "all") is every
