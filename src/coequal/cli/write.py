"""`coequal write`: a draft of a subject for a module, printed as Python."""

from __future__ import annotations

import argparse

from coequal.cli.console import complain
from coequal.process import parent


def write(options: argparse.Namespace) -> int:
    """Print the draft; 0, or 2 where there is none. What the user's code prints is dropped: stdout is a file in the end."""
    request = {"target": options.target, "draft": {"example": options.example}}
    try:
        source = parent.run(request, options.timeout, quiet=True)
    except parent.BadInput as error:
        return complain(str(error))
    print(source, end="")
    return 0
