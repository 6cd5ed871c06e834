"""What functions and classes are told by: names, texts, annotations, code; and what of it Python wrote itself."""

from __future__ import annotations

import abc
import builtins
import functools
import types
from collections.abc import Iterator
from dataclasses import dataclass, make_dataclass
from typing import Any

from coequal.equivalence.memory.cell import Part
from coequal.equivalence.memory.contents import PLAIN
from coequal.equivalence.memory.known import is_librarys
from coequal.equivalence.memory.reads import reads_of

# attributes of classes that Python keeps for itself
PYTHONS = {
    *(
        "__module__",
        "__dict__",
        "__weakref__",
        "__slots__",
        "__slotnames__",
        "__annotations__",
        "__annotate__",
        "__abstractmethods__",
    ),
    *("__orig_bases__", "__parameters__", "__firstlineno__", "__static_attributes__", "__dataclass_fields__"),
    *("__dataclass_params__", "__match_args__", "__hash__", "__classcell__", "__annotate_func__", "__annotations_cache__"),
}


@dataclass(frozen=True)
class _Frozen:
    """What Python writes for a class whose objects cannot be changed."""


FROZEN = {name: vars(_Frozen)[name].__code__ for name in ("__setattr__", "__delattr__")}


def labels_of(thing: Any) -> tuple[Any, ...]:
    """Names, texts and annotations of a function or a class, which can be changed, too."""
    held = ((name, _note(note)) for name, note in _annotations(thing).items())
    return (thing.__name__, thing.__qualname__, thing.__module__, thing.__doc__, *held)


def registered(kind: type) -> tuple[str, ...]:
    """Classes that count as subclasses of an abstract one, because somebody said so."""
    if not isinstance(kind, abc.ABCMeta):
        return ()
    found = (reference() for reference in abc._get_dump(kind)[0])  # type: ignore[attr-defined]
    return tuple(sorted(f"{one.__module__}.{one.__qualname__}" for one in found if one is not None))


def is_pythons(name: str, value: Any) -> bool:
    """Whether an attribute of a class is one that Python keeps for itself."""
    return (
        name in PYTHONS
        or (name == "_abc_impl" and type(value).__module__ == "_abc")
        or (name == "__doc__" and value is None)
    )


def notes_of(thing: Any, *, whole: bool = False) -> Iterator[Part]:
    """Annotations that may change: lists, say; `whole`: all."""
    for name, note in _annotations(thing).items():
        if whole or _may_change(note):
            yield f".__annotations__[{name!r}]", note, None


def _annotations(thing: Any) -> dict[str, Any]:
    """Of a function, or of a class and not of those that it is made from."""
    return vars(thing).get("__annotations__", {}) if isinstance(thing, type) else thing.__annotations__  # type: ignore[no-any-return]


def _may_change(note: Any) -> bool:
    known = isinstance(note, (type, types.GenericAlias)) or type(note).__module__ in ("typing", "types")
    return type(note) not in PLAIN and not known


def _note(note: Any) -> Any:
    """What tells an annotation from others, where it is none that is walked."""
    return note if type(note) in PLAIN else None if _may_change(note) else id(note)


def functions_of(path: str, value: Any) -> Iterator[Part]:
    """The functions behind a method, a property, or a cached one; and its text."""
    if isinstance(value, property):
        yield f"{path}.__doc__", value.__doc__, None
        yield from ((path, f, None) for f in (value.fget, value.fset, value.fdel) if f is not None)
    elif isinstance(value, functools.cached_property):
        yield path, value.func, None
        held = (name for name in vars(value) if name not in ("func", "lock"))
        yield from ((f"{path}.{name}", vars(value)[name], None) for name in held)
    else:
        yield path, value, None


def is_code(value: Any) -> bool:
    """Whether an attribute of a class runs: methods, properties and the like."""
    return isinstance(value, (types.FunctionType, property, staticmethod, classmethod, functools.cached_property))


def codes_of(value: Any) -> Iterator[types.CodeType]:
    """Of a method, a property and the like."""
    return (part.__code__ for _, part, _ in functions_of("", value) for part in (_plain(part),) if part is not None)


def _plain(value: Any) -> types.FunctionType | None:
    """The function of a static method, say."""
    value = getattr(value, "__func__", value)
    return value if isinstance(value, types.FunctionType) else None


def codes_within(code: types.CodeType) -> Iterator[types.CodeType]:
    """The code itself, and that of functions which are defined in it."""
    yield code
    for part in code.co_consts:
        if isinstance(part, types.CodeType):
            yield from codes_within(part)


def code_of(code: types.CodeType) -> tuple[Any, ...]:
    """What a function does, and what its code says of itself, which is not compared by `==`."""
    inner = (part for part in code.co_consts if isinstance(part, types.CodeType))
    return (code, code.co_filename, code.co_qualname, *(text for part in inner for text in code_of(part)[1:]))


def is_odd(code: types.CodeType) -> bool:
    """Whether a constant of it is none that Python's compiler makes."""
    return any(is_odd(part) if isinstance(part, types.CodeType) else not _is_constant(part) for part in code.co_consts)


def _is_constant(part: Any) -> bool:
    return type(part) in PLAIN or (type(part) in (tuple, frozenset, slice) and all(map(_is_constant, _members(part))))


def _members(part: Any) -> Any:
    return (part.start, part.stop, part.step) if isinstance(part, slice) else part


def for_super(function: types.FunctionType, kind: Any) -> bool:
    """Whether a method knows its class by `super()` alone, which makes no object of it."""
    if not isinstance(kind, type) or "super" in function.__globals__:
        return False
    return not is_librarys(function) and not reads_of(function.__code__).own_class


def runs_as(function: Any, code: types.CodeType) -> bool:
    """Whether a function does what this code does, but for texts: which attributes it speaks of."""
    if not isinstance(function, types.FunctionType) or not _reads_builtins(function):
        return False
    own = function.__code__
    texts = all(isinstance(part, (str, tuple, type(None))) for part in own.co_consts)
    closed = all(isinstance(cell.cell_contents, type) for cell in function.__closure__ or ())
    same = (own.co_code, own.co_names, own.co_freevars) == (code.co_code, code.co_names, code.co_freevars)
    return texts and closed and same


def compares_fields(kind: type, function: Any) -> bool:
    """Whether this is what Python writes to compare dataclasses, field by field."""
    fields = vars(kind).get("__dataclass_fields__")
    if fields is None or not isinstance(function, types.FunctionType) or not _reads_builtins(function):
        return False
    written, own = _comparing(tuple(name for name, one in fields.items() if one.compare)), function.__code__
    return (own.co_code, own.co_names, own.co_consts) == (written.co_code, written.co_names, written.co_consts)


@functools.lru_cache
def _comparing(names: tuple[str, ...]) -> types.CodeType:
    return vars(make_dataclass("_Compared", names))["__eq__"].__code__


def _reads_builtins(function: types.FunctionType) -> bool:
    """Whether the names that what Python writes for dataclasses reads are Python's own here."""
    own = {"type", "super", "NotImplemented", "FrozenInstanceError"}
    return own.isdisjoint(function.__globals__) and function.__builtins__ is vars(builtins)  # type: ignore[attr-defined]
