"""`coequal verify --certificate` and `coequal recheck` from end to end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import coequal
from coequal.__main__ import main
from tests.subjects.artefacts import nets

pytest.importorskip("onnx", reason="onnx is not installed")
pytestmark = pytest.mark.usefixtures("forked")
NETS = str(Path(nets.__file__))


@pytest.fixture(scope="module")
def step(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A step of one convolution."""
    net, clip = nets.one()
    path = tmp_path_factory.mktemp("recheck") / "one.onnx"
    coequal.export(net, str(path), example=clip)
    return path


def test_a_certificate_holds_until_a_digest_is_edited(step: Path, capfd) -> None:
    path = step.with_suffix(".json")
    code = main(["verify", str(step), "--clip", f"{NETS}:one", "--only", "exact", "--certificate", str(path)])
    out = " ".join(capfd.readouterr().out.split())
    assert code == 0
    assert f"certificate file {path} step SHA-256" in out
    assert main(["recheck", str(path)]) == 0
    assert f"clip {NETS}:one" in " ".join(capfd.readouterr().out.split())
    said = json.loads(path.read_text())
    said["digests"]["3"] = said["digests"]["2"]
    path.write_text(json.dumps(said))
    assert main(["recheck", str(path), "--alone"]) == 1
    out = capfd.readouterr().out
    assert out.startswith(f"refused  {path}")
    assert "its digests is not what follows" in out


def test_what_is_not_proved_has_none_and_is_exit_code_three(step: Path, capfd) -> None:
    path = step.with_name("none.json")
    code = main(["verify", str(step), "--clip", f"{NETS}:one", "--only", "values", "--certificate", str(path)])
    assert code == 3
    assert "not written: no certificate is written of what is tested" in " ".join(capfd.readouterr().out.split())
    assert not path.exists()


def test_bad_input_is_one_line(tmp_path: Path, capfd) -> None:
    for text, said in (("{}", "KeyError: 'step'"), ("nothing", "JSONDecodeError")):
        (tmp_path / "some.json").write_text(text)
        assert main(["recheck", str(tmp_path / "some.json")]) == 2
        err = capfd.readouterr().err
        assert said in err
        assert err.count("\n") == 1


def test_what_cannot_be_read_is_one_line(tmp_path: Path, capfd) -> None:
    (tmp_path / "torn.json").write_text("{")
    for name, says in (("none.json", "cannot read"), ("torn.json", "is no certificate")):
        assert main(["recheck", str(tmp_path / name)]) == 2
        (line,) = capfd.readouterr().err.splitlines()
        assert says in line
