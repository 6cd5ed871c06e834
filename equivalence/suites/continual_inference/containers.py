"""Containers: `Sequential`, `BroadcastReduce`, `Residual`, `Conditional`, and parallel streams, of small parts."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from torch import nn

from coequal.equivalence.campaigns.families import family
from coequal.equivalence.suites.continual_inference.library import co
from coequal.equivalence.suites.continual_inference.ways import subject, ways
from coequal.subjects.subject import Subject

CHANNELS = 3
PARTS = {
    "conv": lambda: co.Conv1d(CHANNELS, CHANNELS, 3),
    "padded": lambda: co.Conv1d(CHANNELS, CHANNELS, 3, padding=1),
    "wide": lambda: co.Conv1d(CHANNELS, CHANNELS, 5, padding=2),
    "pointwise": lambda: co.Conv1d(CHANNELS, CHANNELS, 1),
    "causal": lambda: co.Conv1d(CHANNELS, CHANNELS, 3, padding=2),
    "strided": lambda: co.Conv1d(CHANNELS, CHANNELS, 3, stride=2),
    "strided, padded": lambda: co.Conv1d(CHANNELS, CHANNELS, 3, stride=2, padding=1),
    "pool": lambda: co.AvgPool1d(2, 1),
    "maximum": lambda: co.MaxPool1d(3, 1, padding=1),
    "linear": lambda: co.Linear(CHANNELS, CHANNELS, channel_dim=1),
    "norm": lambda: nn.BatchNorm1d(CHANNELS),
    "activation": nn.ReLU,
    "identity": co.Identity,
    "recurrent": lambda: co.GRU(CHANNELS, CHANNELS),
    "delay": lambda: co.Delay(2),
    "residual": lambda: co.Residual(co.Conv1d(CHANNELS, CHANNELS, 3, padding=1)),
    "nested": lambda: co.Sequential(co.Conv1d(CHANNELS, CHANNELS, 3, padding=1), nn.ReLU()),
}
STRIDED = ("strided", "strided, padded")
part = st.sampled_from(list(PARTS))
unstrided = st.sampled_from([name for name in PARTS if name not in STRIDED])
as_long = st.sampled_from([name for name in PARTS if name not in (*STRIDED, "conv", "causal", "pool")])  # as many frames
parts = st.lists(as_long, min_size=2, max_size=3) | st.lists(st.sampled_from(STRIDED[1:]), min_size=2, max_size=2)
REDUCTIONS = st.sampled_from(["sum", "concat", "mul", "max", "function"])


def _weighted(inputs: list[Any]) -> Any:
    return inputs[0] + 2 * inputs[1]


def _reduction(name: str) -> Any:
    return _weighted if name == "function" else name


def _part(name: str) -> nn.Module:
    """As it is: torch's modules are converted by whom they are handed to."""
    return PARTS[name]()


def _continual(name: str) -> nn.Module:
    """What streams, as the other containers want it."""
    return co.continual(PARTS[name]())


def _named(names: list[str], by_name: bool, make: Callable[[str], nn.Module]) -> tuple[Any, ...]:
    made = [make(name) for name in names]
    return (OrderedDict((f"part{i}", one) for i, one in enumerate(made)),) if by_name else tuple(made)


@family(parts=st.lists(part, min_size=1, max_size=4), by_name=st.booleans(), way=ways)
def sequential(parts: list[str], by_name: bool, way: str) -> Subject:
    """`Sequential`, of modules or of named ones."""
    return subject(lambda: co.Sequential(*_named(parts, by_name, _part)), 2, CHANNELS, 14, way=way)


@family(parts=parts, reduce=REDUCTIONS, auto_delay=st.booleans(), by_name=st.booleans(), way=ways)
def broadcast_reduce(parts: list[str], reduce: str, auto_delay: bool, by_name: bool, way: str) -> Subject:
    """`BroadcastReduce`; without `auto_delay`, of parts that have the same delay."""

    def build() -> nn.Module:
        made = co.BroadcastReduce(*_named(parts, by_name, _continual), reduce=_reduction(reduce), auto_delay=auto_delay)
        _same_delay(made, auto_delay)
        return made

    return subject(build, 2, CHANNELS, 14, way=way)


def _same_delay(container: Any, auto_delay: bool) -> None:
    if not auto_delay and len({int(one.delay) for one in container}) > 1:
        raise ValueError("by the documentation, parts of other delays need auto_delay")


@family(
    part=unstrided,
    temporal_fill=st.sampled_from([None, "zeros", "replicate"]),
    reduce=REDUCTIONS,
    residual_shrink=st.sampled_from([False, True, "centered", "lagging", "leading"]),
    way=ways,
)
def residual(part: str, temporal_fill: str | None, reduce: str, residual_shrink: bool | str, way: str) -> Subject:
    """`Residual`; where its part gives fewer frames than it takes, `residual_shrink` says which are left out."""

    def build() -> nn.Module:
        options = {"reduce": _reduction(reduce), "residual_shrink": residual_shrink}
        return co.Residual(_continual(part), temporal_fill, **options)

    return subject(build, 2, CHANNELS, 14, way=way)


def _always(module: nn.Module, x: Any) -> bool:
    return True


def _never(module: nn.Module, x: Any) -> bool:
    return False


def _training(module: nn.Module, x: Any) -> bool:
    return module.training


PREDICATES = {"always": _always, "never": _never, "training": _training}


@family(predicate=st.sampled_from(sorted(PREDICATES)), on_true=part, on_false=st.one_of(st.none(), part), way=ways)
def conditional(predicate: str, on_true: str, on_false: str | None, way: str) -> Subject:
    """`Conditional`, whose predicate does not change while a stream runs."""

    def build() -> nn.Module:
        other = None if on_false is None else PARTS[on_false]()
        return co.Conditional(PREDICATES[predicate], PARTS[on_true](), other)

    return subject(build, 2, CHANNELS, 14, way=way)


@family(
    parts=parts,
    dispatch=st.sampled_from([None, [1, 0], [0, 0], [0, 1, 1], [[0, 1], 1]]),
    reduce=REDUCTIONS,
    auto_delay=st.booleans(),
    way=ways,
)
def parallel(parts: list[str], dispatch: list[Any] | None, reduce: str, auto_delay: bool, way: str) -> Subject:
    """`Broadcast`, `Parallel`, `ParallelDispatch` and `Reduce` in a row; a group of streams is summed."""

    def build() -> nn.Module:
        streams = co.Parallel(*_named(parts, False, _continual), auto_delay=auto_delay)
        _same_delay(streams, auto_delay)
        layers = [co.Broadcast(), streams]
        if dispatch is not None:
            one = [co.Reduce("sum") if isinstance(to, list) else co.Identity() for to in dispatch]
            layers += [co.ParallelDispatch(dispatch), co.Parallel(*one)]
        return co.Sequential(*layers, co.Reduce(_reduction(reduce)))

    return subject(build, 2, CHANNELS, 14, way=way)
