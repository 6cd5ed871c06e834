"""Runtimes for programs of torch.export: what is lowered, when, and what is said of one that refuses or is not there."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest
import torch

import coequal
from coequal.equivalence.canary import canary
from coequal.process.exported import load
from coequal.subjects.artefacts.find import program_of
from coequal.subjects.artefacts.pt2_parts import parts
from coequal.subjects.backends import compilers
from coequal.subjects.backends.lowered import started
from coequal.subjects.backends.runtime import RuntimeProgram, Started
from coequal.subjects.errors import BadSubject
from tests.subjects.artefacts import nets

Tensor = torch.Tensor
pytestmark = pytest.mark.filterwarnings("ignore")  # of torch's exporters


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("lowered")
    return {
        "convolutions": nets.pt2("convolutions", folder / "convolutions.pt2"),
        "recurrent": nets.pt2("recurrent", folder / "recurrent.pt2"),
        "ring": nets.ring(folder / "ring.pt2"),
    }


class Eager:
    """torch itself as a runtime; `rounds` in front of every product, as a coarser one would."""

    def __init__(self, rounds: bool = False) -> None:
        self.rounds, self.lowered = rounds, list[tuple[int, ...]]()

    def start(self, model: Any, settings: Any = None) -> Started:
        def lower(program: Any, tensors: tuple[Tensor, ...]) -> Any:
            self.lowered.append(tuple(tensors[0].shape))
            module = program.module()
            return lambda given: module(*(self._rounded(x) for x in given))

        return started(model, "eager", lower)

    def _rounded(self, x: Tensor) -> Tensor:
        return x.to(torch.bfloat16).to(x.dtype) if self.rounds and x.is_floating_point() else x


def inputs_of(program: Any) -> tuple[Tensor, ...]:
    return tuple(torch.randn([n if isinstance(n, int) else 2 for n in port.shape]) for port in program.inputs)


@pytest.mark.parametrize("name", ["convolutions", "recurrent", "ring"])
def test_what_is_lowered_computes_what_the_file_does(files: dict[str, str], name: str) -> None:
    program = program_of(files[name])
    tensors = inputs_of(program)
    got = Eager().start(program).run([x.numpy() for x in tensors])
    for mine, theirs in zip(got, program(*tensors), strict=True):
        torch.testing.assert_close(torch.from_numpy(mine), theirs)


def test_each_set_of_sizes_is_lowered_once(files: dict[str, str]) -> None:
    program, eager = program_of(files["convolutions"]), Eager()
    run = eager.start(program).run
    for rows in (2, 3, 2):
        run([torch.randn(rows, 3).numpy(), torch.randn(rows, 3, 2).numpy(), torch.randn(rows, 5, 1).numpy()])
    assert eager.lowered == [(2, 3), (3, 3)]


@pytest.mark.parametrize(("name", "clip"), [("convolutions", "convolutions"), ("ring", "one")])
def test_a_stream_on_a_runtime_agrees_and_one_that_is_coarser_does_not(files: dict[str, str], name: str, clip: str) -> None:
    for rounds, verdict in ((False, "tested"), (True, "different")):
        eager = Eager(rounds)
        subject = load(
            files[name],
            clip=f"{nets.__file__}:{clip}",
            wrapped=lambda step, eager=eager: RuntimeProgram(step, eager.start(step)),  # type: ignore[misc]
        )
        assert coequal.verify(subject, effort="quick", checks=("values",)).verdict == verdict


@pytest.mark.parametrize(("name", "nodes"), [("convolutions", 2), ("recurrent", 3)])
def test_products_are_asked_on_whole_numbers_side_by_side(files: dict[str, str], name: str, nodes: int) -> None:
    """A recurrent layer is its products; all nodes are one program, which is lowered once."""
    program = program_of(files[name])
    for rounds, outcome in ((False, "exact"), (True, "not exact")):
        eager = Eager(rounds)
        found = canary(parts(program, inputs_of(program)), lambda m, s, e=eager: e.start(m).run, {}, ())  # type: ignore[misc]
        assert (found.outcome, found.asked, len(eager.lowered)) == (outcome, nodes, 1)


def test_what_the_runtime_refuses_is_one_line(files: dict[str, str]) -> None:
    def lower(program: Any, tensors: Sequence[Tensor]) -> Any:
        raise NotImplementedError("no kernel for aten.addmm\nand much more")

    program = program_of(files["convolutions"])
    with pytest.raises(BadSubject, match=r"^thing refuses the program: NotImplementedError: no kernel for aten.addmm$"):
        started(program, "thing", lower).run([x.numpy() for x in inputs_of(program)])


@pytest.mark.parametrize(("name", "package"), [("executorch", "executorch"), ("litert", "litert_torch")])
def test_a_runtime_that_is_not_installed_says_how(files: dict[str, str], name: str, package: str) -> None:
    if find_spec(package) is not None:
        pytest.skip(f"{package} is installed")
    backend = import_module(f"coequal.subjects.backends.{name}")
    with pytest.raises(BadSubject, match=rf"--backend {name} needs the package.*pip install 'coequal\[{name}\]'"):
        backend.start(program_of(files["convolutions"]), {})
    with pytest.raises(BadSubject, match=f"{name} has no setting zzz; there is delegate"):
        backend.start(None, {"zzz": "1"})
    with pytest.raises(BadSubject, match=f"{name}: delegate=zzz is none; there are none, xnnpack"):
        backend.start(None, {"delegate": "zzz"})


@pytest.mark.parametrize("name", ["compile", "aotinductor"])
def test_without_a_compiler_that_is_said(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compilers.shutil, "which", lambda name: None)
    monkeypatch.setenv("CXX", "c++-that-is-not-there")
    with pytest.raises(
        BadSubject, match=rf"--backend {name} needs a C\+\+ compiler, and there is no c\+\+-that-is-not-there"
    ):
        import_module(f"coequal.subjects.backends.{name}").start(None, {})
