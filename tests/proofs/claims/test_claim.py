"""The data files: what is there is complete, and what is incomplete is refused in one line."""

import csv
import io
from decimal import Decimal
from pathlib import Path

import pytest

from coequal.proofs.claims.claim import COLUMNS, BadClaims, published, read, sources
from coequal.systems.catalogue import SYSTEMS

# networks of which no number was found in print
NOT_PRINTED = ("GTZAN", "MTV", "TSM-MobileNetV2 online", "S3D-G", "3D Res", "TAda2D", "TEA-R50_8", "BQN")
GOOD = {
    **{"system": "A", "model": "net", "mode": "clip", "input": "3x8x224x224", "quantity": "flops", "published": "28.61"},
    **{"unit": "G", "convention": "ptflops", "source": "table 1", "verified": "yes"},
    **{"network": "I3D-R50", "counters": "macs ptflops", "why": ""},
}


def written(path: Path, *rows: dict[str, str], columns: tuple[str, ...] = COLUMNS) -> Path:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    path.write_text(text.getvalue())
    return path


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    (claim,) = read(written(tmp_path / "mine.csv", GOOD))
    assert claim.value == Decimal("28.61")
    assert claim.scale == 10**9


def test_the_last_three_columns_may_be_left_out(tmp_path: Path) -> None:
    """Of code and of networks of the catalogue nothing else need be said; without a network, why there is none."""
    code = GOOD | {"network": "net.py:Net"}
    for network in (code, GOOD):
        (claim,) = read(written(tmp_path / "mine.csv", network, columns=COLUMNS[:-2]))
        assert (claim.network, claim.counters, claim.why) == (network["network"], "", "")
    with pytest.raises(BadClaims, match="neither a network nor a why"):
        list(read(written(tmp_path / "mine.csv", GOOD, columns=COLUMNS[:-3])))


def test_published_numbers_say_what_to_count() -> None:
    """Or why nothing follows: a convention is chosen by what the source says, not by what fits."""
    assert not [claim.model for claim in published() if not claim.counters and not claim.why]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"unit": ""}, "line 2 (net): no unit; a number without its unit cannot be judged"),
        ({"convention": " "}, "line 2 (net): no convention; a number without its convention cannot be judged"),
        ({"input": ""}, "line 2 (net): no input; a number without its input cannot be judged"),
        ({"source": ""}, "line 2 (net): no source; a number without its source cannot be judged"),
        ({"unit": "T"}, "line 2 (net): unit is 'T'; expected G or M"),
        ({"mode": "frame"}, "line 2 (net): mode is 'frame'; expected clip or step"),
        ({"quantity": "watts"}, "line 2 (net): quantity is 'watts'; expected flops or params or memory or reduction"),
        ({"verified": "recalled"}, "line 2 (net): verified is 'recalled'; a number from memory is not a published one"),
        ({"published": "many"}, "line 2 (net): published is 'many'; expected a number as it is printed"),
        ({"published": "nan"}, "line 2 (net): published is 'nan'; expected a number as it is printed"),
        ({"network": ""}, "line 2 (net): neither a network nor a why"),
    ],
)
def test_what_is_missing_is_named(change: dict[str, str], message: str, tmp_path: Path) -> None:
    path = written(tmp_path / "mine.csv", GOOD | change)
    with pytest.raises(BadClaims) as caught:
        list(read(path))
    assert str(caught.value).startswith(f"{path}, {message}")


def test_a_missing_column_and_a_line_that_is_too_long(tmp_path: Path) -> None:
    path = written(tmp_path / "mine.csv", GOOD, columns=tuple(name for name in COLUMNS if name != "source"))
    with pytest.raises(BadClaims, match=r"the first line must name the columns .*; missing: source$"):
        list(read(path))
    path.write_text(path.read_text().replace("system,", "sytem,source,system,", 1))
    with pytest.raises(BadClaims, match=r"the first line names 'sytem'; the columns are system, "):
        list(read(path))
    path = written(tmp_path / "mine.csv", GOOD)
    path.write_text(path.read_text().rstrip("\n") + ",more\n")
    with pytest.raises(BadClaims, match=r"line 2: 13 columns are needed; put quotes around a comma"):
        list(read(path))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadClaims, match=r"mine\.csv: cannot be read: .*No such file"):
        list(read(tmp_path / "mine.csv"))


def test_the_data_files_are_read_and_speak_of_the_catalogue() -> None:
    claims = published()
    assert [path.name for path in sources()] == ["co3d.csv", "continual_transformers.csv", "other_sources.csv"]
    assert len(claims) == sum(len(path.read_text().splitlines()) - 1 for path in sources())
    named = {name for claim in claims for name in filter(None, claim.network.split(" / "))}
    assert named <= set(SYSTEMS)
    assert named == set(SYSTEMS) - {name for name in SYSTEMS if name.startswith(NOT_PRINTED)}


def test_nothing_from_memory_is_called_published() -> None:
    assert {claim.verified for claim in published()} == {"yes"}
    assert not [claim for claim in published() if "memory, no source" in claim.source]
