"""Every decoder of transformers that fits into a line, with every kind of cache that it takes: a family.

`coequal verify examples/real/architectures.py:decoders`

One of its subjects: `'examples/real/architectures.py:decoders[architecture=Qwen3, cache=static]'`. They are tiny, and random
weights are larger than transformers begins with, so that what is wrong does not drown; nothing is downloaded.
"""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import torch
from hypothesis import strategies as st

import coequal

SCALE = 6.0  # times the standard deviation of 0.02 that most begin with


BESIDE = runpy.run_path(str(Path(__file__).with_name("decoders.py")))
decoder, SMALL = BESIDE["decoder"], BESIDE["SMALL"]
LLAMA = {**SMALL, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
HEADS = {**LLAMA, "head_dim": 4}
GPT = {"vocab_size": 11, "n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 2048, "bos_token_id": 1, "eos_token_id": 2}
PLAIN = {"vocab_size": 11, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
OPT = {**PLAIN, "max_position_embeddings": 2048}
EXPERTS = {"num_experts_per_tok": 2, "num_local_experts": 3}
HYBRID = {**HEADS, "num_hidden_layers": 2}

# by the name that transformers gives their classes, without Config and ForCausalLM
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "Bamba": {
        **HYBRID,
        **{"attn_layer_indices": [1], "mamba_n_heads": 4, "mamba_d_head": 8, "mamba_d_state": 4, "mamba_n_groups": 1},
    },
    "BioGpt": {**OPT, "intermediate_size": 16},
    "Bloom": {"vocab_size": 11, "hidden_size": 16, "n_layer": 1, "n_head": 2},
    "Cohere": LLAMA,
    "Ernie4_5": HEADS,
    "Exaone4": {**HEADS, "num_hidden_layers": 4, "sliding_window": 5},
    "Falcon": PLAIN,
    "GPTJ": {**GPT, "rotary_dim": 4},
    "GPTNeoX": LLAMA,
    "Gemma": HEADS,
    "Gemma2": {**HYBRID, "sliding_window": 5},
    "Glm": HEADS,
    "GptOss": {**HYBRID, **EXPERTS, "sliding_window": 5},
    "Granite": LLAMA,
    "Helium": HEADS,
    "Jamba": {
        **{**LLAMA, "num_hidden_layers": 2, "attn_layer_period": 2, "attn_layer_offset": 1, "expert_layer_period": 2},
        **{"expert_layer_offset": 1, "num_experts": 1, "num_experts_per_tok": 1, "mamba_d_state": 4, "mamba_dt_rank": 4},
    },
    "Llama": LLAMA,
    "MiniMax": {
        **{**HYBRID, **EXPERTS, "num_local_experts": 2, "block_size": 4},
        "layer_types": ["linear_attention", "full_attention"],
    },
    "Moshi": {**OPT, "ffn_dim": 24, "sliding_window": 5},
    "Mixtral": {**LLAMA, **EXPERTS},
    "Nemotron": LLAMA,
    "OPT": {**OPT, "ffn_dim": 16, "word_embed_proj_dim": 16},
    "Olmo2": LLAMA,
    "Phi": {**LLAMA, "num_key_value_heads": 4},
    "Phi3": LLAMA,
    "Qwen2": LLAMA,
    "Qwen3": HEADS,
    "SmolLM3": LLAMA,
    "StableLm": LLAMA,
    "Starcoder2": LLAMA,
    "XGLM": {
        **{"vocab_size": 11, "d_model": 16, "ffn_dim": 16, "num_layers": 1, "attention_heads": 2},
        "max_position_embeddings": 2048,
    },
}
CAPACITY = 2048  # frames of a static cache


@coequal.family(architecture=st.sampled_from(sorted(ARCHITECTURES)), cache=st.sampled_from(["dynamic", "static"]))
def decoders(architecture: str, cache: str) -> coequal.Subject:
    """A causal language model on token ids, fed with the cache that it returns, or with one of a fixed size."""
    import transformers

    transformers.logging.set_verbosity_error()
    config = getattr(transformers, f"{architecture}Config")(**ARCHITECTURES[architecture])
    model = getattr(transformers, f"{architecture}ForCausalLM")(config)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.mul_(SCALE)
    if cache == "dynamic":
        return decoder(model)
    return decoder(model, lambda: transformers.StaticCache(config=config, max_cache_len=CAPACITY))
