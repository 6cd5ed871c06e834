"""A way of reading a module, and its Python: what is tried is what is printed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from textwrap import indent

from torch import nn

from coequal.subjects.drafts.layouts import Layout
from coequal.subjects.drafts.names import CLIPS
from coequal.subjects.drafts.returned import Take
from coequal.subjects.drafts.signatures import Roles, roles
from coequal.subjects.drafts.starts import Start
from coequal.subjects.drafts.streams import Entry, Fresh

RAW = Take("", (), "")  # what comes back, as it is


@dataclass(frozen=True)
class Way:
    """One reading of a module as a clip function and a stream."""

    entry: Entry
    layout: Layout
    start: Start
    fresh: Fresh
    keeps: bool = True  # a frame is handed over with its time axis
    gives: bool = True  # and comes back with one
    take: Take = RAW
    clip: Take | None = RAW  # None: the module has no clip function
    single: bool = False  # one frame a call only
    output_time: int = 0

    @property
    def chunked(self) -> bool:
        """Whether the draft has `chunk`, rather than `step`."""
        return self.keeps and self.gives

    def words(self) -> str:
        """The reading, in one sentence."""
        parts = [self.entry.words, f"time axis {self.layout.time}"]
        parts += [] if not self.entry.method else [f"a frame {'with' if self.keeps else 'without'} its time axis"]
        parts += [f"the state begins as {self.start.words}"] if self.start.words else []
        parts += [self.fresh.words] if self.fresh.words else []
        return "; ".join([*parts, self.take.words] if self.take.words else parts)


def no_clip(module: nn.Module) -> str | None:
    """Why a module has no clip function of its own; None where it has one."""
    if isinstance(module, nn.RNNCellBase):
        return f"{type(module).__name__} takes single frames"
    if clip_method(module):
        return None
    return "the module has no forward" if type(module).forward is nn.Module.forward else None


def clip_method(module: nn.Module) -> str:
    """The method that takes whole clips: "" for forward; another where forward is missing, or needs what is not guessed."""
    own = type(module).forward is not nn.Module.forward and not roles(module.forward).others
    return "" if own else next((name for name in CLIPS if callable(getattr(module, name, None))), "")


def put_off(module: nn.Module) -> list[str]:
    """The arguments that the clip function is called with as False though that is not their default."""
    found = roles(getattr(module, clip_method(module) or "forward"))
    flags = [*found.switches, *(one for one in found.returning if one.name == "use_cache")]
    return [one.name for one in flags if one.default is not False]


def clip_source(module: nn.Module, way: Way, *, off: bool = True) -> str:
    """The function `clip`; `off`: with the arguments that are put off."""
    head = "def clip(x):\n"
    if way.clip is None:
        return f'{head}    raise NotImplementedError("TODO: the clip function, of a whole clip; {no_clip(module)}")'
    if way.entry.keeps_state:
        begin = re.sub(r"\bmodule\b", "whole", way.fresh.source).replace("{rows}", f"x.shape[{way.layout.batch}]")
        return f"{head}    whole = copy.deepcopy(module)\n{indent(begin, ' ' * 4)}\n    return whole(x){way.clip.output}"
    method = clip_method(module)
    called = f"module.{method}" if method else "module"
    found = roles(getattr(module, method or "forward"))
    given = [f"{name}=False" for name in put_off(module) if off]
    given += [f"{name}=0" for name in found.positions]
    given += [f"{name}={name}" for name in found.others]
    without = [one for one in found.states if one.default is one.empty]
    if len(without) == len(way.start.sources):
        rows = f"x.shape[{way.layout.batch}]"
        pairs = zip(without, way.start.sources, strict=True)
        given += [f"{one.name}={source.replace('{rows}', rows)}" for one, source in pairs]
    return f"{head}    return {called}({', '.join(['x', *given])}){way.clip.output}"


def stream_source(way: Way) -> str:
    """The class `Stream`."""
    method = _method(way)
    begin, once = _begin(way)
    lines = ["class Stream:"]
    lines += ["    def __init__(self):", *(f"        {line}" for line in begin), ""] if begin else []
    lines += [f"    def {'chunk(self, frames)' if way.chunked else 'step(self, frame)'}:"]
    return "\n".join([*lines, indent("\n".join([*once, *method]), " " * 8)])


def arguments(found: Roles) -> list[str]:
    """What a call of the stream hands over besides the frame."""
    given = [f"{one.name}=self.{one.name}" for one in found.states]
    given += [f"{one.name}=True" for one in (*found.switches, *found.returning)]
    return given + [f"{name}=self.fed" for name in found.positions] + [f"{name}={name}" for name in found.others]


def _begin(way: Way) -> tuple[list[str], list[str]]:
    """What the stream begins with: at once, and with the first frame, where the number of rows must be known."""
    states = [f"self.{one.name} = {source}" for one, source in zip(way.entry.roles.states, way.start.sources, strict=True)]
    copied = ["self.module = copy.deepcopy(module)"] if way.fresh.copied else []
    setup = [*states, *way.fresh.source.splitlines()]
    if way.entry.context:
        setup = [f"self.context = self.module.{way.entry.context}"]
        setup += [] if way.entry.forever else ["self.context.__enter__()"]
    fed = ["self.fed = 0"] if way.entry.roles.positions else []
    if not any("{rows}" in line for line in setup):
        return [*copied, *setup, *fed], []
    axis = way.layout.batch - (not way.chunked and way.layout.batch > way.layout.time)
    rows = f"{'frames' if way.chunked else 'frame'}.shape[{axis}]"
    later = [f"    {line.replace('{rows}', rows)}" for line in [*setup, "self.begun = True"]]
    return [*copied, "self.begun = False", *fed], ["if not self.begun:", *later]


def _method(way: Way) -> list[str]:
    time, entry = way.layout.time, way.entry
    frame = "frames" if way.chunked else f"frame.unsqueeze({time})" if way.keeps else "frame"
    owner = ("self.module" if way.fresh.copied else "module") + (f".{entry.method}" if entry.method else "")
    call = f"{owner}({', '.join([frame, *arguments(entry.roles)])})"
    after = f".squeeze({way.output_time})" if way.gives and not way.chunked and way.take.words else ""
    names = [one.name for one in entry.roles.states]
    count = [f"self.fed += {f'frames.shape[{time}]' if way.chunked else '1'}"] if entry.roles.positions else []
    if not way.take.states and not count:
        return [f"return {call}{way.take.output}{after}"]
    kept = [f"self.{name} = out{state}" for name, state in zip(names, way.take.states, strict=False)]
    return [f"out = {call}", *kept, *count, f"return out{way.take.output}{after}"]
