"""A step whose memory lives at fixed addresses: the same operations on the same tensors are every step.

    eager     until the memory has its final form: rings are full, nothing is waited for
    tried     two steps with rings whose position is on the device, of a copy; both must be the same operations
    captured  that program with the numbers that it had then: on a GPU a CUDA graph, which is replayed

What a step makes of its memory is copied to where it was. A step that counts frames in Python (positions, slots that take
turns) is another program each time, and refused. Gradients are not recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_leaves, tree_unflatten

from coequal.continual.streaming import State, settled

Tensor = torch.Tensor
FEW = 16  # numbers of a constant that are compared


class Recording(TorchDispatchMode):
    """The operations that run, in words: what they are called with, by `named` or by the place where it was made."""

    def __init__(self, named: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.names = {id(tensor): name for name, tensor in named.items()}
        self.kept, self.calls = list(named.values()), list[str]()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        said = self._word([*args, *(kwargs or {}).items()])
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor) and id(tensor) not in self.names:
                self.names[id(tensor)] = f"%{len(self.kept)}"
                self.kept.append(tensor)  # while it lives, no other has its id
        self.calls.append(f"{func}{said}")
        return result

    def _word(self, x: Any) -> str:
        if isinstance(x, (list, tuple)):
            return f"({', '.join(map(self._word, x))})"
        if not isinstance(x, Tensor):
            return repr(x)
        if id(x) in self.names:
            return self.names[id(x)]
        self.kept.append(x)
        return f"{x.dtype} {x.tolist()}" if x.numel() <= FEW else f"{tuple(x.shape)} at {id(x)}"


class Captured:
    """A stream of a continual module in that form, from the state that it has when its memory has its final form."""

    def __init__(self, module: Any, state: State, frame: Tensor, output: Tensor) -> None:
        self.module, self.state = module, part_by_part(settled(module, state), _fixed)
        self.numbers = [x for x in tree_leaves(self.state) if _whole(x)]  # as they would count on
        self.by = self._tried(frame)  # from step to step
        self.frame, self.output, self.graph = frame.clone(), output.clone(), None
        if frame.device.type == "cuda":
            self.graph = self._recorded()

    def _tried(self, frame: Tensor) -> list[int]:
        """By how much numbers count. Two steps, of which nothing is left, must be one program: ValueError."""
        programs, state = list[list[str]](), part_by_part(self.state, Tensor.clone)
        counted = [self.numbers]
        for _ in range(2):
            named = {f"weight {name}": x for name, x in _held(self.module)}
            named |= {f"state {i}": x for i, x in enumerate(tree_leaves(state)) if isinstance(x, Tensor)}
            with Recording({**named, "frame": frame}) as recording:
                output, state = self.module.step(frame, state)
            if output is None:
                raise ValueError("Stream(graph=True): its step does not emit for every frame")
            programs.append(recording.calls)
            counted.append([x for x in tree_leaves(state) if _whole(x)])
        if programs[0] != programs[1]:
            raise ValueError(f"Stream(graph=True): two steps in a row are different programs: {_apart(*programs)}")
        return [after - before for before, after in zip(*counted[1:], strict=True)]

    def step(self, frame: Tensor) -> Tensor:
        """One frame in, one out."""
        if frame.shape != self.frame.shape or frame.dtype != self.frame.dtype:
            raise ValueError(
                f"Stream(graph=True): a frame {tuple(frame.shape)} of {frame.dtype}, in a stream of"
                f" {tuple(self.frame.shape)} of {self.frame.dtype}: its memory has that size"
            )
        self.frame.copy_(frame)
        self.numbers = [x + by for x, by in zip(self.numbers, self.by, strict=True)]
        if self.graph is None:
            self._run()
        else:
            self.graph.replay()
        return self.output.clone()

    def _run(self) -> None:
        """The program: the output is copied out, and what became of the memory to where it was."""
        output, after = self.module.step(self.frame, part_by_part(self.state))
        self.output.copy_(output)
        overwritten = list[Tensor]()
        for old, new in zip(tree_leaves(self.state), tree_leaves(after), strict=True):
            if isinstance(old, Tensor) and new is not old:
                old.copy_(new.clone() if any(_shared(new, other) for other in overwritten) else new)
                overwritten.append(old)

    def _recorded(self) -> Any:
        """A CUDA graph of it; the runs that warm it up leave no trace in the memory."""
        saved = [x.clone() if isinstance(x, Tensor) else x for x in tree_leaves(self.state)]
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(2):
                self._run()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._run()
        self._put(saved)
        return graph

    def _put(self, values: list[Any]) -> None:
        for leaf, value in zip(tree_leaves(self.state), values, strict=True):
            if isinstance(leaf, Tensor) and _dense(leaf):
                leaf.copy_(value)

    def begin(self, state: State) -> bool:
        """Take the memory of another stream for its own, at the same addresses; False: that has another form."""
        state = settled(self.module, state)
        if _form(state) != _form(self.state):
            return False
        self._put(tree_leaves(state))
        self.numbers = [x for x in tree_leaves(state) if _whole(x)]
        return True

    def now(self) -> State:
        """The memory as the module has it after all that was fed, in tensors of its own; numbers have counted on."""
        return part_by_part(self.state, Tensor.clone, iter(self.numbers))


def part_by_part(state: State, of: Callable[[Tensor], Tensor] | None = None, numbers: Iterator[int] | None = None) -> State:
    """The same state in containers of its own, with other tensors, and other whole numbers, in order."""
    held, spec = tree_flatten(state)
    return tree_unflatten([_another(x, of, numbers) for x in held], spec)


def _another(x: Any, of: Callable[[Tensor], Tensor] | None, numbers: Iterator[int] | None) -> Any:
    if isinstance(x, Tensor):
        return x if of is None else of(x)
    return x if numbers is None or not _whole(x) else next(numbers)


def _whole(x: Any) -> bool:
    """Whether it is a number that may count."""
    return isinstance(x, int) and not isinstance(x, bool)


def _form(state: State) -> Any:
    """A state without its numbers."""
    held, spec = tree_flatten(state)
    return spec, [(x.shape, x.dtype, x.device) if isinstance(x, Tensor) else int if _whole(x) else x for x in held]


def _held(module: nn.Module) -> list[tuple[str, Tensor]]:
    return [*module.named_parameters(), *module.named_buffers()]


def _fixed(x: Tensor) -> Tensor:
    return x.clone() if _dense(x) else x


def _dense(x: Tensor) -> bool:
    """Whether it has memory for each of its numbers: what is expanded only says what frames look like."""
    return x.numel() <= 1 or 0 not in x.stride()


def _shared(x: Tensor, other: Tensor) -> bool:
    return x is other or x._base is other


def _apart(first: list[str], second: list[str]) -> str:
    """The first operation that is another, shortened."""
    pairs = zip([*first, "nothing"], [*second, "nothing"], strict=False)
    one, other = next((a, b) for a, b in pairs if a != b)
    return f"{one[:120]} and then {other[:120]}; it counts frames in Python, or its memory still changes"
