"""`coequal systems`: what is listed, filtered and sorted, for people and for programs."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from coequal.__main__ import main
from coequal.cli import parser
from coequal.cli.systems import ORDERS, SHORT, entry
from coequal.systems.catalogue import SYSTEMS
from coequal.systems.streamability import KINDS, streamability


def listed(folder: Path, *options: str) -> list[dict[str, Any]]:
    """The networks in its JSON."""
    assert main(["systems", *options, "--json", str(folder / "data.json")]) == 0
    return json.loads((folder / "data.json").read_text())["systems"]


def lines(out: str) -> dict[str, str]:
    """The line of each network in the first table."""
    table = out.partition("\nnot exactly\n")[0].splitlines()
    return {name: line for name in SYSTEMS for line in table if line.startswith(f"{name}  ")}


@pytest.mark.parametrize("width", [80, 100])
def test_it_fits(width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """From 100 columns on every network is one line, in full; below, words are shorter."""
    monkeypatch.setenv("COLUMNS", str(width))
    assert main(["systems"]) == 0
    out = capsys.readouterr().out
    assert all(len(line) <= width for line in out.splitlines())
    found = lines(out)
    assert list(found) == list(SYSTEMS)
    for name, system in SYSTEMS.items():
        words = str(streamability(system.layer, system.shape))
        for whole in (f"  {words}  ", f" {system.params:,} "):
            assert (whole in found[name]) == (width >= 100)


def test_the_whole_list_takes_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    entry.cache_clear()
    begin = time.process_time()
    assert main(["systems"]) == 0
    assert time.process_time() - begin < 60  # four on a machine that has nothing else to do


@pytest.mark.parametrize("name", ["CoI3D_8", "CoX3D-S_13", "CoOadTR-b2 [Kin.]", "MC4-18_8"])
def test_numbers_are_those_of_cost(name: str, tmp_path: Path) -> None:
    told = next(each for each in listed(tmp_path, "--family", SYSTEMS[name].family) if each["name"] == name)
    assert main(["cost", name, "--json", str(tmp_path / "cost.json")]) == 0
    cost = json.loads((tmp_path / "cost.json").read_text())
    assert told["clip_macs"] == cost["clip"]["macs"]
    assert told["step_macs"] == cost["step"]["macs"]
    assert told["reduction"] == told["clip_macs"] / told["step_macs"]
    assert told["state_bytes"] == 4 * told["state"] == cost["step"]["state_bytes"]
    assert told["parameters"] == cost["clip"]["params"]


def test_a_network_that_does_not_stream_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (told,) = (each for each in listed(tmp_path, "--family", "x3d") if each["name"] == "X3D-S")
    assert (told["streams"], told["verdict"], told["step_macs"], told["reduction"]) == (False, "not exactly", None, None)
    assert told["counterexample"]["operator"] == "SqueezeExcite"
    assert told["counterexample"]["frame"] == told["counterexample"]["length"] - 1
    assert told["closest"] == "CoX3D-S_13"
    out = capsys.readouterr().out
    assert f"X3D-S   1.0.0.main.5 SqueezeExcite  {told['counterexample']['length']:>6}  CoX3D-S_13" in out


def test_filters(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    verdicts = {name: streamability(system.layer, system.shape).kind for name, system in SYSTEMS.items()}
    streaming = [name for name, kind in verdicts.items() if kind != "not exactly"]
    assert [told["name"] for told in listed(tmp_path, "--streams")] == streaming
    assert 0 < len(streaming) < len(SYSTEMS)
    assert {told["family"] for told in listed(tmp_path, "--family", "r3d")} == {"R3D"}
    capsys.readouterr()
    assert listed(tmp_path, "--family", "X3D", "--streams") == []
    assert "none of these networks streams" in capsys.readouterr().out


def test_an_unknown_family(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["systems", "--family", "Co3"]) == 2
    assert capsys.readouterr().err == "coequal: systems: no family 'Co3'; did you mean Co3D?\n"


def test_orders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The largest numbers come first, those that are not there last."""
    assert tuple(ORDERS) == parser.ORDERS
    entries = [entry(SYSTEMS[name]) for name in ("X3D-S", "CoX3D-S_13", "CoSlow_8", "fR2D-18_8", "CoI3D_64", "GTZAN-b1")]

    def order(key: str) -> list[str]:
        return [each.system.name for each in sorted(entries, key=ORDERS[key])]

    assert order("name") == ["CoI3D_64", "CoSlow_8", "CoX3D-S_13", "fR2D-18_8", "GTZAN-b1", "X3D-S"]
    assert order("verdict") == ["fR2D-18_8", "CoSlow_8", "CoX3D-S_13", "CoI3D_64", "GTZAN-b1", "X3D-S"]
    for key in ("step", "reduction", "state"):
        assert order(key)[-1] == "X3D-S"
        told = [getattr(each, key) for each in sorted(entries, key=ORDERS[key])[:-1]]
        assert told == sorted(told, reverse=True)
    assert [each.clip for each in sorted(entries, key=ORDERS["clip"])] == sorted((e.clip for e in entries), reverse=True)
    assert order("parameters")[0] == "CoSlow_8"
    ratios = [told["reduction"] for told in listed(tmp_path, "--family", "Co3D", "--sort", "reduction")]
    assert ratios == sorted(ratios, reverse=True)
    assert len(set(ratios)) > 2


def test_every_kind_has_a_short_word() -> None:
    assert list(SHORT) == list(KINDS)
    assert len(set(SHORT.values())) == len(KINDS)
