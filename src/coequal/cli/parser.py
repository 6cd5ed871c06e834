"""What the command line accepts: one parser. It imports nothing heavy, and an option for each output format."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable
from typing import Any, NoReturn

from coequal import __version__
from coequal.report.formats import formats, to_file

TARGET_HELP = (
    "path/to/file.py:NAME or package.module:NAME; NAME is a coequal.Subject, a function without arguments that returns"
    " one, a module that an adapter recognises, or a coequal.family (NAME[option=value, ...] is one of its subjects);"
    " or package:CLASS, a class that an adapter builds in a small size, like torch:GRU or transformers:LlamaForCausalLM;"
    " or the name of a package that there is a suite for, like continual-inference"
)
FILE_HELP = "; or an exported step with explicit states (step.onnx, step.pt2, a file of torch.jit), with --clip"

ORDERS = ("name", "verdict", "parameters", "clip", "step", "reduction", "state")  # of `coequal systems`

EXIT_CODES = """exit codes:
  0  proved or tested, and no high finding that nobody allowed
  1  different, or a high finding (a problem of conduct or weights, say)
  2  bad input: one line on stderr says what to do
  3  undecided, or less than --require proved (proved-all: at every length) asks for
"""


def shape(text: str) -> tuple[int, ...]:
    """`1,3,16,32,32` -> (1, 3, 16, 32, 32)."""
    try:
        sizes = tuple(int(size) for size in text.replace("x", ",").split(","))
    except ValueError:
        sizes = ()
    if not sizes or min(sizes) < 1:
        raise argparse.ArgumentTypeError(f"expected sizes of 1 or more, separated by commas, like 1,3,16; got {text!r}")
    return sizes


def setting(text: str) -> str:
    """`key=value`, as it is."""
    if text.partition("=")[0].isidentifier() and text.partition("=")[2]:
        return text
    raise argparse.ArgumentTypeError(f"expected KEY=VALUE, like num_layers=2; got {text!r}")


def natural(text: str) -> int:
    """A whole number of at least 0."""
    return _number(text, int, lambda n: n >= 0, "a whole number, 0 or more")


def positive(text: str) -> int:
    """A whole number of at least 1."""
    return _number(text, int, lambda n: n >= 1, "a whole number, 1 or more")


def seconds(text: str) -> float:
    """A time in seconds, more than 0."""
    return _number(text, float, lambda t: 0 < t < 1e9, "seconds, more than 0")


def gigabytes(text: str) -> float:
    """An amount of memory in gigabytes, more than 0."""
    return _number(text, float, lambda g: 0 < g < 1e6, "gigabytes, more than 0")


def distance(text: str) -> float:
    """A distance, more than 0."""
    return _number(text, float, lambda d: 0 < d < float("inf"), "a distance, more than 0")


def runtimes(text: str) -> list[str]:
    """`onnxruntime,openvino,HINT=f32`: each runtime with the settings behind it."""
    found: list[str] = []
    for word in text.split(","):
        if "=" in word and found:
            found[-1] += f",{word}"
        else:
            found.append(word)
    return found


def probability(text: str) -> float:
    """`1e-12` or `2^-40`, between 0 and 1."""
    base, power, exponent = text.partition("^")
    number = f"{float(base) ** float(exponent)!r}" if power and _is_number(base) and _is_number(exponent) else text
    return _number(number, float, lambda p: 0 < p < 1, "a probability between 0 and 1, like 1e-12 or 2^-40")


def _is_number(text: str) -> bool:
    with contextlib.suppress(ValueError):
        float(text)
        return True
    return False


def _number(text: str, kind: Callable, fits: Callable, wanted: str) -> Any:
    with contextlib.suppress(ValueError):
        if fits(value := kind(text)):
            return value
    raise argparse.ArgumentTypeError(f"expected {wanted}; got {text!r}")


class _Parser(argparse.ArgumentParser):
    """An argument error is bad input: one line that says where the help is, exit code 2."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    top = _Parser(
        prog="coequal",
        description="Does this streaming model compute the same function as its clip-mode original?",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"coequal {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)
    _verify(commands)
    _export(commands)
    _recheck(commands)
    _write(commands)
    _check(commands)
    _cost(commands)
    _claims(commands)
    explain = commands.add_parser("explain", help="the lesson: equation and code of an operator")
    explain.add_argument("operator", metavar="OPERATOR", help="a file or a class of the reference: conv, AvgPool, LSTM ...")
    _formats(explain)
    _systems(commands)
    return top


def _verify(commands: Any) -> None:
    command = commands.add_parser(
        "verify",
        help="compare a stream with its clip function",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = command.add_argument
    add("target", metavar="TARGET", help=TARGET_HELP + FILE_HELP)
    add(
        "--require",
        choices=["tested", "proved", "proved-all"],
        help="exit with 3 unless the verdict is at least this (proved-all: for every length)",
    )
    add(
        "--set",
        dest="settings",
        action="append",
        default=[],
        type=setting,
        metavar="KEY=VALUE",
        help="an option of package:CLASS or of a family, as in brackets behind the target; may be repeated",
    )
    add("--cache", metavar="KIND", help="the same as --set cache=KIND: static, dynamic")
    add("--window", type=positive, metavar="N", help="compare with the clip of the last N frames")
    add("--within", type=distance, metavar="D", help="accept a distance (absolute): `within` and exit code 0, never equal")
    _example(command)
    add("--allow", action="append", default=[], metavar="NAME", help="waive a check or finding; may be repeated")
    _seed(command)
    add("--effort", choices=["quick", "normal"], help="how many lengths, weights, schedules (normal; of a family's, quick)")
    add("--bound", type=probability, default=2.0**-40, metavar="P", help="greatest probability of a wrong proof (2^-40)")
    add("--literal-constants", action="store_true", help="constants are the floats that they are, not what they stand for")
    add("--device", metavar="DEVICE", help="where modules and clips are put first, like cuda (where they are)")
    add("--timeout", type=seconds, metavar="SECONDS", help="time limit, enforced from outside (600; a campaign has none)")
    _campaign(command)
    files = command.add_argument_group("exported files")
    files.add_argument(
        "--clip",
        metavar="CLIP",
        help="what the file is compared with: path/to/file.py:NAME of a module, a function of a clip, a Subject; or a file",
    )
    files.add_argument(
        *("--state",),
        dest="states",
        action="append",
        default=[],
        metavar="INPUT=OUTPUT",
        help="a state of the step, and the output that it becomes (by name, then by order); may be repeated",
    )
    files.add_argument("--initial", metavar="FILE.pt", help="tensors that states begin with, by name or in order (zeros)")
    files.add_argument(
        *("--backend",),
        dest="backends",
        action="extend",
        type=runtimes,
        default=[],
        metavar="NAME[,SETTING=VALUE][,NAME...]",
        help="run the file on these runtimes, too: onnxruntime, openvino (.onnx); compile, aotinductor, executorch, litert"
        " (.pt2); may be repeated",
    )
    files.add_argument("--certificate", metavar="FILE", help="write what a third party needs to compute the proof again")
    files.add_argument("--time", type=natural, metavar="AXIS", help="axis of time in a clip (found from the frame)")
    files.add_argument("--ignore", type=natural, metavar="N", help="emissions at the start that stand for no frame (0)")
    files.add_argument(
        "--longest", type=natural, metavar="N", help="frames of the longest stream: caches may have room for no more"
    )
    _formats(command)
    replay = command.add_argument_group("replay one comparison (printed with a counterexample)")
    replay.add_argument("--only", nargs="+", metavar="CHECK", help="run these checks only")
    replay.add_argument("--length", type=natural, metavar="L", help="frames in the clip")
    replay.add_argument("--batch", type=positive, metavar="B", help="batch size")
    replay.add_argument("--scale", type=float, metavar="X", help="scale of the drawn weights")
    replay.add_argument("--load-seed", type=natural, metavar="S", help="seed of the loading of the target (--seed)")
    replay.add_argument("--format", metavar="FORMAT", help="floating-point format, like float32")
    replay.add_argument("--chunks", type=shape, metavar="3,1,...", help="sizes of the chunks fed")


def _campaign(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("families; with workers, a scheduler or a journal their search is a campaign")
    add = group.add_argument
    add("--configurations", type=positive, metavar="N", help="how many of a family are drawn (40; of each in a suite, 20)")
    add("--workers", type=positive, metavar="N", help="processes that examine configurations (1); no result depends on it")
    add("--scheduler", metavar="ADDRESS", help="examine them on a Dask cluster, like tcp://host:8786 (coequal[dask])")
    add("--time-limit", type=seconds, metavar="SECONDS", help="of one configuration (60): what takes longer, died")
    add("--memory-limit", type=gigabytes, metavar="GB", help="of one configuration (4), on Linux: what takes more, died")
    add("--journal", metavar="FOLDER", help="keep what became of each configuration there, as soon as it is known")
    add("--resume", action="store_true", help="go on with what is in the journal")


def _export(commands: Any) -> None:
    command = commands.add_parser("export", help="write the step of a continual module as a file, and verify it")
    add = command.add_argument
    add(
        "target",
        metavar="TARGET",
        help="path/to/file.py:NAME or package.module:NAME; NAME is a torch.nn.Module that streams or can be made to, a pair"
        " of one and an example clip, or a function that needs no arguments and returns one of them",
    )
    add("--to", choices=["onnx", "pt2"], required=True, help="an ONNX file, or a program of torch.export")
    add("--output", metavar="FILE", help="where it is written (NAME.onnx, NAME.pt2)")
    _example(command)
    _seed(command)
    _timeout(command)
    _formats(command)


def _recheck(commands: Any) -> None:
    command = commands.add_parser(
        "recheck", help="compute a certificate again", epilog="exit codes: 0 it holds, 1 it does not, 2 bad input"
    )
    add = command.add_argument
    add("certificate", metavar="CERTIFICATE", help="what --certificate wrote")
    add("--step", metavar="FILE", help="the file that it is about (where it was)")
    add("--clip", metavar="CLIP", help="the clip network (the one that it names)")
    add("--alone", action="store_true", help="take the graphs in the certificate for the clip network, and run no code")
    _timeout(command)
    _formats(command)


def _write(commands: Any) -> None:
    command = commands.add_parser("write", help="draft a coequal.Subject for a module that streams, as Python on stdout")
    add = command.add_argument
    add(
        "target",
        metavar="TARGET",
        help="path/to/file.py:NAME or package.module:NAME; NAME is a torch.nn.Module, a class of one that needs no"
        " arguments, or a function that needs none and returns one, or (module, example)",
    )
    add(
        "--example",
        type=shape,
        metavar="SHAPE",
        help="clip that the module accepts, like 1,3,16,32,32 (read from its layers)",
    )
    _timeout(command)
    _formats(command)


def _check(commands: Any) -> None:
    command = commands.add_parser("check", help="reference = torch.nn = continual on random architectures")
    command.add_argument("operators", nargs="*", metavar="OPERATOR", help="names from `coequal systems`; none: all of them")
    command.add_argument(
        "--exact", action="store_true", help="prove it over prime fields, with a bound, where it is tested else"
    )
    command.add_argument("--max-examples", type=positive, metavar="N", help="random configurations for each operator")
    _seed(command)
    _formats(command)


def _cost(commands: Any) -> None:
    command = commands.add_parser(
        "cost", help="multiply-adds, bytes and memory of a clip and of a step, derived and executed"
    )
    add = command.add_argument
    add(
        "target", metavar="TARGET", help="as in verify, any torch.nn.Module with --example, or a name from `coequal systems`"
    )
    add("--symbolic", action="store_true", help="formulas in T, H, W, too")
    add("--latex", action="store_true", help="the same, as LaTeX")
    add("--mode", choices=["clip", "step"], help="one of the two alone (both)")
    add(
        "--convention",
        default="macs",
        metavar="NAME",
        help="what counts as an operation: docs/cost.md lists the names (macs)",
    )
    add("--example", type=shape, metavar="SHAPE", help="shape of the clip, like 1,3,16,32,32")
    add(
        "--window",
        type=positive,
        metavar="N",
        help="frames that attention and pooling of code of yours see in a step",
    )
    add("--modules", action="store_true", help="every submodule, the most expensive first")
    add("--executed", action="store_true", help="count what a step of a large catalogue network executes, too: a minute")
    add("--timeout", type=seconds, default=600.0, metavar="SECONDS", help="time limit for code of yours (600)")
    _formats(command)


def _claims(commands: Any) -> None:
    command = commands.add_parser("claims", help="published numbers of operations and parameters, judged")
    command.add_argument("systems", nargs="*", metavar="SYSTEM", help="a paper, a model or a network; none: all of them")
    command.add_argument("--data", metavar="FILE", help="judge the numbers of this CSV file instead of the published ones")
    text = "time limit for each network that is code of yours (600)"
    command.add_argument("--timeout", type=seconds, default=600.0, metavar="SECONDS", help=text)
    _formats(command)


def _systems(commands: Any) -> None:
    command = commands.add_parser(
        "systems", help="the catalogue: operators, and published systems, how they stream and at what cost"
    )
    add = command.add_argument
    add("--streams", action="store_true", help="those networks alone that stream")
    add("--family", metavar="NAME", help="those of a family or paper alone: Co3D, X3D, R3D, OadTR ...")
    add("--sort", choices=ORDERS, help="by this, largest numbers first (as they are published)")
    _formats(command)


def _example(command: argparse.ArgumentParser) -> None:
    text = "clip for a module that brings none, like 1,3,16,32,32 (random)"
    command.add_argument("--example", type=shape, metavar="SHAPE", help=text)


def _seed(command: argparse.ArgumentParser) -> None:
    command.add_argument("--seed", type=natural, default=0, metavar="S", help="seed of everything random (0)")


def _timeout(command: argparse.ArgumentParser) -> None:
    text = "time limit, enforced from outside (600)"
    command.add_argument("--timeout", type=seconds, default=600.0, metavar="SECONDS", help=text)


def _formats(command: argparse.ArgumentParser) -> None:
    """An option for each output format; one that is not given is not in the namespace."""
    group = command.add_argument_group("output, besides the terminal")
    for name, writer in formats().items():
        option: dict[str, Any] = {"metavar": "FILE"} if to_file(writer) else {"action": "store_true"}
        group.add_argument(f"--{name.replace('_', '-')}", default=argparse.SUPPRESS, help=writer.HELP, **option)
