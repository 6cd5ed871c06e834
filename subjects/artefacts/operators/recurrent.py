"""RNN, GRU and LSTM: weights of all gates in one matrix, in the order that the standard fixes.

X is (T, B, I), W (directions, gates H, I), R (directions, gates H, H), B (directions, 2 gates H): biases of W, then of R.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from coequal.subjects.artefacts.operators.table import Node, only, operator, refuse, whole

Tensor = torch.Tensor
ATTRIBUTES = "activation_alpha activation_beta activations clip direction hidden_size layout"
FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": torch.relu}
State = tuple[Tensor, ...]
Cell = Callable[[Tensor, State], State]


def _unmeant(node: Node) -> str | None:
    if node.get("clip") is not None or node.get("activation_alpha") or node.get("activation_beta"):
        return "clip, activation_alpha and activation_beta have no meaning here"
    if any(name.lower() not in FUNCTIONS for name in node.get("activations") or ()):
        return f"activations {', '.join(node.get('activations'))} have no meaning here"
    if any(node.inputs[7:]):
        return "peepholes have no meaning here"
    return only(direction=("forward", "reverse", "bidirectional"), input_forget=(0,))(node)


def _functions(node: Node, defaults: list[str], direction: int) -> list[Callable[[Tensor], Tensor]]:
    names = node.get("activations") or defaults * 2
    names = names[direction * len(defaults) : (direction + 1) * len(defaults)]
    return [FUNCTIONS[name.lower()] for name in names]


def _run(
    node: Node, x: Tensor, lengths: Tensor | None, starts: tuple[Tensor | None, ...], cells: list[Cell], hidden: int
) -> tuple:
    """Every direction over all frames; Y (T, directions, B, H), and the last states."""
    layout = node.get("layout", 0)
    x = x.transpose(0, 1) if layout else x
    frames, rows = x.shape[0], x.shape[1]
    if lengths is not None and lengths.shape[0] != rows:
        raise ValueError(f"lengths of {lengths.shape[0]} sequences, and {rows} rows")
    if lengths is not None and set(whole(lengths)) - {frames}:
        raise refuse(node, "sequences of different lengths")
    wanted = (rows, len(cells), hidden) if layout else (len(cells), rows, hidden)
    for start in starts:
        if start is not None and tuple(start.shape) != wanted:
            raise ValueError(f"an initial state of shape {tuple(start.shape)}, expected {wanted}")
    outputs, lasts = [], []
    for number, cell in enumerate(cells):
        backwards = node.get("direction", "forward") == "reverse" or number == 1
        state: State = tuple(
            x.new_zeros((rows, hidden)) if start is None else (start[:, number] if layout else start[number])
            for start in starts
        )
        emitted = []
        for frame in reversed(x.unbind(0)) if backwards else x.unbind(0):
            state = cell(frame, state)
            emitted.append(state[0])
        outputs.append(torch.stack(emitted[::-1] if backwards else emitted))
        lasts.append(state)
    y = torch.stack(outputs, 1)
    ends = [torch.stack([state[i] for state in lasts], 1 if layout else 0) for i in range(len(starts))]
    return (y.permute(2, 0, 1, 3) if layout else y, *ends)


def _weights(node: Node, w: Tensor, r: Tensor, b: Tensor | None, gates: int) -> list[tuple[list[Tensor], ...]]:
    """For each direction the parts of W, of R, and of both biases, gate by gate."""
    directions = 2 if node.get("direction", "forward") == "bidirectional" else 1
    if w.shape[0] != directions:
        raise refuse(node, f"direction {node.get('direction', 'forward')!r}, and weights of {w.shape[0]} directions")
    hidden = r.shape[-1]
    found = []
    for i in range(directions):
        parts = [list(m[i].split(hidden)) for m in (w, r)]
        zeros = [w.new_zeros(hidden)] * (2 * gates)
        biases = zeros if b is None else list(b[i].split(hidden))
        found.append((*parts, biases[:gates], biases[gates:]))
    return found


def _linear(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    return torch.matmul(x, w.T) + b


@operator("RNN", attributes=ATTRIBUTES, refused=_unmeant)
def rnn(node: Node, x: Tensor, w: Tensor, r: Tensor, b: Tensor | None = None, lengths: Tensor | None = None,
        h: Tensor | None = None) -> tuple[Tensor, ...]:  # fmt: skip
    """h' = f(W x + wb + R h + rb)."""

    def cell(number: int, parts: tuple[list[Tensor], ...]) -> Cell:
        (f,) = _functions(node, ["Tanh"], number)
        (wi,), (ri,), (wb,), (rb,) = parts
        return lambda frame, state: (f(_linear(frame, wi, wb) + _linear(state[0], ri, rb)),)

    cells = [cell(i, parts) for i, parts in enumerate(_weights(node, w, r, b, 1))]
    return _run(node, x, lengths, (h,), cells, r.shape[-1])


@operator("GRU", attributes=f"{ATTRIBUTES} linear_before_reset", refused=_unmeant)
def gru(node: Node, x: Tensor, w: Tensor, r: Tensor, b: Tensor | None = None, lengths: Tensor | None = None,
        h: Tensor | None = None) -> tuple[Tensor, ...]:  # fmt: skip
    """z, reset = f(...); n = g(W x + wb + reset (R h + rb)) where linear_before_reset is 1, as in torch; otherwise
    n = g(W x + wb + R (reset h) + rb); h' = (1 - z) n + z h. Gates stand in the order update, reset, hidden.
    """
    after = node.get("linear_before_reset", 0)

    def cell(number: int, parts: tuple[list[Tensor], ...]) -> Cell:
        f, g = _functions(node, ["Sigmoid", "Tanh"], number)
        (wz, wr, wn), (rz, rr, rn), (bz, br, bn), (cz, cr, cn) = parts

        def step(frame: Tensor, state: State) -> State:
            (before,) = state
            z = f(_linear(frame, wz, bz) + _linear(before, rz, cz))
            reset = f(_linear(frame, wr, br) + _linear(before, rr, cr))
            inner = reset * _linear(before, rn, cn) if after else _linear(reset * before, rn, cn)
            new = g(_linear(frame, wn, bn) + inner)
            return ((1 - z) * new + z * before,)

        return step

    cells = [cell(i, parts) for i, parts in enumerate(_weights(node, w, r, b, 3))]
    return _run(node, x, lengths, (h,), cells, r.shape[-1])


@operator("LSTM", attributes=f"{ATTRIBUTES} input_forget", refused=_unmeant)
def lstm(node: Node, x: Tensor, w: Tensor, r: Tensor, b: Tensor | None = None, lengths: Tensor | None = None,
         h: Tensor | None = None, c: Tensor | None = None, _: None = None) -> tuple[Tensor, ...]:  # fmt: skip
    """c' = forget c + input g(...); h' = output k(c'). Gates stand in the order input, output, forget, cell."""

    def cell(number: int, parts: tuple[list[Tensor], ...]) -> Cell:
        f, g, k = _functions(node, ["Sigmoid", "Tanh", "Tanh"], number)
        ws, rs, bs, cs = parts

        def step(frame: Tensor, state: State) -> State:
            before, memory = state
            i, o, forget, new = (
                _linear(frame, wx, bx) + _linear(before, rx, cx) for wx, rx, bx, cx in zip(ws, rs, bs, cs, strict=True)
            )
            memory = f(forget) * memory + f(i) * g(new)
            return f(o) * k(memory), memory

        return step

    cells = [cell(i, parts) for i, parts in enumerate(_weights(node, w, r, b, 4))]
    return _run(node, x, lengths, (h, c), cells, r.shape[-1])
