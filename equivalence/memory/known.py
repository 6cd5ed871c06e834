"""Whose code something is, and what of a library's is harmless: torch, NumPy and the standard library are known, and what
remembers something in them (random generators, registries, clocks, the environment, files) is refused by name.
"""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Iterator
from typing import Any

import torch
import torch._VF

KNOWN = ("torch", "numpy", "coequal", "builtins", "typing_extensions", "einops")
# of the standard library, what remembers nothing between two calls
PURE = {
    *("math", "cmath", "operator", "functools", "itertools", "collections", "typing", "copy", "dataclasses", "enum", "abc"),
    *("types", "numbers", "fractions", "decimal", "bisect", "heapq", "warnings", "logging", "contextlib", "string", "re"),
    *("statistics", "textwrap", "__future__", "reprlib", "pprint", "keyword", "struct", "collections_abc"),
}
PATHS = {"PurePath", "PurePosixPath", "PureWindowsPath"}  # of pathlib, whose others are files
# modules of torch whose functions and classes are of tensors, modules and modes, and remember nothing beside those
WORKING = (
    *("torch.nn", "torch.functional", "torch._tensor", "torch._VF", "torch.linalg", "torch.fft", "torch.special"),
    *("torch.signal", "torch.sparse", "torch.masked", "torch.nested", "torch.func", "torch._functorch", "torch.ao.nn"),
    *("torch.autograd.function", "torch.autograd.grad_mode", "torch.autograd.functional", "torch.amp", "torch.storage"),
    *("torch.utils._contextlib", "torch.utils.hooks", "torch.utils.checkpoint", "torch.utils._pytree", "torch.types"),
    "torch.return_types",
    *(
        "torch.compiler",
        "torch._dynamo.eval_frame",
        "torch._dynamo.external_utils",
        "torch._dynamo.decorators",
        "torch._jit_internal",
        "torch.jit",
        "torch.overrides",
        "torch.distributions",
    ),
    *("torch.fx.graph_module", "torch._refs", "torch._prims_common", "torch._C", "torch._lowrank", "torch._linalg_utils"),
)

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
    *("register", "get_cache_token", "overload", "get_overloads", "clear_overloads", "is_", "is_not"),
    *(
        "getChild",
        "getChildren",
        "open",
        "chdir",
        "redirect_stdout",
        "redirect_stderr",
        "add_newdoc",
        "add_docstring",
        "errstate",
        "seterrcall",
        "geterrcall",
    ),
    *(
        "seterrobj",
        "geterrobj",
        "geterr",
        "getbufsize",
        "fromfile",
        "from_file",
        "memmap",
        "open_memmap",
        "savez",
        "loadtxt",
    ),
    *("savez_compressed", "savetxt", "genfromtxt", "fromregex", "DataSource", "printoptions", "get_printoptions"),
    *("addLevelName", "getLevelName", "getLevelNamesMapping", "setLoggerClass", "getLoggerClass", "setLogRecordFactory"),
    *("getLogRecordFactory", "basicConfig", "captureWarnings", "getHandlerByName", "getHandlerNames"),
}
# what other modules of torch are asked of the process, and cannot count
ASKED = {"is_available", "is_initialized", "get_rank", "get_world_size", "is_in_onnx_export", "record_function"}
ASKED |= {"is_current_stream_capturing"}
# modules that put an object in their own place among all modules: what their functions see
BEHIND = (type(torch._VF).__getattr__.__globals__, torch.backends.ContextProp.__get__.__globals__)
MADE, IMMUTABLE = 1 << 9, 1 << 8  # flags of classes: made while Python runs; attributes cannot be set
TENSORS = {"_nn", "_linalg", "_fft", "_special", "_sparse", "_nested", "_VariableFunctions"}  # of torch._C
# functions of torch that are told nothing and say what holds for the process: under other conditions they are asked again
SAID = {
    *("is_grad_enabled", "is_inference_mode_enabled", "is_autocast_enabled", "is_autocast_cpu_enabled"),
    *("is_anomaly_enabled", "get_autocast_dtype", "get_autocast_cpu_dtype", "is_autocast_cache_enabled"),
    *("has_torch_function", "has_torch_function_unary", "has_torch_function_variadic", "_get_tracing_state"),
}


class Hidden(Exception):
    """Code that cannot be followed; the text says what it does."""


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
        return is_known(thing.__module__) and _is_there(thing) and all(map(is_librarys, _attributes(thing)))
    parts = _parts_of_callable(thing)
    return is_known(type(thing).__module__) if parts is None else all(map(is_librarys, parts))


def made_in_known(names: dict[str, Any]) -> bool:
    """Whether these are the globals of a module whose code is known."""
    name = names.get("__name__")
    if not isinstance(name, str) or not is_known(name):
        return False
    places = (name, f"_{name.replace('.', '_')}")  # `_collections_abc` goes by the name of `collections.abc`
    there = [sys.modules[place] for place in places if place in sys.modules]
    there += [module.m for module in there if isinstance(module, torch.backends.PropModule)]
    return any(names is one for one in (*map(vars, there), *BEHIND))


def _is_there(kind: type) -> bool:
    """Whether a class is found where it says that it is; those that cannot change are Python's or a library's."""
    if kind.__flags__ & IMMUTABLE or not kind.__flags__ & MADE:
        return True
    found: Any = sys.modules.get(kind.__module__)
    for name in kind.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is kind


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
        return (thing.__func__,) if isinstance(thing.__self__, type) else (thing.__func__, thing.__self__)
    return (thing.__wrapped__,) if isinstance(thing, functools._lru_cache_wrapper) else None


def harmless(value: Any) -> None:
    """Hidden for a function of a library that remembers something."""
    harmless_in(getattr(value, "__module__", None), (getattr(value, "__name__", ""),), value)


def harmless_in(module: str | None, names: tuple[str, ...], value: Any) -> None:
    """Hidden for what a library remembers: a value of this module, or a module of which these names are taken."""
    if isinstance(value, types.BuiltinFunctionType) and _of_the_process(value):
        raise Hidden(f"uses torch.{value.__name__}")
    inner = [name for name in names if name not in TENSORS]
    if isinstance(value, types.ModuleType) and value.__name__ == "torch._C" and inner and inner[0] not in SAID:
        raise Hidden(f"uses torch._C.{inner[0]}")
    if isinstance(value, type) and value.__module__ == "torch._C":
        raise Hidden(f"uses torch._C.{value.__name__}")
    own = (module if isinstance(module, str) else "").partition(".")[0]
    root = own.lstrip("_")  # `_functools` is what `functools` is written in
    standard = {own, root} & sys.stdlib_module_names and root not in PURE and root != "builtins"
    if isinstance(value, types.ModuleType) and standard:
        raise Hidden(f"reads the module {module}")
    layers = (module or "").startswith("torch.nn.")
    worst = {name for name in names if name in STATEFUL or (name.startswith("set_") and not layers)}
    if is_known(module) and worst and root != "coequal":
        raise Hidden(f"uses {module}.{min(worst)}")
    if isinstance(value, (types.BuiltinFunctionType, types.FunctionType, type)) and standard and names[0] not in PATHS:
        raise Hidden(f"{'uses' if isinstance(value, type) else 'calls'} {module}.{names[0]}")
    if isinstance(value, (types.FunctionType, type)) and root == "torch" and not _works(module or "", names[0]):
        raise Hidden(f"uses {module}.{names[0]}")


def _works(module: str, name: str) -> bool:
    """Whether what this module of torch defines by this name remembers nothing of its own."""
    if name.startswith("register_") and not module.startswith("torch.nn."):
        return False
    return module in ("torch", "torch.autograd") or any(
        module == known or module.startswith(f"{known}.") for known in WORKING
    )
