"""What all tests share: one thread, and the comparison of rounded results, by bounds that are derived and never picked."""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
import torch

from coequal.continual import operators
from coequal.equivalence.memory import caches
from coequal.process import child, parent

# one profile: how long an example takes depends on what else the machine does
hypothesis.settings.register_profile("coequal", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("coequal")
# what `make quick` leaves out: whole verifications by the dozen, processes, packages, pages
SLOW = (
    *("cli", "examples", "generated", "layout", "meta", "process", "systems", "proofs/cost", "proofs/claims"),
    *("equivalence/campaigns", "equivalence/checks", "equivalence/memory", "equivalence/prove", "equivalence/findings"),
    *("equivalence/compare/test_formats", "equivalence/test_pytest_plugin", "equivalence/test_several"),
    *("equivalence/test_verdicts", "continual/test_sliding_softmax", "subjects/test_adapters", "proofs/theorems"),
    *("equivalence/test_asserting", "equivalence/test_canary", "equivalence/test_exporting", "subjects/artefacts"),
    *("equivalence/test_certifying", "subjects/backends", "subjects/test_drafting"),
    *("proofs/field/semantics/test_ordering", "proofs/field/semantics/test_logarithms"),
)
# what covers reference/ and continual/, which `make test` measures: all else runs at full speed there
OF_TWO_ROOMS = ("reference", "continual", "equivalence/campaigns/test_agree")
# what `make coverage` leaves out: planted bugs by the dozen, examples, and checks of the source itself
NOT_MEASURED = ("generated", "meta", "examples", "layout")
# and what it runs with all parameters: each goes through lines of its own, and takes no time
WHOLE = ("equivalence/prove/test_growing", "subjects/artefacts/test_operators", "equivalence/memory/test_forged")
TESTS = Path(__file__).parent
MANY = 20_000  # objects that a test file may leave behind before they are set aside
gc.disable()  # nothing becomes garbage before all is imported
operators.complete()  # every file's own lines run here, under the tracer, and not in whichever test needs them first
torch.set_num_threads(1)  # small tensors: two workers of two threads each would only wait for one another


def pytest_addoption(parser: pytest.Parser) -> None:
    """What `make coverage` asks for: the tracer would make all of them take twice as long."""
    parser.addoption("--once", action="store_true", help="of slow tests those with the first parameters alone")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests of slow folders are marked so; where two rooms are measured, what does not cover them runs at full speed."""
    rooms = config.getoption("cov_source", None) not in (None, [], [True])
    seen, kept, left = set[str](), list[pytest.Item](), list[pytest.Item]()
    for item in items:
        place = item.path.relative_to(TESTS).as_posix() if item.path.is_relative_to(TESTS) else ""
        if place.startswith(SLOW):
            item.add_marker(pytest.mark.slow)
        if rooms and not place.startswith(OF_TWO_ROOMS):
            item.add_marker(pytest.mark.no_cover)
        function = item.nodeid.partition("[")[0]
        again = place.startswith(SLOW) and not place.startswith(WHOLE) and function in seen
        (left if again or place.startswith(NOT_MEASURED) else kept).append(item)
        seen.add(function)
    if config.getoption("once"):
        items[:] = kept
        config.hook.pytest_deselected(items=left)


def pytest_collection_finish() -> None:
    """Half a million objects of libraries are looked through once, not in each proof nor by the collector."""
    caches.set_aside()
    gc.enable()


@pytest.fixture(scope="module", autouse=True)
def _left_behind() -> Iterator[None]:
    """What a test file imports or keeps is looked through once as well: torch's compiler alone is 100,000 objects."""
    yield
    if len(gc.get_objects()) > MANY:
        gc.collect()
        caches.set_aside()


def _within(got: Any, expected: Any, magnitude: Any, operations: int) -> None:
    got, expected = np.asarray(got), np.asarray(expected)
    assert got.shape == expected.shape, f"shape {got.shape}, expected {expected.shape}"
    coarser = max((a.dtype for a in (got, expected) if a.dtype.kind == "f"), key=lambda dtype: np.finfo(dtype).eps)
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(got[~finite], expected[~finite])
    bound = np.broadcast_to(2 * operations * (np.finfo(coarser).eps / 2) * np.abs(magnitude), expected.shape)
    assert np.isfinite(bound[finite]).all(), "the bound is not finite where the expected value is: nothing could fail"
    excess = np.abs(got[finite].astype(np.longdouble) - expected[finite].astype(np.longdouble)) - bound[finite]
    assert (excess <= 0).all(), f"beyond the rounding bound by up to {np.max(excess)}"  # NaN is not <= 0


@pytest.fixture(scope="session")
def within() -> Callable[[Any, Any, Any, int], None]:
    """`within(got, expected, magnitude, operations)`: every element differs by at most `2 n u magnitude`.

    n is the number of roundings on the longest path, u the unit roundoff of the coarser dtype, `magnitude` the same
    operator on absolute values (Higham, "Accuracy and stability of numerical algorithms", section 3.1, for either result).
    NaN and infinity must stand in the same places.
    """
    return _within


@pytest.fixture
def forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands are answered by a fork of this process, which has imported torch, and not by a new one.

    `tests/process`, `test_verify.py` and `test_bad_input.py` start new ones, as users do.
    """
    if sys.platform == "linux":
        monkeypatch.setattr(parent, "run", _answered_by_a_fork)


def _answered_by_a_fork(request: dict[str, Any], timeout: float, *, quiet: bool = False) -> Any:
    with tempfile.TemporaryDirectory(prefix="coequal-") as name:
        folder = Path(name)
        (folder / parent.REQUEST).write_bytes(
            pickle.dumps({**request, "deadline": time.time() + timeout, "parent": os.getpid()})
        )
        sys.stdout.flush()
        sys.stderr.flush()
        forked = os.fork()
        if forked == 0:
            with contextlib.suppress(BaseException):
                if quiet:
                    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115  it ends with the process
                child.main(folder)
            os._exit(1)
        os.waitpid(forked, 0)
        kind, value = pickle.loads((folder / parent.ANSWER).read_bytes())
    if kind == "bad":
        raise parent.BadInput(value)
    return value
