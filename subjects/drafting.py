"""A draft of a Subject for a torch module, from what its methods and arguments are called: `coequal write`.

The module is read in every way that its signatures allow; each way is run on an example. The draft says all of that.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from coequal.subjects.adapters.find import adapter_of
from coequal.subjects.drafts.code import RAW, Way, clip_method, no_clip
from coequal.subjects.drafts.layouts import Layout, given, layouts
from coequal.subjects.drafts.names import LOOKED_FOR
from coequal.subjects.drafts.origin import Origin
from coequal.subjects.drafts.page import others, page, recognised
from coequal.subjects.drafts.returned import Take
from coequal.subjects.drafts.search import Search, search, ways
from coequal.subjects.drafts.signatures import roles
from coequal.subjects.drafts.streams import Entry, entries
from coequal.subjects.errors import BadSubject

NOWHERE = Layout("BTF", (2, 1, 1), "")


def draft(module: nn.Module, origin: Origin, example: torch.Tensor | tuple[int, ...] | None = None) -> str:
    """Python source of a file with `subject` in it; BadSubject where nothing in the module looks like a stream.

    `example` is a clip that the module accepts, or its shape; where it is None, sizes are read from the layers.
    """
    clips = layouts(module) if example is None else given(module, example)
    own = type(module).__module__.startswith("torch.")  # of these a draft says more than that there is an adapter
    if adapter_of(module) is not None and not own:
        return recognised(module, origin, clips[0] if clips else None)
    found = entries(module)
    if not found:
        raise BadSubject(
            f"{type(module).__name__} has nothing that looks like a stream. Looked for: {LOOKED_FOR}."
            " Describe it with coequal.Subject(clip=..., stream=..., example=...)"
        )
    needed = () if no_clip(module) else roles(getattr(module, clip_method(module) or "forward")).others
    complete = [] if needed else [entry for entry in found if not others(entry)]
    if not clips or not complete:
        return page(module, origin, _untried(module, (complete or found)[0], clips, needed), Search())
    tried = search(module, complete, clips)
    way = tried.kept.way if tried.kept else _untried(module, complete[0], clips if tried.outcomes else [], needed)
    return page(module, origin, way, tried)


def _untried(module: nn.Module, entry: Entry, clips: list[Layout], needed: tuple[str, ...]) -> Way:
    """The first way into the module; of what comes back, what is usual. `needed`: what forward needs besides."""
    way = next(ways(module, entry, clips[0] if clips else NOWHERE))
    names = [one.name for one in entry.roles.states]
    take = Take("[0]", tuple(f"[{index + 1}]" for index in range(len(names))), "") if names else RAW
    asked = replace(entry.roles, others=tuple(dict.fromkeys([*entry.roles.others, *needed])))
    entry = replace(entry, roles=asked) if not entry.method else entry
    return replace(
        way, entry=entry, take=take, clip=way.clip and (RAW if entry.method else take), output_time=way.layout.time
    )
