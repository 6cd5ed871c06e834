"""Exported steps as targets: states are paired, begun, and found to be swapped or dropped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import coequal
from coequal.equivalence.report import Report
from coequal.process.exported import load
from coequal.subjects.errors import BadSubject
from tests.subjects.artefacts import nets

NETS = str(Path(nets.__file__))
pytestmark = pytest.mark.filterwarnings("ignore")  # of torch's exporters


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """One of each kind."""
    folder = tmp_path_factory.mktemp("exported")
    torch.save({"h": torch.zeros(1, 2, 4), "c": torch.zeros(1, 2, 4)}, folder / "zeros.pt")
    torch.save([torch.zeros(1, 2, 4)], folder / "one.pt")
    return {
        "convolutions": nets.pt2("convolutions", folder / "convolutions.pt2"),
        "two rows": nets.pt2("convolutions", folder / "rows.pt2", varying=False),
        "recurrent": nets.pt2("recurrent", folder / "recurrent.pt2"),
        "traced": nets.jit("recurrent", folder / "recurrent.ts"),
        "ring": nets.ring(folder / "ring.pt2"),
        "forgetful": nets.ring(folder / "forgetful.pt2", written=False),
        "zeros": str(folder / "zeros.pt"),
        "one": str(folder / "one.pt"),
    }


def verified(target: str, clip: str, checks: tuple[str, ...] = ("values", "batch", "exact"), **given: Any) -> Report:
    """A quick report."""
    return coequal.verify(load(target, clip=f"{NETS}:{clip}", **given), effort="quick", checks=checks)


def test_a_program_is_proved_for_every_length_and_says_how_its_states_were_paired(files: dict[str, str]) -> None:
    report = verified(files["convolutions"], "convolutions")
    assert report.headline == "proved for every length"
    assert "states past -> output_1, mid -> output_2, paired by order" in report.notes
    assert "states begin: past, mid with zeros" in report.notes
    assert report.scope["weights"] == "as they came: the file holds its weights"
    assert next(check for check in report.checks if check.name == "batch").outcome == "passed"


def test_a_size_of_the_batch_that_is_fixed_is_the_only_one(files: dict[str, str]) -> None:
    report = verified(files["two rows"], "convolutions")
    batch = next(check for check in report.checks if check.name == "batch")
    assert (report.verdict, batch.outcome) == ("proved", "skipped")
    assert "2 rows are all that is legal" in batch.detail


def test_a_buffer_that_is_written_to_is_a_state_that_begins_as_the_file_holds_it(files: dict[str, str]) -> None:
    report = verified(files["ring"], "one")
    assert report.headline == "proved for every length"
    assert "states past -> past after, paired as the file says" in report.notes
    assert "states begin: past with what is given" in report.notes


def test_a_buffer_that_is_never_written_to_is_found(files: dict[str, str]) -> None:
    assert verified(files["forgetful"], "one").verdict == "different"


def test_swapped_states_are_named(files: dict[str, str]) -> None:
    report = verified(files["recurrent"], "recurrent", states=["h=output_2", "c=output_1"])
    assert report.verdict == "different"
    remedy = next(finding for finding in report.findings if finding.name == "remedy")
    assert remedy.detail == "two states are swapped: with h -> output_1 and c -> output_2 the step is right"


def test_states_in_their_places_are_proved(files: dict[str, str]) -> None:
    report = verified(files["recurrent"], "recurrent", states=["h=output_1", "c=output_2"])
    assert report.verdict == "proved"
    assert "states h -> output_1, c -> output_2, paired as --state says" in report.notes


def test_a_traced_module_is_proved_for_some_lengths_only(files: dict[str, str]) -> None:
    report = verified(files["traced"], "recurrent", initial=files["zeros"])
    assert report.verdict == "proved"
    assert isinstance(report.horizon, int)
    assert any("what it remembers beside its states cannot be seen" in note for note in report.notes)


def test_what_states_begin_with_counts(files: dict[str, str], tmp_path: Path) -> None:
    torch.save([torch.ones(1, 2, 4) / 3, torch.zeros(1, 2, 4)], tmp_path / "third.pt")
    assert verified(files["recurrent"], "recurrent", initial=str(tmp_path / "third.pt")).verdict == "different"


@pytest.mark.parametrize(
    ("target", "given", "said"),
    [
        ("traced", {}, "the step does not say what shape the state h has: give what it begins with by --initial"),
        ("recurrent", {"states": ["h=output_1"]}, r"the step takes frame \(s.*, 3\), c \(1, s.*, 4\) beside its states"),
        ("recurrent", {"states": ["h=output_7"]}, "has no output output_7; did you mean output_0?"),
        ("recurrent", {"states": ["h"]}, "--state h: expected INPUT=OUTPUT"),
        ("recurrent", {"states": ["h=output_1", "c=output_1"]}, "one output is named for two states"),
        (
            "convolutions",
            {"states": ["past=output_2", "mid=output_1"]},
            "comes back as output_2 .*, which is not alike: are states",
        ),
        ("recurrent", {"initial": "one"}, "1 tensors for 2 states .h, c."),
        ("recurrent", {"initial": "nowhere.pt"}, "--initial nowhere.pt: FileNotFoundError"),
        ("two rows", {"example": (3, 3, 8)}, "2 rows, and the example .3, 3, 8. has 3"),
        ("recurrent", {"example": (2, 5, 8)}, "no frame of a clip of shape .2, 5, 8. looks so"),
        ("recurrent", {"example": (2, 3, 3)}, "axis 1 or 2 of a clip .2, 3, 3. may be time: say by --time"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(files: dict[str, str], target: str, given: dict, said: str) -> None:
    given = {name: files.get(value, value) if isinstance(value, str) else value for name, value in given.items()}
    clip = "convolutions" if target in ("convolutions", "two rows") else "recurrent"
    with pytest.raises(BadSubject, match=said) as caught:
        verified(files[target], clip, **given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("target", "given", "said"),
    [
        ("nowhere.pt2", {"clip": f"{NETS}:recurrent"}, "no file nowhere.pt2"),
        ("net.py:net", {"clip": f"{NETS}:recurrent"}, "--clip is for exported files; net.py:net is none by its name"),
        ("step.pt2", {}, "say what it is compared with, --clip path/to/file.py:NAME"),
        ("step.pt2", {"clip": f"{NETS}:NETS"}, "no name 'NETS'"),
        ("step.pt2", {"clip": f"{NETS}:Convolutions"}, "needs an example clip: add --example SHAPE"),
        ("step.pt2", {"clip": f"{NETS}:STEPS"}, "is of type dict; expected a torch.nn.Module"),
    ],
)
def test_bad_targets_are_named(target: str, given: dict, said: str) -> None:
    with pytest.raises(BadSubject, match=said):
        load(target, **given)


def test_a_file_that_is_no_program_is_named(tmp_path: Path) -> None:
    for name in ("step.pt2", "step.ts"):
        (tmp_path / name).write_text("nothing")
        with pytest.raises(BadSubject, match="is no "):
            load(str(tmp_path / name), clip=f"{NETS}:recurrent")
