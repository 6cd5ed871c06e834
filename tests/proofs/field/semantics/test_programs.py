"""Programs as people write them, run unmodified, against the formula that they stand for, in simpler operations."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from coequal.proofs.field.torch_frontend.dispatch import ELEMENTWISE

Tensor = torch.Tensor
F64 = torch.float64


def drawn(lab, module: nn.Module) -> nn.Module:
    """A module whose parameters and floating buffers are variables."""
    module = module.double().eval()
    for tensor in [*module.parameters(), *(b for b in module.buffers() if b.is_floating_point())]:
        tensor.data = lab.symbols(*tensor.shape)
    return module


def linear(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    return (x.unsqueeze(-2) * w).sum(-1) + b


# -- recurrent cells: the equations of their documentation --------------------------------------------------------------


def lstm_by_hand(m: nn.Module, x: Tensor, h: Tensor, c: Tensor, suffix: str = "") -> tuple[Tensor, Tensor]:
    names = [getattr(m, f"{kind}_{way}{suffix}") for kind in ("weight", "bias") for way in ("ih", "hh")]
    gates = linear(x, names[0], names[2]) + linear(h, names[1], names[3])
    i, f, g, o = gates.chunk(4, -1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def gru_by_hand(m: nn.Module, x: Tensor, h: Tensor, suffix: str = "") -> Tensor:
    names = [getattr(m, f"{kind}_{way}{suffix}") for kind in ("weight", "bias") for way in ("ih", "hh")]
    (ir, iz, inn), (hr, hz, hn) = linear(x, names[0], names[2]).chunk(3, -1), linear(h, names[1], names[3]).chunk(3, -1)
    r, z = torch.sigmoid(ir + hr), torch.sigmoid(iz + hz)
    n = torch.tanh(inn + r * hn)
    return (1 - z) * n + z * h


def test_lstm_cell(lab) -> None:
    cell, x, h, c = drawn(lab, nn.LSTMCell(3, 4)), lab.symbols(2, 3), lab.symbols(2, 4), lab.symbols(2, 4)
    with lab.running():
        for got, truth in zip(cell(x, (h, c)), lstm_by_hand(cell, x, h, c), strict=True):
            assert lab.equal(got, truth)


def test_gru_cell(lab) -> None:
    cell, x, h = drawn(lab, nn.GRUCell(3, 4)), lab.symbols(2, 3), lab.symbols(2, 4)
    with lab.running():
        assert lab.equal(cell(x, h), gru_by_hand(cell, x, h))
        assert lab.different(cell(x, h), gru_by_hand(cell, x, 2 * h))


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
def test_rnn_cell(lab, nonlinearity: str) -> None:
    cell, x, h = drawn(lab, nn.RNNCell(3, 4, nonlinearity=nonlinearity)), lab.symbols(2, 3), lab.symbols(2, 4)
    with lab.running():
        total = linear(x, cell.weight_ih, cell.bias_ih) + linear(h, cell.weight_hh, cell.bias_hh)
        assert lab.equal(cell(x, h), getattr(torch, nonlinearity)(total))


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_recurrent_layers_start_from_zeros_they_make_themselves(lab, kind: str) -> None:
    layer, x = drawn(lab, getattr(nn, kind)(3, 4, batch_first=True)), lab.symbols(2, 5, 3)
    with lab.running():
        h = c = torch.zeros(2, 4, dtype=F64)
        frames = []
        for t in range(5):
            if kind == "LSTM":
                h, c = lstm_by_hand(layer, x[:, t], h, c, "_l0")
            elif kind == "GRU":
                h = gru_by_hand(layer, x[:, t], h, "_l0")
            else:
                total = linear(x[:, t], layer.weight_ih_l0, layer.bias_ih_l0) + linear(
                    h, layer.weight_hh_l0, layer.bias_hh_l0
                )
                h = torch.tanh(total)
            frames.append(h)
        assert lab.equal(layer(x)[0], torch.stack(frames, 1))


# -- attention ----------------------------------------------------------------------------------------------------------


def attention_by_hand(q: Tensor, k: Tensor, v: Tensor, allowed: Tensor | None = None, added: Tensor | None = None) -> Tensor:
    """Sums over the keys that may be seen, and nothing of the others."""
    scores = (q.unsqueeze(-2) * k.unsqueeze(-3)).sum(-1) / math.sqrt(q.shape[-1])
    if added is not None:
        scores = scores + added
    terms = torch.exp(scores)
    if allowed is not None:
        terms = terms * allowed.to(F64)
    return (terms.unsqueeze(-1) * v.unsqueeze(-3)).sum(-2) / terms.sum(-1, keepdim=True)


SHAPES = {"3-D": (2, 5, 4), "4-D": (2, 3, 5, 4)}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("mask", ["none", "bool", "bool per row", "additive", "-inf", "finfo.min", "causal"])
def test_scaled_dot_product_attention(lab, shape: tuple[int, ...], mask: str) -> None:
    q, k, v = (lab.symbols(*shape) for _ in range(3))
    allowed = torch.rand(5, 5, generator=lab.generator) < 0.6
    allowed |= torch.eye(5, dtype=torch.bool)
    added = lab.whole(5, 5)
    if mask == "bool per row":
        allowed = allowed.expand(*shape[:-2], 5, 5).contiguous()
    masked = torch.zeros(5, 5, dtype=F64).masked_fill(~allowed[(0,) * (allowed.dim() - 2)], -math.inf)
    options = {
        "none": {}, "bool": {"attn_mask": allowed}, "bool per row": {"attn_mask": allowed}, "additive": {"attn_mask": added},
        "-inf": {"attn_mask": masked}, "finfo.min": {"attn_mask": masked.clamp_min(torch.finfo(torch.float32).min)},
        "causal": {"is_causal": True},
    }[mask]  # fmt: skip
    seen = {"none": None, "additive": None, "causal": torch.ones(5, 5).tril().bool()}.get(mask, allowed)
    with lab.running():
        got = functional.scaled_dot_product_attention(q, k, v, **options)
        assert lab.equal(got, attention_by_hand(q, k, v, seen, added if mask == "additive" else None))
        if mask not in ("none", "additive"):
            assert not lab.equal(got, attention_by_hand(q, k, v))
    assert ("mask" in lab.field.account.assumptions) == (mask == "finfo.min")


def test_attention_with_a_mask_that_depends_on_data(lab) -> None:
    q, k, v, added = (lab.symbols(2, 2, 3, 4) for _ in range(3)), None, None, lab.symbols(3, 3)
    q, k, v = q
    with lab.running():
        got = functional.scaled_dot_product_attention(q, k, v, attn_mask=added, scale=0.25)
        scores = torch.einsum("bhqe,bhke->bhqk", q, k) / 4 + added
        assert lab.equal(got, torch.softmax(scores, -1) @ v)


@pytest.mark.parametrize("masked", ["none", "bool", "float", "key padding"])
@pytest.mark.parametrize("need_weights", [True, False])
def test_multihead_attention(lab, masked: str, need_weights: bool) -> None:
    layer, x = drawn(lab, nn.MultiheadAttention(4, 2, batch_first=True)), lab.symbols(2, 3, 4)
    hidden = torch.ones(3, 3).triu(1).bool()
    padding = torch.tensor([[False, False, True], [False, False, False]])
    options = {
        "none": {}, "bool": {"attn_mask": hidden}, "key padding": {"key_padding_mask": padding},
        "float": {"attn_mask": torch.zeros(3, 3, dtype=F64).masked_fill(hidden, -math.inf)},
    }[masked]  # fmt: skip
    allowed = {"none": None, "key padding": ~padding[:, None, None, :]}.get(masked, ~hidden)
    with lab.running():
        q, k, v = (
            linear(x, w, b).unflatten(-1, (2, 2)).transpose(1, 2)
            for w, b in zip(layer.in_proj_weight.chunk(3), layer.in_proj_bias.chunk(3), strict=True)
        )
        heads = attention_by_hand(q, k, v, allowed).transpose(1, 2).flatten(2)
        truth = linear(heads, layer.out_proj.weight, layer.out_proj.bias)
        assert lab.equal(layer(x, x, x, need_weights=need_weights, **options)[0], truth)


def test_a_transformer_layer_is_its_parts(lab) -> None:
    layer = drawn(lab, nn.TransformerEncoderLayer(4, 2, 6, batch_first=True, activation="gelu"))
    x = lab.symbols(1, 3, 4)
    with lab.running():
        one = layer.norm1(x + layer.self_attn(x, x, x)[0])
        two = layer.norm2(one + layer.linear2(functional.gelu(layer.linear1(one))))
        assert lab.equal(layer(x), two)


# -- softmax and masks --------------------------------------------------------------------------------------------------


def test_terms_of_softmax_may_be_masked_or_left_out(lab) -> None:
    x = lab.symbols(3, 5)
    with lab.running():
        masked = x.masked_fill(torch.tensor([False, True, False, False, True]), -math.inf)
        got = torch.softmax(masked, -1)
        assert lab.equal(got[:, [0, 2, 3]], torch.softmax(x[:, [0, 2, 3]], -1))
        assert lab.equal(got[:, [1, 4]], torch.zeros(3, 2, dtype=F64))
        assert lab.equal(torch.softmax(x[:, [4, 2, 0, 1, 3]], -1)[:, [2, 3, 1, 4, 0]], torch.softmax(x, -1))
        assert lab.different(torch.softmax(x, -1), torch.softmax(2 * x, -1))


def test_softmax_less_its_maximum_needs_the_homomorphic_exponential(labs) -> None:
    """And with it, is equal: the shift cancels."""
    for levels in (1, 2):
        lab = labs(3, levels=levels)
        x, shift = lab.symbols(3, 5), lab.symbols(3, 1)
        with lab.running():
            assert lab.equal(torch.softmax(x - shift, -1), torch.softmax(x, -1)) == (levels == 2)
            terms = torch.exp(x - x.amax(-1, keepdim=True))
            assert lab.equal(terms / terms.sum(-1, keepdim=True), torch.softmax(x, -1)) == (levels == 2)
            assert lab.different(torch.softmax(2 * x, -1), torch.softmax(x, -1))


def test_online_softmax_with_the_homomorphic_exponential(labs) -> None:
    """Running maximum, running denominator, running sum: Milakov & Gimelshein, Online normalizer calculation, 2018."""
    lab = labs(5, levels=2)
    x, v = lab.symbols(6), lab.symbols(6, 3)
    with lab.running():
        top, below, above = x[0], torch.ones((), dtype=F64), v[0]
        for i in range(1, 6):
            new = torch.maximum(top, x[i])
            factor, term = torch.exp(top - new), torch.exp(x[i] - new)
            top, below, above = new, below * factor + term, above * factor + term * v[i]
        assert lab.equal(above / below, torch.softmax(x, 0) @ v)


# -- maxima -------------------------------------------------------------------------------------------------------------


def test_maxima_keep_order_grouping_and_overlap(lab) -> None:
    x = lab.symbols(2, 8)
    with lab.running():
        whole = x.amax(1)
        assert lab.equal(torch.maximum(x[:, :5].amax(1), x[:, 3:].amax(1)), whole)
        assert lab.equal(x.flip(1).amax(1), whole)
        assert lab.equal(torch.maximum(whole, x[:, 2]), whole)
        assert lab.equal(functional.pad(x, (2, 3), value=-math.inf).amax(1), whole)
        assert lab.different(x[:, 1:].amax(1), whole)
        assert lab.different(torch.maximum(x[:, 0], x[:, 1]), torch.maximum(x[:, 0], x[:, 2]))


@pytest.mark.parametrize("kernel", [2, 3])
def test_windows_of_maxima_compose_and_wrong_windows_are_told_apart(lab, kernel: int) -> None:
    x = lab.symbols(1, 2, 9)
    with lab.running():
        twice = functional.max_pool1d(functional.max_pool1d(x, kernel, 1), 2, 1)
        assert lab.equal(twice, functional.max_pool1d(x, kernel + 1, 1))
        assert lab.different(twice, functional.max_pool1d(x, kernel, 1)[..., :-1])
        assert lab.different(twice[..., :-1], functional.max_pool1d(x, kernel + 2, 1))
        moved = functional.max_pool1d(torch.roll(x, 1, 2)[..., 1:], kernel, 1)
        assert lab.equal(moved, functional.max_pool1d(x[..., :-1], kernel, 1))


@pytest.mark.parametrize("options", [{}, {"stride": 1, "padding": 1}, {"dilation": 2}, {"ceil_mode": True}])
def test_max_pools_are_the_maxima_of_their_windows(lab, options: dict) -> None:
    """Every window found by brute force: a pool of a one-hot clip says whether a frame is in it."""
    x = lab.symbols(1, 1, 7, 8)
    hot = torch.eye(56, dtype=F64).view(56, 1, 7, 8)
    inside = functional.max_pool2d(hot, 3, **options)[:, 0] == 1  # (frame, *window)
    with lab.running():
        got = functional.max_pool2d(x, 3, **options)[0, 0]
        for i in range(got.shape[0]):
            for j in range(got.shape[1]):
                assert lab.equal(got[i, j], x.flatten()[inside[:, i, j]].amax())


def test_maxima_of_moved_and_padded_maxima(lab) -> None:
    x = lab.symbols(2, 6, 6)
    with lab.running():
        pooled = functional.max_pool2d(x[None], 2, 1)[0]
        for move in (
            lambda y: functional.pad(y, (1, 1, 1, 1)), lambda y: functional.pad(y[None], (1, 1, 1, 1), mode="reflect")[0],
            lambda y: functional.pad(y[None], (1, 1, 1, 1), mode="replicate")[0], lambda y: torch.cat([y, y]),
            lambda y: torch.roll(y, 1, 2), lambda y: y[:, ::2].transpose(1, 2),
            lambda y: y.masked_fill(torch.eye(5).bool(), -math.inf), lambda y: y.index_select(1, torch.tensor([3, 1])),
        ):  # fmt: skip
            moved = move(pooled)
            assert lab.equal(moved.amax(-1), torch.maximum(moved[..., :2].amax(-1), moved[..., 1:].amax(-1)))


def test_moves_that_forget_the_set(lab) -> None:
    x = lab.symbols(1, 2, 6, 6)
    with lab.running():
        pooled = functional.max_pool2d(x, 2, 1)
        for move in (
            lambda y: functional.interpolate(y, scale_factor=2),
            lambda y: functional.unfold(y, 2, padding=1),
            torch.tril,
        ):
            assert lab.equal(move(pooled), move(functional.max_pool2d(x, 2, 1)))
            assert not lab.equal(move(pooled), move(functional.max_pool2d(x.flip(2), 2, 1)))
            move(pooled).amax(-1)


def test_relu_is_the_maximum_of_zero(lab) -> None:
    x = lab.symbols(5)
    with lab.running():
        assert lab.equal(torch.maximum(x, torch.zeros((), dtype=F64)), torch.relu(x))
        assert lab.equal(x.clamp(min=0), functional.relu(x))


def test_averages_and_sums_of_maxima_see_the_set(lab) -> None:
    x = lab.symbols(4, 6)
    with lab.running():
        one = x.amax(1).sum()
        other = torch.maximum(x[:, :3].amax(1), x[:, 2:].amax(1)).sum()
        assert lab.equal(one, other)


# -- views, writes, copies ----------------------------------------------------------------------------------------------


def test_writes_through_views_are_seen_through_all(lab) -> None:
    x = lab.symbols(3, 4)
    with lab.running():
        state = torch.zeros(5, 4, dtype=F64)
        row = state[2]
        state[1:4] = x
        state[:, 1].mul_(2)
        row += 1
        state[torch.tensor([0, 4])] = x[:2]
        state.transpose(0, 1)[3].copy_(torch.arange(5).double())
        truth = torch.stack([x[0], x[0], x[1], x[2], x[1]])
        double = torch.tensor([[1.0, 1, 1, 1], [1, 2, 1, 1], [1, 2, 1, 1], [1, 2, 1, 1], [1, 1, 1, 1]], dtype=F64)
        truth = truth * double
        truth = torch.cat([truth[:2], truth[2:3] + 1, truth[3:]])
        truth = torch.cat([truth[:, :3], torch.arange(5).double()[:, None]], 1)
        assert lab.equal(state, truth)
        assert lab.equal(row, truth[2])


def test_rings_and_rolls(lab) -> None:
    frames = lab.symbols(7, 3)
    with lab.running():
        ring, rolled = torch.zeros(4, 3, dtype=F64), torch.zeros(4, 3, dtype=F64)
        for t, frame in enumerate(frames):
            ring[t % 4] = frame
            rolled = torch.roll(rolled, -1, 0)
            rolled[-1] = frame
        assert lab.equal(rolled, frames[3:])
        assert lab.equal(torch.cat([ring[3:], ring[:3]]), frames[3:])


def test_in_place_and_out_variants(lab) -> None:
    x, y = lab.symbols(3, 4), lab.symbols(3, 4)
    with lab.running():
        held = x.clone()
        held.add_(y).mul_(2).sub_(1).div_(4)
        assert lab.equal(held, (2 * (x + y) - 1) / 4)
        out = torch.empty(3, 4, dtype=F64)
        returned = torch.add(x, y, out=out)
        assert returned is out
        assert lab.equal(out, x + y)
        torch.matmul(x, y.T, out=(square := torch.empty(3, 3, dtype=F64)))
        assert lab.equal(square, x @ y.T)
        held.relu_()
        held.masked_fill_(torch.eye(3, 4).bool(), 0.0)
        assert lab.equal(held.diagonal(), torch.zeros(3, dtype=F64))
        held.zero_()
        assert lab.equal(held, torch.zeros(3, 4, dtype=F64))
        held.fill_(2.5)
        assert lab.equal(held, torch.full((3, 4), 2.5, dtype=F64))
        held.index_copy_(0, torch.tensor([1]), x[:1])
        held.index_put_((torch.tensor([0]),), y[:1])
        assert lab.equal(held[:2], torch.stack([y[0], x[0]]))


def test_accumulating_writes(lab) -> None:
    x = lab.symbols(3, 4)
    with lab.running():
        held = torch.zeros(2, 4, dtype=F64)
        held[:] = x[0]
        assert lab.equal(held, torch.stack([x[0], x[0]]))
        held = torch.zeros(2, 4, dtype=F64)
        held.index_put_((torch.tensor([0, 1, 0]),), x, accumulate=True)
        assert lab.equal(held, torch.stack([x[0] + x[2], x[1]]))


def test_forks_of_a_state_are_independent(lab) -> None:
    x = lab.symbols(2, 3)
    with lab.running():
        state = {"ring": x * 2, "count": torch.tensor(1), "seen": [x[0] + x[1]]}
        fork = copy.deepcopy(state)
        fork["ring"][0] = 0
        assert lab.equal(state["ring"], x * 2)
        assert lab.equal(fork["ring"][1], 2 * x[1])
        assert lab.equal(fork["seen"][0], x[1] + x[0])
        assert lab.equal(fork["ring"][0], torch.zeros(3, dtype=F64))


def test_data_written_into_a_registered_buffer(lab) -> None:
    class Held(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("last", torch.zeros(3, dtype=F64))

        def forward(self, x: Tensor) -> Tensor:
            before = self.last.clone()
            self.last.copy_(x)
            return before

    module, x = Held(), lab.symbols(2, 3)
    with lab.running():
        assert lab.equal(module(x[0]), torch.zeros(3, dtype=F64))
        assert lab.equal(module(x[1]), x[0])
        assert lab.equal(module.last, x[1])


def test_the_float_that_a_buffer_held_is_forgotten(lab) -> None:
    """A constant that was read before data is written over it."""
    x = lab.symbols(3)
    held = torch.ones(3, dtype=F64)
    with lab.running():
        one = held + 0
        held[1:2] = x[:1]
        assert lab.equal(one, torch.ones(3, dtype=F64))
        assert lab.equal(held, torch.cat([torch.ones(1, dtype=F64), x[:1], torch.ones(1, dtype=F64)]))


def test_views_of_all_kinds(lab) -> None:
    x = lab.whole(4, 6)
    held = lab.data(x)
    with lab.running():
        for view in (
            lambda y: y.T, lambda y: y[1:, ::2], lambda y: y.unfold(1, 3, 2), lambda y: y.diagonal(),
            lambda y: y.expand(2, 4, 6), lambda y: y.as_strided((3, 2), (2, 5), 1), lambda y: y.unsqueeze(1).squeeze(),
            lambda y: y.chunk(3, 1)[1], lambda y: y.movedim(0, 1).reshape(-1), lambda y: y.flatten()[5],
            lambda y: y[..., None].permute(2, 0, 1), lambda y: y.unbind(1)[2], lambda y: y.split([1, 3])[1],
        ):  # fmt: skip
            lab.holds(view(held), view(x))


# -- contractions, embeddings, norms, convolutions ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "equation", ["ij,jk->ik", "bij,bkj->bik", "ij,ij->", "i,j->ij", "bhqe,bhke->bhqk", "ijk->kj", "ii->i"]
)
def test_einsum(lab, equation: str) -> None:
    sizes = dict(zip("ijkbhqe", (3, 4, 5, 2, 2, 3, 4), strict=True))
    plain = [lab.whole(*(sizes[letter] for letter in part)) for part in equation.partition("->")[0].split(",")]
    held = [lab.data(p) for p in plain]
    with lab.running():
        lab.holds(torch.einsum(equation, *held), torch.einsum(equation, *plain))


def test_embeddings_of_drawn_tables(lab) -> None:
    table, tokens = drawn(lab, nn.Embedding(7, 3, padding_idx=0)), torch.tensor([[1, 4, 1], [6, 0, 2]])
    with lab.running():
        assert lab.equal(table(tokens), table.weight[tokens])
        assert lab.equal(functional.one_hot(tokens, 7).double() @ table.weight, table(tokens))


LAYERS = {
    "Conv1d": (lambda: nn.Conv1d(4, 6, 3, 2, 2, 2, 2), (2, 4, 9)),
    "Conv2d circular": (lambda: nn.Conv2d(2, 3, 3, padding=1, padding_mode="circular"), (1, 2, 5, 4)),
    "Conv3d same": (lambda: nn.Conv3d(2, 2, (2, 3, 1), padding="same"), (1, 2, 4, 4, 3)),
    "ConvTranspose1d": (lambda: nn.ConvTranspose1d(4, 6, 3, 2, 1, 1, 2), (2, 4, 5)),
    "ConvTranspose2d": (lambda: nn.ConvTranspose2d(3, 2, 2, 2), (1, 3, 3, 4)),
    "ConvTranspose3d": (lambda: nn.ConvTranspose3d(2, 2, 2, (1, 2, 1)), (1, 2, 2, 3, 3)),
    "Linear": (lambda: nn.Linear(5, 3), (2, 4, 5)),
    "AvgPool2d": (lambda: nn.AvgPool2d(2, 1), (1, 2, 4, 5)),
    "PixelShuffle": (lambda: nn.PixelShuffle(2), (1, 4, 3, 3)),
    "Upsample": (lambda: nn.Upsample(scale_factor=2), (1, 2, 3, 4)),
    "Unfold": (lambda: nn.Unfold((2, 3)), (1, 2, 4, 5)),
    "ZeroPad2d": (lambda: nn.ZeroPad2d((1, 2, 0, 1)), (1, 2, 3, 3)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers_that_are_exact_are_those_of_torch(lab, name: str) -> None:
    """Small whole numbers as weights: torch's own float64 result is exact."""
    make, shape = LAYERS[name]
    module, x = make().double().eval(), lab.whole(*shape)
    for parameter in module.parameters():
        parameter.data = lab.whole(*parameter.shape)
    with torch.no_grad():
        truth = module(x)
    for parameter in module.parameters():
        parameter.data = lab.data(parameter.data)
    with lab.running():
        lab.holds(module(lab.data(x)), truth)


def by_hand(x: Tensor, axes: list[int], eps: float, weight: Tensor, bias: Tensor) -> Tensor:
    centred = x - x.sum(axes, keepdim=True) / math.prod(x.shape[a] for a in axes)
    variance = (centred * centred).sum(axes, keepdim=True) / math.prod(x.shape[a] for a in axes)
    shape = (-1, *[1] * (x.dim() - 2))
    return centred * torch.rsqrt(variance + eps) * weight.view(shape) + bias.view(shape)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_norms_of_channels(lab, rank: int) -> None:
    x = lab.symbols(2, 4, *(3, 2, 2)[:rank])
    instance = drawn(lab, getattr(nn, f"InstanceNorm{rank}d")(4, affine=True))
    batch = drawn(lab, getattr(nn, f"BatchNorm{rank}d")(4))
    with lab.running():
        places = list(range(2, rank + 2))
        assert lab.equal(instance(x), by_hand(x, places, 1e-5, instance.weight, instance.bias))
        shape = (-1, *[1] * rank)
        scale = batch.weight * torch.rsqrt(batch.running_var + 1e-5)
        assert lab.equal(batch(x), x * scale.view(shape) + (batch.bias - batch.running_mean * scale).view(shape))
        assert lab.different(instance(x), by_hand(x, places, 1e-6, instance.weight, instance.bias))


def test_batch_norm_folded_into_a_convolution(lab) -> None:
    conv, norm, x = drawn(lab, nn.Conv1d(3, 4, 2)), drawn(lab, nn.BatchNorm1d(4)), lab.symbols(2, 3, 6)
    with lab.running():
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        folded = functional.conv1d(
            x, conv.weight * scale[:, None, None], (conv.bias - norm.running_mean) * scale + norm.bias
        )
        assert lab.equal(norm(conv(x)), folded)


def test_a_window_of_a_clip_made_of_steps(lab) -> None:
    """A causal convolution, all at once and a frame at a time; off by one frame is seen."""
    conv, x = drawn(lab, nn.Conv1d(3, 4, 3)), lab.symbols(1, 3, 8)
    with lab.running():
        clip = conv(functional.pad(x, (2, 0)))
        for t in range(2, 8):
            taps = sum(conv.weight[:, :, k] @ x[0, :, t - 2 + k] for k in range(3)) + conv.bias
            assert lab.equal(taps, clip[0, :, t])
            assert lab.different(taps, clip[0, :, t - 1])


def test_scales_as_quotient_and_as_power(lab) -> None:
    """sqrt(32) and 32^-1/2 are inverse to one another; eps 1e-5 and 1e-6 are not alike."""
    x = lab.symbols(5)
    with lab.running():
        assert lab.equal(x / math.sqrt(32), x * 32**-0.5)
        assert lab.equal(x * (32**-0.25) * (32**-0.25), x / torch.sqrt(torch.tensor(32.0, dtype=F64)))
        assert lab.different(torch.rsqrt(x + 1e-5), torch.rsqrt(x + 1e-6))
        assert lab.equal(x * 0.1 * 10, x)
    assert any("sqrt(32)" in text for text in lab.field.account.assumptions.values())


def test_literal_constants_are_dyadic(labs) -> None:
    lab = labs(2, literal=True)
    x = lab.symbols(5)
    with lab.running():
        assert lab.different(x * 0.1 * 10, x)
        assert lab.different(x / math.sqrt(32), x * 32**-0.5)


def test_casts_are_listed(lab) -> None:
    x = lab.symbols(4)
    with lab.running():
        half = x.to(torch.float16)
        assert half.dtype == torch.float16
        assert lab.equal(half.double(), x)
    assert lab.field.account.assumptions["casts"] == "casts to coarser floating-point formats count as exact"


def test_nothing_is_assumed_where_nothing_is(lab) -> None:
    x = lab.symbols(4)
    with lab.running():
        (x * 0.5).double()
    assert lab.field.account.assumptions == {}


@pytest.mark.parametrize("name", sorted(ELEMENTWISE))
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_functions_of_constants_depend_on_the_float_alone(lab, name: str, dtype: torch.dtype) -> None:
    """A table of positions and one of its rows: bit for bit the same, whatever vector unit computes it."""
    table = torch.rand(37, 13, dtype=dtype, generator=lab.generator) + 0.1
    call = (lambda x: torch.pow(x, 0.3)) if name == "pow" else getattr(torch, name)
    with lab.running():
        whole = call(table)
        for i in (0, 17, 36):
            assert torch.equal(call(table[i]), whole[i])
            assert torch.equal(call(table[i, 3:4]), whole[i, 3:4])
            assert torch.equal(call(table.t())[5], whole[:, 5])
