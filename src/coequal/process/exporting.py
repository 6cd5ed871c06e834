"""`coequal export` in the child process: load the module that the user named, write its step."""

from __future__ import annotations

import torch

from coequal.equivalence.exporting import Written, export
from coequal.equivalence.options import Options
from coequal.process.target import called, named, random_clip
from coequal.subjects.adapters.find import Named
from coequal.subjects.errors import BadSubject

WANTED = "a torch.nn.Module, a pair of module and example clip, or a function without arguments that returns one of them"


def of_target(target: str, to: str, output: str | None, example: tuple[int, ...] | None, options: Options) -> Written:
    """Export what `target` names. BadSubject: it is no module, streams not, has no such step, or its file is not proved."""
    value = called(target, named(target), WANTED)
    value = value.module() if isinstance(value, Named) else value
    module, clip = value if isinstance(value, tuple) and len(value) == 2 else (value, None)
    if not isinstance(module, torch.nn.Module):
        raise BadSubject(f"{target} is of type {type(module).__name__}; expected {WANTED}")
    if example is not None:
        clip = random_clip(example, options.seed)
    if not isinstance(clip, torch.Tensor):
        raise BadSubject(f"{target} needs an example clip: add --example SHAPE (like --example 1,3,16,32,32)")
    own = target.rpartition(":")[2].rpartition(".")[2]
    return export(module, clip, output or f"{own}.{to}", to=to, options=options, name=target)
