"""`import coequal` is light, and every name it promises is there."""

import subprocess
import sys

import pytest

import coequal


def python(code: str) -> str:
    run = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True, timeout=600)
    return run.stdout.strip()


def test_importing_loads_nothing_heavy() -> None:
    heavy = "{'torch', 'numpy', 'hypothesis', 'rich', 'continual'}"
    assert python(f"import sys, coequal; print(sorted({heavy} & set(sys.modules)))") == "[]"


def test_explaining_needs_neither_torch_nor_numpy() -> None:
    code = "import sys, coequal.__main__ as m\nm.main(['explain', 'shift'])\nprint({'torch', 'numpy'} & set(sys.modules))"
    assert python(code).splitlines()[-1] == "set()"


def test_the_pytest_plugin_loads_nothing_heavy() -> None:
    code = "import sys, coequal.equivalence.pytest_plugin\nprint('torch' in sys.modules)"
    assert python(code) == "False"


@pytest.mark.parametrize("name", coequal.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(coequal, name) is not None
    assert name in dir(coequal)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(
        AttributeError, match=r"no attribute 'verfy'; public names: BadSubject, Claim, Family, NotEqual, Plan,"
    ):
        _ = coequal.verfy  # type: ignore[attr-defined]


def test_a_public_name_does_not_hide_a_module() -> None:
    """`import coequal.x` sets the attribute `x`: no module of the face may bear a public name."""
    from importlib.resources import files

    modules = {entry.name.removesuffix(".py") for entry in files("coequal").iterdir()}
    assert not modules & set(coequal.__all__)


def test_a_public_name_that_is_a_module_can_be_imported() -> None:
    home = "coequal.equivalence.campaigns.architectures"
    code = f"import coequal.strategies as s, {home} as t, coequal\nprint(s is t is coequal.strategies)"
    assert python(code) == "True"
