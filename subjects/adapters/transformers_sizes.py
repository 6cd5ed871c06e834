"""Which classes of transformers are built in a small size, and how small: by what their configurations call things."""

from __future__ import annotations

from typing import Any

LONGEST = 2048  # tokens of a static cache, and positions that are learned

SMALL: dict[str, Any] = {  # for every configuration that has a field of this name
    **dict.fromkeys(("vocab_size",), 11),
    **dict.fromkeys(("hidden_size", "n_embd", "d_model", "word_embed_proj_dim", "attention_hidden_size", "lru_width"), 16),
    **dict.fromkeys(
        ("intermediate_size", "ffn_dim", "n_inner", "decoder_ffn_dim", "encoder_ffn_dim", "ffn_hidden_size"), 24
    ),
    **dict.fromkeys(("num_hidden_layers", "n_layer", "num_layers", "n_layers", "decoder_layers", "encoder_layers"), 1),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "num_heads"), 4),
    **dict.fromkeys(("decoder_attention_heads", "encoder_attention_heads", "head_dim", "d_kv"), 4),
    **dict.fromkeys(("num_key_value_heads", "num_experts_per_tok"), 2),
    **dict.fromkeys(("num_local_experts", "num_experts"), 3),
    **dict.fromkeys(("max_position_embeddings", "n_positions", "max_target_positions"), LONGEST),
    **dict.fromkeys(("sliding_window", "attention_window_size", "window_size"), 5),
    **dict.fromkeys(("moe_intermediate_size", "shared_expert_intermediate_size"), 8),
    **dict.fromkeys(("state_size", "mamba_d_state", "mamba_dt_rank", "time_step_rank"), 4),
    **dict.fromkeys(("conv_kernel", "conv_L_cache"), 3),
    **{"d_ff": 24, "is_decoder": True, "chunk_size": 4, "context_length": 64, "bos_token_id": 1, "eos_token_id": 2},
    **{"pad_token_id": 0, "initializer_range": 0.3, "query_pre_attn_scalar": 4},
}
TWO = {"num_hidden_layers": 2}
LINEAR = {"linear_num_value_heads": 2, "linear_num_key_heads": 2, "linear_key_head_dim": 4, "linear_value_head_dim": 4}

# for the classes of an architecture, by the beginning of their names: what it needs besides
BESIDE: dict[str, dict[str, Any]] = {
    "Bamba": {
        **TWO,
        **{"attn_layer_indices": [1], "mamba_n_heads": 4, "mamba_d_head": 8, "mamba_d_state": 4, "mamba_n_groups": 1},
    },
    "Bloom": {"hidden_size": 16, "n_head": 2},
    "Exaone4": {"num_hidden_layers": 4},
    "Falcon": {"num_attention_heads": 2},
    "FalconMamba": {},
    "GPT2": {"pad_token_id": None},
    "GPTBigCode": {"pad_token_id": None},
    "GPTJ": {"n_head": 2, "rotary_dim": 4, "pad_token_id": None},
    "GPTNeo": {"num_layers": 1, "attention_types": [[["local"], 1]], "pad_token_id": None},
    "GPTNeoX": {},
    "Gemma2": TWO,
    "Gemma3": {**TWO, "layer_types": ["sliding_attention", "full_attention"]},
    "GptOss": TWO,
    "Jamba": {
        **TWO,
        **{"attn_layer_period": 2, "attn_layer_offset": 1, "expert_layer_period": 2, "expert_layer_offset": 1},
        **{"num_experts": 1, "num_experts_per_tok": 1},
    },
    "Lfm2": {**TWO, "layer_types": ["conv", "full_attention"]},
    "Mamba2": {"num_heads": 8, "head_dim": 4, "n_groups": 1},
    "MiniMax": {
        **TWO,
        **{"num_local_experts": 2, "layer_types": ["linear_attention", "full_attention"], "block_size": 4},
    },
    "Phi": {"num_key_value_heads": 4},
    "Qwen3_5": {**LINEAR, **TWO, "layer_types": ["linear_attention", "full_attention"]},
    "Rwkv": {"num_hidden_layers": 2},
}

DECODERS = (
    *("Apertus", "Arcee", "Bamba", "BioGpt", "BitNet", "Bloom", "Cohere", "Cohere2", "DiffLlama", "Ernie4_5", "Exaone4"),
    *("Falcon", "FalconMamba", "GPTBigCode", "GPTJ", "GPTNeo", "GPTNeoX", "Gemma", "Gemma2", "Gemma3", "Glm", "Glm4"),
    *("GptOss", "Granite", "Helium", "Jamba", "Lfm2", "Llama", "Mamba", "Mamba2", "MiniMax", "Ministral", "Mistral"),
    *("Mixtral", "Moshi", "Nemotron", "OPT", "Olmo", "Olmo2", "Olmo3", "Persimmon", "Phi", "Phi3", "Qwen2", "Qwen3"),
    *("Rwkv", "SeedOss", "SmolLM3", "StableLm", "Starcoder2", "XGLM"),
)
CLASSES = (
    *(f"{name}ForCausalLM" for name in DECODERS),
    *("GPT2LMHeadModel", "T5ForConditionalGeneration", "BartForConditionalGeneration", "MarianMTModel"),
    *("PegasusForConditionalGeneration", "BertLMHeadModel", "RobertaForCausalLM"),
)


def sizes_of(config: Any, name: str) -> dict[str, Any]:
    """What a configuration of this class is given, for a class of models of this name."""
    known = set(config().to_dict()) | set(getattr(config, "attribute_map", {}))
    aliases = getattr(config, "attribute_map", {})
    sizes = {key: value for key, value in SMALL.items() if key in known and key not in aliases}
    family = max((key for key in BESIDE if name.startswith(key)), key=len, default="")
    return sizes | BESIDE.get(family, {})
