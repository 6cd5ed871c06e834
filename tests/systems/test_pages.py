"""A page a family: it is there, it says what the code says, and its numbers are those of the tables of all networks."""

from __future__ import annotations

import re
import runpy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from coequal.proofs.claims.claim import published
from coequal.reference.activation import Activation
from coequal.reference.compose import Parallel, Residual, Sequential
from coequal.reference.conv import Conv
from coequal.reference.pool import GlobalAvgPool
from coequal.reference.squeeze_excite import SqueezeExcite
from coequal.systems.catalogue import SYSTEMS, families, networks_of
from coequal.systems.streamability import streamability
from coequal.systems.system import System
from tests.layout.test_docs import alike

DOCS = Path(__file__).resolve().parents[2] / "docs"
FAMILIES = [family for family in families() if networks_of(family)]
RUN = "run: python -P docs/pages.py"
PUBLISHED = re.compile(r"\n## Published numbers\n.*?(?=\n## )", re.DOTALL)


@pytest.fixture(scope="module")
def pages() -> dict[str, Any]:
    return runpy.run_path(str(DOCS / "pages.py"))


def rows(text: str) -> list[str]:
    """Of its tables, heads among them."""
    return [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| ---")]


def table(heads: str, systems: Sequence[System]) -> str:
    """Of the networks, the rows of the table of all of them that has these heads."""
    text = (DOCS / "systems.md").read_text()
    ((head, body),) = re.findall(rf"(\| {re.escape(heads)}.*\n\| ---.*\n)((?:\|.*\n)+)", text)
    names = {f"| {system.name}" for system in systems}
    return head + "".join(f"{line}\n" for line in body.splitlines() if line.partition(" | ")[0] in names)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_page_is_what_the_code_says(family: str, pages: dict[str, Any]) -> None:
    """All but the published numbers, which take a while to judge: see below."""
    got = pages["page"](
        family, lambda systems: table("network | verdict", systems), lambda systems: table("network | operator", systems), []
    )
    text = (DOCS / "systems" / f"{family}.md").read_text()
    without = re.sub(r'coequal claims ".*"\n', "", PUBLISHED.sub("", text))
    assert alike(without, got), RUN


def test_there_are_no_other_files(pages: dict[str, Any]) -> None:
    wanted = {f"{family}.md" for family in FAMILIES} | {path.name for path in pages["DIAGRAMS"]["figures"]()}
    assert {path.name for path in (DOCS / "systems").iterdir()} == wanted, RUN


def test_every_network_has_its_verdict_on_the_page_of_its_family() -> None:
    for family in FAMILIES:
        text = (DOCS / "systems" / f"{family}.md").read_text()
        for system in networks_of(family):
            assert f"| {system.name} | {streamability(system.layer, system.shape).kind} |" in text, RUN


def test_judged_numbers_are_on_the_pages_of_their_networks_and_as_on_the_page_of_claims() -> None:
    judged, claims = set(rows((DOCS / "claims.md").read_text())), published()
    for family in FAMILIES:
        found = PUBLISHED.search((DOCS / "systems" / f"{family}.md").read_text())
        mine = rows(found[0] if found else "")
        assert set(mine[1:]) <= judged, RUN
        names = {system.name for system in networks_of(family)}
        wanted = [c for c in claims if c.counters and names & set(c.network.split(" / "))]
        begin = [line.split(" | ")[:3] for line in mine[1:]]
        expected = [[f"| {c.model}", f"{c.quantity}, {c.mode}", f"{c.published} {c.unit}"] for c in wanted]
        assert sorted(begin) == sorted(expected), RUN


def test_what_is_to_be_typed_again_is_understood() -> None:
    text = "".join((DOCS / "systems" / f"{family}.md").read_text() for family in FAMILIES)
    asked = dict.fromkeys(re.findall(r'^coequal (\w+) (?:--family )?"(.*)"$', text, re.MULTILINE))
    known = {"systems": {s.family for s in SYSTEMS.values()}, "cost": set(SYSTEMS), "claims": set(SYSTEMS)}
    assert {command for command, _ in asked} == set(known)
    assert all(name in known[command] for command, name in asked), asked


# -- the figures -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def diagrams(pages: dict[str, Any]) -> dict[str, Any]:
    return pages["DIAGRAMS"]


def test_figures_are_what_the_networks_say(diagrams: dict[str, Any]) -> None:
    for path, system in diagrams["figures"]().items():
        assert alike(path.read_text(), diagrams["drawn"](system)), f"{path.name}: {RUN}"


def test_the_last_row_of_a_stream_is_as_late_as_its_verdict_says(diagrams: dict[str, Any]) -> None:
    for system in diagrams["figures"]().values():
        verdict, found = streamability(system.layer, system.shape), diagrams["rows"](system)
        if verdict.streams:
            assert (-found[-1].end, found[-1].each) == (verdict.delay, verdict.phase), system.name
            assert all(row.new == 1 for row in found)
        else:
            anew = [row.kept == 0 for row in found]
            assert anew == sorted(anew), system.name  # some are kept, then none
            assert (anew[0], anew[-1]) == (False, True)


def test_rows_of_networks_that_one_can_count(diagrams: dict[str, Any]) -> None:
    """Newest frame, length, new and kept of each row, bottom up."""

    def told(layer: Any, frames: int = 16) -> list[tuple[str, float, float, int, float]]:
        system = System("mine", "mine", layer, (1, 2, frames, 4, 4), "here")
        return [(row.label, row.end, row.each, row.new, row.kept) for row in diagrams["rows"](system)]

    three = Conv(2, 2, (3, 1, 1), padding=(1, 0, 0))
    halved = Conv(2, 2, (3, 1, 1), (2, 1, 1), (1, 0, 0))
    assert told(Sequential((three, Activation("ReLU"), halved, GlobalAvgPool(3, 4)))) == [
        ("frames", 0, 1, 1, 2),
        ("Conv 3×1×1", -1, 1, 1, 2),
        ("Conv 3×1×1 /2", -2, 2, 1, 3),
        ("GlobalAvgPool of 4", -2, 2, 1, 0),
    ]
    block = Residual(Sequential((three, three, three)))  # the shortcut waits for three frames
    assert told(block)[0] == ("frames", 0, 1, 1, 3)
    assert told(Parallel((three, Conv(2, 2, (5, 1, 1), padding=(2, 0, 0))))) == [
        ("frames", 0, 1, 1, 4),
        ("Conv 5×1×1", -2, 1, 1, 0),
    ]
    gated = Sequential((three, SqueezeExcite(2, 1, "clip"), three))
    assert told(gated, 8) == [
        ("frames", 0, 1, 1, 7),
        ("Conv 3×1×1", 0, 1, 2, 6),  # the last but one saw padding where the newest frame is now
        ("SqueezeExcite", 0, 1, 8, 0),
        ("Conv 3×1×1", 0, 1, 8, 0),
    ]
