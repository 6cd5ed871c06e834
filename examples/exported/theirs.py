"""Steps of modules of other packages, and of an encoder, as files.

`python -P theirs.py cached_conv FOLDER` writes `cached_conv.onnx` and `cached_conv.pt2` there.

Each function gives the clip network and an example; `coequal verify cached_conv.onnx --clip theirs.py:cached_conv`. Tiny,
random weights, nothing is downloaded. The packages are those of [examples/real](../real); torch.onnx needs onnxscript.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

Tensor = torch.Tensor
Pair = tuple[nn.Module, Tensor]
STEPS: dict[str, Callable[[], tuple[nn.Module, dict[str, Tensor]]]] = {}  # a step, a frame and the states before the first


def step(make: Callable[[], tuple[nn.Module, dict[str, Tensor]]]) -> Callable[[], tuple[nn.Module, dict[str, Tensor]]]:
    """Register the step of the clip network of that name."""
    STEPS[make.__name__.removesuffix("_step")] = make
    return make


class Last(nn.Module):
    """A layer of attention over the last four tokens, and a linear one."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.query, self.key, self.value, self.out = (nn.Linear(6, 6) for _ in range(4))
        self.norm, self.up, self.down = nn.LayerNorm(6), nn.Linear(6, 12), nn.Linear(12, 6)

    def attended(self, x: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None) -> Tensor:
        """Of queries and keys (B, T, 6), in two heads."""
        q, k, v = (y.unflatten(2, (2, 3)).transpose(1, 2) for y in (self.query(x), keys, values))
        scores = q @ k.transpose(2, 3) / 3**0.5
        scores = scores if mask is None else scores.masked_fill(mask, float("-inf"))
        x = self.norm(x + self.out((scores.softmax(3) @ v).transpose(1, 2).flatten(2)))
        return x + self.down(torch.relu(self.up(x)))

    def forward(self, x: Tensor) -> Tensor:
        """A clip (B, T, 6); the tokens that see four are (B, T - 3, 6)."""
        age = torch.arange(x.shape[1])[:, None] - torch.arange(x.shape[1])
        return self.attended(x, self.key(x), self.value(x), (age < 0) | (age > 3))[:, 3:]


def encoder() -> Pair:
    """A layer of a transformer whose attention slides over the last four tokens; three emissions stand for no token."""
    return Last().eval(), torch.randn(2, 9, 6)


@step
def encoder_step() -> tuple[nn.Module, dict[str, Tensor]]:
    """Keys and values of the last three tokens go in and come out."""

    class Step(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = encoder()[0]

        def forward(self, frame: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            x = frame[:, None]
            keys, values = torch.cat([keys, self.net.key(x)], 1), torch.cat([values, self.net.value(x)], 1)
            return self.net.attended(x, keys, values)[:, 0], keys[:, 1:], values[:, 1:]

    return Step(), {"frame": torch.randn(2, 6), "keys": torch.zeros(2, 3, 6), "values": torch.zeros(2, 3, 6)}


def pytorch_tcn() -> Pair:
    """Two dilated residual blocks."""
    from pytorch_tcn import TCN

    torch.manual_seed(0)
    net = TCN(2, [4, 4], kernel_size=3, causal=True, dropout=0.0, use_norm=None, use_skip_connections=False)
    return net.eval(), torch.randn(1, 2, 12)


@step
def pytorch_tcn_step() -> tuple[nn.Module, dict[str, Tensor]]:
    """The package's own inference: the past of each convolution is a buffer that it writes to, for one row."""
    net = pytorch_tcn()[0]

    class Step(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = net

        def forward(self, frame: Tensor) -> Tensor:
            return self.net(frame[..., None], inference=True)[..., 0]

    net.reset_buffers()
    return Step(), {"frame": torch.randn(1, 2)}


def cached_conv() -> Pair:
    """Two convolutions of cached-conv, and an activation between them."""
    import cached_conv as cc

    torch.manual_seed(0)
    cc.use_cached_conv(False)
    return nn.Sequential(
        cc.Conv1d(2, 4, 3, padding=(2, 0)), nn.Tanh(), cc.Conv1d(4, 3, 3, padding=(2, 0))
    ).eval(), torch.randn(1, 2, 12)


@step
def cached_conv_step() -> tuple[nn.Module, dict[str, Tensor]]:
    """The cached form of the same; its caches are buffers that it writes to, for one row."""
    import cached_conv as cc

    plain = cached_conv()[0]
    cc.use_cached_conv(True)
    net = nn.Sequential(cc.Conv1d(2, 4, 3, padding=(2, 0)), nn.Tanh(), cc.Conv1d(4, 3, 3, padding=(2, 0))).eval()
    cc.use_cached_conv(False)
    weights = [p.detach() for p in plain.parameters()]
    for mine, theirs in zip(net.parameters(), weights, strict=True):
        mine.data.copy_(theirs)

    class Step(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = net

        def forward(self, frame: Tensor) -> Tensor:
            return self.net(frame[..., None])[..., 0]

    made = Step()
    made(torch.zeros(1, 2))  # the caches are made by the first call
    for cache in made.buffers():
        cache.zero_()
    return made, {"frame": torch.randn(1, 2)}


def continual_inference() -> Pair:
    """Two continual convolutions of continual-inference."""
    import continual as co

    torch.manual_seed(0)
    return co.Sequential(co.Conv1d(2, 4, 3), nn.ReLU(), co.Conv1d(4, 3, 3)).eval(), torch.randn(2, 2, 12)


@step
def continual_inference_step() -> tuple[nn.Module, dict[str, Tensor]]:
    """What the package's `_forward_step` does with a ring buffer, with the ring in order: the package's index is a number of
    Python, which no file holds, so that the last frames go in and come out instead."""
    net: Any = continual_inference()[0]
    first, last = (module for module in net.modules() if hasattr(module, "kernel_size"))

    class Step(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = first, last

        def forward(self, frame: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            x = torch.cat([a, frame[..., None]], 2)
            y = torch.cat([b, torch.relu(nn.functional.conv1d(x, self.first.weight, self.first.bias))], 2)
            return nn.functional.conv1d(y, self.last.weight, self.last.bias)[..., 0], x[..., 1:], y[..., 1:]

    return Step(), {"frame": torch.randn(2, 2), "a": torch.zeros(2, 2, 2), "b": torch.zeros(2, 4, 2)}


CAPACITY = 64  # frames of the static cache


def llama() -> Pair:
    """A decoder of transformers with a linear layer in place of its tokens: (B, T, 8) -> (B, T, 8)."""
    from transformers import LlamaConfig, LlamaModel

    torch.manual_seed(0)
    sizes = {"hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 4}
    model = LlamaModel(LlamaConfig(**sizes, max_position_embeddings=CAPACITY, attn_implementation="eager")).eval()

    class Clip(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, x: Tensor) -> Tensor:
            return self.model(inputs_embeds=x, use_cache=False).last_hidden_state

    return Clip().eval(), torch.randn(1, 7, 8)


@step
def llama_step() -> tuple[nn.Module, dict[str, Tensor]]:
    """One token against a static cache: keys and values have room for all tokens, and the position is a state."""
    from transformers import StaticCache

    model: Any = llama()[0].model

    class Step(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, frame: Tensor, keys: Tensor, values: Tensor, position: Tensor) -> tuple[Tensor, ...]:
            cache = StaticCache(config=model.config, max_cache_len=CAPACITY)
            cache.early_initialization(1, 2, 4, frame.dtype, frame.device)
            layer = cache.layers[0]
            layer.keys, layer.values = keys.clone(), values.clone()
            layer.cumulative_length = position.clone()
            output = model(inputs_embeds=frame[:, None], past_key_values=cache, position_ids=position[None])
            return output.last_hidden_state[:, 0], layer.keys, layer.values, position + 1

    empty = torch.zeros(1, 2, CAPACITY, 4)
    return Step(), {
        "frame": torch.randn(1, 8),
        "keys": empty,
        "values": empty.clone(),
        "position": torch.zeros(1, dtype=torch.int64),
    }


def write(name: str, folder: Path) -> None:
    """The step of that name as a program of torch.export, and as a file of ONNX by torch.onnx."""
    module, ports = STEPS[name]()
    program = torch.export.export(module.eval(), tuple(ports.values()))
    torch.export.save(program, str(folder / f"{name}.pt2"))
    names = [*ports]
    outputs = ["output", *(f"{state}_out" for state in names[1:])]
    options: dict[str, Any] = {"input_names": names, "output_names": outputs, "dynamo": True, "external_data": False}
    torch.onnx.export(module, tuple(ports.values()), str(folder / f"{name}.onnx"), **options)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    write(sys.argv[1], Path(sys.argv[2]))
