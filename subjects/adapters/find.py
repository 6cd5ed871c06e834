"""Adapters: from a module that a library made to a subject, and from a name of a library to such a module."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import torch

from coequal.subjects import adapters
from coequal.subjects.errors import BadSubject
from coequal.subjects.listing import installed, modules_of
from coequal.subjects.subject import Subject

GROUP = "coequal.adapters"  # entry points of other packages


def all_adapters() -> dict[str, Any]:
    """Those of this folder, then those of other packages: each has `recognises` and `subject`, and imports lazily."""
    return modules_of(adapters, "recognises") | installed(GROUP)


def adapter_of(module: torch.nn.Module) -> ModuleType | None:
    """The first adapter that recognises a module; None where none does."""
    return next((adapter for adapter in all_adapters().values() if adapter.recognises(module)), None)


def subject_of(module: torch.nn.Module, example: Any, **overrides: Any) -> Subject:
    """A Subject for a module that an adapter recognises; `overrides` are fields of Subject. BadSubject when none does."""
    if not isinstance(module, torch.nn.Module):
        raise BadSubject(f"subject: expected a torch.nn.Module, got {type(module).__name__}")
    if not isinstance(example, torch.Tensor):
        raise BadSubject(f"subject: {type(module).__name__} needs an example clip, a tensor, got {type(example).__name__}")
    adapter = adapter_of(module)
    if adapter is None:
        raise BadSubject(
            f"no adapter recognises {type(module).__module__}.{type(module).__qualname__};"
            f" adapters: {', '.join(all_adapters())}."
            " Describe it with coequal.Subject(clip=..., stream=..., example=...)"
        )
    return adapter.subject(module, example, **overrides)


def clip_of(module: torch.nn.Module, shape: tuple[int, ...], seed: int) -> torch.Tensor:
    """A random clip of this shape that a module may be given: token ids, where its adapter knows that it takes some."""
    made = getattr(adapter_of(module), "clip", None)
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator) if made is None else made(module, shape, generator)


@dataclass(frozen=True)
class Named:
    """A class of a package, to be built in a tiny random configuration: `torch:GRU`, `transformers:LlamaForCausalLM`."""

    package: str
    name: str
    settings: dict[str, Any] = field(default_factory=dict)

    def subject(self, shape: tuple[int, ...] | None, seed: int = 0, **overrides: Any) -> Subject:
        """Its subject, on a clip of this shape (None: the adapter's own). BadSubject: it cannot be built so."""
        adapter = self._adapter()
        own = {key: value for key, value in self.settings.items() if key in _options(adapter)}
        module, example = self._built(adapter, shape, {key: v for key, v in self.settings.items() if key not in own}, seed)
        fields = {"name": f"{self.package}:{self.name}"} | own | overrides
        return adapter.subject(module, example, **fields)

    def module(self) -> torch.nn.Module:
        """The module alone."""
        return self._built(self._adapter(), None, self.settings, 0)[0]

    def _adapter(self) -> Any:
        return next(adapter for adapter in _of_package(self.package) if self.name in adapter.NAMES)

    def _built(self, adapter: Any, shape: tuple[int, ...] | None, settings: dict[str, Any], seed: int) -> tuple[Any, Any]:
        try:
            module = adapter.tiny(self.name, shape, **settings).eval()
            asked = shape or adapter.shape(module)
            return module, clip_of(module, asked, seed)
        except ImportError as error:
            raise BadSubject(f"{error}: install the package {_installed_as(adapter)}") from error
        except (TypeError, ValueError, RuntimeError, AssertionError) as error:
            said = "" if not settings else f" with {', '.join(f'{key}={value!r}' for key, value in settings.items())}"
            raise BadSubject(f"it cannot be built{said}: {type(error).__name__}: {error}") from error


def built_by_an_adapter(package: str, name: str) -> Named | None:
    """What stands under `package:name`, where an adapter builds it; None where none does."""
    return Named(package, name) if any(name in adapter.NAMES for adapter in _of_package(package)) else None


def names_of(package: str) -> tuple[str, ...]:
    """The classes of a package that adapters build, by name."""
    return tuple(sorted(name for adapter in _of_package(package) for name in adapter.NAMES))


def _of_package(package: str) -> list[Any]:
    return [adapter for adapter in all_adapters().values() if getattr(adapter, "PACKAGE", None) == package]


def _installed_as(adapter: Any) -> str:
    return getattr(adapter, "INSTALLED", adapter.PACKAGE)


def _options(adapter: Any) -> set[str]:
    """What `subject` of an adapter takes besides fields of Subject: how the stream is called."""
    parameters = inspect.signature(adapter.subject).parameters.values()
    return {parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY}
