"""Gradients through a stream: of a random functional of its emissions, with respect to inputs and parameters."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from coequal.equivalence.checks.base import Skip
from coequal.equivalence.compare import rounding
from coequal.equivalence.compare.difference import Mismatch
from coequal.equivalence.compare.floats import largest
from coequal.equivalence.compare.relation import frames_of
from coequal.equivalence.run.examples import Example
from coequal.equivalence.run.session import ClipRaised, Session
from coequal.equivalence.run.short_products import without_cudnn
from coequal.subjects.inputs import Tree, called, leaves_of

Tensor = torch.Tensor
Gradients = dict[str, Tensor | None]
NONE = "its emissions carry no gradient: the stream is made for inference"


def gradients(session: Session, example: Example) -> int:
    """The gradients of a random functional through the stream are those through the clip."""
    if not session.floating:
        raise Skip("integer inputs have no gradient")
    if session.subject.window is not None:
        raise Skip("it emits windows: each has a gradient of its own")
    if session.subject.valid is not None:
        raise Skip("where frames are padding the clip function says nothing")
    x = session.inputs(example.length, example.batch, example.seed)
    with torch.enable_grad(), without_cudnn(), _recording(session) as parameters:
        stream, emitted = _through_stream(session, x, parameters, example.seed)
        clip = _through_clip(session, x, parameters, example.seed, emitted)
        moved = _through_clip(session, _moved(session, x), parameters, example.seed, emitted)
    scale = max((largest(gradient) for gradient in clip.values() if gradient is not None), default=0.0)
    return sum(_compared(session, name, stream[name], clip[name], moved[name], scale) for name in clip)


@contextlib.contextmanager
def _recording(session: Session) -> Iterator[dict[str, Tensor]]:
    """Parameters that ask for gradients, by name; what they asked for before is put back."""
    module = session.subject.modules
    named = {} if module is None or session.facts.unread else dict(module.named_parameters())
    before = {name: parameter.requires_grad for name, parameter in named.items()}
    try:
        for parameter in named.values():
            if parameter.is_floating_point():
                parameter.requires_grad_(True)
        yield {name: parameter for name, parameter in named.items() if parameter.requires_grad}
    finally:
        for name, parameter in named.items():
            parameter.requires_grad_(before[name])


def _moved(session: Session, x: Tree) -> Tree:
    """The input, changed by a little: how far a gradient moves says how much of a difference is rounding."""
    return session.layout.on_data(lambda leaf: rounding.perturbed(leaf, session.seed + 1), x)


def _asking(session: Session, x: Tree) -> tuple[Tree, dict[str, Tensor]]:
    """The input with tensors that ask for gradients, and those."""
    asked = session.layout.on_data(lambda leaf: leaf.clone().requires_grad_(True), x)
    return asked, {name: leaves_of(asked)[name] for name in session.layout.data(x)}


def _functional(frames: list[Tensor], seed: int) -> Tensor:
    """A random weight for every number that is emitted."""
    generator = torch.Generator().manual_seed(seed % 2**63)
    return torch.stack(
        [(frame * torch.randn(frame.shape, generator=generator).to(frame.device, frame.dtype)).sum() for frame in frames]
    ).sum()


def _of(total: Tensor, asking: dict[str, Tensor], parameters: dict[str, Tensor]) -> Gradients:
    wanted = {f"input `{name}`" if name else "the input": leaf for name, leaf in asking.items()}
    wanted |= {f"parameter {name}": leaf for name, leaf in parameters.items()}
    found = torch.autograd.grad(total, list(wanted.values()), allow_unused=True)
    return dict(zip(wanted, found, strict=True))


def _through_stream(session: Session, x: Tree, parameters: dict[str, Tensor], seed: int) -> tuple[Gradients, int]:
    """The gradients, and how many frames were emitted."""
    asked, asking = _asking(session, x)
    player = session.player().feed(asked, session.plan_chunks(x)).flush()
    if not player.held:
        raise Skip("nothing was emitted")
    if not all(frame.requires_grad for frame in player.held):
        raise Skip(NONE)
    try:
        return _of(_functional(player.held, seed), asking, parameters), len(player.held)
    except RuntimeError as error:  # changed in place: autograd says so
        raise Mismatch(f"no gradient through the stream: {str(error).splitlines()[0][:160]}") from error


def _through_clip(session: Session, x: Tree, parameters: dict[str, Tensor], seed: int, emitted: int) -> Gradients:
    asked, asking = _asking(session, x)
    try:
        output = session.outputs.of_clip(called(session.subject.clip, asked, "clip"))
    except Exception as error:
        raise ClipRaised(str(error)) from error
    frames = frames_of(session, output)[session.subject.offset :][:emitted]
    if not output.requires_grad:
        raise Skip("the clip function's output carries no gradient")
    return _of(_functional(frames, seed), asking, parameters)


def _compared(
    session: Session, name: str, got: Tensor | None, want: Tensor | None, moved: Tensor | None, scale: float
) -> int:
    """One gradient; where the stream has none, the clip's must be zero. `scale`: of the largest of all gradients."""
    if want is None:
        return int(got is None or not bool(got.any()) or _differs(name, "some", "none"))
    if got is None:
        return int(not bool(want.any()) or _differs(name, "none", "some"))
    amplified = 0.0 if moved is None else largest(moved - want) / rounding.PROBE
    limit = rounding.bound(session.numbers.coarsest or session.dtype, amplified, scale)
    off = float((got - want).abs().max()) if want.numel() else 0.0
    if off <= limit:
        return 1
    raise Mismatch(
        f"the gradient of {name} through the stream is off by {off:.1e}, where the clip's is at most {largest(want):.1e}:"
        " part of the state is detached, or computed otherwise"
    )


def _differs(name: str, stream: str, clip: str) -> bool:
    raise Mismatch(f"the gradient of {name}: the stream has {stream}, the clip {clip}")
