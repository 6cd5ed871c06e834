"""The library, whose import name is that of this folder: type checkers would read that one."""

from __future__ import annotations

from importlib import import_module
from typing import Any

compression: Any = import_module("moshi.models.compression")
conv: Any = import_module("moshi.modules.conv")
resample: Any = import_module("moshi.modules.resample")
seanet: Any = import_module("moshi.modules.seanet")
streaming: Any = import_module("moshi.modules.streaming")
transformer: Any = import_module("moshi.modules.transformer")
no_compile: Any = import_module("moshi.utils.compile").no_compile
quantization: Any = import_module("moshi.quantization")
