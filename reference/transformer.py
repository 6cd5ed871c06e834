"""Transformer encoder: attention mixes tokens, a two-layer perceptron works on each, both around a shortcut. `(B, T, E)`.

    attn(x) = multi-head attention of x to itself          ffn(x) = W2 act(W1 x + b1) + b2
    post-norm   x <- norm1(x + attn(x));  x <- norm2(x + ffn(x))            (`norm_first=False`)
    pre-norm    x <- x + attn(norm1(x));  x <- x + ffn(norm2(x))            (`norm_first=True`)

Sources: Vaswani et al., "Attention is all you need", NeurIPS 2017, section 3.1 (post-norm); Xiong et al., "On layer
normalization in the transformer architecture", ICML 2020 (pre-norm); Hedegaard, Bakhtiarnia & Iosifidis, "Continual
Transformers", ICLR 2023, section 3.3 (the encoder of mode "single").
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from coequal.reference.activation import Activation
from coequal.reference.attention import MultiheadAttention
from coequal.reference.layer import Array, Layer, Parameters, Shape, scope
from coequal.reference.linear import Linear
from coequal.reference.norm import LayerNorm
from coequal.reference.timing import Timing

ACTIVATIONS: dict[str, Layer] = {"relu": Activation("ReLU"), "gelu": Activation("GELU")}


@dataclass(frozen=True)
class TransformerEncoderLayer:
    """Attention and perceptron, parameters as in torch.nn.TransformerEncoderLayer with `batch_first=True`.

    `activation`: "relu", "gelu" or any elementwise layer. `mode`, `window`: as in MultiheadAttention; "single" returns only
    the tokens that have a whole window (the last of the clip, without a window). `attention_bias`: whether the attention's
    projections in and out have a bias, where that is not `bias`.
    """

    d_model: int
    nhead: int
    dim_feedforward: int = 2048
    activation: str | Layer = "relu"
    layer_norm_eps: float = 1e-5
    norm_first: bool = False
    bias: bool = True
    mode: str = "full"
    window: int | None = None
    attention_bias: tuple[bool, bool] | None = None

    def __post_init__(self) -> None:
        if isinstance(self.activation, str) and self.activation not in ACTIVATIONS:
            raise ValueError(
                f"TransformerEncoderLayer: activation is 'relu', 'gelu' or an Activation layer, got {self.activation!r}"
            )
        self.children  # noqa: B018  builds the attention, which checks heads, mode and window

    @property
    def self_attn(self) -> MultiheadAttention:
        """The attention inside."""
        bias, out_bias = (self.bias, None) if self.attention_bias is None else self.attention_bias
        return MultiheadAttention(self.d_model, self.nhead, bias, mode=self.mode, window=self.window, out_bias=out_bias)

    @property
    def children(self) -> dict[str, Layer]:
        """The layers inside, by the name that prefixes their parameters."""
        activation = ACTIVATIONS[self.activation] if isinstance(self.activation, str) else self.activation
        norm = LayerNorm((self.d_model,), eps=self.layer_norm_eps, bias=self.bias)
        return {
            "self_attn": self.self_attn,
            "linear1": Linear(self.d_model, self.dim_feedforward, self.bias),
            "linear2": Linear(self.dim_feedforward, self.d_model, self.bias),
            "norm1": norm,
            "norm2": norm,
            "activation": activation,
        }

    @property
    def time(self) -> int:
        """Axis 1 of `(B, T, E)`."""
        return 1

    @property
    def timing(self) -> Timing | None:
        """That of the attention: everything else works token by token."""
        return self.self_attn.timing

    def parameters(self) -> dict[str, Shape]:
        """`self_attn.*`, `linear1.*`, `linear2.*`, `norm1.*`, `norm2.*`."""
        return {f"{child}.{name}": s for child, layer in self.children.items() for name, s in layer.parameters().items()}

    def output_shape(self, shape: Shape) -> Shape:
        """`(B, T, E)`; fewer frames in mode "single"."""
        return self.self_attn.output_shape(shape)

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """The layer applied to tokens `(B, T, E)`."""

        def run(name: str, x: Array) -> Array:
            return self.children[name](scope(parameters, name), x)

        def perceptron(x: Array) -> Array:
            return run("linear2", run("activation", run("linear1", x)))

        kept = slice(clip.shape[1] - self.output_shape(clip.shape)[1], None)
        if self.norm_first:
            x = clip[:, kept] + run("self_attn", run("norm1", clip))
            return x + perceptron(run("norm2", x))
        x = run("norm1", clip[:, kept] + run("self_attn", clip))
        return run("norm2", x + perceptron(x))


@dataclass(frozen=True)
class TransformerEncoder:
    """`num_layers` layers like `layer`, each with its own parameters `layers.<i>.*`, and a last `norm.*` if asked for.

    Mode "single" returns the last token of each window `x[t - N + 1 .. t]` of the input: within the window, every layer
    but the last is in mode "full". In the modes "causal" and "sliding" the layers are simply stacked, so the receptive field
    of the latter grows by `window - 1` a layer.
    """

    layer: TransformerEncoderLayer
    num_layers: int
    norm: bool = False

    def __post_init__(self) -> None:
        if self.num_layers < 1:
            raise ValueError(f"TransformerEncoder: num_layers is at least 1, got {self.num_layers}")

    @property
    def children(self) -> dict[str, Layer]:
        """The layers inside, by the name that prefixes their parameters."""
        inner = dataclasses.replace(self.layer, mode="full") if self.layer.mode == "single" else self.layer
        stack = [inner] * (self.num_layers - 1) + [self.layer]
        children: dict[str, Layer] = {f"layers.{i}": layer for i, layer in enumerate(stack)}
        if self.norm:
            children["norm"] = LayerNorm((self.layer.d_model,), eps=self.layer.layer_norm_eps, bias=self.layer.bias)
        return children

    @property
    def time(self) -> int:
        """Axis 1 of `(B, T, E)`."""
        return 1

    @property
    def timing(self) -> Timing | None:
        """Composed over the layers where they are stacked; one window in the modes "full" and "single"."""
        timing = self.layer.timing
        if timing is None or self.layer.mode in ("full", "single"):
            return timing
        total = Timing()
        for _ in range(self.num_layers):
            total = total.then(timing)
        return total

    def parameters(self) -> dict[str, Shape]:
        """`layers.0.*` and so on, then `norm.*`."""
        return {f"{child}.{name}": s for child, layer in self.children.items() for name, s in layer.parameters().items()}

    def output_shape(self, shape: Shape) -> Shape:
        """`(B, T, E)`; fewer frames in mode "single"."""
        return self.layer.output_shape(shape)

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """The encoder applied to tokens `(B, T, E)`."""
        window, emitted = self.layer.window, self.output_shape(clip.shape)[1]
        if self.layer.mode != "single" or window is None or emitted == 1:
            return self._stacked(parameters, clip)
        ends = range(window, window + emitted)
        outputs = [self._stacked(parameters, clip[:, end - window : end]) for end in ends]
        return np.concatenate(outputs, axis=1) if outputs else clip[:, :0]

    def _stacked(self, parameters: Parameters, x: Array) -> Array:
        for name, child in self.children.items():
            x = child(scope(parameters, name), x)
        return x
