import torch
from torch import nn

from coequal.equivalence.run.weights import borrowed, drawn, integers, put


def network():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv1d(2, 3, 3), nn.BatchNorm1d(3))
    net.register_buffer("table", torch.arange(4.0))
    net.tied = nn.Linear(3, 3)
    net.tied.bias = net[0].bias
    return net


def test_borrowed_tensors_are_put_back():
    net = network()
    before = {name: (t.data_ptr(), t.clone()) for name, t in net.state_dict().items()}
    with borrowed(net, torch.float64):
        assert net[0].weight.dtype == torch.float64
        put(net, drawn(net, 3))
        net.register_buffer("left", torch.ones(2))
        net.train()
    after = net.state_dict()
    assert after.keys() == before.keys()
    for name, (pointer, value) in before.items():
        assert (after[name].data_ptr(), after[name].dtype) == (pointer, value.dtype)
        assert torch.equal(after[name], value)


def test_tied_parameters_stay_tied():
    net = network()
    with borrowed(net, torch.float64):
        put(net, drawn(net, 3))
        assert net.tied.bias is net[0].bias
    assert net.tied.bias is net[0].bias


def test_draws_depend_on_the_seed_and_leave_tables_alone():
    net = network()
    first, again, other = drawn(net, 1), drawn(net, 1), drawn(net, 2)
    assert "table" not in first
    assert {"0.weight", "1.running_var", "1.running_mean"} <= first.keys()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not any(torch.equal(first[name], other[name]) for name in first)
    assert bool((first["1.running_var"] > 0).all())


def test_values_fit_single_precision():
    values = drawn(network().double(), 1)
    assert all(torch.equal(v, v.float().to(v.dtype)) for v in values.values())


def test_integers_are_small_and_statistics_trivial():
    values = integers(network(), 1)
    assert torch.equal(values["0.weight"], values["0.weight"].round())
    assert float(values["0.weight"].abs().max()) <= 2
    assert torch.equal(values["1.running_var"], torch.ones(3))
    assert torch.equal(values["1.running_mean"], torch.zeros(3))
