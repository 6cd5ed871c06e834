"""TARGET on the command line -> Subject: `path/to/file.py:name`, `package.module:name`, `package:Class`, a catalogue name.

The user's code is imported here, inside the child process of `coequal.process.parent`. Whatever is wrong with it becomes one
line that names file, line and error (`BadSubject`); a traceback of ours would help nobody.
"""

from __future__ import annotations

import dataclasses
import inspect
import os
import random
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

from coequal.process.place import configured
from coequal.process.tracebacks import blamed
from coequal.subjects.adapters.find import Named, built_by_an_adapter, clip_of, names_of, subject_of
from coequal.subjects.backends.find import on_device
from coequal.subjects.errors import BadSubject, nearest
from coequal.subjects.subject import Subject

WANTED = (
    "a coequal.Subject, a function without arguments that returns one, a coequal.family, or a torch.nn.Module with an"
    " example clip"
)


def load(target: str, *, seed: int = 0, **given: Any) -> Subject:
    """The subject that `target` names, with what else is `given` to `prepared`. BadSubject names what is wrong."""
    return prepared(target, loaded(target, seed), seed=seed, **given)


def random_clip(shape: Sequence[int], seed: int = 0) -> torch.Tensor:
    """The clip that a module gets which brings none."""
    return torch.randn(tuple(shape), generator=torch.Generator().manual_seed(seed))


def _clip(value: Any, shape: tuple[int, ...], seed: int) -> torch.Tensor:
    """A random clip of a shape that was asked for: of what a module takes, where an adapter knows it."""
    module = value[0] if isinstance(value, tuple) and value else value
    return clip_of(module, shape, seed) if isinstance(module, torch.nn.Module) else random_clip(shape, seed)


def seed_all(seed: int) -> None:
    """What a target draws when it is loaded is the same in every process."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def loaded(target: str, seed: int = 0) -> Any:
    """What `target` names: what a function returns, a family, or, of `family[option=value]`, one of its subjects."""
    where, configuration = configured(target)
    value = called(where, named(where))
    if configuration is None:
        return value
    from coequal.equivalence.campaigns.families import Refused
    from coequal.equivalence.campaigns.spelling import read

    if isinstance(value, Named):
        return dataclasses.replace(value, settings=read(configuration))
    if not is_family(value):
        raise BadSubject(f"{where} has no configurations: it is no coequal.family, but of type {type(value).__name__}")
    try:
        return value.subject(read(configuration), seed)
    except Refused as refused:
        raise BadSubject(f"{target} is refused: {refused}") from refused


def is_family(value: Any) -> bool:
    """Whether a value is one: whoever made it has imported what that takes, and nobody else has to wait for it."""
    families = sys.modules.get("coequal.equivalence.campaigns.families")
    return families is not None and isinstance(value, families.Family)


def prepared(
    target: str,
    value: Any,
    *,
    example: tuple[int, ...] | None = None,
    window: int | None = None,
    within: float | None = None,
    allow: Iterable[str] = (),
    seed: int = 0,
    device: str | None = None,
) -> Subject:
    """The subject that a value is, with what the user says of it.

    `example` is the shape of a random clip for a module that brings none, `window`, `within` and `allow` override or extend
    what the subject says, and `device` is where its modules and its clip are put. BadSubject names what is wrong and what to
    do.
    """
    given = {"window": window, "within": within}
    overrides = {name: value for name, value in given.items() if value is not None}
    if isinstance(value, Named):
        subject = value.subject(example, seed, **overrides)
    else:
        clip = None if example is None else _clip(value, example, seed)
        subject = subject_from(target, value, clip, **overrides)
    subject = subject if device is None else on_device(subject, device)
    return dataclasses.replace(subject, name=subject.name or target, allow=(*subject.allow, *allow))


def subject_from(target: str, value: Any, clip: torch.Tensor | None, **overrides: Any) -> Subject:
    """A Subject as it is, a module (or a pair of module and example clip) through the adapter that recognises it."""
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], torch.nn.Module):
        value, clip = value[0], value[1] if clip is None else clip
    if isinstance(value, Subject):
        given: dict[str, Any] = {} if clip is None else {"example": clip}
        return dataclasses.replace(value, **given, **overrides)
    if not isinstance(value, torch.nn.Module):
        raise BadSubject(f"{target} is of type {type(value).__name__}; expected {WANTED}")
    if not isinstance(clip, torch.Tensor):
        raise BadSubject(
            f"{target} is the module {type(value).__name__}, which needs an example clip: add --example SHAPE"
            " (like --example 1,3,16,32,32), or let a function return (module, example)"
        )
    return subject_of(value, clip, **overrides)


def named(target: str) -> Any:
    """The object that stands under `target`, not yet called."""
    if is_of_a_suite(target) and (found := _of_a_suite(target)) is not None:
        return found
    where, colon, name = target.rpartition(":")
    if not colon:
        where, name = target, ""
    if where.endswith(".py") or os.sep in where:
        module = _module_of_file(where)
    elif colon:
        return built_by_an_adapter(where, name) or _of_a_package(where, name)
    else:
        return _system(target)
    return _attribute(module, where, name)


def is_of_a_suite(target: str) -> bool:
    """Whether a target is the name of a distribution that there is a suite for, or one of its families."""
    from coequal.equivalence.suites import names

    return names.is_of_a_suite(target)


def is_suite(value: Any) -> bool:
    """Whether a value is a suite."""
    found = sys.modules.get("coequal.equivalence.suites.find")
    return found is not None and isinstance(value, found.Suite)


def _of_a_suite(target: str) -> Any:
    """All families of a library, or one of them; None: the library itself has that name, or an adapter builds it."""
    from coequal.equivalence.suites.find import family_of, suite_of

    name, colon, family = target.partition(":")
    if family in names_of(name):
        return None
    with blamed(f"importing the suite of {name}"):
        suite = suite_of(name)
    if (
        colon
        and family not in suite.families
        and name.isidentifier()
        and hasattr(import_module(name), family.partition(".")[0])
    ):
        return None
    return family_of(suite, family) if colon else suite


def _system(name: str) -> Subject:
    """A published network with random weights: its clip function and its stream, on a random clip.

    The clip is the whole stream, also where a window of attention moves over it: recycled positions count on from its start.
    """
    from coequal.continual.conversion import convert
    from coequal.continual.module import Stream
    from coequal.continual.to_torch import regular
    from coequal.systems.catalogue import SYSTEMS

    if name not in SYSTEMS:
        close = nearest(name, SYSTEMS)
        hint = f"did you mean {close!r}? Or" if close else "see `coequal systems`, or"
        raise BadSubject(f"{name!r} is not in the catalogue; {hint} write path/to/file.py:NAME or package.module:NAME")
    layer = SYSTEMS[name].stream
    if layer is None:
        why = SYSTEMS[name].notes or "its paper runs it on clips"
        raise BadSubject(f"{name} has no stream to compare: {why}")
    clip = regular(layer).eval()
    example = random_clip(SYSTEMS[name].shape)
    options: dict[str, Any] = {"time": layer.time, "modules": clip, "name": name}
    return Subject(clip=clip, stream=lambda: Stream(convert(clip)), example=example, **options)


def _module_of_file(where: str) -> ModuleType:
    path = Path(where)
    if not path.is_file():
        here = path.parent if path.parent.is_dir() else Path()
        raise BadSubject(f"no file {where}{_did_you_mean(path.name, [p.name for p in here.glob('*.py')])}")
    sys.path.append(str(path.parent.resolve()))  # at the end: the user's folder must not hide an installed library
    name = f"coequal_target_{path.stem}"
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise BadSubject(f"{where} is not a Python file: its name must end in .py")
    module = module_from_spec(spec)
    sys.modules[name] = module  # pickle and dataclasses look modules up by name
    with blamed(f"importing {where}"):
        spec.loader.exec_module(module)
    return module


def _module_of_name(where: str) -> ModuleType:
    """A dotted name, looked for where Python finds packages, then in the working directory."""
    try:
        found = find_spec(where) is not None
    except ModuleNotFoundError as error:  # a parent package is missing, or misses something itself
        found = not where.startswith(error.name or where)
    except Exception:  # a parent package fails to import: importing it below says how
        found = True
    if not found:
        raise BadSubject(f"no module {where}, neither installed nor in {Path.cwd()}")
    with blamed(f"importing {where}"):
        return import_module(where)


def _of_a_package(where: str, name: str) -> Any:
    """What stands there; where it does not, or cannot be called, which classes an adapter builds."""
    known = names_of(where)
    try:
        value = _attribute(_module_of_name(where), where, name)
    except BadSubject as error:
        raise BadSubject(f"{error}{_builds(where, name, known)}") from error
    if known and isinstance(value, type) and issubclass(value, torch.nn.Module):
        raise BadSubject(f"{where}:{name} is built by no adapter{_builds(where, name, known)}")
    return value


def _builds(where: str, name: str, known: tuple[str, ...]) -> str:
    alike = [own for own in known if name.lower() in own.lower()] or list(filter(None, [nearest(name, known)]))
    return f"; the adapter for {where} builds {', '.join((alike or known)[:8])}" if known else ""


def _attribute(module: ModuleType, where: str, name: str) -> Any:
    public = [key for key in vars(module) if not key.startswith("_")]
    own = [key for key in public if _could_be_subject(vars(module)[key], module)]
    if not name:
        known = f"; it has {', '.join(own)}" if own else ""
        raise BadSubject(f"which name in {where}? write {where}:NAME{known}")
    value: Any = module
    for part in name.split("."):
        if not hasattr(value, part):
            raise BadSubject(f"no name {name!r} in {where}{_did_you_mean(name, own or public)}")
        value = getattr(value, part)
    return value


def _could_be_subject(value: Any, module: ModuleType) -> bool:
    own_function = callable(value) and getattr(value, "__module__", None) == module.__name__
    return own_function or isinstance(value, (Subject, torch.nn.Module)) or is_family(value)


def called(target: str, value: Any, wanted: str = WANTED) -> Any:
    """A factory is called; everything else is itself."""
    if isinstance(value, (Subject, torch.nn.Module)) or is_family(value) or not callable(value):
        return value
    needed = _required(value)
    if needed:
        raise BadSubject(f"{target} takes arguments ({', '.join(needed)}); expected {wanted}")
    with blamed(f"calling {target}"):
        return value()


def _required(function: Any) -> list[str]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # built in C, without a signature: calling it will tell
        return []
    free = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in parameters if p.default is p.empty and p.kind not in free]


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    known = sorted(known)
    if close := nearest(name, known):
        return f"; did you mean {close}?"
    return f"; it has {', '.join(known[:8])}" if known else ""
