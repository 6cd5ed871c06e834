"""Operation counts by formula, one operator a file; `dispatch` finds the one of a layer.

Importing this package registers every file of the folder.
"""

from importlib import import_module
from pkgutil import iter_modules

for _found in iter_modules(__path__, f"{__name__}."):
    import_module(_found.name)
