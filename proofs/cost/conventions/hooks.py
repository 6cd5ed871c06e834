"""What counters count of a clip, operator by operator: the rules that `counters.py` has as a table."""

from __future__ import annotations

import functools
import math
from fractions import Fraction

from coequal.proofs.cost.algebra.counts import Cost
from coequal.proofs.cost.conventions.leaves import Leaf
from coequal.proofs.cost.formulas.dispatch import clip_cost, domains
from coequal.proofs.cost.formulas.multiview import crossed
from coequal.proofs.cost.formulas.non_local import positions
from coequal.reference.activation import Activation
from coequal.reference.adaptive_kernel import AdaptiveKernel
from coequal.reference.adaptive_pool import AdaptiveAvgPool, GlobalAvgPool
from coequal.reference.attention import MultiheadAttention
from coequal.reference.channels import SelectChannels, ZeroChannels
from coequal.reference.class_token import AppendToken, FirstToken, PrependToken
from coequal.reference.clip_attention import ClipAttention
from coequal.reference.compose import Identity
from coequal.reference.conv import Conv
from coequal.reference.decoder import QueryDecoder
from coequal.reference.frame_difference import FrameDifference
from coequal.reference.joint_attention import JointAttention
from coequal.reference.layer import Layer
from coequal.reference.linear import Linear
from coequal.reference.multiview import MultiviewEncoder
from coequal.reference.non_local import NonLocal
from coequal.reference.norm import BatchNorm, ChannelLayerNorm, LayerNorm
from coequal.reference.pathways import SelectFrames
from coequal.reference.pool import AvgPool, MaxPool
from coequal.reference.pooling_attention import PoolingEncoder
from coequal.reference.position import GridEncoding, LearnedEncoding, RecyclingEncoding
from coequal.reference.qkv_attention import QKVAttention
from coequal.reference.relational import RelationalSelfAttention
from coequal.reference.rescale import ChannelScale, Rescale
from coequal.reference.shift import TemporalShift
from coequal.reference.skeleton import AdaptiveJointMixing, JointMixing, JointNorm
from coequal.reference.squeeze_excite import SqueezeExcite
from coequal.reference.token_grid import TokenGrid
from coequal.reference.transformer import TransformerEncoder, TransformerEncoderLayer

FREE = (
    *(Identity, SelectFrames, TemporalShift, ZeroChannels, SelectChannels, FrameDifference),
    *(LearnedEncoding, RecyclingEncoding, GridEncoding, AppendToken, PrependToken, FirstToken, TokenGrid),
    *(LayerNorm, ChannelLayerNorm, ChannelScale, Rescale),
)
POOLS = (MaxPool, AvgPool, AdaptiveAvgPool, GlobalAvgPool)


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
    if isinstance(layer, (*FREE, *POOLS, Activation, BatchNorm, JointNorm)):
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
def _(layer: MultiheadAttention, leaf: Leaf) -> int:
    if layer.mode == "single":
        raise NotCounted("macs: of a MultiheadAttention in mode 'single' the clip counts window by window")
    batch, length, size = leaf.inputs
    return attention_macs(size, length, length, batch)


@_macs.register
def _(layer: QKVAttention, leaf: Leaf) -> int:
    batch, length, _ = leaf.inputs
    return 2 * batch * length**2 * layer.embed_dim


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


@_macs.register
def _(layer: NonLocal, leaf: Leaf) -> int:
    linear = len(layer.maps) * elements(leaf.outputs) * layer.channels
    queries, keys = positions(layer, leaf.inputs)
    width = layer.channels if layer.mode == "gaussian" else layer.inner
    return linear + leaf.inputs[0] * queries * keys * (width + layer.inner)


@_macs.register
def _(layer: PoolingEncoder, leaf: Leaf) -> int:
    """Products of attention alone: its layers are leaves of their own."""
    return sum(domain.count() for domain in domains(layer, leaf.inputs).values())


@_macs.register
def _(layer: ClipAttention, leaf: Leaf) -> int:
    rows = leaf.inputs[2] if layer.over == "time" else elements(leaf.inputs[3:])
    return elements(leaf.inputs) * (4 * layer.channels + 2 * rows)


@_macs.register(AdaptiveJointMixing)
@_macs.register(JointAttention)
@_macs.register(RelationalSelfAttention)
def _(layer: AdaptiveJointMixing | JointAttention | RelationalSelfAttention, leaf: Leaf) -> int:
    return sum(domain.count() for domain in domains(layer, leaf.inputs).values())


@_macs.register
def _(layer: MultiviewEncoder, leaf: Leaf) -> int:
    """Attention between views alone."""
    return int(crossed(layer, leaf.inputs).macs())


@_macs.register
def _(layer: TransformerEncoderLayer, leaf: Leaf) -> int:
    return _macs(TransformerEncoder(layer, 1), leaf)


@_macs.register
def _(layer: JointMixing, leaf: Leaf) -> int:
    return elements(leaf.outputs) * layer.joints


@_macs.register
def _(layer: AdaptiveKernel, leaf: Leaf) -> int:
    rows = leaf.inputs[0] * layer.channels
    return rows * layer.hidden * (layer.window + layer.taps) + elements(leaf.outputs) * layer.taps


def fvcore(leaf: Leaf) -> int:
    """Multiply-adds, and 5 for each element of a batch or layer norm; a norm of channels has none in TAdaConv's zoo."""
    match leaf.layer:
        case BatchNorm() | LayerNorm():
            return 5 * elements(leaf.inputs)
        case TransformerEncoder(num_layers=blocks, norm=last):
            return macs(leaf) + 5 * (2 * blocks + last) * elements(leaf.inputs)
    return macs(leaf)


def xla(leaf: Leaf) -> Fraction:
    """Half of what XLA's analysis counts."""
    return half_of_hlo(clip_cost(leaf.layer, leaf.inputs))


def half_of_hlo(cost: Cost) -> Fraction:
    """A multiply-add is one, any other operation one half."""
    return Fraction(int(cost.flops("hlo")), 2)


def mmengine(leaf: Leaf) -> int:
    """Multiply-adds, 2 for each element of a batch norm, 5 of a layer norm, 1 of a pool of frames to a given size."""
    match leaf.layer:
        case SqueezeExcite(scope="frame"):
            return macs(leaf) + elements(leaf.inputs)
        case AdaptiveKernel(channels=channels, hidden=hidden):
            return macs(leaf) + 2 * leaf.inputs[0] * channels * hidden
        case BatchNorm():
            return 2 * elements(leaf.inputs)
        case LayerNorm():
            return 5 * elements(leaf.inputs)
        case AdaptiveAvgPool(output_size=(None, *_)):
            return elements(leaf.inputs)
    return macs(leaf)


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


@_ptflops.register(BatchNorm)
@_ptflops.register(JointNorm)
def _(layer: BatchNorm | JointNorm, leaf: Leaf) -> int:
    return 2 * elements(leaf.inputs)


@_ptflops.register(JointAttention)
@_ptflops.register(JointMixing)
def _(layer: JointAttention | JointMixing, leaf: Leaf) -> int:
    """Matrix products that no hook sees."""
    return 0


@_ptflops.register
def _(layer: AdaptiveJointMixing, leaf: Leaf) -> int:
    """Two biased convolutions: no hook sees the products."""
    return 2 * elements((leaf.inputs[0], layer.inner, *leaf.inputs[2:])) * (layer.channels + 1)


@_ptflops.register
def _(layer: Activation, leaf: Leaf) -> int:
    return elements(leaf.outputs) if layer.name == "ReLU" else 0


@_ptflops.register(MaxPool)
@_ptflops.register(AvgPool)
@_ptflops.register(AdaptiveAvgPool)
@_ptflops.register(GlobalAvgPool)
def _(layer: MaxPool | AvgPool | AdaptiveAvgPool | GlobalAvgPool, leaf: Leaf) -> int:
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
