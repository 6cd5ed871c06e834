"""LiteRT (TensorFlow Lite), on the CPU; `delegate=none` computes by its plain kernels, without XNNPACK's."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import version
from typing import Any

import numpy as np
import torch

from coequal.subjects.backends.lowered import Call, delegate_of, started
from coequal.subjects.backends.runtime import Cure, Started
from coequal.subjects.errors import BadSubject

FILES = ".pt2"
CURES = (Cure({"delegate": "none"}, "XNNPACK computes it"),)


def start(model: Any, settings: Mapping[str, str]) -> Started:
    """The program, converted and loaded. BadSubject: a package is missing, or no such setting."""
    delegate = delegate_of(settings, "litert", "xnnpack")
    try:
        converter, runtime = import_module("litert_torch"), import_module("ai_edge_litert.interpreter")
    except ImportError as error:
        raise BadSubject(
            f"--backend litert needs the packages litert-torch and ai-edge-litert ({error}): pip install 'coequal[litert]'"
        ) from None

    def lower(program: Any, tensors: tuple[torch.Tensor, ...]) -> Call:
        content = converter.convert(program.module(), tensors).model_content()
        kinds = runtime.OpResolverType
        kind = kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES if delegate == "none" else kinds.AUTO
        interpreter = runtime.Interpreter(model_content=content, experimental_op_resolver_type=kind, num_threads=1)
        signature = interpreter.get_signature_runner()
        kinds = {name: detail["dtype"] for name, detail in signature.get_input_details().items()}
        expected = [x.dtype for x in program.module()(*tensors)]

        def call(given: Any) -> list[torch.Tensor]:
            """Whole numbers of 64 bits are of 32 there."""
            arrays = {f"args_{i}": x.numpy() for i, x in enumerate(given)}
            results = signature(**{name: array.astype(kinds.get(name, array.dtype)) for name, array in arrays.items()})
            return [torch.from_numpy(np.array(results[f"output_{i}"])).to(dtype) for i, dtype in enumerate(expected)]

        return call

    return started(model, f"LiteRT {version('ai-edge-litert')}", lower)
