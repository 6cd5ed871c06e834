"""The command line as it is typed."""

import pytest

from coequal.__main__ import main
from coequal.cli.parser import parser
from coequal.cli.verify import configured_target as configured


def test_verify_accepts_everything_at_once() -> None:
    line = "verify a.py:b --require proved --window 8 --seed 3 --json r.json --html r.html --timeout 1.5 --effort quick"
    line += " --only values long --length 0 --batch 2 --scale 0.5 --chunks 3,1,2 --example 1,3,16 --allow drift --allow fork"
    line += " --bound 2^-60 --literal-constants --device cuda:1 --format float32 --within 1e-2 --configurations 7"
    line += " --clip net.py:net --state h=h_out --initial h.pt --time 1 --ignore 2 --longest 9 --backend onnxruntime"
    line += " --workers 3 --scheduler tcp://host:8786 --time-limit 9 --memory-limit 0.5 --journal runs --resume"
    line += " --certificate step.json --set layers=2 --set kind=a --cache static"
    options = vars(parser().parse_args(line.split()))
    assert options == {
        **{"command": "verify", "target": "a.py:b", "require": "proved", "window": 8, "seed": 3, "json": "r.json"},
        **{"html": "r.html", "timeout": 1.5, "effort": "quick", "only": ["values", "long"], "length": 0, "batch": 2},
        **{"scale": 0.5, "chunks": (3, 1, 2), "example": (1, 3, 16), "allow": ["drift", "fork"]},
        **{"bound": 2.0**-60, "literal_constants": True, "device": "cuda:1", "format": "float32", "load_seed": None},
        **{"within": 1e-2, "configurations": 7, "workers": 3, "scheduler": "tcp://host:8786", "time_limit": 9.0},
        **{"memory_limit": 0.5, "journal": "runs", "resume": True},
        **{
            "clip": "net.py:net",
            "states": ["h=h_out"],
            "initial": "h.pt",
            "time": 1,
            "ignore": 2,
            "longest": 9,
            "backends": ["onnxruntime"],
            "certificate": "step.json",
            "settings": ["layers=2", "kind=a"],
            "cache": "static",
        },
    }


@pytest.mark.parametrize(
    ("line", "target"),
    [
        ("torch:GRU", "torch:GRU"),
        ("torch:GRU --set num_layers=2 --cache static", "torch:GRU[num_layers=2, cache=static]"),
        ("a.py:f[kind=a] --set layers=2", "a.py:f[kind=a, layers=2]"),
    ],
)
def test_settings_stand_in_brackets_behind_the_target(line: str, target: str) -> None:
    assert configured(parser().parse_args(["verify", *line.split()])) == target


@pytest.mark.parametrize("text", ["layers", "=2", "a b=2", "layers="])
def test_a_setting_has_a_name_and_a_value(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["verify", "torch:GRU", "--set", text])
    assert "expected KEY=VALUE, like num_layers=2; got" in capsys.readouterr().err


def test_check_accepts_operators_and_options() -> None:
    options = vars(parser().parse_args(["check", "conv", "pool", "--max-examples", "5", "--seed", "1", "--json", "r.json"]))
    expected = {"operators": ["conv", "pool"], "exact": False, "max_examples": 5, "seed": 1, "json": "r.json"}
    assert options == {"command": "check", **expected}
    assert parser().parse_args(["check", "--exact"]).exact


SIZES = "expected sizes of 1 or more, separated by commas, like 1,3,16"
PROBABILITY = "expected a probability between 0 and 1, like 1e-12 or 2^-40"
WRONG = {
    "verify": "coequal verify: the following arguments are required: TARGET",
    "verify t --window 0": "coequal verify: argument --window: expected a whole number, 1 or more; got '0'",
    "verify t --seed x": "coequal verify: argument --seed: expected a whole number, 0 or more; got 'x'",
    "verify t --memory-limit 0": "coequal verify: argument --memory-limit: expected gigabytes, more than 0; got '0'",
    "verify t --timeout -1": "coequal verify: argument --timeout: expected seconds, more than 0; got '-1'",
    "verify t --timeout nan": "coequal verify: argument --timeout: expected seconds, more than 0; got 'nan'",
    "verify t --example 1,0": f"coequal verify: argument --example: {SIZES}; got '1,0'",
    "verify t --chunks 3,,1": f"coequal verify: argument --chunks: {SIZES}; got '3,,1'",
    "verify t --require sampled": "coequal verify: argument --require: invalid choice: 'sampled' (choose from ",
    "verify t --bound 2": f"coequal verify: argument --bound: {PROBABILITY}; got '2'",
    "verify t --bound 2^x": f"coequal verify: argument --bound: {PROBABILITY}; got '2^x'",
    "verify t --within 0": "coequal verify: argument --within: expected a distance, more than 0; got '0'",
    "verify t --bogus": "coequal: unrecognized arguments: --bogus",
    "prove": "coequal: argument COMMAND: invalid choice: 'prove'",
}


@pytest.mark.parametrize(("line", "says"), WRONG.items(), ids=WRONG)
def test_a_wrong_line_gets_one_line_and_exit_code_2(line: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit:
        main(line.split())
    captured = capsys.readouterr()
    assert exit.value.code == 2
    assert captured.err.startswith(says)
    assert captured.err.count("\n") == 1
    assert captured.err.endswith("--help)\n")
    assert captured.out == ""


def test_without_a_command_it_prints_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    out = capsys.readouterr().out
    for command in ("verify", "check", "explain", "systems"):
        assert f"\n    {command} " in out
    assert "exit codes:" in out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    import coequal

    with pytest.raises(SystemExit) as exit:
        main(["--version"])
    assert exit.value.code == 0
    assert capsys.readouterr().out == f"coequal {coequal.__version__}\n"
