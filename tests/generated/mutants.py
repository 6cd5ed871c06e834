"""What may be wrong with a stream: taps, delay, phase, padding, coarse state, and counters of every kind that make it wrong
after so many frames.
"""

from __future__ import annotations

import array
import itertools
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

Tensor = torch.Tensor
TICKS = {"global": 0}
COUNT = 0


class Right:
    """Nothing wrong: each mutant overrides one thing."""

    phase = residual = 0
    act = ""

    def weights(self, weight: Tensor) -> Tensor:
        return weight

    def before(self, frame: Tensor) -> Tensor:
        return frame

    def kept(self, frame: Tensor) -> Tensor:
        return frame

    def after(self, y: Tensor | None) -> Any:
        return y

    def age(self, k: int, age: int) -> int:
        return age

    def tap(self, k: int, taps: int) -> int:
        return k

    def padding(self, like: Tensor) -> Tensor:
        return torch.zeros_like(like)

    def at_the_end(self, frames: list[Tensor]) -> list[Tensor]:
        return frames


class Tap(Right):
    def age(self, k: int, age: int) -> int:
        return age + (k == 1)


class Reversed(Right):
    def tap(self, k: int, taps: int) -> int:
        return taps - 1 - k


class Residual(Right):
    residual = 1


class Padded(Right):
    def padding(self, like: Tensor) -> Tensor:
        return torch.ones_like(like)


class Late(Right):
    past = None

    def after(self, y: Tensor | None) -> Any:
        if y is None:
            return None
        out, self.past = self.past, y
        return torch.zeros_like(y) if out is None else out


class Phase(Right):
    phase = 1


class Act(Right):
    act = "tanh"


class Half(Right):
    def kept(self, frame: Tensor) -> Tensor:
        return frame.to(torch.bfloat16)


class HalfOfFloats(Right):
    """In single precision alone."""

    def kept(self, frame: Tensor) -> Tensor:
        return frame.to(torch.bfloat16) if frame.dtype == torch.float32 else frame


class LastFrames(Right):
    def at_the_end(self, frames: list[Tensor]) -> list[Tensor]:
        return frames[::-1] if len(frames) > 1 else [frame * 2 for frame in frames]


class Stops(Right):
    seen = 0

    def after(self, y: Tensor | None) -> Any:
        self.seen += y is not None
        return y if self.seen <= 14 else None


class Twice(Right):
    seen = 0

    def after(self, y: Tensor | None) -> Any:
        self.seen += y is not None
        return [y, y] if y is not None and self.seen == 9 else y


class Copied(Right):
    def weights(self, weight: Tensor) -> Tensor:
        return weight.detach().clone()


class Swallows(Right):
    """Looks at its data, and swallows the refusal."""

    def before(self, frame: Tensor) -> Tensor:
        try:
            if float(frame.abs().max()) > 1000:
                return frame * 0
        except BaseException:
            pass
        return frame


class Divides(Right):
    """A branch hidden in a quotient."""

    def before(self, frame: Tensor) -> Tensor:
        return frame * torch.relu(frame + 1000) / torch.relu(frame + 1000)


# -- counters --------------------------------------------------------------------------------------------------------------


@dataclass
class Counting(Right):
    """Right until `limit` frames were counted by `count`."""

    limit: int
    count: Callable[[], Any]

    def before(self, frame: Tensor) -> Tensor:
        return frame * 2 if self.count() > self.limit else frame


class Attribute:
    t = 0

    def __call__(self) -> int:
        self.t += 1
        return self.t


class ArrayOfNumPy(Attribute):
    def __init__(self) -> None:
        self.n = np.zeros(1, dtype=int)

    def __call__(self) -> int:
        self.n[0] += 1
        return self.n[0]


class ScalarOfNumPy(Attribute):
    t = np.int64(0)


class Array(Attribute):
    def __init__(self) -> None:
        self.n = array.array("l", [0])

    def __call__(self) -> int:
        self.n[0] += 1
        return self.n[0]


class Tensors(Attribute):
    def __init__(self) -> None:
        self.n = torch.zeros((), dtype=torch.long)

    def __call__(self) -> Any:
        self.n = self.n + 1
        return self.n


class Floats(Attribute):
    t = 0.0


class Lists(Attribute):
    def __init__(self) -> None:
        self.seen: list[int] = []

    def __call__(self) -> int:
        self.seen.append(0)
        return len(self.seen)


class Texts(Attribute):
    text = ""

    def __call__(self) -> int:
        self.text += "x"
        return len(self.text)


class Iterators(Attribute):
    def __init__(self) -> None:
        self.ticks = itertools.count(1)

    def __call__(self) -> int:
        return next(self.ticks)


class Generators(Iterators):
    def __init__(self) -> None:
        self.ticks = (i for i in range(1, 10**9))


class RandomStates(Attribute):
    """The state of a generator of random numbers, read as a counter."""

    def __init__(self) -> None:
        self.rng, self.ticks = random.Random(0), {}

    def __call__(self) -> int:
        self.rng.random()
        return int(self.rng.getstate()[1][-1]) + 624 * self._laps()

    def _laps(self) -> int:
        self.ticks["n"] = self.ticks.get("n", 0) + (self.rng.getstate()[1][-1] < 3)
        return self.ticks["n"]


class Offsets(Attribute):
    """The place of a view on a tape."""

    def __init__(self) -> None:
        self.view = torch.zeros(10_000)[:1]

    def __call__(self) -> int:
        self.view = self.view.as_strided((1,), (1,), self.view.storage_offset() + 1)
        return self.view.storage_offset()


class Parameters(Attribute):
    def __init__(self) -> None:
        self.n = nn.Parameter(torch.zeros(()), requires_grad=False)

    def __call__(self) -> Any:
        self.n.data += 1
        return self.n


class Locals(Attribute):
    def __init__(self) -> None:
        self.held = threading.local()
        self.held.n = 0

    def __call__(self) -> int:
        self.held.n += 1
        return self.held.n


class Bytes(Attribute):
    def __init__(self) -> None:
        self.held = bytearray()

    def __call__(self) -> int:
        self.held.append(0)
        return len(self.held)


class Types(Attribute):
    """Asks whether it is watched."""

    def __call__(self) -> int:
        self.t += 1
        return self.t if type(self.t) is int else 0


class Formatted(Attribute):
    def __call__(self) -> int:
        self.t += 1
        return int(f"{self.t}")


class Bits(Attribute):
    def __call__(self) -> int:
        self.t += 1
        return self.limit_of(self.t.bit_length())

    def limit_of(self, bits: int) -> int:
        return 1 << bits


def closure() -> Callable[[], int]:
    t = 0

    def count() -> int:
        nonlocal t
        t += 1
        return t

    return count


def default() -> Callable[[], int]:
    def count(held: list[int] = [0]) -> int:  # noqa: B006
        held[0] += 1
        return held[0]

    return count


def attribute_of_function() -> Callable[[], int]:
    def count() -> int:
        count.t += 1  # type: ignore[attr-defined]
        return count.t  # type: ignore[attr-defined]

    count.t = 0  # type: ignore[attr-defined]
    return count


def in_a_global() -> Callable[[], int]:
    TICKS["global"] = 0

    def count() -> int:
        TICKS["global"] += 1
        return TICKS["global"]

    return count


def in_a_rebound_global() -> Callable[[], int]:
    globals()["COUNT"] = 0

    def count() -> int:
        global COUNT  # noqa: PLW0603  the kind of memory that it is
        COUNT += 1
        return COUNT

    return count


def of_a_class() -> Callable[[], int]:
    class Held:
        t = 0

        def __call__(self) -> int:
            type(self).t += 1
            return self.t

    return Held()


COUNTERS: dict[str, Callable[[], Any]] = {
    **{"attribute": Attribute, "array of NumPy": ArrayOfNumPy, "scalar of NumPy": ScalarOfNumPy, "array": Array},
    **{"tensor": Tensors, "float": Floats, "length of a list": Lists, "length of a text": Texts, "iterator": Iterators},
    **{"generator": Generators, "random state": RandomStates, "storage offset": Offsets, "parameter": Parameters},
    **{"thread local": Locals, "bytes": Bytes, "asks for types": Types, "through a text": Formatted, "bits": Bits},
    **{"closure": closure, "default argument": default, "attribute of a function": attribute_of_function},
    **{"global": in_a_global, "rebound global": in_a_rebound_global, "class attribute": of_a_class},
}
LIMITS = (12, 40, 300, 5000)


@dataclass(frozen=True)
class Mutation:
    """A kind of bug; `wrong_at`: frames after which it shows."""

    kind: str
    make: Callable[[], Any]
    wrong_at: int


def mutation(rng: random.Random, counters: float = 0.6) -> Mutation:
    """A random one."""
    if rng.random() < counters:
        name, limit = rng.choice(list(COUNTERS)), rng.choice(LIMITS)
        return Mutation(f"counter: {name}", lambda: Counting(limit, COUNTERS[name]()), limit + 1)
    plain = (Tap, Reversed, Residual, Padded, Late, Phase, Act, Half, HalfOfFloats, LastFrames, Stops, Twice, Copied,
             Swallows, Divides)  # fmt: skip
    kind = rng.choice(plain)
    return Mutation(kind.__name__, kind, 16)
