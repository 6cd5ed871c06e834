"""`coequal recheck`: compute what a certificate says again."""

from __future__ import annotations

import argparse

from coequal.process import parent
from coequal.report import certificate
from coequal.report.document import Document


def document(options: argparse.Namespace) -> Document:
    """Whether it holds, and if not, why; BadInput where a file cannot be read."""
    asked = {"step": options.step, "clip": options.clip, "alone": options.alone}
    found = parent.run({"target": options.certificate, "recheck": asked}, options.timeout)
    return certificate.checked(options.certificate, found)
