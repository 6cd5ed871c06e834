"""Arguments by what they are called."""

import pytest
from torch import nn

from coequal.subjects.drafts.names import asks_for_state, is_state
from coequal.subjects.drafts.signatures import roles, with_rows


@pytest.mark.parametrize(
    "name",
    ["cache", "state", "hidden", "hx", "past", "past_key_values", "conv_cache", "prev_hidden", "cache_params", "mems"],
)
def test_states(name: str) -> None:
    assert is_state(name)


@pytest.mark.parametrize(
    "name",
    [
        *("x", "mask", "cache_position", "encoder_hidden_states", "output_hidden_states", "use_cache", "return_state"),
        *("hidden_size", "num_states", "cache_len"),
    ],
)
def test_no_states(name: str) -> None:
    assert not is_state(name)


def test_what_asks_for_a_state() -> None:
    assert asks_for_state("use_cache")
    assert asks_for_state("return_next_prev_hidden")
    assert not asks_for_state("return_dict")


def test_roles() -> None:
    def forward(x, state, c, idx, context, inference=False, use_cache=None, mask=None, cache=True):  # type: ignore[no-untyped-def]
        pass

    found = roles(forward)
    assert [one.name for one in found.states] == ["state"]
    assert [one.name for one in found.switches] == ["inference"]
    assert [one.name for one in found.returning] == ["use_cache"]
    assert found.positions == ("idx",)
    assert found.others == ("c", "context")  # c is a state only beside h


def test_the_first_argument_is_the_input_whatever_it_is_called() -> None:
    def forward(hidden_states, cache=None):  # type: ignore[no-untyped-def]
        pass

    assert [one.name for one in roles(forward).states] == ["cache"]


def test_torchs_own() -> None:
    assert [one.name for one in roles(nn.LSTM(2, 2).forward).states] == ["hx"]
    assert roles(nn.MultiheadAttention(2, 1).forward).others == ("key", "value")


def test_methods_that_need_rows_at_most() -> None:
    assert with_rows(lambda: None) == ""
    assert with_rows(lambda batch_size: None) == "{rows}"
    assert with_rows(lambda width: None) is None
