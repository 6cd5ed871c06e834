"""The typed cost, its conventions, letters and ratios."""

from fractions import Fraction

import pytest
import sympy

from coequal.proofs.cost import CONVENTIONS, Cost, CostError, H, T, W, by_layer, clip_cost, latex, plain, step_cost
from coequal.proofs.cost.algebra.conventions import KINDS
from coequal.proofs.cost.algebra.counts import FIELDS
from coequal.proofs.cost.algebra.symbols import ceil_div, floor_div
from coequal.proofs.cost.savings.ratios import break_even, first_above, limit, per_frame, reduction
from coequal.reference.activation import Activation
from coequal.reference.attention import MultiheadAttention
from coequal.reference.compose import Residual, Sequential
from coequal.reference.conv import Conv
from coequal.reference.linear import Linear
from coequal.reference.norm import BatchNorm, LayerNorm
from coequal.reference.pool import AvgPool
from coequal.reference.squeeze_excite import SqueezeExcite
from coequal.reference.transformer import TransformerEncoderLayer


def test_costs_add_and_repeat() -> None:
    one, other = Cost.of("conv", mul=3, add=2), Cost.of("conv bias", add=5)
    total = 2 * (one + other) + one
    assert (total.mul, total.add, total.macs()) == (9, 16, 9)
    assert total.only("conv").add == 6


def test_a_count_that_is_none_is_an_error() -> None:
    with pytest.raises(AttributeError, match="Cost has no 'muls'; counts: mul, add"):
        Cost({}).muls  # noqa: B018


def test_plain_and_latex() -> None:
    cost = clip_cost(Conv(2, 4, (3, 3), padding=1), (1, 2, T, W)).simplify()
    assert plain(cost.macs()) == "72 T W"
    assert latex(cost.macs()) == "72 T W"
    assert plain(T**2) == "T^2"
    assert plain(1234567) == "1,234,567"


@pytest.mark.parametrize("by", [1, 2, 3, 5])
@pytest.mark.parametrize("shift", range(-4, 5))
def test_roundings_collapse_and_stay_right(by: int, shift: int) -> None:
    nested = ceil_div(ceil_div(T + shift, 2) + shift, by)
    assert len(sympy.sympify(nested).atoms(sympy.ceiling)) <= 1
    for t in range(20, 60):
        assert nested.subs(T, t) == -(-(-(-(t + shift) // 2) + shift) // by)
        assert floor_div(T + shift, by).subs(T, t) == (t + shift) // by


# -- conventions -------------------------------------------------------------------------------------------------------

# what ptflops 0.6.9 itself printed for these layers as torch modules: see `benchmarks/executed_macs.py --ptflops`
BLOCK = Sequential((Conv(3, 4, (3, 3, 3), padding=1), BatchNorm(4), Activation("ReLU"), AvgPool((1, 2, 2))))


def test_ptflops_counts_bias_norm_rectifier_and_pool() -> None:
    shape = (1, 3, 4, 8, 8)
    elements = 4 * 4 * 8 * 8
    assert clip_cost(BLOCK, shape).flops("macs") == 81 * elements
    assert clip_cost(BLOCK, shape).flops("ptflops-0.6") == (81 + 1 + 2 + 1 + 1) * elements
    assert clip_cost(BLOCK, shape).flops("fvcore-old") == (81 + 5) * elements
    assert clip_cost(BLOCK, shape).flops("flops") == 2 * 81 * elements


def test_ptflops_does_not_count_swish_gates_sums_and_layer_norm() -> None:
    assert clip_cost(Activation("SiLU"), (1, 2, 3)).flops("ptflops-0.6") == 0
    assert clip_cost(LayerNorm(4), (1, 3, 4)).flops("ptflops-0.6") == 0
    assert clip_cost(Residual(Activation("ReLU")), (1, 2, 3)).flops("ptflops-0.6") == 6
    gate = SqueezeExcite(4, 2)
    assert clip_cost(gate, (1, 4, 1, 5, 5)).flops("ptflops-0.6") == 100 + 4 * 2 * 2 + 2 + 4 + 2


def test_ptflops_counts_the_bias_of_a_linear_layer_once() -> None:
    assert clip_cost(Linear(4, 5), (1, 7, 4)).flops("ptflops-0.6") == 7 * 4 * 5 + 5


def test_ptflops_counts_attention_as_its_hook_does() -> None:
    """`q E + 3 projections + biases + A (2 L^2 d + L^2) + L E (E + 1)`: ptflops/pytorch_ops.py."""
    L, E, A = 7, 6, 2
    hook = L * E + 3 * L * E * E + 3 * L * E + A * (2 * L * L * (E // A) + L * L) + L * E * (E + 1)
    assert clip_cost(MultiheadAttention(E, A), (1, L, E)).flops("ptflops-0.6") == hook


def test_every_convention_has_meaning_source_and_rules_for_known_classes() -> None:
    for convention in CONVENTIONS.values():
        assert convention.meaning
        assert convention.source
        assert set(convention.rules) <= set(KINDS)
        assert {count for rule in convention.rules.values() for count in rule} <= set(FIELDS)


def test_a_class_that_no_convention_knows_is_an_error() -> None:
    with pytest.raises(CostError, match="convention macs: no rule says whether magic counts"):
        Cost.of("magic", mul=1).flops("macs")


def test_an_unknown_convention_lists_those_there_are() -> None:
    with pytest.raises(CostError, match="no convention 'gflops'; there are macs, flops"):
        Cost({}).flops("gflops")


def test_costs_by_layer_add_up_to_the_whole() -> None:
    tree = Sequential((Residual(Sequential((Conv(3, 3, (3, 3), padding=1), SqueezeExcite(3, 2)))), Activation("ReLU")))
    layers = by_layer(tree, (1, 3, 6, 5))
    assert list(layers) == ["0.main.0", "0.main.1", "0.shortcut", "0", "1"]
    assert Cost.total(layers.values()).flops("operations") == clip_cost(tree, (1, 3, 6, 5)).flops("operations")
    assert layers["0"].items.keys() == {"residual"}


# -- a network of the size of X3D-M --------------------------------------------------------------------------------------


def block(channels: int, out: int, inner: int, stride: int, gated: bool) -> Residual:
    """1x1x1, depthwise 3x3x3, perhaps a gate, 1x1x1, around a shortcut."""
    main = [Conv(channels, inner, (1, 1, 1), bias=False), BatchNorm(inner), Activation("ReLU")]
    main += [Conv(inner, inner, (3, 3, 3), (1, stride, stride), 1, groups=inner, bias=False), BatchNorm(inner)]
    main += [SqueezeExcite(inner, max(8, inner // 16))] if gated else []
    main += [Activation("SiLU"), Conv(inner, out, (1, 1, 1), bias=False), BatchNorm(out)]
    same = (channels, stride) == (out, 1)
    return Residual(
        Sequential(tuple(main)), None if same else Conv(channels, out, (1, 1, 1), (1, stride, stride), bias=False)
    )


def large() -> Sequential:
    """Four stages of 3, 5, 11, 7 blocks."""
    layers, channels = [Conv(3, 24, (1, 3, 3), (1, 2, 2), (0, 1, 1), bias=False)], 24
    for width, depth in ((24, 3), (48, 5), (96, 11), (192, 7)):
        for i in range(depth):
            layers.append(block(channels, width, width * 9 // 4, 1 if i else 2, i % 2 == 0))
            channels = width
    return Sequential(tuple(layers))


def test_letters_in_a_large_network_stay_readable() -> None:
    network = large()
    clip = clip_cost(network, (1, 3, T, H, W)).macs()
    step = step_cost(network, (1, 3, T, H, W)).mean.macs()
    assert len(sympy.expand(clip).args) <= 10  # one term for each resolution in space, and the gates
    assert sympy.expand(clip - T * step) == 0
    assert clip.subs({T: 16, H: 224, W: 224}) == clip_cost(network, (1, 3, 16, 224, 224)).macs()


# -- ratios ------------------------------------------------------------------------------------------------------------

SAME = Sequential((Conv(2, 4, (5, 3), padding=(2, 1)), BatchNorm(4), Activation("ReLU"), Conv(4, 2, (3, 1), padding=(1, 0))))
STRIDED = Sequential((Conv(2, 4, (3, 3), 2, 1), Conv(4, 4, (3, 3), 2, 1)))


def test_a_network_that_keeps_its_length_saves_exactly_its_length() -> None:
    shape = (1, 2, T, W)
    assert reduction(clip_cost(SAME, shape), step_cost(SAME, shape)) == T
    assert reduction(clip_cost(SAME, (1, 2, 16, 8)), step_cost(SAME, (1, 2, 16, 8))) == Fraction(16)


def test_with_strides_a_step_has_phases_and_the_saving_is_still_the_length() -> None:
    shape = (1, 2, 16, 12)
    steps = step_cost(STRIDED, shape)
    assert steps.period == 4
    assert clip_cost(STRIDED, shape).macs() == 16 * steps.mean.macs()
    work = [cost.macs() for cost in steps.phases]
    first, second = 4 * 2 * 9 * 6, 4 * 4 * 9 * 3
    assert sorted(work) == [0, 0, first, first + second]
    assert steps.worst.macs() == first + second


def test_padding_in_time_is_multiplied_in_clip_mode_only() -> None:
    layer, shape = Conv(1, 1, (3, 1), padding=(1, 0), bias=False), (1, 1, T, W)
    assert sympy.expand(clip_cost(layer, shape, padding="effective").macs() - (3 * T - 2) * W) == 0
    assert limit(reduction(clip_cost(layer, shape, padding="effective"), step_cost(layer, shape)) / T, T) == 1


def test_the_saving_of_sliding_attention_is_bounded_by_the_projections_no_longer() -> None:
    layer = MultiheadAttention(8, 2, mode="sliding", window=16)
    ratio = reduction(clip_cost(layer, (1, T, 8)), step_cost(layer, (1, T, 8)))
    assert limit(ratio, T) == sympy.oo
    assert limit(ratio / T**2, T) == Fraction(2 * 8, 4 * 8 * 8 + 2 * 16 * 8)


def test_per_frame_of_a_clip_is_the_step() -> None:
    layer, shape = SAME, (1, 2, T, W)
    assert sympy.expand(per_frame(clip_cost(layer, shape).macs(), T) - step_cost(layer, shape).mean.macs()) == 0


def test_retroactive_attention_breaks_even_early() -> None:
    """A clip of N tokens costs 4 N E^2 + 2 N^2 E, a retroactive step 3 E^2 + (6 N - 4) E + N E^2."""
    saving = {n: clip_minus_step(n) for n in range(1, 12)}
    assert [n for n, difference in saving.items() if difference <= 0] == [1]


def clip_minus_step(window: int) -> int:
    layer = MultiheadAttention(4, 1, mode="full", window=window)
    return clip_cost(layer, (1, window, 4)).macs() - step_cost(layer, (1, window, 4)).mean.macs()


def test_break_even_is_the_first_length_that_saves() -> None:
    layer = TransformerEncoderLayer(4, 2, 8, mode="sliding", window=8)
    shortest = break_even(layer, (1, T, 4), T)
    assert shortest is not None
    work = {t: clip_cost(layer, (1, t, 4)).macs() for t in (shortest - 1, shortest)}
    step = step_cost(layer, (1, 8, 4)).mean.macs()
    assert work[shortest - 1] <= step < work[shortest]
    assert first_above(3 * T, 10 * T, T, 1 << 10) is None


def test_a_ratio_to_nothing_is_an_error() -> None:
    layer, shape = Activation("ReLU"), (1, 2, 3, 4)
    with pytest.raises(CostError, match="a step costs nothing under the convention macs"):
        reduction(clip_cost(layer, shape), step_cost(layer, shape))
    assert reduction(clip_cost(layer, shape), step_cost(layer, shape), "operations") == 3


def test_letters_in_space_cancel() -> None:
    layer = Conv(3, 8, (3, 3, 3), padding=1)
    assert reduction(clip_cost(layer, (1, 3, T, H, W)), step_cost(layer, (1, 3, T, H, W))) == T


def test_the_name_of_a_count_is_no_class() -> None:
    with pytest.raises(CostError, match="class of operators"):
        Cost.of("flops")


def test_a_letter_may_stand_for_the_size_of_a_kernel() -> None:
    size = sympy.Symbol("K", positive=True, integer=True)
    macs = clip_cost(Conv(3, 8, (size, 1, 1)), (1, 3, T, H, W)).macs()
    assert macs.subs({size: 2, T: 5, H: 3, W: 3}) == clip_cost(Conv(3, 8, (2, 1, 1)), (1, 3, 5, 3, 3)).macs()
