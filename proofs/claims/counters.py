"""What the counters behind published numbers count, operator by operator.

Papers say FLOPs and mean multiply-adds; their tools add this and leave out that. A counter is a rule from an operator and
its shapes to a number. With `x` and `y` the numbers of elements that go in and come out, K elements of a kernel, C input
channels, G groups, E input and F output features:

    counter        convolution             linear map             norm   ReLU   pool   attention
    macs           y K C / G               y E                    -      -      -      four projections, both products
    fvcore         macs                    macs                   5 x    -      -      macs
    ptflops        macs, + y if biased     x F, + F if biased     2 x    y      x      below
    ptflops-step   the same, of one frame  the same; see below    4 x    2 y    x      below

A squeeze-and-excite is a pool, two biased convolutions and a ReLU between them. Nothing else is counted by any of them: sums
of shortcuts, gates, swish, sigmoid, softmax, layer norm, GELU.

`ptflops-step` is what ptflops 0.6 said of a step of continual-inference. Batch norms and ReLUs are seen twice there; a
linear map's hook takes the last axis of the output for its features, so that of a frame `(B, C, 1, 1)` the classifier counts
for `C + 1`, whatever the number of classes; strides in time are not looked at: every layer is taken to run in every step.
`ptflops-step-gelu` counts GELU too, 2 for each element, as the logs of CoOadTR do and the tables of its paper do not.

Attention under both is counted by hooks of the authors, for E features, A heads of d each, N tokens:

    block of OadTR           N (4 E^2 + E + A (3 d + 1)), as if of N clips of one token each, so without a product of N^2;
                             then the perceptron, 2 (N E F + F) in all
    CoSi, in a step          3 E^2 + A (2 N d + 2 d) + E (E + 1);                     perceptron 2 E (E + 1)
    CoRe, in a step          3 E^2 + A (7 N d + 2 N - 3 d) + N E (E + 1);             perceptron 2 N E (E + 1)
    CoSi that follows CoRe   3 N E^2 + A (2 N d + 2 d) + E (E + 1);                   perceptron 2 (E + 1)

The last line projects all N tokens of CoRe again. Its perceptron does 2 E^2 multiply-adds: the hook of a linear map takes
the axis of time, of length 1, for the features.

Sources: sovrasov/flops-counter.pytorch 0.6; LukasHedegaard/CoOadTR, `transformer_models/Transformer.py` (its hook takes axis
0, the batch, for the tokens); LukasHedegaard/continual-transformers, `co_re_mha.py`, `co_si_mha.py`; facebookresearch/fvcore
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

from coequal.proofs.claims.leaves import Leaf
from coequal.reference.activation import Activation
from coequal.reference.adaptive_pool import GlobalAvgPool
from coequal.reference.class_token import AppendToken
from coequal.reference.compose import Identity
from coequal.reference.conv import Conv
from coequal.reference.decoder import QueryDecoder
from coequal.reference.layer import Layer
from coequal.reference.linear import Linear
from coequal.reference.norm import BatchNorm, LayerNorm
from coequal.reference.pathways import SelectFrames
from coequal.reference.pool import MaxPool
from coequal.reference.position import LearnedEncoding, RecyclingEncoding
from coequal.reference.squeeze_excite import SqueezeExcite
from coequal.reference.transformer import TransformerEncoder, TransformerEncoderLayer

FREE = (Identity, SelectFrames, LearnedEncoding, RecyclingEncoding, AppendToken, LayerNorm)


class NotCounted(ValueError):
    """A counter that says nothing of an operator: which."""


def elements(shape: tuple[int, ...]) -> int:
    """Number of elements."""
    return math.prod(shape)


def tokens(leaf: Leaf) -> int:
    """Rows of `(B, T, E)`."""
    return elements(leaf.inputs[:2])


# -- multiply-adds -------------------------------------------------------------------------------------------------------


@functools.singledispatch
def _macs(layer: Layer, leaf: Leaf) -> int:
    if isinstance(layer, (*FREE, Activation, BatchNorm, MaxPool, GlobalAvgPool)):
        return 0
    raise NotCounted(f"macs: nothing is known of {type(layer).__name__}")


def macs(leaf: Leaf) -> int:
    """Multiply-adds of convolutions, linear maps and attention."""
    return _macs(leaf.layer, leaf)


@_macs.register
def _(layer: Conv, leaf: Leaf) -> int:
    return elements(leaf.outputs) * math.prod(layer.kernel_size) * layer.in_channels // layer.groups


@_macs.register
def _(layer: Linear, leaf: Leaf) -> int:
    return elements(leaf.outputs) * layer.in_features


@_macs.register
def _(layer: SqueezeExcite, leaf: Leaf) -> int:
    gates = leaf.inputs[0] * (1 if layer.scope == "clip" else leaf.inputs[2])
    return gates * 2 * layer.channels * layer.squeeze_channels


def attention_macs(size: int, queries: int, keys: int, batch: int) -> int:
    """Projections in of queries and of keys and values, both products, projection out."""
    return batch * (2 * queries * size**2 + 2 * keys * size**2 + 2 * queries * keys * size)


@_macs.register
def _(layer: TransformerEncoder, leaf: Leaf) -> int:
    inner, (batch, length, size) = layer.layer, leaf.inputs
    if inner.mode != "full":
        raise NotCounted(f"macs: of a TransformerEncoder in mode {inner.mode!r} the clip counts window by window")
    block = attention_macs(size, length, length, batch) + batch * length * 2 * size * inner.dim_feedforward
    return layer.num_layers * block


@_macs.register
def _(layer: QueryDecoder, leaf: Leaf) -> int:
    (batch, length, size), queries = leaf.inputs, layer.queries
    mixed = attention_macs(size, queries, queries, batch) + attention_macs(size, queries, length, batch)
    perceptron = batch * queries * 2 * size * layer.dim_feedforward
    return layer.num_layers * (mixed + perceptron) + batch * (2 + queries) * size * layer.classes


def fvcore(leaf: Leaf) -> int:
    """Multiply-adds, and 5 for each element of a batch norm."""
    return 5 * elements(leaf.inputs) if isinstance(leaf.layer, BatchNorm) else macs(leaf)


# -- ptflops -------------------------------------------------------------------------------------------------------------


@functools.singledispatch
def _ptflops(layer: Layer, leaf: Leaf) -> int:
    if isinstance(layer, FREE):
        return 0
    raise NotCounted(f"ptflops: nothing is known of {type(layer).__name__}")


def ptflops(leaf: Leaf) -> int:
    """The hooks of ptflops 0.6 on a clip."""
    return _ptflops(leaf.layer, leaf)


@_ptflops.register
def _(layer: Conv, leaf: Leaf) -> int:
    return macs(leaf) + elements(leaf.outputs) * layer.bias


@_ptflops.register
def _(layer: Linear, leaf: Leaf) -> int:
    return macs(leaf) + layer.out_features * layer.bias


@_ptflops.register
def _(layer: BatchNorm, leaf: Leaf) -> int:
    return 2 * elements(leaf.inputs)


@_ptflops.register
def _(layer: Activation, leaf: Leaf) -> int:
    return elements(leaf.outputs) if layer.name == "ReLU" else 0


@_ptflops.register(MaxPool)
@_ptflops.register(GlobalAvgPool)
def _(layer: MaxPool | GlobalAvgPool, leaf: Leaf) -> int:
    return elements(leaf.inputs)


@_ptflops.register
def _(layer: SqueezeExcite, leaf: Leaf) -> int:
    gates = leaf.inputs[0] * (1 if layer.scope == "clip" else leaf.inputs[2])
    biases, hidden = layer.channels + layer.squeeze_channels, layer.squeeze_channels
    return elements(leaf.inputs) + macs(leaf) + gates * (biases + hidden)


@_ptflops.register
def _(layer: TransformerEncoder, leaf: Leaf) -> int:
    return layer.num_layers * oadtr_block(layer.layer, tokens(leaf))


def oadtr_block(layer: TransformerEncoderLayer, count: int) -> int:
    """A block of OadTR under its authors' hook: tokens taken for clips of one token."""
    size, heads, wide = layer.d_model, layer.nhead, layer.dim_feedforward
    attention = 4 * size**2 + size + heads * (3 * size // heads + 1)
    return count * (attention + 2 * size * wide) + wide + size


@_ptflops.register
def _(layer: QueryDecoder, leaf: Leaf) -> int:
    """Projections and 1 x 1 convolutions only: no hook knows the products of its attention."""
    (batch, length, size), queries, wide = leaf.inputs, layer.queries, layer.dim_feedforward
    rows, memory = batch * queries, batch * length
    own, cross = 4 * (rows * size**2 + size), 2 * (rows + memory) * size**2 + 4 * size
    perceptron = rows * (2 * size * wide + wide + size)
    answers = batch * (2 + queries) * size * layer.classes + 2 * layer.classes
    return layer.num_layers * (own + cross + perceptron) + answers


# -- ptflops on a step ---------------------------------------------------------------------------------------------------


@functools.singledispatch
def _ptflops_step(layer: Layer, leaf: Leaf) -> int:
    return ptflops(leaf)


def ptflops_step(leaf: Leaf) -> int:
    """The hooks of ptflops 0.6 and of continual-inference on one frame."""
    return _ptflops_step(leaf.layer, leaf)


@_ptflops_step.register(BatchNorm)
@_ptflops_step.register(Activation)
def _(layer: BatchNorm | Activation, leaf: Leaf) -> int:
    return 2 * ptflops(leaf)


@_ptflops_step.register
def _(layer: SqueezeExcite, leaf: Leaf) -> int:
    return ptflops(leaf) + layer.squeeze_channels


@_ptflops_step.register
def _(layer: Conv, leaf: Leaf) -> int:
    """The only biased convolution outside of a gate is the classifier, which is a linear map there."""
    return layer.in_channels + 1 if layer.bias else ptflops(leaf)


@_ptflops_step.register
def _(layer: TransformerEncoder, leaf: Leaf) -> int:
    inner = layer.layer
    if inner.mode != "single" or inner.window is None or layer.num_layers > 2:
        raise NotCounted("ptflops-step: the hooks are those of one or two blocks, the last of them single-output")
    size, heads, window = inner.d_model, inner.nhead, inner.window
    single = heads * (2 * window + 2) * (size // heads) + size * (size + 1)
    if layer.num_layers == 1:
        return 3 * size**2 + single + 2 * inner.dim_feedforward * (size + 1)
    return retroactive(size, heads, window) + 3 * window * size**2 + single + 2 * (size + 1)


def retroactive(size: int, heads: int, window: int) -> int:
    """The first of two blocks: its attention and its perceptron, of as many hidden features as others."""
    d, n = size // heads, window
    attention = 3 * size**2 + heads * (7 * n * d + 2 * n - 3 * d) + n * size * (size + 1)
    return attention + 2 * n * size * (size + 1)


def ptflops_step_gelu(leaf: Leaf) -> int:
    """The same, with 2 for each element of a GELU: as many as a perceptron has hidden features, for every token it sees."""
    layer = leaf.layer
    if not isinstance(layer, TransformerEncoder) or layer.layer.window is None:
        return ptflops_step(leaf)
    seen = 1 + layer.layer.window * (layer.num_layers - 1)
    return ptflops_step(leaf) + 2 * seen * layer.layer.dim_feedforward


@dataclass(frozen=True)
class Counter:
    """A rule and what it means, in a few words."""

    meaning: str
    count: Callable[[Leaf], int]


COUNTERS: dict[str, Counter] = {
    "macs": Counter("multiply-adds of convolutions, linear maps and attention", macs),
    "fvcore": Counter("multiply-adds, and 5 for each element of a batch norm", fvcore),
    "ptflops": Counter("multiply-adds and biases, 2 for each element of a batch norm, 1 of a ReLU or pool", ptflops),
    "ptflops-step": Counter(
        "ptflops of one frame, where norms and ReLUs are seen twice and strides in time never", ptflops_step
    ),
    "ptflops-step-gelu": Counter("ptflops-step, and 2 for each element of a GELU", ptflops_step_gelu),
}
