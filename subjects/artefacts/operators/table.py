"""The table of ONNX operators that have a meaning here: a function of torch each, registered by decorator.

A meaning takes the node and its inputs (None for an optional one that is not given) and returns tensors. It names the
attributes that it honours: a node with another one is refused, as is an operator without a meaning. Nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from coequal.subjects.artefacts.program import Formats
from coequal.subjects.errors import BadSubject, nearest

Tensor = torch.Tensor
Rule = Callable[..., Any]


@dataclass(frozen=True)
class Meaning:
    """Of one operator."""

    rule: Rule
    attributes: frozenset[str]
    newest: int  # the opset whose definition was read; later ones may mean something else


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

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute."""
        return self.attributes.get(name, default)

    def __str__(self) -> str:
        return f"{self.kind} {self.name or self.outputs[0]}"


class Refused(BadSubject):
    """A node without a meaning, in one line."""


OPERATORS: dict[str, Meaning] = {}
NEWEST = 26


def operator(*names: str, attributes: str = "", newest: int = NEWEST) -> Callable[[Rule], Rule]:
    """Register the meaning of operators; `attributes` are those that it honours, with blanks between them."""

    def register(rule: Rule) -> Rule:
        for name in names:
            OPERATORS[name] = Meaning(rule, frozenset(attributes.split()), newest)
        return rule

    return register


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


def refuse(node: Node, why: str) -> Refused:
    """To be raised where a node's attributes or inputs have no meaning."""
    return Refused(f"{node}: {why}")


def whole(x: Tensor) -> list[int]:
    """The numbers of a tensor of integers."""
    return [int(n) for n in x.reshape(-1).tolist()]
