"""ExecuTorch, on the CPU: portable kernels, or with `delegate=xnnpack` those of XNNPACK."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import version
from typing import Any

import torch

from coequal.subjects.backends.lowered import Call, delegate_of, started
from coequal.subjects.backends.runtime import Cure, Started
from coequal.subjects.errors import BadSubject

FILES = ".pt2"
CURES = (Cure({"delegate": "none"}, "a delegate computes it"),)


def start(model: Any, settings: Mapping[str, str]) -> Started:
    """The program, lowered to ExecuTorch's own format and loaded. BadSubject: the package is missing, or no such setting."""
    delegate = delegate_of(settings, "executorch", "none")
    try:
        exir, runtime = import_module("executorch.exir"), import_module("executorch.runtime").Runtime.get()
    except ImportError:
        raise BadSubject("--backend executorch needs the package executorch: pip install 'coequal[executorch]'") from None

    def lower(program: Any, tensors: tuple[torch.Tensor, ...]) -> Call:
        content = exir.to_edge_transform_and_lower(program, partitioner=_partitioners(delegate)).to_executorch().buffer
        loaded = runtime.load_program(content)
        method = loaded.load_method("forward")

        def call(given: Any) -> list[torch.Tensor]:
            assert loaded is not None  # the method reads the program and its bytes, and does not keep them
            assert content
            return [x.clone() for x in method.execute(list(given))]

        return call

    return started(model, f"ExecuTorch {version('executorch')}", lower)


def _partitioners(delegate: str) -> list[Any]:
    if delegate == "none":
        return []
    return [import_module("executorch.backends.xnnpack.partition.xnnpack_partitioner").XnnpackPartitioner()]
