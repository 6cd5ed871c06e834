"""Which findings of FOUND.md are in which releases of continual-inference, or transformers: its programs, run with each.

    pip install --no-deps --target FOLDER/1.2.3 continual-inference==1.2.3
    python -P examples/real/releases.py FOLDER

    pip install --target FOLDER/5.0.0 transformers==5.0.0
    python -P examples/real/releases.py FOLDER transformers

A folder of FOLDER is a release, by its name. The programs use torch and the library alone. What they print says whether the
finding is there: a distance that is not rounding, or two values that should be the same; or they raise what FOUND.md says.
Where FOUND.md shows what a program prints, the finding is there if what is rounding there is rounding here, and something
that is not is not. What raises something else lacks the module, the option or the conversion, or refuses it.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import logging
import re
import subprocess
import sys
import warnings
from pathlib import Path

PAGE = Path(__file__).parents[2] / "FOUND.md"
MODULES = {"continual-inference": "continual", "transformers": "transformers"}
ENTRY = re.compile(r"^- \*\*(.+?)\*\*(.*?)(?=^- \*\*|\Z)", re.MULTILINE | re.DOTALL)
PROGRAM = re.compile(r"  ```python\n(.+?)  ```", re.DOTALL)
NUMBER = re.compile(r"-?\d+(?:\.\d*)?e-?\d+|-?\d+\.\d*")
ROUNDING = 1e-3  # differences of numbers of about one, in single precision: what is less is none
YES, NO, OTHER = "yes", "no", "/"


def programs(library: str = "continual-inference") -> dict[str, str]:
    """The findings of a library that have a program, by the first words of their titles."""
    sections = [section for section in PAGE.read_text().split("\n## ") if section.startswith(f"{library} ")]
    found: dict[str, str] = {}
    for title, text in ENTRY.findall("\n".join(sections)):
        if (program := PROGRAM.search(text)) is not None:
            found[_shorter(title)] = "\n".join(line[2:] for line in program[1].splitlines())
    return found


def _shorter(title: str) -> str:
    """A title without what it says of its kind and severity."""
    words = re.split(r", (?:function|rounding|raises|silent|life cycle)\b|\.$", " ".join(title.split()))[0]
    return words.rstrip(".")


def verdict(program: str) -> str:
    """Whether a program shows its finding, here."""
    raises = re.search(r"# (\w+Error)$", program.splitlines()[-1])
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            exec(program, {})
    except Exception as error:
        return YES if raises is not None and type(error).__name__ == raises[1] else OTHER
    if raises is not None:
        return NO
    printed = [line.removeprefix("# ") for line in program.splitlines() if line.startswith("# ")]
    if printed:
        return _as_printed(said.getvalue(), "\n".join(printed))
    words = re.sub(r"tensor\(([^,)]+).*\)", r"\1", said.getvalue().strip().splitlines()[-1]).split()
    differs = words[0] != words[1] if len(words) == 2 else not float(words[0]) < ROUNDING
    return YES if differs else NO


def _as_printed(said: str, printed: str) -> str:
    """Whether what a program says is what stands below it, but for the sizes of differences."""
    if NUMBER.sub("", said).split() != NUMBER.sub("", printed).split():
        return OTHER
    numbers = [float(number) for number in NUMBER.findall(said)]
    shown = [abs(float(number)) >= ROUNDING for number in NUMBER.findall(printed)]
    if any(not abs(got) < ROUNDING for got, large in zip(numbers, shown, strict=True) if not large):
        return OTHER
    large = [not abs(got) < ROUNDING for got, large in zip(numbers, shown, strict=True) if large]
    return YES if any(large) or not large else NO


def here(folder: Path, library: str) -> dict[str, str]:
    """Findings of the release in a folder, in this process; one entry, `import`, where it cannot be imported."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    sys.path.insert(0, str(folder))
    try:
        module = importlib.import_module(MODULES[library])
    except Exception as error:
        return {"import": f"{type(error).__name__}: {error}".splitlines()[0]}
    assert Path(str(module.__file__)).is_relative_to(folder), module.__file__
    return {title: verdict(program) for title, program in programs(library).items()}


def _of(folder: Path, library: str) -> dict[str, str]:
    """The same in a process of its own."""
    command = [sys.executable, "-P", __file__, "--one", str(folder), library]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])


def _order(folder: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", folder.name)]


def table(root: Path, library: str = "continual-inference") -> str:
    """Findings by releases, the oldest first; releases that cannot be imported are named below."""
    folders = sorted((folder for folder in root.iterdir() if (folder / MODULES[library]).is_dir()), key=_order)
    found = {folder.name: _of(folder.resolve(), library) for folder in folders}
    good = [name for name, results in found.items() if "import" not in results]
    lines = [f"| finding | {' | '.join(good)} |", f"|---|{'---|' * len(good)}"]
    lines += [f"| {title} | {' | '.join(found[name][title] for name in good)} |" for title in programs(library)]
    bad = [f"{name} cannot be imported: {results['import']}." for name, results in found.items() if "import" in results]
    return "\n".join([*lines, "", *bad]).rstrip()


if __name__ == "__main__":
    if sys.argv[1] == "--one":
        print(json.dumps(here(Path(sys.argv[2]), sys.argv[3])))
    else:
        print(table(Path(sys.argv[1]), *sys.argv[2:]))
