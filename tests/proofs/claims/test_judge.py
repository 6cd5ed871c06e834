"""The verdicts, and what they are for the tables of two papers."""

import dataclasses
import re
from fractions import Fraction

import pytest

from coequal.proofs.claims.claim import BadClaims, Claim, published
from coequal.proofs.claims.judge import FAILS, HOLDS, UNDER, UNKNOWN, Judgement, count, judge, rounded
from coequal.systems.catalogue import SYSTEMS

CLAIM = Claim(
    "paper", "net", "clip", "3x4x160x160", "flops", "0.64", "G", "its own", "table", "yes", "X3D-XS", "macs ptflops", "note"
)  # fmt: skip


def one(**changes: str) -> Judgement:
    (judgement,) = judge([dataclasses.replace(CLAIM, **changes)])
    return judgement


def test_it_holds_plainly() -> None:
    """0.605256512 G multiply-adds."""
    found = one(published="0.61")
    assert (found.verdict, found.text, found.shown()) == (HOLDS, "holds", "0.61")
    assert found.derived == Fraction(605256512, 10**9)
    assert found.why == "macs: multiply-adds of convolutions, linear maps and attention; note"


def test_it_holds_under_a_convention() -> None:
    """0.635560544 G with biases, norms, ReLUs and pools."""
    found = one()
    assert (found.verdict, found.text, found.shown()) == (UNDER, "holds under convention ptflops", "0.64")
    assert found.why.startswith("ptflops: multiply-adds and biases")
    assert "; macs: 0.61; note" in found.why


def test_it_does_not_hold() -> None:
    found = one(published="0.65")
    assert (found.verdict, found.text, found.shown()) == (FAILS, "does not hold", "0.64")
    assert found.derived == Fraction(635560544, 10**9)


def test_digits_that_tell_apart_are_shown() -> None:
    """What was printed by cutting off and what is derived by rounding may need a digit more to differ."""
    found = Judgement(CLAIM, FAILS, Fraction("0.6351"))
    assert found.shown() == "0.635"


def test_nothing_follows() -> None:
    found = one(counters="", network="", why="measured")
    assert (found.verdict, found.derived, found.shown(), found.why) == (UNKNOWN, None, "", "measured")
    assert found.to_dict()["derived"] is None


def test_a_last_digit_more_or_less_is_another_number() -> None:
    exact = "0.635560544"
    assert one(published=exact).verdict == UNDER
    assert one(published="0.635560543").verdict == FAILS
    assert one(published="0.635560545").verdict == FAILS


def test_other_inputs_other_numbers() -> None:
    """The published clip is 3x4x160x160; at a larger crop it costs more."""
    assert one(input="3x4x182x182").derived != one().derived
    assert one(input="4 frames").derived == one().derived
    views, view = (one(input=shape, counters="macs").derived for shape in ("30x3x4x160x160", "3x4x160x160"))
    assert views == 30 * view


def test_parameters() -> None:
    assert one(quantity="params", unit="M", published="3.794322", counters="trainable").verdict == HOLDS
    more = one(quantity="params", unit="M", published="3.794422", counters="trainable all+100")
    assert more.text == "holds under convention all+100"
    weights = one(quantity="params", unit="M", published="0", counters="weights").derived
    assert weights is not None
    assert 0 < weights < Fraction(3794322, 10**6)


def test_a_reduction_of_multiply_adds_takes_the_mean_step() -> None:
    """CoI3D: stages behind the pool of stride 2 run in every other step."""
    found = one(quantity="reduction", unit="x", published="8.0", network="I3D-R50 / CoI3D_8", counters="macs counted")
    assert found.verdict == HOLDS
    assert found.derived == count(SYSTEMS["I3D-R50"], "macs", "clip") / count(SYSTEMS["CoI3D_8"], "macs", "step")


def test_a_network_alone_is_its_clip_over_its_step() -> None:
    found = one(quantity="reduction", unit="x", published="12.87", network="CoX3D-S_13", counters="macs")
    assert found.verdict == HOLDS
    assert found.derived == one(quantity="reduction", unit="x", network="CoX3D-S_13 / CoX3D-S_13", counters="macs").derived


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"published": "0.61"}, "holds"),
        ({}, "holds under convention ptflops"),
        ({"published": "0.64", "network": "CoX3D-S_13", "mode": "step"}, "does not hold"),
        ({"published": "0.166565305", "network": "CoX3D-S_13", "mode": "step"}, "holds under convention ptflops-step"),
        ({"quantity": "params", "unit": "M", "published": "3.79"}, "holds"),
        (
            {"quantity": "reduction", "unit": "x", "published": "12.4", "network": "CoX3D-S_13"},
            "holds under convention counted",
        ),
    ],
)
def test_without_counters_all_are_tried(changes: dict[str, str], verdict: str) -> None:
    assert one(**{"input": "as published", "counters": "", "why": ""} | changes).text == verdict


def test_a_reduction_of_cells_divides_what_is_printed() -> None:
    step = dataclasses.replace(CLAIM, network="CoX3D-S_64", published="170", unit="M", mode="step", input="-")
    clip = dataclasses.replace(CLAIM, network="X3D-S", published="2.06", input="-")
    ratio = dataclasses.replace(
        CLAIM, quantity="reduction", unit="x", published="12.1", network="X3D-S / CoX3D-S_64", counters="macs counted cells"
    )
    assert judge([ratio, step, clip])[0].text == "holds under convention cells"
    assert judge([ratio, step, clip])[0].derived == Fraction(206, 17)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"network": "I4D"}, "net: network 'I4D' is not in the catalogue; `coequal systems` lists it"),
        ({"counters": "guess"}, "counter 'guess' is not known; expected one of macs, fvcore, mmengine, ptflops"),
        (
            {"quantity": "params", "unit": "M", "counters": "guess"},
            "counter 'guess' is not known; expected one of trainable",
        ),
        ({"quantity": "params", "unit": "M", "counters": "all+many"}, "counter 'all+many' is not known"),
        ({"quantity": "reduction", "unit": "x", "counters": "guess"}, "counter 'guess' is not known of a reduction"),
        ({"quantity": "reduction", "unit": "x", "counters": "macs"}, "X3D-XS has no step"),
        ({"quantity": "memory", "unit": "MiB", "counters": "", "why": ""}, "net: memory is measured, not derived"),
        ({"quantity": "memory", "unit": "MiB"}, "net: memory is measured, not derived: leave counters empty and say why"),
        ({"mode": "step"}, "X3D-XS has no step: squeeze-and-excite over the whole clip"),
        (
            {"quantity": "reduction", "unit": "x", "counters": "cells", "network": "X3D-S / CoX3D-S_64"},
            "net: no printed number of X3D-S to divide",
        ),
    ],
)
def test_claims_that_make_no_sense(changes: dict[str, str], message: str) -> None:
    with pytest.raises(BadClaims) as caught:
        one(**changes)
    assert message in str(caught.value)


# -- the tables of two papers --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def judged() -> list[Judgement]:
    """All published numbers."""
    return judge(published())


def table(judgements: list[Judgement], *names: str) -> list[Judgement]:
    return [j for j in judgements if j.claim.source.startswith(names)]


def cells(judgements: list[Judgement], quantity: str) -> list[Judgement]:
    return [j for j in judgements if j.claim.quantity == quantity]


def test_every_cell_of_the_main_table_of_co3d_is_judged(judged: list[Judgement]) -> None:
    """21 rows. RCU is quoted from elsewhere; of the rest one cell does not follow: parameters that are its own FLOPs."""
    main = table(judged, "main results table of the Co3D paper")
    flops, params = cells(main, "flops"), cells(main, "params")
    assert len(flops) == len(params) == 21
    assert {j.text for j in flops if j.claim.mode == "clip"} == {"holds under convention ptflops"}
    assert {j.text for j in flops if j.claim.mode == "step" and j.derived} == {"holds under convention ptflops-step"}
    assert [(j.claim.model, j.shown()) for j in params if j.verdict == FAILS] == [("SlowFast-8x8-R50", "34.57")]
    assert {j.claim.model for j in flops + params if j.verdict == UNKNOWN} == {"RCU_8"}
    assert sum(j.verdict == HOLDS for j in params) == 19


def test_every_cell_of_the_tables_of_continual_transformers_is_judged(judged: list[Judgement]) -> None:
    """28 cells: 22 with a number for 12 networks of table 6 (two of them twice) and 10 of table 7."""
    tables = table(judged, "Table 6", "Table 7")
    assert len(tables) == 22
    wrong = {(j.claim.model, j.claim.published, j.shown()) for j in tables if j.verdict == FAILS}
    assert wrong == {
        ("OadTR [4] [A.Net]", "2445.6", "2446.4"),
        ("OadTR(dagger) [A.Net]", "2445.6", "2446.4"),
        ("OadTR-b [A.Net]", "1008.1", "1008.6"),
        ("OadTR-b1 [Kin.]", "673.0", "672.8"),
        ("OadTR [Kin.+AudioSet]", "2781.9", "2782.0"),
    }
    assert all(j.verdict in (HOLDS, UNDER) for j in tables if (j.claim.model, j.claim.published, j.shown()) not in wrong)


def test_headline_reductions(judged: list[Judgement]) -> None:
    found = {(j.claim.model, j.claim.published): j.text for j in judged if j.claim.quantity == "reduction" and j.derived}
    assert found == {
        ("CoX3D vs X3D (min over S/M/L)", "12.1"): "holds under convention cells",
        ("CoX3D vs X3D (max over S/M/L)", "15.3"): "holds under convention cells",
        ("CoX3D-S", "12.1"): "holds under convention cells",
        ("CoX3D-M", "15.1"): "holds under convention cells",
        ("CoX3D-L", "15.3"): "holds under convention cells",
        ("CoSlow", "8.0"): "holds",
        ("CoI3D", "5.0"): "holds under convention counted",
        ("CoOadTR-b1 vs OadTR-b1", "63"): "holds under convention counted",
        ("CoOadTR-b1 vs OadTR-b1 [Kin.]", "63.5"): "holds under convention cells",
        ("CoOadTR-b2 vs OadTR-b2", "2.6"): "holds under convention counted",
        ("CoST-GCN", "107.7"): "does not hold",  # 107.57
        ("CoST-GCN (third row)", "107.6"): "does not hold",  # 107.40
        ("CoA-GCN", "108.7"): "holds under convention ptflops",
    }


def test_why_63_5_is_a_ratio_with_a_wrong_cell(judged: list[Judgement]) -> None:
    (found,) = [j for j in judged if j.claim.published == "63.5"]
    assert found.derived == Fraction(6730, 106)
    assert "counted: 63.20" in found.why
    assert "673.0 of OadTR-b1 [Kin.] does not follow" in found.why


def test_clips_that_a_reason_names_have_the_printed_number(judged: list[Judgement]) -> None:
    """Where a zoo prints one size of the clip and counts another: the other one is counted."""
    said = [(j, re.search(r"clips of (\d+) x \1 have this many", j.why)) for j in judged]
    found = {(j.claim.model, int(size[1])): j for j, size in said if size}
    assert {model for model, _ in found} == {"R(2+1)D-34", "R(2+1)D-152", "ir-CSN-152", "ip-CSN-152"}
    for (_, side), j in found.items():
        assert j.verdict == FAILS
        system = SYSTEMS[j.claim.network]
        there = count(system, "macs", "clip", (*system.shape[:3], side, side)) / j.claim.scale
        assert rounded(there, j.claim.value.as_tuple().exponent) == j.claim.value


def test_the_nearest_counter_is_told_where_none_holds() -> None:
    assert one(published="0.62").convention == "macs"  # 0.605 and 0.636
    assert one(published="0.63").convention == "ptflops"


def test_a_window_of_cox3d_costs_its_log_432_a_frame(judged: list[Judgement]) -> None:
    """What the data file says of the counts that do not hold."""
    logged = {j.claim.model: j for j in judged if j.claim.model.startswith("CoX3D-") and "432, the channels" in j.why}
    assert len(logged) == 10
    for name, j in logged.items():
        size, _, window = name.removeprefix("CoX3D-").partition("_")
        trained = {"S": 13}.get(size, 16)
        assert j.claim.value * 10**9 - 432 * (int(window) - trained) == j.derived * 10**9


def test_every_reason_says_what_was_counted(judged: list[Judgement]) -> None:
    for j in judged:
        assert j.why, j.claim.model
        if j.derived is not None:
            assert j.why.startswith(f"{j.convention}: ")
        if j.verdict == FAILS:
            assert j.shown() != j.claim.published
