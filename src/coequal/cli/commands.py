"""From a line to an exit code: the command's file builds a document, which is printed and written."""

from __future__ import annotations

import argparse
from importlib import import_module

from coequal.cli.console import complain, deliver, writable
from coequal.process.parent import BadInput
from coequal.report.document import Document


def run(options: argparse.Namespace) -> int:
    """The exit code; bad input is one line on stderr, and 2."""
    try:
        writable(options)
        return deliver(_document(options), options)
    except BadInput as error:
        return complain(str(error))


def _document(options: argparse.Namespace) -> Document:
    """What the file of the command says; the parser knows which commands there are."""
    return import_module(f"coequal.cli.{options.command}").document(options)
