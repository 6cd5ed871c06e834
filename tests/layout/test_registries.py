"""Adding a thing means adding a file: one of each kind is added in a temporary folder, through its registry, and used."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from importlib import import_module, invalidate_caches
from pathlib import Path
from types import ModuleType

import hypothesis
import pytest
import torch
from torch import nn

import coequal
from coequal import continual, reference, systems
from coequal.continual.to_torch import regular
from coequal.equivalence.campaigns.architectures import OPERATORS
from coequal.equivalence.checks import CHECKS, CheckSpec
from coequal.equivalence.checks.examples import middle_examples
from coequal.proofs.cost import clip_cost, formulas
from coequal.proofs.cost.formulas.dispatch import clip_formula
from coequal.proofs.field import semantics
from coequal.proofs.field.semantics.table import MEANINGS, TABLE
from coequal.reference import linear
from coequal.report import writers
from coequal.subjects import adapters, backends
from coequal.subjects.listing import modules_of

# a file of `reference/` that is no operator, or an operator without one of the others, and why
NO_OPERATOR = {"layer": "what layers have in common", "timing": "arithmetic of timings", "window": "geometry of windows"}
NO_FORMULA = {"adaptive_pool": "its formulas stand with those of `pool`"}
NO_STRATEGY = {"adaptive_pool": "drawn with `pool`", "softmax": "drawn in `attention`"}
FRAMEWISE = "looks at one frame alone: `continual/framewise.py`"
NO_STREAM = {
    **dict.fromkeys(("activation", "linear", "norm", "softmax"), FRAMEWISE),
    "class_token": "a token of the whole clip: clip mode only",
    "decoder": "queries that attend to the whole clip: clip mode only",
    "pathways": "two rates at once: its stages are streamed one by one",
}
OPERATOR_FILES = sorted(name for name in modules_of(reference, "__name__") if name not in NO_OPERATOR)


@pytest.mark.parametrize("name", OPERATOR_FILES)
def test_every_operator_is_in_every_room_or_it_is_said_why_not(name: str) -> None:
    formula, stream = name in modules_of(formulas, "__name__"), name in modules_of(continual, "__name__")
    assert formula != (name in NO_FORMULA)
    assert (name in OPERATORS) != (name in NO_STRATEGY)
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
    assert kind in regular.registry


def test_no_reason_is_left_over() -> None:
    said = {*NO_OPERATOR, *NO_FORMULA, *NO_STRATEGY, *NO_STREAM}
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
    text = "def serves(name):\n    return name == 'abacus'\ndef moved(subject, name):\n    return 'moved'\n"
    beside(backends, folder, monkeypatch, "abacus", text)
    from coequal.subjects.backends.find import on_device

    subject = coequal.Subject(clip=torch.sin, stream=object, example=torch.ones(1, 2, 3))
    assert on_device(subject, "abacus") == "moved"
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


def test_a_published_family_is_a_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    beside(systems, folder, monkeypatch, "a_family", "def systems():\n    return ()\n")
    from coequal.systems.catalogue import families

    assert "a_family" in families()


FORMULA = """
from dataclasses import dataclass
from coequal.proofs.cost.algebra.counts import Cost
from coequal.proofs.cost.formulas.dispatch import clip_formula
from coequal.reference.timing import Timing

@dataclass
class Doubling:
    timing = Timing()
    def output_shape(self, shape):
        return shape
    def parameters(self):
        return {}

@clip_formula.register
def _(layer: Doubling, shape, padding):
    return Cost.of("elementwise", mul=shape[0])
"""


def test_a_formula_is_a_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    beside(formulas, folder, monkeypatch, "doubling", FORMULA)
    doubling = import_module(f"{formulas.__name__}.doubling")
    assert clip_cost(doubling.Doubling(), (7,)).flops("operations") == 7


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
    from coequal.equivalence.campaigns import architectures

    monkeypatch.setattr(architectures, "OPERATORS", dict(OPERATORS))
    drawn = architectures.strategy("mine")(OPERATORS["linear"])
    assert architectures.OPERATORS["mine"] is drawn
    assert isinstance(
        hypothesis.find(architectures.architectures("mine"), lambda _: True).layer, (linear.Linear, linear.Embedding)
    )
