"""What Theorem 5 is stated with: states that are copied and taken apart, a clip in two parts."""

from collections import namedtuple

import torch
from torch import nn

from coequal.proofs.theorems.recurrence import copied, in_parts, leaves

Pair = namedtuple("Pair", "hidden cell")


def test_a_copied_state_shares_nothing() -> None:
    state = {"a": [torch.ones(2), None], "b": Pair(torch.zeros(1), (3,))}
    twin = copied(state)
    twin["a"][0].fill_(5)
    assert state["a"][0].tolist() == [1, 1]
    assert type(twin["b"]) is Pair
    assert twin["b"].cell == (3,)


def test_leaves_have_their_paths() -> None:
    state = {"a": [1, None], "b": (2,)}
    assert list(leaves(state)) == [("state['a'][0]", 1), ("state['a'][1]", None), ("state['b'][0]", 2)]


def test_a_recurrent_layer_in_two_parts_is_the_layer() -> None:
    layer = nn.LSTM(2, 3, batch_first=True).double()
    x = torch.randn(1, 7, 2, dtype=torch.float64)
    whole, after = layer(x)
    for at in range(1, 7):
        output, there = in_parts(layer, x[:, :at], x[:, at:], 1)
        assert torch.allclose(whole, output)
        assert all(torch.allclose(a, b) for a, b in zip(after, there, strict=True))


def test_one_that_does_not_go_on_is_told() -> None:
    def cumulated(x: torch.Tensor, state: object) -> tuple[torch.Tensor, torch.Tensor]:
        return x.cumsum(1), x.sum(1)  # from nothing, whatever the state

    x = torch.ones(1, 5, dtype=torch.float64)
    assert not torch.equal(in_parts(cumulated, x[:, :2], x[:, 2:], 1)[0], cumulated(x, None)[0])
