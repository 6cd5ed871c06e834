"""The operators of `coequal.reference` in PyTorch, a frame at a time, weight-compatible with torch.nn.

    from coequal import continual
    streaming = continual.convert(network)       # the continual twin of a torch.nn network, with its very parameters
    stream = continual.Stream(streaming)         # push, flush, reset, fork

Every layer has its torch.nn name (`continual.Conv3d`). A public name is fetched where it lives when it is first used.

Layering rule: this package imports `coequal.reference`, torch and the standard library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from coequal.continual.operators import public_names

if TYPE_CHECKING:  # for type checkers, which list no folders; written by docs/tables.py
    # <!-- table continual -->
    from coequal.continual.adaptive_pool import *
    from coequal.continual.attention import *
    from coequal.continual.channels import *
    from coequal.continual.clip_attention import *
    from coequal.continual.compose import *
    from coequal.continual.conv import *
    from coequal.continual.conversion import *
    from coequal.continual.frame_difference import *
    from coequal.continual.framewise import *
    from coequal.continual.joint_attention import *
    from coequal.continual.module import *
    from coequal.continual.pool import *
    from coequal.continual.position import *
    from coequal.continual.qkv_attention import *
    from coequal.continual.recurrent import *
    from coequal.continual.relational import *
    from coequal.continual.rescale import *
    from coequal.continual.shift import *
    from coequal.continual.skeleton import *
    from coequal.continual.squeeze_excite import *
    from coequal.continual.to_torch import *
    from coequal.continual.token_grid import *
    from coequal.continual.tokens import *
    from coequal.continual.transformer import *
    # <!-- end -->

__all__ = sorted(public_names())  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    """Fetch a public name where it lives, once."""
    home = public_names().get(name)
    if home is None:
        raise AttributeError(f"module 'coequal.continual' has no attribute {name!r}; public names: {', '.join(__all__)}")
    globals()[name] = getattr(import_module(f"coequal.continual.{home}"), name)
    return globals()[name]


def __dir__() -> list[str]:
    """The public names, fetched or not."""
    return sorted({*globals(), *__all__})
