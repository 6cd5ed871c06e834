"""Graphs inside graphs: If, Loop and Scan. A condition on data refuses over a field, as any branch on data does."""

from __future__ import annotations

import torch

from coequal.subjects.artefacts.operators.table import Node, operator, refuse

Tensor = torch.Tensor
LONGEST = 10_000  # rounds of a loop


@operator("If", attributes="then_branch else_branch")
def branch(node: Node, condition: Tensor) -> tuple[Tensor, ...]:
    return node.bodies["then_branch" if bool(condition.reshape(())) else "else_branch"]()


@operator("Loop", attributes="body")
def loop(node: Node, most: Tensor | None, condition: Tensor | None, *carried: Tensor) -> tuple[Tensor, ...]:
    """body(round, condition, carried) -> condition, carried, what is collected."""
    rounds = LONGEST if most is None else int(most.reshape(()).item())
    go, state, collected = condition is None or bool(condition.reshape(())), list(carried), list[tuple[Tensor, ...]]()
    number = 0
    while go and number < rounds:
        if number >= LONGEST:
            raise refuse(node, f"more than {LONGEST} rounds")
        again, *rest = node.bodies["body"](torch.tensor(number), torch.tensor(True), *state)
        go, state = bool(again.reshape(())), rest[: len(state)]
        collected.append(tuple(rest[len(state) :]))
        number += 1
    if not collected and len(node.outputs) > len(state):
        raise refuse(node, "a loop of no round that collects")
    return (*state, *(torch.stack(column) for column in zip(*collected, strict=True)))


@operator(
    "Scan",
    attributes="body num_scan_inputs scan_input_axes scan_input_directions scan_output_axes scan_output_directions",
)
def scan(node: Node, *inputs: Tensor) -> tuple[Tensor, ...]:
    """body(states, elements) -> states, what is collected: over all elements of the scanned inputs, from either end."""
    count = node.get("num_scan_inputs")
    state, scanned = list(inputs[: len(inputs) - count]), inputs[len(inputs) - count :]
    axes, turned = node.get("scan_input_axes") or [0] * count, node.get("scan_input_directions") or [0] * count
    columns = [x.unbind(a)[:: -1 if back else 1] for x, a, back in zip(scanned, axes, turned, strict=True)]
    collected = []
    for elements in zip(*columns, strict=True):
        after = node.bodies["body"](*state, *elements)
        state = list(after[: len(state)])
        collected.append(after[len(state) :])
    outputs = list(zip(*collected, strict=True))
    axes = node.get("scan_output_axes") or [0] * len(outputs)
    turned = node.get("scan_output_directions") or [0] * len(outputs)
    stacked = [torch.stack(parts[:: -1 if back else 1], a) for parts, a, back in zip(outputs, axes, turned, strict=True)]
    return (*state, *stacked)
