"""Random small networks, each written twice: as a clip function, and as a stream with a memory of one of many kinds.

A network is a causal (or centred) filter of a few taps, dilated, maybe strided, with a non-linearity and a residual. The
stream asks its memory for the frame that is so many frames old; kinds of memory differ in how they hold it. Nothing here is
shared between the two but the weights.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import random
import types
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from coequal.subjects.subject import Subject

Tensor = torch.Tensor
ACTS: dict[str, Callable[[Tensor], Tensor]] = {
    "none": lambda x: x,
    "relu": torch.relu,
    "tanh": torch.tanh,
    "gelu": nn.functional.gelu,
    "norm": lambda x: nn.functional.layer_norm(x.transpose(1, -1), (x.shape[1],)).transpose(1, -1),
}


@dataclasses.dataclass(frozen=True)
class Net:
    """Taps, dilation, stride in time, frames of lookahead, non-linearity, residual, whether the filter is zero at first."""

    taps: int = 3
    dilation: int = 1
    stride: int = 1
    ahead: int = 0
    act: str = "none"
    residual: bool = False
    zero: bool = False
    channels: int = 2

    @classmethod
    def drawn(cls, rng: random.Random) -> Net:
        """At random; a strided one looks at nothing ahead and has no residual."""
        stride = rng.choice((1, 1, 1, 2))
        return cls(
            rng.randint(2, 4), rng.choice((1, 1, 2, 3)), stride, rng.choice((0, 0, 1, 2)) if stride == 1 else 0,
            rng.choice(list(ACTS)), stride == 1 and rng.random() < 0.4, rng.random() < 0.15, rng.choice((2, 3)),
        )  # fmt: skip

    def filter(self, rng: random.Random) -> nn.Parameter:
        """Weights `(taps, C, C)`."""
        generator = torch.Generator().manual_seed(rng.randrange(2**31))
        values = torch.randn(self.taps, self.channels, self.channels, generator=generator)
        return nn.Parameter(values * (0.0 if self.zero else 1.0))

    def clip(self, weight: Tensor, x: Tensor) -> Tensor:
        """`(B, C, T)`: pads zeros before, and behind as many as it looks ahead."""
        reach = (self.taps - 1) * self.dilation
        padded = nn.functional.pad(x, (reach - self.ahead, self.ahead) if self.ahead <= reach else (0, reach))
        kernel = weight.flip(0).permute(2, 1, 0)  # tap k sees the frame k dilations back
        y = ACTS[self.act](nn.functional.conv1d(padded, kernel, dilation=self.dilation, stride=self.stride))
        return y + x if self.residual else y

    @property
    def late(self) -> int:
        """Frames of delay."""
        return min(self.ahead, (self.taps - 1) * self.dilation)


class Memory:
    """The last frames; `get(age)` is None where there is none so old."""

    def push(self, frame: Tensor) -> None:
        raise NotImplementedError

    def get(self, age: int) -> Tensor | None:
        raise NotImplementedError


class Listed(Memory):
    def __init__(self, size: int) -> None:
        self.size, self.frames = size, list[Tensor]()

    def push(self, frame: Tensor) -> None:
        self.frames = [frame.clone(), *self.frames][: self.size]

    def get(self, age: int) -> Tensor | None:
        return self.frames[age] if age < len(self.frames) else None


class Deque(Memory):
    def __init__(self, size: int) -> None:
        self.frames = collections.deque[Tensor](maxlen=size)

    def push(self, frame: Tensor) -> None:
        self.frames.appendleft(frame.clone())

    def get(self, age: int) -> Tensor | None:
        return self.frames[age] if age < len(self.frames) else None


class Ring(Memory):
    def __init__(self, size: int) -> None:
        self.size, self.n, self.ring = size, 0, [None] * size

    def push(self, frame: Tensor) -> None:
        self.ring[self.n % self.size] = frame.clone()
        self.n += 1

    def get(self, age: int) -> Tensor | None:
        return self.ring[(self.n - 1 - age) % self.size]


class Rolled(Memory):
    def __init__(self, size: int) -> None:
        self.size, self.buffer = size, None

    def push(self, frame: Tensor) -> None:
        old = frame.new_zeros(self.size, *frame.shape) if self.buffer is None else self.buffer
        self.buffer = torch.cat([frame[None], old[:-1]])

    def get(self, age: int) -> Tensor | None:
        return self.buffer[age]


class Buffered(nn.Module, Memory):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("past", None)

    def push(self, frame: Tensor) -> None:
        old = frame.new_zeros(self.size, *frame.shape) if self.past is None else self.past
        self.past = torch.cat([frame[None], old[:-1]])

    def get(self, age: int) -> Tensor | None:
        return self.past[age]


class TensorRing(Memory):
    def __init__(self, size: int) -> None:
        self.size, self.n, self.ring = size, torch.zeros((), dtype=torch.long), None

    def push(self, frame: Tensor) -> None:
        self.ring = frame.new_zeros(self.size, *frame.shape) if self.ring is None else self.ring
        self.ring[self.n % self.size] = frame
        self.n = self.n + 1

    def get(self, age: int) -> Tensor | None:
        return self.ring[(self.n - (1 + age)) % self.size]


class Slotted(Memory):
    __slots__ = ("__frames", "size")

    def __init__(self, size: int) -> None:
        self.size, self.__frames = size, ()

    def push(self, frame: Tensor) -> None:
        self.__frames = (frame.clone(), *self.__frames)[: self.size]

    def get(self, age: int) -> Tensor | None:
        return self.__frames[age] if age < len(self.__frames) else None


class InADict(Memory):
    """A `state` property that builds a dictionary, as many libraries have it."""

    def __init__(self, size: int) -> None:
        self.size, self.held = size, {}

    @property
    def state(self) -> dict:
        return dict(self.held)

    @state.setter
    def state(self, value: dict) -> None:
        self.held = dict(value)

    def push(self, frame: Tensor) -> None:
        older = {age + 1: kept for age, kept in self.held.items() if age + 1 < self.size}
        self.held = {0: frame.clone(), **older}

    def get(self, age: int) -> Tensor | None:
        return self.held.get(age)


def closed_over(size: int) -> Any:
    """A memory in the variables of a closure."""
    frames: list[Tensor] = []

    def push(frame: Tensor) -> None:
        nonlocal frames
        frames = [frame.clone(), *frames][:size]

    return types.SimpleNamespace(push=push, get=lambda age: frames[age] if age < len(frames) else None)


def partially(size: int) -> Any:
    """A memory in the dictionary of a partial."""
    memory: dict[str, Any] = {"frames": []}

    def push(held: dict[str, Any], frame: Tensor) -> None:
        held["frames"] = [frame.clone(), *held["frames"]][:size]

    def get(held: dict[str, Any], age: int) -> Tensor | None:
        return held["frames"][age] if age < len(held["frames"]) else None

    return types.SimpleNamespace(push=functools.partial(push, memory), get=functools.partial(get, memory))


MEMORIES: dict[str, Callable[[int], Any]] = {
    **{"list": Listed, "deque": Deque, "ring": Ring, "rolled tensor": Rolled, "buffer of a module": Buffered},
    **{"ring with a tensor counter": TensorRing, "private slots": Slotted, "state property": InADict},
    **{"closure": closed_over, "partial": partially},
}


class Stream:
    """The network a frame at a time; `bug` is what is wrong with it, see `mutants.py`."""

    def __init__(self, net: Net, weight: Tensor, memory: Any, bug: Any) -> None:
        self.net, self.weight, self.memory, self.bug = net, weight, memory, bug
        self.seen, self.dtype = 0, None

    def step(self, frame: Tensor) -> Tensor | None:
        """One frame in, one out once the lookahead is filled; a strided one emits every so often."""
        self.dtype = frame.dtype
        frame = self.bug.before(frame)
        self.memory.push(self.bug.kept(frame))
        return self.bug.after(self._emission(frame))

    def _emission(self, like: Tensor) -> Tensor | None:
        net = self.net
        phase = (self.seen - self.bug.phase) % net.stride
        started, self.seen = self.seen >= net.late, self.seen + 1 if self.seen < net.late + net.stride else self.seen
        if net.stride > 1:
            self.seen = self.seen % net.stride
            return self._computed(like) if phase == 0 else None
        return self._computed(like) if started else None

    def _computed(self, like: Tensor) -> Tensor:
        net, total = self.net, torch.zeros_like(like)
        for k in range(net.taps):
            weight = self.weight[self.bug.tap(k, net.taps)]
            old = self.memory.get(self.bug.age(k, k * net.dilation))
            old = self.bug.padding(like) if old is None else old
            total = total + old.to(like.dtype) @ weight
        y = ACTS[self.bug.act or net.act](total)
        if net.residual:
            own = self.memory.get(net.late + self.bug.residual)
            y = y + (torch.zeros_like(like) if own is None else own.to(like.dtype))
        return y


class Flushing(Stream):
    """One that looks ahead, and at the end of the stream at zeros."""

    def flush(self) -> list[Tensor]:
        """As many frames as it is late."""
        like = self.memory.get(0)
        if like is None:
            return []
        like, frames = like.to(self.dtype), []
        for _ in range(self.net.late):
            self.memory.push(torch.zeros_like(like))
            y = self._emission(like)
            frames += [] if y is None else [y]
        return self.bug.at_the_end(frames)


def subject(net: Net, kind: str, bug: Callable[[], Any], seed: int) -> Subject:
    """The clip function and the stream with this memory and this bug."""
    rng = random.Random(seed)
    module = nn.ParameterDict({"filter": net.filter(rng)})
    size = (net.taps - 1) * net.dilation + 3

    def stream() -> Any:
        made = bug()
        return (Flushing if net.late else Stream)(net, made.weights(module["filter"]), MEMORIES[kind](size), made)

    example = torch.randn(1, net.channels, 8, generator=torch.Generator().manual_seed(seed))
    return Subject(clip=lambda x: net.clip(module["filter"], x), stream=stream, example=example, modules=module)
