"""The wheel built from the repository works when it is installed alone."""

import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

import coequal

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("reference", "continual", "equivalence", "proofs", "subjects", "systems")

SMALL_VERIFY = """
import torch, coequal

class Running:
    def __init__(self):
        self.total = 0
    def step(self, frame):
        self.total = self.total + frame
        return self.total

subject = coequal.Subject(clip=lambda x: x.cumsum(2), stream=Running, example=torch.randn(1, 2, 6))
"""


def run(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the files that git would commit, in a copy, without touching the network."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT).stdout.split("\0")
    for name in filter(None, listed):
        if (ROOT / name).exists() and not name.startswith("tests/"):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name, follow_symlinks=False)
    built = run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(target), cwd=source)
    assert built.returncode == 0, built.stdout + built.stderr
    (found,) = target.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def clean(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment that holds the wheel alone; the third-party libraries of this one are visible, coequal is not.

    A `.pth` line adds this environment's site-packages as a plain path: its own .pth files, the editable install of coequal
    among them, are not read.
    """
    folder = tmp_path_factory.mktemp("clean")
    assert run(sys.executable, "-m", "venv", "--without-pip", str(folder), cwd=folder).returncode == 0
    python = folder / "bin" / "python"
    site = run(str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).stdout.strip()
    Path(site, "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    before = run(str(python), "-I", "-c", "import coequal", cwd=folder)
    assert "No module named 'coequal'" in before.stderr
    install = ("-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index", "--ignore-installed", str(wheel))
    done = run(sys.executable, *install, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_holds_every_room_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for room in ROOMS:
        assert f"coequal/{room}/__init__.py" in names
    assert "coequal/py.typed" in names
    assert "coequal/report/report.html" in names
    assert {name.partition("/")[0] for name in names} == {"coequal", f"coequal-{coequal.__version__}.dist-info"}


def test_imports_from_its_own_place(clean: Path, tmp_path: Path) -> None:
    code = "import coequal.subjects.subject as s; print(s.__file__)"
    said = run(str(clean / "bin" / "python"), "-c", code, cwd=tmp_path)
    assert Path(said.stdout.strip()).is_relative_to(clean)


def test_says_its_version(clean: Path, tmp_path: Path) -> None:
    said = run(str(clean / "bin" / "coequal"), "--version", cwd=tmp_path)
    assert (said.stdout, said.returncode) == (f"coequal {coequal.__version__}\n", 0)


def test_explains_an_operator(clean: Path, tmp_path: Path) -> None:
    """The lesson is read from files of the package: they are in the wheel."""
    said = run(str(clean / "bin" / "coequal"), "explain", "shift", cwd=tmp_path)
    assert "def temporal_shift_loops(" in said.stdout


def test_judges_a_published_number(clean: Path, tmp_path: Path) -> None:
    """The numbers are read from data files of the package: they are in the wheel."""
    said = run(str(clean / "bin" / "coequal"), "claims", "CoSlow_64", cwd=tmp_path)
    assert said.stdout.splitlines()[-1].startswith("published numbers: "), said.stderr
    assert said.returncode == 0


def test_verifies_a_stream(clean: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(SMALL_VERIFY)
    said = run(
        str(clean / "bin" / "coequal"), "verify", "mine.py:subject", "--effort", "quick", "--html", "r.html", cwd=tmp_path
    )
    assert said.stdout.startswith("proved for every length"), said.stdout + said.stderr
    assert said.returncode == 0
    assert (tmp_path / "r.html").read_text().startswith("<!doctype html>")
