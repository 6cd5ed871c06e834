"""onnxruntime, on the CPU. Settings are entries of its configuration; `optimize=off` runs the graph as it stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coequal.subjects.backends.runtime import Arrays, Cure, Started
from coequal.subjects.errors import BadSubject

FILES = ".onnx"
CURES = (Cure({"optimize": "off"}, "its optimizer rewrites the graph"),)


def start(model: Any, settings: Mapping[str, str]) -> Started:
    """A session for a model of ONNX. BadSubject: the package is missing, or refuses it."""
    try:
        import onnxruntime
    except ImportError:
        raise BadSubject("--backend onnxruntime needs the package onnxruntime: pip install 'coequal[onnx]'") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    for name, value in settings.items():
        if name != "optimize":
            options.add_session_config_entry(name, value)
        elif value == "off":
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise BadSubject(f"onnxruntime refuses the file: {str(error).strip().splitlines()[0]}") from None
    names = [port.name for port in session.get_inputs()]

    def run(arrays: Arrays) -> Any:
        return session.run(None, dict(zip(names, arrays, strict=True)))

    return Started(run, f"onnxruntime {onnxruntime.__version__}")
