"""The memory of a stream: everything that a step reads and that may change, found by walking the stream object whole.

A *cell* is a place in that memory: its path, its content, and how to put something else there. Tensors, numbers, flags
and texts are contents. Walked through are lists, tuples, dictionaries, deques, dataclasses, objects, modules; functions
with what they close over, their defaults and attributes, and the globals that their code reads (`reads.py`); partials,
methods and what objects of a user's class share. Whatever is not positively understood makes the memory unobservable:
nothing is concluded from it. A subject may instead declare its memory, a tree of such contents.
"""

from __future__ import annotations

import builtins
import enum
import functools
import gc
import logging
import pathlib
import re
import types
import weakref
from array import array
from collections import Counter as Counted
from collections import OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, make_dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.autograd import forward_ad
from torch.nn.utils.weight_norm import WeightNorm

from coequal.equivalence.memory.attached import on_libraries, on_storage, put_in_place
from coequal.equivalence.memory.reads import (
    LYING,
    ROUNDABOUT,
    Hidden,
    globals_read,
    harmless,
    is_honest,
    is_known,
    is_librarys,
    reads_of,
)
from coequal.equivalence.memory.watched import Counter, TensorCounter
from coequal.proofs.eager import unusual

Tensor = torch.Tensor
Put = Callable[[Any], None] | None
PLAIN = {int, float, complex, str, bytes, bool, type(None), type(Ellipsis), type(NotImplemented), range, slice}
COUNTED = {*PLAIN, Counter, TensorCounter, torch.SymInt}
KEYS = {*PLAIN, tuple}
FIXED = (
    *(torch.dtype, torch.device, torch.Size, torch.layout, torch.memory_format, re.Pattern),
    *(
        pathlib.PurePath,
        pathlib.PurePosixPath,
        pathlib.PureWindowsPath,
        pathlib.Path,
        pathlib.PosixPath,
        pathlib.WindowsPath,
    ),
    *(types.GetSetDescriptorType, types.MemberDescriptorType, types.WrapperDescriptorType),
    *(types.MethodDescriptorType, types.GenericAlias, types.UnionType),
)
FIXED_KINDS = (np.dtype,)  # each has a class of its own
FIELD = type(vars(namedtuple("_Named", "field"))["field"])  # of a named tuple's class
DESCRIBED = (property, functools.cached_property, FIELD)  # of which the text may change, and what hangs on them
MAPPINGS = (dict, OrderedDict, defaultdict)
ENTRANCES = ("step", "chunk", "flush")
# functions with two underscores run without being called by their name, but these: copies and ends are no steps
APART = ("__del__", "__reduce__", "__reduce_ex__", "__getstate__", "__setstate__", "__deepcopy__", "__copy__")
MAKING = ("__init__", "__new__", "__post_init__", "__init_subclass__", "__set_name__")  # run where a class is called
# classes of libraries whose objects hold what their `__dict__` says, and nothing else
TRANSPARENT = ("object", "ABC", "Generic", "Protocol", "SimpleNamespace", "Namespace")
# what `torch.no_grad()` and `torch.compiler.disable` wrap functions in
CONTEXTS = ("torch.autograd.grad_mode", "torch.utils._contextlib")
DISABLING = {("torch._dynamo.eval_frame", name) for name in ("DisableContext", "_TorchDynamoContext")}
# attributes of torch's modules, of loggers and of members of enumerations that hold no memory of a stream
TORCHS = {"_parameters", "_buffers", "_modules", "training"}
LOGGERS = {"filters", "name", "level", "parent", "propagate", "handlers", "disabled", "_cache", "manager"}
LOGGING = {"_log", "debug", "info", "warning", "warn", "error", "critical", "log", "exception"}  # wrapped by some libraries
MEMBERS = {"_value_", "_name_", "__objclass__", "_sort_order_"}
# attributes of classes that Python keeps for itself
PYTHONS = {
    *("__module__", "__dict__", "__weakref__", "__slots__", "__annotations__", "__annotate__", "__abstractmethods__"),
    *("__orig_bases__", "__parameters__", "__firstlineno__", "__static_attributes__", "__dataclass_fields__"),
    *("__dataclass_params__", "__match_args__", "__hash__", "__classcell__", "__annotate_func__", "__annotations_cache__"),
}
# objects of torch that hang on modules, and hold names and numbers of theirs
HOOKS = (torch.nn.modules.module._WrappedHook, WeightNorm)
DEEPEST = 40


@dataclass(frozen=True)
class _Frozen:
    """What Python writes for a class whose objects cannot be changed."""


FROZEN = {name: vars(_Frozen)[name].__code__ for name in ("__setattr__", "__delattr__")}


class Unobservable(Exception):
    """Something that cannot be looked into; the text says what and where."""


LONG = 1024  # numbers in a list, beyond which it is one table


@dataclass
class Cell:
    """One place in a memory."""

    path: str
    content: Any
    put: Put  # None: it cannot be replaced

    def copied(self) -> Cell:
        """The place as it is now: what is kept may be overwritten."""
        content = self.content
        return Cell(self.path, content.detach().clone() if isinstance(content, Tensor) else content, None)


def _is_implicit(name: str) -> bool:
    return name == "forward" or (name.startswith("__") and name.endswith("__") and name not in (*APART, *MAKING))


@dataclass(frozen=True)
class Kind:
    """The class of an object: what its methods reach, but for those that make one."""

    kind: type


@dataclass(frozen=True)
class Label:
    """What is compared as a whole: names, texts, flags."""

    content: Any


@dataclass
class Memory:
    """Of one stream: its cells, parameters that it reads, names of globals that its code reads."""

    cells: list[Cell] = field(default_factory=list)
    libraries: list[Cell] = field(default_factory=list)  # what hangs on classes that are not the user's
    parameters: dict[str, Tensor] = field(default_factory=dict)
    globals: set[str] = field(default_factory=set)
    counts_types: bool = False  # its code asks for types: a watched number would be seen
    replaced: dict[str, Any] = field(default_factory=dict)  # functions in the place of libraries' own
    lying: set[str] = field(default_factory=set)  # names in its code by which a program asks how frames lie in memory
    librarys: dict[type, bool] = field(default_factory=dict)  # whether classes that were met are known whole
    tells_integers: bool = False  # it may tell a watched size, which is no `int`, from a number
    names: frozenset[str] = frozenset(ENTRANCES)  # that its code reads: methods of other names are not called

    @property
    def places(self) -> list[Cell]:
        """All cells, those on libraries among them."""
        return [*self.cells, *self.libraries]


def memory_of(
    stream: Any, declared: Callable[[Any], Any] | None = None, *, graphs: bool = False, before: Memory | None = None
) -> Memory:
    """All of a stream's memory; Unobservable names what hides some. `declared`: the tree that the subject says it is.

    `graphs`: gradients are recorded, and tensors may carry what records them. `before`: of the same stream, some frames ago,
    whose names need not be looked for again.
    """
    if declared is not None:
        walk = _Walk(set(), declared=True, graphs=graphs)
        walk.visit(declared(stream), "memory", None)
        return walk.whole()
    names = set(ENTRANCES if before is None else before.names)
    places, librarys = (put_in_place(), dict[type, bool]()) if before is None else (before.replaced, before.librarys)
    known = -1
    while len(names) != known:  # methods count once their names are read by what is reached
        known = len(names)
        walk = _Walk(names, graphs=graphs, librarys=librarys)
        walk.visit(stream, "stream", None)
        walk.classes.setdefault(Tensor, "a frame")  # of frames, whatever tensors the stream holds
        walk.replaced(places)
        names |= walk.read
    if {"id", "next_id", "*"} & names and any(name.startswith("register_") and name.endswith("hook") for name in names):
        raise Unobservable("hooks are registered, and their numbers read: torch counts them")
    return walk.whole()


def cells(stream: Any) -> list[Cell]:
    """All places in a stream's memory; Unobservable names what hides some."""
    return memory_of(stream).cells


class _Walk:
    """One pass over everything that can be reached; functions whose names nobody reads are left out."""

    def __init__(
        self,
        names: set[str],
        *,
        declared: bool = False,
        graphs: bool = False,
        librarys: dict[type, bool] | None = None,
    ) -> None:
        self.names, self.declared, self.graphs = names, declared, graphs
        self.found, self.read = Memory(librarys={} if librarys is None else librarys), set[str]()
        self.seen: dict[tuple[int, bool], tuple[str, Any]] = {}  # where what was met was met first
        self.classes: dict[type, str] = {}  # of what was met, and where
        self.rebuilt: dict[str, _Rebuilt] = {}  # tuples, of which another may come in their place
        self.again: set[str] = set()  # where things are that are in other places, too
        self.depth = 0
        self.counts_types = self.tells_integers = False
        self.lying = set[str]()  # names by which its code asks how frames lie in memory

    def replaced(self, functions: dict[str, Any]) -> None:
        """What somebody put in the place of libraries' own: these functions, and methods of tensors."""
        self.found.replaced.update(functions)
        for name, function in functions.items():
            self.visit(function, name, None)
        if not self._is_librarys(Tensor):
            self.visit(Kind(Tensor), "torch.Tensor", None)

    def visit(self, thing: Any, path: str, put: Put) -> None:
        """A content, or its parts."""
        kind = type(thing)
        if kind is Label:
            self.found.cells.append(Cell(path, thing.content, None))
        elif kind is str and thing in ROUNDABOUT:
            raise Unobservable(f"{path} names {thing}")
        elif kind in COUNTED or _is_number_of_numpy(thing) or _is_bare_member(thing):
            self.found.cells.append(Cell(path, thing, put))
        elif isinstance(thing, Tensor):
            self._tensor(thing, path, put)
        elif kind is np.ndarray and thing.dtype.kind in "biufcSU" and not thing.dtype.metadata:
            self.found.cells.append(Cell(path, _numbers_of(thing), None))
            if thing.base is not None:  # of which it may be a part
                self.visit(thing.base, f"{path}.base", None)
        elif kind in FIXED or isinstance(thing, FIXED_KINDS):
            if getattr(thing, "metadata", None):
                raise Unobservable(f"{path} has metadata, which may change")
            if getattr(thing, "__name__", "") in ROUNDABOUT:
                raise Unobservable(f"{path} is {thing.__name__}")
            self.found.cells.append(Cell(path, thing, put))  # cannot change; another may come in its place
        elif (key := (id(thing.kind if kind is Kind else thing), kind is Kind)) in self.seen:
            self.again.add(self.seen[key][0])
            self.found.cells.append(Cell(path, f"the same as {self.seen[key][0]}", None))  # which of several, it may be
        else:
            if kind is not Kind and not is_honest(thing):
                raise Unobservable(f"{path} is of another class than it says")
            self.seen[key] = (path, thing)
            self._within(thing, path, put)

    def _within(self, thing: Any, path: str, put: Put) -> None:
        if self.depth > DEEPEST:
            raise Unobservable(f"{path} is nested too deeply")
        self.depth += 1
        try:
            rebuilt = _Rebuilt(thing, put) if put is not None and _is_tuple(type(thing)) else None
            for i, (name, part, put_part) in enumerate(self._parts(thing, path)):
                self.visit(part, f"{path}{name}", put_part if rebuilt is None else rebuilt.at(i))
            if rebuilt is not None:
                self.rebuilt[path] = rebuilt
        finally:
            self.depth -= 1

    # -- tensors -----------------------------------------------------------------------------------------------------------

    def _tensor(self, tensor: Tensor, path: str, put: Put) -> None:
        if type(tensor) not in (Tensor, nn.Parameter, nn.parameter.Buffer):
            raise Unobservable(f"{path} is a {type(tensor).__name__}, a tensor of another kind")
        if kind := unusual(tensor):
            raise Unobservable(f"{path} is {kind}, whose numbers in memory cannot be seen")
        if isinstance(tensor, nn.Parameter):
            self.found.parameters.setdefault(path, tensor)
        else:
            self.found.cells.append(Cell(path, tensor, put))
        if forward_ad._current_level >= 0 and forward_ad.unpack_dual(tensor).tangent is not None:
            raise Unobservable(f"{path} carries a tangent")
        if tensor.is_leaf and getattr(tensor, "grad_dtype", tensor.dtype) is not tensor.dtype:
            self.found.cells.append(Cell(f"{path}.grad_dtype", tensor.grad_dtype, None))
        if tensor.grad_fn is not None and not self.graphs:
            raise Unobservable(f"{path} carries a graph of gradients")
        if tensor.requires_grad or isinstance(tensor, nn.Parameter):
            self.found.cells.append(Cell(f"{path}.requires_grad", tensor.requires_grad, None))
        if tensor._backward_hooks or getattr(tensor, "_post_accumulate_grad_hooks", None):
            raise Unobservable(f"{path} has hooks: how many, and what they remember, cannot be seen")
        for name, value in vars(tensor).items():
            self.visit(value, f"{path}.{name}", _onto(tensor, name))
        for name, value in on_storage(tensor).items():
            self.visit(value, f"{path}.untyped_storage().{name}", None)
        self.classes.setdefault(type(tensor), path)
        if tensor.is_leaf and tensor.grad is not None:
            self.visit(tensor.grad, f"{path}.grad", None)

    def whole(self) -> Memory:
        """All that was found, with what hangs on classes of libraries."""
        for path in self.again & self.rebuilt.keys():
            self.rebuilt[path].is_elsewhere()
        libraries = [
            Cell(f"the class of {path}, which is a library's,", on_libraries(kind), None)
            for kind, path in self.classes.items()
        ]
        return replace(
            self.found,
            libraries=libraries,
            counts_types=self.counts_types,
            tells_integers=self.tells_integers,
            lying=self.lying,
            names=frozenset(self.names),
        )

    # -- parts of things ---------------------------------------------------------------------------------------------------

    def _parts(self, thing: Any, path: str) -> Iterator[tuple[str, Any, Put]]:
        kind = type(thing)
        if (parts := _contained(thing, path)) is not None:
            yield from parts
        elif self.declared:
            yield from _attributes_alone(thing, path)
        elif isinstance(thing, types.ModuleType):
            raise Unobservable(f"{path} is the module {thing.__name__}")
        elif isinstance(thing, types.FunctionType):
            yield from self._function(thing, path)
        elif (parts := _wrapped(thing, path)) is not None:
            yield from parts
        elif kind is Kind:
            yield from self._class(thing.kind, ())
        elif isinstance(thing, type):
            if thing is int or self._is_librarys(thing):
                self.tells_integers |= thing is int
                _harmless(thing, path)
            yield ".__class__", Label((thing.__module__, thing.__qualname__)), None
            yield from self._class(thing, MAKING)
        else:
            yield from self._object(thing, path)

    def _function(self, function: types.FunctionType, path: str) -> Iterator[tuple[str, Any, Put]]:
        for i, cell in enumerate(function.__closure__ or ()):
            name = function.__code__.co_freevars[i]
            try:
                value = cell.cell_contents
            except ValueError:  # not bound yet
                continue
            part = Kind(value) if name == "__class__" and _for_super(function, value) else value
            yield f"<{name}>", part, functools.partial(setattr, cell, "cell_contents")
        yield ".__labels__", Label((*_labels(function), function.__code__)), None
        yield ".__defaults__", function.__defaults__, None
        yield ".__kwdefaults__", function.__kwdefaults__, None
        yield ".__dict__", function.__dict__, None
        if is_librarys(function):
            _harmless(function, path)
            return
        reads = reads_of(function.__code__)
        if "cache_info" in reads.names:
            raise Unobservable(f"{path} asks how often a cache was used")
        self.lying |= reads.names & LYING
        self.read |= reads.names | ({"*"} if reads.by_text else set())
        self.counts_types |= ("type",) in reads.chains or "__class__" in reads.names
        self.tells_integers |= reads.tells_integers
        try:
            for name, value in globals_read(function):
                if not isinstance(value, type(None)) and not _is_library(value):
                    self.found.globals.add(name)
                yield f"::{name}", value, functools.partial(function.__globals__.__setitem__, name)
        except Hidden as error:
            raise Unobservable(f"{path} {error}") from None

    def _class(self, kind: type, making: tuple[str, ...]) -> Iterator[tuple[str, Any, Put]]:
        """What all objects of a user's class share: attributes, and the methods that are called."""
        for base in kind.__mro__:
            if self._is_librarys(base):
                continue
            yield f".{base.__name__}.__labels__", Label(_labels(base)), None
            for name, value in vars(base).items():
                if _is_code(value):
                    if name == "__repr__" and getattr(value, "__globals__", {}).get("__name__") == "dataclasses":
                        continue  # the text of the fields
                    if name in FROZEN and _runs_as(value, FROZEN[name]):
                        continue  # raises, but for subclasses
                    if name == "__eq__" and _compares_fields(base, value):
                        continue  # with another object of the same class
                    if name in (*self.names, *making) or ("*" in self.names and name not in APART) or _is_implicit(name):
                        yield from _codes(f".{base.__name__}.{name}", value)
                elif name not in PYTHONS and not name.startswith("_abc_") and not (name == "__doc__" and value is None):
                    yield f".{base.__name__}.{name}", value, functools.partial(setattr, base, name)
        if not self._is_librarys(type(kind)):
            yield ".__class__", type(kind), None

    def _object(self, thing: Any, path: str) -> Iterator[tuple[str, Any, Put]]:
        kind = type(thing)
        if isinstance(thing, logging.Logger):
            yield from _logger(thing)
            return
        yield ".__class__", Label((kind.__module__, kind.__qualname__)), None
        strange = next((base for base in kind.__mro__ if not _transparent(base)), None)
        if strange is not None:
            raise Unobservable(f"{path} is {_a(strange.__name__)}: what it remembers cannot be seen")
        if isinstance(thing, nn.Module):
            yield from self._module(thing)
        else:
            yield from ((f".{name}", value, _onto(thing, name)) for name, value in getattr(thing, "__dict__", {}).items())
        self.classes.setdefault(kind, path)
        yield from _slots(thing)
        yield from ((f".<unnamed {i}>", value, None) for i, value in enumerate(_unnamed(thing)))
        if not all(map(self._is_librarys, kind.__mro__)):
            yield "", Kind(kind), None

    def _is_librarys(self, kind: type) -> bool:
        if kind not in self.found.librarys:
            self.found.librarys[kind] = is_librarys(kind)
        return self.found.librarys[kind]

    def _module(self, module: nn.Module) -> Iterator[tuple[str, Any, Put]]:
        """Buffers, parameters, submodules, attributes and hooks."""
        if torch.nn.modules.module._global_forward_hooks or torch.nn.modules.module._global_forward_pre_hooks:
            raise Unobservable("hooks run for every module: what they remember cannot be seen")
        yield from ((f".{name}", value, _into(module._buffers, name)) for name, value in module._buffers.items())
        yield from ((f".{name}", value, None) for name, value in module._parameters.items())
        yield from ((f".{name}", value, None) for name, value in module._modules.items())
        yield ".training", module.training, None
        for name, value in vars(module).items():
            if name in TORCHS:
                continue
            hooks = name.endswith("_hooks") or "_hooks_" in name
            if not hooks or type(value) not in (dict, OrderedDict) or value:
                yield f".{name}", value, _onto(module, name)


def _for_super(function: types.FunctionType, kind: Any) -> bool:
    """Whether a method knows its class by `super()` alone, which makes no object of it."""
    if not isinstance(kind, type) or "super" in function.__globals__:
        return False
    return not is_librarys(function) and not reads_of(function.__code__).own_class


def _contained(thing: Any, path: str) -> Iterable[tuple[str, Any, Put]] | None:
    """The parts of Python's own containers; None: it is none of them."""
    kind = type(thing)
    if kind in MAPPINGS:
        return _entries(thing, path)
    if kind is types.MappingProxyType:
        return ((name, value, None) for name, value, _ in _entries(dict(thing), path))
    if kind is weakref.ref:
        return (("()", thing(), None),)
    if kind in (list, tuple, deque, set, frozenset) or _is_namedtuple(kind):
        return _elements(thing)
    return None


def _elements(thing: Any) -> Iterable[tuple[str, Any, Put]]:
    """Of what is no mapping."""
    if (table := _table(thing)) is not None:
        return (("[:]", table, None),)
    if type(thing) not in (list, deque):
        return ((f"[{i}]", value, None) for i, value in enumerate(thing))
    most = [(".maxlen", thing.maxlen, None)] if type(thing) is deque else []
    return [*most, *((f"[{i}]", value, _into(thing, i)) for i, value in enumerate(thing))]


def _table(thing: Any) -> Label | None:
    """A long list of numbers, compared as a whole: none of so many is a count of its own. None: it is no such list."""
    if type(thing) not in (list, tuple) or len(thing) <= LONG or len(kinds := {*map(type, thing)}) > 1:
        return None
    if kinds <= {int, bool}:
        return Label((type(thing).__name__, *kinds, tuple(thing)))
    return Label((type(thing).__name__, *kinds, array("d", thing).tobytes())) if kinds == {float} else None


def _wrapped(thing: Any, path: str) -> Iterable[tuple[str, Any, Put]] | None:
    """The parts of methods, partials, caches, properties, functions of libraries and types; None: it is none of them."""
    kind = type(thing)
    parts: Iterable[tuple[str, Any, Put]] | None = None
    if isinstance(thing, types.MethodType):
        parts = ((".__func__", thing.__func__, None), (".__self__", thing.__self__, None))
    elif isinstance(thing, (staticmethod, classmethod)):
        parts = ((".__func__", thing.__func__, None), *_hung_on(thing))
    elif kind is functools.partial:
        parts = ((f".{name}", getattr(thing, name), None) for name in ("func", "args", "keywords", "__dict__"))
    elif kind is functools._lru_cache_wrapper:
        kept = ((f".cache[{i}]", value, None) for i, value in enumerate(_remembered_results(thing)))
        parts = ((".__wrapped__", thing.__wrapped__, None), *kept)
    elif isinstance(thing, (types.BuiltinFunctionType, types.MethodWrapperType)):
        parts = _builtin(thing, path)
    elif kind in DESCRIBED:
        functions = ((f".{name}", getattr(thing, name, None), None) for name in ("fget", "fset", "fdel", "func"))
        parts = ((".__doc__", thing.__doc__, None), *functions, *_hung_on(thing))
    elif kind.__module__ == "typing" and is_librarys(kind):
        parts = ((".__text__", Label(repr(thing)), None), *_hung_on(thing))
    return parts


def _hung_on(thing: Any) -> Iterator[tuple[str, Any, Put]]:
    return ((f".{name}", value, None) for name, value in getattr(thing, "__dict__", {}).items())


def _entries(mapping: dict, path: str) -> Iterator[tuple[str, Any, Put]]:
    for key, value in mapping.items():
        named = isinstance(key, (enum.Enum, type, types.FunctionType)) or type(key).__module__ == "typing"
        if type(key) not in KEYS and not named:
            raise Unobservable(f"{path} has keys of type {type(key).__name__}")
        yield (
            f"[{key!r}]" if type(key) in KEYS else f"[{getattr(key, '__name__', key)}]",
            value,
            _into(mapping, key),
        )
    if isinstance(mapping, defaultdict):
        yield ".default_factory", mapping.default_factory, None


def _remembered_results(cache: Any) -> Iterator[Any]:
    """Arguments and results that a function keeps for next time, in order: what Python's garbage collector sees of them."""
    for part in gc.get_referents(cache):
        if type(part) is dict:
            yield from part.keys()
            yield from (value for value in part.values() if type(value).__name__ != "_lru_list_elem")
        elif part is not cache.__wrapped__ and not isinstance(part, type):
            yield part  # of a cache with a limit, whose entries are the cache's own


def _builtin(thing: Any, path: str) -> Iterator[tuple[str, Any, Put]]:
    """A function of a library, or the method of an object, which counts."""
    _harmless(thing, path)
    owner = getattr(thing, "__self__", None)
    if owner is not None and not isinstance(owner, (types.ModuleType, type)):
        yield ".__self__", owner, None
    yield ".__name__", Label((getattr(thing, "__module__", ""), getattr(thing, "__qualname__", ""))), None


def _harmless(function: Any, path: str) -> None:
    try:
        harmless(function)
    except Hidden as error:
        raise Unobservable(f"{path} {error}") from None


def _slots(thing: Any) -> Iterator[tuple[str, Any, Put]]:
    for kind in type(thing).__mro__:
        names = vars(kind).get("__slots__", ())
        for name in (names,) if isinstance(names, str) else tuple(names):
            mangled = f"_{kind.__name__.lstrip('_')}{name}" if name.startswith("__") and not name.endswith("__") else name
            if name not in ("__dict__", "__weakref__") and hasattr(thing, mangled):
                yield f".{mangled}", getattr(thing, mangled), _onto(thing, mangled)


def _unnamed(thing: Any) -> list[Any]:
    """What an object holds, to Python's garbage collector, and neither `__dict__` nor slots show; as often as it does."""
    held, attributes = gc.get_referents(thing), getattr(thing, "__dict__", {})
    shown = [type(thing), *(value for _, value, _ in _slots(thing))]
    shown += [attributes] if any(one is attributes for one in held) else list(attributes.values())
    counts = Counted(map(id, shown))
    counts.subtract(map(id, held))
    return [one for one in {id(one): one for one in held}.values() for _ in range(-counts[id(one)])]


def _codes(path: str, value: Any) -> Iterator[tuple[str, Any, Put]]:
    """The functions behind a method, a property, or a cached one."""
    if isinstance(value, property):
        yield from ((path, f, None) for f in (value.fget, value.fset, value.fdel) if f is not None)
    elif isinstance(value, functools.cached_property):
        yield path, value.func, None
    else:
        yield path, value, None


def _compares_fields(kind: type, function: Any) -> bool:
    """Whether this is what Python writes to compare dataclasses, field by field."""
    fields = vars(kind).get("__dataclass_fields__")
    if fields is None or not isinstance(function, types.FunctionType) or not _reads_builtins(function):
        return False
    written, own = _comparing(tuple(name for name, one in fields.items() if one.compare)), function.__code__
    return (own.co_code, own.co_names, own.co_consts) == (written.co_code, written.co_names, written.co_consts)


@functools.lru_cache
def _comparing(names: tuple[str, ...]) -> types.CodeType:
    return vars(make_dataclass("_Compared", names))["__eq__"].__code__


def _runs_as(function: Any, code: types.CodeType) -> bool:
    """Whether a function does what this code does, but for texts: which attributes it speaks of."""
    if not isinstance(function, types.FunctionType) or not _reads_builtins(function):
        return False
    own = function.__code__
    texts = all(isinstance(part, (str, tuple, type(None))) for part in own.co_consts)
    closed = all(isinstance(cell.cell_contents, type) for cell in function.__closure__ or ())
    same = (own.co_code, own.co_names, own.co_freevars) == (code.co_code, code.co_names, code.co_freevars)
    return texts and closed and same


def _reads_builtins(function: types.FunctionType) -> bool:
    """Whether the names that what Python writes for dataclasses reads are Python's own here."""
    own = {"type", "super", "NotImplemented", "FrozenInstanceError"}
    return own.isdisjoint(function.__globals__) and function.__builtins__ is vars(builtins)  # type: ignore[attr-defined]


def _is_code(value: Any) -> bool:
    return isinstance(value, (types.FunctionType, property, staticmethod, classmethod, functools.cached_property))


class _Rebuilt:
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


def _is_tuple(kind: type) -> bool:
    return kind is tuple or _is_namedtuple(kind)


def _is_namedtuple(kind: type) -> bool:
    return issubclass(kind, tuple) and hasattr(kind, "_fields") and kind.__mro__[1:] == (tuple, object)


def _is_library(value: Any) -> bool:
    """Functions, classes and modules that come from elsewhere are no memory of the program."""
    return isinstance(value, (types.FunctionType, types.BuiltinFunctionType, type, types.ModuleType))


def _transparent(base: type) -> bool:
    """Whether all that objects of a class hold is in their `__dict__` and slots."""
    root = base.__module__.partition(".")[0]
    if base is object or base.__name__ in TRANSPARENT or root == "coequal":
        return True
    if base.__module__ in ("dataclasses", "collections.abc") or base in HOOKS:
        return True  # written in Python, with slots or a `__dict__` that are looked into
    if base.__module__ in CONTEXTS or (base.__module__, base.__name__) in DISABLING or root == "einops":
        return True
    if root == "torch":
        return issubclass(base, nn.Module) and base.__module__.startswith(("torch.nn.", "torch.ao.nn", "torch.fx"))
    written_in_python = base.__dictoffset__ != 0 or "__slots__" in vars(base)
    return written_in_python and not is_known(base.__module__)


def _numbers_of(array: np.ndarray) -> Label:
    """What an array of NumPy holds, compared as a whole: none of its numbers is data."""
    return Label((array.dtype.str, array.shape, array.strides, array.flags.num, array.tobytes()))


def _is_number_of_numpy(thing: Any) -> bool:
    return isinstance(thing, np.generic) and is_known(type(thing).__module__)


def _is_bare_member(thing: Any) -> bool:
    """A member of an enumeration that nobody hung anything on."""
    return isinstance(thing, enum.Enum) and vars(thing).keys() <= MEMBERS


def _logger(logger: logging.Logger) -> Iterator[tuple[str, Any, Put]]:
    """What decides whether a message is written, of a logger and of those above it; and what somebody hung on it."""
    parts = [(id(one), getattr(one, "level", None)) for one in (*logger.filters, *logger.handlers)]
    switches = (logger.level, logger.disabled, logger.propagate, logger.manager.disable)
    yield ".__labels__", Label((logger.name, *switches, len(logger.filters), *parts)), None
    yield ".parent", logger.parent, None
    yield from ((f".{name}", value, None) for name, value in vars(logger).items() if name not in LOGGERS | LOGGING)


def _labels(thing: Any) -> tuple[Any, ...]:
    """Names, texts and annotations of a function or a class, which can be changed, too."""
    notes = vars(thing).get("__annotations__", {}) if isinstance(thing, type) else thing.__annotations__
    held = ((name, note if type(note) in PLAIN else id(note)) for name, note in notes.items())
    return (thing.__name__, thing.__qualname__, thing.__module__, thing.__doc__, *held)


def _a(name: str) -> str:
    return f"an {name}" if name[0] in "aeiouAEIOU" else f"a {name}"


def _into(container: Any, key: Any) -> Put:
    return lambda content: container.__setitem__(key, content)


def _attributes_alone(thing: Any, path: str) -> Iterator[tuple[str, Any, Put]]:
    """Of an object in a declared memory: it is said to be no more than they are."""
    if callable(thing) or not isinstance(getattr(thing, "__dict__", None), dict) or _has_slots(type(thing)):
        kind = type(thing).__name__
        raise Unobservable(f"{path} is a {kind}: a declared memory is a tree of tensors, numbers, lists, dicts, attributes")
    yield from ((f".{name}", value, _onto(thing, name)) for name, value in vars(thing).items())


def _has_slots(kind: type) -> bool:
    return any(base.__dict__.get("__slots__") for base in kind.__mro__)


def _onto(thing: Any, name: str) -> Put:
    if not isinstance(name, str):
        return None
    frozen = type(thing).__dict__.get("__setattr__") is not None and _runs_as(type(thing).__setattr__, FROZEN["__setattr__"])
    return functools.partial(object.__setattr__ if frozen else setattr, thing, name)
