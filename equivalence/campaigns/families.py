"""Families: a function from options to a Subject, and a Hypothesis strategy for each option.

    @coequal.family(kernel_size=st.integers(1, 5), stride=st.integers(1, 3))
    def conv(kernel_size, stride):
        return coequal.Subject(...)

`coequal verify file.py:conv` searches it, pytest collects it as one property test, `file.py:conv[kernel_size=4, stride=2]`
is one of its subjects.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import hypothesis
import numpy as np
import torch
from hypothesis import strategies as st

from coequal.equivalence.asserting import CONTEXT, Context, assert_equal
from coequal.equivalence.campaigns.spelling import spelled
from coequal.equivalence.checks import CHECKS
from coequal.equivalence.checks.exact import EXACT
from coequal.subjects.adapters.find import subject_of
from coequal.subjects.errors import BadSubject, ensure_memory
from coequal.subjects.inputs import called, cloned
from coequal.subjects.subject import Subject
from coequal.subjects.validate import check_subject

SLOW = ("long", EXACT)  # checks that take as long as all others together
PROGRAM = (NameError, ImportError, SyntaxError)  # what is a mistake of the family, and no refusal
WANTED = "a coequal.Subject, or a module that an adapter recognises and an example clip"


CRASHES = (KeyError, AttributeError, ZeroDivisionError, RecursionError)  # of a clip function: no way to refuse


class Refused(Exception):
    """The library raises when a configuration is built, or its clip function does on the example."""


class Broken(Exception):
    """The clip function raises on the example what is no refusal: the configuration was accepted, and cannot be run."""


def checks_for(require: str | None) -> tuple[str, ...]:
    """The checks of a configuration: without those that take longest, unless a proof is required.

    Args:
        require: The least verdict that is accepted.

    Returns:
        Names of checks.
    """
    every = (*CHECKS, EXACT)
    return every if require in ("proved", "proved-all") else tuple(name for name in every if name not in SLOW)


class Family:
    """Subjects by options. Made by `coequal.family`; called, it is the function that it was made of."""

    def __init__(self, function: Callable[..., Any], options: Mapping[str, st.SearchStrategy[Any]]) -> None:
        self.function, self.options = function, dict(options)
        self.name = function.__name__
        functools.update_wrapper(self, function)

    def __call__(self, *args: Any, **configuration: Any) -> Any:
        return self.function(*args, **configuration)

    def __repr__(self) -> str:
        return f"coequal.family {self.name}({', '.join(self.options)})"

    @property
    def configurations(self) -> st.SearchStrategy[dict[str, Any]]:
        """All of them, the simplest first."""
        return st.tuples(*self.options.values()).map(lambda values: dict(zip(self.options, values, strict=True)))

    def subject(
        self, configuration: Mapping[str, Any], seed: int = 0, prepare: Callable[[Any], Subject] | None = None
    ) -> Subject:
        """The subject of one configuration, built with its own seed, so that it is the same in whatever order.

        Args:
            configuration: A value for each option.
            seed: What torch, NumPy and `random` are seeded with while it is built.
            prepare: What makes a Subject of what the function returns; by default the adapters.

        Returns:
            The subject, named after the configuration.

        Raises:
            Refused: The function raises, or the clip function does on the example.
            Broken: The clip function raises on the example, by a mistake in it.
            SystemExit: The function ends the program.
            OutOfMemory: It takes more memory than there is.
            BadSubject: The family is no family.
        """
        self._knows(configuration)
        with seeded(seed):
            with self._refusing():
                value = self.function(**configuration)
            subject = _as_subject(value) if prepare is None else prepare(value)
            check_subject(subject)
            with self._refusing("in the clip: "), torch.no_grad():
                try:
                    called(subject.clip, cloned(subject.example), "clip")
                except CRASHES as error:
                    raise Broken(f"in the clip: {_reason(error)}") from error
        return replace(subject, name=f"{subject.name or self.name}[{spelled(configuration)}]")

    @contextlib.contextmanager
    def _refusing(self, where: str = "") -> Iterator[None]:
        """Within it, what raises refuses; but for what is a mistake of the program."""
        try:
            yield
        except Broken:
            raise
        except PROGRAM as error:
            raise BadSubject(f"{self.name}: {where}{_reason(error)}") from error
        except Exception as error:
            ensure_memory(error)
            raise Refused(f"{where}{_reason(error)}") from error

    def _knows(self, configuration: Mapping[str, Any]) -> None:
        if unknown := [name for name in configuration if name not in self.options]:
            raise BadSubject(f"{self.name} has no option {unknown[0]!r}; options: {', '.join(self.options)}")
        if missing := [name for name in self.options if name not in configuration]:
            raise BadSubject(f"{self.name} needs a value for each option; not given: {', '.join(missing)}")

    def test(self, refused: Counter[str]) -> Callable[[], None]:
        """One test of Hypothesis: all configurations.

        The profile says how many are drawn, and where failures are remembered. There is no deadline, since the first
        verification imports what the others need, and no explain phase, which would repeat each failure many times.

        Args:
            refused: Where reasons of refusals are counted.

        Returns:
            The test.
        """
        usual = hypothesis.settings()

        @hypothesis.settings(
            deadline=None,
            phases=[phase for phase in usual.phases if phase is not hypothesis.Phase.explain],
            suppress_health_check=[*hypothesis.HealthCheck],  # pyright: ignore[reportArgumentType]
        )
        @hypothesis.given(**self.options)
        @functools.wraps(self.function)
        def test(**configuration: Any) -> None:
            __tracebackhide__ = True
            context = CONTEXT.get(Context())
            try:
                subject = self.subject(configuration, context.seed)
            except Refused as error:
                refused[str(error)] += 1
                hypothesis.event(f"refused: {error}")
                hypothesis.reject()
            assert_equal(subject, checks=checks_for(context.require))

        return test


def family(**options: st.SearchStrategy[Any]) -> Callable[[Callable[..., Any]], Family]:
    """A decorator: a function from options to a Subject becomes a family of subjects.

    Args:
        **options: A Hypothesis strategy for each argument of the function, like `kernel_size=st.integers(1, 5)`. The
            simplest values of a strategy come first, and a failure is shrunk to them.

    Returns:
        What makes a `Family` of a function that returns a Subject, or a pair of a module and an example clip. Where it
        raises, or the clip function does on the example, the configuration is refused by the library.

    Raises:
        BadSubject: An option is no strategy, or no argument of the function, or an argument has no option.
    """
    for name, strategy in options.items():
        if not isinstance(strategy, st.SearchStrategy):
            raise BadSubject(f"family: {name} is a Hypothesis strategy, like st.sampled_from([...]); got {strategy!r}")

    def made(function: Callable[..., Any]) -> Family:
        parameters = inspect.signature(function).parameters.values()
        free = any(p.kind is p.VAR_KEYWORD for p in parameters)
        needed = [p.name for p in parameters if p.default is p.empty and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
        if missing := [name for name in needed if name not in options]:
            raise BadSubject(f"family: {function.__name__} takes {missing[0]!r}, for which there is no strategy")
        if unknown := [name for name in options if name not in {p.name for p in parameters} and not free]:
            raise BadSubject(f"family: {function.__name__} takes no argument {unknown[0]!r}")
        return Family(function, options)

    return made


def _as_subject(value: Any) -> Subject:
    if isinstance(value, Subject):
        return value
    if isinstance(value, tuple) and len(value) == 2:
        return subject_of(*value)
    raise BadSubject(f"a family returns {WANTED}; got {type(value).__name__}")


def _reason(error: Exception) -> str:
    """The first line of an exception, with its type."""
    text = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Within it torch, NumPy and `random` begin with a seed; after it they go on as before."""
    state, numbers = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed % 2**32)
        try:
            yield
        finally:
            random.setstate(state)
            np.random.set_state(numbers)
