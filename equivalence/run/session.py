"""A session: one subject, made ready to be run, its clips, streams, inputs and weights; put back as it was. No judgement."""

from __future__ import annotations

import contextlib
import copy
import functools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Generic, TypeVar, cast

import torch

from coequal.equivalence.run.examples import Example
from coequal.equivalence.run.facts import Facts
from coequal.equivalence.run.player import Player, StreamRaised, Trace, first_line
from coequal.equivalence.run.ran import Ran
from coequal.equivalence.run.weights import borrowed, drawn, put
from coequal.proofs.field.errors import Undisturbed
from coequal.subjects.chunks import Chunks, plan_of
from coequal.subjects.errors import BadSubject
from coequal.subjects.subject import Subject

Tensor = torch.Tensor


class ClipRaised(RuntimeError):
    """The clip function refused an input."""


class Numbers:
    """What a session computes with: ordinary numbers here. When two are the same is for `compare` to say."""

    symbolic = False  # weights are symbols already: none are drawn

    def draw(self, session: Session[Any], length: int, batch: int, seed: int) -> Tensor:
        """A clip of so many frames and rows."""
        return session.random(length, batch, seed)

    def in_clip(self) -> contextlib.AbstractContextManager[None]:
        """Around each run of the clip function."""
        return contextlib.nullcontext()

    def suspended(self) -> contextlib.AbstractContextManager[None]:
        """Inside, numbers are ordinary ones."""
        return contextlib.nullcontext()

    def raised(self, session: Session[Any], x: Tensor, error: ClipRaised) -> None:
        """The clip function raised: it refuses this input, unless these numbers are to blame."""


N = TypeVar("N", bound=Numbers)
M = TypeVar("M", bound=Numbers)


class Session(Generic[N]):
    """Inputs, weights, clip runs and stream runs of one subject. Use it within `ready`."""

    def __init__(
        self, subject: Subject, seed: int, numbers: N, *, dtype: torch.dtype | None = None, facts: Facts | None = None
    ) -> None:
        self.subject, self.seed, self.numbers, self.wanted = subject, seed, numbers, dtype
        self.plan = plan_of(subject.plan)
        self.output_time = subject.time if subject.output_time is None else subject.output_time
        self.floating = subject.example.is_floating_point()
        self.dtype = dtype or torch.float64
        self.native = subject.example.dtype if self.floating else _native(subject.modules)  # the subject's own format
        self.example_length = subject.example.shape[subject.time]
        self.facts = facts or Facts(reach=subject.window or min(8, self.example_length))
        self.refused: dict[int, bool] = {}  # lengths, and whether the clip function refuses them
        self.ran = Ran()  # what was run at all: the scope of the answer
        self.comparisons: list[Any] = []  # made in this session

    def legal(self, length: int) -> int:
        """The greatest length up to `length` that the plan allows."""
        return self.plan.legal(length)

    def note(self, comparison: Any) -> None:
        """Something was compared."""
        self.comparisons.append(comparison)

    # -- other sessions of the same subject ----------------------------------------------------------------------------

    def knowing(self, **facts: Any) -> Session[N]:
        """The same, with more facts."""
        other = copy.copy(self)
        other.facts = replace(self.facts, **facts)
        return other

    def apart(self) -> Session[N]:
        """The same, with no comparisons made."""
        other = copy.copy(self)
        other.comparisons = []
        return other

    def computing(self, numbers: M) -> Session[M]:
        """The same with other numbers, and no comparisons made. What runs on symbols is none of what was run on floats."""
        other = cast("Session[M]", self.apart())
        other.numbers, other.ran = numbers, Ran() if numbers.symbolic else self.ran
        return other

    def in_dtype(self, dtype: torch.dtype, numbers: M) -> Session[M]:
        """The same subject in another precision, to be made ready; what was found out stays."""
        other = Session(self.subject, self.seed, numbers, dtype=dtype, facts=self.facts)
        other.ran = self.ran
        return other

    def window_of(self, x: Tensor) -> Tensor:
        """The first frames of a clip, as many as the clip function takes."""
        time, window = self.subject.time, self.subject.window
        return x if window is None else x.narrow(time, 0, min(window, x.shape[time]))

    # -- set-up ------------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def ready(self) -> Iterator[Session[N]]:
        """Double precision if the subject can compute in it, otherwise its own; everything is put back at the end."""
        module = self.subject.modules
        chosen = self.wanted or torch.float64
        with contextlib.ExitStack() as stack:
            attempt = stack.enter_context(contextlib.ExitStack())
            attempt.enter_context(borrowed(module, chosen))
            self.dtype = chosen
            if chosen != self.native and not self._runs():
                attempt.close()
                stack.enter_context(borrowed(module, None))
                self.dtype = self.native
            yield self

    def _runs(self) -> bool:
        """Whether clip and stream take the example in the chosen precision and answer in it."""
        try:
            with torch.no_grad():
                x = self.cast(self.subject.example)
                output = self.subject.clip(x.clone())
                if not isinstance(output, Tensor) or (output.is_floating_point() and output.dtype != self.dtype):
                    return False
                Player(self.subject.stream(), self.subject.time, self.output_time).feed(x, self.plan_chunks(x))
        except Exception:
            return False
        return True

    def plan_chunks(self, x: Tensor, style: str = "smallest", seed: int = 0) -> Chunks | None:
        """Chunk sizes for a whole clip; None: frame by frame."""
        if style == "smallest" and self.plan.allows((1, 1)) and self.steps:
            return None
        return self.plan.split(x.shape[self.subject.time], style, seed)

    @functools.cached_property
    def steps(self) -> bool:
        """Whether streams take single frames; asked once, since making a stream may disturb one that runs."""
        return hasattr(self.subject.stream(), "step")

    # -- inputs and weights --------------------------------------------------------------------------------------------

    def cast(self, x: Tensor) -> Tensor:
        """Floating-point inputs in the precision of the comparison; integers as they are."""
        return x.detach().to(self.dtype) if x.is_floating_point() else x.detach()

    def inputs(self, length: int, batch: int, seed: int) -> Tensor:
        """A clip with this many frames and rows, in the session's numbers."""
        return self.numbers.draw(self, length, batch, seed)

    def random(self, length: int, batch: int, seed: int) -> Tensor:
        """A random clip like the example. Values are those of single precision."""
        subject, example = self.subject, self.subject.example
        if subject.inputs is not None:
            x = subject.inputs(length, batch, seed)
            if not isinstance(x, Tensor):
                raise BadSubject(
                    f"Subject.inputs(length, batch, seed) returned {type(x).__name__}: expected a tensor, the clip"
                )
            return self.cast(x)
        shape = list(example.shape)
        shape[subject.time] = length
        if subject.batch is not None:
            shape[subject.batch] = batch
        generator = torch.Generator().manual_seed(seed % 2**63)
        if not self.floating:
            low, high = (int(example.min()), int(example.max())) if example.numel() else (0, 1)
            return torch.randint(low, max(high, low) + 1, shape, generator=generator).to(example.device, example.dtype)
        spread = float(example.double().std()) if example.numel() > 1 else 1.0
        spread = spread if 0 < spread < float("inf") else 1.0
        return (torch.randn(shape, generator=generator) * spread).to(example.device, self.dtype)

    @property
    def batch(self) -> int:
        """The example's number of rows."""
        return 1 if self.subject.batch is None else self.subject.example.shape[self.subject.batch]

    @contextlib.contextmanager
    def weights(self, example: Example) -> Iterator[None]:
        """Inside, the weights of an example: drawn at its scale, or those the subject came with."""
        module = self.subject.modules
        if module is None or example.scale is None or self.numbers.symbolic or self.facts.unread:
            yield
            return
        with borrowed(module, None):
            put(module, drawn(module, example.seed, example.scale))
            yield

    # -- running -------------------------------------------------------------------------------------------------------

    def clip(self, x: Tensor) -> Tensor | None:
        """The clip function's output; None where it refuses this input (a clip shorter than the kernel, say)."""
        try:
            return self.clip_or_raise(x)
        except ClipRaised as error:
            self.numbers.raised(self, x, error)
            return None

    def refuses(self, length: int) -> bool:
        """Whether the clip function refuses clips of so many frames, of ordinary numbers."""
        if length not in self.refused:
            with self.numbers.suspended():
                try:
                    self._clip(self.random(length, self.batch, self.seed))
                    self.refused[length] = False
                except ClipRaised:
                    self.refused[length] = True
        return self.refused[length]

    def clip_or_raise(self, x: Tensor) -> Tensor:
        """The clip function's output. BadSubject: not a tensor, or another dtype; ClipRaised: it raised."""
        with self.numbers.in_clip():
            return self._clip(x)

    def _clip(self, x: Tensor) -> Tensor:
        try:
            output = self.subject.clip(x.clone())
        except (BadSubject, Undisturbed):
            raise
        except (Exception, SystemExit) as error:
            raise ClipRaised(f"{type(error).__name__}: {first_line(error)}") from error
        if not isinstance(output, Tensor):
            raise BadSubject(
                f"clip(x) returned {type(output).__name__}: expected a tensor (select one in the subject's clip)"
            )
        if output.is_floating_point() and x.is_floating_point() and output.dtype != x.dtype:
            raise BadSubject(f"clip(x) returned {output.dtype} for an input of {x.dtype}: expected the same dtype")
        return output.detach()

    def player(self, *, keep: bool = False, refill: bool = False) -> Player:
        """A fresh stream with nothing fed; `refill`: it will be handed one tensor object, refilled for each frame."""
        try:
            stream = self.subject.stream()
        except Undisturbed:
            raise
        except (Exception, SystemExit) as error:
            raise StreamRaised(f"stream() raised {type(error).__name__}: {first_line(error)}") from error
        return Player(stream, self.subject.time, self.output_time, keep=keep, refill=refill)

    def play(self, x: Tensor, chunks: Chunks | None = None) -> Trace:
        """A whole clip through a fresh stream, then the flush."""
        sizes = self.plan_chunks(x) if chunks is None else chunks
        shape = tuple(n for axis, n in enumerate(x.shape) if axis not in (self.subject.time, self.subject.batch))
        rows = None if self.subject.batch is None else x.shape[self.subject.batch]
        self.ran.note(self.dtype if self.floating else x.dtype, x.device, shape, rows, x.shape[self.subject.time], sizes)
        return self.player().feed(x, sizes).flush().trace


def _native(module: torch.nn.Module | None) -> torch.dtype:
    """The floating-point format of a module's parameters."""
    found = next((p.dtype for p in module.parameters() if p.is_floating_point()), None) if module is not None else None
    return torch.get_default_dtype() if found is None else found
