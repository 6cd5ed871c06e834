"""coequal: does this streaming model compute the same function as its clip-mode original?

    import coequal
    report = coequal.verify(subject)                 # or coequal.verify(module, example=clip)
    print(report)

Layering rule: the face may import every room of the house. `import coequal` itself imports nothing heavy: each public name
is fetched when it is first used, so that `coequal --help` need not wait for torch.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import spec_from_loader
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coequal.api import export, subject, verify
    from coequal.equivalence.asserting import NotEqual, assert_equal
    from coequal.equivalence.campaigns import architectures as strategies
    from coequal.equivalence.campaigns.agree import check
    from coequal.equivalence.campaigns.families import Family, family
    from coequal.equivalence.report import Report, Verdict
    from coequal.subjects.chunks import Plan
    from coequal.subjects.errors import BadSubject
    from coequal.subjects.subject import Claim, Subject

__version__ = "0.1.0"

__all__ = [
    "BadSubject",
    "Claim",
    "Family",
    "NotEqual",
    "Plan",
    "Report",
    "Subject",
    "Verdict",
    "__version__",
    "assert_equal",
    "check",
    "export",
    "family",
    "strategies",
    "subject",
    "verify",
]

# public name -> the module it lives in ("" after the colon: the module itself)
_HOMES = {
    "BadSubject": "coequal.subjects.errors:BadSubject",
    "Claim": "coequal.subjects.subject:Claim",
    "Family": "coequal.equivalence.campaigns.families:Family",
    "NotEqual": "coequal.equivalence.asserting:NotEqual",
    "Plan": "coequal.subjects.chunks:Plan",
    "Report": "coequal.equivalence.report:Report",
    "Subject": "coequal.subjects.subject:Subject",
    "Verdict": "coequal.equivalence.report:Verdict",
    "assert_equal": "coequal.equivalence.asserting:assert_equal",
    "check": "coequal.equivalence.campaigns.agree:check",
    "export": "coequal.api:export",
    "family": "coequal.equivalence.campaigns.families:family",
    "strategies": "coequal.equivalence.campaigns.architectures:",
    "subject": "coequal.api:subject",
    "verify": "coequal.api:verify",
}


class _Homes:
    """`import coequal.strategies` finds the module that the public name stands for; no module of the face bears its name."""

    def __init__(self, home: str = "") -> None:
        self.home = home
        self.spec: Any = None

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Of a public name that is a module; None for all others."""
        package, _, last = name.rpartition(".")
        home, _, attribute = _HOMES.get(last, ":-").partition(":")
        return None if package != __name__ or attribute else spec_from_loader(name, _Homes(home))  # type: ignore[arg-type]

    def create_module(self, spec: Any) -> Any:
        """The module itself, wherever it lives."""
        module = import_module(self.home)
        self.spec = module.__spec__
        return module

    def exec_module(self, module: Any) -> None:
        """It ran when it was imported; it keeps its own name."""
        module.__spec__ = self.spec


sys.meta_path.append(_Homes())  # type: ignore[arg-type]


def __getattr__(name: str) -> Any:
    """Fetch a public name where it lives, once."""
    if name not in _HOMES:
        raise AttributeError(f"module 'coequal' has no attribute {name!r}; public names: {', '.join(__all__)}")
    module, _, attribute = _HOMES[name].partition(":")
    home = import_module(module)
    globals()[name] = getattr(home, attribute) if attribute else home
    return globals()[name]


def __dir__() -> list[str]:
    """The public names, fetched or not."""
    return sorted({*globals(), *__all__})
