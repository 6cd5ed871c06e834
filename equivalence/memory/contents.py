"""The parts of what Python and its libraries are made of: containers, wrapped functions, arrays of NumPy."""

from __future__ import annotations

import enum
import functools
import gc
import types
import typing
import weakref
from array import array
from collections import OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch

from coequal.equivalence.memory.cell import Kind, Label, Part, Put, Unobservable
from coequal.equivalence.memory.known import Hidden, harmless, is_known, is_librarys
from coequal.equivalence.memory.reads import ROUNDABOUT
from coequal.equivalence.memory.sets import layout

Tensor = torch.Tensor
PLAIN = {int, float, complex, str, bytes, bool, type(None), type(Ellipsis), type(NotImplemented), range}
FIELD = type(vars(namedtuple("_Named", "field"))["field"])  # of a named tuple's class
DESCRIBED = (property, functools.cached_property, FIELD)  # of which the text may change, and what hangs on them
BUILT_IN = (types.BuiltinFunctionType, types.MethodWrapperType)
OF_CLASSES = (
    types.GetSetDescriptorType,
    types.MemberDescriptorType,
    types.WrapperDescriptorType,
    types.MethodDescriptorType,
)
MAPPINGS = (dict, OrderedDict, defaultdict)
NAMED = (enum.Enum, type, types.FunctionType)  # keys that are walked, and named
SEQUENCES = (list, tuple, deque, set, frozenset)
LONG = 1024  # numbers in a list, beyond which it is one table


def contained(thing: Any, path: str) -> Iterable[Part] | None:
    """The parts of Python's own containers; None: it is none of them."""
    kind = type(thing)
    if kind in MAPPINGS:
        return (*_entries(thing, path), *_hung_on(thing))
    if kind is types.MappingProxyType:
        return ((".shown", gc.get_referents(thing)[0], None),)
    if kind is weakref.ref:
        return (("()", thing(), None), (".__callback__", thing.__callback__, None))
    if kind in SEQUENCES or is_namedtuple(kind):
        return _elements(thing)
    return None


def kind_of_container(thing: Any, path: str) -> Any:
    """What tells a container from others that hold the same; of a set how it lies in memory."""
    kind = type(thing)
    if is_namedtuple(kind):
        return (kind.__module__, kind.__qualname__, kind._fields)
    return layout(thing, path) if kind in (set, frozenset) else kind.__name__


def _elements(thing: Any) -> Iterable[Part]:
    """Of what is no mapping."""
    if (table := _table(thing)) is not None:
        return (("[:]", table, None),)
    if type(thing) not in (list, deque):
        return ((f"[{i}]", value, None) for i, value in enumerate(thing))
    most = [(".maxlen", thing.maxlen, None)] if type(thing) is deque else []
    return [*most, *((f"[{i}]", value, into(thing, i)) for i, value in enumerate(thing))]


def _table(thing: Any) -> Label | None:
    """A long list of numbers, compared as a whole: none of so many is a count of its own. None: it is no such list."""
    if type(thing) not in (list, tuple) or len(thing) <= LONG or len(kinds := {*map(type, thing)}) > 1:
        return None
    if kinds <= {int, bool}:
        return Label((type(thing).__name__, *kinds, tuple(thing)))
    return Label((type(thing).__name__, *kinds, array("d", thing).tobytes())) if kinds == {float} else None


def wrapped(thing: Any, path: str) -> Iterable[Part] | None:
    """The parts of methods, partials, caches, properties, functions of libraries and types; None: it is none of them."""
    kind = type(thing)
    if isinstance(thing, (*BUILT_IN, *OF_CLASSES)) and thing.__name__ in ROUNDABOUT:
        raise Unobservable(f"{path} is {thing.__name__}")
    parts: Iterable[Part] | None = None
    if isinstance(thing, types.MethodType):
        parts = ((".__func__", thing.__func__, None), (".__self__", thing.__self__, None))
    elif isinstance(thing, (staticmethod, classmethod)):
        parts = ((".__func__", thing.__func__, None), *_hung_on(thing))
    elif kind is functools.partial:
        parts = ((f".{name}", getattr(thing, name), None) for name in ("func", "args", "keywords", "__dict__"))
    elif kind is functools._lru_cache_wrapper:
        kept = ((f".cache[{i}]", value, None) for i, value in enumerate(_remembered_results(thing)))
        parts = (*kept, *_hung_on(thing))  # what it wraps among these
    elif isinstance(thing, BUILT_IN):
        parts = _builtin(thing, path)
    elif kind in DESCRIBED:
        functions = ((f".{name}", getattr(thing, name, None), None) for name in ("fget", "fset", "fdel", "func"))
        parts = ((".__doc__", thing.__doc__, None), *functions, *_hung_on(thing))
    elif isinstance(thing, (types.GenericAlias, types.UnionType, slice)):
        names = ("start", "stop", "step") if kind is slice else ("__origin__", "__args__")
        parts = ((f".{name}", getattr(thing, name), None) for name in names if hasattr(thing, name))
    elif isinstance(thing, OF_CLASSES):
        parts = ((".__name__", Label(thing.__name__), None), (".__objclass__", Kind(thing.__objclass__), None))
    elif kind is typing.ForwardRef:
        raise Unobservable(f"{path} is a ForwardRef, which keeps what it was last")
    elif kind.__module__ == "typing" and is_librarys(kind):
        parts = ((".__text__", Label(repr(thing)), None), *_hung_on(thing))
    return parts


def _hung_on(thing: Any) -> Iterator[Part]:
    return ((f".{name}", value, None) for name, value in attributes(getattr(thing, "__dict__", {}), "an object"))


def attributes(held: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Names and values of attributes; Unobservable where they are kept in something that may hold more than these."""
    if type(held) not in (dict, OrderedDict, types.MappingProxyType) or any(type(name) is not str for name in held):
        raise Unobservable(f"{path} has attributes whose names are no plain texts")
    return ((name, value) for name, value in list(held.items()))


def _entries(mapping: dict, path: str) -> Iterator[Part]:
    for i, (key, value) in enumerate(mapping.items()):
        if _is_plain(key):
            yield f"[{key!r}]", value, into(mapping, key)
        elif isinstance(key, NAMED) or type(key) in (tuple, *PLAIN) or type(key).__module__ == "typing":
            yield f".keys()[{i}]", key, None
            yield f"[{getattr(key, '__name__', i)}]", value, into(mapping, key)
        else:
            raise Unobservable(f"{path} has keys of type {type(key).__name__}")
    if isinstance(mapping, defaultdict):
        yield ".default_factory", mapping.default_factory, None


def _is_plain(key: Any) -> bool:
    """Whether a key is told by its text: not-a-numbers are many."""
    return type(key) in PLAIN - {float, complex, range} or (type(key) is tuple and all(map(_is_plain, key)))


def _remembered_results(cache: Any) -> Iterator[Any]:
    """Arguments and results that a function keeps for next time, in order: what Python's garbage collector sees of them."""
    for part in gc.get_referents(cache):
        if part is vars(cache):
            continue  # what hangs on it
        if type(part) is dict:
            yield from part.keys()
            yield from (value for value in part.values() if type(value).__name__ != "_lru_list_elem")
        elif part is not getattr(cache, "__wrapped__", None) and not isinstance(part, type):
            yield part  # of a cache with a limit, whose entries are the cache's own


def _builtin(thing: Any, path: str) -> Iterator[Part]:
    """A function of a library, or the method of an object, which counts."""
    is_harmless(thing, path)
    owner = getattr(thing, "__self__", None)
    if owner is not None and not isinstance(owner, (types.ModuleType, type)):
        yield ".__self__", owner, None
    yield ".__name__", Label((getattr(thing, "__module__", ""), getattr(thing, "__qualname__", ""))), None


def is_harmless(function: Any, path: str) -> None:
    """Unobservable where a library's function remembers something."""
    try:
        harmless(function)
    except Hidden as error:
        raise Unobservable(f"{path} {error}") from None


class Rebuilt:
    """Puts other contents into a tuple: another tuple takes its place, which must be its only one."""

    def __init__(self, thing: tuple, put: Callable[[Any], None]) -> None:
        self.kind, self.parts, self.put, self.elsewhere = type(thing), list(thing), put, False

    def is_elsewhere(self) -> None:
        """It is in other places, too."""
        self.elsewhere = True

    def at(self, place: int) -> Callable[[Any], None]:
        """What puts a content at a place."""

        def put(content: Any) -> None:
            if self.elsewhere:
                raise Unobservable("a tuple that counts frames is in several places")
            self.parts[place] = content
            self.put(tuple.__new__(self.kind, self.parts))

        return put


def is_tuple(kind: type) -> bool:
    """A tuple, named or not."""
    return kind is tuple or is_namedtuple(kind)


def is_namedtuple(kind: type) -> bool:
    """Whether objects of a class hold what the tuple shows, and nothing else."""
    return issubclass(kind, tuple) and hasattr(kind, "_fields") and kind.__mro__[1:] == (tuple, object)


def is_number_of_numpy(thing: Any) -> bool:
    """A scalar of NumPy's own."""
    return isinstance(thing, np.generic) and is_known(type(thing).__module__)


def into(container: Any, key: Any) -> Put:
    """What puts another content at this key."""
    return lambda content: container.__setitem__(key, content)
