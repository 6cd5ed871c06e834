"""What a command prints, without a new interpreter that imports torch again: by a fork of this process, which has."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

FORKS = sys.platform == "linux"


def printed(folder: Path, call: Callable[[], object]) -> str:
    """All that a call writes to stdout and stderr, in a fork that stands in `folder`; a traceback where it raises."""
    sys.stdout.flush()
    sys.stderr.flush()
    with tempfile.TemporaryFile() as file:
        forked = os.fork()
        if forked == 0:
            for stream in (1, 2):
                os.dup2(file.fileno(), stream)
            sys.stdout = sys.stderr = open(1, "w", closefd=False)  # noqa: SIM115  it ends with the process
            try:
                os.chdir(folder)
                call()
            except SystemExit:
                pass
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                os._exit(0)
        os.waitpid(forked, 0)
        file.seek(0)
        return file.read().decode()
