"""Peak of activations: by hand, and what is alive in torch while the same network runs."""

import pytest
import torch

from coequal.continual.to_torch import regular
from coequal.proofs.cost import H, T, W
from coequal.proofs.cost.executed.counter import count
from coequal.proofs.cost.savings.activations import peak_activation, step_activation
from coequal.reference.activation import Activation
from coequal.reference.attention import MultiheadAttention
from coequal.reference.compose import Identity, Parallel, Residual, Sequential
from coequal.reference.conv import Conv
from coequal.reference.decoder import QueryDecoder
from coequal.reference.layer import Layer
from coequal.reference.linear import Linear
from coequal.reference.multiview import MultiviewEncoder, View
from coequal.reference.pathways import Pathways
from coequal.reference.pool import AvgPool
from coequal.reference.pooling_attention import PoolingBlock, PoolingEncoder
from coequal.reference.tokens import Tokens
from coequal.reference.transformer import TransformerEncoder, TransformerEncoderLayer

RELU, FRAME = Activation("ReLU"), 8 * 7 * 7
SHAPE, CLIP = (1, 8, 16, 7, 7), 16 * FRAME
WIDE = Sequential((Conv(8, 32, (1, 1, 1)), RELU, Conv(32, 8, (1, 1, 1))))
CONV = Conv(8, 8, (3, 3, 3), padding=1, bias=False)


def test_in_sequence_each_frees_its_input() -> None:
    assert peak_activation(WIDE, SHAPE) == (4 + 4) * CLIP
    assert peak_activation(WIDE, SHAPE, keep=True) == (1 + 4 + 4) * CLIP
    assert step_activation(WIDE, SHAPE) == 8 * FRAME


def test_a_shortcut_waits() -> None:
    assert peak_activation(Residual(WIDE), SHAPE) == (1 + 4 + 4) * CLIP
    assert peak_activation(Parallel((WIDE, WIDE)), SHAPE) == (1 + 4 + 4) * CLIP  # the second branch frees the clip
    assert peak_activation(Parallel((WIDE, WIDE, WIDE)), SHAPE) == (1 + 1 + 4 + 4) * CLIP
    assert peak_activation(Residual(RELU), SHAPE) == 3 * CLIP
    assert step_activation(Residual(WIDE), SHAPE) == 9 * FRAME


TWO = Pathways(
    4, (Conv(8, 8, (1, 1, 1)), AvgPool((4, 7, 7))), (Conv(8, 2, (1, 1, 1)), AvgPool((16, 7, 7))),
    (Conv(2, 4, (1, 1, 1), (4, 1, 1)),),
)  # fmt: skip
ALIVE: dict[str, tuple[Layer, tuple[int, ...]]] = {
    "in sequence": (WIDE, SHAPE),
    "shortcut": (Residual(WIDE), SHAPE),
    "shortcut with a layer": (Sequential((RELU, Residual(WIDE, Conv(8, 8, (1, 1, 1))), RELU)), SHAPE),
    "two shortcuts": (Sequential((Residual(WIDE), Residual(WIDE))), SHAPE),
    "plain shortcut first": (Parallel((Identity(), WIDE)), SHAPE),
    "concatenated": (Parallel((WIDE, CONV), "concatenate"), SHAPE),
    "nested": (Residual(Sequential((RELU, Residual(WIDE)))), SHAPE),
    "pathways": (TWO, SHAPE),
}


@pytest.mark.parametrize("name", ALIVE)
def test_what_is_alive_in_torch(name: str) -> None:
    """The caller keeps the clip; torch's counter sees what is made from it."""
    layer, shape = ALIVE[name]
    module, clip = regular(layer).eval(), torch.randn(shape)
    assert count(lambda: module(clip), module).peak == peak_activation(layer, shape, keep=True) - clip.numel()


def test_attention_holds_tokens_keys_values_queries_and_scores() -> None:
    assert peak_activation(MultiheadAttention(8, 2), (1, 100, 8)) == 4 * 100 * 8 + 2 * 100 * 100
    assert step_activation(MultiheadAttention(8, 2, mode="sliding", window=10), (1, 100, 8)) == 4 * 8 + 2 * 10


@pytest.mark.parametrize("first", [True, False])
def test_a_transformer_layer_holds_its_tokens_while_the_perceptron_runs(first: bool) -> None:
    layer = TransformerEncoderLayer(8, 2, 64, norm_first=first)
    assert peak_activation(layer, (1, 5, 8)) == 5 * (8 + 64 + 64)
    assert peak_activation(layer, (1, 5, 8), keep=True) == 5 * (8 + 8 + 64 + 64)
    attention = 4 * 100 * 8 + 2 * 100 * 100
    assert peak_activation(layer, (1, 100, 8)) == attention + (100 * 8 if first else 0)


def test_a_stack_that_sees_new_windows_holds_them() -> None:
    layer = TransformerEncoderLayer(8, 2, 64, mode="single", window=6)
    assert step_activation(TransformerEncoder(layer, 1), (1, 9, 8)) == 8 + 64 + 64
    assert step_activation(TransformerEncoder(layer, 2), (1, 9, 8)) == 6 * (8 + 64 + 64)


def test_a_decoder_holds_the_tokens_and_what_they_are_projected_to() -> None:
    assert peak_activation(QueryDecoder(8, 2, 8, 1, 3, 4), (1, 50, 8)) == 3 * 50 * 8 + 3 * (2 * 8 + 2 * 50)


def test_peaks_in_letters() -> None:
    assert peak_activation(CONV, (1, 8, T, H, W)) == 16 * T * H * W
    assert step_activation(Sequential((CONV, AvgPool((1, 2, 2)))), (1, 8, T, H, W)) == 16 * H * W


def test_tokens_are_those_of_their_layer() -> None:
    """A linear map of 4 to 6 features, over 3 frames of 5 positions; a step has one of them."""
    inner = Linear(4, 6)
    for over in ("space", "time", "all"):
        assert peak_activation(Tokens(inner, over), (1, 4, 3, 5)) == 3 * 5 * (4 + 6)
    for over in ("space", "time"):
        assert step_activation(Tokens(inner, over), (1, 4, 3, 5)) == 5 * (4 + 6)


def test_pooling_attention_holds_its_scores() -> None:
    """Of 1 + 8 tokens of 4 features, in two heads, between the shortcut and two sets of rows."""
    layer = PoolingEncoder((PoolingBlock(4, 4, 2, None, None),), 2, 4)
    tokens = 9 * 4
    attention = tokens + 2 * tokens + 2 * tokens + 2 * 9 * 9
    perceptron = 6 * tokens
    assert peak_activation(layer, (1, 4, 2, 2, 2)) == max(attention, perceptron)


def test_views_wait_for_each_other() -> None:
    """Tokens of a group: 2 of 2 features; 4 of 3 features."""
    views = (View(2, 1, 2, 2, 1), View(3, 1, 3, 1, 1))
    layer = MultiviewEncoder(views, 1, (0,), 2, 1, 1)
    coarse, fine = 2 * 2, 4 * 3
    between = 2 * (coarse + fine) + 2 * 2 * 2 + 2 * 4 * 2 + 2 * 4
    block = peak_activation(views[1].block, (1, 4, 3))
    assert peak_activation(layer, (1, 1, 2, 1, 1)) == max(between, coarse + block)
