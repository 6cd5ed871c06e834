"""Modules that stream, in the styles that libraries have: what `coequal write` is tried on. RIGHT and WRONG say which."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

gru = nn.GRU(4, 3, batch_first=True)
lstm = nn.LSTM(4, 3, num_layers=2)


class Rnn(nn.RNN):
    """torch's own, as a class without arguments."""

    def __init__(self) -> None:
        super().__init__(4, 3)


class Looped(nn.Module):
    """A cell in a loop over axis 1; a step is the cell."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRUCell(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        state, outputs = x.new_zeros(len(x), 3), []
        for frame in x.unbind(1):
            state = self.cell(frame, state)
            outputs.append(state)
        return torch.stack(outputs, 1)

    def step(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        state = self.cell(x, state)
        return state, state


class TwoStates(Looped):
    """Two arguments for the state, neither with a default."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(4, 3)

    def init_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        like = next(self.parameters())
        return like.new_zeros(batch_size, 3), like.new_zeros(batch_size, 3)

    def forward(self, x: Tensor) -> Tensor:
        state, outputs = self.init_state(len(x)), []
        for frame in x.unbind(1):
            state = self.cell(frame, state)
            outputs.append(state[0])
        return torch.stack(outputs, 1)

    def step(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        h, c = self.cell(x, (h, c))
        return h, h, c


class Conv(nn.Module):
    """A causal convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(4, 5, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(pad(x, (2, 0)))


class Buffered(Conv):
    """Keeps the last frames in a list, forgets them in `reset`."""

    def __init__(self) -> None:
        super().__init__()
        self.last: list[Tensor] = []

    def reset(self) -> None:
        self.last = []

    def forward_step(self, x: Tensor) -> Tensor:
        self.last = [*(self.last or [torch.zeros_like(x)] * 2), x]
        output = self.conv(torch.stack(self.last, 2))[:, :, 0]
        self.last = self.last[1:]
        return output


class Steps(Conv):
    """A frame at a time without padding: nothing comes back until three frames are there; `clean_state` of its parts."""

    class Memory(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.frames: list[Tensor] = []

        def clean_state(self) -> None:
            self.frames = []

    def __init__(self) -> None:
        super().__init__()
        self.memory = self.Memory()

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)

    def forward_step(self, x: Tensor) -> Tensor | None:
        self.memory.frames = [*self.memory.frames, x][-3:]
        return None if len(self.memory.frames) < 3 else self.conv(torch.stack(self.memory.frames, 2))[:, :, 0]


class Unresettable(Buffered):
    """Nothing resets it."""

    reset = None  # type: ignore[assignment]


class CacheTuple(Conv):
    """A cache goes in and comes out."""

    def forward(self, x: Tensor, cache: Tensor | None = None) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        x = pad(x, (2, 0)) if cache is None else torch.cat([cache, x], 2)
        return self.conv(x), x[:, :, -2:]


class Cache:
    """Holds the last frames."""

    def __init__(self) -> None:
        self.frames: Tensor | None = None


class CacheInPlace(Conv):
    """A cache that the caller makes, and the module changes."""

    def forward(self, x: Tensor, cache: Cache | None = None) -> Tensor:  # type: ignore[override]
        if cache is None:
            return super().forward(x)
        x = pad(x, (2, 0)) if cache.frames is None else torch.cat([cache.frames, x], 2)
        cache.frames = x[:, :, -2:]
        return self.conv(x)


class CacheDict(Conv):
    """The same with a dictionary that nothing announces."""

    def forward(self, x, cache=None):  # type: ignore[no-untyped-def]
        if cache is None:
            return super().forward(x)
        x = torch.cat([cache["frames"], x], 2) if "frames" in cache else pad(x, (2, 0))
        cache["frames"] = x[:, :, -2:]
        return self.conv(x)


@dataclass
class ModelOutput:
    """As transformers returns it."""

    logits: Tensor
    past_key_values: tuple[Tensor, Tensor] | None = None


class Decoder(nn.Module):
    """A head of causal attention over token ids, its keys and values in a cache that grows."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(11, 4)
        self.queries, self.keys, self.values = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        past_key_values: tuple[Tensor, Tensor] | None = None,
        use_cache: bool | None = None,
    ) -> ModelOutput:
        x = self.embed(input_ids)
        keys, values = self.keys(x), self.values(x)
        if past_key_values is not None:
            keys, values = torch.cat([past_key_values[0], keys], 1), torch.cat([past_key_values[1], values], 1)
        scores = self.queries(x) @ keys.transpose(1, 2)
        new, all_ = scores.shape[1:]
        scores = scores.masked_fill(torch.ones(new, all_).tril(all_ - new) == 0, -torch.inf)
        return ModelOutput(scores.softmax(-1) @ values, (keys, values) if use_cache else None)


class Tokens(nn.Module):
    """A recurrent language model."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.rnn, self.head = nn.Embedding(7, 4), nn.GRU(4, 3, batch_first=True), nn.Linear(3, 7)

    def forward(self, tokens: Tensor, hidden: Tensor | None = None) -> tuple[Tensor, Tensor]:
        output, hidden = self.rnn(self.embed(tokens), hidden)
        return self.head(output), hidden


class Flag(Conv):
    """As pytorch-tcn: a switch, one row, a buffer that is reset."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("buffer", torch.zeros(1, 4, 2))

    def reset_buffers(self) -> None:
        self.buffer = torch.zeros_like(self.buffer)

    def forward(self, x: Tensor, inference: bool = False) -> Tensor:  # type: ignore[override]
        if not inference:
            return super().forward(x)
        if len(x) > 1:
            raise ValueError("one row only")
        x = torch.cat([self.buffer, x], 2)
        self.buffer = x[:, :, -2:]
        return self.conv(x)


class Context(Conv):
    """As moshi: streaming inside a context."""

    streams = False

    @contextlib.contextmanager
    def streaming(self, batch_size: int) -> Iterator[None]:
        self.streams, self.last = True, next(self.parameters()).new_zeros(batch_size, 4, 2)
        try:
            yield
        finally:
            self.streams = False

    def forward(self, x: Tensor) -> Tensor:
        if not self.streams:
            return super().forward(x)
        x = torch.cat([self.last, x], 2)
        self.last = x[:, :, -2:]
        return self.conv(x)


class Summing(nn.Module):
    """A running sum; `step` and `reset`."""

    def __init__(self) -> None:
        super().__init__()
        self.proj, self.total = nn.Linear(4, 3), 0

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(x).cumsum(1)

    def reset(self) -> None:
        self.total = 0

    def step(self, x: Tensor) -> Tensor:
        self.total = self.total + self.proj(x)
        return self.total


class TimeFirst(Summing):
    """A running sum of clips (T, B, F)."""

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(x).cumsum(0)


class Positions(Summing):
    """A running mean, told how many frames went before."""

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(x).cumsum(1) / torch.arange(1, x.shape[1] + 1)[:, None]

    def forward_recurrent(self, x: Tensor, idx: int, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        state = self.proj(x) if state is None else state + self.proj(x)
        return state / (idx + 1), state

    step = None  # type: ignore[assignment]


class SequenceStep(nn.Module):
    """A step that takes a clip of one frame: a frame without time axis would be a clip without rows."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(4, 3, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.rnn(x)[0]

    def step(self, x: Tensor, h: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self.rnn(x, h)


class StateFirst(Looped):
    """(state, output) comes back, the state wider than the output."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)[..., :2]

    def step(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        state = self.cell(x, state)
        return state, state[..., :2]


class Learned(Looped):
    """Begins as it has learned, in the clip and where no state is handed over."""

    def __init__(self) -> None:
        super().__init__()
        self.begin = nn.Parameter(torch.randn(3))

    def forward(self, x: Tensor) -> Tensor:
        state, outputs = self.begin.expand(len(x), 3), []
        for frame in x.unbind(1):
            state = self.cell(frame, state)
            outputs.append(state)
        return torch.stack(outputs, 1)

    def step(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return super().step(x, self.begin.expand(len(x), 3) if state is None else state)


class Stateful(Conv):
    """No clip mode: forward keeps the last frames."""

    def __init__(self) -> None:
        super().__init__()
        self.last: Tensor | None = None

    def reset_state(self) -> None:
        self.last = None

    def forward(self, x: Tensor) -> Tensor:
        x = pad(x, (2, 0)) if self.last is None else torch.cat([self.last, x], 2)
        self.last = x[:, :, -2:]
        return self.conv(x)


class StatefulPart(nn.Module):
    """The same, the state in a part of it."""

    def __init__(self) -> None:
        super().__init__()
        self.part = Stateful()

    def forward(self, x: Tensor) -> Tensor:
        return self.part(x)


class Parallel(Looped):
    """As RetNet: forward is the loss, `forward_parallel` the clip, and the position is handed over."""

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:  # type: ignore[override]
        return (self.forward_parallel(x) - labels).square().mean()

    def forward_parallel(self, x: Tensor) -> Tensor:
        return super().forward(x)

    def forward_recurrent(self, x: Tensor, seq_idx: int, prev_states: Tensor | tuple[()] = ()) -> tuple[Tensor, Tensor]:
        return super().step(x, prev_states if isinstance(prev_states, Tensor) else None)

    step = None  # type: ignore[assignment]


class OwnBuffer(Conv):
    """As pytorch-tcn: buffers may be handed over in a form that nobody can guess; without them its own are used."""

    def __init__(self) -> None:
        super().__init__()
        self.last: Tensor | None = None

    def reset_buffers(self) -> None:
        self.last = None

    def forward(self, x: Tensor, inference: bool = False, in_buffers: object = None) -> Tensor:  # type: ignore[override]
        if not inference:
            return super().forward(x)
        if in_buffers:
            raise TypeError("wants a BufferIO")
        x = pad(x, (2, 0)) if self.last is None else torch.cat([self.last, x], 2)
        self.last = x[:, :, -2:]
        return self.conv(x)


class Strided(Conv):
    """Every second frame; chunks of any size by `streaming_forward`, nothing (an empty tensor) where nothing is due."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(4, 5, 3, stride=2)
        self.left: Tensor | None = None

    def reset(self) -> None:
        self.left = None

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)

    def streaming_forward(self, x: Tensor) -> Tensor:
        x = x if self.left is None else torch.cat([self.left, x], 2)
        due = max((x.shape[2] - 1) // 2, 0)
        self.left = x[:, :, 2 * due :].clone()
        return self.conv(x) if due else x.new_zeros(len(x), 5, 0)


class OneFrame(CacheTuple):
    """With a cache it takes one frame only."""

    def forward(self, x: Tensor, cache: Tensor | None = None) -> tuple[Tensor, Tensor]:
        if cache is not None and x.shape[2] > 1:
            raise ValueError("one frame at a time, please")
        return super().forward(x, cache)


def pair() -> tuple[nn.Module, Tensor]:
    """A module with an example of its own."""
    return Summing(), torch.randn(2, 9, 4)


# -- wrong ones --------------------------------------------------------------------------------------------------------


class Stale(Buffered):
    """`reset` forgets to reset."""

    def reset(self) -> None:
        pass


class ZeroStart(Learned):
    """The step begins with zeros where nothing is handed over; `init_state` would be what the clip begins with."""

    def init_state(self, batch_size: int) -> Tensor:
        return self.begin.expand(batch_size, 3)

    def step(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return Looped.step(self, x, state)


class ZeroInit(Learned):
    """`init_state` makes zeros where the clip begins as it has learned; the step needs a state, or takes None as learned."""

    def init_state(self, batch_size: int) -> Tensor:
        return self.begin.new_zeros(batch_size, 3)

    def step(self, x: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        return super().step(x, state)


class TwoResets(Buffered):
    """The first reset leaves a frame behind."""

    def reset(self) -> None:
        self.last = self.last[:1] * 2

    def reset_state(self) -> None:
        self.last = []


class LateTap(CacheTuple):
    """The cache is one frame late."""

    def forward(self, x: Tensor, cache: Tensor | None = None) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        long = pad(x, (3, 0)) if cache is None else torch.cat([cache, x], 2)
        return self.conv(long[:, :, 1:] if cache is None else long[:, :, :-1]), long[:, :, -3:]


class WrongChunks(CacheTuple):
    """Right a frame at a time; in chunks it keeps the first frames for the last."""

    def forward(self, x: Tensor, cache: Tensor | None = None) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        output, last = super().forward(x, cache)
        return output, last if cache is None or x.shape[2] < 3 else x[:, :, :2]


class Polluted(Stateful):
    """A clip leaves its last frames behind, and nothing forgets them."""

    reset_state = None  # type: ignore[assignment]

    def forward(self, x: Tensor, streaming: bool = False) -> Tensor:  # type: ignore[override]
        if not streaming:
            self.last = x[:, :, -2:]
            return self.conv(pad(x, (2, 0)))
        return super().forward(x)


class StreamsByDefault(Conv):
    """A switch that is on by default; the clip is what it gives when it is off, and that is said."""

    def reset(self) -> None:
        self.last = None

    def forward(self, x: Tensor, streaming: bool = True) -> Tensor:  # type: ignore[override]
        if not streaming:
            return self.conv(pad(x, (2, 0)))
        last = getattr(self, "last", None)
        x = pad(x, (2, 0), value=1.0) if last is None else torch.cat([last, x], 2)
        self.last = x[:, :, -2:]
        return self.conv(x)


class WrongAxis(Summing):
    """Documented as (T, B, F), with a clip that sums over rows."""

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(x).cumsum(1)


# -- not to be guessed -------------------------------------------------------------------------------------------------

cell = nn.GRUCell(4, 3)
linear = nn.Linear(4, 3)
seven = 7


class Sized(Summing):
    """Needs an argument."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width


class Conditioned(nn.Module):
    """Two inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(4, 4, batch_first=True)

    def forward(self, x: Tensor, context: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self.rnn(x + context[:, None], state)


class OnlySteps(nn.Module):
    """No forward."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRUCell(4, 3)

    def step(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        state = self.cell(x, state)
        return state, state


class Scalar(Summing):
    """Its call is a loss."""

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(x).sum()


class Texts(Summing):
    """Its step gives no tensor."""

    def step(self, x: Tensor) -> str:  # type: ignore[override]
        return "now"


class Exits(Summing):
    """Its step leaves."""

    def step(self, x: Tensor) -> Tensor:
        raise SystemExit(3)


class Bare(nn.Module):
    """Parameters without layers: no size can be read."""

    def __init__(self) -> None:
        super().__init__()
        self.decay = nn.Parameter(torch.rand(4))

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        state, outputs = torch.zeros_like(x[:, 0]) if state is None else state, []
        for frame in x.unbind(1):
            state = self.decay * state + frame
            outputs.append(state)
        return torch.stack(outputs, 1), state


RIGHT = (
    *("gru", "lstm", "Rnn", "Looped", "TwoStates", "Buffered", "Steps", "Unresettable", "CacheTuple", "CacheInPlace"),
    *("CacheDict", "Decoder", "Tokens", "Flag", "Context", "Summing", "TimeFirst", "Positions", "SequenceStep"),
    *("StateFirst", "Learned", "Stateful", "StatefulPart", "Parallel", "OwnBuffer", "Strided", "OneFrame", "pair"),
)
WRONG = (
    "Stale",
    "ZeroStart",
    "ZeroInit",
    "TwoResets",
    "LateTap",
    "WrongChunks",
    "Polluted",
    "StreamsByDefault",
    "WrongAxis",
)
