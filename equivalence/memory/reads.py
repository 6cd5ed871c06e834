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

import torch
import torch._VF

KNOWN = ("torch", "numpy", "coequal", "builtins", "typing_extensions", "einops")
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
    *("to_dlpack", "utils", "cuda", "memory_allocated", "memory_stats", "hub", "save", "load", "forward_ad", "make_dual"),
    *("saved_tensors_hooks", "DisableTorchFunction", "DisableTorchFunctionSubclass", "enable_reentrant_dispatch"),
    *("unpack_dual", "_make_dual", "_unpack_dual", "_fw_primal", "enter_dual_level", "exit_dual_level"),
    *("getLogger", "getcontext", "setcontext", "localcontext", "filters", "simplefilter", "filterwarnings", "seterr"),
    *("setbufsize", "use_deterministic_algorithms", "__dict__", "cache_info", "fields"),
}
# modules that put an object in their own place among all modules: what their functions see
BEHIND = (type(torch._VF).__getattr__.__globals__, torch.backends.ContextProp.__get__.__globals__)
TENSORS = {"_nn", "_linalg", "_fft", "_special", "_sparse", "_nested", "_VariableFunctions"}  # of torch._C
# functions of torch that are told nothing and say what holds for the process: under other conditions they are asked again
SAID = {
    *("is_grad_enabled", "is_inference_mode_enabled", "is_autocast_enabled", "is_autocast_cpu_enabled"),
    *("is_anomaly_enabled", "get_autocast_dtype", "get_autocast_cpu_dtype", "is_autocast_cache_enabled"),
    *("has_torch_function", "has_torch_function_unary", "has_torch_function_variadic", "_get_tracing_state"),
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


# attributes of tensors that tell what is no number in them
ASKING = {
    "_version": "how often a tensor was written",
    "_base": "what a view is a view of",
    "data_ptr": "where a tensor lies",
}
LYING = {"storage_offset", "stride", "is_contiguous", "untyped_storage", "storage", "as_strided"}  # how frames lie in memory

INTEGERS = {"int", "numbers", "Integral", "Number", "Real", "Rational", "Complex", "SupportsIndex", "SupportsInt", "SymInt"}
OF_INTEGERS = {"bit_length", "bit_count", "to_bytes", "from_bytes", "numerator", "denominator", "is_integer", "node"}
OF_INTEGERS |= {"as_integer_ratio", "__float__", "__getnewargs__", "__invert__", "__divmod__", "_sympy_", "SymInt"}
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
    own_class: bool = False  # `__class__` is used otherwise than by `super()`
    texts: set[str] = field(default_factory=set)  # short ones, that may name attributes
    by_pattern: bool = False  # `match` asks for classes

    def compared_by_is(self, loaded: str) -> None:
        """Two objects are, the second one by this instruction: a constant or what has a name may be."""
        self.identities |= loaded not in ("LOAD_CONST", "LOAD_GLOBAL", "LOAD_ATTR")

    def uses_its_class(self) -> None:
        """Otherwise than by `super()`."""
        self.own_class = True

    def ask_for(self, instruction: str) -> None:
        """An instruction may ask for the class of an object."""
        self.by_pattern |= instruction == "MATCH_CLASS"

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
        elif isinstance(constant, str) and constant in ROUNDABOUT:  # for `getattr`
            found.names.add(constant)
        elif isinstance(constant, str) and constant.isidentifier():
            found.texts.add(constant)


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
            self.found.compared_by_is(self.before.opname if self.before is not None else "")
            self._load(set())
        else:
            self._other(step)

    def _other(self, step: dis.Instruction) -> None:
        """Whatever names nothing."""
        name = step.opname
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


def is_known(module: str | None) -> bool:
    """Whether code of this module is torch's, NumPy's, ours, or of the standard library."""
    root = module.partition(".")[0] if isinstance(module, str) else ""
    return root in KNOWN or root in sys.stdlib_module_names


def is_honest(thing: Any) -> bool:
    """Whether an object is of the class that it says it is of: `isinstance` believes what it says."""
    lies = ("__class__", "__getattribute__")
    bases = [base for base in type(thing).__mro__ if not is_known(base.__module__)]
    return thing.__class__ is type(thing) and not any(name in vars(base) for base in bases for name in lies)


def _of_the_process(function: types.BuiltinFunctionType) -> bool:
    """Whether a function of torch is none of tensors: it may say what was set, or counted, before."""
    owner = function.__self__
    made_by = "torch._C" if type(owner).__name__.startswith("pybind11_detail") else getattr(owner, "__name__", "")
    return made_by == "torch._C" and function.__name__ not in SAID


def is_librarys(thing: Any) -> bool:
    """Whether a function was made where code is known, a class with all of its attributes, an object of such a class. What
    name it goes by does not tell: `functools.wraps` gives it another's, with its module's.
    """
    if not is_honest(thing):
        return False
    if isinstance(thing, types.FunctionType):
        return made_in_known(thing.__globals__)
    if isinstance(thing, type):
        return is_known(thing.__module__) and all(map(is_librarys, _attributes(thing)))
    parts = _parts_of_callable(thing)
    return is_known(type(thing).__module__) if parts is None else all(map(is_librarys, parts))


def made_in_known(names: dict[str, Any]) -> bool:
    """Whether these are the globals of a module whose code is known."""
    name = names.get("__name__")
    if not isinstance(name, str) or not is_known(name):
        return False
    places = (name, f"_{name.replace('.', '_')}")  # `_collections_abc` goes by the name of `collections.abc`
    return any(names is vars(sys.modules[place]) for place in places if place in sys.modules) or any(
        names is b for b in BEHIND
    )


def _attributes(kind: type) -> Iterator[Any]:
    """Of a class itself; of other classes among them nothing is asked."""
    return (value for value in vars(kind).values() if not isinstance(value, type))


def _parts_of_callable(thing: Any) -> tuple[Any, ...] | None:
    """What stands behind a method, a property and the like; None: it is none of them."""
    if isinstance(thing, (staticmethod, classmethod)):
        return (thing.__func__,)
    if isinstance(thing, property):
        return tuple(f for f in (thing.fget, thing.fset, thing.fdel) if f is not None)
    if isinstance(thing, functools.cached_property):
        return (thing.func,)
    if isinstance(thing, functools.partial):
        return (thing.func, *thing.args, *thing.keywords.values())
    if isinstance(thing, types.MethodType):
        return (thing.__func__, thing.__self__)
    return (thing.__wrapped__,) if isinstance(thing, functools._lru_cache_wrapper) else None


def globals_read(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    """Names and values of what a function reads from its module and from modules of the user's own; Hidden where that cannot
    be followed.
    """
    reads, known = reads_of(function.__code__), function.__globals__
    for name in sorted(ASKING.keys() & reads.names):
        raise Hidden(f"asks {ASKING[name]} ({name})")
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
        harmless(value)
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
    if library and is_librarys(value) and (callable(value) or inspect.isdatadescriptor(value)):
        _harmless(getattr(value, "__module__", None), (chain[-1],), value)
    else:
        yield path, value


def harmless(value: Any) -> None:
    """Hidden for a function of a library that remembers something."""
    _harmless(getattr(value, "__module__", None), (getattr(value, "__name__", ""),), value)


def _harmless(module: str | None, names: tuple[str, ...], value: Any) -> None:
    """Hidden for what a library remembers."""
    if isinstance(value, types.BuiltinFunctionType) and _of_the_process(value):
        raise Hidden(f"uses torch.{value.__name__}")
    inner = [name for name in names if name not in TENSORS]
    if isinstance(value, types.ModuleType) and value.__name__ == "torch._C" and inner and inner[0] not in SAID:
        raise Hidden(f"uses torch._C.{inner[0]}")
    if isinstance(value, type) and value.__module__ == "torch._C":
        raise Hidden(f"uses torch._C.{value.__name__}")
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
