"""`continual` is also the import name of the library continual-inference: it must never mean our folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SAYS_WHERE = "import continual; print(continual.__file__)"
A_TEST = "def test_name():\n    import continual\n    print('\\nFOUND', continual.__file__)\n"


def installed() -> str:
    """Where the library stands, asked of a Python that cannot see the repository."""
    return output([sys.executable, "-I", "-c", SAYS_WHERE], cwd=Path("/"))


def output(command: list[str], cwd: Path = ROOT) -> str:
    run = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=True, timeout=600)
    return run.stdout.strip()


@pytest.fixture(scope="module")
def library() -> str:
    pytest.importorskip("continual", reason="continual-inference is not installed")
    found = installed()
    assert Path(found).parent != ROOT / "continual"
    return found


def test_under_this_pytest(library: str) -> None:
    import continual

    assert continual.__file__ == library


@pytest.mark.parametrize("start", [["-m", "pytest"], ["-P", "-m", "pytest"]], ids=" ".join)
def test_under_pytest_from_the_repository_root(library: str, start: list[str], tmp_path: Path) -> None:
    test = (
        ROOT / "tests" / "layout" / f"test_generated_{os.getpid()}_{tmp_path.name.replace('-', '_')}.py"
    )  # workers run side by side
    test.write_text(A_TEST)
    try:
        said = output([sys.executable, *start, "-q", "-s", "-p", "no:hypothesispytest", str(test)])
    finally:
        test.unlink()
    assert f"FOUND {library}" in said.splitlines()


def test_from_the_console_script_at_the_repository_root(library: str, tmp_path: Path) -> None:
    """The console script imports the user's file, which imports the library."""
    script = Path(sys.executable).with_name("coequal")
    target = tmp_path / "theirs.py"
    target.write_text(f"{SAYS_WHERE}\nname = 0\n")
    run = subprocess.run(
        [str(script), "verify", f"{target}:name"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=600
    )
    assert run.stdout.strip() == library
    assert "is of type int" in run.stderr


def test_from_a_folder_that_holds_its_own_continual(library: str, tmp_path: Path) -> None:
    """The user's working directory comes last on the path, so nothing in it can hide an installed library."""
    (tmp_path / "continual.py").write_text("raise RuntimeError('the wrong one')\n")
    (tmp_path / "theirs.py").write_text(f"{SAYS_WHERE}\nname = 0\n")
    script = Path(sys.executable).with_name("coequal")
    run = subprocess.run(
        [str(script), "verify", "theirs:name"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=600
    )
    assert run.stdout.strip() == library
