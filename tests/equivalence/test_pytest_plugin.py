"""The plugin, in test files of its own: assertions, fixture, mark, options, JUnit, Hypothesis and several workers."""

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from coequal.equivalence.pytest_plugin import properties
from coequal.equivalence.report import Report, Verdict
from tests.forks import FORKS, printed

SUBJECT = """
import pytest, torch, coequal
from hypothesis import given, settings, strategies as st

class Echo:
    def step(self, frame):
        return frame

def subject(factor):
    return coequal.Subject(clip=lambda x: x * factor, stream=Echo, example=torch.randn(1, 2, 6))
"""
THEIRS = (
    SUBJECT
    + """
def test_right(coequal_verify):
    report = coequal_verify(subject(1), checks=["values"])
    assert report.verdict == "tested"

def test_wrong(coequal_verify):
    coequal_verify(subject(2), checks=["values"])
    raise AssertionError("not reached")
"""
)
MARKS = (
    SUBJECT
    + """
@pytest.mark.coequal(require="proved", seed=5)
def test_marked():
    coequal.assert_equal(subject(1), checks=["values"])

@pytest.mark.coequal(seed=5)
def test_seed():
    assert coequal.assert_equal(subject(1), checks=["values"]).seed == 5
    assert coequal.assert_equal(subject(1)).verdict == "proved"

def test_plain():
    assert True
"""
)
DRAWN = (
    SUBJECT
    + """
@settings(deadline=None)
@given(st.integers(0, 99))
def test_drawn(size):
    with open("tried.txt", "a") as tried:
        print(size, file=tried)
    coequal.assert_equal(subject(1 if size < 37 else 2), checks=["values"])
"""
)


PROFILE = """
from hypothesis import Phase, settings
from hypothesis.database import DirectoryBasedExampleDatabase

settings.register_profile(
    "few", max_examples=20, derandomize=False, database=DirectoryBasedExampleDatabase("examples"), phases=tuple(Phase)[:5]
)
"""


def pytest_of_theirs(folder: Path, *options: str, text: str = THEIRS) -> str:
    """By a fork of this process; by a new one, as users do, for several workers, and for statistics that workers hand on."""
    (folder / "test_theirs.py").write_text(text)
    arguments = ["-p", "no:cacheprovider", "-p", "no:cov", *options, "test_theirs.py"]
    if FORKS and not {"-n", "--hypothesis-show-statistics"} & set(options):
        return printed(folder, lambda: pytest.main(arguments))
    command = [sys.executable, "-P", "-m", "pytest", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=600).stdout


def junit(path: Path) -> dict[str, dict[str, str]]:
    """Properties of each test, by its name."""
    cases = ElementTree.parse(path).iter("testcase")
    return {case.attrib["name"]: {p.attrib["name"]: p.attrib["value"] for p in case.iter("property")} for case in cases}


def test_fails_with_the_whole_explanation_and_nothing_of_ours(tmp_path: Path) -> None:
    out = pytest_of_theirs(tmp_path)
    assert "1 failed, 1 passed" in out
    assert "subject is different: the stream does not compute its clip function" in out
    assert ">       coequal_verify(subject(2)" in out
    assert "again: coequal.verify(subject" in out
    assert 'raise AssertionError("not reached")' not in out
    assert "Traceback" not in out
    assert "asserting.py" not in out


def test_requires_what_the_command_line_requires(tmp_path: Path) -> None:
    out = pytest_of_theirs(tmp_path, "--coequal-require", "proved", "--coequal-seed", "3", "--coequal-effort", "quick")
    assert "2 failed" in out


def test_says_which_options_there_are(tmp_path: Path) -> None:
    out = pytest_of_theirs(tmp_path, "--help")
    for option in ("--coequal-effort", "--coequal-seed", "--coequal-require"):
        assert option in out
    assert "@pytest.mark.coequal(require=None" in pytest_of_theirs(tmp_path, "--markers")


def test_marks_and_properties(tmp_path: Path) -> None:
    out = pytest_of_theirs(tmp_path, "--strict-markers", "-n", "2", "--junitxml", "j.xml", text=MARKS)
    assert "1 failed, 2 passed" in out
    found = junit(tmp_path / "j.xml")
    assert found["test_plain"] == {}
    assert found["test_marked"].items() >= {"coequal_verdict": "tested", "coequal_horizon": "0", "coequal_seed": "5"}.items()
    assert found["test_seed"].items() >= {"coequal_verdict": "tested", "coequal_comparisons": "2"}.items()
    assert 0 < float(found["test_seed"]["coequal_bound"]) < 2**-40
    assert float(found["test_seed"]["coequal_seconds"]) > 0


def test_a_mark_that_says_something_else(tmp_path: Path) -> None:
    wrong = MARKS.replace('require="proved", seed=5', "required=3")
    assert "takes effort, seed, require by name" in pytest_of_theirs(tmp_path, "-k", "marked", text=wrong)


def test_the_mark_selects_the_fixture_too(tmp_path: Path) -> None:
    assert "1 passed, 1 deselected" in pytest_of_theirs(tmp_path, "-m", "coequal", "-k", "not wrong")


def test_hypothesis_shrinks_and_remembers(tmp_path: Path) -> None:
    """The profile says how many, and what failed is tried first in the next run.

    It says where, too: on the machines of continuous integration Hypothesis remembers nothing by itself.
    """
    (tmp_path / "conftest.py").write_text(PROFILE)
    options = ("--hypothesis-profile", "few")  # with a seed Hypothesis does not read what it remembers
    out = pytest_of_theirs(tmp_path, *options, text=DRAWN)
    assert "size=37" in out
    (tmp_path / "tried.txt").unlink()
    assert "size=37" in pytest_of_theirs(tmp_path, *options, text=DRAWN)
    assert (tmp_path / "tried.txt").read_text().splitlines()[0] == "37"


@pytest.mark.parametrize(("verdicts", "least"), [(["proved", "tested"], "tested"), (["within", "different"], "different")])
def test_of_several_reports_the_least(verdicts: list[str], least: str) -> None:
    reports = [Report("net", Verdict(v), seconds=0.5, proof={"horizon": "all", "bound": 1e-20}) for v in verdicts]
    found = dict(properties(reports))
    assert found["coequal_verdict"] == least
    assert found["coequal_horizon"] == 0
    assert found["coequal_seconds"] == "1.000"
    assert found.get("coequal_bound") == (1e-20 if "proved" in verdicts else None)


def test_of_no_report_nothing() -> None:
    assert properties([]) == []


FAMILY = """
import pytest, torch, coequal
from hypothesis import strategies as st

class Echo:
    def step(self, frame):
        return frame

def subject(factor):
    return coequal.Subject(clip=lambda x: x * factor, stream=Echo, example=torch.randn(1, 2, 6))

@pytest.mark.coequal(require="proved")
@coequal.family(channels=st.integers(1, 2))
def right(channels):
    return coequal.Subject(clip=torch.clone, stream=Echo, example=torch.randn(1, channels, 6))

@coequal.family(size=st.integers(0, 20), late=st.booleans())
def wrong(size, late):
    if size == 0:
        raise ValueError("zero is not supported")
    return subject(1 if size < 7 else 2)

@coequal.family(size=st.integers(0, 2))
def never(size):
    raise ValueError(f"{size} is too small")

@coequal.family(size=st.integers(0, 2))
def elsewhere(size):
    return subject(2)

elsewhere.__test__ = False
"""


def test_a_family_is_one_property_test(tmp_path: Path) -> None:
    out = pytest_of_theirs(tmp_path, "--junitxml", "j.xml", "-n", "2", text=FAMILY)
    assert "2 failed, 1 passed" in out
    assert "wrong[size=7, late=False] is different: the stream does not compute its clip function" in out
    assert "in a shell: coequal verify 'test_theirs.py:wrong[size=7, late=False]'" in out
    assert "never: all configurations were refused, and nothing was compared\n" in out
    assert "1 times ValueError: 2 is too small" in out
    for ours in ("families.py", "asserting.py", "hypothesis.settings(", "Traceback"):
        assert ours not in out
    found = junit(tmp_path / "j.xml")
    assert found["right"].items() >= {"coequal_verdict": "proved", "coequal_comparisons": "2"}.items()


def test_a_family_is_selected_by_mark_and_name(tmp_path: Path) -> None:
    assert "1 passed, 2 deselected" in pytest_of_theirs(tmp_path, "-m", "coequal", "-k", "right", text=FAMILY)
    out = pytest_of_theirs(tmp_path, "-k", "wrong", "--hypothesis-show-statistics", text=FAMILY)
    assert "refused: ValueError: zero is not supported" in out
    assert "during explain phase" not in out


def test_a_family_draws_as_many_as_the_profile_says(tmp_path: Path) -> None:
    profile = "import hypothesis\nhypothesis.settings.register_profile('few', max_examples=3)\n"
    (tmp_path / "conftest.py").write_text(profile)
    text = FAMILY.replace("channels=st.integers(1, 2)", "channels=st.integers(1, 99)").replace('"proved"', '"tested"')
    out = pytest_of_theirs(tmp_path, "-k", "right", "--hypothesis-profile", "few", "--hypothesis-show-statistics", text=text)
    assert "3 passing, 0 failing" in out
    assert "Stopped because settings.max_examples=3" in out
