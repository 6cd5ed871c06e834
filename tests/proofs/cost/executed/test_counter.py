"""The dispatch counter: no silent zeros, submodules, errors that name the operation, and nothing left behind."""

import itertools

import pytest
import torch
from torch import nn

from coequal.proofs.cost import CostError
from coequal.proofs.cost.executed.aten import Uncounted
from coequal.proofs.cost.executed.counter import count
from coequal.proofs.cost.executed.fake_tensors import clip_executed, faked
from coequal.proofs.cost.executed.stream import numbers_in, period_of, steps_executed


def test_attention_in_eval_mode_is_counted_where_torch_counts_nothing() -> None:
    """`nn.MultiheadAttention` has a fast path, and attention on CPU a fused kernel: torch's counter returns 0 for both."""
    from torch.utils.flop_counter import FlopCounterMode

    module, clip = nn.MultiheadAttention(8, 2, batch_first=True).eval(), torch.randn(1, 5, 8)
    with torch.no_grad(), FlopCounterMode(display=False) as theirs:
        module(clip, clip, clip, need_weights=False)
    executed = count(lambda: module(clip, clip, clip, need_weights=False), module)
    assert theirs.get_total_flops() < 2 * executed.cost.macs()
    assert executed.cost.macs() == 4 * 5 * 8 * 8 + 2 * 5 * 5 * 8


def test_transformer_encoder_layer_and_its_submodules() -> None:
    layer, clip = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval(), torch.randn(1, 5, 8)
    executed = count(lambda: layer(clip), layer)
    assert executed.modules["linear1"].macs() == executed.modules["linear2"].macs() == 5 * 8 * 16
    assert executed.modules["self_attn"].macs() == 4 * 5 * 8 * 8 + 2 * 5 * 5 * 8
    assert sum(cost.macs() for cost in executed.modules.values()) == executed.cost.macs()
    assert executed.cost.only("norm", "token norm").add > 0


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_recurrent_layers_are_counted_by_their_products(kind: type) -> None:
    gates = {nn.RNN: 1, nn.LSTM: 4, nn.GRU: 3}[kind]
    module = kind(3, 5, batch_first=True).eval()
    executed = count(lambda: module(torch.randn(2, 7, 3)), module)
    assert executed.cost.macs() == 2 * 7 * gates * 5 * (3 + 5)


@pytest.mark.parametrize(
    ("module", "shape", "macs"),
    [
        (nn.Conv2d(4, 6, 3, groups=2), (1, 4, 8, 8), 6 * 6 * 6 * 2 * 9),
        (nn.ConvTranspose1d(4, 6, 3, stride=2), (1, 4, 5), 5 * 4 * 6 * 3),
        (nn.Bilinear(2, 3, 4), None, None),
        (nn.Linear(4, 6, bias=False), (3, 5, 4), 3 * 5 * 4 * 6),
    ],
    ids=["grouped", "transposed", "bilinear", "linear"],
)
def test_products_by_hand(module: nn.Module, shape: tuple | None, macs: int | None) -> None:
    if shape is None:
        x, y = torch.randn(5, 2), torch.randn(5, 3)
        with pytest.raises(Uncounted, match=r"no count for the operation aten\._trilinear, which computes with floats"):
            count(lambda: module(x, y), module)
        return
    assert count(lambda: module(torch.randn(shape)), module).cost.macs() == macs


def test_conventions_apply_to_what_ran() -> None:
    """conv and its bias, twice the elements of a norm, those of a ReLU, the inputs of a pool, a linear layer's bias once."""
    module = nn.Sequential(
        nn.Conv1d(2, 4, 3), nn.BatchNorm1d(4), nn.ReLU(), nn.AvgPool1d(2), nn.Flatten(1), nn.Linear(12, 5)
    ).eval()
    executed = count(lambda: module(torch.randn(1, 2, 8)), module)
    assert executed.cost.flops("ptflops-0.6") == (24 * 6 + 24) + 2 * 24 + 24 + 24 + (12 * 5 + 5)
    assert executed.cost.flops("macs") == 24 * 6 + 12 * 5


class Spectrum(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.fft.rfft(x).abs()


def test_an_unknown_operation_is_named_with_the_submodule_it_ran_in() -> None:
    module = nn.Sequential(nn.Linear(8, 8), Spectrum())
    with pytest.raises(Uncounted, match=r"1: no count for the operation aten\._fft_r2c, which computes with floats"):
        count(lambda: module(torch.randn(2, 8)), module)
    assert not any("forward" in part.__dict__ for part in module.modules())


def test_whole_numbers_are_bookkeeping() -> None:
    executed = count(lambda: (torch.arange(8) + 3) % 5 * 7)
    assert executed.cost.items == {}


def test_nothing_is_left_behind() -> None:
    module = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    before = [dict(part.__dict__) for part in module.modules()]
    count(lambda: module(torch.randn(2, 4)), module)
    assert [part.__dict__ for part in module.modules()] == before
    assert torch.backends.mha.get_fastpath_enabled()
    assert torch._C._get_mkldnn_enabled()


def test_inference_mode_hides_nothing() -> None:
    module = nn.Sequential(nn.Linear(4, 6), nn.Linear(6, 2))

    def run() -> torch.Tensor:
        with torch.inference_mode():
            return module(torch.randn(3, 4))

    assert count(run, module).cost.macs() == 3 * (4 * 6 + 6 * 2)


def test_peak_is_what_is_alive_at_once() -> None:
    module = nn.Sequential(nn.ReLU(), nn.ReLU(), nn.ReLU())
    clip = torch.randn(1, 1000)
    assert count(lambda: module(clip)).peak == 2000  # input of the last and its output; the clip is the caller's


# -- fake tensors ------------------------------------------------------------------------------------------------------


class Chosen(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[x > 0].sum()


def test_a_shape_that_depends_on_data_is_an_error() -> None:
    with pytest.raises(CostError, match="data-dependent shape: what runs depends on the values of the input"):
        clip_executed(Chosen(), torch.randn(4))


def test_a_letter_that_the_module_fixes_is_reported() -> None:
    module = nn.Sequential(nn.Conv1d(2, 3, 3), nn.Flatten(), nn.Linear(18, 4))
    executed = clip_executed(module, torch.randn(1, 2, 8), "CCT")
    assert executed.fixed == {"T": 8}
    assert executed.cost.macs() == 2 * 3 * 3 * 6 + 18 * 4


def test_fake_tensors_compute_nothing() -> None:
    module = nn.Sequential(nn.Conv3d(3, 512, 3, padding=1), nn.Conv3d(512, 512, 3, padding=1))
    executed = clip_executed(module, torch.empty(1, 3, 64, 256, 256))  # 30 tera-multiply-adds
    assert executed.cost.macs() == 64 * 256 * 256 * 512 * 27 * (3 + 512)


def test_ours_of_a_real_size_is_counted_on_fake_tensors() -> None:
    """Large convolutions of ours call oneDNN by name, which no fake tensor knows: while counting it is off."""
    from coequal.continual import Conv3d, Stream

    module = Conv3d(64, 64, 3, padding=1).eval()
    with faked() as mode:
        frame = mode.from_tensor(torch.empty(1, 64, 56, 56))
        stepped = steps_executed(Stream(module).push, itertools.repeat(frame), module)
    assert stepped.mean() == 64 * 64 * 27 * 56 * 56


# -- steps -------------------------------------------------------------------------------------------------------------


def test_the_period_is_found_not_believed() -> None:
    assert period_of([5] * 20) == 1
    assert period_of([1, 1, 1, 9] * 8) == 4
    assert period_of(list(range(40))) is None
    assert period_of([1] * 10) is None  # not seen for long enough


def test_a_stream_that_never_emits_is_an_error() -> None:
    frames = iter(torch.randn(10, 1, 2))
    with pytest.raises(CostError, match="emitted nothing after 10 frames"):
        steps_executed(lambda frame: None, frames)


def test_state_that_shares_memory_counts_once() -> None:
    ring = torch.zeros(4, 3)
    assert (
        numbers_in({"ring": ring, "view": ring[0], "counter": torch.zeros(7, dtype=torch.int64), "new": [torch.ones(5)]})
        == 17
    )
