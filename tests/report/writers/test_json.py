"""The data of a document as JSON."""

import json
import math

from coequal.equivalence.report import Report, Verdict
from coequal.report import verdict
from coequal.report.document import Document
from coequal.report.writers import json as as_json


def test_a_report_is_written_as_it_writes_itself() -> None:
    report = Report("größe.py:x", Verdict.TESTED, quality={"worst": math.inf})
    assert as_json.text(verdict.document(report)) == report.to_json() + "\n"


def test_it_is_finite() -> None:
    written = as_json.text(Document("cost", data=[{"a": (1, math.nan)}]))
    assert json.loads(written) == [{"a": [1, "nan"]}]
