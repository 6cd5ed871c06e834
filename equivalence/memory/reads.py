"""What a function reads beyond its arguments: globals, attributes of modules, names of methods; found in its code.

Memory hides where nothing holds it: in a global that a step rebinds, in the state of a library. So the code of a stream's
own functions is read, once each. Libraries' code is not: it is known (`known.py`).
"""

from __future__ import annotations

import builtins
import dis
import functools
import importlib
import importlib.util
import inspect
import re
import types
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

from coequal.equivalence.memory.known import Hidden, harmless, harmless_in, is_known, is_librarys

NAMESPACES = (types.ModuleType, type, types.FunctionType)
NUMBERS = {int, float, complex, str, bytes, tuple, frozenset, range}  # of which two may be equal
NUMBERS |= {re.Pattern, torch.Size, torch.device}
CONSTANTS = (bool, type(None), type(Ellipsis), type(NotImplemented))
# ways round everything that is looked at here
LOOPHOLES = {
    "eval": "evaluates text", "exec": "executes text", "compile": "compiles text", "globals": "reads all globals",
    "locals": "reads all locals", "id": "uses identities of objects", "open": "opens files", "input": "reads input",
    "__import__": "imports by name", "breakpoint": "stops", "memoryview": "looks at memory",
}  # fmt: skip


# attributes that lead round it: the sizes of memory, frames, and what functions, classes and modules keep for Python
ROUNDABOUT = {
    *("__sizeof__", "__globals__", "__builtins__", "__subclasses__", "__loader__", "__spec__", "__traceback__"),
    *("__slots__", "__match_args__", "__dataclass_fields__", "__orig_bases__", "__parameters__", "__abstractmethods__"),
    *(
        "f_back",
        "f_locals",
        "f_globals",
        "f_builtins",
        "f_lasti",
        "f_lineno",
        "gi_frame",
        "cr_frame",
        "ag_frame",
        "tb_frame",
    ),
}


# attributes of tensors that tell what is no number in them
ASKING = {
    "_version": "how often a tensor was written",
    "_base": "what a view is a view of",
    "data_ptr": "where a tensor lies",
    "_use_count": "how many hold a tensor",
    "_autograd_function_id": "how many classes of functions there were",
}
LYING = {"storage_offset", "stride", "is_contiguous", "untyped_storage", "storage", "as_strided"}  # how frames lie in memory

INTEGERS = {"int", "numbers", "Integral", "Number", "Real", "Rational", "Complex", "SupportsIndex", "SupportsInt", "SymInt"}
OF_INTEGERS = {"bit_length", "bit_count", "to_bytes", "from_bytes", "numerator", "denominator", "is_integer", "node"}
OF_INTEGERS |= {"as_integer_ratio", "__float__", "__getnewargs__", "__invert__", "__divmod__", "_sympy_", "SymInt"}
BY_TEXT = {"getattr", "vars", "attrgetter", "methodcaller", "__dict__", "__getattribute__", "getattr_static"}


Chain = tuple[str, ...]  # a global, or an import in a function, and the attributes that are taken of it
_Bound = dict[str, set[Chain]]  # by local name, what it may stand for
IMPORT = "import "  # begins a chain: what is imported while it runs, with the dots of a relative one
LOCAL = re.compile("LOAD|STORE")  # of an instruction on locals, two in one in newer versions of Python
SILENT = ("CACHE", "PUSH_NULL", "PRECALL", "RESUME", "EXTENDED_ARG", "NOP", "LOAD_CLOSURE", "COPY_FREE_VARS", "MAKE_CELL")


@dataclass
class Reads:
    """Of one code object and those nested in it."""

    names: set[str] = field(default_factory=set)  # of attributes, methods among them
    chains: set[Chain] = field(default_factory=set)
    ends: set[Chain] = field(default_factory=set)  # those that are used as they are: handed on, called, computed with
    rebinds: set[str] = field(default_factory=set)  # globals that are assigned
    identities: bool = False  # two objects are compared by `is`
    compared: set[Chain] = field(default_factory=set)  # with which others are, by `is`
    own_class: bool = False  # `__class__` is used otherwise than by `super()`
    texts: set[str] = field(default_factory=set)  # short ones, that may name attributes
    by_pattern: bool = False  # `match` asks for classes

    def compared_by_is(self, loaded: dis.Instruction | None, chains: set[Chain]) -> None:
        """Two objects are, the second one by this instruction: `None` and the like may be, and what can be found by name."""
        if loaded is None or loaded.opname not in ("LOAD_CONST", "LOAD_GLOBAL", "LOAD_ATTR"):
            self.identities = True
        elif loaded.opname == "LOAD_CONST":
            self.identities |= not isinstance(loaded.argval, CONSTANTS)
        else:
            self.identities |= not chains
            self.compared |= chains

    def uses_its_class(self) -> None:
        """Otherwise than by `super()`."""
        self.own_class = True

    def ask_for(self, instruction: str) -> None:
        """An instruction may ask for the class of an object, and for attributes by their names."""
        if instruction == "MATCH_CLASS":
            self.by_pattern = True
            self.names.add("getattr")

    @property
    def tells_integers(self) -> bool:
        """Whether it may tell a whole number from what stands for one: by its class, or by what only numbers have."""
        called = {chain[0] for chain in self.chains}
        by_class = self.by_pattern or bool({"isinstance", "issubclass"} & called)
        return (by_class and not INTEGERS.isdisjoint(called)) or not OF_INTEGERS.isdisjoint(self.names | self.texts)

    @property
    def by_text(self) -> bool:
        """Whether attributes may be read whose names are no names in the code."""
        return not BY_TEXT.isdisjoint(self.names | {name for chain in self.chains for name in chain})


@functools.lru_cache(maxsize=10_000)
def reads_of(code: types.CodeType) -> Reads:
    """What a code object reads."""
    found = Reads()
    _scan(code, found)
    return found


def _scan(code: types.CodeType, found: Reads, outer: _Bound | None = None) -> None:
    """Until no local is bound to more: a name may be used above the line that binds it, in a loop say."""
    bound: _Bound = {name: set(chains) for name, chains in (outer or {}).items()}
    before = -1
    while (count := sum(map(len, bound.values()))) != before:
        before = count
        _Scan(found, bound).through(code)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            _scan(constant, found, bound)
        for text in constant if isinstance(constant, tuple) else (constant,):  # for `getattr`, `format`, and patterns
            if isinstance(text, str):
                found.names.update(name for name in (*ROUNDABOUT, *ASKING) if name in text)
                found.texts.update({text} if text.isidentifier() else ())


class _Scan:
    """One pass through the instructions of a code object: what chains are read, and which locals stand for one."""

    def __init__(self, found: Reads, bound: _Bound) -> None:
        self.found, self.bound = found, bound
        self.chains: set[Chain] = set()  # what may be on top of the stack
        self.copied: set[Chain] = set()  # what is below it once more
        self.module: set[Chain] = set()  # from which names are imported
        self.constants: list[Any] = []
        self.outer: tuple[str, ...] = ()  # names of enclosing functions
        self.before: dis.Instruction | None = None

    def through(self, code: types.CodeType) -> None:
        """All of them, in order."""
        self.outer = code.co_freevars
        for step in dis.get_instructions(code):
            if step.opname not in SILENT:
                self._step(step)
                self.before = step

    def _step(self, step: dis.Instruction) -> None:
        name, kinds = step.opname, LOCAL.findall(step.opname)
        if name in ("LOAD_GLOBAL", "LOAD_NAME"):
            self._load({(str(step.argval),)} | self.bound.get(str(step.argval), set()))  # of a class body, say
        elif kinds and ("FAST" in name or "DEREF" in name):
            locals_ = step.argval if isinstance(step.argval, tuple) else (step.argval,)
            if "__class__" in locals_ and not self._after_super():
                self.found.uses_its_class()
            for kind, local in zip(kinds, locals_, strict=False):
                self._load(self.bound.get(local, set())) if kind == "LOAD" else self._store(local)
        elif name in ("LOAD_ATTR", "LOAD_METHOD", "LOAD_SUPER_ATTR"):
            self.found.names.add(str(step.argval))
            self._extend(self.chains, str(step.argval))
        elif name == "IMPORT_NAME":
            self._import(str(step.argval))
        elif name == "IMPORT_FROM":
            self._extend(self.chains or self.module, str(step.argval))
        elif name in ("COPY", "DUP_TOP"):
            self.copied = self.chains
        elif name == "STORE_NAME":  # an attribute of the class whose body this is
            self.found.ends.update(self.chains)
            self._store(str(step.argval))
        elif name in ("STORE_GLOBAL", "DELETE_GLOBAL"):
            self.found.rebinds.add(str(step.argval))
            self._store(str(step.argval))
        elif name == "IS_OP":
            self.found.compared_by_is(self.before, self.chains)
            self._load(set())
        else:
            self._other(step)

    def _other(self, step: dis.Instruction) -> None:
        """Whatever names nothing; of what is done in place, how."""
        name = step.opname
        if name == "BINARY_OP" and step.argrepr.endswith("="):
            self.found.names.add(step.argrepr)
        if name in ("STORE_ATTR", "DELETE_ATTR"):
            self.found.names.add(str(step.argval))
        if name not in ("SWAP", "ROT_TWO", "ROT_THREE", "POP_TOP"):
            self.found.ask_for(name)
            if name.startswith("LOAD_CONST") or name == "LOAD_SMALL_INT":
                self.constants.append(step.argval)
            self._load(set())

    def _after_super(self) -> bool:
        """`super()` is a global and the class, in newer versions of Python; in older ones nobody sees the class."""
        return self.before is not None and (self.before.opname, self.before.argval) == ("LOAD_GLOBAL", "super")

    def _load(self, chains: set[Chain]) -> None:
        """Something else comes on top of what was there, which goes wherever it goes."""
        self.found.ends.update(self.chains)
        self.chains, self.copied, self.module = set(chains), set(), set()
        self.found.chains.update(self.chains)

    def _extend(self, chains: set[Chain], name: str) -> None:
        self.chains = {(*chain, name) for chain in chains}
        self.found.chains.update(self.chains)

    def _store(self, local: str) -> None:
        if local in self.outer:
            self.found.ends.update(self.chains)
        self.bound.setdefault(local, set()).update(self.chains or self.copied)
        self.chains, self.copied = self.copied, set()

    def _import(self, path: str) -> None:
        """`import a.b` gives `a`, `from a.b import c` gives `a.b`."""
        level, names = self.constants[-2:]
        module = f"{IMPORT}{'.' * level}{path if names or level else path.partition('.')[0]}"
        self._load({(module,)})
        self.module = self.chains


def globals_read(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    """Names and values of what a function reads from its module and from modules of the user's own; Hidden where that cannot
    be followed.
    """
    reads, known = reads_of(function.__code__), function.__globals__
    for name in sorted(ASKING.keys() & reads.names):
        raise Hidden(f"asks {ASKING[name]} ({name})")
    numbers = (type(_at_the_end(known[chain[0]], chain[1:])) in NUMBERS for chain in reads.compared if chain[0] in known)
    if reads.identities or any(numbers):
        raise Hidden("compares identities of objects by `is`")
    if roundabout := ROUNDABOUT & reads.names:
        raise Hidden(f"uses {min(roundabout)}")
    yield from _own_builtins(function)
    for chain in sorted(reads.chains):
        if chain[0].startswith("@"):  # pytest's own, in the assertions that it rewrites
            continue
        if chain[0].startswith(IMPORT):
            module = _imported(chain[0].removeprefix(IMPORT), known)
            if module is not None:
                yield from _followed(chain, module, whole=chain in reads.ends)
        elif chain[0] in known:
            yield from _followed(chain, known[chain[0]], whole=chain in reads.ends)
        elif chain[0] in LOOPHOLES and hasattr(builtins, chain[0]):
            raise Hidden(f"{LOOPHOLES[chain[0]]} ({chain[0]})")
        elif not _is_builtin(held := getattr(builtins, chain[0], None)):
            yield chain[0], held
    for name in sorted(reads.rebinds):
        yield name, known.get(name)


def _at_the_end(value: Any, names: Chain) -> Any:
    """What attribute after attribute gives."""
    for name in names:
        value = getattr(value, name, None)
    return value


def _own_builtins(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    """Python's own for nearly all; what makes a named tuple has none, as long as nobody adds one."""
    own = function.__builtins__  # type: ignore[attr-defined]
    if own is vars(builtins):
        return
    if own:
        raise Hidden("has builtins of its own")
    yield "__builtins__", own


def _is_builtin(value: Any) -> bool:
    """Whether it came with Python, or cannot change; what somebody put among the builtins may."""
    return isinstance(value, (types.BuiltinFunctionType, *CONSTANTS)) or getattr(value, "__module__", "") == "builtins"


def _imported(path: str, known: dict[str, Any]) -> types.ModuleType | None:
    """What an import statement in a function with these globals gives; None where there is no such module."""
    package = known.get("__package__") or str(known.get("__name__", "")).rpartition(".")[0]
    try:
        return importlib.import_module(importlib.util.resolve_name(path, package) if path.startswith(".") else path)
    except ModuleNotFoundError:
        return None
    except Exception as error:
        raise Hidden(f"imports {path}, which fails: {type(error).__name__}") from None


def _followed(chain: tuple[str, ...], value: Any, *, whole: bool) -> Iterator[tuple[str, Any]]:
    """A global, or what is taken of a module: of a library the name alone is judged, of the user's the value counts."""
    if not isinstance(value, types.ModuleType):
        harmless(value)
        yield chain[0], value
        if isinstance(value, type) and is_known(value.__module__) and len(chain) > 1:
            held = getattr(value, chain[1], None)
            if not callable(held) and not inspect.isdatadescriptor(held):
                yield ".".join(chain[:2]), held
        return
    names, path, library = list(chain[1:]), chain[0].removeprefix(IMPORT), is_known(value.__name__)
    while names and (isinstance(value, NAMESPACES) or names[0] in getattr(value, "__dict__", {})):  # numbers may hang on any
        if isinstance(value, types.ModuleType) and is_known(value.__name__):
            harmless_in(value.__name__, tuple(names), value)
        path, name = f"{path}.{names[0]}", names.pop(0)
        value = getattr(value, name, None)
    if names and library and names[0].startswith("_") and is_librarys(value):
        raise Hidden(f"looks into {path} ({names[0]})")
    if isinstance(value, types.ModuleType):
        if is_known(value.__name__):
            harmless_in(value.__name__, (), value)
        if whole:
            raise Hidden(f"hands on the module {value.__name__}")
        return
    if library and is_librarys(value) and (callable(value) or inspect.isdatadescriptor(value)):
        harmless_in(getattr(value, "__module__", None), (chain[-1],), value)
    else:
        yield path, value
