"""Clips that a module may take."""

import pytest
import torch
from torch import nn

from coequal.subjects.drafts.layouts import given, layouts


@pytest.mark.parametrize(
    ("module", "axes", "sizes"),
    [
        (nn.LSTM(5, 3), "TBF", (12, 2, 5)),
        (nn.LSTM(5, 3, batch_first=True), "BTF", (2, 12, 5)),
        (nn.Conv1d(5, 3, 2), "BFT", (2, 5, 12)),
        (nn.Conv2d(5, 3, 2), "BFTH", (2, 5, 12, 8)),
        (nn.Conv3d(5, 3, 2), "BFTHW", (2, 5, 12, 8, 8)),
        (nn.Sequential(nn.Embedding(9, 5), nn.Linear(5, 3)), "BT", (2, 12)),
        (nn.Sequential(nn.Softmax(dim=1), nn.Linear(5, 3)), "BTF", (2, 12, 5)),
        (nn.Linear(2, 3), "BTF", (3, 12, 2)),  # as many rows as features could be mixed up
    ],
)
def test_the_first_layer_says(module: nn.Module, axes: str, sizes: tuple[int, ...]) -> None:
    first = layouts(module)[0]
    assert (first.axes, first.sizes) == (axes, sizes)
    assert tuple(first.example().shape) == sizes


def test_token_ids() -> None:
    (first, *_) = layouts(nn.Embedding(9, 5))
    assert not first.example().is_floating_point()
    assert int(first.example().max()) < 9


def test_what_the_user_gives_keeps_its_shape() -> None:
    clip = torch.randn(1, 7, 5)
    assert [each.axes for each in given(nn.Linear(5, 3), clip)] == ["BTF", "TBF", "BFT"]
    assert given(nn.Linear(5, 3), clip)[0].example() is clip
    assert given(nn.Linear(5, 3), (1, 7, 5))[0].sizes == (1, 7, 5)


def test_nothing_can_be_read() -> None:
    assert layouts(nn.ReLU()) == []
