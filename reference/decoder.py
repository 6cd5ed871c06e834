"""Decoder: learned queries ask the tokens of a clip what comes next, and both answer together. Tokens `x (B, T, E)`.

    z      <- q                                                    Q learned queries
    z      <- norm1(z + attention of z to itself, causal)          each layer: post-norm, as in a transformer decoder
    z      <- norm2(z + attention of z to x)
    z      <- norm3(z + W2 act(W1 z + b1) + b2)
    z      <- norm(z)                                              after the last layer
    y[0]   =  W (x[T-1] ++ mean_j z[j]) + b                        what the clip ends with: `++` puts features together
    y[1+j] =  V z[j] + c                                           what query j foresees

Every query looks at the whole clip, and answers anew for every window: nothing is reused from one to the next.
Shapes: y `(B, 1 + Q, C)` for C classes.
Sources: Vaswani et al., "Attention is all you need", NeurIPS 2017, section 3.1; Wang et al., "OadTR: Online action detection
with transformers", ICCV 2021, section 3.3 and equations 7 and 8.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from coequal.reference.attention import MultiheadAttention, multihead_attention_loops, structure
from coequal.reference.layer import Array, Layer, Parameters, Shape, scope
from coequal.reference.linear import Linear
from coequal.reference.norm import LayerNorm
from coequal.reference.transformer import ACTIVATIONS

Attend = Callable[[str, Array, Array, Array | None], Array]


@dataclass(frozen=True)
class QueryDecoder:
    """`num_layers` decoder layers on `queries` learned queries, and two classifiers.

    Parameters: `query (Q, E)`; `layers.<i>.*` as in torch.nn.TransformerDecoderLayer; `norm.*`; `head.*` of y[0] and
    `foresee.*` of the others.
    """

    d_model: int
    nhead: int
    dim_feedforward: int
    num_layers: int
    queries: int
    classes: int
    activation: str | Layer = "gelu"
    layer_norm_eps: float = 1e-5
    time: int = 1
    timing = None

    def __post_init__(self) -> None:
        if min(self.num_layers, self.queries, self.classes) < 1:
            raise ValueError(
                "QueryDecoder: num_layers, queries and classes are at least 1,"
                f" got {self.num_layers}, {self.queries} and {self.classes}"
            )
        self.children  # noqa: B018  builds the attention, which checks the heads

    @property
    def children(self) -> dict[str, Layer]:
        """The layers inside, by the name that prefixes their parameters."""
        size, wide = self.d_model, self.dim_feedforward
        attention, norm = MultiheadAttention(size, self.nhead), LayerNorm((size,), self.layer_norm_eps)
        activation = ACTIVATIONS[self.activation] if isinstance(self.activation, str) else self.activation
        inner: dict[str, Layer] = {
            **{"self_attn": attention, "multihead_attn": attention},
            **{"linear1": Linear(size, wide), "activation": activation, "linear2": Linear(wide, size)},
            **{"norm1": norm, "norm2": norm, "norm3": norm},
        }
        stack = {f"layers.{i}.{name}": layer for i in range(self.num_layers) for name, layer in inner.items()}
        return {**stack, "norm": norm, "head": Linear(2 * size, self.classes), "foresee": Linear(size, self.classes)}

    def parameters(self) -> dict[str, Shape]:
        """Names and shapes, each prefixed by its layer; the queries."""
        children = self.children.items()
        shapes = {f"{child}.{name}": shape for child, layer in children for name, shape in layer.parameters().items()}
        return {"query": (self.queries, self.d_model), **shapes}

    def output_shape(self, shape: Shape) -> Shape:
        """`(B, 1 + Q, C)`."""
        if len(shape) != 3 or shape[2] != self.d_model or shape[1] < 1:
            raise ValueError(
                f"QueryDecoder: expected a clip (B, T, E) with E = d_model = {self.d_model} and a token, got {tuple(shape)}"
            )
        return (shape[0], 1 + self.queries, self.classes)

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """The answers, vectorised."""

        def attend(name: str, z: Array, memory: Array, mask: Array | None) -> Array:
            attention: MultiheadAttention = self.children[name]  # type: ignore[assignment]
            return attention(scope(parameters, name), z, memory, mask=mask)

        return decode(self, parameters, clip, attend)


def decode(layer: QueryDecoder, parameters: Parameters, clip: Array, attend: Attend) -> Array:
    """The equations above; `attend(name, z, memory, mask)` is attention in either form."""
    layer.output_shape(clip.shape)

    def run(name: str, x: Array) -> Array:
        return layer.children[name](scope(parameters, name), x)

    z = np.stack([parameters["query"]] * clip.shape[0])  # (B, Q, E)
    causal = structure(layer.queries, layer.queries, causal=True)
    for i in (f"layers.{i}" for i in range(layer.num_layers)):
        z = run(f"{i}.norm1", z + attend(f"{i}.self_attn", z, z, causal))
        z = run(f"{i}.norm2", z + attend(f"{i}.multihead_attn", z, clip, None))
        inner = run(f"{i}.activation", run(f"{i}.linear1", z))
        z = run(f"{i}.norm3", z + run(f"{i}.linear2", inner))
    z = run("norm", z)
    mean = np.sum(z, axis=1, keepdims=True) / layer.queries
    both = np.concatenate([clip[:, -1:], mean], axis=2)  # (B, 1, 2 E)
    return np.concatenate([run("head", both), run("foresee", z)], axis=1)


def query_decoder_loops(layer: QueryDecoder, parameters: Parameters, clip: Array) -> Array:
    """Naive form: attention one weight at a time. Queries and memory share one sequence, of which each sees its part."""

    def attend(name: str, z: Array, memory: Array, mask: Array | None) -> Array:
        queries, keys = z.shape[1], memory.shape[1]
        hidden = np.zeros((queries + keys, queries + keys))
        hidden[:queries, :queries] = -np.inf
        if mask is not None:
            hidden[:queries, queries:] = mask
        both = np.concatenate([z, memory], axis=1)
        return multihead_attention_loops(scope(parameters, name), both, layer.nhead, hidden)[:, :queries]

    return decode(layer, parameters, clip, attend)
