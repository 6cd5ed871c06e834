"""AOTInductor, on the CPU: the program compiled ahead into a package. Settings are Inductor's options."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from coequal.subjects.backends.compile import settings_of
from coequal.subjects.backends.compilers import needs_compiler
from coequal.subjects.backends.lowered import Call, started
from coequal.subjects.backends.runtime import Cure, Started

FILES = ".pt2"
CURES: tuple[Cure, ...] = ()


def start(model: Any, settings: Mapping[str, str]) -> Started:
    """The program, packaged and loaded again. BadSubject: there is no C++ compiler, or Inductor knows no such option."""
    needs_compiler("aotinductor")
    options = settings_of(settings)

    def lower(program: Any, tensors: tuple[torch.Tensor, ...]) -> Call:
        with tempfile.TemporaryDirectory() as folder, torch.no_grad():
            path = torch._inductor.aoti_compile_and_package(
                program, package_path=str(Path(folder) / "step.pt2"), inductor_configs=options
            )
            package = torch._inductor.aoti_load_package(path)
        return lambda given: _listed(package(*given))

    return started(model, f"AOTInductor {torch.__version__}", lower)


def _listed(results: Any) -> Any:
    return [results] if isinstance(results, torch.Tensor) else results
