"""The library, whose import name is that of a folder here: type checkers would read that one."""

from __future__ import annotations

import logging
from importlib import import_module
from typing import Any

logging.getLogger("continual").setLevel(logging.ERROR)  # it warns of each stride
co: Any = import_module("continual")
