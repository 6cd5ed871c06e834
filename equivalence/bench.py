"""The workbench: one subject, made ready to be compared in double precision, and put back as it was."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Container, Iterator
from dataclasses import dataclass

import torch

from coequal.equivalence import quality
from coequal.equivalence.compare import Limit, close, compare_stream, compare_windows, first_value
from coequal.equivalence.errors import BadSubject
from coequal.equivalence.regions import Regions
from coequal.equivalence.runner import Player, StreamRaised, Trace, first_line
from coequal.equivalence.schedule import Chunks, plan_of
from coequal.equivalence.scope import Ran
from coequal.equivalence.subject import Subject
from coequal.equivalence.weights import borrowed, drawn, put
from coequal.proofs.eager import eagerly
from coequal.proofs.field.errors import Undisturbed

Tensor = torch.Tensor


@dataclass(frozen=True)
class Example:
    """One comparison: everything that it depends on. `scale` None means the weights the subject came with."""

    length: int
    batch: int
    seed: int
    scale: float | None = None
    chunks: Chunks | None = None
    variant: str = ""
    format: str | None = None  # a floating-point format, by name; None: that of the comparison


class Bench:
    """Inputs, weights, clip runs, stream runs and comparisons of one subject. Use it as a context."""

    def __init__(self, subject: Subject, seed: int = 0, dtype: torch.dtype | None = None) -> None:
        self.subject, self.seed, self.wanted = subject, seed, dtype
        self.plan = plan_of(subject.plan)
        self.output_time = subject.time if subject.output_time is None else subject.output_time
        self.floating = subject.example.is_floating_point()
        self.dtype = torch.float64
        self.native = subject.example.dtype if self.floating else _native(subject.modules)  # the subject's own format
        self.coarsest = torch.float64
        self.example_length = subject.example.shape[subject.time]
        # what the baseline finds out, see verify.py
        self.reach = subject.window or min(8, self.example_length)  # frames after which nothing new can happen
        self.owed = 0  # frames that a stream without a flush may keep for itself
        self.due: tuple[int, int] | None = None  # in window mode: the first emission after so many frames, and the gap
        self.scale: float | None = None  # of the weights where an example does not choose: None, those given
        self.frame_of_window = -1  # in window mode, which frame of the clip's result an emission is
        self.exact = False  # nothing counts as rounding
        self.full = False  # inputs use all digits of the format, where they are otherwise those of single precision
        self.unexplained = ""  # a difference in the subject's own format that no rounding explains, and double does not show
        self.worst: float | None = None  # while differences are measured, not judged: the greatest so far
        self.lossy = (0.0, "")  # the greatest difference that was rounding, but beyond the clip's own
        self.one_row = False  # long streams with a single row
        self.regions = Regions()  # what was compared, by region of the stream
        self.unread: tuple[str, ...] = ()  # parameters that the stream does not read from the modules: none are drawn then
        self.refused: dict[int, bool] = {}  # lengths, and whether the clip function refuses them
        self.ran = Ran()  # what was run at all: the scope of the answer

    def legal(self, length: int) -> int:
        """The greatest length up to `length` that the plan allows."""
        return self.plan.legal(length)

    def alike(self, dtype: torch.dtype) -> Bench:
        """The same subject in another precision, with what the baseline found out."""
        other = Bench(self.subject, self.seed, dtype)
        other.reach, other.owed, other.due, other.scale = self.reach, self.owed, self.due, self.scale
        other.frame_of_window, other.regions = self.frame_of_window, Regions(self.regions.timing)
        other.unread, other.ran, other.lossy = self.unread, self.ran, self.lossy
        return other

    @contextlib.contextmanager
    def in_format(self, name: str | None) -> Iterator[Bench]:
        """The same subject in a floating-point format, by its name; as it is for None."""
        if name is None:
            yield self
            return
        other = self.alike(getattr(torch, name))
        with other.ready():
            other.coarsest = other.watch_formats(other._window(other.inputs(self.example_length, self.batch, self.seed)))
            yield other

    def _window(self, x: Tensor) -> Tensor:
        """As many frames as the clip function takes."""
        return (
            x
            if self.subject.window is None
            else x.narrow(self.subject.time, 0, min(self.subject.window, x.shape[self.subject.time]))
        )

    def rounds_more_coarsely(self, example: Example) -> bool:
        """Whether the stream casts its data to a coarser format than the clip function does.

        In double precision, a format of 16 bits in which the subject came is none: nobody runs it in a finer one.
        """
        with eagerly(), quality.Formats(self.dtype) as formats, contextlib.suppress(StreamRaised):
            self.play(self.inputs(min(example.length, 3 * self.reach + 3), example.batch, example.seed))
        own = self.native in (torch.float16, torch.bfloat16) and self.dtype != self.native
        allowed = quality.coarser_of(self.coarsest, self.native) if own else self.coarsest
        return quality.unit(formats.coarsest) > quality.unit(allowed)

    # -- set-up ------------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def ready(self) -> Iterator[Bench]:
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
            self.coarsest = self.dtype
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
        """A random clip like the example, with this many frames and rows. Values are those of single precision."""
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
        x = (torch.randn(shape, generator=generator) * spread).to(example.device, self.dtype)
        return quality.perturbed(x, seed) if self.full else x

    @property
    def batch(self) -> int:
        """The example's number of rows."""
        return 1 if self.subject.batch is None else self.subject.example.shape[self.subject.batch]

    @contextlib.contextmanager
    def weights(self, example: Example) -> Iterator[None]:
        """Inside, the weights of an example: drawn at its scale, or those the subject came with."""
        module = self.subject.modules
        if module is None or example.scale is None or self.unread:
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
        except ClipRaised:
            return None

    def clip_or_raise(self, x: Tensor) -> Tensor:
        """The clip function's output. BadSubject: not a tensor, or another dtype; ClipRaised: it raised."""
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
        self.ran.note(self, x, sizes)
        return self.player().feed(x, sizes).flush().trace

    # -- comparing -----------------------------------------------------------------------------------------------------

    def compare(
        self, x: Tensor, trace: Trace, *, times: list[int] | None = None, wanted: Container[int] | None = None
    ) -> int:
        """Compare the emissions of a stream that was fed x with the clip function; Mismatch at the first difference.

        Returns the number of frames compared. In window mode `times` are when the emissions are due, where that cannot be
        seen, and `wanted` the numbers of frames fed after which an emission is compared (all).
        """
        if self.subject.window is not None:
            return compare_windows(self, x, trace, times, wanted)
        return compare_stream(self, x, trace)

    def limit(self, x: Tensor, output: Tensor | None) -> Limit:
        """What tells a difference from rounding, for the output of one clip run."""
        return Limit(self, x, output)

    def agrees(self, got: Tensor, want: Tensor, like: Tensor) -> bool:
        """Whether what two modules gave is the same; `like` says how large such values are."""
        return close(got, want, quality.bound(self.coarsest, 0.0, _largest(like)))

    def shown(self, frame: Tensor) -> object:
        """The first element of a frame, for a report."""
        return first_value(frame)

    def bound(self, x: Tensor, output: Tensor, window: tuple[int, int] | None = None) -> float:
        """The greatest difference that is rounding, from how far the output moves with inputs and weights."""
        if self.exact or not output.is_floating_point():
            return 0.0
        largest = _largest(output)
        moved = self._moved(x, output)
        return quality.bound(self.coarsest, moved, largest)

    def bound_from_below(self, output: Tensor) -> float:
        """What `bound` never falls below, at no cost."""
        if self.exact or not output.is_floating_point():
            return 0.0
        return quality.bound(self.coarsest, 0.0, _largest(output))

    def _moved(self, x: Tensor, output: Tensor) -> float:
        """Amplification: the change of the output for a relative change of inputs and weights by `quality.PROBE`."""
        module = self.subject.modules
        with borrowed(module, None):
            if module is not None:
                named = {**dict(module.named_parameters()), **dict(module.named_buffers())}
                floats = {name: t for name, t in named.items() if t.is_floating_point() and torch.isfinite(t).all()}
                put(module, {name: quality.perturbed(t.detach(), i) for i, (name, t) in enumerate(floats.items())})
            other = self.clip(quality.perturbed(x, self.seed + 1))
        if other is None or other.shape != output.shape:
            return 0.0
        return _largest(other - output) / quality.PROBE

    def watch_formats(self, x: Tensor) -> torch.dtype:
        """The coarsest format that the clip function casts its data to."""
        with eagerly(), quality.Formats(self.dtype) as formats:
            self.clip(x)
        return formats.coarsest


class ClipRaised(RuntimeError):
    """The clip function refused an input."""


def _native(module: torch.nn.Module | None) -> torch.dtype:
    """The floating-point format of a module's parameters."""
    found = next((p.dtype for p in module.parameters() if p.is_floating_point()), None) if module is not None else None
    return torch.get_default_dtype() if found is None else found


def _largest(x: Tensor) -> float:
    finite = x[torch.isfinite(x)]
    return float(finite.abs().max()) if finite.numel() else 0.0
