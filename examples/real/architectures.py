"""Every decoder of transformers that the adapter builds, with every kind of cache that it takes: a family.

`coequal verify examples/real/architectures.py:decoders`

One of its subjects: `'examples/real/architectures.py:decoders[architecture=Qwen3, cache=static]'`; by itself it is
`coequal verify transformers:Qwen3ForCausalLM --cache static`. They are tiny and random; nothing is downloaded.
"""

from __future__ import annotations

import torch
from hypothesis import strategies as st

import coequal
from coequal.subjects.adapters import transformers_models
from coequal.subjects.adapters.transformers_sizes import DECODERS

OWN_STATES = ("FalconMamba", "Mamba", "Mamba2", "Rwkv")  # they take no cache of keys and values
ARCHITECTURES = tuple(name for name in DECODERS if name not in OWN_STATES)


@coequal.family(architecture=st.sampled_from(ARCHITECTURES), cache=st.sampled_from(transformers_models.CACHES))
def decoders(architecture: str, cache: str) -> coequal.Subject:
    """A causal language model on token ids, fed with the cache that it returns, or with one of a fixed size."""
    model = transformers_models.tiny(f"{architecture}ForCausalLM", None).eval()
    ids = transformers_models.clip(model, (1, 7), torch.Generator().manual_seed(0))
    return coequal.subject(model, example=ids, cache=cache)
