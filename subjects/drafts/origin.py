"""Where a module comes from: the lines that import it into a draft."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

HIDDEN = """spec = spec_from_file_location({stem}, {path})  # an import would find another module of this name
their = module_from_spec(spec)
sys.modules[{stem}] = their
spec.loader.exec_module(their)"""


@dataclass(frozen=True)
class Origin:
    """`where` is a file or a dotted name, `name` stands in it; it is called for the module, or gives (module, example)."""

    where: str
    name: str
    called: bool = False
    pair: bool = False

    @property
    def target(self) -> str:
        """As it stands on the command line."""
        return f"{self.where}:{self.name}"

    def imports(self, more: tuple[str, ...] = ()) -> tuple[list[str], list[str]]:
        """Imports of the standard library, and the lines that fetch the name and `more` of the same file."""
        names = list(dict.fromkeys([self.name.split(".")[0], *more]))
        if not self.where.endswith(".py"):
            return [], [f"from {self.where} import {', '.join(names)}"]
        path = Path(self.where).resolve()
        if path.stem.isidentifier() and _finds(path):
            place = f"sys.path.append({json.dumps(str(path.parent))})  # where {path.name} lies"
            return ["import sys"], [place, f"from {path.stem} import {', '.join(names)}  # noqa: E402"]
        standard = ["import sys", "from importlib.util import module_from_spec, spec_from_file_location"]
        fetched = [f"{name} = their.{name}" for name in names]
        return standard, [
            *HIDDEN.format(stem=json.dumps(f"their_{path.stem}"), path=json.dumps(str(path))).splitlines(),
            *fetched,
        ]

    def module(self) -> str:
        """The line that makes the module."""
        made = f"{self.name}()" if self.called else self.name
        return f"module, example = {made}" if self.pair else f"module = {made}"


def _finds(path: Path) -> bool:
    """Whether Python finds this file by its name, its folder being on the path: no library is called the same."""
    with contextlib.suppress(ImportError, ValueError, AttributeError):
        spec = find_spec(path.stem)
        return spec is None or (spec.origin is not None and Path(spec.origin).resolve() == path)
    return False
