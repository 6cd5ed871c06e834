"""What the counters behind published numbers count, operator by operator.

Papers say FLOPs and mean multiply-adds; their tools add this and leave out that. A counter is a rule from an operator and
its shapes to a number. With `x` and `y` the numbers of elements that go in and come out, K elements of a kernel, C input
channels, G groups, E input and F output features:

    counter        convolution             linear map             norm   ReLU   pool   attention
    macs           y K C / G               y E                    -      -      -      four projections, both products
    fvcore         macs                    macs                   5 x    -      -      macs
    mmengine       macs                    macs                   2 x    -      below  macs
    ptflops        macs, + y if biased     x F, + F if biased     2 x    y      x      below
    ptflops-step   the same, of one frame  the same; see below    4 x    2 y    x      below

`mmengine` counts `adaptive_avg_pool2d`, of frames: x, also that of a gate of each frame; no pool over time. It looks at a
network in eval mode, where a batch norm is an affine map. No hook of ptflops sees the products that mix joints of skeletons.

A squeeze-and-excite is a pool, two biased convolutions and a ReLU between them. Nothing else is counted by any of them: sums
of shortcuts, gates, swish, sigmoid, softmax, layer norm, GELU.

`fvcore` counts 5 for each element of a layer norm too. `xla` is half of what XLA's analysis counts of a program, in which a
multiply-add is two operations, and exponentials, square roots and tanh are none: what Scenic, in which ViViT is written,
logs as FLOPs. It is counted of the equations in `coequal.reference`, but for the scaling of queries, which is left out.

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
(norms as in its first years); google-research/scenic, `common_lib/debug_utils.py` (`compute_flops`, `fuse_multiply_add`),
openxla/xla, `hlo_cost_analysis.cc`; open-mmlab/mmengine, `analysis/complexity_analysis.py`, `jit_handles.py`
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from coequal.proofs.cost.conventions.hooks import NotCounted, fvcore, macs, mmengine, ptflops, xla
from coequal.proofs.cost.conventions.leaves import Leaf
from coequal.reference.activation import Activation
from coequal.reference.conv import Conv
from coequal.reference.layer import Layer
from coequal.reference.norm import BatchNorm
from coequal.reference.squeeze_excite import SqueezeExcite
from coequal.reference.transformer import TransformerEncoder

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
    count: Callable[[Leaf], int | Fraction]


COUNTERS: dict[str, Counter] = {
    "macs": Counter("multiply-adds of convolutions, linear maps and attention", macs),
    "fvcore": Counter("multiply-adds, and 5 for each element of a batch or layer norm", fvcore),
    "mmengine": Counter("multiply-adds, and 2 for each element of a batch norm", mmengine),
    "ptflops": Counter("multiply-adds and biases, 2 for each element of a batch norm, 1 of a ReLU or pool", ptflops),
    "ptflops-step": Counter(
        "ptflops of one frame, where norms and ReLUs are seen twice and strides in time never", ptflops_step
    ),
    "ptflops-step-gelu": Counter("ptflops-step, and 2 for each element of a GELU", ptflops_step_gelu),
    "xla": Counter("multiply-adds, and half of every other operation but transcendental functions", xla),
}
