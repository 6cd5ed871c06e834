"""Rounding bounds by running error analysis: the fixture of the reference's tests, for the same operators as streams."""

import importlib.util
import sys
from pathlib import Path

_path = Path(__file__).parents[1] / "reference" / "conftest.py"
_spec = importlib.util.spec_from_file_location("reference_bounds", _path)
_module = sys.modules[_spec.name] = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)

error_bound = _module.error_bound
