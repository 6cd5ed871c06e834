"""`convert`: the continual twin of a tree of torch.nn modules, sharing the very same parameters.

Each class of torch.nn has a converter (`register` adds one for a class of yours). What cannot be streamed exactly with its
meaning is refused: the error names the layer by its path, says why, and what can be done.
"""

from __future__ import annotations

import copy
import functools
import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from coequal.continual import adaptive_pool, attention, clip_modules, conv, framewise, pool, position, recurrent, transformer
from coequal.continual.compose import Parallel, Residual, Sequential
from coequal.continual.framewise import DROPOUTS, ELEMENTWISE, FRAMEWISE, NORMS
from coequal.continual.pad import PADS
from coequal.continual.shift import TemporalShift
from coequal.continual.squeeze_excite import SqueezeExcite


class NotStreamable(ValueError):
    """A layer that no stream can compute exactly, or that is not known: which, why, and what can be done."""

    def __init__(self, path: str, module: nn.Module, reason: str, remedy: str) -> None:
        where = f"{path} ({type(module).__name__})" if path else type(module).__name__
        super().__init__(f"{where} cannot be streamed: {reason}; {remedy}")
        self.path, self.reason, self.remedy = path, reason, remedy


@dataclass(frozen=True)
class How:
    """What `convert` was asked for, and the path of the layer at hand."""

    window: int | None = None
    mode: str | None = None
    path: str = ""

    def at(self, name: str) -> How:
        """The same for a child."""
        return replace(self, path=f"{self.path}.{name}" if self.path else name)


def convert(module: nn.Module, *, window: int | None = None, mode: str | None = None) -> Any:
    """The continual twin of `module`, with the very same parameter objects, dtype, device and train/eval mode.

    `window` (frames) is for layers that need one: global and adaptive pooling in time, squeeze-and-excite over the clip,
    attention. `mode` chooses what attention emits: "retroactive" (the default), "single", "sliding" or "causal". The
    original is not changed. NotStreamable names a layer that cannot be streamed, why, and what can be done.
    """
    return _convert(module, How(window, mode))


@functools.singledispatch
def _convert(module: nn.Module, how: How) -> Any:
    raise NotStreamable(
        how.path, module, "it is of a class without a converter", "register one with coequal.continual.conversion.register"
    )


def register(kind: type) -> Callable:
    """Decorator: `converter(module, how) -> continual module` for a class of modules."""
    return _convert.register(kind)


def twin(module: nn.Module, kind: type, **changes: Any) -> Any:
    """`module` as an instance of `kind`, its subclass or sibling, with the same parameters and settings."""
    copied: Any = object.__new__(kind)
    copied.__dict__.update({name: copy.copy(v) if isinstance(v, dict) else v for name, v in module.__dict__.items()})
    copied.__dict__.update(changes)
    return copied


def _plainly(parents: dict[type, type], refusal: Callable[[Any, How], tuple[str, str] | None] | None = None) -> None:
    """Converters for classes whose twin is a subclass of the same name."""
    for parent, child in parents.items():

        @register(parent)
        def converter(module: Any, how: How, child: type = child) -> Any:
            refused = refusal(module, how) if refusal is not None else None
            if refused is not None:
                raise NotStreamable(how.path, module, *refused)
            return twin(module, child)


def _conv_refusal(module: Any, how: How) -> tuple[str, str] | None:
    if module.padding_mode == "circular" and module._reversed_padding_repeated_twice[-1]:
        return "circular padding in time shows the end of a clip at its start", "use another padding mode in time"
    return None


def _max_refusal(module: Any, how: How) -> tuple[str, str] | None:
    if module.return_indices:
        return "indices count elements of the whole clip", "leave return_indices out"
    return None


def _train_refusal(module: Any, how: How) -> tuple[str, str] | None:
    if module.training and getattr(module, "p", 1.0):
        return "in train mode its output is random", "call .eval() first"
    return None


def _batch_refusal(module: Any, how: How) -> tuple[str, str] | None:
    if module.running_mean is None:
        return "its statistics are those of the whole clip", "track running statistics, and call .eval()"
    if module.training:
        return "in train mode its statistics are those of the whole batch and clip", "call .eval() first"
    return None


def _recurrent_refusal(module: Any, how: How) -> tuple[str, str] | None:
    if module.bidirectional:
        return "the backward direction starts at the end of the clip", "use one direction"
    if module.training and module.dropout and module.num_layers > 1:
        return "dropout between its layers is random in train mode", "call .eval() first"
    return None


def _softmax_refusal(module: Any, how: How) -> tuple[str, str] | None:
    if module.dim is None or module.dim < 0:
        return f"dim {module.dim} may be time", "count the axis from the start of the clip: 1 for channels"
    if module.dim == 2:
        return "softmax over time needs the whole clip", "take it over another axis"
    return None


def _always(reason: str, remedy: str) -> Callable[[Any, How], tuple[str, str]]:
    return lambda module, how: (reason, remedy)


_plainly({getattr(nn, kind.__name__): kind for kind in (conv.Conv1d, conv.Conv2d, conv.Conv3d)}, _conv_refusal)
_plainly({getattr(nn, kind.__name__): kind for kind in pool.POOLS if "Avg" in kind.__name__})
_plainly({getattr(nn, kind.__name__): kind for kind in pool.POOLS if "Max" in kind.__name__}, _max_refusal)
_plainly({getattr(nn, name): kind for name, kind in PADS.items()})
OTHERS = ["PReLU", "Identity", "LayerNorm", "RMSNorm", "Linear", "Embedding"]
_plainly({getattr(nn, name): FRAMEWISE[name] for name in [*ELEMENTWISE, *OTHERS]})
_plainly({getattr(nn, name): FRAMEWISE[name] for name in DROPOUTS}, _train_refusal)
_plainly({nn.RReLU: FRAMEWISE["RReLU"]}, _train_refusal)
_plainly({getattr(nn, name): FRAMEWISE[name] for name in NORMS}, _batch_refusal)
_plainly({clip_modules.BatchNorm: framewise.BatchNorm, clip_modules.InstanceNorm: framewise.InstanceNorm}, _batch_refusal)
_plainly({nn.Softmax: FRAMEWISE["Softmax"], nn.LogSoftmax: FRAMEWISE["LogSoftmax"]}, _softmax_refusal)
_plainly({getattr(nn, kind.__name__): kind for kind in recurrent.RECURRENT}, _recurrent_refusal)
_plainly({clip_modules.TemporalShift: TemporalShift})
_plainly(
    dict.fromkeys((clip_modules.SelectFrames, clip_modules.Pathways), nn.Identity),
    _always("its slow frames are spread over the whole clip, others in every window", "take every alpha-th frame instead"),
)
_plainly(
    {clip_modules.AppendToken: nn.Identity, clip_modules.QueryDecoder: nn.Identity},
    _always("it stands at the end of the clip, and starts anew for every window", "read the newest token of an encoder"),
)
_plainly(
    {nn.GroupNorm: nn.GroupNorm},
    _always("its mean and variance are those of the whole clip", "use batch norm, or normalise each frame by itself"),
)


@register(nn.Sequential)
def _(module: nn.Sequential, how: How) -> Sequential:
    children = {name: _convert(child, how.at(name)) for name, child in module.named_children()}
    parts = list(children.values())
    for before, after in itertools.pairwise(parts):
        if type(before).__name__ in PADS and before.mode == "constant" and isinstance(after, conv._Conv):
            before.absent = before.value == 0 and after.geometry.start == 0
    return _agreeing(twin(module, Sequential, _modules=children), how)


@register(clip_modules.Residual)
@register(clip_modules.Parallel)
def _(module: clip_modules.SideBySide, how: How) -> Any:
    children = {name: _convert(child, how.at(name)) for name, child in module.named_children()}
    kind = Residual if isinstance(module, clip_modules.Residual) else Parallel
    made = _agreeing(twin(module, kind, _modules=children), how)
    strides = {name: child.timing.stride for name, child in children.items()}
    if len(set(strides.values())) > 1:
        raise NotStreamable(
            how.path, module, f"its branches have different strides in time, {strides}", "make them the same"
        )
    return made


def _agreeing(made: Any, how: How) -> Any:
    """The container, once its layers agree on the time axis."""
    try:
        made.time  # noqa: B018
    except ValueError as error:
        raise NotStreamable(how.path, made, str(error), "transpose between them") from None
    return made


for _encoding in (
    position.SinusoidalEncoding,
    position.LearnedEncoding,
    position.RecyclingEncoding,
    position.RotaryEncoding,
):
    _plainly({_encoding: _encoding})  # the same class serves clips and streams

ADAPTIVE = [kind for kind in vars(adaptive_pool).values() if isinstance(kind, type) and kind.__name__.startswith("Adaptive")]


def _adaptive(module: Any, how: How) -> Any:
    kind = getattr(adaptive_pool, type(module).__name__)
    made = twin(module, kind)
    size = made._sizes[0]
    if size is None:
        return made
    if size != 1:
        raise NotStreamable(how.path, module, f"it makes {size} frames of any clip", "use output size 1 in time, or None")
    return twin(module, kind, frames=_needed(module, how, "its mean or maximum is that of the whole clip"))


for _kind in ADAPTIVE:
    register(getattr(nn, _kind.__name__))(_adaptive)


def _needed(module: Any, how: How, reason: str) -> int:
    if how.window is None:
        raise NotStreamable(
            how.path, module, reason, "give a window: convert(module, window=N) takes that of the last N frames"
        )
    return how.window


@register(clip_modules.GlobalPool)
def _(module: clip_modules.GlobalPool, how: How) -> Any:
    frames = module.frames or _needed(module, how, "it needs the whole clip")
    kind = adaptive_pool.GlobalAvgPool if module.reduce == "mean" else adaptive_pool.GlobalMaxPool
    return twin(module, kind, frames=frames)


@register(clip_modules.SqueezeExcite)
def _(module: clip_modules.SqueezeExcite, how: How) -> Any:
    children = {name: _convert(child, how.at(name)) for name, child in module.named_children()}
    if module.scope != "clip":
        return twin(module, SqueezeExcite, _modules=children)
    frames = _needed(module, how, "its gates come from the whole clip")
    return twin(module, SqueezeExcite, _modules=children, scope="window", frames=frames)


@register(nn.MultiheadAttention)
def _(module: nn.MultiheadAttention, how: How) -> Any:
    mode = how.mode or getattr(module, "mode", None) or "retroactive"
    window = how.window if how.window is not None else getattr(module, "frames", None)
    if module.training and module.dropout:
        raise NotStreamable(how.path, module, "dropout is random in train mode", "call .eval() first")
    refused = attention.refusal(module)
    if refused is not None:
        raise NotStreamable(how.path, module, *refused)
    if window is None and mode != "causal":
        _needed(module, how, "every token attends to the whole clip")
    return attention.attention_of(mode).of(module, window)


@register(nn.TransformerEncoderLayer)
@register(nn.TransformerEncoder)
def _(module: Any, how: How) -> Any:
    layer: Any = module.layers[0] if isinstance(module, nn.TransformerEncoder) else module
    mode = how.mode or getattr(module, "mode", None) or "retroactive"
    window = how.window if how.window is not None else getattr(module, "frames", None)
    if layer.training and layer.dropout.p:
        raise NotStreamable(how.path, module, "dropout is random in train mode", "call .eval() first")
    refused = attention.refusal(layer.self_attn)
    if refused is not None:
        raise NotStreamable(how.path, module, *refused)
    if window is None and mode != "causal":
        _needed(module, how, "every token attends to the whole clip")
    kind: Any = (
        transformer.TransformerEncoder if isinstance(module, nn.TransformerEncoder) else transformer.TransformerEncoderLayer
    )
    return kind.of(module, mode=mode, window=window)
