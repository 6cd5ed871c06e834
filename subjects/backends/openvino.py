"""OpenVINO, on the CPU. Settings are properties of the compiled model, such as INFERENCE_PRECISION_HINT=f32."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import numpy as np

from coequal.subjects.backends.runtime import Arrays, Cure, Started
from coequal.subjects.errors import BadSubject

FILES = ".onnx"
CURES = (Cure({"INFERENCE_PRECISION_HINT": "f32"}, "it may compute in a coarser format that the machine has"),)


def start(model: Any, settings: Mapping[str, str]) -> Started:
    """A compiled model. BadSubject: the package is missing, or refuses it."""
    try:
        openvino = import_module("openvino")
    except ImportError:
        raise BadSubject("--backend openvino needs the package openvino: pip install 'coequal[openvino]'") from None
    try:
        core = openvino.Core()
        compiled = core.compile_model(core.read_model(model.SerializeToString()), "CPU", dict(settings))
    except Exception as error:
        lines = [line for line in str(error).strip().splitlines() if line.strip()]
        raise BadSubject(f"openvino refuses the file: {lines[-1] if lines else type(error).__name__}") from None

    def run(arrays: Arrays) -> list[np.ndarray]:
        results = compiled(list(arrays))
        return [np.array(results[port]) for port in compiled.outputs]

    return Started(run, f"openvino {openvino.__version__.partition('-')[0]}")
