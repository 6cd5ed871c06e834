"""Four roads to one number: closed form = enumeration = operations counted in the reference = operations seen at torch's
dispatcher, with numbers and with letters, over random layers and networks.
"""

import itertools

import pytest
import sympy
import torch
from hypothesis import assume, event, given, settings

from coequal.continual.conversion import convert
from coequal.continual.module import Stream
from coequal.continual.to_torch import regular
from coequal.equivalence.campaigns import architectures as strategies
from coequal.equivalence.campaigns.architectures import architectures, operators
from coequal.equivalence.campaigns.contents import Architecture
from coequal.proofs.cost import LETTERS, Cost, CostError, NotStreamable, clip_cost, domains, output_shape, step_cost
from coequal.proofs.cost.algebra.conventions import OPERATIONS
from coequal.proofs.cost.algebra.counts import evaluated
from coequal.proofs.cost.executed import numpy_counter as counting_array
from coequal.proofs.cost.executed.counter import count
from coequal.proofs.cost.executed.fake_tensors import clip_executed
from coequal.proofs.cost.executed.stream import steps_executed
from coequal.proofs.cost.formulas.dispatch import parts, time_axis
from coequal.reference.conv import Conv
from coequal.reference.linear import Embedding
from coequal.reference.transformer import TransformerEncoder

few = settings(max_examples=12)
fewer = settings(max_examples=5)  # torch's symbolic sizes take seconds
AXES = {(2, 5): "BCTHW", (2, 4): "BCTW", (2, 3): "BCT", (1, 3): "BTE", (1, 2): "BT"}


def some(operator: str) -> settings:
    """Of an operator that has an example and no strategy only the sizes are drawn: fewer say as much."""
    return few if operator in strategies.OPERATORS else fewer


def layers(layer, shape, times=1):
    """The layer and every one inside, with the clip it gets and how often it runs: domains of what is inside are its own."""
    yield layer, shape, times
    for part in parts(layer, shape):
        yield from layers(part.layer, part.shape, times * part.times)


def letters_of(drawn: Architecture) -> str:
    return AXES[time_axis(drawn.layer) if len(drawn.shape) > 2 else 1, len(drawn.shape)]


def lettered(drawn: Architecture) -> tuple[tuple, dict[str, int]]:
    """The shape with letters for batch, time and space; and their values."""
    named = list(zip(letters_of(drawn), drawn.shape, strict=True))
    shape = tuple(LETTERS[letter] if letter not in "CE" else size for letter, size in named)
    return shape, {letter: size for letter, size in named if letter not in "CE"}


def in_letters(drawn: Architecture, shape: tuple, padding: str) -> Cost | None:
    """The cost for letters; None where the number of windows depends on the size, which is refused."""
    try:
        return clip_cost(drawn.layer, shape, padding=padding)
    except CostError as error:
        if "ceil_mode" not in str(error):
            raise
        return None


def clip_module(drawn: Architecture) -> torch.nn.Module:
    """The torch twin. For mode "single" ours that streams: plain torch computes all tokens and drops most of them."""
    module = strategies.twin(drawn.layer, strategies.weights(drawn.layer, 0))
    return convert(module) if "mode='single'" in repr(drawn.layer) else module


@pytest.mark.parametrize("operator", sorted(operators()))
@pytest.mark.parametrize("padding", ["nominal", "effective"])
def test_closed_form_is_enumeration(operator: str, padding: str) -> None:
    @some(operator)
    @given(architectures(operator))
    def check(drawn: Architecture) -> None:
        enumerated = 0
        for layer, shape, times in layers(drawn.layer, drawn.shape):
            for name, domain in domains(layer, shape, padding).items():
                assert domain.count() == domain.enumerated(), name
                enumerated += times * domain.enumerated() if name != "pool" else 0
        assert clip_cost(drawn.layer, drawn.shape, padding=padding).macs() == enumerated

    check()


@pytest.mark.parametrize("operator", sorted(operators()))
def test_closed_form_is_what_the_reference_does(operator: str) -> None:
    """Not only multiply-adds: every addition, division, exponential and comparison."""

    @some(operator)
    @given(architectures(operator))
    def check(drawn: Architecture) -> None:
        tokens = strategies.clip(drawn, 0) if isinstance(drawn.layer, Embedding) else None
        tally = counting_array.count(drawn.layer, drawn.shape, tokens)
        cost = clip_cost(drawn.layer, drawn.shape)
        assert {name: getattr(cost, name) for name in OPERATIONS} == {name: tally.nominal[name] for name in OPERATIONS}

    check()


@few
@given(architectures("conv"))
def test_effective_is_what_the_reference_does_to_elements_that_are_there(drawn: Architecture) -> None:
    assume(isinstance(drawn.layer, Conv) and not drawn.layer.bias)
    tally = counting_array.count(drawn.layer, drawn.shape)
    cost = clip_cost(drawn.layer, drawn.shape, padding="effective")
    assert (cost.mul, cost.add) == (tally.effective["mul"], tally.effective["add"])
    event("padding is skipped" if cost.mul < tally.nominal["mul"] else "nothing to skip")


@pytest.mark.parametrize("operator", sorted(operators()))
def test_closed_form_is_what_torch_dispatches(operator: str) -> None:
    """Really run, and on fake tensors."""

    @some(operator)
    @given(architectures(operator))
    def check(drawn: Architecture) -> None:
        assume(not (isinstance(drawn.layer, TransformerEncoder) and drawn.layer.num_layers == 1))  # ours shares projections
        module, clip = clip_module(drawn), torch.as_tensor(strategies.clip(drawn, 0))
        derived = clip_cost(drawn.layer, drawn.shape).macs()
        assert count(lambda: module(clip), module).cost.macs() == derived
        assert clip_executed(module, clip).cost.macs() == derived

    check()


@pytest.mark.parametrize("operator", sorted(operators()))
@pytest.mark.parametrize("padding", ["nominal", "effective"])
def test_letters_give_the_same_as_numbers(operator: str, padding: str) -> None:
    @some(operator)
    @given(architectures(operator))
    def check(drawn: Architecture) -> None:
        shape, values = lettered(drawn)
        symbolic = in_letters(drawn, shape, padding)
        assume(symbolic is not None)
        cost = clip_cost(drawn.layer, drawn.shape, padding=padding)
        assert evaluated(symbolic.macs(), values) == cost.macs()
        assert evaluated(symbolic.moved(), values) == cost.moved()
        shapes = output_shape(drawn.layer, shape)
        assert tuple(evaluated(size, values) for size in shapes) == drawn.layer.output_shape(drawn.shape)

    check()


@pytest.mark.parametrize(
    "operator",
    [
        "attention",
        "class_token",
        "conv",
        "compose",
        "decoder",
        "linear",
        "pathways",
        "pool",
        "squeeze_excite",
        "transformer",
    ],
)
def test_torch_with_letters_gives_our_expression(operator: str) -> None:
    @fewer
    @given(architectures(operator))
    def check(drawn: Architecture) -> None:
        assume(drawn.layer.time is not None and "mode='single'" not in repr(drawn.layer))
        shape, _ = lettered(drawn)
        shape = tuple(size if given > 1 else 1 for size, given in zip(shape, drawn.shape, strict=True))  # 1 is no letter
        module, clip = clip_module(drawn), torch.as_tensor(strategies.clip(drawn, 0))
        cost = in_letters(drawn, shape, "nominal")
        assume(cost is not None)
        derived = cost.macs()
        executed = clip_executed(module, clip, letters_of(drawn))
        assume(not executed.fixed)  # torch makes a number of T in `unfold`
        assert sympy.expand(sympy.sympify(executed.cost.macs()) - derived) == 0
        event("in letters" if not isinstance(derived, int) else "a number")

    check()


# they need the whole clip
WHOLE = {"adaptive_kernel", "class_token", "decoder", "multiview", "non_local", "pathways", "pooling_attention"}


@pytest.mark.parametrize("operator", sorted(WHOLE))
def test_what_needs_the_whole_clip_has_no_cost_of_a_step(operator: str) -> None:
    @some(operator)
    @given(architectures(operator))
    def check(drawn: Architecture) -> None:
        with pytest.raises(NotStreamable, match="needs the whole clip, so a step of it has no cost"):
            step_cost(drawn.layer, drawn.shape)

    check()


@pytest.mark.parametrize("operator", sorted(set(operators()) - WHOLE - {"qkv_attention"}))  # full, or causal
def test_a_step_of_ours_executes_its_formula(operator: str) -> None:
    """Mean and worst over the period. Retroactive attention of ours does more, so as never to subtract."""

    @some(operator)
    @given(architectures(operator))
    def check(drawn: Architecture) -> None:
        assume(drawn.layer.timing is not None and "causal" not in repr(drawn.layer))
        module = convert(regular(drawn.layer).double().eval(), window=drawn.window)
        frames = torch.as_tensor(strategies.clip(drawn, 0)).unbind(time_axis(drawn.layer) if len(drawn.shape) > 2 else 1)
        stream = Stream(module)
        longest = getattr(drawn.layer, "longest", None) or 1024
        stepped = steps_executed(stream.push, itertools.cycle(frames), module, limit=longest)
        derived = step_cost(drawn.layer, drawn.shape)
        if retroactive(drawn):
            assert stepped.mean() >= derived.mean.macs()
        else:
            assert (stepped.mean(), stepped.worst()) == (derived.mean.macs(), derived.worst.macs())
            event(f"period {derived.period}")

    check()


def retroactive(drawn: Architecture) -> bool:
    text = repr(drawn.layer)
    return "mode='full'" in text or ("TransformerEncoder(" in text and "mode='single'" in text)


@pytest.mark.parametrize("length", [1, 2, 5, 9])
def test_causal_attention_at_token_t(length: int) -> None:
    from coequal.reference.attention import MultiheadAttention

    layer = MultiheadAttention(6, 2, mode="causal")
    stream = Stream(convert(regular(layer).eval()))
    for _ in range(length):
        executed = count(lambda: stream.push(torch.randn(1, 6)))
    assert executed.cost.macs() == step_cost(layer, (1, length, 6)).mean.macs() == 4 * 6 * 6 + 2 * length * 6
