"""The child process of `coequal.process.parent`: loads the target, verifies it, leaves the answer in a file."""

from __future__ import annotations

import dataclasses
import faulthandler
import os
import pickle
import shutil
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

from coequal.process.parent import ANSWER, FAULTS, REQUEST, STAGE


def main(folder: Path) -> None:
    """Read the request of the parent, answer it; `("report", Report)` or `("bad", one line)`."""
    faults = (folder / FAULTS).open("w")
    faulthandler.enable(faults)
    if hasattr(signal, "SIGUSR1"):
        faulthandler.register(signal.SIGUSR1, faults, all_threads=False)
    request = pickle.loads((folder / REQUEST).read_bytes())
    threading.Thread(target=_end_with, args=(request["parent"], folder), daemon=True).start()
    written = pickle.dumps(answer(folder, request))
    (folder / "partial").write_bytes(written)
    (folder / "partial").rename(folder / ANSWER)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # threads or exit handlers that the user's code left behind cannot hold the answer back


def _end_with(parent: int, folder: Path) -> None:
    """When the parent is gone, however it went, nobody waits for the answer: end, with all that was started."""
    while os.getppid() == parent:
        time.sleep(0.2)
    shutil.rmtree(folder, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


def answer(folder: Path, request: dict[str, Any]) -> tuple[str, Any]:
    """What `main` writes down. Whatever escapes here, SystemExit included, becomes one line."""
    from coequal.process.tracebacks import blame, located
    from coequal.subjects.errors import BadSubject, OutOfMemory

    sys.path.append(str(Path.cwd()))  # at the end: the user's folder must not hide an installed library
    try:
        return "report", _report(folder, request)
    except BadSubject as error:
        return "bad", located(error, request["target"])
    except OutOfMemory as error:
        return "bad", f"{request['target']}: out of memory: {error}"
    except KeyboardInterrupt:
        return "bad", f"{request['target']}: interrupted"
    except BaseException as error:
        if os.environ.get("COEQUAL_DEBUG"):
            traceback.print_exc()
        return "bad", f"{request['target']}: {blame(error)}"


def _report(folder: Path, request: dict[str, Any]) -> Any:
    (folder / STAGE).write_text("importing torch")
    from coequal.process.target import seed_all

    seed_all(request.get("seed", 0))
    if "cost" in request:
        from coequal.process.costs import of_target

        (folder / STAGE).write_text("counting it")
        return of_target(request["target"], request["cost"])
    if "draft" in request:
        from coequal.process import drafts

        (folder / STAGE).write_text("drafting it")
        return drafts.of_target(request["target"], **request["draft"])
    if "export" in request:
        from coequal.equivalence.options import Options
        from coequal.process import exporting

        (folder / STAGE).write_text("exporting it")
        left = Options(timeout=request["deadline"] - time.time(), seed=request["seed"], effort="quick")
        return exporting.of_target(request["target"], **request["export"], options=left)
    if "certify" in request:
        from coequal.process import exported

        (folder / STAGE).write_text("certifying it")
        return exported.certified(request["target"], request["certify"], **request["load"])
    if "recheck" in request:
        from coequal.process import exported

        (folder / STAGE).write_text("checking it")
        return exported.checked(request["target"], **request["recheck"])
    return _verified(folder, request)


def _verified(folder: Path, request: dict[str, Any]) -> Any:
    """The report of a subject, of a family, or of an exported file on a runtime."""
    from coequal.equivalence.options import Options, Replay
    from coequal.process import exported
    from coequal.process.target import is_family, is_suite, loaded, prepared

    target = request["target"]
    if "backend" in request:
        from coequal.process.runtimes import of_target as on_runtime

        (folder / STAGE).write_text("running it")
        left = Options(timeout=request["deadline"] - time.time(), **_of_a_subject(request["options"]))
        replay = Replay(**request["replay"])
        return on_runtime(target, request["backend"], request["load"], left, replay, request["again"])
    if request.get("backends"):
        from coequal.process.runtimes import check_names

        check_names(target, request["backends"])
    (folder / STAGE).write_text("loading it")
    if exported.is_artefact(target):
        subject = exported.load(target, **request["load"])
    else:
        usual = exported.usual(target, **request["load"])
        value = loaded(target, request.get("seed", 0))
        if is_suite(value):
            from coequal.process.suites import of_suite

            (folder / STAGE).write_text("searching it")
            return of_suite(value, {**request, "load": usual}, request["deadline"] - time.time())
        if is_family(value):
            from coequal.process.families import of_family

            (folder / STAGE).write_text("searching it")
            return of_family(value, {**request, "load": usual}, request["deadline"] - time.time())
        subject = prepared(target, value, **usual)
    _is_no_campaign(request)
    left = request["deadline"] - time.time()
    (folder / STAGE).write_text("verifying it")
    from coequal.equivalence.verify import verify

    options, replay = Options(timeout=left, **_of_a_subject(request["options"])), Replay(**request["replay"])
    report = verify(subject, options, replay, target=request["again"])
    return dataclasses.replace(report, target=target)


def _is_no_campaign(request: dict[str, Any]) -> None:
    """BadSubject where a target is no family, and something was said of how families are searched."""
    from coequal.subjects.errors import BadSubject

    for name, value in request.get("campaign", {}).items():
        if value:
            raise BadSubject(f"--{name.replace('_', '-')} is for families; {request['target']} is none")


def _of_a_subject(options: dict[str, Any]) -> dict[str, Any]:
    """With the effort that a subject gets unless another is asked for."""
    return {**options, "effort": options.get("effort") or "normal"}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
