import pytest
from torch import nn

from coequal import continual


@pytest.mark.parametrize("name", continual.__all__)
def test_every_public_name_is_there(name):
    assert getattr(continual, name).__name__ == name


def test_layers_stand_where_torch_has_them():
    for name in continual.__all__:
        parent = getattr(nn, name, None)
        assert parent is None or issubclass(getattr(continual, name), parent)


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match="has no attribute 'Conv4d'; public names: AdaptiveAvgPool1d, "):
        _ = continual.Conv4d
