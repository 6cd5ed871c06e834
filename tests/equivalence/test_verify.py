"""The contract of `verify`: what it refuses, what it leaves alone, what its outcomes add up to."""

import copy
import cProfile

import pytest
import torch
from torch import nn

import coequal
from coequal import continual, verify
from coequal.equivalence.checks import CHECKS
from coequal.reference.timing import Timing


class Echo:
    def step(self, frame):
        return frame


def echo(**fields):
    return coequal.Subject(**{"clip": lambda x: x, "stream": Echo, "example": torch.randn(2, 3, 6)} | fields)


def refuses_negatives(x):
    if (x < 0).any():
        raise ValueError("no negative numbers")
    return x


REFUSED = {
    "no tensor for an example": ({"example": "clip"}, r"Subject\.example: expected a tensor, a whole clip, or .*, got str"),
    "a name that waives nothing": ({"allow": ("drft",)}, r"no check or finding is called 'drft': did you mean 'drift'"),
    "a text for what is allowed": (
        {"allow": "fork"},
        r"Subject\.allow: names of checks or findings, .* got 'fork'",
    ),
    "a list of modules": ({"modules": [torch.nn.ReLU()]}, r"Subject\.modules: expected a torch\.nn\.Module .*; got list"),
    "a dictionary for a claim": ({"claim": {"delay": 1}}, r"Subject\.claim: expected a coequal\.Claim, or None; got dict"),
    "true for a distance": ({"within": True}, r"Subject\.within: a distance above 0, or None; got True"),
    "windows of no length": ({"emits": "window"}, r"Subject\.emits: 'window' .* say of how many frames by `window`"),
    "nothing that is selected": ({"select": ()}, r"Subject\.select: a path like"),
    "a selection that raises": ({"select": lambda output: output.hidden}, r"Subject\.select\(Tensor of clip\(\)\) raised"),
    "inputs of other lengths": (
        {"inputs": lambda length, batch, seed: torch.zeros(batch, 3, length + 1)},
        r"Subject\.inputs\(length=6, .* returned a clip of 7 frames",
    ),
    "inputs that raise": ({"inputs": lambda length: 0}, r"Subject\.inputs\(length=6, batch=2, seed=0\) raised TypeError"),
    "a clip that takes no negative numbers": (
        {"clip": refuses_negatives, "example": torch.ones(2, 3, 6)},
        r"say by `inputs` what can be fed",
    ),
    "a number among the inputs": ({"example": [1, 2]}, r"Subject\.example: the input '0' is no tensor, it is int"),
    "no callable for a clip": ({"clip": 3}, r"Subject\.clip: expected a callable, got int"),
    "no callable for a stream": ({"stream": Echo()}, r"Subject\.stream: expected a callable, got Echo"),
    "no such time axis": ({"time": 5}, r"Subject\.time: the example has 3 axes \(2, 3, 6\), so there is no time axis 5"),
    "batch is time": ({"batch": 2}, r"Subject\.batch: axis 2 is not one of the example's 3, or is time"),
    "no frames": ({"example": torch.randn(2, 3, 0)}, r"needs at least one frame, got shape \(2, 3, 0\)"),
    "a window of no frames": ({"window": 0}, r"Subject\.window: a number of frames, at least 1, or None; got 0"),
    "emits something else": ({"emits": "all"}, r"Subject\.emits: 'frames', 'window' or 'last', got 'all'"),
    "a plan of nothing": ({"plan": ()}, r"Subject\.plan: expected None"),
    "a plan that the example does not fit": ({"plan": 64}, "6 frames cannot be fed in legal chunks"),
    "a clip that raises": ({"clip": lambda x: x @ x}, r"clip\(x\) raised on a clip of shape \(2, 3, 6\): RuntimeError"),
    "a clip that returns a tuple": (
        {"clip": lambda x: (x, x)},
        r"returns a tensor alone, which clip\(\) does not",
    ),
    "a clip of another dtype": ({"clip": lambda x: x.half()}, r"clip\(x\) returned torch\.float16 for an input of"),
    "a clip without time": ({"clip": lambda x: x.mean((1, 2))}, r"has no time axis 2: .* or window=N"),
    "a clip that is NaN": ({"clip": lambda x: x * float("nan")}, r"clip\(x\) returned NaN for a random clip"),
    "inputs that are no tensor": ({"inputs": lambda length, batch, seed: None}, r"returned NoneType: expected a tensor"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_subject(what):
    fields, text = REFUSED[what]
    with pytest.raises(coequal.BadSubject, match=text) as error:
        verify(echo(**fields), effort="quick")
    assert "\n" not in str(error.value)


def test_a_frame_that_kept_its_time_axis():
    class Keeps:
        def step(self, frame):
            return frame.unsqueeze(2)

    with pytest.raises(coequal.BadSubject, match="remove the time axis of a frame"):
        verify(echo(stream=Keeps), effort="quick")


@pytest.mark.parametrize(
    ("options", "text"),
    [({"checks": ["vlaues"]}, "there is no check 'vlaues'; checks: values, "), ({"effort": "great"}, "'quick' or 'normal'")],
)
def test_options_that_do_not_exist(options, text):
    with pytest.raises(coequal.BadSubject, match=text):
        verify(echo(), **options)


def test_a_module_is_left_as_it_was():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv1d(3, 3, 3), nn.BatchNorm1d(3), nn.ReLU()).eval().half().float()
    net[0].weight.grad = torch.ones_like(net[0].weight)
    net[1].train()
    net[1].eval()
    twin = continual.convert(net)
    before, storage = copy.deepcopy(net.state_dict()), net[0].weight.data_ptr()
    modes, grad, random = [m.training for m in net.modules()], net[0].weight.grad, torch.get_rng_state()
    report = coequal.verify(twin, example=torch.randn(2, 3, 8, generator=torch.Generator().manual_seed(1)), effort="quick")
    assert report.verdict == "proved", report
    after = net.state_dict()
    assert list(after) == list(before)
    for name, value in before.items():
        assert torch.equal(after[name], value), name
        assert after[name].dtype == value.dtype
    assert net[0].weight.data_ptr() == storage
    assert net[0].weight.grad is grad
    assert [m.training for m in net.modules()] == modes
    assert torch.equal(torch.get_rng_state(), random)


def test_it_is_left_as_it_was_even_if_it_raises():
    net = nn.Conv1d(3, 3, 3)
    before = copy.deepcopy(net.state_dict())

    class Raises:
        def step(self, frame):
            net.weight.data.zero_()
            raise ValueError("no")

    with pytest.raises(coequal.BadSubject, match="raised ValueError: no"):
        verify(echo(clip=net, stream=Raises, modules=net), effort="quick")
    assert torch.equal(net.weight, before["weight"])
    assert net.weight.dtype == torch.float32


def test_a_right_stream_is_asked_everything():
    report = verify(echo())
    assert report.verdict == "proved"
    assert [check.name for check in report.checks] == [*CHECKS, "exact"]
    assert (report.timing.receptive_field, report.timing.stride, report.timing.delay) == (1, 1, 0)
    assert {name: region.outcome for name, region in report.regions.items()} == {
        "head": "not compared",
        "interior": "equal",
        "tail": "not compared",
        "both ends": "not compared",
    }


def test_a_waived_check_is_not_run():
    class Forgets(Echo):
        def step(self, frame):
            return frame[:2]

    subject = echo(stream=Forgets)
    assert verify(subject, checks=["batch"], effort="quick").verdict == "different"
    subject.allow = ("batch",)
    report = verify(subject, effort="quick")
    assert [c.outcome for c in report.checks if c.name == "batch"] == ["waived"]
    assert report.verdict == "proved"


def test_a_time_limit_ends_a_check_but_never_before_its_first_example():
    report = verify(echo(), timeout=1e-6)
    assert {check.examples for check in report.checks if check.outcome == "passed"} == {1}
    assert any("stopped after 1 examples: time" in check.detail for check in report.checks)


class Padded:
    """Three taps; `bug` in the head, the interior or the tail."""

    def __init__(self, conv, bug):
        self.conv, self.bug, self.frames, self.t = conv, bug, [], 0

    def step(self, frame):
        if not self.frames:
            self.frames = [torch.zeros_like(frame) + (self.bug == "head")]
        self.frames = [*self.frames, frame][-3:]
        self.t += 1
        return self.out(self.bug == "interior" and self.t == 9) if len(self.frames) == 3 else None

    def out(self, wrong=False):
        y = self.conv(torch.stack(self.frames, 2))[:, :, 1]
        return y + 1 if wrong else y

    def flush(self):
        if not self.frames:
            return []
        self.frames = [*self.frames, torch.zeros_like(self.frames[-1])][-3:]
        return [self.out(self.bug == "tail")] if len(self.frames) == 3 else []


@pytest.mark.parametrize("bug", ["head", "interior", "tail"])
def test_head_interior_and_tail_have_verdicts_of_their_own(bug):
    torch.manual_seed(0)
    conv = nn.Conv1d(2, 2, 3, padding=1)
    report = verify(
        coequal.Subject(clip=conv, stream=lambda: Padded(conv, bug), example=torch.randn(1, 2, 12)), effort="quick"
    )
    wrong = {name for name, region in report.regions.items() if region.outcome == "different"}
    assert wrong - {"both ends"} == {bug}, report.regions
    assert report.counterexample.region in wrong


def test_the_timing_of_a_claim_is_compared():
    class Liar(nn.Conv1d):
        pass

    module = continual.Conv1d(2, 2, 3)
    subject = coequal.subject(module, example=torch.randn(1, 2, 8))
    assert (subject.claim.receptive_field, subject.claim.delay) == (Timing(3).receptive_field, 2)
    subject.claim = coequal.Claim(receptive_field=4)
    report = verify(subject, effort="quick")
    assert [f.detail for f in report.findings if f.name == "claimed-timing"] == ["receptive field: claimed 4, measured 3"]


def test_it_runs_under_a_profiler():
    profiler = cProfile.Profile()
    report = profiler.runcall(verify, echo(), effort="quick")
    assert report.verdict == "proved"
    assert profiler.getstats()


def test_one_check_may_be_named_alone():
    report = coequal.verify(echo(), checks="values", effort="quick")
    assert [check.name for check in report.checks] == ["values"]
