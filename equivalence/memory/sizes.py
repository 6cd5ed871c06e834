"""A size that is watched: how long a list of remembered frames is, as Python sees it.

A cache that grows has an axis as long as the stream has run. A program may ask for it (`keys.shape[2]`) and go on with it:
as a size, a position, an end of a slice, all of which torch is given and `prove/uniform.py` follows there; or it may count
with it, as with any number. torch knows numbers that stand for others, `torch.SymInt`, and tells its own looks at them
(`guard_int`) from Python's (`int_`). A Size is the node of one: it notes comparisons and remainders as a Counter does, and
every other look escapes. Whoever watches gives torch the numbers themselves (`plain`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch

from coequal.equivalence.memory.watched import Counter, Uses


def watched_size(value: int, uses: Uses, growth: int) -> torch.SymInt:
    """In place of a whole number that grows by so much in a step, with what torch may do with it."""
    _magic()
    return torch.SymInt(Size(Counter(value, uses, growth)))


def is_watched(thing: Any) -> bool:
    """Whether this is such a number."""
    return isinstance(thing, torch.SymInt) and isinstance(thing.node, Size)


def plain(thing: Any) -> Any:
    """The same arguments with the numbers themselves, as torch may see them."""
    if is_watched(thing):
        return thing.node.value
    if type(thing) in (tuple, list, torch.Size):
        return type(thing)(map(plain, thing))
    if type(thing) is dict:
        return {key: plain(part) for key, part in thing.items()}
    if type(thing) is slice:
        return slice(plain(thing.start), plain(thing.stop), plain(thing.step))
    return thing


@functools.cache
def _magic() -> None:
    """The methods of torch.SymInt are put there when this module is imported."""
    import torch.fx.experimental.sym_node  # noqa: F401


class _Node:
    """What torch asks any node for."""

    pytype: type

    def is_int(self) -> bool:
        return self.pytype is int

    def is_float(self) -> bool:
        return False

    def is_bool(self) -> bool:
        return self.pytype is bool

    def is_nested_int(self) -> bool:
        return False

    def is_symbolic(self) -> bool:
        return True

    def is_constant(self) -> bool:
        return False

    def maybe_as_int(self) -> None:
        return None


class Plain(_Node):
    """A number, or whether something is so, that is no secret."""

    def __init__(self, value: int | bool) -> None:
        self.value, self.pytype = value, bool if isinstance(value, bool) else int

    def is_symbolic(self) -> bool:
        return False

    def is_constant(self) -> bool:
        return True

    def bool_(self) -> bool:
        return bool(self.value)

    def guard_bool(self, file: str, line: int) -> bool:
        return bool(self.value)

    def int_(self) -> int:
        return int(self.value)

    def guard_int(self, file: str, line: int) -> int:
        return int(self.value)

    def bool(self) -> Any:
        return bool(self.value)

    int = int_


class Size(_Node):
    """The node of a watched size."""

    pytype = int

    def __init__(self, counter: Counter) -> None:
        self.counter = counter

    @property
    def value(self) -> int:
        """The number itself, for torch."""
        return self.counter.value

    def wrap_int(self, number: int) -> Plain:
        return Plain(number)

    def is_nested_int(self) -> bool:
        """Only who wants a hash asks."""
        return True

    def nested_int(self) -> int:
        return int(self.counter._escape("a key"))

    def guard_int(self, file: str, line: int) -> int:
        """torch's own look, where it was not given the number itself."""
        return int(self.counter._escape("a number"))

    def int_(self) -> int:
        return int(self.counter)

    def __getattr__(self, name: str) -> Any:
        """Whatever else sizes can do."""
        if not name.startswith("__"):
            self.counter._escape(name)
        raise AttributeError(name)

    def str(self) -> Any:
        return repr(self.counter)

    _graph_repr = str

    def clone(self) -> Size:
        return self


def _method(name: str) -> Callable[[Any, Any], Any]:
    """Of numbers of which one at least is watched."""
    reflected = REFLECTED.get(name, f"r{name}")

    def method(self: Any, other: Any) -> Any:
        if isinstance(self, Size):
            found = getattr(self.counter, f"__{name}__")(other.counter if isinstance(other, Size) else other.value)
        else:
            found = getattr(other.counter, f"__{reflected}__")(self.value)
        return Size(found) if type(found) is Counter else Plain(found)

    return method


REFLECTED = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le", "eq": "eq", "ne": "ne"}
METHODS = {"add": "add", "sub": "sub", "mul": "mul", "mod": "mod", "python_mod": "mod", "int_floordiv": "floordiv",
           "floordiv": "floordiv", **{name: name for name in REFLECTED}}  # fmt: skip
for _name, _python in METHODS.items():
    for _node in (Size, Plain):
        setattr(_node, _name, _method(_python))
