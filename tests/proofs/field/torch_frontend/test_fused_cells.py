"""What stands for the fused cells of a GPU is what torch's own cells compute on a CPU."""

import pytest
import torch

from coequal.proofs.field.torch_frontend.fused_cells import gru_cell, lstm_cell

H = 3


def gates(x, weight):
    return x @ weight.T


@pytest.mark.parametrize("bias", [True, False])
def test_an_lstm_cell(bias, within):
    torch.manual_seed(0)
    cell = torch.nn.LSTMCell(2, H, bias=bias).double()
    x, h, c = torch.randn(4, 2).double(), torch.randn(4, H).double(), torch.randn(4, H).double()
    biases = (cell.bias_ih, cell.bias_hh) if bias else (None, None)
    with torch.no_grad():
        got = lstm_cell(gates(x, cell.weight_ih), gates(h, cell.weight_hh), c, *biases)
        for one, other in zip(got, cell(x, (h, c)), strict=False):
            within(one, other, torch.ones_like(other) * 4, 40)


@pytest.mark.parametrize("bias", [True, False])
def test_a_gru_cell(bias, within):
    torch.manual_seed(0)
    cell = torch.nn.GRUCell(2, H, bias=bias).double()
    x, h = torch.randn(4, 2).double(), torch.randn(4, H).double()
    biases = (cell.bias_ih, cell.bias_hh) if bias else (None, None)
    with torch.no_grad():
        got, _ = gru_cell(gates(x, cell.weight_ih), gates(h, cell.weight_hh), h, *biases)
        within(got, cell(x, h), torch.ones_like(got) * 4, 40)
