"""Adding a thing means adding a file: one of each kind is added in a temporary folder, through its registry, and used."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module, invalidate_caches, reload
from pathlib import Path
from types import ModuleType

import hypothesis
import pytest
import torch
from torch import nn

import coequal
from coequal import continual, reference, systems
from coequal.continual import to_torch
from coequal.continual.operators import complete
from coequal.equivalence.campaigns.architectures import OPERATORS, architectures, operators
from coequal.equivalence.checks import CHECKS, CheckSpec
from coequal.equivalence.checks.examples import middle_examples
from coequal.proofs.cost import CONVENTIONS, clip_cost, formulas
from coequal.proofs.cost.formulas.dispatch import clip_formula
from coequal.proofs.cost.formulas.scale import Scale
from coequal.proofs.field import semantics
from coequal.proofs.field.semantics.table import MEANINGS, TABLE
from coequal.reference import linear, softmax
from coequal.report import writers
from coequal.subjects import adapters, backends
from coequal.subjects.listing import modules_of

# a file of `reference/` that is no operator, or an operator without one of the others, and why
NO_OPERATOR = {
    **{"layer": "what layers have in common", "timing": "arithmetic of timings", "window": "geometry of windows"},
    "checkpoint": "parameters out of weights of other code",
}
FRAMEWISE = "looks at one frame alone: `continual/framewise.py`"
NO_STREAM = {
    **dict.fromkeys(("activation", "linear", "norm", "softmax"), FRAMEWISE),
    "adaptive_kernel": "kernels made of the whole clip: clip mode only",
    "class_token": "a token of the whole clip: clip mode only",
    "decoder": "queries that attend to the whole clip: clip mode only",
    "multiview": "class tokens of places in the whole clip: `continual/multiview_encoder.py`, clip mode only",
    "non_local": "every position sees the whole clip: clip mode only",
    "pooling_attention": "every token sees the whole clip: `continual/pooling_encoder.py`, clip mode only",
    "pathways": "two rates at once: its stages are streamed one by one",
}
OPERATOR_FILES = sorted(name for name in modules_of(reference, "__name__") if name not in NO_OPERATOR)


@pytest.mark.parametrize("name", OPERATOR_FILES)
def test_every_operator_is_in_every_room_or_it_is_said_why_not(name: str) -> None:
    stream = name in modules_of(continual, "__name__")
    assert name in modules_of(formulas, "example")
    assert name in operators()
    assert stream != (name in NO_STREAM)


LAYERS = {
    kind
    for module in modules_of(reference, "__name__").values()
    for kind in vars(module).values()
    if dataclasses.is_dataclass(kind)
    and hasattr(kind, "output_shape")
    and kind.__module__ == module.__name__
    and kind.__name__[0] != "_"
}


@pytest.mark.parametrize("kind", sorted(LAYERS, key=lambda kind: kind.__name__), ids=lambda kind: kind.__name__)
def test_every_layer_has_a_formula_and_a_torch_module(kind: type) -> None:
    assert kind in clip_formula._generic.registry
    complete()
    assert kind in to_torch._made.registry


@pytest.mark.parametrize("name", OPERATOR_FILES)
def test_every_convention_knows_what_an_operator_counts_for(name: str) -> None:
    layer, shape = modules_of(formulas, "example")[name].example(Scale(8, 4, 4, 4, 4, 2, 4))
    cost = clip_cost(layer, shape)
    for convention in CONVENTIONS:
        assert cost.flops(convention) >= 0


def test_no_reason_is_left_over() -> None:
    said = {*NO_OPERATOR, *NO_STREAM}
    assert said <= set(modules_of(reference, "__name__"))


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A temporary folder; modules that were imported from it are forgotten afterwards."""
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            parent, _, last = name.rpartition(".")
            del sys.modules[name]
            if parent:
                delattr(sys.modules[parent], last)


def beside(package: ModuleType, folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    """A file more in a package."""
    (folder / f"{name}.py").write_text(text)
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])
    invalidate_caches()


ADAPTER = """
import torch
from coequal import Subject

def recognises(module):
    return type(module).__name__ == "Theirs"

class Stream:
    def __init__(self, module):
        self.module = module
    def step(self, frame):
        return self.module(frame)

def subject(module, example, **overrides):
    return Subject(clip=module, stream=lambda: Stream(module), example=example, modules=module, **overrides)
"""


class Theirs(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(x)


def test_an_adapter_is_a_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    beside(adapters, folder, monkeypatch, "theirs", ADAPTER)
    assert coequal.verify(Theirs(), example=torch.randn(1, 2, 5), effort="quick").verdict == "proved"


def test_another_package_offers_an_adapter(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "their_package.py").write_text(ADAPTER)
    meta = folder / "their_package-1.0.dist-info"
    meta.mkdir()
    (meta / "METADATA").write_text("Metadata-Version: 2.1\nName: their-package\nVersion: 1.0\n")
    (meta / "entry_points.txt").write_text("[coequal.adapters]\ntheirs = their_package\n")
    monkeypatch.syspath_prepend(str(folder))
    assert coequal.verify(Theirs(), example=torch.randn(1, 2, 5), effort="quick").verdict == "proved"


def test_a_back_end_is_a_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = """
import dataclasses

def serves(name):
    return name == "abacus"

class Stream:
    def step(self, frame):
        return frame.cos()

def moved(subject, name):
    return dataclasses.replace(subject, stream=Stream)
"""
    beside(backends, folder, monkeypatch, "abacus", text)
    from coequal.subjects.backends.find import on_device

    subject = coequal.Subject(clip=torch.sin, stream=Sine, example=torch.ones(1, 2, 3))
    assert coequal.verify(subject, effort="quick").verdict == "proved"
    assert coequal.verify(on_device(subject, "abacus"), effort="quick").verdict == "different"
    with pytest.raises(
        coequal.BadSubject, match=r"--device slide-rule: no back end is called so; there are abacus, torch_de"
    ):
        on_device(subject, "slide-rule")


FORMATS = {
    "lines": (
        """
HELP = "write its cases, a line each"

def text(document):
    return "".join(f"{case.status} {case.name}\\n" for case in document.cases)
""",
        "",
    ),
    "bell": (
        """
HELP = "ring"

def publish(document, out):
    out.write(f"{document.exit_code} rings\\n")
""",
        "0 rings\n",
    ),
}


@pytest.mark.parametrize("name", FORMATS)
def test_an_output_format_is_a_file(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text, printed = FORMATS[name]
    beside(writers, folder, monkeypatch, name, text)
    from coequal.__main__ import main

    path = folder / "written"
    assert main(["check", "shift", "--max-examples", "1", f"--{name}", *([] if printed else [str(path)])]) == 0
    assert capsys.readouterr().out.endswith(f"random architectures\n{printed}")
    assert printed or path.read_text() == "passed shift\n"
    with pytest.raises(SystemExit):
        main(["systems", "--help"])
    assert f"--{name}" in capsys.readouterr().out


FAMILY = """
from coequal.reference.conv import Conv
from coequal.systems.system import System

def systems():
    return (System("Tiny", "small", Conv(3, 4, (3, 1, 1)), (1, 3, 8, 4, 4), "a test"),)
"""


def test_a_published_family_is_a_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its networks are listed, and counted."""
    from coequal.__main__ import main
    from coequal.systems import catalogue

    beside(systems, folder, monkeypatch, "a_family", FAMILY)
    reload(catalogue)
    try:
        assert "Tiny" in catalogue.SYSTEMS
        assert main(["cost", "Tiny"]) == 0
        assert f"{4 * 3 * 3 * 6 * 4 * 4:,}" in capsys.readouterr().out
    finally:
        monkeypatch.undo()
        reload(catalogue)


REFERENCE = '''
"""Differences: each frame less the one before."""

from dataclasses import dataclass

import numpy as np

from coequal.reference.timing import Timing


@dataclass(frozen=True)
class Difference:
    @property
    def time(self):
        return 2

    @property
    def timing(self):
        return Timing(2, 1, 1, 0)

    def parameters(self):
        return {}

    def output_shape(self, shape):
        return tuple(shape)

    def __call__(self, parameters, clip):
        return clip - np.concatenate([np.zeros_like(clip[:, :, :1]), clip[:, :, :-1]], axis=2)
'''
CONTINUAL = '''
"""Differences, a frame at a time."""

import torch

from coequal.continual.conversion import plainly
from coequal.continual.streaming import Streaming
from coequal.continual.to_torch import makes
from coequal.reference.difference import Difference as Layer
from coequal.reference.timing import Timing

__all__ = ["Difference"]


class Clip(torch.nn.Module):
    def forward(self, x):
        return x - torch.cat([torch.zeros_like(x[:, :, :1]), x[:, :, :-1]], 2)


class Difference(Streaming, Clip):
    timing = Timing(2, 1, 1, 0)

    def begin(self, frame):
        return {"before": torch.zeros_like(frame)}

    def push(self, frame, state):
        return [frame - state["before"]], {"before": frame.clone()}

    def finish(self, state):
        return []


plainly({Clip: Difference})


@makes
def _(layer: Layer) -> torch.nn.Module:
    return Clip()
'''
FORMULA = '''
"""Differences: one subtraction a number."""

from coequal.proofs.cost.algebra.counts import Cost
from coequal.proofs.cost.algebra.symbols import numel
from coequal.proofs.cost.formulas.dispatch import Steps, clip_formula, shape_formula, state_formula, step_formula
from coequal.reference.difference import Difference


@shape_formula.register
def _(layer: Difference, shape):
    return shape


@clip_formula.register
def _(layer: Difference, shape, padding):
    return Cost.of("elementwise", add=numel(shape))


@step_formula.register
def _(layer: Difference, shape, padding):
    return Steps((Cost.of("elementwise", add=numel((*shape[:2], *shape[3:]))),))


@state_formula.register
def _(layer: Difference, shape):
    return numel((*shape[:2], *shape[3:]))


def example(scale):
    return Difference(), scale.video
'''


@pytest.fixture
def listed_anew() -> Iterator[None]:
    """The operators are listed when they are needed, and again afterwards."""
    from coequal.continual import operators as listing

    for kept in (listing.complete, listing.public_names):
        kept.cache_clear()
    yield
    for kept in (listing.complete, listing.public_names):
        kept.cache_clear()


def test_an_operator_is_three_files(
    folder: Path, monkeypatch: pytest.MonkeyPatch, listed_anew: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is in the catalogue, converts, streams, is drawn, verified and counted."""
    for package, text in ((reference, REFERENCE), (continual, CONTINUAL), (formulas, FORMULA)):
        room = folder / package.__name__
        room.mkdir()
        beside(package, room, monkeypatch, "difference", text)
    import_module(f"{formulas.__name__}.difference")
    layer = import_module(f"{reference.__name__}.difference").Difference()
    module = to_torch.regular(layer)
    streaming = continual.convert(nn.Sequential(nn.ReLU(), module))
    assert type(streaming[1]) is continual.Difference  # type: ignore[attr-defined]
    assert coequal.verify(streaming, example=torch.randn(1, 2, 5), effort="quick").horizon == "all"
    assert coequal.check(["difference"], max_examples=5).passed
    drawn = hypothesis.find(architectures("difference"), lambda _: True)
    assert type(drawn.layer) is type(layer)
    from coequal.__main__ import main

    assert main(["cost", "difference", "--convention", "operations"]) == 0
    assert f"{64 * 16 * 56 * 56:,}" in capsys.readouterr().out
    assert main(["check", "difference", "--exact", "--max-examples", "2"]) == 0
    assert "difference" in capsys.readouterr().out


def test_the_files_of_operators_may_be_imported_anywhere() -> None:
    """Also while a program runs over a field: none of them runs an operation of torch."""
    code = """
import torch
from coequal.proofs.eager import EagerMode

class Counts(EagerMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        raise SystemExit(f"{func} ran at import")

import coequal.continual
from coequal.continual.operators import complete, files
with Counts():
    complete()
print(len(files()))
"""
    ran = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False, timeout=300)
    assert (ran.returncode, ran.stderr) == (0, ""), ran.stderr
    assert int(ran.stdout) > 20


MEANING = """
from coequal.proofs.field.semantics.table import RING, means

@means("special_erfcx", says="its argument", keeps=RING, source="a test")
def identity(f, a):
    return a
"""


def test_the_meaning_of_an_operation_is_a_rule(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = list(TABLE)
    beside(semantics, folder, monkeypatch, "of_a_test", MEANING)
    try:
        import_module(f"{semantics.__name__}.of_a_test")
        assert MEANINGS["special_erfcx"].group == "of_a_test"
        subject = coequal.Subject(clip=torch.special.erfcx, stream=Twice, example=torch.randn(1, 2, 5))
        report = coequal.verify(subject, checks=["exact"], effort="quick")
        assert report.checks[0].outcome == "passed", report  # it is its argument over a field
    finally:
        MEANINGS.pop("special_erfcx", None)
        TABLE[:] = before


def test_a_check_is_a_body_and_an_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    def body(session: object, example: object) -> int:
        return 1

    monkeypatch.setitem(CHECKS, "mine", CheckSpec("Is it mine?", middle_examples(), body))
    subject = coequal.Subject(clip=torch.sin, stream=Sine, example=torch.randn(1, 2, 5))
    report = coequal.verify(subject, checks=["mine"], effort="quick")
    assert [(check.name, check.outcome) for check in report.checks] == [("mine", "passed")]


class Twice:
    def step(self, frame: torch.Tensor) -> torch.Tensor:
        return frame.clone()


class Sine:
    def step(self, frame: torch.Tensor) -> torch.Tensor:
        return torch.sin(frame)


def test_an_operators_strategy_is_a_decorator(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where examples in small sizes are not enough."""
    from coequal.equivalence.campaigns import architectures as campaigns

    monkeypatch.setattr(campaigns, "OPERATORS", dict(campaigns.OPERATORS))
    drawn = campaigns.strategy("mine")(campaigns.OPERATORS["linear"])
    assert campaigns.operators()["mine"] is drawn
    assert isinstance(hypothesis.find(architectures("mine"), lambda _: True).layer, (linear.Linear, linear.Embedding))


def test_an_operator_without_a_strategy_is_drawn_from_its_example() -> None:
    assert "softmax" not in OPERATORS
    assert type(hypothesis.find(architectures("softmax"), lambda _: True).layer) is softmax.Softmax
