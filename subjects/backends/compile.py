"""torch.compile, on the CPU: Inductor's kernels. Settings are Inductor's options, such as `freezing=True`."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

import torch

from coequal.subjects.backends.compilers import needs_compiler
from coequal.subjects.backends.lowered import Call, started
from coequal.subjects.backends.runtime import Cure, Started
from coequal.subjects.errors import BadSubject

FILES = ".pt2"
CURES: tuple[Cure, ...] = ()


def start(model: Any, settings: Mapping[str, str]) -> Started:
    """The program, compiled. BadSubject: there is no C++ compiler, or Inductor knows no such option."""
    needs_compiler("compile")
    options = settings_of(settings)

    def lower(program: Any, tensors: tuple[torch.Tensor, ...]) -> Call:
        compiled = torch.compile(program.module(), fullgraph=True, dynamic=False, options=options)

        def call(given: Any) -> Any:
            with torch.no_grad():
                return compiled(*given)

        return call

    return started(model, f"torch.compile {torch.__version__}", lower)


def settings_of(settings: Mapping[str, str]) -> dict[str, Any]:
    """Inductor's options, as Python reads them. BadSubject: it has none that is called so."""
    from torch._inductor import list_options

    known = list_options()
    for name in settings:
        if name not in known:
            raise BadSubject(f"torch's Inductor has no option {name}")
    return {name: _value(text) for name, text in settings.items()}


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
