"""A session: one subject, made ready to be run, its clips, streams, inputs and weights; put back as it was. No judgement."""

from __future__ import annotations

import contextlib
import copy
import functools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Generic, TypeVar, cast

import torch

from coequal.equivalence.run.drawing import drawn_like
from coequal.equivalence.run.examples import Example
from coequal.equivalence.run.facts import Facts
from coequal.equivalence.run.player import Player, StreamRaised, Trace, first_line
from coequal.equivalence.run.ran import Ran
from coequal.equivalence.run.weights import borrowed, drawn, put
from coequal.proofs.field.errors import Undisturbed
from coequal.subjects.chunks import Chunks, plan_of
from coequal.subjects.errors import BadSubject, ensure_memory
from coequal.subjects.inputs import Tree, called, cloned, leaves_of, mapped
from coequal.subjects.subject import Subject

Tensor = torch.Tensor


class ClipRaised(RuntimeError):
    """The clip function refused an input."""


class Numbers:
    """What a session computes with: ordinary numbers here. When two are the same is for `compare` to say."""

    symbolic = False  # weights are symbols already: none are drawn

    def draw(self, session: Session[Any], length: int, batch: int, seed: int) -> Tree:
        """A clip of so many frames and rows."""
        return session.random(length, batch, seed)

    def in_clip(self) -> contextlib.AbstractContextManager[None]:
        """Around each run of the clip function."""
        return contextlib.nullcontext()

    def suspended(self) -> contextlib.AbstractContextManager[None]:
        """Inside, numbers are ordinary ones."""
        return contextlib.nullcontext()

    def raised(self, session: Session[Any], x: Tree, error: ClipRaised) -> None:
        """The clip function raised: it refuses this input, unless these numbers are to blame."""


N = TypeVar("N", bound=Numbers)
M = TypeVar("M", bound=Numbers)


class Session(Generic[N]):
    """Inputs, weights, clip runs and stream runs of one subject. Use it within `ready`."""

    def __init__(
        self, subject: Subject, seed: int, numbers: N, *, dtype: torch.dtype | None = None, facts: Facts | None = None
    ) -> None:
        self.subject, self.seed, self.numbers, self.wanted = subject, seed, numbers, dtype
        self.plan = plan_of(subject.plan, subject.longest)
        self.layout, self.outputs = subject.layout, subject.outputs()
        self.floating = bool(self.layout.data(subject.example))
        self.dtype = dtype or torch.float64
        self.native = _native(subject, self.layout.data(subject.example))  # the subject's own format
        self.example_length = self.layout.length(subject.example)
        self.facts = facts or Facts(reach=subject.window or min(8, self.example_length))
        self.refused: dict[int, bool] = {}  # lengths, and whether the clip function refuses them
        self.ran = Ran()  # what was run at all: the scope of the answer
        self.comparisons: list[Any] = []  # made in this session
        self.playing: list[Player] = []  # of streams that live one at a time, the one that lives
        self.cut = "smallest"  # the style in which clips are cut where nothing else is said
        self.entered: list[bool] = []  # whether streams are context managers, once that was seen

    @property
    def output_time(self) -> int:
        """Time axis of the clip's output that is looked at."""
        return self.outputs.axis

    @property
    def alone(self) -> bool:
        """Whether streams live one at a time: a new one ends the last."""
        return self.subject.streams == "one at a time" or bool(self.entered)

    def looking_at(self, leaf: str) -> Session[N]:
        """The same, of another of the outputs."""
        other = copy.copy(self)
        other.outputs = self.outputs.at(leaf)
        return other

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

    def unseen(self) -> Session[N]:
        """The same; what is run is not counted among what was compared."""
        other = copy.copy(self)
        other.ran = Ran()
        return other

    def computing(self, numbers: M) -> Session[M]:
        """The same with other numbers, and no comparisons made. What runs on symbols is none of what was run on floats."""
        other = cast("Session[M]", self.apart())
        other.numbers, other.ran = numbers, Ran() if numbers.symbolic else self.ran
        return other

    def in_dtype(self, dtype: torch.dtype, numbers: M) -> Session[M]:
        """The same subject in another precision, to be made ready; what was found out stays."""
        other = Session(self.subject, self.seed, numbers, dtype=dtype, facts=self.facts)
        other.ran, other.playing, other.entered, other.outputs = self.ran, self.playing, self.entered, self.outputs
        return other

    def window_of(self, x: Tree) -> Tree:
        """The first frames of a clip, as many as the clip function takes."""
        window = self.subject.window
        return x if window is None else self.layout.part(x, 0, min(window, self.layout.length(x)))

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
            try:
                yield self
            finally:
                self.leave()

    def _runs(self) -> bool:
        """Whether clip and stream take the example in the chosen precision and answer in it."""
        try:
            with torch.no_grad():
                x = self.cast(self.subject.example)
                output = self.outputs.of_clip(called(self.subject.clip, cloned(x), "clip"))
                if output.is_floating_point() and output.dtype != self.dtype:
                    return False
                player = self.player().feed(x, self.plan_chunks(x))
                player.leave()
        except Exception:
            return False
        emitted = {frame.dtype for frame in player.trace.frames if frame.is_floating_point()}
        return not output.is_floating_point() or emitted <= {self.dtype}

    def cutting(self) -> Session[N]:
        """The same, of streams that are fed in chunks of mixed sizes."""
        other = copy.copy(self)
        other.cut = "mixed"
        return other

    def plan_chunks(self, x: Tree, style: str = "", seed: int = 0) -> Chunks | None:
        """Chunk sizes for a whole clip; None: frame by frame."""
        style = style or self.cut
        if style == "smallest" and self.plan.allows((1, 1)) and self.steps:
            return None
        return self.plan.split(self.layout.length(x), style, seed)

    @functools.cached_property
    def steps(self) -> bool:
        """Whether streams take single frames; asked once, since making a stream may disturb one that runs."""
        return not (self.plan.ahead or self.plan.whole) and self.has("step")

    def has(self, method: str) -> bool:
        """Whether streams have a method."""
        player = self._made()
        found = callable(getattr(player.stream, method, None))
        player.leave()
        return found

    # -- inputs and weights --------------------------------------------------------------------------------------------

    def cast(self, x: Tree) -> Tree:
        """Floating-point inputs in the precision of the comparison; integers as they are."""
        return mapped(lambda leaf: leaf.detach().to(self.dtype) if leaf.is_floating_point() else leaf.detach(), x)

    def inputs(self, length: int, batch: int, seed: int) -> Tree:
        """A clip with this many frames and rows, in the session's numbers."""
        return self.numbers.draw(self, length, batch, seed)

    def random(self, length: int, batch: int, seed: int) -> Tree:
        """A random clip like the example. Values are those of single precision, or of the example's double."""
        subject = self.subject
        if subject.inputs is None:
            return self.cast(drawn_like(subject, length, batch, seed))
        asked = f"Subject.inputs(length={length}, batch={batch}, seed={seed})"
        try:
            x = subject.inputs(length, batch, seed)
        except Exception as error:
            raise BadSubject(f"{asked} raised {type(error).__name__}: {first_line(error)}") from error
        if isinstance(subject.example, Tensor) and not isinstance(x, Tensor):
            raise BadSubject(f"{asked} returned {type(x).__name__}: expected a tensor, the clip")
        alone = isinstance(subject.example, Tensor)
        if isinstance(x, Tensor) != alone or leaves_of(x).keys() != leaves_of(subject.example).keys():
            raise BadSubject(f"{asked} returned other inputs than the example has")
        if self.layout.length(x) != length:
            raise BadSubject(f"{asked} returned a clip of {self.layout.length(x)} frames")
        return self.cast(x)

    @property
    def batch(self) -> int:
        """The example's number of rows."""
        return self.layout.rows(self.subject.example) or 1

    @property
    def rows(self) -> int:
        """The fewest rows that are legal."""
        if self.layout.rows(self.subject.example) is None or self.subject.batches is None:
            return 1
        return min(self.subject.batches)

    def takes(self, rows: int) -> bool:
        """Whether so many rows are legal."""
        return self.subject.batches is None or rows in self.subject.batches

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

    def clip(self, x: Tree) -> Tensor | None:
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

    def clip_or_raise(self, x: Tree) -> Tensor:
        """The clip function's output. BadSubject: not a tensor, or another dtype; ClipRaised: it raised."""
        with self.numbers.in_clip():
            return self._clip(x)

    def _clip(self, x: Tree) -> Tensor:
        try:
            whole = called(self.subject.clip, cloned(x), "clip")
        except (BadSubject, Undisturbed):
            raise
        except (Exception, SystemExit) as error:
            ensure_memory(error)
            raise ClipRaised(f"{type(error).__name__}: {first_line(error)}") from error
        output, data = self.outputs.of_clip(whole), self.layout.data(x)
        expected = leaves_of(x)[data[0]].dtype if data else output.dtype
        if output.is_floating_point() and output.dtype != expected:
            raise BadSubject(f"clip(x) returned {output.dtype} for an input of {expected}: expected the same dtype")
        return output.detach()

    def player(self, *, keep: bool = False, refill: bool = False) -> Player:
        """A fresh stream with nothing fed; `refill`: it will be handed one tensor object, refilled for each frame."""
        _ = self.steps  # asked of a stream of its own, which would end this one where one lives at a time
        return self._made(keep=keep, refill=refill)

    def _made(self, *, keep: bool = False, refill: bool = False) -> Player:
        self.leave()
        try:
            stream = self.subject.stream()
        except Undisturbed:
            raise
        except (Exception, SystemExit) as error:
            ensure_memory(error)
            raise StreamRaised(f"stream() raised {type(error).__name__}: {first_line(error)}") from error
        return self.player_of(stream, keep=keep, refill=refill)

    def leave(self) -> None:
        """End the stream that lives, where they live one at a time: its `with` block may hold the module."""
        while self.playing:
            self.playing.pop().end()

    def player_of(self, stream: Any, *, keep: bool = False, refill: bool = False) -> Player:
        """A stream that is there already."""
        subject = self.subject
        player = Player(
            stream, self.layout, self.outputs, self.plan, subject.ignore, subject.warm_up, keep=keep, refill=refill
        )
        if player.manager is not None and not self.entered:
            self.entered.append(True)
        if self.alone:
            self.playing.append(player)
        return player

    def play(self, x: Tree, chunks: Chunks | None = None) -> Trace:
        """A whole clip through a fresh stream, then the flush."""
        sizes, layout = self.plan_chunks(x) if chunks is None else chunks, self.layout
        leaf, time, rows = leaves_of(x)[layout.lead], layout.time_axis, layout.batch[layout.lead]
        shape = tuple(n for axis, n in enumerate(leaf.shape) if axis not in (time, rows))
        dtype = self.dtype if self.floating else leaf.dtype
        self.ran.note(dtype, leaf.device, shape, layout.rows(x), layout.length(x), sizes)
        return self.player().feed(x, sizes).flush().trace


def _native(subject: Subject, data: list[str]) -> torch.dtype:
    """The floating-point format of the data, or of a module's parameters."""
    if data:
        return leaves_of(subject.example)[data[0]].dtype
    module = subject.modules
    found = next((p.dtype for p in module.parameters() if p.is_floating_point()), None) if module is not None else None
    return torch.get_default_dtype() if found is None else found
