"""What clip functions and streams return: the tensors of a tree by their paths, one of which is looked at."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from coequal.subjects.errors import BadSubject

Tensor = torch.Tensor


def tensors_of(tree: Any, path: str = "") -> dict[str, Tensor]:
    """The tensors of tuples, lists, dictionaries and dataclasses, by path: `hidden[0]`; "" for a tensor alone."""
    if isinstance(tree, Tensor):
        return {path: tree}
    return {where: leaf for name, part in _parts(tree, path) for where, leaf in tensors_of(part, name).items()}


def others_of(tree: Any, path: str = "") -> dict[str, str]:
    """What is no tensor, by path, with its type: numbers, caches and states that nothing is said of."""
    if tree is None or isinstance(tree, Tensor):
        return {}
    if not _is_tree(tree):
        return {path: type(tree).__name__}
    return {where: kind for name, part in _parts(tree, path) for where, kind in others_of(part, name).items()}


def _is_tree(tree: Any) -> bool:
    return isinstance(tree, (Mapping, tuple, list)) or (dataclasses.is_dataclass(tree) and not isinstance(tree, type))


def _parts(tree: Any, path: str) -> list[tuple[str, Any]]:
    if isinstance(tree, Mapping):
        named = [(str(key), part) for key, part in tree.items()]
    elif isinstance(tree, tuple) and hasattr(tree, "_fields"):
        named = [(str(name), getattr(tree, name)) for name in getattr(tree, "_fields", ())]
    elif isinstance(tree, (tuple, list)):
        return [(f"{path}[{i}]", part) for i, part in enumerate(tree)]
    elif dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        named = [(part.name, getattr(tree, part.name)) for part in dataclasses.fields(tree)]
    else:
        return []
    return [(f"{path}.{name}" if path else name, part) for name, part in named]


def keys_of(tree: Any, path: str = "") -> set[str]:
    """The paths of all that is there, None included: what may still come."""
    if not _is_tree(tree):
        return {path}
    return {where for name, part in _parts(tree, path) for where in keys_of(part, name)}


Select = Callable[[Any], Any] | str | tuple[str, ...] | None


def real_of(output: Tensor) -> Tensor:
    """Complex numbers are compared by both parts, along a last axis of two."""
    if output.is_meta:
        raise BadSubject("an output is on the device meta, which holds no numbers: there is nothing to compare")
    return torch.view_as_real(output.resolve_conj()) if output.is_complex() else output


@dataclass
class Outputs:
    """What of an output is compared: what `select` picks of it, and of its tensors the one at `leaf` (None: the first).

    The paths are the clip function's; they are learned when it has run.
    """

    select: Select = None
    time: Any = 2  # time axis of the clip's output: one for all tensors, or a dictionary by path
    leaf: str | None = None
    paths: tuple[str, ...] = ()
    left_out: dict[str, str] = field(default_factory=dict)  # by path, the types of what is no tensor
    single: bool = True  # the clip function returns a tensor alone

    @property
    def path(self) -> str:
        """Of the tensor that is looked at."""
        return self.leaf if self.leaf is not None else (self.paths[0] if self.paths else "")

    @property
    def axis(self) -> int:
        """Time axis of the tensor that is looked at, in the clip's output."""
        if not isinstance(self.time, Mapping):
            return self.time
        if self.path not in self.time:
            raise BadSubject(f"Subject.output_time: no axis for the output {self.path!r}; it has {', '.join(self.time)}")
        return self.time[self.path]

    def at(self, leaf: str) -> Outputs:
        """The same, looking at another tensor."""
        return dataclasses.replace(self, leaf=leaf)

    def of_clip(self, output: Any) -> Tensor:
        """The clip function's tensor; BadSubject where it has none."""
        picked = self._picked(output, "clip()")
        if isinstance(picked, Tensor):
            self.paths, self.single = (self.select if isinstance(self.select, str) else "",), True
            return real_of(picked)
        found = tensors_of(picked)
        if not found:
            raise BadSubject(f"clip(x) returned {type(picked).__name__}: expected a tensor, or a tree of tensors")
        if not self.paths:
            self.left_out.update(others_of(picked))
        self.paths, self.single = tuple(found), False
        if self.path not in found:
            raise BadSubject(f"clip(x) returned no `{self.path}` this time: its outputs are {', '.join(found)}")
        return real_of(found[self.path])

    def of_stream(self, output: Any, what: str, *, chunk: bool) -> list[Tensor]:
        """The frames of what a stream returned: None and empty tensors are none, a chunk's time axis is taken apart.

        A list holds several emissions; so does a tuple where the clip function returns a tensor alone.
        """
        if output is None:
            return []
        if isinstance(output, list) or (isinstance(output, tuple) and self.single and self.select is None):
            return [frame for item in output for frame in self.of_stream(item, what, chunk=False)]
        frame = self._leaf(self._picked(output, what), what)
        if frame is None or frame.numel() == 0:
            return []
        if not chunk:
            return [frame]
        if frame.dim() <= self.axis:
            where = f" for `{self.path}`" if self.path else ""
            raise BadSubject(
                f"stream.chunk() returned shape {tuple(frame.shape)}{where}: its time axis {self.axis} is missing (keep it)"
            )
        return list(frame.unbind(self.axis))

    def _leaf(self, picked: Any, what: str) -> Tensor | None:
        """The tensor that is looked at; None where it is not due."""
        if picked is None:
            return None
        if self.single:
            if isinstance(picked, Tensor):
                return real_of(picked)
            if isinstance(picked, (tuple, list)):
                raise BadSubject(f"{what} selects {len(picked)} things, where the clip's is one tensor")
            raise BadSubject(
                f"the stream returned {type(picked).__name__}: expected a tensor, None, or a list of tensors"
                " (Subject.select picks what is compared)"
            )
        found, there = tensors_of(picked), keys_of(picked)
        for mine, theirs, who, other in ((found, self.paths, what, "clip()"), (self.paths, there, "clip()", what)):
            alone = [path for path in mine if path not in theirs]
            if alone:
                named = f"`{alone[0]}`" if alone[0] else "a tensor alone"
                raise BadSubject(
                    f"{who} returns {named}, which {other} does not: name what is compared by Subject.select"
                    f" ({who} has {', '.join(mine) or 'a tensor'}, {other} {', '.join(sorted(theirs)) or 'a tensor'})"
                )
        leaf = found.get(self.path)
        return None if leaf is None else real_of(leaf)

    def _picked(self, output: Any, what: str) -> Any:
        if self.select is None or output is None:
            return output
        if callable(self.select):
            try:
                return self.select(output)
            except Exception as error:
                kind = type(output).__name__
                raise BadSubject(f"Subject.select({kind} of {what}) raised {type(error).__name__}: {error}") from error
        found = tensors_of(output)
        wanted = (self.select,) if isinstance(self.select, str) else self.select
        for path in wanted:
            if path not in found and path not in keys_of(output):
                known = ", ".join(found) or type(output).__name__
                raise BadSubject(f"Subject.select: {what} returned no `{path}`: it has {known}")
        if isinstance(self.select, str):
            return found.get(self.select)
        return {path: found.get(path) for path in wanted}
