"""`python -m pytest` puts the repository root first on sys.path, where our folder `continual/` would hide the third-party
library continual-inference (import name `continual`): move the root to the end. See tests/layout/test_imports.py."""

import sys
from pathlib import Path

_root = Path(__file__).resolve().parent
_kept = [entry for entry in sys.path if Path(entry or ".").resolve() != _root]
if len(_kept) != len(sys.path):
    sys.path[:] = [*_kept, str(_root)]
