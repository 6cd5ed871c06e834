"""The torch front end: unmodified programs run over a field.

`Exact` is a dispatch mode. An operation that touches no data (inputs, weights, and what was computed from them) runs as it
is: shapes, masks, positions, integer tensors, zero states. Any other is evaluated by its rule in the table of meanings;
views stay views; in-place operations write; what has neither rule nor decomposition refuses with its name and the line it
was called from.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

import torch
from torch.utils._python_dispatch import _disable_current_modes
from torch.utils._pytree import tree_map

from coequal.proofs.eager import EagerMode, eagerly, unusual
from coequal.proofs.field.arithmetic import Field, Value
from coequal.proofs.field.errors import NotDecided, Undisturbed
from coequal.proofs.field.numbers.symbols import Symbols
from coequal.proofs.field.semantics.algebra import power, whole, whole_powers
from coequal.proofs.field.semantics.maxima import Unknown
from coequal.proofs.field.semantics.moves import MOVES
from coequal.proofs.field.semantics.table import ASKING, MEANINGS, REFUSED, Meaning
from coequal.proofs.field.torch_frontend import complex_numbers
from coequal.proofs.field.torch_frontend.fused_cells import FUSED
from coequal.proofs.field.torch_frontend.overrides import Python, alone, place
from coequal.proofs.field.torch_frontend.storage import Store, real_of

Tensor = torch.Tensor

# ask for shape, format or device of a tensor alone: the answer does not depend on data
SHAPES = {
    "empty_like", "zeros_like", "ones_like", "full_like", "rand_like", "randn_like", "new_empty", "new_zeros", "new_ones",
    "new_full", "new_empty_strided", "sym_size", "sym_stride", "sym_numel", "sym_storage_offset", "is_same_size", "size",
    "stride", "_has_compatible_shallow_copy_type", "_fused_sdp_choice", "set_",
}  # fmt: skip
# memory that nothing was written to
EMPTY = {"empty", "new_empty", "empty_like", "empty_strided", "new_empty_strided"}
# leave memory that nobody wrote to as it is: a cache that gets more room
JOINS = {"cat", "stack"}
# change how a tensor looks at its storage, nothing in it
VIEWS_IN_PLACE = {"transpose_", "t_", "squeeze_", "unsqueeze_", "swapaxes_", "swapdims_", "as_strided_", "detach_"}
# of constants, too, one float gives one float, whatever tensor it stands in: see `_alike`
ELEMENTWISE = {"sin", "cos", "tan", "exp", "exp2", "log", "log2", "log10", "log1p", "sqrt", "rsqrt", "pow", "tanh",
               "sigmoid", "erf", "reciprocal"}  # fmt: skip
# take integers as rows to look up, or copy them
LOOK_UPS = {
    "embedding",
    "index_select",
    "index",
    "gather",
    "clone",
    "_to_copy",
    "cat",
    "stack",
    "copy_",
    "slice_scatter",
} | SHAPES
# random on constants, too; and views of data that would be taken for constants
DROPOUT = {"bernoulli", "bernoulli_", "native_dropout"}
COPIES = {"clone", "_to_copy", "lift_fresh_copy"}
# what is computed of constants is computed exactly, too, where constants have shadows
COMPUTED = {"add", "sub", "rsub", "mul", "div", "neg", "pow", "square", "sqrt", "rsqrt", "reciprocal", "exp", "log", "cos",
            "sin", "tanh", "sigmoid", "cumsum", "cumprod", "sum", "mean", "mm", "bmm", "addmm", "addcmul", "lerp", "expm1",
            "log1p", "softplus", "relu", "abs"}  # fmt: skip
FREE = {"cos", "sin", "exp"}  # of positions: their values are variables, where they must be
T = TypeVar("T")
LANES = 64  # more than any vector unit has


class Exact(EagerMode):
    """Inside, torch computes over `field`; `symbols` says which floats are variables."""

    def __init__(self, field: Field, symbols: Symbols | None = None) -> None:
        super().__init__()
        self.field = field
        self.store = Store(field, symbols or Symbols(field.seed))
        self.executed: dict[str, int] = {}  # operations on data, by name
        self.integers_used: set[str] = set()  # operations that computed with integer inputs
        # constants that integer inputs were compared with, and the answers: no more is known of those inputs
        self.equal_to: dict[str, set[bool]] = {}
        self.refused: list[Undisturbed] = []  # whatever became of it: the program may swallow anything

    # -- entering ------------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def running(self) -> Iterator[Exact]:
        """Within it, torch computes over the field: no gradients, no fused paths."""
        fused, cudnn = torch.backends.mha.get_fastpath_enabled(), torch.backends.cudnn.enabled
        torch.backends.mha.set_fastpath_enabled(False)
        torch.backends.cudnn.enabled = False  # its convolutions may be Winograd's or Fourier's
        try:
            with torch.no_grad(), eagerly(), alone(self._remember), Python(self.store, self._remember, self.integers), self:
                yield self
        finally:
            torch.backends.mha.set_fastpath_enabled(fused)
            torch.backends.cudnn.enabled = cudnn

    @contextlib.contextmanager
    def suspended(self) -> Iterator[None]:
        """Within it, torch computes floats again."""
        with _disable_current_modes(), torch._C.DisableTorchFunction():
            yield

    @contextlib.contextmanager
    def probing(self) -> Iterator[list[Undisturbed]]:
        """Within it refusals are collected in the list that it gives, and void nothing: the harness expects them."""
        before, self.refused = self.refused, []
        try:
            yield self.refused
        finally:
            self.refused = before

    def answerable(self) -> None:
        """The first refusal again, if there was one: what a program computes after it swallowed one is not its function."""
        if self.refused:
            raise self.refused[0]

    def _remember(self, refusal: Undisturbed) -> None:
        self.refused.append(refusal)

    def integers(self, how: str, tensor: Tensor) -> None:
        """Something looked at a tensor: what is done with integer inputs is known for these alone."""
        if getattr(tensor.untyped_storage(), "drawn", None) is self:
            self.integers_used.add(how)

    # -- what the harness asks ---------------------------------------------------------------------------------------------

    def value(self, tensor: Tensor) -> Value:
        """The residues of a tensor; constants are lifted."""
        with self.suspended():
            return self.store.read(tensor)

    def mark_integers(self, tensor: Tensor) -> Tensor:
        """Integer inputs: what is computed with them, beyond looking rows up, is known for these integers alone."""
        tensor.untyped_storage().drawn = self  # type: ignore[attr-defined]
        return tensor

    def same(self, a: Tensor, b: Tensor, *, unwritten: bool = False) -> Tensor:
        """Element by element, whether two tensors of one shape are equal in all residues (integers: equal); `unwritten`:
        memory that nobody wrote to may be among them, and is equal to itself.
        """
        with self.suspended():
            return self._same(a, b, unwritten)

    def copied(self, tensor: Tensor) -> Tensor:
        """A copy with all residues, memory that nobody wrote to along with the rest."""
        with self.suspended():
            twin = tensor.clone()
            if tensor.is_floating_point() or tensor.is_complex():
                self.store.copy_storage(tensor, twin)
            return twin

    def _same(self, a: Tensor, b: Tensor, unwritten: bool) -> Tensor:
        if a.is_complex() and b.is_complex():
            return self._same(real_of(a), real_of(b), unwritten).all(-1)
        if not a.is_floating_point() or not b.is_floating_point():
            return torch.eq(a, b)
        x, y = self.store.read(a, unwritten=unwritten), self.store.read(b, unwritten=unwritten)
        self.field.account.compare(x.degree, y.degree)
        known = min(x.planes.shape[0], y.planes.shape[0])
        equal = (x.planes[:known] == y.planes[:known]).all(0)  # what is undefined equals nothing
        return equal | (x.minus_infinity() & y.minus_infinity()) if x.masked and y.masked else equal

    # -- dispatch ----------------------------------------------------------------------------------------------------------

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        try:
            with torch._C.DisableTorchFunction():
                return self._dispatched(func, args, kwargs or {})
        except Undisturbed as refusal:
            self._remember(refusal)
            raise

    def _dispatched(self, func: Any, args: tuple, kwargs: dict) -> Any:
        tensors = _tensors((*args, *kwargs.values()) if kwargs else args)
        self._refuse_unusual(func, tensors)
        storages, view, name = [t.untyped_storage() for t in tensors], is_view(func), func.overloadpacket.__name__
        if not view and any(getattr(storage, "unknown", None) is self for storage in storages):
            raise self._refusal(func, "indices of a maximum depend on data")
        drawn = any(getattr(storage, "drawn", None) is self for storage in storages)
        if drawn and name in ("eq", "ne") and not isinstance(args[1], Tensor):
            result = func(*args, **kwargs)  # where the constant stands: a pattern, which is no integer of the input's
            self.equal_to.setdefault(str(args[1]), set()).update(result.flatten().tolist())
            return result
        if drawn and name not in LOOK_UPS and not view:
            self.integers_used.add(name)
        data = [t for t in tensors if (t.is_floating_point() or t.is_complex()) and self.store.find(t) is not None]
        if name in DROPOUT or (data and _name(func) == "view.dtype"):
            raise self._refusal(func, REFUSED.get(name, "the program looks at the bits of a value"))
        if not data or name in SHAPES:
            result = self._plain(func, name, args, kwargs)
            if drawn:
                for tensor in _tensors((result,)):
                    self.mark_integers(tensor)
            return result
        if name in VIEWS_IN_PLACE or (view and name != "_conj" and not _is_composite(func)):
            return func(*args, **kwargs)
        try:
            if view and _is_composite(func):  # that may copy: `to`, `reshape`, called by a rule
                with self:
                    return func.decompose(*args, **kwargs)
            if name in complex_numbers.MAKES or any(t.is_complex() for t in tensors) or _asks_for_complex(args, kwargs):
                return self._on_complex(func, name, args, kwargs)
            return self._on_data(func, name, args, kwargs, data[0])
        except NotDecided as error:
            raise self._refusal(func, str(error)) from None

    def _refuse_unusual(self, func: Any, tensors: list[Tensor]) -> None:
        """Residues lie beside numbers in memory; those of 8 bits are constants, where they are any."""
        for tensor in tensors:
            if not tensor.is_quantized and (kind := unusual(tensor)):
                raise self._refusal(func, f"{kind} has no residues")

    def _plain(self, func: Any, name: str, args: tuple, kwargs: dict) -> Any:
        """Constants: torch's own floats."""
        if name.rstrip("_") in ELEMENTWISE and "out" not in kwargs:
            result = _alike(func, args, kwargs)
        else:
            result = func(*args, **kwargs)
        self._refuse_unusual(func, _tensors((result,)))
        if not is_view(func) and name != "set_" and not func._schema.is_mutable:
            if isinstance(result, Tensor) and result.is_floating_point() and result.numel():
                if name in COMPUTED:
                    self.field.account.compute(name)
                if self.field.shadow or (self.field.opaque and self._is_free(name, args, kwargs)):
                    self._shadow(func, name, args, kwargs, result)
            for tensor in _tensors((result,)):
                if name in EMPTY and (tensor.is_floating_point() or tensor.is_complex()):
                    tensor.fill_(torch.nan)  # what was in that memory before is nobody's number
                    tensor.untyped_storage().unwritten = True  # type: ignore[attr-defined]
                self.store.mark_constant(tensor)
                if name in COPIES and getattr(args[0].untyped_storage(), "literal", False):
                    tensor.untyped_storage().literal = True  # type: ignore[attr-defined]  # a weight and its copy are one number
        elif (self.field.shadow or self.field.opaque) and func._schema.is_mutable:
            self._written(func, name, args, kwargs)
        return result

    def _is_free(self, name: str, args: tuple, kwargs: dict) -> bool:
        """Whether a constant is a value of a function of which nothing is known, or was computed from such values."""
        given = _tensors((args, tuple(kwargs.values())))
        return name in FREE or any(t.is_floating_point() and self.store.shadow(t) is not None for t in given)

    def _shadow(self, func: Any, name: str, args: tuple, kwargs: dict, result: Tensor) -> None:
        """The exact value of a constant beside its float, by the rule that data would have."""
        tensors = _tensors((*args, *kwargs.values()))
        moves = name in MOVES and any(t.is_floating_point() and self.store.shadow(t) is not None for t in tensors)
        meaning = MEANINGS.get(_name(func)) or MEANINGS.get(name)
        if meaning is None or func.namespace != "aten" or not (moves or name in COMPUTED) or not tensors:
            return
        if not bool(torch.isfinite(result).all()):
            return
        used = set(self.field.account.used)
        try:
            value = self._exactly(meaning, func, name, args, kwargs)
        except NotDecided:
            return
        finally:
            self.field.account.used.intersection_update(used)
        if isinstance(value, Value) and value.shape == result.shape and not value.masked:
            self.store.cast_shadow(result, value)

    def _exactly(self, meaning: Meaning, func: Any, name: str, args: tuple, kwargs: dict) -> Any:
        if name not in MOVES:  # numbers of all kinds are numbers here, not places
            args = tuple(x.to(torch.float64) if isinstance(x, Tensor) and not x.is_floating_point() else x for x in args)
        return self._evaluated(meaning, func, args, kwargs)

    def _written(self, func: Any, name: str, args: tuple, kwargs: dict) -> None:
        """A constant was written to: a copy of an exact one is exact, whatever else is its floats again."""
        source = args[1] if name == "copy_" and len(args) > 1 and isinstance(args[1], Tensor) else None
        exact = source is not None and source.is_floating_point() and self.store.shadow(source) is not None
        for i, argument in enumerate(func._schema.arguments):
            given = args[i] if i < len(args) else kwargs.get(argument.name)
            if argument.alias_info is None or not argument.alias_info.is_write or given is None:
                continue
            for tensor in _tensors((given,)):
                if exact and tensor.is_floating_point():
                    self.store.cast_shadow(tensor, self.store.read(source))  # type: ignore[arg-type]
                else:
                    self.store.lose_shadow(tensor)

    def _on_data(self, func: Any, name: str, args: tuple, kwargs: dict, like: Tensor) -> Any:
        self.executed[name] = self.executed.get(name, 0) + 1
        if name.startswith("_foreach_") and func.namespace == "aten":
            return self._one_by_one(name, args, kwargs)
        if func._schema.is_mutable:
            return self._in_place(func, name, args, kwargs, like)
        meaning = (MEANINGS.get(_name(func)) or MEANINGS.get(name)) if func.namespace == "aten" else None
        if meaning is None:
            return self._decomposed(func, name, args, kwargs)
        dtype = kwargs.get("dtype") or _dtype(args, kwargs)
        if not dtype.is_floating_point:
            raise NotDecided("data is cast to whole numbers")
        if name in ASKING:
            self.field.account.ask(name, place())
        result = self._evaluated(meaning, func, args, kwargs)
        if name == "_to_copy":
            self._cast(dtype)
        given = self._given(result, dtype, like.device)
        if name in JOINS:
            self.store.find_unwritten(given)
        return given

    def _on_complex(self, func: Any, name: str, args: tuple, kwargs: dict) -> Any:
        """By real operations on both parts."""
        self.executed[name] = self.executed.get(name, 0) + 1
        if not func._schema.is_mutable:
            with self:
                return complex_numbers.evaluated(getattr(torch.ops.aten, name), name, self._waves, args, kwargs)
        if not name.endswith("_") or name.startswith("_foreach_"):
            raise NotDecided("it changes its arguments")
        with self:
            if name in ("copy_", "fill_"):
                value = args[1]
            else:
                value = 0.0 if name == "zero_" else getattr(torch.ops.aten, name[:-1])(*args, **kwargs)
            complex_numbers.write(args[0], value)
        return args[0]

    def _waves(self, rows: int, columns: int, order: int, like: Tensor) -> tuple[Tensor, Tensor]:
        with self.suspended():
            cosine, sine = complex_numbers.waves(self.field, rows, columns, order)
            return self.store.fresh(cosine, like.dtype, like.device), self.store.fresh(sine, like.dtype, like.device)

    def _one_by_one(self, name: str, args: tuple, kwargs: dict) -> list[Tensor]:
        """An operation on lists of tensors."""
        each, count = getattr(torch.ops.aten, name.removeprefix("_foreach_")), len(args[0])

        def of(x: Any, i: int) -> Any:
            return x[i] if isinstance(x, (list, tuple)) and len(x) == count else x

        with self:
            return [each(*(of(x, i) for x in args), **kwargs) for i in range(count)]

    def _whole(self, exponent: Tensor) -> Tensor | None:
        """An exponent that is no data, if it is whole everywhere."""
        constant = not exponent.is_floating_point() or self.store.find(exponent) is None
        return whole(exponent) if constant else None

    def _cast(self, dtype: torch.dtype) -> None:
        """Data comes to stand in another format."""
        if dtype.is_floating_point and torch.finfo(dtype).bits < 64:
            self.field.account.assume("casts", "casts to coarser floating-point formats count as exact")

    def _evaluated(self, meaning: Meaning, func: Any, args: tuple, kwargs: dict) -> Any:
        if meaning.rule is power and isinstance(args[1], Tensor) and (exponents := self._whole(args[1])) is not None:
            return whole_powers(self.field, self._lifted_number(args[0]), exponents)
        given, unwritten = (args, kwargs), func.overloadpacket.__name__ in JOINS
        args, kwargs = self._lifted(args, unwritten), {key: self._lifted(x, unwritten) for key, x in kwargs.items()}
        if any(isinstance(x, Value) and x.masked for x in (*args, *kwargs.values())):
            if not meaning.masked:
                raise NotDecided("minus infinity is among its arguments")
            if self.field.undefined:
                raise NotDecided("minus infinity is among its arguments, after a division by zero")
        named = (func,) if meaning.by_name else ()
        values = _values((*args, *kwargs.values()))
        if len({value.planes.device for value in values}) > 1:
            args, kwargs = _together(args, kwargs, values)
            values = _values((*args, *kwargs.values()))
        try:
            return _owned(meaning.rule(self.field, *named, *args, **kwargs), values)
        except Exception as error:
            with self.suspended():
                _as_torch_would(func, *given)  # raises what the program does
            what = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
            raise NotDecided(f"coequal has no meaning for it with these arguments ({what})") from error

    def _lifted(self, x: Any, unwritten: bool = False) -> Any:
        """Floating-point tensors as values, in lists, too; `unwritten`: memory that nobody wrote to may be among them."""
        if isinstance(x, Tensor):
            return self.store.read(x, unwritten=unwritten) if x.is_floating_point() else x
        return type(x)(self._lifted(part, unwritten) for part in x) if type(x) in (list, tuple) else x

    def _given(self, result: Any, dtype: torch.dtype, device: torch.device) -> Any:
        """What a rule returned, as the program's tensors."""
        if isinstance(result, Value):
            return self.store.fresh(result, dtype, result.planes.device)  # where its residues are, `device` or beside others
        if isinstance(result, Unknown):
            indices = torch.zeros(result.shape, dtype=torch.int64, device=device)
            indices.untyped_storage().unknown = self  # type: ignore[attr-defined]
            return indices
        if isinstance(result, (tuple, list)):
            return type(result)(self._given(part, dtype, device) for part in result)
        return result

    def _in_place(self, func: Any, name: str, args: tuple, kwargs: dict, like: Tensor) -> Any:
        """`x.op_(...)` and `op(..., out=x)`: the functional operation, then a write."""
        outs = [kwargs[a.name] for a in func._schema.arguments if a.kwarg_only and a.is_out and a.name in kwargs]
        if outs:
            kept = {key: value for key, value in kwargs.items() if not any(value is out for out in outs)}
            with self:
                results = getattr(torch.ops.aten, name)(*args, **kept)
            for out, result in zip(outs, results if isinstance(results, tuple) else (results,), strict=True):
                self.store.write(out, self.store.read(result))
            return outs[0] if len(outs) == 1 else tuple(outs)
        target = args[0]
        if not target.is_floating_point():
            raise NotDecided("data is written into a tensor of whole numbers")
        if name == "copy_":
            if args[1].dtype != target.dtype:
                self._cast(target.dtype)
            self.store.copy(target, args[1])
            return target
        if name in ("zero_", "fill_"):
            value = self.field.scalar(0.0) if name == "zero_" else self._lifted_number(args[1])
        elif name.endswith("_"):
            value = self.store.read(self._writing_nothing(func, name[:-1], args, kwargs))
        else:
            raise NotDecided("it changes its arguments")
        if like.dtype != target.dtype:
            self._cast(target.dtype)
        self.store.write(target, value)
        return target

    def _writing_nothing(self, func: Any, name: str, args: tuple, kwargs: dict) -> Tensor:
        """The operation of this name, which returns what `func` would write. Torch would hand it back here at once, but for
        one that it takes apart.
        """
        operation = getattr(torch.ops.aten, name)
        overload = getattr(operation, func._overloadname or "default", None)
        if overload is not None and not _is_composite(overload):
            return self._dispatched(overload, args, kwargs)
        with self:
            return operation(*args, **kwargs)

    def _lifted_number(self, x: Any) -> Value:
        return self.store.read(x) if isinstance(x, Tensor) else self.field.scalar(float(x))

    def _decomposed(self, func: Any, name: str, args: tuple, kwargs: dict) -> Any:
        """By torch's own decomposition into core operations, where there is one."""
        if name in REFUSED:
            raise NotDecided(REFUSED[name])
        from torch._decomp import decomposition_table

        with self:
            if name in FUSED:
                return FUSED[name](*args, **kwargs)
            if func.namespace == "aten" and func in decomposition_table:
                return decomposition_table[func](*args, **kwargs)
            result = func.decompose(*args, **kwargs)
        if result is NotImplemented:
            raise NotDecided("it has no meaning here yet")
        return result

    def _refusal(self, func: Any, why: str) -> NotDecided:
        name = f"{func.namespace}.{func.overloadpacket.__name__}"
        return NotDecided(why if why.startswith("aten.") else f"{name}: {why}{place()}")


def _together(args: tuple, kwargs: dict, values: list[Value]) -> tuple[tuple, dict]:
    """Values without axes follow those that lie elsewhere, as torch has it."""
    there = next(value.planes.device for value in values if value.planes.device.type != "cpu")

    def moved(x: Any) -> Any:
        if not isinstance(x, Value) or x.planes.device.type != "cpu" or x.dim:
            return x
        names = None if x.names is None else x.names.to(there)
        return replace(x, planes=x.planes.to(there), names=names)

    return tree_map(moved, (args, kwargs))


def _owned(result: Any, given: list[Value]) -> Any:
    """What a rule returned, in memory of its own: a write to one tensor is none to another that it came from."""
    held = {value.planes.untyped_storage().data_ptr() for value in given}

    def apart(x: Any) -> Any:
        shared = isinstance(x, Value) and x.planes.untyped_storage().data_ptr() in held
        return replace(x, planes=x.planes.clone()) if shared else x

    return apart(result) if isinstance(result, Value) else tree_map(apart, result)


def _values(given: Iterable[Any]) -> list[Value]:
    """All values among arguments, in lists, too."""
    return _all_of(Value, given)


def _as_torch_would(func: Any, args: tuple, kwargs: dict) -> None:
    """The same operation on ordinary numbers: what it raises there is the program's."""

    def plain(x: Any) -> Any:
        if isinstance(x, Tensor):
            return torch.ones_like(x) if x.is_floating_point() else x
        return type(x)(map(plain, x)) if type(x) in (list, tuple) else x

    func(*map(plain, args), **{key: plain(x) for key, x in kwargs.items()})


def _name(func: Any) -> str:
    """With the overload."""
    return f"{func.overloadpacket.__name__}.{func._overloadname}"


def _asks_for_complex(args: tuple, kwargs: dict) -> bool:
    """Whether a number or a format among arguments is complex."""
    others = [x for x in (*args, *kwargs.values()) if x is not None and not isinstance(x, (Tensor, int, float))]
    return bool(others) and complex_numbers.is_complex(others, {})


def _tensors(given: Iterable[Any]) -> list[Tensor]:
    """All tensors among arguments, in lists, too."""
    return _all_of(Tensor, given)


def _all_of(kind: type[T], given: Iterable[Any]) -> list[T]:
    found = list[T]()
    for x in given:
        if isinstance(x, kind):
            found.append(x)
        elif isinstance(x, (list, tuple)):
            found += _all_of(kind, x)
    return found


@functools.cache
def is_view(func: Any) -> bool:
    """Whether an operation returns its argument's memory, looked at otherwise."""
    returns = func._schema.returns
    return bool(returns) and not func._schema.is_mutable and any(r.alias_info is not None for r in returns)


@functools.cache
def _is_composite(func: Any) -> bool:
    """Whether torch takes it apart before a dispatch mode sees it, unless the mode calls it itself."""
    return torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), "CompositeImplicitAutograd")


def _dtype(args: tuple, kwargs: dict) -> torch.dtype:
    """The format that torch would give the result."""
    floats = [t for t in _tensors((args, tuple(kwargs.values()))) if t.is_floating_point()]
    dtype = floats[0].dtype
    for other in floats[1:]:
        dtype = torch.promote_types(dtype, other.dtype) if other.dim() else dtype
    return dtype


def _alike(func: Callable, args: tuple, kwargs: dict) -> Any:
    """A function of one tensor of constants, computed so that equal floats have equal values.

    Torch's vectorised code and its code for the last few elements may differ by a rounding, so there are no last few.
    """
    tensors = [a for a in args if isinstance(a, Tensor)]
    if (
        len(tensors) != 1
        or tensors[0] is not next(a for a in args if isinstance(a, Tensor))
        or not tensors[0].is_floating_point()
    ):
        return func(*args, **kwargs)
    x = tensors[0]
    flat = x.detach().reshape(-1)
    padded = torch.cat([flat, flat.new_ones(-flat.numel() % LANES)]).contiguous()
    functional = getattr(torch.ops.aten, func.overloadpacket.__name__.rstrip("_"))  # type: ignore[attr-defined]
    result = functional(*[padded if a is x else a for a in args], **kwargs)[: flat.numel()].view(x.shape)
    return x.copy_(result) if func._schema.is_mutable else result  # type: ignore[attr-defined]
