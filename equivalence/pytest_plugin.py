"""pytest plugin: what the command line and marks say to assertions, and what JUnit reads of them.

    def test_my_stream():
        coequal.assert_equal(coequal.Subject(clip=model, stream=model.stream, example=clip))

The fixture `coequal_verify` is the same assertion. Every pytest run on a machine with coequal loads this file, so it imports
nothing heavy before a test asks for it: a test that compares has imported coequal by then.
"""

from __future__ import annotations

import inspect
import os
import shlex
import sys
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    import torch

    from coequal.equivalence.campaigns.families import Family
    from coequal.equivalence.report import Report
    from coequal.subjects.subject import Subject

MARK = "coequal"
MARKED = f"{MARK}(require=None, effort='quick', seed=0): what assertions of this test want unless they say it themselves"
OPTIONS = ("effort", "seed", "require")
ORDER = ("undecided", "different", "within", "tested", "proved")  # verdicts, the least first


class Verify(Protocol):
    """What the fixture gives: call it with a subject, or with a module and an example clip."""

    def __call__(self, what: Subject | torch.nn.Module, **options: Any) -> Report:
        """The report, if it is good news; otherwise the test fails with it."""
        ...


class FamilyItem(pytest.Function):
    """The test of a family. Its failures say all by themselves: no line of code, least of all of ours, adds to them."""

    def __init__(self, *, family: Family, refused: Counter[str], **given: Any) -> None:
        super().__init__(**given)
        self.family, self.refused = family, refused

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException]) -> Any:  # type: ignore[override]
        """The messages of what was not accepted, each with its configuration; why all were refused; else as usual."""
        from hypothesis.errors import Unsatisfiable

        from coequal.equivalence.asserting import NotEqual

        found = excinfo.value.exceptions if isinstance(excinfo.value, BaseExceptionGroup) else (excinfo.value,)
        if all(isinstance(error, NotEqual) for error in found):
            return "\n\n".join(map(self._told, found))
        if isinstance(excinfo.value, Unsatisfiable) and self.refused:
            reasons = [f"  {count} times {reason}" for reason, count in self.refused.most_common()]
            return "\n".join([f"{self.name}: all configurations were refused, and nothing was compared", *reasons])
        return super().repr_failure(excinfo)

    def _told(self, error: Any) -> str:
        """A failure, and the command that shows its configuration by itself."""
        file = inspect.getsourcefile(self.family.function) or self.path  # where it is made, whoever imports it
        path = os.path.relpath(file, self.config.invocation_params.dir)
        command = shlex.join(["coequal", "verify", f"{path}:{self.family.name}[{error.report.target.partition('[')[2]}"])
        return "\n".join([str(error), f"  in a shell: {command}", *getattr(error, "__notes__", ())])


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--coequal-effort`, `--coequal-seed`, `--coequal-require`: what assertions want unless they say it themselves."""
    group = parser.getgroup("coequal", "streams against their clip functions")
    group.addoption("--coequal-effort", choices=["quick", "normal"], default="quick", help="how much is compared (quick)")
    group.addoption("--coequal-seed", type=int, default=0, metavar="S", help="seed of everything random (0)")
    group.addoption(
        "--coequal-require",
        choices=["tested", "proved", "proved-all"],
        default=None,
        help="fail unless the verdict is at least this (proved-all: for every length)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """The mark is a known one."""
    config.addinivalue_line("markers", MARKED)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Tests with the fixture have the mark: `-m coequal` runs them."""
    if "coequal_verify" in getattr(item, "fixturenames", ()):
        item.add_marker(MARK)


def pytest_pycollect_makeitem(collector: Any, name: str, obj: Any) -> pytest.Item | None:
    """A family is one property test, whatever its name: its type says what it is."""
    families = sys.modules.get("coequal.equivalence.campaigns.families")
    if families is None or not isinstance(obj, families.Family) or not getattr(obj, "__test__", True):
        return None
    refused: Counter[str] = Counter()
    item = FamilyItem.from_parent(collector, name=name, callobj=obj.test(refused), family=obj, refused=refused)
    for mark in getattr(obj, "pytestmark", ()):
        item.add_marker(getattr(pytest.mark, mark.name)(*mark.args, **mark.kwargs))
    if item.get_closest_marker(MARK) is None:
        item.add_marker(MARK)
    return item


@pytest.fixture
def coequal_verify(request: pytest.FixtureRequest) -> Verify:
    """`coequal.assert_equal`, for tests that would rather not import it: the report of a stream that is accepted."""
    from coequal.equivalence.asserting import assert_equal

    return assert_equal


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Within a test, assertions know what the command line and its mark say; the test remembers what they found."""
    __tracebackhide__ = True
    if "coequal" not in sys.modules:
        return (yield)
    from coequal.equivalence.asserting import Context, in_test

    reports: list[Report] = []
    with in_test(Context(**_wanted(item), note=reports.append)):
        try:
            return (yield)
        finally:
            item.user_properties.extend(properties(reports))


def _wanted(item: pytest.Item) -> dict[str, Any]:
    """Of a mark, else of the command line."""
    mark = item.get_closest_marker(MARK)
    given = {} if mark is None else dict(mark.kwargs)
    if mark is not None and (mark.args or not given.keys() <= set(OPTIONS)):
        raise pytest.UsageError(f"@pytest.mark.{MARK} takes {', '.join(OPTIONS)} by name, got {mark}")
    return {name: item.config.getoption(f"--coequal-{name}") for name in OPTIONS} | given


def properties(reports: list[Report]) -> list[tuple[str, object]]:
    """What JUnit reads of a test that compared: of several reports the least verdict and horizon, the greatest bound."""
    if not reports:
        return []
    horizons = [float("inf") if report.horizon == "all" else float(report.horizon) for report in reports]
    bounds = [report.proof["bound"] for report in reports if report.proof is not None and report.verdict == "proved"]
    found = {
        "verdict": min((report.verdict.value for report in reports), key=ORDER.index),
        "horizon": "all" if min(horizons) == float("inf") else int(min(horizons)),
        "bound": max(bounds) if bounds else None,
        "seconds": f"{sum(report.seconds for report in reports):.3f}",
        "seed": reports[0].seed,
        "comparisons": len(reports),
    }
    return [(f"coequal_{name}", value) for name, value in found.items() if value is not None]
