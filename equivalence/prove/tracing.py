"""What a step does, as torch sees it: its operations in order, each with what it is given and what it gives.

Two looks at the same step. *Operations* are those of torch's dispatcher: their tensors are numbered, so that two steps can
be laid side by side. *Calls* are those of Python to torch: there a program asks for sizes, and may be given watched ones.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from coequal.equivalence.memory.known import made_in_known
from coequal.equivalence.memory.running import seeing_calls
from coequal.equivalence.memory.sizes import plain, watched_size
from coequal.equivalence.memory.watched import Uses
from coequal.equivalence.prove.premises import Fails

Tensor = torch.Tensor
CALLED = (types.FunctionType, types.MethodType, functools.partial, torch.nn.Module)
SHAPES = {Tensor.shape.__get__, Tensor.size}  # type: ignore[attr-defined]
COUNTS = {Tensor.numel, Tensor.nelement, torch.numel}
HARMLESS = {  # questions whose answer is the same whatever the size of an axis is
    *(Tensor.dim, Tensor.ndimension, Tensor.is_floating_point, Tensor.is_complex, Tensor.type, Tensor.get_device),
    *(torch.is_floating_point, torch.is_complex, torch.is_tensor, torch.result_type, Tensor.element_size),
    *(
        getattr(Tensor, name).__get__
        for name in ("dtype", "device", "ndim", "layout", "is_cuda", "is_meta", "is_sparse", "is_quantized", "is_mps")
    ),
    *(getattr(Tensor, name).__get__ for name in ("requires_grad", "grad_fn", "is_leaf", "is_nested", "itemsize", "grad")),
}

OTHER = "with its sizes watched the stream does something else"
FRAME, MEMORY, COUNT, MADE, OUTSIDE = "frame", "memory", "count", "made", "outside"


@dataclass(frozen=True)
class Source:
    """What a tensor is that was there before: of the frames, of the memory, a count in it, made of numbers, or a weight."""

    kind: str
    name: str
    written: bool = False  # since it was first seen


@dataclass(frozen=True)
class Ref:
    """The tensor of this number."""

    number: int


@dataclass(frozen=True)
class Operation:
    """One of the dispatcher's: `given` holds Refs in place of tensors; tensors that it wrote to have new numbers."""

    name: str
    given: tuple
    gives: tuple[int, ...]
    writes: bool = False


@dataclass
class Step:
    """All operations of one step; `sources` say what the tensors are that were there before."""

    operations: list[Operation] = field(default_factory=list)
    tensors: list[Tensor] = field(default_factory=list)  # by number, alive
    shapes: list[tuple[int, ...]] = field(default_factory=list)  # of tensors, by number
    values: dict[int, Tensor] = field(default_factory=dict)  # of whole numbers and flags, as they were
    sources: dict[int, Source] = field(default_factory=dict)
    seen_again: dict[int, list[tuple[int, int]]] = field(
        default_factory=dict
    )  # by operation: old and new numbers of tensors
    calls: list[tuple[tuple[int, ...], ...]] = field(default_factory=list)  # the shapes that each call of Python gave
    answers: list[Any] = field(default_factory=list)  # of calls that give no tensors: sizes and the like
    strange: list[str] = field(default_factory=list)  # what was asked of a growing size


@dataclass
class Watch:
    """What grows from one step to the next, as Python sees it; in the step that is watched its sizes tell what is done."""

    first: Step
    second: Step
    uses: Uses = field(default_factory=Uses)

    def axes(self, call: int, place: int) -> dict[int, int]:
        """The axes of this result of this call that grow, and by how much."""
        shapes = [step.calls[call][place : place + 1] for step in (self.first, self.second) if call < len(step.calls)]
        if len(shapes) < 2 or not all(shapes):
            raise Fails(OTHER)
        pairs = zip(shapes[0][0], shapes[1][0], strict=False)
        return {i: n - m for i, (m, n) in enumerate(pairs) if m != n}

    def moves(self, number: int) -> bool:
        """Whether this answer is another one later."""
        answers = [step.answers[number : number + 1] for step in (self.first, self.second)]
        return answers[0] != answers[1]


class Recorder:
    """Steps of one stream. Tensors that are no frame, no memory and no result of the step are *outside*: weights."""

    def __init__(self) -> None:
        self.outside: dict[int, tuple[Tensor, int, str]] = {}  # by id: the tensor, its version, its name

    @contextlib.contextmanager
    def step(self, named: dict[Source, Tensor], watch: Watch | None = None) -> Iterator[Step]:
        """Record what happens inside. `named`: frames and memory. `watch`: sizes are watched numbers."""
        step = Step()
        with _Operations(step, self.outside, named), _Calls(step, named, watch):
            yield step


class _Operations(TorchDispatchMode):
    def __init__(self, step: Step, outside: dict[int, tuple[Tensor, int, str]], named: dict[Source, Tensor]) -> None:
        super().__init__()
        self.found, self.outside = step, outside
        self.numbers: dict[int, int] = {}
        for source, tensor in named.items():
            self.found.sources[self._new(tensor)] = source

    @classmethod
    def ignore_compile_internals(cls) -> bool:
        """Nothing is compiled here: torch need not import what would."""
        return True

    def _new(self, tensor: Tensor) -> int:
        number = len(self.found.tensors)
        self.numbers[id(tensor)] = number
        self.found.tensors.append(tensor)
        self.found.shapes.append(tuple(tensor.shape))
        if not (tensor.is_floating_point() or tensor.is_complex() or tensor.is_meta):
            self.found.values[number] = tensor.detach().clone()
        return number

    def _number(self, tensor: Tensor) -> int:
        number = self.numbers.get(id(tensor))
        if number is not None:
            return number
        _, version, name = self.outside.setdefault(id(tensor), (tensor, _version(tensor), str(len(self.outside))))
        number = self._new(tensor)
        self.found.sources[number] = Source(OUTSIDE, name, version != _version(tensor))
        return number

    def _made(self, thing: Any) -> None:
        """A tensor that Python has just made of numbers is nobody's."""
        if isinstance(thing, Tensor) and id(thing) not in self.numbers and id(thing) not in self.outside:
            made = sum(source.kind == MADE for source in self.found.sources.values())
            self.found.sources[self._new(thing)] = Source(MADE, str(made))

    def _given(self, thing: Any) -> Any:
        if isinstance(thing, Tensor):
            return Ref(self._number(thing))
        if isinstance(thing, (list, tuple)):
            return tuple(map(self._given, thing))
        return thing

    def __torch_dispatch__(self, func: Any, kinds: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        if func._can_decompose() and torch._C._dispatch_has_kernel_for_dispatch_key(
            func.name(), "CompositeImplicitAutograd"
        ):
            with self:  # in inference mode it comes whole
                parts = func.decompose(*args, **kwargs)
            if parts is not NotImplemented:
                return parts
        if func.overloadpacket is torch.ops.aten.lift_fresh:
            self._made(args[0])
        given = self._given((*args, *(part for item in sorted(kwargs.items()) for part in item)))
        out = func(*args, **kwargs)
        results = [x for x in (out if isinstance(out, (list, tuple)) else [out]) if isinstance(x, Tensor)]
        writes = func._schema.is_mutable and func.overloadpacket is not torch.ops.aten.detach_
        gives = tuple(map(self._new, results))
        if writes:
            written = [*_parts(_written(func._schema.arguments, args, kwargs))]
            self.found.seen_again[len(self.found.operations)] = self._seen_again(written, gives)
        self.found.operations.append(Operation(str(func.overloadpacket), given, gives, writes))
        return out

    def _seen_again(self, written: list[Any], gives: tuple[int, ...]) -> list[tuple[int, int]]:
        """Tensors in whose memory was written hold something else since, and have new numbers."""
        places = {x.untyped_storage()._cdata for x in written if isinstance(x, Tensor) and not x.is_meta}
        tensors = [(n, self.found.tensors[n]) for n in self.numbers.values() if n not in gives]
        shared = [(n, t) for n, t in tensors if not t.is_meta and t.untyped_storage()._cdata in places]
        return [(n, self._new(t)) for n, t in shared]


def _written(arguments: Any, args: tuple, kwargs: dict[str, Any]) -> list[Any]:
    """Of what an operation is given, what it writes to."""
    given = {a.name: x for a, x in zip(arguments, args, strict=False)} | kwargs
    return [given[a.name] for a in arguments if a.alias_info is not None and a.alias_info.is_write and a.name in given]


def _version(tensor: Tensor) -> int:
    return -1 if tensor.is_inference() else tensor._version


class _Calls(TorchFunctionMode):
    def __init__(self, step: Step, named: dict[Source, Tensor], watch: Watch | None) -> None:
        super().__init__()
        self.found, self.watch = step, watch
        self.axes: dict[int, dict[int, int]] = {}  # by id of a tensor
        self.alive = list[Any]()
        self._note(list(named.values()))

    def _note(self, tensors: list[Tensor]) -> None:
        """A call gave these, or they were there."""
        number = len(self.found.calls)
        self.found.calls.append(tuple(tuple(t.shape) for t in tensors))
        self.alive += tensors
        for place, tensor in enumerate(tensors):
            self.axes[id(tensor)] = self.watch.axes(number, place) if self.watch is not None else {}

    def __torch_function__(self, func: Any, kinds: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        if func is Tensor.__getitem__ and self.watch is not None:
            self._ends(args[0], args[1])
        name, given = getattr(func, "__name__", str(func)), list(_parts((args, kwargs or {})))
        if any(isinstance(part, CALLED) for part in given):
            self.found.strange.append(f"{name} with a function of its own")  # inside of which nothing is seen
        inputs: list[Any] = list(plain(args))
        named: dict[str, Any] = plain(kwargs or {})
        called = list[str]()
        try:
            with called_back(called) if self.watch is not None else contextlib.nullcontext():
                out: Any = func(*inputs, **named)
        except Exception:
            self.found.strange.append(f"an error of {name}")
            raise
        self.found.strange.extend(f"{name}, which calls {other}" for other in called)
        parts = out if isinstance(out, (list, tuple)) and not isinstance(out, torch.Size) else [out]
        tensors = [x for x in parts if isinstance(x, Tensor)]
        if tensors:
            self._note(tensors)
            return out
        self.found.answers.append(out if isinstance(out, (int, float, str, tuple)) else None)
        return out if self.watch is None or out is None else self._answer(self.watch, func, name, given, out, inputs, named)

    def _answer(
        self, watch: Watch, func: Any, name: str, given: list[Any], out: Any, inputs: list[Any], named: dict[str, Any]
    ) -> Any:
        """What is no tensor: with watched sizes, where it tells of those that grow; or it is strange."""
        axes = [self.axes.get(id(x), {}) for x in given if isinstance(x, Tensor)]
        grows = len(axes) == 1 and axes[0]
        if grows and func in SHAPES:
            return self._shape(watch, out, axes[0], inputs[1] if len(inputs) > 1 else named.get("dim"), inputs[0].dim())
        if grows and func in COUNTS and len(axes[0]) == 1 and isinstance(out, int):
            ((axis, growth),) = axes[0].items()
            return watched_size(out, watch.uses, growth * (out // inputs[0].shape[axis]))
        sized = any(isinstance(part, torch.SymInt) for part in given)
        if sized or watch.moves(len(self.found.answers) - 1) or (any(axes) and func not in HARMLESS):
            self.found.strange.append(name)
        return out

    def _ends(self, tensor: Tensor, index: Any) -> None:
        """torch drops slices that end behind the last term, and nobody below sees them."""
        parts = list(index) if isinstance(index, tuple) else [index]
        taken = [p for p in parts if p is not None and p is not Ellipsis]
        if any(p is Ellipsis for p in parts):
            behind = len([p for p in parts[parts.index(Ellipsis) + 1 :] if p is not None])
            places = [*range(len(taken) - behind), *range(tensor.dim() - behind, tensor.dim())]
        else:
            places = list(range(len(taken)))
        for axis, part in zip(places, taken, strict=True):
            ends = axis in self.axes.get(id(tensor), {}) and type(part) is slice and type(part.stop) is int
            if ends and part.stop > tensor.shape[axis]:
                self.found.strange.append(f"a slice to {part.stop}")

    def _shape(self, watch: Watch, out: Any, axes: dict[int, int], axis: Any, dims: int) -> Any:
        """A shape, or one size of it, with watched sizes in the place of those that grow."""
        if isinstance(out, int):
            growth = axes.get(axis % dims)
            return out if growth is None else watched_size(out, watch.uses, growth)
        sizes: list[Any] = [watched_size(n, watch.uses, axes[i]) if i in axes else n for i, n in enumerate(out)]
        return torch.Size(sizes)


@contextlib.contextmanager
def called_back(names: list[str]) -> Iterator[None]:
    """Functions of the program that a library calls meanwhile: hooks, methods of objects, the insides of functions of its
    own. There sizes are as they are, and nobody watches. What the collector of garbage calls is nobody's: it waits.
    """

    def look(frame: types.FrameType, event: str, _: Any) -> None:
        if event == "call" and not made_in_known(frame.f_globals):
            names.append(frame.f_code.co_name)

    if sys.getprofile() is not None:
        raise Fails("a profiler runs: nobody can see what libraries call")
    with seeing_calls(look):
        yield


def _parts(thing: Any) -> Iterator[Any]:
    if isinstance(thing, (list, tuple)):
        for part in thing:
            yield from _parts(part)
    elif isinstance(thing, dict):
        yield from _parts(list(thing.values()))
    else:
        yield thing
