"""Bytes, memory, energy, roofline."""

from fractions import Fraction

import pytest

from coequal.proofs.cost import clip_cost, state_size, step_cost
from coequal.proofs.cost.savings.machine import (
    EYERISS,
    Machine,
    energy,
    frames_per_weight_load,
    intensity,
    state_bytes,
    traffic,
)
from coequal.reference import recurrent
from coequal.reference.attention import MultiheadAttention
from coequal.reference.compose import Residual
from coequal.reference.conv import Conv
from coequal.reference.linear import Linear
from coequal.reference.pool import AvgPool

CONV = Conv(8, 8, (3, 3, 3), padding=1, bias=False)
SHAPE = (1, 8, 16, 7, 7)
FRAME = 8 * 7 * 7


def test_compulsory_traffic_of_a_clip() -> None:
    cost = clip_cost(CONV, SHAPE)
    assert traffic(cost) == 4 * (2 * 16 * FRAME + 8 * 8 * 27)
    assert intensity(cost) == Fraction(16 * FRAME * 8 * 27, traffic(cost))


def test_a_step_reads_all_weights_for_one_frame_and_touches_its_state() -> None:
    step = step_cost(CONV, SHAPE).mean
    assert (step.reads, step.writes, step.weights) == (FRAME, FRAME, 8 * 8 * 27)
    assert step.traffic == 3 * FRAME  # one frame kept, two read
    assert state_size(CONV, SHAPE) == 2 * FRAME
    assert state_bytes(CONV, SHAPE, width=2) == 4 * FRAME


def test_a_pool_keeps_frames_that_are_pooled_over_space() -> None:
    layer = AvgPool((4, 7, 7), (1, 1, 1))
    step = step_cost(layer, SHAPE).mean
    assert (step.reads, step.writes, step.traffic) == (FRAME, 8, 4 * 8)  # one kept, three read
    assert state_size(layer, SHAPE) == 3 * 8
    assert (step.add, step.div) == (8 * 48 + 8 * 3, 8)


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_a_recurrent_step_reads_and_writes_its_state(kind: str) -> None:
    layer = getattr(recurrent, kind)(3, 5, num_layers=2)
    kept = 2 * 5 * (2 if kind == "LSTM" else 1)
    assert state_size(layer, (1, 9, 3)) == kept
    assert step_cost(layer, (1, 9, 3)).mean.traffic == 2 * kept


@pytest.mark.parametrize(("mode", "kept"), [("sliding", 2 * 7 * 6), ("full", 7 * (4 * 6 + 2))])
def test_attention_keeps_keys_and_values_of_the_others(mode: str, kept: int) -> None:
    assert state_size(MultiheadAttention(6, 2, mode=mode, window=8), (1, 8, 6)) == kept


def test_a_shortcut_keeps_the_frames_that_its_branch_delays() -> None:
    layer = Residual(Conv(8, 8, (5, 1, 1), padding=(2, 0, 0)))
    assert state_size(layer, SHAPE) == 4 * FRAME + 2 * FRAME


def test_energy_is_what_the_table_says() -> None:
    cost = clip_cost(Linear(4, 3, bias=False), (1, 5, 4))
    moved = 5 * 4 + 5 * 3 + 12
    assert energy(cost) == 60 + 200 * moved
    assert energy(cost, {"mac": 2, "sram": 3}, "sram") == 120 + 3 * moved


@pytest.mark.parametrize("every", [1, 2, 4, 8])
def test_break_even_of_weight_loads_is_where_the_energies_meet(every: int) -> None:
    """With F frames for each load, w / F replaces w: at F both sides are equal."""
    clip, step = clip_cost(CONV, SHAPE), step_cost(CONV, SHAPE).mean
    frames = frames_per_weight_load(clip, step, every=every)
    assert frames is not None
    shared = step.macs() + EYERISS["dram"] * (step.moved() - step.weights + step.weights / frames)
    assert shared == Fraction(energy(clip), every)


def test_a_step_that_saves_work_can_cost_energy() -> None:
    """Weights that outweigh the frame: with a prediction every 12 frames the step needs several frames for each load."""
    layer, shape = Linear(512, 512, bias=False), (1, 16, 512)
    clip, step = clip_cost(layer, shape), step_cost(layer, shape).mean
    every = 12
    assert step.macs() < clip.macs() / every
    assert energy(step) > energy(clip) / every
    frames = frames_per_weight_load(clip, step, every=every)
    assert frames is not None
    assert frames > 1


def test_no_number_of_frames_helps_where_the_rest_costs_more() -> None:
    clip, step = clip_cost(CONV, SHAPE), step_cost(CONV, SHAPE).mean
    assert frames_per_weight_load(clip, step, every=10_000) is None


def test_roofline() -> None:
    machine = Machine("test", macs=100.0, bytes=10.0)
    assert machine.ridge == 10
    cost = clip_cost(Linear(4, 3, bias=False), (1, 5, 4))
    assert machine.seconds(cost) == traffic(cost) / 10 > cost.macs() / 100
