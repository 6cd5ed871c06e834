"""Decoders of transformers with their caches, tiny and with random weights.

`coequal verify examples/real/decoders.py:llama`

The clip is the model on a whole sequence, the stream the same model fed with the cache that it returns: the adapter's work.
Needs the extra `[real]`; nothing is downloaded.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

import coequal

VOCABULARY, LONGEST = 11, 2048
SMALL = {
    "vocab_size": VOCABULARY,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": LONGEST,
}
PAD = 0


def decoder(model: nn.Module, **stream: Any) -> coequal.Subject:
    """A causal language model: token ids in, logits out; what the stream is, is said to the adapter."""
    return coequal.subject(model.eval(), example=torch.randint(0, VOCABULARY, (1, 7)), **stream)


def llama() -> coequal.Subject:
    """Rotary positions, queries in groups, a cache that grows."""
    from transformers import LlamaConfig, LlamaForCausalLM

    return decoder(LlamaForCausalLM(LlamaConfig(**SMALL)))


def llama_static() -> coequal.Subject:
    """The same with a cache of fixed size, written at a position."""
    from transformers import LlamaConfig, LlamaForCausalLM

    return decoder(LlamaForCausalLM(LlamaConfig(**SMALL)), cache="static")


def llama_left_padding() -> coequal.Subject:
    """Rows that begin with padding: masks and positions are computed from the ids."""
    from transformers import LlamaConfig, LlamaForCausalLM

    model = LlamaForCausalLM(LlamaConfig(**SMALL)).eval()

    def positions(mask: torch.Tensor) -> torch.Tensor:
        return (mask.cumsum(1) - 1).clamp(min=0)

    class Stream:
        def __init__(self) -> None:
            self.cache, self.mask = None, None

        def step(self, ids: torch.Tensor) -> torch.Tensor:
            now = (ids != PAD).long()[:, None]
            self.mask = now if self.mask is None else torch.cat([self.mask, now], 1)
            out = model(
                ids[:, None],
                attention_mask=self.mask,
                position_ids=positions(self.mask)[:, -1:],
                past_key_values=self.cache,
                use_cache=True,
            )
            self.cache = out.past_key_values
            return torch.where(now.bool(), out.logits[:, 0], 0.0)

    def clip(ids: torch.Tensor) -> torch.Tensor:
        mask = (ids != PAD).long()
        logits = model(ids, attention_mask=mask, position_ids=positions(mask), use_cache=False).logits
        return torch.where(mask.bool()[..., None], logits, 0.0)

    def inputs(length: int, batch: int, seed: int) -> torch.Tensor:
        ids = torch.randint(1, VOCABULARY, (batch, length), generator=torch.Generator().manual_seed(seed))
        for row in range(batch):
            ids[row, : (2 * row + seed) % 3] = PAD
        return ids

    return coequal.Subject(clip=clip, stream=Stream, example=inputs(7, 2, 0), inputs=inputs, time=1, modules=model)


def mistral_sliding_window() -> coequal.Subject:
    """A cache of the last four positions."""
    from transformers import MistralConfig, MistralForCausalLM

    return decoder(MistralForCausalLM(MistralConfig(**SMALL, sliding_window=4)))


def gemma3() -> coequal.Subject:
    """A layer with a sliding window and one without."""
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig

    layers = {"num_hidden_layers": 2, "layer_types": ["sliding_attention", "full_attention"]}
    return decoder(Gemma3ForCausalLM(Gemma3TextConfig(**SMALL | layers, head_dim=4, sliding_window=4)))


def gpt2() -> coequal.Subject:
    """Learned positions."""
    from transformers import GPT2Config, GPT2LMHeadModel

    ends = {"bos_token_id": None, "eos_token_id": None}
    config = GPT2Config(vocab_size=VOCABULARY, n_embd=16, n_layer=1, n_head=2, n_positions=LONGEST, **ends)
    return decoder(GPT2LMHeadModel(config))


def gpt_neo_local() -> coequal.Subject:
    """Attention to the last four positions of a cache that grows."""
    from transformers import GPTNeoConfig, GPTNeoForCausalLM

    kinds, ends = [[["local"], 1]], {"bos_token_id": None, "eos_token_id": None}
    sizes = {"hidden_size": 16, "num_layers": 1, "num_heads": 2, "window_size": 4, "intermediate_size": 16}
    config = GPTNeoConfig(vocab_size=VOCABULARY, attention_types=kinds, max_position_embeddings=LONGEST, **sizes, **ends)
    return decoder(GPTNeoForCausalLM(config))


def lfm2() -> coequal.Subject:
    """A short convolution with a state of its own, and a layer of attention."""
    from transformers import Lfm2Config, Lfm2ForCausalLM

    layers = {"num_hidden_layers": 2, "layer_types": ["conv", "full_attention"], "conv_L_cache": 3}
    return decoder(Lfm2ForCausalLM(Lfm2Config(**SMALL | layers)))


def bart_decoder() -> coequal.Subject:
    """Attention to what an encoder saw, besides: its keys are computed once."""
    from transformers import BartConfig
    from transformers.models.bart.modeling_bart import BartDecoder

    sizes = {"d_model": 16, "decoder_layers": 1, "decoder_attention_heads": 2, "decoder_ffn_dim": 16}
    model = BartDecoder(BartConfig(vocab_size=VOCABULARY, max_position_embeddings=LONGEST, **sizes)).eval()
    seen = torch.randn(1, 5, 16)

    def encoded() -> torch.Tensor:
        return seen.to(next(model.parameters()).dtype)

    class Stream:
        cache = None

        def step(self, ids: torch.Tensor) -> torch.Tensor:
            out = model(ids[:, None], encoder_hidden_states=encoded(), past_key_values=self.cache, use_cache=True)
            self.cache = out.past_key_values
            return out.last_hidden_state[:, 0]

    def clip(ids: torch.Tensor) -> torch.Tensor:
        return model(ids, encoder_hidden_states=encoded(), use_cache=False).last_hidden_state

    ids = torch.randint(0, VOCABULARY, (1, 7))
    return coequal.Subject(clip=clip, stream=Stream, example=ids, time=1, batch=None, modules=model)
