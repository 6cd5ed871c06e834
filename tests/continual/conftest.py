"""Rounding bounds by running error analysis: the fixture of the reference's tests, for the same operators as streams."""

import importlib.util
import sys
from pathlib import Path

_path = Path(__file__).parents[1] / "reference" / "conftest.py"
_spec = importlib.util.spec_from_file_location("reference_bounds", _path)
_module = sys.modules[_spec.name] = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)

error_bound = _module.error_bound

import pytest  # noqa: E402
import torch  # noqa: E402

from coequal.continual.module import Stream  # noqa: E402
from coequal.proofs.eager import EagerMode  # noqa: E402


def _emitted(module, clip, time=2):
    """Everything a stream gives for a clip; the frames it was fed are overwritten afterwards."""
    stream, frames = Stream(module), []
    for frame in clip.unbind(time):
        fed = frame.clone()
        output = stream.push(fed)
        if not fed.requires_grad:
            fed.fill_(77)
        frames += [] if output is None else [output]
    return frames + stream.flush()


@pytest.fixture(scope="session")
def emitted():
    """`emitted(module, clip, time=2)`: the frames of a stream, flush included."""
    return _emitted


@pytest.fixture(scope="session")
def same_frames():
    """`same_frames(frames, clip, time=2)`: bitwise the frames of a clip, in order, none missing."""

    def same(frames, clip, time=2):
        wanted = list(clip.unbind(time))
        assert len(frames) == len(wanted)
        for j, (got, want) in enumerate(zip(frames, wanted, strict=True)):
            assert torch.equal(got, want), f"frame {j}"

    return same


def _small_integers(module, seed):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randint(-3, 4, parameter.shape, generator=generator))
    return module.double()


@pytest.fixture(scope="session")
def small_integers():
    """`small_integers(module, seed)`: the module in double precision with small integers for parameters."""
    return _small_integers


class MultiplyAdds(EagerMode):
    """Counts multiply-adds where they are executed: convolutions and matrix products, seen at the dispatcher."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        if "convolution" in name:
            self.count += result.numel() * args[1][0].numel()
        elif name in ("mm", "bmm"):
            self.count += result.numel() * args[0].shape[-1]
        elif name == "addmm":
            self.count += result.numel() * args[1].shape[-1]
        return result


@pytest.fixture
def multiply_adds():
    """The counter, as a context."""
    return MultiplyAdds()
