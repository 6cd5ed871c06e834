"""Layers: one call on all frames, against calls on some of them that hand the state on."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import torch
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from coequal.equivalence.campaigns.families import family
from coequal.subjects.adapters import torch_recurrent as adapter
from coequal.subjects.adapters.carried import Carried
from coequal.subjects.subject import Subject

Tensor = torch.Tensor
Call = Callable[..., Any]  # (frames, state) -> (output, state), as a layer's
DTYPES = st.sampled_from([torch.float32, torch.float64, torch.float32, torch.float64, torch.bfloat16, torch.float16])
SIZES: dict[str, Any] = {
    **{"kind": st.sampled_from(["RNN", "LSTM", "GRU"]), "input_size": st.integers(1, 3), "hidden_size": st.integers(1, 4)},
    **{"num_layers": st.integers(1, 3), "bias": st.booleans(), "nonlinearity": st.sampled_from(["tanh", "relu"])},
    **{"dtype": DTYPES},
}
COMMON: dict[str, Any] = SIZES | {"proj_size": st.sampled_from([0, 0, 1, 2])}


def layer_of(
    kind: str,
    input_size: int,
    hidden_size: int,
    *,
    nonlinearity: str,
    dtype: torch.dtype,
    proj_size: int = 0,
    **options: Any,
) -> Any:
    """A layer in eval mode: an `RNN` with the nonlinearity, an `LSTM` with the projection, which the others do not take."""
    options |= {"nonlinearity": nonlinearity} if kind == "RNN" else {}
    options |= {"proj_size": proj_size} if kind == "LSTM" and proj_size else {}
    return getattr(nn, kind)(input_size, hidden_size, **options).to(dtype).eval()


def packed(layer: Any) -> Call:
    """A layer on a packed sequence, all rows of which are as long as the clip."""

    def call(frames: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        time = 1 if layer.batch_first else 0
        lengths = torch.full((frames.shape[1 - time],), frames.shape[time])
        sequence = pack_padded_sequence(frames, lengths, batch_first=layer.batch_first)
        output, state = layer(sequence, state)
        return pad_packed_sequence(output, batch_first=layer.batch_first)[0], state

    return call


def loaded(layer: Any) -> Any:
    """Another layer of the same settings, with its `state_dict`."""
    settings = {name: getattr(layer, name) for name in ("num_layers", "bias", "batch_first", "dropout")}
    settings |= {"nonlinearity": layer.nonlinearity} if isinstance(layer, nn.RNN) else {}
    settings |= {"proj_size": layer.proj_size} if isinstance(layer, nn.LSTM) else {}
    weight = next(layer.parameters())
    other = type(layer)(layer.input_size, layer.hidden_size, **settings).to(weight.dtype)
    other.load_state_dict(layer.state_dict())
    return other.eval()


STREAMS: dict[str, Callable[[Any], Call]] = {
    **{"layer": lambda layer: layer, "packed": packed, "deepcopy": copy.deepcopy},
    **{"pickle": lambda layer: pickle.loads(pickle.dumps(layer)), "state_dict": loaded},
}
CLIPS: dict[str, Callable[[Any], Call]] = {"layer": lambda layer: layer, "packed": packed}
COPIES = ("deepcopy", "pickle", "state_dict")  # what is loaded later does not reach them


@family(
    **COMMON,
    dropout=st.sampled_from([0.0, 0.5]),
    batch_first=st.booleans(),
    bidirectional=st.sampled_from([False] * 7 + [True]),
    begin=st.sampled_from(["zeros", "given"]),
    clip=st.sampled_from(list(CLIPS)),
    stream=st.sampled_from(list(STREAMS)),
)
def layers(dtype: torch.dtype, begin: str, clip: str, stream: str, **options: Any) -> Subject:
    """`RNN`, `LSTM`, `GRU`; dropout does nothing in eval mode.

    `begin`: without a state, or with one; `clip` and `stream`: how each calls the layer. Two directions are refused: the
    last frame is read first.
    """
    layer = layer_of(dtype=dtype, **options)
    shape = adapter.shape(layer)
    first = _states(layer) if begin == "given" else None
    rows = 1 - int(layer.batch_first)

    def state(frames: Tensor) -> Any:
        if first is None:
            return None
        given = [one.to(frames.dtype).expand(-1, frames.shape[rows], -1).contiguous() for one in first]
        return tuple(given) if len(given) > 1 else given[0]

    fields: dict[str, Any] = {"allow": ("reload",)} if stream in COPIES else {}
    made = adapter.subject(layer, torch.randn(*shape, dtype=dtype), **fields)
    if clip != "layer" or first is not None:
        whole = CLIPS[clip](layer)
        made.clip, made.clip_state = lambda x: whole(x, state(x))[0], None
    if stream != "layer" or first is not None:
        time = int(layer.batch_first)
        made.stream = lambda: Carried(_begun(STREAMS[stream](layer), state), time)
    return made


def _states(layer: Any) -> list[Tensor]:
    """A state for one row: of an LSTM the output and the cell."""
    sizes = [layer.proj_size or layer.hidden_size, layer.hidden_size][: 1 + isinstance(layer, nn.LSTM)]
    return [torch.randn(layer.num_layers, 1, size) for size in sizes]


def _begun(call: Call, state: Callable[[Tensor], Any]) -> Call:
    """With the first state."""
    return lambda frames, before: call(frames, state(frames) if before is None else before)


@family(**COMMON)
def without_rows(input_size: int, dtype: torch.dtype, **options: Any) -> Subject:
    """The same on clips `(T, C)`, which have no axis of rows."""
    layer = layer_of(input_size=input_size, dtype=dtype, **options)
    example = torch.randn(8, input_size, dtype=dtype)
    axes: dict[str, Any] = {"time": 0, "batch": None}
    stream = lambda: Carried(layer, 0)  # noqa: E731
    return Subject(clip=lambda x: layer(x)[0], stream=stream, example=example, modules=layer, **axes)
