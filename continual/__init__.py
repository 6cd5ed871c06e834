"""The operators of `coequal.reference` in PyTorch, a frame at a time, weight-compatible with torch.nn.

    from coequal import continual
    streaming = continual.convert(network)       # the continual twin of a torch.nn network, with its very parameters
    stream = continual.Stream(streaming)         # push, flush, reset, fork

Every layer has its torch.nn name (`continual.Conv3d`). A public name is fetched where it lives when it is first used.

Layering rule: this package imports `coequal.reference`, torch and the standard library.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

# module -> its public names
_HOMES = {
    "adaptive_pool": (
        *("AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d", "AdaptiveMaxPool1d", "AdaptiveMaxPool2d"),
        *("AdaptiveMaxPool3d", "GlobalAvgPool", "GlobalMaxPool"),
    ),
    "attention": (
        *("CausalMultiheadAttention", "RetroactiveMultiheadAttention", "SingleOutputMultiheadAttention"),
        "SlidingMultiheadAttention",
    ),
    "to_torch": ("regular",),
    "compose": ("Parallel", "Residual", "Sequential"),
    "conv": ("Conv1d", "Conv2d", "Conv3d"),
    "conversion": ("How", "NotStreamable", "convert", "register", "twin"),
    "framewise": ("BatchNorm", "InstanceNorm"),
    "module": ("Continual", "Stream"),
    "pool": ("AvgPool1d", "AvgPool2d", "AvgPool3d", "MaxPool1d", "MaxPool2d", "MaxPool3d"),
    "position": ("LearnedEncoding", "RecyclingEncoding", "RotaryEncoding", "SinusoidalEncoding"),
    "recurrent": ("GRU", "LSTM", "RNN"),
    "shift": ("TemporalShift",),
    "squeeze_excite": ("SqueezeExcite",),
    "transformer": ("TransformerEncoder", "TransformerEncoderLayer"),
}

__all__ = sorted(name for names in _HOMES.values() for name in names)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    """Fetch a public name where it lives, once."""
    home = next((module for module, names in _HOMES.items() if name in names), None)
    if home is None:
        raise AttributeError(f"module 'coequal.continual' has no attribute {name!r}; public names: {', '.join(__all__)}")
    globals()[name] = getattr(import_module(f"coequal.continual.{home}"), name)
    return globals()[name]


def __dir__() -> list[str]:
    """The public names, fetched or not."""
    return sorted({*globals(), *__all__})
