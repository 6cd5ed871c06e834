"""pytest plugin: `coequal_verify(subject)` fails the test with the printed report.

    def test_my_stream(coequal_verify):
        coequal_verify(coequal.Subject(clip=model, stream=model.stream, example=clip))

Every pytest run on a machine with coequal loads this file, so it imports nothing heavy before a test asks for the fixture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    import torch

    from coequal.equivalence.report import Report
    from coequal.subjects.subject import Subject


class Verify(Protocol):
    """What the fixture gives: call it with a subject, or with a module and an example clip."""

    def __call__(self, what: Subject | torch.nn.Module, **options: Any) -> Report:
        """The report, if it is good news; otherwise the test fails with it."""
        ...


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--coequal-effort`, `--coequal-seed`, `--coequal-require`: defaults of the fixture's options."""
    group = parser.getgroup("coequal", "streams against their clip functions")
    group.addoption("--coequal-effort", choices=["quick", "normal"], default="quick", help="how much is compared (quick)")
    group.addoption("--coequal-seed", type=int, default=0, metavar="S", help="seed of everything random (0)")
    group.addoption(
        "--coequal-require", choices=["proved", "proved-all"], default=None, help="fail unless the verdict is at least this"
    )


@pytest.fixture
def coequal_verify(request: pytest.FixtureRequest) -> Verify:
    """Compare a stream with its clip function; the test fails unless the report's exit code would be 0.

    Options of the call (`seed`, `effort`, `checks`, `timeout`, `example` for a module, `require`) win over those of the
    command line.
    """
    option = request.config.getoption
    defaults = {"effort": option("--coequal-effort"), "seed": option("--coequal-seed")}
    required = option("--coequal-require")

    def verify(what: Any, *, example: Any = None, require: str | None = required, **options: Any) -> Report:
        from coequal.equivalence.options import chosen
        from coequal.equivalence.verify import verify
        from coequal.subjects.adapters.find import subject_of
        from coequal.subjects.subject import Subject

        subject = what if isinstance(what, Subject) else subject_of(what, example)
        report = verify(subject, *chosen(**{**defaults, **options}))
        if report.exit_code(require):
            pytest.fail(f"{report}", pytrace=False)
        return report

    return verify
