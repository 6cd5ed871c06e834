"""Attention over the last frames, its layers, and transformers of them."""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import strategies as st

from coequal.equivalence.campaigns.families import family
from coequal.equivalence.suites.moshi.library import no_compile, streaming, transformer
from coequal.equivalence.suites.moshi.ways import subject, ways
from coequal.subjects.chunks import Plan
from coequal.subjects.subject import Subject

ATTENTION: dict[str, Any] = {
    **{"num_heads": st.sampled_from([2, 4]), "kv_repeat": st.integers(1, 2), "context": st.sampled_from([4, 1, 2, 5, None])},
    **{"causal": st.sampled_from([True] * 7 + [False])},
    **{"chunks": st.sampled_from(["single"] * 5 + ["any"]), "way": ways},
}
LAYER: dict[str, Any] = {
    **{"norm": st.sampled_from(["layer_norm", "rms_norm", "layer_norm_f32", "rms_norm_f32"])},
    **{"gating": st.sampled_from(["none", "silu", "gelu", "sigmoid", "relu", "identity"])},
    **{"layer_scale": st.sampled_from([None, 0.5]), "weights_per_step": st.sampled_from([0, 0, 0, 12])},
    **{"schedule": st.sampled_from([None, "pairs"])},
}
POSITIONS = ["none", "sin", "rope", "sin_rope", "rope_concat"]
WIDTH, LONGEST = 8, 12  # features; frames of what has weights for each


def _plan(chunks: str, context: int | None) -> Plan | str:
    return "single" if chunks == "single" or context is None else Plan(maximum=context)


class Attending(streaming.StreamingContainer):  # type: ignore[misc]
    """Attention of a clip with itself."""

    def __init__(self, attention: Any) -> None:
        super().__init__()
        self.attention = attention

    def forward(self, x: torch.Tensor) -> Any:
        """Queries, keys and values are the same `(B, T, C)`; not compiled, as in layers without CUDA."""
        with no_compile():
            return self.attention(x, x, x)


@family(**ATTENTION, rope=st.sampled_from([None, True, False]))
def attention(num_heads: int, context: int | None, rope: bool | None, chunks: str, way: str, **options: Any) -> Subject:
    """`StreamingMultiheadAttention`; `rope`: none, interleaved or not."""
    turned = None if rope is None else transformer.RotaryEmbedding(interleave=rope)
    module = transformer.StreamingMultiheadAttention(WIDTH, num_heads, context=context, rope=turned, **options)
    return subject(Attending(module), torch.randn(2, 8, WIDTH), way=way, time=1, plan=_plan(chunks, context))


def _layers(context: int | None, schedule: str | None, chunks: str, weights_per_step: int, **options: Any) -> Any:
    """Settings of layers, and fields of the subject: with weights for each step there are no more steps than those."""
    options |= {"context": context, "weights_per_step": weights_per_step}
    if weights_per_step and schedule is not None:
        options["weights_per_step_schedule"] = [step // 2 for step in range(weights_per_step)]
    fields: dict[str, Any] = {"time": 1, "plan": _plan(chunks, context)}
    return options, fields | ({"longest": LONGEST} if weights_per_step else {})


@family(**ATTENTION, **LAYER, skip_self_attn=st.sampled_from([False, False, True]))
def layer(num_heads: int, way: str, **options: Any) -> Subject:
    """`StreamingTransformerLayer`."""
    settings, fields = _layers(**options)
    module = transformer.StreamingTransformerLayer(WIDTH, num_heads, 2 * WIDTH, **settings)
    return subject(module, torch.randn(2, 8, WIDTH), way=way, **fields)


NETWORK: dict[str, Any] = {
    **{"num_layers": st.integers(1, 2), "positional_embedding": st.sampled_from(POSITIONS)},
    **{"positional_scale": st.sampled_from([1.0, 0.5]), "max_period": st.sampled_from([10000.0, 50.0])},
}


@family(**ATTENTION, **LAYER, **NETWORK)
def network(num_heads: int, num_layers: int, way: str, **options: Any) -> Subject:
    """`StreamingTransformer`."""
    settings, fields = _layers(**options)
    module = transformer.StreamingTransformer(WIDTH, num_heads, num_layers, 2 * WIDTH, **settings)
    return subject(module, torch.randn(2, 8, WIDTH), way=way, **fields)


@family(
    **ATTENTION, **NETWORK, input_dimension=st.sampled_from([8, 3]), outputs=st.integers(1, 2), conv_layout=st.booleans()
)
def projected(
    num_heads: int,
    num_layers: int,
    context: int | None,
    chunks: str,
    way: str,
    input_dimension: int,
    outputs: int,
    conv_layout: bool,
    **options: Any,
) -> Subject:
    """`ProjectedTransformer`, with one output or two of other widths."""
    sizes: dict[str, Any] = {"num_heads": num_heads, "num_layers": num_layers, "dim_feedforward": 2 * WIDTH}
    widths = (WIDTH, 5)[:outputs]
    module = transformer.ProjectedTransformer(
        input_dimension, widths, WIDTH, conv_layout=conv_layout, context=context, **sizes, **options
    )
    shape = (2, input_dimension, 8) if conv_layout else (2, 8, input_dimension)
    time = 2 if conv_layout else 1
    return subject(module, torch.randn(*shape), way=way, time=time, plan=_plan(chunks, context))


@family(
    num_heads=st.sampled_from([2, 4]),
    num_layers=st.integers(1, 2),
    context=st.sampled_from([4, 2]),
    layer_scale=st.sampled_from([None, 0.5]),
    positional_embedding=st.sampled_from(POSITIONS),
    way=ways,
)
def cross_attending(num_heads: int, num_layers: int, way: str, **options: Any) -> Subject:
    """`StreamingTransformer` with `cross_attention`: a second input, which does not move with time."""
    sizes: dict[str, Any] = {"dim_feedforward": 2 * WIDTH, "causal": True, "cross_attention": True}
    module = transformer.StreamingTransformer(WIDTH, num_heads, num_layers, **sizes, **options)
    inputs = (torch.randn(2, 8, WIDTH), torch.randn(2, 3, WIDTH))
    return subject(module, inputs, way=way, time=(1, None), plan="single")
