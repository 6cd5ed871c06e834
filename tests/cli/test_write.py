"""`coequal write` from end to end: a draft on stdout, verified as it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from coequal.__main__ import main

pytestmark = pytest.mark.usefixtures("forked")

ROOT = Path(__file__).resolve().parents[2]
ZOO = ROOT / "tests" / "subjects" / "drafts" / "zoo.py"


def written(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["write", *arguments])
    return code, *capfd.readouterr()


@pytest.mark.parametrize(
    ("name", "verdict", "code"), [("CacheTuple", "proved for every length", 0), ("LateTap", "different", 1)]
)
def test_a_draft_is_verified_as_it_is(tmp_path: Path, capfd, name: str, verdict: str, code: int) -> None:
    drafted, source, err = written(capfd, f"{ZOO}:{name}")
    assert (drafted, err) == (0, "")
    (tmp_path / "draft.py").write_text(source)
    assert main(["verify", f"{tmp_path / 'draft.py'}:subject", "--effort", "quick"]) == code
    assert capfd.readouterr().out.startswith(verdict)


def test_the_example_of_the_documentation(tmp_path: Path, capfd) -> None:
    page = (ROOT / "docs" / "cli.md").read_text().partition("## coequal write")[2].partition("\n## ")[0]
    module = re.findall(r"```python\n(.*?)```", page, re.DOTALL)[0]
    (shown,) = re.findall(r"```\n# Guessed(.*?)```", page, re.DOTALL)
    (tmp_path / "model.py").write_text(module)
    _, source, _ = written(capfd, f"{tmp_path / 'model.py'}:net")
    for part in shown.split("...\n"):
        assert part.strip() in source


def test_nothing_like_a_stream(capfd) -> None:
    code, out, err = written(capfd, f"{ZOO}:linear")
    assert (code, out) == (2, "")
    assert err.startswith(f"coequal: {ZOO}:linear: Linear has nothing that looks like a stream. Looked for: ")
    assert err.count("\n") == 1


def test_a_class_that_needs_arguments(capfd) -> None:
    code, _, err = written(capfd, f"{ZOO}:Sized")
    assert code == 2
    assert err.startswith(f"coequal: {ZOO}:Sized takes arguments (width); expected a torch.nn.Module, a class of one")


def test_no_name(capfd) -> None:
    code, _, err = written(capfd, str(ZOO))
    assert code == 2
    assert "write FILE.py:NAME" in err


def test_a_module_by_its_dotted_name(tmp_path: Path, capfd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "small.py").write_text("from torch import nn\nclass Holder:\n    net = nn.GRU(4, 3)\n")
    code, source, _ = written(capfd, "nets.small:Holder.net")
    assert code == 0
    assert "from nets.small import Holder\n\nmodule = Holder.net\n" in source


def test_what_the_module_prints_is_no_part_of_the_draft(tmp_path: Path, capfd) -> None:
    path = tmp_path / "loud.py"
    path.write_text("from torch import nn\nprint('hello')\nnet = nn.GRU(4, 3)\n")
    _, source, _ = written(capfd, f"{path}:net")
    assert "hello" not in source
    compile(source, "draft", "exec")


def test_a_module_that_never_returns(tmp_path: Path, capfd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # a process of its own, which is ended when its time is up
    path = tmp_path / "slow.py"
    path.write_text(
        "import time\nfrom torch import nn\nclass Net(nn.Module):\n    input_size = 4\n    def forward(self, x, hx=None):\n"
        "        while True: time.sleep(0.1)\nnet = Net()\n"
    )
    code, _, err = written(capfd, f"{path}:net", "--timeout", "8")
    assert code == 2
    assert "not finished after 8 s, while drafting it, at " in err
