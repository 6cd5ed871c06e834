"""`coequal export` from end to end: a file, and the command that verifies it again."""

from __future__ import annotations

from pathlib import Path

import pytest

from coequal.__main__ import main
from tests.subjects.artefacts import nets

pytest.importorskip("onnx", reason="onnx is not installed")
pytestmark = pytest.mark.usefixtures("forked")
NETS = str(Path(nets.__file__))


def test_what_was_exported_is_verified_by_the_line_that_is_printed(tmp_path: Path, capfd) -> None:
    path = str(tmp_path / "one.onnx")
    assert main(["export", f"{NETS}:one", "--to", "onnx", "--output", path]) == 0
    out = " ".join(capfd.readouterr().out.split())
    assert out.startswith(f"proved for every length {path}")
    assert "states state1_ring1, state1_ring2" in out
    assert f"again coequal verify {path} --clip {NETS}:one" in out
    assert main(["verify", path, "--clip", f"{NETS}:one", "--only", "exact", "--require", "proved-all"]) == 0


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("Convolutions", "needs an example clip: add --example SHAPE"),
        ("STEPS", "is of type dict; expected a torch.nn.Module"),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, capfd, target: str, said: str) -> None:
    assert main(["export", f"{NETS}:{target}", "--to", "pt2", "--output", str(tmp_path / "step.pt2")]) == 2
    err = capfd.readouterr().err
    assert said in err
    assert err.count("\n") == 1
