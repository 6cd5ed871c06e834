"""The table of ONNX operators that have a meaning here: a function of torch each, registered by decorator.

A meaning takes the node and its inputs (None for an optional one that is not given) and returns tensors. It names the
attributes that it honours: a node with another one is refused, as is one with a value that it does not honour, and an
operator without a meaning. Nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import torch

from coequal.subjects.artefacts.program import Formats
from coequal.subjects.errors import BadSubject, nearest

Tensor = torch.Tensor
Rule = Callable[..., Any]
Why = Callable[["Node"], "str | None"]  # what of a node has no meaning, in words


@dataclass(frozen=True)
class Meaning:
    """Of one operator."""

    rule: Rule
    attributes: frozenset[str]
    newest: int  # the opset whose definition was read; later ones may mean something else
    refused: Why | None = None


@dataclass(frozen=True)
class Node:
    """One application of an operator."""

    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any] = field(default_factory=dict)
    opset: int = 13
    formats: Formats = field(default_factory=Formats)
    bodies: dict[str, Callable[..., tuple[Tensor, ...]]] = field(default_factory=dict)  # graphs among the attributes
    unread: frozenset[str] = frozenset()  # outputs that nothing reads

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute."""
        return self.attributes.get(name, default)

    def __str__(self) -> str:
        return f"{self.kind} {self.name or self.outputs[0]}"


class Refused(BadSubject):
    """A node without a meaning, in one line."""


OPERATORS: dict[str, Meaning] = {}
_computed: ContextVar[str] = ContextVar("computed", default="")


def computed() -> str:
    """The node that is being computed, in words; empty: none."""
    return _computed.get()


@contextmanager
def computing(node: Node) -> Iterator[None]:
    """Inside, this node is being computed."""
    token = _computed.set(str(node))
    try:
        yield
    finally:
        _computed.reset(token)


NEWEST = 28


def operator(*names: str, attributes: str = "", newest: int = NEWEST, refused: Why | None = None) -> Callable[[Rule], Rule]:
    """Register the meaning of operators; `attributes` are those that it honours, with blanks between them.

    `refused` says what of a node, without its inputs' contents, has no meaning.
    """

    def register(rule: Rule) -> Rule:
        for name in names:
            OPERATORS[name] = Meaning(rule, frozenset(attributes.split()), newest, refused)
        return rule

    return register


def only(**allowed: tuple) -> Why:
    """Attributes that may have these values alone, or none."""

    def why(node: Node) -> str | None:
        wrong = [f"{name} {node.get(name)!r}" for name, values in allowed.items() if node.get(name) not in (None, *values)]
        return f"{', '.join(wrong)} has no meaning here" if wrong else None

    return why


def check(node: Node, domain: str) -> None:
    """Refused unless the node has a meaning."""
    if domain not in ("", "ai.onnx"):
        raise Refused(
            f"the operator {domain}.{node.kind} (node {node.name or node.outputs[0]}) has no meaning here: it is of another"
            " domain"
        )
    if node.kind not in OPERATORS:
        close = nearest(node.kind, OPERATORS)
        raise Refused(
            f"the operator {node.kind} (node {node.name or node.outputs[0]}) has no meaning here"
            f"{f'; {close} has one' if close else ''}"
        )
    meaning = OPERATORS[node.kind]
    if node.opset > meaning.newest:
        raise Refused(f"{node}: its meaning was read up to opset {meaning.newest}, the file has {node.opset}")
    for name in node.attributes:
        if name not in meaning.attributes:
            raise Refused(f"{node}: the attribute {name!r} has no meaning here")
    if meaning.refused is not None and (why := meaning.refused(node)) is not None:
        raise refuse(node, why)


def refuse(node: Node, why: str) -> Refused:
    """To be raised where a node's attributes or inputs have no meaning."""
    return Refused(f"{node}: {why}")


def whole(x: Tensor) -> list[int]:
    """The numbers of a tensor of integers."""
    return [int(n) for n in x.reshape(-1).tolist()]
