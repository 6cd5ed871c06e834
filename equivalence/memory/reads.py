"""What a function reads beyond its arguments: globals, attributes of modules, names of methods; found in its code.

Memory hides where nothing holds it: in a global that a step rebinds, in the state of a library. So the code of a stream's
own functions is read, once each. Libraries' code is not: torch, NumPy and the standard library are known, and of those the
functions that remember something (random generators, clocks, the environment) are refused by name.
"""

from __future__ import annotations

import builtins
import dis
import functools
import inspect
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
    *("setbufsize", "use_deterministic_algorithms", "__dict__", "cache_info"),
}
# ways round everything that is looked at here
LOOPHOLES = {
    "eval": "evaluates text", "exec": "executes text", "compile": "compiles text", "globals": "reads all globals",
    "locals": "reads all locals", "id": "uses identities of objects", "open": "opens files", "input": "reads input",
    "__import__": "imports by name", "breakpoint": "stops", "memoryview": "looks at memory",
}  # fmt: skip


class Hidden(Exception):
    """Code that cannot be followed; the text says what it does."""


@dataclass
class Reads:
    """Of one code object and those nested in it."""

    names: set[str] = field(default_factory=set)  # of attributes, methods among them
    chains: set[tuple[str, ...]] = field(default_factory=set)  # a global, and the attributes that are taken of it
    rebinds: set[str] = field(default_factory=set)  # globals that are assigned
    identities: bool = False  # two objects are compared by `is`


@functools.lru_cache(maxsize=10_000)
def reads_of(code: types.CodeType) -> Reads:
    """What a code object reads."""
    found = Reads()
    _scan(code, found)
    return found


def _scan(code: types.CodeType, found: Reads) -> None:
    chain: tuple[str, ...] = ()
    before = ""
    for step in dis.get_instructions(code):
        name = str(step.argval)
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            chain = (name,)
            found.chains.add(chain)
        elif step.opname in ("LOAD_ATTR", "LOAD_METHOD", "LOAD_SUPER_ATTR"):
            found.names.add(name)
            if chain:
                found.chains.add(chain := (*chain, name))
        elif step.opname in ("STORE_GLOBAL", "DELETE_GLOBAL"):
            found.rebinds.add(name)
            chain = ()
        elif step.opname == "IS_OP":
            found.identities |= before not in ("LOAD_CONST", "LOAD_GLOBAL", "LOAD_ATTR")
            chain = ()
        elif step.opname not in ("CACHE", "PUSH_NULL", "PRECALL", "RESUME", "EXTENDED_ARG", "NOP"):
            chain = ()
        if step.opname != "CACHE":
            before = step.opname
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            _scan(constant, found)


def is_known(module: str | None) -> bool:
    """Whether code of this module is torch's, NumPy's, ours, or of the standard library."""
    root = (module or "").partition(".")[0]
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
    for chain in sorted(reads.chains):
        if chain[0].startswith("@"):  # pytest's own, in the assertions that it rewrites
            continue
        if chain[0] in known:
            yield from _followed(chain, known[chain[0]], whole=chain not in _prefixes(reads.chains))
        elif chain[0] in LOOPHOLES and hasattr(builtins, chain[0]):
            raise Hidden(f"{LOOPHOLES[chain[0]]} ({chain[0]})")
    for name in sorted(reads.rebinds):
        yield name, known.get(name)


def _prefixes(chains: set[tuple[str, ...]]) -> set[tuple[str, ...]]:
    return {chain[:k] for chain in chains for k in range(1, len(chain))}


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
    names, path, library = list(chain[1:]), chain[0], is_known(value.__name__)
    if library:
        _harmless(value.__name__, tuple(names), value)
    while isinstance(value, (types.ModuleType, type, types.FunctionType)) and names:  # numbers may hang on torch's own
        path = f"{path}.{names[0]}"
        value = getattr(value, names.pop(0), None)
    if isinstance(value, types.ModuleType):
        if whole and not is_known(value.__name__):
            raise Hidden(f"hands on the module {value.__name__}")
        return
    if not (library and (callable(value) or inspect.isdatadescriptor(value))):
        yield path, value


def _harmless(module: str | None, names: tuple[str, ...], value: Any) -> None:
    """Hidden for what a library remembers."""
    root = (module or "").partition(".")[0].lstrip("_")  # `_functools` is what `functools` is written in
    if isinstance(value, types.ModuleType) and root in sys.stdlib_module_names and root not in PURE:
        raise Hidden(f"reads the module {module}")
    worst = {name for name in names if name in STATEFUL or name.startswith("set_")}
    if is_known(module) and worst and root != "coequal":
        raise Hidden(f"uses {module}.{min(worst)}")
    callable_of_library = isinstance(value, (types.BuiltinFunctionType, types.FunctionType))
    if callable_of_library and root in sys.stdlib_module_names and root not in PURE and root != "builtins":
        raise Hidden(f"calls {module}.{names[0]}")
