"""Adapter for continual-inference (import name `continual`), any of its modules: leaf, container, transformer, converted.

How its modules are called: `forward(clip)` on `(B, C, T, ...)`, `forward_step(frame)`, which returns a tensor or something
that is none, `forward_steps(frames)`, with `pad_end=True` for the padding at the end of a stream, `clean_state()` to start
again. Its state lives in the module, which has room for one; `get_state()` and `set_state()` of its parts take it out and
put it back. So every stream keeps a state of its own, put in place before each call if another was at work in between.

Which clip it is compared with:
- a module with attention over `sequence_len` tokens is window-equal to it: once that many tokens were seen, a step gives
  what the clip mode gives for the last `sequence_len` tokens, all of them (retroactive) or the last (single output);
- a module with adaptive pooling of a `kernel_size` in time pools, a frame at a time, over the last `kernel_size` frames,
  while its clip mode pools over the whole clip: window-equal over its receptive field;
- every other module is stream-equal: the emissions are the frames of the clip mode of the whole stream.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import nn
from torch.utils._pytree import tree_map

from coequal.subjects.errors import BadSubject
from coequal.subjects.subject import Claim, Subject

Tensor = torch.Tensor


def recognises(module: nn.Module) -> bool:
    """Whether a module is one of continual-inference's. The library is not imported: whoever has its module has done so."""
    base = getattr(sys.modules.get("continual"), "CoModule", None)
    return base is not None and isinstance(module, base)


class Session:
    """A stream's state in a module that has room for one."""

    current: WeakKeyDictionary[nn.Module, weakref.ref[Session]] = WeakKeyDictionary()  # noqa: RUF012  one for all

    def __init__(self, module: Any) -> None:
        self.module, self.states = module, dict[str, Any]()

    def enter(self) -> Any:
        """The module, with this session's state in place."""
        other = self._at_work()
        if other is not self:
            if other is not None:
                other.states = other.taken()
            self.module.clean_state()
            for name, state in self.states.items():
                self.module.get_submodule(name).set_state(state)
            Session.current[self.module] = weakref.ref(self)
        return self.module

    def _at_work(self) -> Session | None:
        known = Session.current.get(self.module)
        return None if known is None else known()

    def taken(self) -> dict[str, Any]:
        """A copy of the state of every part that has any."""
        if self._at_work() is not self:
            return cloned(self.states)
        parts = {name: part.get_state() for name, part in self.module.named_modules() if hasattr(part, "get_state")}
        return cloned({name: state for name, state in parts.items() if state is not None})

    def become(self, other: Session) -> None:
        """The state of another session, copied; this one is not in place."""
        self.states = other.taken()

    def clear(self) -> None:
        """`clean_state`, the library's way to start a new stream."""
        self.enter().clean_state()

    def __deepcopy__(self, memo: dict) -> Session:
        twin = Session(self.module)
        twin.states = self.taken()
        return twin

    def __del__(self) -> None:
        if self._at_work() in (self, None) and self.module in Session.current:
            self.module.clean_state()  # the module is left without a stream's state
            Session.current.pop(self.module, None)


class LibraryStream:
    """One stream through `forward_step`.

    The library adds end padding only in the call that feeds the last frames. So the state before those is kept, and the
    flush feeds them to it again, with `pad_end=True`; of what it returns, frames that were emitted already are dropped.
    """

    def __init__(self, module: Any, time: int, padded: bool) -> None:
        self.session, self.time = Session(module), time
        self.late = Session(module) if padded else None
        self.pending: Tensor | None = None
        self.emitted = 0  # by the last frame

    def step(self, frame: Tensor) -> Tensor | None:
        """One frame through `forward_step`."""
        self._keep(frame.unsqueeze(self.time))
        output = tensor_of(self.emitted_for(frame))
        self.emitted = 0 if output is None else 1
        return output

    def emitted_for(self, frame: Tensor) -> Any:
        """What the module returns for a frame."""
        return self.session.enter().forward_step(frame)

    @property
    def state(self) -> dict[str, Any]:
        """All that this stream remembers (a copy)."""
        late = None if self.late is None else self.late.taken()
        return {"module": self.session.taken(), "late": late, "pending": self.pending, "emitted": self.emitted}

    def _keep(self, frames: Tensor) -> None:
        """What the end may be about: the state now, and the frames that come next."""
        if self.late is None:
            return
        self.session.enter()
        self.late.become(self.session)
        self.pending = frames.clone()

    def flush(self) -> list[Tensor]:
        """What the padding at the end still owes."""
        if self.late is None or self.pending is None:
            return []
        output = tensor_of(self.late.enter().forward_steps(self.pending, pad_end=True))
        self.pending = None
        return [] if output is None else list(output.unbind(self.time))[self.emitted :]

    def reset(self) -> None:
        """Start again."""
        self.session.clear()
        if self.late is not None:
            self.late.clear()
        self.pending = None


class ChunkedStream(LibraryStream):
    """A stream that takes chunks, too: modules whose `forward_steps` returns what is due along the time axis."""

    def chunk(self, frames: Tensor) -> Tensor | None:
        """Several frames through `forward_steps`."""
        self._keep(frames)
        output = tensor_of(self.session.enter().forward_steps(frames))
        self.emitted = 0 if output is None else output.shape[self.time]
        return output


def cloned(state: Any) -> Any:
    """A copy of a tree of tensors; gradients, if recorded, still flow through it."""
    if isinstance(state, Tensor):
        return state.clone()
    if state is None or isinstance(state, int):
        return state
    if type(state) is dict:
        return {name: cloned(part) for name, part in state.items()}
    if type(state) in (tuple, list):
        return type(state)(map(cloned, state))
    return tree_map(lambda leaf: leaf.clone() if isinstance(leaf, Tensor) else leaf, state)


def tensor_of(output: Any) -> Tensor | None:
    """A step's output without weights and hidden states; None for the library's placeholders."""
    if isinstance(output, tuple):
        output = output[0]
    return output if isinstance(output, Tensor) and output.numel() else None


def subject(module: Any, example: Tensor, **overrides: Any) -> Subject:
    """A Subject for one of the library's modules; `example` is a clip as its `forward` takes it."""
    attention = _attention(module)
    time, batch = _axes(module)
    if example.dim() <= time:
        raise BadSubject(
            f"{type(module).__name__} takes clips with time axis {time}, got an example of shape {tuple(example.shape)}"
        )
    fields: dict[str, Any] = {"clip": _clip(module), "time": time, "batch": batch, "window": _window(module, attention)}
    fields |= {"name": type(module).__name__, "claim": _claim(module), "modules": module, "twin": _twin(module)}
    fields |= {
        "notes": ("the state lives in the module: each stream keeps its own with get_state and set_state",)
    } | overrides
    padded = has_padding(module, fields["window"])
    kind = LibraryStream if fields["window"] is not None else ChunkedStream
    going_on = {"clip_state": module.forward} if _recurrent(module) else {}
    fields = {"stream": lambda: kind(module, time, padded)} | going_on | fields
    return Subject(example=example, **fields)


def _clip(module: Any) -> Callable[[Tensor], Tensor]:
    """`forward`, which returns attention weights or hidden states besides in some modules."""
    index = getattr(module, "query_index", -1)
    whole = index == -1 or getattr(module, "single_output_forward", True)

    def clip(x: Tensor) -> Tensor:
        output = module.forward(x)
        output = output[0] if isinstance(output, tuple) else output
        return output if whole else output.narrow(_axes(module)[0], index % output.shape[_axes(module)[0]], 1)

    return clip


def _attention(module: nn.Module) -> list[Any]:
    return [part for part in module.modules() if hasattr(part, "sequence_len") and hasattr(part, "embed_dim")]


def _axes(module: Any) -> tuple[int, int]:
    """Time and batch axis of its clips: `(B, C, T, ...)` but for attention by itself, which keeps torch's layouts."""
    if not hasattr(module, "embed_dim_second"):
        return 2, 0
    if not module.batch_first:
        return 0, 1
    return (2, 0) if module.embed_dim_second else (1, 0)


def _window(module: Any, attention: list[Any]) -> int | None:
    """Frames of the clip that a step stands for, None for the whole stream."""
    if attention:
        lengths = {part.sequence_len for part in attention}
        others = [p for p in module.modules() if "conv" in type(p).__name__.lower() and getattr(p, "receptive_field", 1) > 1]
        if len(lengths) > 1 or others:
            return int(module.receptive_field)
        return int(lengths.pop())
    adaptive = [
        part for part in module.modules() if type(part).__name__.startswith("Adaptive") and hasattr(part, "receptive_field")
    ]
    return int(module.receptive_field) if adaptive else None


def has_padding(module: nn.Module, window: int | None) -> bool:
    """Whether the end of a stream may owe frames."""
    return window is None and not _recurrent(module)


def _recurrent(module: nn.Module) -> bool:
    return isinstance(module, nn.RNNBase)


def _claim(module: Any) -> Claim:
    """What the library says of receptive field, delay and stride in time."""
    stride = module.stride
    return Claim(
        receptive_field=_whole(module.receptive_field),
        delay=_whole(module.delay),
        stride=_whole(stride[0] if isinstance(stride, (tuple, list)) else stride),
    )


def _whole(value: Any) -> int:
    return int(value.item() if isinstance(value, Tensor) else value)


def _twin(module: Any) -> Callable[[], nn.Module] | None:
    """The torch.nn module that a leaf stands in for; none for containers."""
    if not isinstance(module, nn.modules.conv._ConvNd):
        return None
    kind = getattr(nn, type(module).__name__, None)
    if kind is None:
        return None
    options = {
        name: getattr(module, name) for name in ("kernel_size", "stride", "padding", "dilation", "groups", "padding_mode")
    }
    return lambda: kind(module.in_channels, module.out_channels, bias=module.bias is not None, **options)
