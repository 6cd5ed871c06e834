"""The rules of the table of meanings, by family: importing this package fills the table from all files of the folder."""

from importlib import import_module
from pkgutil import iter_modules

for _found in iter_modules(__path__, f"{__name__}."):
    import_module(_found.name)
