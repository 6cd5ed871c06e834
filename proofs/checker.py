"""Check a certificate of coequal by other means: Python's integers, NumPy, and onnx to read graphs.

    python checker.py CERTIFICATE [STEP.onnx]

Step and clip network are graphs of ONNX, computed modulo a prime near 2^127 at one point, both of them SHAKE-256 of what it
is about. `composed.py`, beside this file, has the operators made of others. What follows, and what not: docs/certificate.md.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import math
import runpy
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx

COMMITTED = ("format", "step", "clip", "states", "frame", "output", "time", "ignore", "rows", "lengths")
FORMAT = "coequal certificate 3"
COMPOSED: dict[str, tuple[str, Callable[..., Any]]] = runpy.run_path(f"{Path(__file__).parent}/composed.py")["COMPOSED"]


class Refused(Exception):
    """Why a certificate does not hold, in one line."""


class Value(NamedTuple):
    """Residues, Python's integers (None: minus infinity); degrees of numerator and denominator, in inputs and functions."""

    a: np.ndarray
    n: int = 0
    d: int = 0


class Field:
    """Arithmetic modulo the prime of a seed. It counts values of functions, and keeps the greatest degrees compared."""

    def __init__(self, seed: bytes) -> None:
        self.seed, self.applications, self.n, self.d = seed, 0, 1, 0
        self.members: dict[Any, set[int]] = {}  # of which a value is the largest
        numbers = (self.draw(f"prime {i}") % 2**126 + 2**126 | 1 for i in itertools.count())
        self.p = next(n for n in numbers if self.is_prime(n))

    def draw(self, label: str) -> int:
        return int.from_bytes(hashlib.shake_256(self.seed + label.encode()).digest(32), "little")

    def is_prime(self, n: int) -> bool:
        """Miller and Rabin, with 64 bases: wrong with probability below 4^-64."""
        twos = ((n - 1) & (1 - n)).bit_length() - 1
        bases = (self.draw(f"base {i} of {n}") % (n - 3) + 2 for i in range(64))
        powers = ([pow(b, (n - 1) >> (twos - i), n) for i in range(twos)] for b in bases)
        return all(row[0] == 1 or n - 1 in row for row in powers)

    def point(self, label: str, shape: tuple[int, ...]) -> Value:
        numbers = [self.draw(f"{label} {i}") % self.p for i in range(math.prod(shape))]
        return Value(np.array(numbers, object).reshape(shape), n=1)

    def constant(self, x: Any) -> Value:
        """Floats as the dyadic numbers that they are; below -1e30 they stand for minus infinity."""
        ratios = (None if v < -1e30 else float(v).as_integer_ratio() for v in np.ravel(x))
        made = [None if ratio is None else ratio[0] * pow(ratio[1], -1, self.p) % self.p for ratio in ratios]
        return Value(np.array(made, object).reshape(np.shape(x)))

    def free(self, name: str, x: Value, zero: float | None) -> Value:
        """A function of which nothing is known but that it is one, and its value at zero."""
        self.n, self.d, self.applications = max(self.n, x.n), max(self.d, x.d), self.applications + x.a.size
        known: dict[Any, Any] = {None: 0} if name == "Exp {}" else {}
        known |= {} if zero is None else {0: self.constant(zero).a.item()}
        made = [known[v] if v in known else self.draw(f"{name} {v:d}") % self.p for v in x.a.ravel()]
        return Value(np.array(made, object).reshape(x.a.shape), n=1)

    def larger(self, x: Value, y: Value) -> Value:
        """A function of a set, of which nothing else is known but that maxima of maxima are maxima."""
        pairs = np.broadcast(x.a, y.a)
        self.n, self.d, self.applications = max(self.n, x.n, y.n), max(self.d, x.d, y.d), self.applications + 2 * pairs.size
        sets = [set[int]().union(*(self.members.get(v, {v}) for v in pair if v is not None)) for pair in pairs]
        made = [self.draw(f"Max {sorted(s)}") % self.p if len(s) > 1 else next(iter(s), None) for s in sets]
        self.members |= zip(made, sets, strict=True)
        return Value(np.array(made, object).reshape(pairs.shape), max(1, x.n, y.n), max(x.d, y.d))

    def inverse(self, x: Value) -> Value:
        return Value(np.array([pow(v, -1, self.p) for v in x.a.ravel()], object).reshape(x.a.shape), x.d, x.n)

    def times(self, x: Value, y: Value) -> Value:
        return Value(x.a * y.a % self.p, x.n + y.n, x.d + y.d)

    def plus(self, x: Value, y: Value, sign: int = 1) -> Value:
        stays = {(True, False), *[(False, True), (True, True)] * (sign > 0)}  # minus infinity; it is taken from nothing
        added = np.frompyfunc(lambda a, b: None if (a is None, b is None) in stays else (a + sign * b) % self.p, 2, 1)
        return Value(np.asarray(added(x.a, y.a), object), max(x.n + y.d, y.n + x.d), x.d + y.d)

    def summed(self, x: Value, axes: Any, keep: int = 1) -> Value:
        terms = math.prod(x.a.shape[i] for i in axes)
        total = x.a.sum(tuple(axes), keepdims=bool(keep))
        return Value(np.asarray(total, object) % self.p, x.n + (terms - 1) * x.d, terms * x.d)

    def product(self, x: Value, y: Value) -> Value:
        """Of matrices `(..., M, K)` and `(..., K, N)`."""
        n, d, terms = x.n + y.n, x.d + y.d, x.a.shape[-1]
        return Value(np.matmul(x.a, y.a) % self.p, n + (terms - 1) * d, terms * d)


def moved(function: Callable[..., np.ndarray], *xs: Any) -> Any:
    """What only moves numbers, whole ones and residues; those stay Python's integers (NumPy pads with its own)."""
    if not any(isinstance(x, Value) for x in xs):
        return function(*xs)
    made = np.asarray(np.frompyfunc(lambda v: None if v is None else int(v), 1, 1)(function(*(x.a for x in xs))), object)
    return Value(made, max(x.n for x in xs), max(x.d for x in xs))


def whole(x: Any) -> list[int]:
    """Whole numbers that say how something is moved."""
    if not isinstance(x, np.ndarray) or x.dtype.kind != "i":
        raise Refused("sizes, places and axes must be whole numbers")
    return [int(v) for v in x.ravel()]


def arithmetic(f: Field, at: dict, x: Any, y: Any) -> Any:
    kind, values = at["kind"], [v for v in (x, y) if isinstance(v, Value)]
    if not values and kind in WHOLE:
        return WHOLE[kind](x, y)
    if kind in ("Add", "Sub"):
        return f.plus(x, y, 1 if kind == "Add" else -1)
    if kind in ("Mul", "Div"):
        return f.times(x, f.inverse(y) if kind == "Div" else y)
    if kind == "Max":
        return f.larger(x, y)
    raise Refused("it compares data, which has no meaning over a field")


def cast(f: Field, at: dict, x: Any) -> Any:
    if at["to"] in (1, 11):  # single and double precision: real numbers stay what they are
        return x if isinstance(x, Value) else f.constant(x)
    if isinstance(x, Value) or at["to"] not in (6, 7, 9):
        raise Refused(f"a cast to format {at['to']} has no meaning here")
    return x.astype({6: "i4", 7: "i8", 9: "?"}[at["to"]])


def where(f: Field, at: dict, condition: Any, x: Any, y: Any) -> Any:
    if not isinstance(condition, np.ndarray) or condition.dtype != bool:
        raise Refused("its condition depends on data, which has no meaning over a field")
    return moved(lambda a, b: np.asarray(np.where(condition, a, b)), x, y)


def cut(f: Field, at: dict, x: Any, starts: Any, ends: Any, axes: Any = None, steps: Any = None) -> Any:
    axes, steps = whole(np.arange(starts.size) if axes is None else axes), whole(starts * 0 + 1 if steps is None else steps)
    if min(steps) < 1:
        raise Refused("a step backwards has no meaning here")
    places = dict(zip(axes, map(slice, whole(starts), whole(ends), steps), strict=True))
    return moved(lambda v: v[tuple(places.get(i, places.get(i - v.ndim, slice(None))) for i in range(v.ndim))], x)


def pad(f: Field, at: dict, x: Value, pads: Any, value: Value) -> Value:
    if at.get("mode", b"constant") != b"constant" or min(whole(pads)) < 0:
        raise Refused("padding with anything but a number has no meaning here")
    outside = np.pad(np.zeros(x.a.shape, bool), np.reshape(whole(pads), (2, -1)).T, constant_values=True)
    return moved(lambda a, v: np.where(outside, v, np.pad(a, np.reshape(whole(pads), (2, -1)).T)), x, value)


# fmt: off
WHOLE: dict[str, Callable[..., Any]] = {  # what is computed of whole numbers
    "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Max": np.maximum, "Equal": np.equal, "Less": np.less,
    "LessOrEqual": np.less_equal, "Greater": np.greater, "GreaterOrEqual": np.greater_equal, "And": np.logical_and}
MEANINGS: dict[str, tuple[str, Callable[..., Any]]] = {  # operator -> attributes that are honoured, meaning
    **dict.fromkeys((*WHOLE, "Div"), ("", arithmetic)),
    "MatMul": ("", lambda f, at, x, y: f.product(x, y)), "Reciprocal": ("", lambda f, at, x: f.inverse(x)),
    "ReduceSum": ("keepdims", lambda f, at, x, axes: f.summed(x, whole(axes), at.get("keepdims", 1))),
    "Sqrt": ("", lambda f, at, x: f.inverse(f.free("1 / Sqrt", x, None))), "Identity": ("", lambda f, at, x: x),
    "Pow": ("", lambda f, at, x, e: {1: x, 2: f.times(x, x)}[np.asarray(getattr(e, "a", e)).item()]),
    "Shape": ("end start", lambda f, at, x: np.array(np.asarray(getattr(x, "a", x)).shape)[at.get("start") : at.get("end")]),
    "Transpose": ("perm", lambda f, at, x: moved(lambda a: np.transpose(a, at.get("perm")), x)),
    "Expand": ("", lambda f, at, x, n: moved(lambda a: np.broadcast_to(a, np.broadcast_shapes(a.shape, whole(n))), x)),
    "Reshape": ("allowzero", lambda f, at, x, n: moved(
                lambda a: a.reshape([k or a.shape[i] for i, k in enumerate(whole(n))]), x)),  # without a size of zero
    "Gather": ("axis", lambda f, at, x, i: moved(lambda a: np.take(a, np.reshape(whole(i), i.shape), at.get("axis", 0)), x)),
    "Concat": ("axis", lambda f, at, *xs: moved(lambda *a: np.concatenate(a, at["axis"]), *xs)),
    "Cast": ("to", cast), "Slice": ("", cut), "Pad": ("mode", pad), "Where": ("", where),
}
FREE = {"Relu": 0.0, "LeakyRelu": 0.0, "Elu": 0.0, "Tanh": 0.0, "Erf": 0.0, "Sigmoid": 0.5, "Exp": 1.0, "Gelu": 0.0,
        "HardSwish": 0.0, "HardSigmoid": None, "Softplus": None, "Mish": 0.0, "Abs": 0.0, "Sin": 0.0, "Cos": 1.0}
USUAL = {"auto_pad": b"NOTSET", "ceil_mode": 0, "direction": b"forward", "noop_with_empty_axes": 0, "training_mode": 0}
# fmt: on


def applied(f: Field, kind: str, at: dict[str, Any], *given: Any) -> Any:
    """What an operator makes of values, whole numbers and floats: one value or several; Refused where it has no meaning."""
    at = {name: value for name, value in at.items() if USUAL.get(name, ...) != value}
    honoured, meaning = (COMPOSED | MEANINGS).get(kind, ("alpha approximate beta", None))
    if kind not in (*COMPOSED, *MEANINGS, *FREE) or not at.keys() <= set(honoured.split()):
        raise Refused(f"{kind}: the operator, or an attribute of it, has no meaning over a field here")
    values = [f.constant(x) if isinstance(x, float) else x for x in given]
    if meaning is None:
        return f.free(f"{kind} {at}", values[0], FREE[kind])
    op = (lambda kind, *xs, **at: applied(f, kind, at, *xs)) if kind in COMPOSED else f
    return meaning(op, at | {"kind": kind}, *values)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def weights(model: Any) -> dict[str, np.ndarray]:
    constants = {n.output[0]: n.attribute[0].t for n in model.graph.node if n.op_type == "Constant"}
    return {k: onnx.numpy_helper.to_array(t) for k, t in ({t.name: t for t in model.graph.initializer} | constants).items()}


def graph(data: bytes) -> Any:
    """A model of ONNX; Refused where a part of it is not in these bytes."""
    model = onnx.load_model_from_string(data)
    onnx.checker.check_model(model)
    apart = any(t.data_location == onnx.TensorProto.EXTERNAL for t in model.graph.initializer)
    if apart or model.functions or any(not 13 <= o.version <= 24 for o in model.opset_import if o.domain == ""):
        raise Refused("a graph has weights in other files, functions of its own, or an opset out of 13 to 24")
    return model


def run(f: Field, model: Any, given: dict[str, Any]) -> dict[str, Any]:
    """All values of a graph, by name."""
    known = dict(given)
    for name, array in weights(model).items():
        if name in given or array.dtype.kind not in "fib":
            raise Refused(f"the initializer {name} is an input as well, or of a format that has no meaning here")
        known[name] = f.constant(array) if array.dtype.kind == "f" else array
    for node in (node for node in model.graph.node if node.op_type != "Constant"):
        kind = node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"
        at = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        try:
            made = applied(f, kind, at, *(known[i] if i else None for i in node.input))
        except (Refused, ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
            raise Refused(f"{kind} {node.name}: {error}") from None
        known |= zip(node.output, made if isinstance(made, list) else [made], strict=False)
    return {port.name: known[port.name] for port in model.graph.output}


def stream(f: Field, c: dict, model: Any, frames: list[Value]) -> list[Value]:
    """What a step emits, fed frame by frame, its states beginning with zeros."""
    states, emitted = dict[str, Any](), []
    for port in (port for port in model.graph.input if port.name in c["states"]):
        shape = [d.dim_value or c["rows"] for d in port.type.tensor_type.shape.dim]
        zeros = np.zeros(shape, onnx.helper.tensor_dtype_to_np_dtype(port.type.tensor_type.elem_type))
        states[port.name] = f.constant(zeros) if zeros.dtype.kind == "f" else zeros
    for frame in frames:
        known = run(f, model, {c["frame"]: frame, **states})
        emitted.append(known[c["output"]])
        states = {name: known[after] for name, after in c["states"].items()}
    return emitted[c["ignore"] :]


def computed(c: dict, step: bytes, clips: dict[str, bytes]) -> dict[str, Any]:
    """What a certificate must say: seed, prime, digests and bound. Refused where stream and clip differ."""
    seed = digest(json.dumps({key: c[key] for key in COMMITTED}, sort_keys=True).encode())
    f, model, digests = Field(bytes.fromhex(seed)), graph(step), {}
    for length in c["lengths"]:
        frames = [f.point(f"frame {t}", tuple(c["clip"]["frame"])) for t in range(length)]
        x, clip = moved(lambda *a: np.stack(a, c["time"]), *frames), graph(clips[str(length)])
        y = run(f, clip, {clip.graph.input[0].name: x})[clip.graph.output[0].name]
        got = moved(lambda *a: np.stack(a, c["time"]), *stream(f, c, model, frames))
        due = np.take(y.a, range(got.a.shape[c["time"]]), c["time"])  # IndexError: it emits more than the clip has
        if not got.a.size or got.a.shape != due.shape or (got.a != due).any():
            raise Refused(f"of {length} frames the stream is not the clip's function, or nothing is there to compare")
        f.n, f.d = max(f.n, got.n, y.n), max(f.d, got.d, y.d)
        digests[str(length)] = digest(f"{due.shape} {due.ravel().tolist()}".encode())
    pairs = len(digests) + f.applications * (f.applications + 1) / 2
    return {"seed": seed, "prime": f.p, "digests": digests, "bound": min(1.0, pairs * (f.n + f.d) / f.p)}


def check(c: dict, step: bytes) -> dict[str, Any]:
    """What was computed again of a certificate and the file that it is about; Refused says why it does not hold."""
    if c.get("format") != FORMAT or not c.get("lengths"):
        raise Refused(f"it is no {FORMAT}, or about no lengths")
    if digest(step) != c["step"]["sha256"]:
        others = [n for n, a in weights(graph(step)).items() if digest(a.tobytes()) != c["step"]["weights"].get(n)]
        raise Refused(f"the file is not the one that was certified: other {', '.join(others) or 'nodes, names or metadata'}")
    clips = {n: zlib.decompress(base64.b64decode(text)) for n, text in c["graphs"].items()}
    if {n: digest(data) for n, data in clips.items()} != c["clip"]["graphs"]:
        raise Refused("the graphs of the clip network are not those that were certified")
    made = computed(c, step, clips)
    for key in ("seed", "prime", "digests"):
        if c[key] != made[key]:
            raise Refused(f"its {key} is not what follows from what it is about: it was edited")
    if not made["bound"] <= c["bound"]:
        raise Refused(f"the probability of an error is up to {made['bound']:.1e}, and not {c['bound']:.1e}")
    return made


if __name__ == "__main__":
    try:
        said = json.loads(Path(sys.argv[1]).read_text())
        found = check(said, Path([*sys.argv, said["step"]["file"]][2]).read_bytes())
    except Exception as error:
        sys.exit(f"refused: {error if isinstance(error, Refused) else f'{type(error).__name__}: {error}'}")
    print(f"holds for {', '.join(found['digests'])} frames; P(wrong) <= 2^{math.ceil(math.log2(found['bound']))}")
