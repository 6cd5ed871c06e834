"""The C++ compiler that torch's Inductor calls."""

from __future__ import annotations

import os
import shutil

from coequal.subjects.errors import BadSubject


def needs_compiler(name: str) -> None:
    """BadSubject: none is found."""
    wanted = os.environ.get("CXX", "g++")
    if shutil.which(wanted) is None and shutil.which("clang++") is None:
        raise BadSubject(f"--backend {name} needs a C++ compiler, and there is no {wanted}: install one, or name it by CXX")
