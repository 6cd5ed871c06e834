"""`check --exact`: reference = torch = continual over a field, proved on random architectures, operator by operator.

Weights and clip are variables. The NumPy reference runs through the NumPy front end, the torch module and the converted one,
a frame at a time, through the torch front end; all outputs must agree in all residues. Window-mode operators are compared
window by window. What the reference's formulas are taken for as a whole is listed (`numpy_frontend/primitives.py`), and
compared in floating point on the same architecture.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import Any

import torch

from coequal.continual.conversion import convert
from coequal.continual.module import Stream
from coequal.equivalence.campaigns import agree, contents
from coequal.equivalence.campaigns.agree import Disagreement
from coequal.equivalence.campaigns.contents import Architecture
from coequal.equivalence.compare.field import REDRAWS, Draw
from coequal.equivalence.prove.decide import BOUND
from coequal.equivalence.prove.readings import HOMOMORPHISM, MANY
from coequal.proofs.field.arithmetic import Field
from coequal.proofs.field.errors import NotDecided, Redraw
from coequal.proofs.field.numpy_frontend.array import FieldArray
from coequal.proofs.field.numpy_frontend.primitives import SOFTMAX, taken
from coequal.proofs.field.torch_frontend.dispatch import Exact
from coequal.reference import softmax
from coequal.reference.activation import Activation

Tensor = torch.Tensor
PRIMES = 4  # of a draw


class _Apart(Disagreement):
    """Over this field. `exponentials` were taken: there may be an identity of theirs that a free function does not know."""

    def __init__(self, text: str, *, exponentials: bool = False) -> None:
        super().__init__(text)
        self.exponentials = exponentials


@dataclass(frozen=True)
class Proof:
    """That the three programs are equal on one architecture.

    `wrong`: the probability that they differ all the same. `given`: functions of the reference that were taken as primitive.
    `by_definition`: nothing else stands in the reference, so that reference = torch was compared in floating point alone.
    """

    wrong: float
    primes: tuple[int, ...]
    draws: int
    assumptions: tuple[str, ...]
    given: tuple[str, ...]
    by_definition: bool


def prove(architecture: Architecture, seed: int, *, bound: float = BOUND, primes: int = PRIMES) -> Proof:
    """Disagreement unless reference, torch and continual are one function; NotDecided for what has no meaning over a field.

    `primes` of a draw: of a deep network more of them save a second draw.
    Where exponentials are taken and something differs, the same is tried with exponentials that turn sums into products.
    """
    try:
        return _proved(architecture, seed, Draw(seed, count=primes), bound)
    except _Apart as apart:
        if not apart.exponentials:
            raise
    try:
        return _proved(architecture, seed, Draw(seed, count=2 * MANY, levels=2), bound)
    except _Apart as apart:
        agree.agree(architecture, seed)
        raise NotDecided(f"{apart}, over a field; in floating point they agree") from None


def _proved(architecture: Architecture, seed: int, draw: Draw, bound: float) -> Proof:
    """Draws until the bound is good enough."""
    wrong, primes = 1.0, tuple[int, ...]()
    assumptions, given = dict[str, str](), set[str]()
    draws = 0
    for _ in range(REDRAWS):
        run = _Run(architecture, seed, draw.field())
        try:
            given |= run.compare()
        except _Apart as apart:
            exponentials = "exp" in run.functions | run.exact.field.account.used
            raise _Apart(str(apart), exponentials=exponentials) from None
        except Redraw as redraw:
            draw = draw.after(redraw)
            continue
        field = run.exact.field
        draws, wrong, primes, assumptions = (
            draws + 1,
            wrong * field.wrong,
            primes + field.primes,
            assumptions | field.account.assumptions,
        )
        if wrong <= bound:
            break
        draw = replace(draw, seed=draw.seed + 7919)
    else:
        raise NotDecided(f"after {REDRAWS} draws, {draws} of them complete, the bound is {wrong:.1e}, above {bound:.1e}")
    listed = (*assumptions.values(), *((HOMOMORPHISM,) if draw.levels > 1 else ()))
    wrong += _justified(architecture, seed, given, bound)
    alone = isinstance(architecture.layer, Activation) and bool(given)
    return Proof(min(1.0, wrong), primes, draws, listed, tuple(sorted(given)), alone)


def _justified(architecture: Architecture, seed: int, given: set[str], bound: float) -> float:
    """What is taken as primitive is so rightly: softmax by proof, all else in floating point. Adds to the bound."""
    if given - {SOFTMAX}:
        agree.agree(architecture, seed)
    return shift_cancels(bound) if SOFTMAX in given else 0.0


@functools.lru_cache(maxsize=8)
def shift_cancels(bound: float = BOUND) -> float:
    """The reference's softmax, shifted by its maximum, is softmax: proved with an exponential that turns sums into products.

    Disagreement otherwise; the probability that it is not so all the same.
    """
    wrong = 1.0
    for attempt in range(REDRAWS):
        exact = Exact(Draw(attempt, count=MANY, levels=2).field())
        scores = exact.store.symbols.fresh(torch.empty(3, 5, 4, dtype=torch.float64))
        mask = torch.zeros(5, 4, dtype=torch.float64).masked_fill(torch.ones(5, 4).tril(-2).bool(), -torch.inf)
        try:
            with exact.running():
                for row in (scores, scores + mask):
                    for axis in (-1, 1):
                        got = softmax.softmax(FieldArray(row, exact), axis).tensor
                        _same(exact, "softmax shifted by its maximum", got, torch.softmax(row, axis), "softmax")
        except Redraw:
            continue
        wrong *= exact.field.wrong
        if wrong <= bound:
            return wrong
    raise NotDecided(f"after {REDRAWS} draws the bound for softmax is {wrong:.1e}, above {bound:.1e}")


class _Run:
    """One draw: variables in the places of weights and clip."""

    def __init__(self, architecture: Architecture, seed: int, field: Field) -> None:
        self.architecture, self.seed = architecture, seed
        self.exact = Exact(field)
        self.functions: set[object] = set()  # free functions that were applied by programs that are done

    def compare(self) -> set[str]:
        """Disagreement unless the three agree; the functions of the reference that were taken as primitive."""
        with taken() as used, self.exact.running():
            layer = self.architecture.layer
            regular = contents.twin(layer, contents.weights(layer, self.seed))
            parameters = {name: self._variable(tensor) for name, tensor in regular.state_dict().items()}
            x = self._clip()
            reference = functools.partial(self._reference, parameters)
            expected = reference(x)
            _same(self.exact, "torch", regular(x), expected)
            if layer.timing is not None:
                self._stream(regular, x, reference, expected)
        return used

    def _next_program(self) -> None:
        """What a program used is noted for each by itself."""
        self.functions |= self.exact.field.account.used
        self.exact.field.account.used_by(set())

    def _variable(self, tensor: Tensor) -> Any:
        """A weight becomes variables, in the module itself; the reference's view of it."""
        if not tensor.is_floating_point():
            return tensor.numpy()
        tensor.copy_(self.exact.store.symbols.fresh(tensor))
        return FieldArray(tensor, self.exact)

    def _clip(self) -> Tensor:
        clip = torch.as_tensor(contents.clip(self.architecture, self.seed))
        if clip.is_floating_point():
            return self.exact.store.symbols.fresh(clip)
        self.exact.field.account.assume("tokens", "tokens are those drawn: they only look up rows of tables")
        return self.exact.mark_integers(clip)

    def _reference(self, parameters: dict[str, Any], x: Tensor) -> Tensor:
        clip: Any = FieldArray(x, self.exact) if x.is_floating_point() else x.numpy()
        return self.architecture.layer(parameters, clip).tensor

    def _stream(self, regular: torch.nn.Module, x: Tensor, reference: Any, expected: Tensor) -> None:
        """The converted module, a frame at a time and flushed, against the reference's frames, or windows."""
        layer, window = self.architecture.layer, self.architecture.window
        axis = 2 if layer.time is None else layer.time
        self._next_program()
        stream = Stream(convert(regular, window=window))
        steps = [stream.push(frame.clone()) for frame in x.unbind(axis)]
        if window is not None:
            self._windows(regular, x, reference, steps, window)
            return
        frames = [frame for frame in steps if frame is not None] + stream.flush()
        wanted = expected.unbind(axis)
        if len(frames) != len(wanted):
            raise Disagreement(f"the stream emits {len(frames)} frames, the reference {len(wanted)}")
        for j, (got, want) in enumerate(zip(frames, wanted, strict=True)):
            _same(self.exact, f"the stream's frame {j}", got, want)

    def _windows(self, regular: torch.nn.Module, x: Tensor, reference: Any, steps: list, window: int) -> None:
        for t, got in enumerate(steps):
            if (got is None) != (t + 1 < window):
                emits = "nothing" if got is None else "a window"
                raise Disagreement(f"the stream emits {emits} at frame {t}; its window is {window} frames")
            if got is not None:
                clip = x[:, t + 1 - window : t + 1]
                want = reference(clip)
                _same(self.exact, f"torch on the window at frame {t}", regular(clip), want)
                _same(self.exact, f"the stream's window at frame {t}", got, want)


def _same(exact: Exact, who: str, got: Tensor, expected: Tensor, other: str = "the reference") -> None:
    if got.shape != expected.shape:
        raise Disagreement(f"{who} gives shape {tuple(got.shape)}, {other} {tuple(expected.shape)}")
    apart = ~exact.same(got, expected)
    if bool(apart.any()):
        at = tuple(int(i) for i in apart.nonzero()[0])
        count = int(apart.sum())
        text = f"{who} is not the function that {other} is: first at {at}, {count} of {apart.numel()} elements differ"
        raise _Apart(text)
