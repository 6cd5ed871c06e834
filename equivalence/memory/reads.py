"""What a function reads beyond its arguments: globals, attributes of modules, names of methods; found in its code.

Memory hides where nothing holds it: in a global that a step rebinds, in the state of a library. So the code of a stream's
own functions is read, once each. Libraries' code is not: torch, NumPy and the standard library are known, and of those the
functions that remember something (random generators, clocks, the environment) are refused by name.
"""

from __future__ import annotations

import builtins
import dis
import functools
import importlib
import importlib.util
import inspect
import re
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

KNOWN = ("torch", "numpy", "coequal", "builtins")
# of the standard library, what remembers nothing between two calls
PURE = {
    *("math", "cmath", "operator", "functools", "itertools", "collections", "typing", "copy", "dataclasses", "enum", "abc"),
    *("types", "numbers", "fractions", "decimal", "bisect", "heapq", "warnings", "logging", "contextlib", "string", "re"),
    *("statistics", "textwrap", "__future__", "reprlib", "pprint", "keyword"),
}
# what libraries remember, or see of the world
STATEFUL = {
    *("random", "rand", "randn", "randint", "rand_like", "randn_like", "randint_like", "randperm", "bernoulli", "normal"),
    *("multinomial", "poisson", "manual_seed", "initial_seed", "seed", "get_rng_state", "set_rng_state", "Generator"),
    *("default_generator", "default_rng", "fork_rng", "get_num_threads", "set_num_threads", "set_default_dtype"),
    *("get_default_dtype", "set_printoptions", "set_grad_enabled", "library", "ops", "jit", "from_dlpack"),
    *("to_dlpack", "utils", "cuda", "memory_allocated", "memory_stats", "hub", "save", "load"),
    *("getLogger", "getcontext", "setcontext", "localcontext", "filters", "simplefilter", "filterwarnings", "seterr"),
    *("setbufsize", "use_deterministic_algorithms", "__dict__", "cache_info", "fields"),
}
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


BY_TEXT = {"getattr", "vars", "attrgetter", "methodcaller", "__dict__", "__getattribute__", "getattr_static"}


class Hidden(Exception):
    """Code that cannot be followed; the text says what it does."""


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

    def compared_by_is(self, loaded: str) -> None:
        """Two objects are, the second one by this instruction: a constant or what has a name may be."""
        self.identities |= loaded not in ("LOAD_CONST", "LOAD_GLOBAL", "LOAD_ATTR")

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
        elif isinstance(constant, str) and constant in ROUNDABOUT:  # for `getattr`
            found.names.add(constant)


class _Scan:
    """One pass through the instructions of a code object: what chains are read, and which locals stand for one."""

    def __init__(self, found: Reads, bound: _Bound) -> None:
        self.found, self.bound = found, bound
        self.chains: set[Chain] = set()  # what may be on top of the stack
        self.copied: set[Chain] = set()  # what is below it once more
        self.module: set[Chain] = set()  # from which names are imported
        self.constants: list[Any] = []
        self.outer: tuple[str, ...] = ()  # names of enclosing functions
        self.before = ""

    def through(self, code: types.CodeType) -> None:
        """All of them, in order."""
        self.outer = code.co_freevars
        for step in dis.get_instructions(code):
            if step.opname not in SILENT:
                self._step(step)
                self.before = step.opname

    def _step(self, step: dis.Instruction) -> None:
        name, kinds = step.opname, LOCAL.findall(step.opname)
        if name in ("LOAD_GLOBAL", "LOAD_NAME"):
            self._load({(str(step.argval),)} | self.bound.get(str(step.argval), set()))  # of a class body, say
        elif kinds and ("FAST" in name or "DEREF" in name):
            locals_ = step.argval if isinstance(step.argval, tuple) else (step.argval,)
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
            self.found.compared_by_is(self.before)
            self._load(set())
        elif name not in ("SWAP", "ROT_TWO", "ROT_THREE", "POP_TOP"):
            if name.startswith("LOAD_CONST") or name == "LOAD_SMALL_INT":
                self.constants.append(step.argval)
            self._load(set())

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


def is_known(module: str | None) -> bool:
    """Whether code of this module is torch's, NumPy's, ours, or of the standard library."""
    root = module.partition(".")[0] if isinstance(module, str) else ""
    return root in KNOWN or root in sys.stdlib_module_names


def globals_read(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    """Names and values of what a function reads from its module and from modules of the user's own; Hidden where that cannot
    be followed.
    """
    reads, known = reads_of(function.__code__), function.__globals__
    if "_version" in reads.names:
        raise Hidden("asks how often a tensor was written (_version)")
    if reads.identities:
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
        _harmless(getattr(value, "__module__", None), (getattr(value, "__name__", ""),), value)
        yield chain[0], value
        if isinstance(value, type) and is_known(value.__module__) and len(chain) > 1:
            held = getattr(value, chain[1], None)
            if not callable(held) and not inspect.isdatadescriptor(held):
                yield ".".join(chain[:2]), held
        return
    names, path, library = list(chain[1:]), chain[0].removeprefix(IMPORT), is_known(value.__name__)
    while isinstance(value, (types.ModuleType, type, types.FunctionType)) and names:  # numbers may hang on torch's own
        if isinstance(value, types.ModuleType) and is_known(value.__name__):
            _harmless(value.__name__, tuple(names), value)
        path, name = f"{path}.{names[0]}", names.pop(0)
        value = getattr(value, name, None)
    if isinstance(value, types.ModuleType):
        if is_known(value.__name__):
            _harmless(value.__name__, (), value)
        if whole:
            raise Hidden(f"hands on the module {value.__name__}")
        return
    if library and (callable(value) or inspect.isdatadescriptor(value)):
        _harmless(getattr(value, "__module__", None), (chain[-1],), value)
    else:
        yield path, value


def _harmless(module: str | None, names: tuple[str, ...], value: Any) -> None:
    """Hidden for what a library remembers."""
    root = (
        (module if isinstance(module, str) else "").partition(".")[0].lstrip("_")
    )  # `_functools` is what `functools` is written in
    if isinstance(value, types.ModuleType) and root in sys.stdlib_module_names and root not in PURE:
        raise Hidden(f"reads the module {module}")
    worst = {name for name in names if name in STATEFUL or name.startswith("set_")}
    if is_known(module) and worst and root != "coequal":
        raise Hidden(f"uses {module}.{min(worst)}")
    callable_of_library = isinstance(value, (types.BuiltinFunctionType, types.FunctionType))
    if callable_of_library and root in sys.stdlib_module_names and root not in PURE and root != "builtins":
        raise Hidden(f"calls {module}.{names[0]}")
