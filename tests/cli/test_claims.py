"""`coequal claims`: table, JSON, and what is wrong in one line."""

import json
from pathlib import Path

import pytest

from coequal.__main__ import main
from coequal.proofs.claims.claim import COLUMNS
from coequal.systems.catalogue import SYSTEMS

KEYS = ["system", "model", "mode", "input", "quantity", "published", "derived", "verdict", "convention", "source", "why"]
ROW = "mine,net,clip,-,params,28.04,M,all parameters,here,yes,I3D-R50,trainable,"


def test_one_network(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["claims", "SlowFast-8x8-R50"]) == 0
    out = capsys.readouterr().out
    line = next(line for line in out.splitlines() if "66.25 M" in line)
    assert line.split() == ["SlowFast-8x8-R50", "params,", "clip", "66.25", "M", "34.57", "does", "not", "hold"]
    assert (
        "SlowFast-8x8-R50, params: trainable: numbers that training changes; 66.25 is the FLOPs cell of the same row" in out
    )
    assert out.splitlines()[-1].startswith("published numbers: 8; hold: ")


def test_everything_is_counted_and_failures_are_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["claims"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (total,) = [line for line in lines if line.startswith("published numbers: ")]
    numbers = [int(part.partition(": ")[2]) for part in total.split("; ")]
    assert numbers[0] == sum(numbers[1:])
    reasons = [int(line.split()[2].strip(",")) for line in lines if line.startswith("  not derivable: ")]
    assert sum(reasons) == numbers[-1]
    failing = [line for line in lines if line.endswith("does not hold")]
    assert len(failing) == numbers[3]


def test_json(tmp_path: Path) -> None:
    path = tmp_path / "claims.json"
    assert main(["claims", "Co3D", "X3D-M", "--json", str(path)]) == 0
    rows = json.loads(path.read_text())
    assert all(list(row) == KEYS for row in rows)
    assert {row["system"] for row in rows} == {"Co3D", "X3D"}
    row = next(row for row in rows if row["model"] == "CoX3D-M_16" and row["published"] == 0.33)
    assert row["verdict"] == "holds under convention ptflops-step"
    assert row["derived"] == pytest.approx(0.325456057, abs=0)
    memory = next(row for row in rows if row["quantity"] == "memory (MiB)")
    assert memory["derived"] is None
    assert memory["verdict"] == "not derivable"


def test_a_data_file_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(f"{','.join(COLUMNS)}\n{ROW}\n")
    assert main(["claims", "--data", str(path)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "published numbers: 1; hold: 1"
    assert SYSTEMS["I3D-R50"].params == 28043472


NET = """
import torch
from torch import nn

def net():
    return nn.Sequential(nn.Conv1d(2, 4, 3, padding=1), nn.BatchNorm1d(4), nn.ReLU()), torch.randn(1, 2, 16)
"""
OWN = """system,model,mode,input,quantity,published,unit,convention,source,verified,network
mine,net,clip,16 frames,flops,0.000384,M,multiply-adds,README,yes,{net}
mine,net,clip,1x2x32x1,flops,0.000384,M,multiply-adds,README,yes,{net}
mine,net,clip,16 frames,flops,0.00077,M,FLOPs,README,yes,{net}
mine,net,clip,16 frames,flops,0.00076,M,FLOPs,README,yes,{net}
mine,net,step,16 frames,flops,0.000024,M,multiply-adds,README,yes,{net}
mine,net,clip,16 frames,params,0.000036,M,all,README,yes,{net}
mine,net,step,16 frames,reduction,16,x,all,README,yes,{net}
"""


@pytest.mark.usefixtures("forked")
def test_numbers_of_code_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """384 multiply-adds on a clip, 24 in a step; two operations each; of those that do not hold the nearest is told."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(NET)
    lines = OWN.format(net="net.py:net").splitlines()
    (tmp_path / "mine.csv").write_text("\n".join(line for line in lines if "32x1" not in line))
    assert main(["claims", "--data", "mine.csv", "--json", "mine.json"]) == 0
    rows = json.loads((tmp_path / "mine.json").read_text())
    told = [(row["verdict"], row["convention"], round(row["derived"] * 10**6)) for row in rows[:-1]]
    assert told == [
        ("holds", "macs", 384),
        ("holds under convention flops", "flops", 768),
        ("does not hold", "flops", 768),
        ("holds", "macs", 24),
        ("holds", "trainable", 36),
    ]
    assert (rows[-1]["verdict"], rows[-1]["derived"]) == ("holds", 16)
    assert (
        capsys.readouterr().out.splitlines()[-1]
        == "published numbers: 6; hold: 4; hold under a convention: 1; do not hold: 1"
    )
    (tmp_path / "mine.csv").write_text("\n".join(line for line in lines if line.startswith("system") or "32x1" in line))
    assert main(["claims", "--data", "mine.csv"]) == 2
    assert "net.py:net: a clip of shape (1, 1, 2, 32, 1) does not fit" in capsys.readouterr().err


BARE = """system,model,mode,input,quantity,published,unit,convention,source,verified,network
mine,net,clip,2x16,flops,0.000384,M,multiply-adds,README,yes,bare.py:net
"""


@pytest.mark.usefixtures("forked")
def test_a_module_by_itself_takes_the_clip_that_the_input_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bare.py").write_text("import torch\nnet = torch.nn.Conv1d(2, 4, 3, padding=1)\n")
    (tmp_path / "mine.csv").write_text(BARE)
    assert main(["claims", "--data", "mine.csv"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "published numbers: 1; hold: 1"
    (tmp_path / "mine.csv").write_text(BARE.replace("2x16", "16 frames"))
    assert main(["claims", "--data", "mine.csv"]) == 2
    assert "claims: write the clip as the input (like 3x16x112x112, or 2x16 of 2 channels)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (ROW.replace("I3D-R50,trainable", "net.py:net,macs"), "counter 'macs' is not known of code; expected one of train"),
        (ROW.replace(",M,", ",,"), "mine.csv, line 2 (net): no unit; a number without its unit cannot be judged"),
        (ROW.replace("all parameters", ""), "mine.csv, line 2 (net): no convention; a number without its convention"),
        (ROW.replace("I3D-R50", "I3D"), "net: network 'I3D' is not in the catalogue; `coequal systems` lists it"),
    ],
)
def test_a_data_file_that_makes_no_sense(row: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(f"{','.join(COLUMNS)}\n{row}\n")
    assert main(["claims", "--data", str(path)]) == 2
    err = capsys.readouterr().err
    assert err.startswith("coequal: claims: ")
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "hint"),
    [("CoX3D-S13", "did you mean 'CoX3D-S_13'?"), ("zz", "papers: Co3D, ContinualTransformers, OadTR")],
)
def test_an_unknown_name(name: str, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["claims", name]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"coequal: claims: no published number of {name!r}; {hint}")
    assert err.count("\n") == 1


def test_a_file_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["claims", "I3D-R50", "--json", str(tmp_path / "no" / "file.json")]) == 2
    assert "cannot write" in capsys.readouterr().err


def test_a_network_without_published_numbers_is_not_taken_for_another(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["claims", "MTV-B"]) == 2
    assert "no published number of 'MTV-B' was found; what it costs: `coequal cost 'MTV-B'`" in capsys.readouterr().err
