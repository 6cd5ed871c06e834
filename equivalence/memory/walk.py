"""The memory of a stream: everything that a step reads and that may change, found by walking the stream object whole.

A *cell* is a place in that memory: its path, its content, and how to put something else there. Tensors, numbers, flags
and texts are contents. Walked through are lists, tuples, dictionaries, deques, dataclasses, objects, modules; functions
with what they close over, their defaults and attributes, and the globals that their code reads (`reads.py`); partials,
methods and what objects of a user's class share. Whatever is not positively understood makes the memory unobservable:
nothing is concluded from it. A subject may instead declare its memory, a tree of such contents.
"""

from __future__ import annotations

import abc
import builtins
import cmath
import enum
import functools
import gc
import logging
import pathlib
import re
import types
from collections import Counter as Counted
from collections import OrderedDict
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, field, make_dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.autograd import forward_ad
from torch.nn.utils.weight_norm import WeightNorm

from coequal.equivalence.memory.arrays import of_array, shared
from coequal.equivalence.memory.attached import on_libraries, on_storage, put_in_place
from coequal.equivalence.memory.cell import Cell, Kind, Label, Part, Put, Unobservable
from coequal.equivalence.memory.contents import (
    PLAIN,
    Rebuilt,
    attributes,
    contained,
    into,
    is_harmless,
    is_namedtuple,
    is_number_of_numpy,
    is_tuple,
    kind_of_container,
    wrapped,
)
from coequal.equivalence.memory.known import Hidden, is_honest, is_known, is_librarys
from coequal.equivalence.memory.reads import LYING, ROUNDABOUT, globals_read, reads_of
from coequal.equivalence.memory.running import NOTHING, Ran
from coequal.equivalence.memory.watched import Counter, TensorCounter
from coequal.proofs.eager import unusual

Tensor = torch.Tensor
COUNTED = {*PLAIN, Counter, TensorCounter, torch.SymInt}
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
)
FIXED_KINDS = (np.dtype,)  # each has a class of its own
ENTRANCES = ("step", "chunk", "flush")
# methods of numbers that answer a watched one with NotImplemented, and what only a watched one has
OF_COUNTS = {
    "lt",
    "le",
    "gt",
    "ge",
    "eq",
    "ne",
    "add",
    "sub",
    "mul",
    "mod",
    "floordiv",
    "truediv",
    "pow",
    "and",
    "or",
    "xor",
}
OF_COUNTS |= {"lshift", "rshift", "divmod"}
OF_COUNTS = {f"__{reflected}{name}__" for name in OF_COUNTS for reflected in ("", "r")} | {"uses", "growth", "each"}
OF_PATHS = {name for kind in pathlib.PosixPath.__mro__ for name in vars(kind).get("__slots__", ())} | {"*"}
UNSAVED = "_non_persistent_buffers_set"  # of torch's modules: names of buffers
# functions with two underscores run without being called by their name, but these: copies and ends are no steps
APART = ("__del__", "__reduce__", "__reduce_ex__", "__getstate__", "__setstate__", "__deepcopy__", "__copy__")
MAKING = ("__init__", "__new__", "__post_init__", "__init_subclass__", "__set_name__")  # run where a class is called
# classes of libraries whose objects hold what their `__dict__` says, and nothing else
TRANSPARENT = ("object", "ABC", "Generic", "Protocol", "SimpleNamespace", "Namespace")
# what `torch.no_grad()` and `torch.compiler.disable` wrap functions in
CONTEXTS = ("torch.autograd.grad_mode", "torch.utils._contextlib")
DISABLING = {("torch._dynamo.eval_frame", name) for name in ("DisableContext", "_TorchDynamoContext")}
# attributes of torch's modules, of loggers and of members of enumerations that hold no memory of a stream
HOOKED = {name for name in vars(nn.Module()) if "_hooks" in name}
TORCHS = {"_parameters", "_buffers", "_modules", "training"}
LOGGERS = {"filters", "name", "level", "parent", "propagate", "handlers", "disabled", "_cache", "manager"}
OF_LOGGERS = {"manager", "_cache", "loggerDict", "loggerClass", "getChild", "getChildren"}  # which hold what others did
LOGGING = {"_log", "debug", "info", "warning", "warn", "error", "critical", "log", "exception"}  # wrapped by some libraries
MEMBERS = {"_value_", "_name_", "__objclass__", "_sort_order_"}
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
# objects of torch that hang on modules, and hold names and numbers of theirs
HOOKS = (torch.nn.modules.module._WrappedHook, WeightNorm)
DEEPEST = 40


@dataclass(frozen=True)
class _Frozen:
    """What Python writes for a class whose objects cannot be changed."""


FROZEN = {name: vars(_Frozen)[name].__code__ for name in ("__setattr__", "__delattr__")}


def _is_implicit(name: str) -> bool:
    return name == "forward" or (name.startswith("__") and name.endswith("__") and name not in (*APART, *MAKING))


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
    codes: set[types.CodeType] = field(default_factory=set)  # of functions that were read, and of those within them

    @property
    def places(self) -> list[Cell]:
        """All cells, those on libraries among them."""
        return [*self.cells, *self.libraries]


def memory_of(
    stream: Any,
    declared: Callable[[Any], Any] | None = None,
    *,
    graphs: bool = False,
    before: Memory | None = None,
    running: Ran = NOTHING,
) -> Memory:
    """All of a stream's memory; Unobservable names what hides some. `declared`: the tree that the subject says it is.

    `graphs`: gradients are recorded, and tensors may carry what records them. `before`: of the same stream, some frames ago,
    whose names need not be looked for again. `running`: what is known to run, by whatever name it is called.
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
        walk = _Walk(names, graphs=graphs, librarys=librarys, running=running.codes)
        walk.visit(stream, "stream", None)
        for function in running.functions:
            walk.visit(function, function.__qualname__, None)
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
        running: Container[types.CodeType] = (),
    ) -> None:
        self.names, self.declared, self.graphs, self.running = names, declared, graphs, running
        self.found, self.read = Memory(librarys={} if librarys is None else librarys), set[str]()
        self.seen: dict[tuple[int, bool], tuple[str, Any]] = {}  # where what was met was met first
        self.classes: dict[type, str] = {}  # of what was met, and where
        self.rebuilt: dict[str, Rebuilt] = {}  # tuples, of which another may come in their place
        self.again: set[str] = set()  # where things are that are in other places, too
        self.depth = 0
        self.tensors: list[tuple[str, Tensor]] = []
        self.arrays: list[tuple[str, np.ndarray]] = []
        self.paths: list[str] = []
        self.hooked: dict[int, Any] = {}  # empty dictionaries of hooks, each of one module
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
        elif kind in COUNTED or is_number_of_numpy(thing):
            self.found.cells.append(Cell(path, thing, put))
            if isinstance(thing, (float, complex, np.inexact)) and cmath.isnan(thing):  # lists ask which object it is
                self._once(thing, path)
        elif isinstance(thing, Tensor):
            self._tensor(thing, path, put)
        elif kind in FIXED or isinstance(thing, FIXED_KINDS) or _is_bare_member(thing):
            self._fixed(thing, path, put)
        elif (key := (id(thing.kind if kind is Kind else thing), kind is Kind)) in self.seen:
            self.again.add(self.seen[key][0])
            self.found.cells.append(Cell(path, f"the same as {self.seen[key][0]}", None))  # which of several, it may be
        else:
            if kind is not Kind and not is_honest(thing):
                raise Unobservable(f"{path} is of another class than it says")
            self.seen[key] = (path, thing)
            self._within(thing, path, put)

    def _fixed(self, thing: Any, path: str, put: Put) -> None:
        """What cannot change; another may come in its place, and its class may hold something."""
        if getattr(thing, "metadata", None):
            raise Unobservable(f"{path} has metadata, which may change")
        if isinstance(thing, torch.Size) and any(type(size) not in (int, torch.SymInt) for size in thing):
            raise Unobservable(f"{path} holds what is no size")
        self.found.cells.append(Cell(path, thing, put))
        self.paths += [path] * isinstance(thing, pathlib.PurePath)
        if isinstance(thing, enum.Enum):
            for name, value in attributes(vars(thing), path):
                if name != "__objclass__":
                    self.visit(value, f"{path}.{name}", None)
        if isinstance(thing, (enum.Enum, pathlib.PurePath)):
            self._class_of(thing, path)

    def _class_of(self, thing: Any, path: str) -> None:
        """What hangs on the class of something that is one place."""
        if self._is_librarys(type(thing)):
            self.classes.setdefault(type(thing), path)
        else:
            self.visit(Kind(type(thing)), path, None)

    def _within(self, thing: Any, path: str, put: Put) -> None:
        if self.depth > DEEPEST:
            raise Unobservable(f"{path} is nested too deeply")
        self.depth += 1
        try:
            rebuilt = Rebuilt(thing, put) if put is not None and is_tuple(type(thing)) else None
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
            self.tensors.append((path, tensor))
        self._once(tensor, path)
        self._beside(tensor, path)
        if tensor.is_leaf and getattr(tensor, "grad_dtype", tensor.dtype) is not tensor.dtype:
            self.found.cells.append(Cell(f"{path}.grad_dtype", tensor.grad_dtype, None))
        if tensor.requires_grad or isinstance(tensor, nn.Parameter):
            self.found.cells.append(Cell(f"{path}.requires_grad", tensor.requires_grad, None))
        for name, value in attributes(vars(tensor), path):
            self.visit(value, f"{path}.{name}", _onto(tensor, name))
        for name, value in on_storage(tensor).items():
            self.visit(value, f"{path}.untyped_storage().{name}", None)
        self.classes.setdefault(type(tensor), path)
        if tensor.is_leaf and tensor.grad is not None:
            self.visit(tensor.grad, f"{path}.grad", None)

    def _beside(self, tensor: Tensor, path: str) -> None:
        """What a tensor carries that cannot be seen."""
        if forward_ad._current_level >= 0 and forward_ad.unpack_dual(tensor).tangent is not None:
            raise Unobservable(f"{path} carries a tangent")
        if tensor.grad_fn is not None and not self.graphs:
            raise Unobservable(f"{path} carries a graph of gradients")
        if tensor._backward_hooks or getattr(tensor, "_post_accumulate_grad_hooks", None):
            raise Unobservable(f"{path} has hooks: how many, and what they remember, cannot be seen")

    def whole(self) -> Memory:
        """All that was found, with what hangs on classes of libraries."""
        for path in self.again & self.rebuilt.keys():
            self.rebuilt[path].is_elsewhere()
        if self.paths and (names := OF_PATHS & self.names):
            raise Unobservable(f"{self.paths[0]} has attributes that may be set ({min(names)})")
        lying = shared([*self.tensors, *self.found.parameters.items()], self.arrays)
        self.found.cells.extend(Cell(path, place, None) for path, place in sorted(lying))
        libraries = [
            Cell(f"the class of {path}, which is a library's,", on_libraries(kind, self.names), None)
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

    def _parts(self, thing: Any, path: str) -> Iterator[Part]:
        kind = type(thing)
        if kind is np.ndarray:
            self.arrays.append((path, thing))
            yield from of_array(thing, path)
        elif (parts := contained(thing, path)) is not None:
            self.found.cells.append(Cell(f"{path}.__class__", kind_of_container(thing, path), None))
            yield from parts
            if is_namedtuple(kind) and not self._is_librarys(kind):
                self.visit(Kind(kind), path, None)
        elif self.declared:
            yield from _attributes_alone(thing, path)
        elif isinstance(thing, types.ModuleType):
            raise Unobservable(f"{path} is the module {thing.__name__}")
        elif isinstance(thing, types.FunctionType):
            yield from self._function(thing, path)
        elif (parts := wrapped(thing, path)) is not None:
            self.found.cells.append(Cell(f"{path}.__class__", kind.__name__, None))
            yield from parts
        elif kind is Kind:
            yield from self._class(thing.kind, ())
        elif isinstance(thing, type):
            if thing is int or self._is_librarys(thing):
                self.tells_integers |= thing is int
                self.classes.setdefault(thing, path)
                is_harmless(thing, path)
            yield ".__class__", Label((thing.__module__, thing.__qualname__)), None
            yield from self._class(thing, MAKING)
        else:
            yield from self._object(thing, path)

    def _function(self, function: types.FunctionType, path: str) -> Iterator[Part]:
        for i, cell in enumerate(function.__closure__ or ()):
            name = function.__code__.co_freevars[i]
            self._once(cell, f"{path}<{name}>")
            try:
                value = cell.cell_contents
            except ValueError:  # not bound yet
                continue
            part = Kind(value) if name == "__class__" and _for_super(function, value) else value
            yield f"<{name}>", part, functools.partial(setattr, cell, "cell_contents")
        if {type(function.__doc__), type(function.__module__)} - {str, type(None)} or _odd(function.__code__):
            raise Unobservable(f"{path} says of itself what is no text, or holds what is no constant")
        yield ".__labels__", Label((*_labels(function), *_code(function.__code__))), None
        yield from _annotations(function, whole="__annotations__" in self.names)
        yield ".__defaults__", function.__defaults__, None
        yield ".__kwdefaults__", function.__kwdefaults__, None
        yield ".__dict__", function.__dict__, None
        if is_librarys(function):
            is_harmless(function, path)
            return
        self._known(function)
        reads = reads_of(function.__code__)
        if "cache_info" in reads.names:
            raise Unobservable(f"{path} asks how often a cache was used")
        self.lying |= reads.names & LYING
        python = {text for text in reads.texts if text[:2] == "__"}
        self.read |= reads.names | python | ({"*"} if reads.by_text else set())
        self.counts_types |= ("type",) in reads.chains or "__class__" in reads.names
        self.counts_types |= not OF_COUNTS.isdisjoint(reads.names | reads.texts)
        self.tells_integers |= reads.tells_integers or self.counts_types
        try:
            for name, value in globals_read(function):
                if not isinstance(value, type(None)) and not _is_library(value):
                    self.found.globals.add(name)
                yield f"::{name}", value, functools.partial(function.__globals__.__setitem__, name)
        except Hidden as error:
            raise Unobservable(f"{path} {error}") from None

    def _class(self, kind: type, making: tuple[str, ...]) -> Iterator[Part]:
        """What all objects of a user's class share: attributes, and the methods that are called."""
        for base in kind.__mro__:
            if self._is_librarys(base):
                continue
            yield f".{base.__name__}.__labels__", Label((*_labels(base), *_registered(base))), None
            notes = _annotations(base, whole="__annotations__" in self.names)
            yield from ((f".{base.__name__}{name}", note, put) for name, note, put in notes)
            for name, value in vars(base).items():
                if _is_code(value):
                    if name == "__repr__" and getattr(value, "__globals__", {}).get("__name__") == "dataclasses":
                        continue  # the text of the fields, if it is what runs
                    if name in FROZEN and _runs_as(value, FROZEN[name]):
                        self._known(value)
                        continue  # raises, but for subclasses
                    if name == "__eq__" and _compares_fields(base, value):
                        self._known(value)
                        continue  # with another object of the same class
                    called = (
                        name in (*self.names, *making) or ("*" in self.names and name not in APART) or _is_implicit(name)
                    )
                    if called or any(code in self.running for code in _codes_of(value)):
                        yield from _codes(f".{base.__name__}.{name}", value)
                elif name in self.names or not _is_pythons(name, value):
                    yield f".{base.__name__}.{name}", value, functools.partial(setattr, base, name)
        if not self._is_librarys(type(kind)):
            yield ".__class__", type(kind), None

    def _object(self, thing: Any, path: str) -> Iterator[Part]:
        kind = type(thing)
        if isinstance(thing, logging.Logger):
            self.classes.setdefault(kind, path)
            if names := OF_LOGGERS & self.names:
                raise Unobservable(f"{path} is a logger, of which {min(names)} is asked")
            yield from _logger(thing)
            return
        yield ".__class__", Label((kind.__module__, kind.__qualname__)), None
        strange = next((base for base in kind.__mro__ if not _transparent(base)), None)
        if strange is not None:
            raise Unobservable(f"{path} is {_a(strange.__name__)}: what it remembers cannot be seen")
        if isinstance(thing, nn.Module):
            yield from self._module(thing, path)
        else:
            yield from ((f".{name}", value, _onto(thing, name)) for name, value in self._attributes(thing, path))
        self.classes.setdefault(kind, path)
        yield from _slots(thing)
        yield from ((f".<unnamed {i}>", value, None) for i, value in enumerate(_unnamed(thing)))
        if not all(map(self._is_librarys, kind.__mro__)):
            yield "", Kind(kind), None

    def _attributes(self, thing: Any, path: str) -> Iterator[tuple[str, Any]]:
        """Of an object, which may share them with others."""
        held = getattr(thing, "__dict__", None)
        if held is None:
            return iter(())
        self._once(held, f"{path}.__dict__")
        return attributes(held, path)

    def _once(self, thing: Any, path: str) -> None:
        """Tells where something was met before, which others may hold."""
        if (before := self.seen.setdefault((id(thing), False), (path, thing))[0]) != path:
            self.found.cells.append(Cell(f"{path}.__self__", f"the same as {before}", None))

    def _known(self, function: types.FunctionType) -> None:
        """Its code is, and what is defined within it."""
        self.found.codes.update(_inner(function.__code__))

    def _is_librarys(self, kind: type) -> bool:
        if kind not in self.found.librarys:
            self.found.librarys[kind] = is_librarys(kind)
        return self.found.librarys[kind]

    def _module(self, module: nn.Module, path: str) -> Iterator[Part]:
        """Buffers, parameters, submodules, attributes and hooks."""
        if torch.nn.modules.module._global_forward_hooks or torch.nn.modules.module._global_forward_pre_hooks:
            raise Unobservable("hooks run for every module: what they remember cannot be seen")
        parts = (module._buffers, module._parameters, module._modules)
        for name, held in zip(("_buffers", "_parameters", "_modules"), parts, strict=True):
            self._once(held, f"{path}.{name}")
        yield ".__dict__", Label(tuple(type(held).__name__ for held in parts)), None
        yield from ((f".{name}", value, into(module._buffers, name)) for name, value in attributes(module._buffers, ""))
        yield from ((f".{name}", value, None) for name, value in attributes(module._parameters, ""))
        yield from ((f".{name}", value, None) for name, value in attributes(module._modules, ""))
        yield ".training", module.training, None
        for name, value in self._attributes(module, path):
            if name in TORCHS:
                continue
            if name == UNSAVED and type(value) is set and name not in self.names:
                yield f".{name}", Label(tuple(sorted(value))), None
                continue
            if name not in HOOKED or type(value) is not OrderedDict or value or vars(value) or id(value) in self.hooked:
                yield f".{name}", value, _onto(module, name)
            else:
                self.hooked[id(value)] = value


def _for_super(function: types.FunctionType, kind: Any) -> bool:
    """Whether a method knows its class by `super()` alone, which makes no object of it."""
    if not isinstance(kind, type) or "super" in function.__globals__:
        return False
    return not is_librarys(function) and not reads_of(function.__code__).own_class


def _slots(thing: Any) -> Iterator[Part]:
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


def _codes(path: str, value: Any) -> Iterator[Part]:
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


def _is_bare_member(thing: Any) -> bool:
    """A member of an enumeration that nobody hung anything on."""
    return isinstance(thing, enum.Enum) and vars(thing).keys() <= MEMBERS


def _logger(logger: logging.Logger) -> Iterator[Part]:
    """What decides whether a message is written, of a logger and of those above it; and what somebody hung on it."""
    parts = [(id(one), getattr(one, "level", None)) for one in (*logger.filters, *logger.handlers)]
    switches = (logger.level, logger.disabled, logger.propagate, logger.manager.disable)
    yield ".__labels__", Label((logger.name, *switches, len(logger.filters), *parts)), None
    yield ".parent", logger.parent, None
    yield from ((f".{name}", value, None) for name, value in vars(logger).items() if name not in LOGGERS | LOGGING)


def _inner(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for part in code.co_consts:
        if isinstance(part, types.CodeType):
            yield from _inner(part)


def _codes_of(value: Any) -> Iterator[types.CodeType]:
    """Of a method, a property and the like."""
    return (part.__code__ for _, part, _ in _codes("", value) for part in (_plain(part),) if part is not None)


def _plain(value: Any) -> types.FunctionType | None:
    """The function of a static method, say."""
    value = getattr(value, "__func__", value)
    return value if isinstance(value, types.FunctionType) else None


def _code(code: types.CodeType) -> tuple[Any, ...]:
    """What a function does, and what its code says of itself, which is not compared by `==`."""
    inner = (part for part in code.co_consts if isinstance(part, types.CodeType))
    return (code, code.co_filename, code.co_qualname, *(text for part in inner for text in _code(part)[1:]))


def _odd(code: types.CodeType) -> bool:
    """Whether a constant of it is none that Python's compiler makes."""
    return any(_odd(part) if isinstance(part, types.CodeType) else not _is_constant(part) for part in code.co_consts)


def _is_constant(part: Any) -> bool:
    return type(part) in PLAIN or (type(part) in (tuple, frozenset, slice) and all(map(_is_constant, _members(part))))


def _members(part: Any) -> Any:
    return (part.start, part.stop, part.step) if isinstance(part, slice) else part


def _annotations(thing: Any, *, whole: bool = False) -> Iterator[Part]:
    """Those that may change: lists, say; `whole`: all."""
    notes = vars(thing).get("__annotations__", {}) if isinstance(thing, type) else thing.__annotations__
    for name, note in notes.items():
        if whole or _may_change(note):
            yield f".__annotations__[{name!r}]", note, None


def _may_change(note: Any) -> bool:
    known = isinstance(note, (type, types.GenericAlias)) or type(note).__module__ in ("typing", "types")
    return type(note) not in PLAIN and not known


def _note(note: Any) -> Any:
    """What tells an annotation from others, where it is none that is walked."""
    return note if type(note) in PLAIN else None if _may_change(note) else id(note)


def _registered(kind: type) -> tuple[str, ...]:
    """Classes that count as subclasses of an abstract one, because somebody said so."""
    if not isinstance(kind, abc.ABCMeta):
        return ()
    found = (reference() for reference in abc._get_dump(kind)[0])  # type: ignore[attr-defined]
    return tuple(sorted(f"{one.__module__}.{one.__qualname__}" for one in found if one is not None))


def _is_pythons(name: str, value: Any) -> bool:
    """Whether an attribute of a class is one that Python keeps for itself."""
    return (
        name in PYTHONS
        or (name == "_abc_impl" and type(value).__module__ == "_abc")
        or (name == "__doc__" and value is None)
    )


def _labels(thing: Any) -> tuple[Any, ...]:
    """Names, texts and annotations of a function or a class, which can be changed, too."""
    notes = vars(thing).get("__annotations__", {}) if isinstance(thing, type) else thing.__annotations__
    held = ((name, _note(note)) for name, note in notes.items())
    return (thing.__name__, thing.__qualname__, thing.__module__, thing.__doc__, *held)


def _a(name: str) -> str:
    return f"an {name}" if name[0] in "aeiouAEIOU" else f"a {name}"


def _attributes_alone(thing: Any, path: str) -> Iterator[Part]:
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
