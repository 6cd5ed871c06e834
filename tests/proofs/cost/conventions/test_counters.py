"""The counters: two roads to multiply-adds, and rules checked by hand on small operators."""

from fractions import Fraction

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from coequal.continual.to_torch import regular
from coequal.proofs.claims.judge import count
from coequal.proofs.cost import clip_cost, step_cost
from coequal.proofs.cost.conventions.counters import COUNTERS, ptflops_step, ptflops_step_gelu
from coequal.proofs.cost.conventions.hooks import NotCounted, fvcore, macs, mmengine, ptflops, xla
from coequal.proofs.cost.conventions.leaves import Leaf, leaves
from coequal.reference.activation import Activation
from coequal.reference.adaptive_pool import AdaptiveAvgPool
from coequal.reference.attention import MultiheadAttention
from coequal.reference.compose import Parallel, Residual, Sequential
from coequal.reference.conv import Conv
from coequal.reference.decoder import QueryDecoder
from coequal.reference.linear import Linear
from coequal.reference.norm import BatchNorm, LayerNorm
from coequal.reference.pool import AvgPool, GlobalAvgPool, MaxPool
from coequal.reference.qkv_attention import QKVAttention
from coequal.reference.recurrent import LSTM
from coequal.reference.shift import TemporalShift
from coequal.reference.squeeze_excite import SqueezeExcite
from coequal.reference.tokens import Tokens
from coequal.reference.transformer import TransformerEncoder, TransformerEncoderLayer
from coequal.systems import oadtr, slowfast
from coequal.systems.catalogue import SYSTEMS
from coequal.systems.system import System

CLIPS = [s for s in SYSTEMS.values() if s.family not in ("CoOadTR", "GTZAN")]  # those count window by window
STEPS = [s for s in CLIPS if s.streams]
ONE = (1, 1, 1, 1)


@pytest.mark.parametrize("system", CLIPS, ids=[s.name for s in CLIPS])
def test_operators_one_by_one_give_the_cost_of_the_clip(system: System) -> None:
    assert sum(map(macs, leaves(system.layer, system.shape))) == clip_cost(system.layer, system.shape).macs()


@pytest.mark.parametrize("system", STEPS, ids=[s.name for s in STEPS])
def test_operators_at_their_rate_give_the_mean_cost_of_a_step(system: System) -> None:
    """Strides in time: a layer behind a stride of 2 runs in every other step."""
    frame = leaves(system.step_layer, system.step_shape, step=True)
    mean = sum((macs(leaf) * leaf.rate for leaf in frame), Fraction(0))
    assert mean == Fraction(str(step_cost(system.step_layer, system.shape).mean.macs()))


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (slowfast.slowfast(slowfast.Variant(4, 7, ONE, ONE, classes=5), 16), (2, 3, 8, 32, 32)),
        (oadtr.oadtr_b(6, 2, 5, 8, 2, 3), (2, 5, 6)),
        (oadtr.oadtr(6, 5, 8, 4, 3, 2, 2, 3), (2, 5, 6)),
    ],
    ids=["SlowFast", "OadTR-b2", "OadTR"],
)
def test_the_cost_of_small_networks_is_what_torch_sees(layer: Sequential, shape: tuple[int, ...]) -> None:
    """torch's counter has two operations a multiply-add, and sees every product when attention is not fused."""
    module, clip = regular(layer).train(), torch.randn(shape, requires_grad=True)  # training: no fused paths
    for inner in module.modules():
        if isinstance(inner, torch.nn.MultiheadAttention):
            inner.register_forward_pre_hook(_with_weights, with_kwargs=True)
    with FlopCounterMode(display=False) as counter:
        module(clip)
    assert counter.get_total_flops() == 2 * clip_cost(layer, shape).macs()


def _with_weights(module: torch.nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
    """Attention that is asked for its weights does its products by matrix multiplication."""
    return args, kwargs | {"need_weights": True}


def one(layer, inputs):
    (leaf,) = leaves(layer, inputs)
    return leaf


CONV = Conv(4, 6, (3, 1, 1), padding=(1, 0, 0), groups=2)  # 2 x 3 elements of a kernel for each of 6 x 5 x 7 outputs
BY_HAND = [
    (CONV, (1, 4, 5, 1, 7), {"macs": 1260, "fvcore": 1260, "ptflops": 1470}),
    (Linear(3, 2), (2, 5, 3), {"macs": 60, "fvcore": 60, "ptflops": 62, "ptflops-step": 62}),
    (Linear(3, 2, bias=False), (2, 5, 3), {"ptflops": 60}),
    (BatchNorm(3), (2, 3, 5), {"macs": 0, "fvcore": 150, "ptflops": 60, "ptflops-step": 120}),
    (Activation("ReLU"), (2, 3, 5), {"macs": 0, "ptflops": 30, "ptflops-step": 60}),
    (Activation("SiLU"), (2, 3, 5), {"macs": 0, "ptflops": 0, "ptflops-step": 0}),
    (MaxPool((1, 2)), (1, 3, 5, 4), {"macs": 0, "ptflops": 60, "ptflops-step": 60}),
    (GlobalAvgPool(2, 5), (1, 3, 5, 4), {"macs": 0, "ptflops": 60}),
    (SqueezeExcite(3, 2, "clip"), (1, 3, 5, 4), {"macs": 12, "ptflops": 60 + 12 + 5 + 2}),
    (SqueezeExcite(3, 2), (1, 3, 1, 4), {"macs": 12, "ptflops": 31, "ptflops-step": 33}),
    (Conv(4, 6, (1, 1)), (1, 4, 1, 1), {"ptflops": 30, "ptflops-step": 5}),
]


@pytest.mark.parametrize(
    ("layer", "inputs", "counts"), BY_HAND, ids=[f"{i}-{type(a).__name__}" for i, (a, *_) in enumerate(BY_HAND)]
)
def test_rules_by_hand(layer, inputs, counts):
    leaf = one(layer, inputs)
    assert {name: COUNTERS[name].count(leaf) for name in counts} == counts


def test_hooks_of_transformers_by_hand():
    """Of E = 4 features, A = 2 heads, N = 3 tokens, as the hooks write it down."""
    full = TransformerEncoderLayer(4, 2, 4, "gelu")
    assert ptflops(one(TransformerEncoder(full, 2), (1, 3, 4))) == 2 * (3 * (4 * 16 + 4 + 2 * 7) + 2 * (3 * 16 + 4))
    single = TransformerEncoderLayer(4, 2, 4, "gelu", mode="single", window=3)
    (frame,) = leaves(TransformerEncoder(single, 1), (1, 1, 4), step=True)
    last = 2 * (2 * 3 * 2 + 2 * 2) + 4 * 5
    assert ptflops_step(frame) == 3 * 16 + last + 2 * 4 * 5
    assert ptflops_step_gelu(frame) == ptflops_step(frame) + 2 * 4
    (frame,) = leaves(TransformerEncoder(single, 2), (1, 1, 4), step=True)
    first = 3 * 16 + 2 * (7 * 3 * 2 + 2 * 3 - 3 * 2) + 3 * 4 * 5 + 2 * 3 * 4 * 5
    assert ptflops_step(frame) == first + 3 * 3 * 16 + last + 2 * 5
    assert ptflops_step_gelu(frame) == ptflops_step(frame) + 2 * (3 + 1) * 4


def test_decoder_by_hand():
    """One layer on 2 queries of 4 features, 3 tokens, 5 hidden features, 6 classes."""
    leaf = one(QueryDecoder(4, 2, 5, 1, 2, 6), (1, 3, 4))
    own = 4 * 2 * 16 + 2 * 2 * 2 * 4
    cross = 2 * 2 * 16 + 2 * 3 * 16 + 2 * 2 * 3 * 4
    assert macs(leaf) == own + cross + 2 * 2 * 4 * 5 + (2 + 2) * 4 * 6
    biases = 4 * 4 + 4 * 4 + 2 * (5 + 4) + 2 * 6  # a linear map's once, a convolution's for each token
    assert ptflops(leaf) == macs(leaf) - 2 * 2 * 2 * 4 - 2 * 2 * 3 * 4 + biases


def test_what_a_counter_does_not_know_is_an_error():
    with pytest.raises(NotCounted, match="macs: nothing is known of LSTM"):
        macs(one(LSTM(2, 3), (1, 4, 2)))
    with pytest.raises(NotCounted, match="ptflops: nothing is known of LSTM"):
        ptflops(one(LSTM(2, 3), (1, 4, 2)))
    single = TransformerEncoder(TransformerEncoderLayer(4, 2, 4, mode="single", window=3), 3)
    with pytest.raises(NotCounted, match="mode 'single' the clip counts window by window"):
        macs(one(single, (1, 3, 4)))
    (frame,) = leaves(single, (1, 1, 4), step=True)
    with pytest.raises(NotCounted, match="one or two blocks, the last of them single-output"):
        ptflops_step(frame)


def test_leaves_carry_path_shapes_and_rate():
    tree = Sequential((MaxPool((2, 1)), Residual(Sequential((Conv(2, 2, (3, 1), padding=(1, 0)),)))))
    found = [(leaf.path, leaf.inputs, leaf.outputs) for leaf in leaves(tree, (1, 2, 6, 3))]
    assert found == [
        ("0", (1, 2, 6, 3), (1, 2, 3, 3)),
        ("1.main.0", (1, 2, 3, 3), (1, 2, 3, 3)),
        ("1.shortcut", (1, 2, 3, 3), (1, 2, 3, 3)),
    ]
    frame = list(leaves(tree, (1, 2, 1, 3), step=True))
    assert [leaf.outputs for leaf in frame] == [(1, 2, 1, 3)] * 3
    assert [leaf.rate for leaf in frame] == [Fraction(1, 2)] * 3


def test_branches_are_joined():
    tree = Parallel((Conv(2, 3, (1,)), Conv(2, 4, (1,))), "concatenate")
    after = Sequential((tree, Conv(7, 1, (1,))))
    assert [leaf.inputs for leaf in leaves(after, (1, 2, 5))] == [(1, 2, 5), (1, 2, 5), (1, 7, 5)]


def test_what_needs_the_whole_clip_has_no_step():
    with pytest.raises(ValueError, match="SqueezeExcite: needs the whole clip, so it has no step"):
        list(leaves(Sequential((SqueezeExcite(2, 1, "clip"),)), (1, 2, 1, 3), step=True))


def test_fvcore_counts_norms_by_their_elements():
    norm = Leaf("", BatchNorm(2), (1, 2, 3), (1, 2, 3))
    assert fvcore(norm) == 30
    assert fvcore(one(LayerNorm(4), (1, 3, 4))) == 5 * 12
    encoder = one(TransformerEncoder(TransformerEncoderLayer(4, 2, 4), 2, norm=True), (1, 3, 4))
    assert fvcore(encoder) == macs(encoder) + 5 * 5 * 12
    with pytest.raises(NotCounted, match="LSTM"):
        fvcore(one(LSTM(2, 3), (1, 4, 2)))


def test_mmengine_counts_norms_of_eval_mode_and_pools_of_frames():
    assert mmengine(one(BatchNorm(2), (1, 2, 3))) == 2 * 6
    assert mmengine(one(LayerNorm(4), (1, 3, 4))) == 5 * 12
    assert mmengine(one(AdaptiveAvgPool((None, 1, 1)), (1, 2, 3, 4, 5))) == 120
    assert mmengine(one(AdaptiveAvgPool((1, 1, 1)), (1, 2, 3, 4, 5))) == 0
    assert mmengine(one(Conv(2, 3, (1,)), (1, 2, 4))) == 24


def test_xla_counts_half_of_every_operation_by_hand():
    """A biased map, the exact GELU of each element, a softmax: four operations an element but for the ends of its sums."""
    assert xla(one(Linear(3, 2), (2, 5, 3))) == 60 + Fraction(20, 2)
    assert xla(one(Activation("GELU"), (1, 3, 4))) == Fraction(4 * 12, 2)
    assert xla(one(Activation("GELU", (("approximate", "tanh"),)), (1, 3, 4))) == Fraction(8 * 12, 2)
    scores, rows = 2 * 5 * 5, 2 * 5
    assert xla(one(QKVAttention(4, 2), (1, 5, 12))) == 2 * 5 * 5 * 4 + Fraction(4 * scores - 2 * rows, 2)
    mean, variance, rest = 3 + 1, 4 + 4 + 3 + 1, 1 + 4 + 4 + 4  # of a token of 4 features
    assert xla(one(LayerNorm(4), (1, 3, 4))) == Fraction(3 * (mean + variance + rest), 2)


def test_sums_of_branches_count_for_xla_alone():
    layer = Sequential((Residual(Linear(3, 3)),))
    system = System("s", "f", layer, (1, 5, 3), "a test")
    assert count(system, "macs", "clip") == 45
    assert count(system, "xla", "clip") == 45 + Fraction(15 + 15, 2)


def test_attention_inside_a_clip_is_counted_where_it_is():
    """Over space of 4 positions and over time of 5 frames."""
    for over, (batch, length) in {"space": (5, 4), "time": (4, 5), "all": (1, 20)}.items():
        (leaf,) = leaves(Tokens(MultiheadAttention(4, 2), over), (1, 4, 5, 2, 2))
        assert (leaf.path, leaf.inputs) == ("inner", (batch, length, 4))
        assert macs(leaf) == batch * (4 * length * 16 + 2 * length**2 * 4)
    with pytest.raises(NotCounted, match="of a MultiheadAttention in mode 'single' the clip counts window by window"):
        macs(one(MultiheadAttention(4, 2, mode="single", window=2), (1, 3, 4)))
    (frame,) = leaves(Tokens(Linear(4, 3), "space"), (1, 4, 1, 2), step=True)
    assert (frame.inputs, frame.outputs) == ((1, 2, 4), (1, 2, 3))


def test_a_shift_is_free_and_pools_are_not_for_ptflops():
    assert macs(one(TemporalShift(2), (1, 2, 3))) == ptflops(one(TemporalShift(2), (1, 2, 3))) == 0
    pools = (AvgPool((2, 1, 1)), AdaptiveAvgPool((None, 1, 1)))
    assert [ptflops(one(pool, (1, 2, 4, 3, 3))) for pool in pools] == [72, 72]
