"""State-space models, RWKV and RetNet, tiny and with random weights: `coequal verify examples/real/recurrences.py:mamba2`.

Clips are parallel forms (scans, chunks, attention with decay), streams the recurrence. Needs the extra `[real]`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

import coequal

VOCABULARY = 11
SMALL = {"vocab_size": VOCABULARY, "hidden_size": 8, "state_size": 4, "num_hidden_layers": 1, "conv_kernel": 3}


def stateful(model: nn.Module, state: str, batch: int | None = 0) -> coequal.Subject:
    """A language model of transformers that hands its state on under this name."""
    model = model.eval()

    class Stream:
        state: Any = None

        def step(self, ids: torch.Tensor) -> torch.Tensor:
            out = model(ids[:, None], **{state: self.state}, use_cache=True)
            self.state = getattr(out, state)
            return out.logits[:, 0]

    ids = torch.randint(0, VOCABULARY, (1, 7))
    return coequal.Subject(
        clip=lambda x: model(x, use_cache=False).logits, stream=Stream, example=ids, time=1, batch=batch, modules=model
    )


def embedded(model: nn.Module) -> coequal.Subject:
    """A state-space model on what it embeds of its tokens: a table is looked up, and all else is the same."""
    return coequal.subject(model.eval(), example=torch.randint(0, VOCABULARY, (1, 7)), frames="embedded")


def mamba() -> coequal.Subject:
    """A selective scan."""
    from transformers import MambaConfig, MambaForCausalLM

    return embedded(MambaForCausalLM(MambaConfig(**SMALL)))


def mamba2() -> coequal.Subject:
    """The same in chunks: sums of exponents in one, products of exponentials in the other."""
    from transformers import Mamba2Config, Mamba2ForCausalLM

    heads = {"num_heads": 4, "head_dim": 4, "n_groups": 1, "chunk_size": 4}
    return embedded(Mamba2ForCausalLM(Mamba2Config(**SMALL, **heads)))


def falcon_mamba() -> coequal.Subject:
    """A selective scan between norms."""
    from transformers import FalconMambaConfig, FalconMambaForCausalLM

    return embedded(FalconMambaForCausalLM(FalconMambaConfig(**SMALL)))


def _rwkv() -> nn.Module:
    from transformers import RwkvConfig, RwkvForCausalLM

    sizes = {"hidden_size": 8, "attention_hidden_size": 8, "num_hidden_layers": 2, "context_length": 64}
    return RwkvForCausalLM(RwkvConfig(vocab_size=VOCABULARY, **sizes))


def rwkv() -> coequal.Subject:
    """A weighted average that is kept with its greatest exponent; one row."""
    return stateful(_rwkv(), "state", batch=None)


def rwkv_rows() -> coequal.Subject:
    """The same with several rows: transformers mixes them in a step (FOUND.md)."""
    return stateful(_rwkv(), "state")


def retnet() -> coequal.Subject:
    """Retention as attention with decay, and as a recurrence, rotary positions in both."""
    from yet_another_retnet.retnet import RetNet

    model = RetNet(num_tokens=VOCABULARY, d_model=16, nhead=2, num_layers=1, dim_feedforward=16).eval()

    class Stream:
        def __init__(self) -> None:
            self.n, self.states = 0, []

        def step(self, ids: torch.Tensor) -> torch.Tensor:
            y, self.states = model.forward_recurrent(ids, self.n, self.states)
            self.n += 1
            return y

    ids = torch.randint(0, VOCABULARY, (1, 7))
    return coequal.Subject(clip=model.forward_parallel, stream=Stream, example=ids, time=1, modules=model)


def mambapy() -> coequal.Subject:
    """A parallel scan of another package."""
    from mambapy.mamba import Mamba, MambaConfig

    model = Mamba(MambaConfig(d_model=8, n_layers=1, d_state=4, d_conv=3)).eval()
    return coequal.subject(model, example=torch.randn(1, 7, 8))
