"""The ways to run a module of the library: those that its documentation says are the same.

`forward_step` is the adapter's; each other way changes one thing. A way that cannot be gone raises when the stream begins.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from hypothesis import strategies as st
from torch import nn

from coequal.equivalence.suites.continual_inference.library import co
from coequal.subjects.adapters import continual_inference as adapter
from coequal.subjects.subject import Subject

Tensor = torch.Tensor
Build = Callable[[], nn.Module]


class CallMode(adapter.LibraryStream):
    """`module(frame)`, with the call mode `forward_step`."""

    def emitted_for(self, frame: Tensor) -> Any:
        """In the context that the library gives for it."""
        with co.call_mode("forward_step"):
            return self.session.enter()(frame)


class Peeking(adapter.LibraryStream):
    """Each frame twice: first with `update_state=False`, which is what counts, and which leaves no trace."""

    def emitted_for(self, frame: Tensor) -> Any:
        """The output of the first call."""
        module = self.session.enter()
        seen = module.forward_step(frame.clone(), update_state=False)
        module.forward_step(frame)
        return seen


class Stateful(adapter.LibraryStream):
    """Before each frame the state is taken out, cleaned, and put back. None: there is nothing to put back."""

    def emitted_for(self, frame: Tensor) -> Any:
        """A step in between."""
        module = self.session.enter()
        state = module.get_state()
        if state is None and any(_state_of(part) is not None for part in module.modules() if part is not module):
            raise RuntimeError("get_state() is None, while modules in it have a state")
        module.clean_state()
        if state is not None:
            module.set_state(state)
        return module.forward_step(frame)


def _state_of(part: Any) -> Any:
    """The state of a module, None where it has none."""
    return part.get_state() if hasattr(part, "get_state") else None


class AtOnce(adapter.LibraryStream):
    """All frames in one call of `forward_steps`, with the padding at the end."""

    def __init__(self, module: Any, time: int, padded: bool) -> None:
        super().__init__(module, time, False)
        self.frames: list[Tensor] = []

    def step(self, frame: Tensor) -> None:
        """Frames are kept."""
        self.frames.append(frame.clone())

    def flush(self) -> list[Tensor]:
        """The call."""
        if not self.frames:
            return []
        output = adapter.tensor_of(self.session.enter().forward_steps(torch.stack(self.frames, self.time), pad_end=True))
        self.frames = []
        return [] if output is None else list(output.unbind(self.time))

    def reset(self) -> None:
        """Start again."""
        super().reset()
        self.frames = []


def _copied(module: nn.Module, copier: Callable[[nn.Module], nn.Module]) -> nn.Module:
    """A copy; why there is none, without the name of the module, is the same for all modules of which there is none."""
    try:
        return copier(module)
    except (TypeError, AttributeError, pickle.PicklingError) as error:
        raise TypeError(f"the module cannot be copied or pickled ({type(error).__name__})") from error


def _loaded(module: nn.Module, build: Build, *, flat: bool = False) -> nn.Module:
    """Another module of the same kind, with the same weights."""
    other = build().to(next(iter(module.parameters()), torch.zeros(())).dtype).eval()
    if flat:
        with co.utils.flat_state_dict:
            other.load_state_dict(module.state_dict())
    else:
        other.load_state_dict(module.state_dict())
    return other


STREAMS: dict[str, type[adapter.LibraryStream]] = {
    **{"call_mode": CallMode, "update_state=False": Peeking, "get_state, set_state": Stateful, "pad_end": AtOnce}
}
COPIES: dict[str, Callable[[nn.Module, Build], nn.Module]] = {
    "deepcopy": lambda module, build: _copied(module, copy.deepcopy),
    "pickle": lambda module, build: _copied(module, lambda module: pickle.loads(pickle.dumps(module))),
    "state_dict": _loaded,
    "flat_state_dict": lambda module, build: _loaded(module, build, flat=True),
}
WAYS = ("forward_step", *STREAMS, *COPIES)
ways = st.sampled_from(WAYS)
window_ways = st.sampled_from([way for way in WAYS if way != "pad_end"])  # of attention, which pads nothing


def _supported(module: Any, usual: Subject) -> None:
    """What a module refuses in its first step, in so many words, it refuses."""
    assert isinstance(usual.time, int)
    assert isinstance(usual.example, Tensor)
    try:
        module.forward_step(usual.example.select(usual.time, 0))
    except (AssertionError, NotImplementedError) as error:
        if "support" in str(error):
            raise
    except Exception:
        pass
    finally:
        module.clean_state()


def subject(build: Build, *shape: int, way: str = "forward_step", padded: bool = True, **fields: Any) -> Subject:
    """A module's stream, run in one of the ways.

    Args:
        build: Makes the module; `state_dict` needs another one.
        shape: Of a clip.
        way: One of `WAYS`.
        padded: Whether the end of a stream may owe frames.
        **fields: Of the subject, in the place of what the adapter says.

    Returns:
        The subject of the module in eval mode.
    """
    module = build().eval()
    usual = adapter.subject(module, torch.randn(*shape), **fields)
    _supported(module, usual)
    if way == "forward_step" and padded:
        return usual
    time = usual.time
    assert isinstance(time, int)
    owing = padded and adapter.has_padding(module, usual.window)
    kind = STREAMS.get(way, adapter.LibraryStream)
    made = COPIES.get(way, lambda module, build: module)
    more: dict[str, Any] = {"claim": None} if way == "pad_end" else {}
    more |= {"allow": (*usual.allow, "reload")} if way in COPIES else {}  # what is loaded later does not reach a copy
    return replace(usual, stream=lambda: kind(made(module, build), time, owing), **more)
