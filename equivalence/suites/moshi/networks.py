"""SEANet and its blocks, the codec, and its quantizers."""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import strategies as st

from coequal.equivalence.campaigns.families import family
from coequal.equivalence.suites.moshi.convolutions import CAUSAL, NORMS
from coequal.equivalence.suites.moshi.library import compression, quantization, seanet, transformer
from coequal.equivalence.suites.moshi.ways import Within, subject, ways
from coequal.subjects.subject import Subject

BLOCK: dict[str, Any] = {
    **{"activation": st.sampled_from(["ELU", "ReLU", "GELU", "Tanh"]), "norm": NORMS, "causal": CAUSAL},
    **{"compress": st.integers(1, 2), "true_skip": st.booleans(), "way": ways},
}
NETWORK: dict[str, Any] = {
    **{"n_residual_layers": st.integers(0, 2), "ratios": st.lists(st.integers(1, 3), min_size=1, max_size=2)},
    **{"kernel_size": st.sampled_from([3, 1, 7]), "last_kernel_size": st.sampled_from([3, 1])},
    **{"residual_kernel_size": st.sampled_from([3, 1]), "dilation_base": st.integers(1, 2)},
    **{"disable_norm_outer_blocks": st.integers(0, 2), **BLOCK},
}
PLAIN: dict[str, Any] = {
    "activation_params": {},
    "pad_mode": "constant",
}  # what not all activations have, none of them needs


@family(kernel_size=st.integers(1, 3), dilation=st.integers(1, 3), **BLOCK)
def block(kernel_size: int, dilation: int, way: str, **options: Any) -> Subject:
    """`SEANetResnetBlock`."""
    sizes: dict[str, Any] = {"kernel_sizes": [kernel_size, 1], "dilations": [dilation, 1]}
    return subject(seanet.SEANetResnetBlock(4, **sizes, **options, **PLAIN), torch.randn(2, 4, 8), way=way)


@family(**NETWORK)
def encoder(ratios: list[int], way: str, **options: Any) -> Subject:
    """`SEANetEncoder`."""
    module = seanet.SEANetEncoder(1, 4, 2, ratios=ratios, **options, **PLAIN)
    return subject(module, torch.randn(2, 1, 6 * module.hop_length), way=way, unit=module.hop_length)


@family(**NETWORK, final_activation=st.sampled_from([None, "Tanh"]))
def decoder(ratios: list[int], way: str, **options: Any) -> Subject:
    """`SEANetDecoder`."""
    return subject(seanet.SEANetDecoder(1, 4, 2, ratios=ratios, **options, **PLAIN), torch.randn(2, 4, 6), way=way)


def _quantizer(split: bool, n_q: int, bins: int, **options: Any) -> Any:
    """With codebooks that have been seen."""
    kind = quantization.SplitResidualVectorQuantizer if split else quantization.ResidualVectorQuantizer
    made = kind(n_q=n_q, bins=bins, **options)
    for name, held in made.named_buffers():
        held.copy_(torch.ones_like(held) if "usage" in name or "initialized" in name else torch.randn_like(held))
    return made


class Quantized(torch.nn.Module):
    """`decode(encode(x))`, or what `forward` calls `x`."""

    def __init__(self, quantizer: Any, codes: bool) -> None:
        super().__init__()
        self.quantizer, self.codes = quantizer, codes

    def forward(self, x: torch.Tensor) -> Any:
        """Clips `(B, C, T)`."""
        return self.quantizer.decode(self.quantizer.encode(x)) if self.codes else self.quantizer(x, 1).x


@family(
    split=st.booleans(),
    n_q=st.integers(1, 3),
    bins=st.sampled_from([4, 8]),
    input_dimension=st.sampled_from([4, 3]),
    output_dimension=st.sampled_from([4, 3]),
    codes=st.booleans(),
    used=st.sampled_from([None, 2]),
)
def quantizer(split: bool, used: int | None, input_dimension: int, codes: bool, **options: Any) -> Subject:
    """`ResidualVectorQuantizer` and `SplitResidualVectorQuantizer`, which keep nothing: each frame has its own codes."""
    made = _quantizer(split, dimension=4, input_dimension=input_dimension, **options)
    if used is not None:
        made.set_num_codebooks(used)
    return subject(Within(Quantized(made, codes)), torch.randn(2, input_dimension, 6))


class Codec(torch.nn.Module):
    """A part of `MimiModel` as a call."""

    def __init__(self, mimi: Any, part: str) -> None:
        super().__init__()
        self.mimi, self.part = mimi, part

    def forward(self, x: torch.Tensor) -> Any:
        """Latents of samples `(B, 1, T)`, or samples of latents `(B, C, T)`."""
        if self.part == "encoder":
            return self.mimi.encode_to_latent(x, quantize=False)
        return self.mimi.decode(self.mimi.quantizer.encode(x)) if self.part == "codes" else self.mimi.decode_latent(x)


@family(
    part=st.sampled_from(["encoder", "decoder", "codes"]),
    resample=st.sampled_from([None, "conv", "avg_pool"]),
    transformers=st.booleans(),
    channel_wise=st.booleans(),
    chunks=st.sampled_from(["single", "single", "any"]),
    way=ways,
)
def codec(part: str, resample: str | None, transformers: bool, channel_wise: bool, chunks: str, way: str) -> Subject:
    """`MimiModel`: samples to latents, latents to samples, codes to samples, in chunks of a frame of the codec or any."""
    sizes: dict[str, Any] = {"channels": 1, "dimension": 4, "n_filters": 2, "n_residual_layers": 1, "ratios": [2]}
    sizes |= {"kernel_size": 3, "last_kernel_size": 3, "causal": True, "pad_mode": "constant"}
    attending: dict[str, Any] = {"num_heads": 2, "num_layers": 1, "dim_feedforward": 8, "causal": True, "context": 4}
    attending |= {"positional_embedding": "rope", "conv_layout": True}
    pair = [transformer.ProjectedTransformer(4, (4,), 4, **attending) if transformers else None for _ in range(2)]
    rate = 2 if resample else 1
    mimi = compression.MimiModel(
        seanet.SEANetEncoder(**sizes),
        seanet.SEANetDecoder(**sizes),
        _quantizer(False, 2, 4, dimension=4),
        frame_rate=1,
        encoder_frame_rate=rate,
        sample_rate=2 * rate,
        channels=1,
        causal=True,
        encoder_transformer=pair[0],
        decoder_transformer=pair[1],
        resample_method=resample or "interpolate",
        upsample_channel_wise_bug=channel_wise,
    )
    unit = mimi.frame_size if part == "encoder" else 1
    example = torch.randn(2, 1, 8 * unit) if part == "encoder" else torch.randn(2, 4, 8)
    fields: dict[str, Any] = {} if chunks == "any" else {"plan": unit}
    return subject(Within(Codec(mimi, part)), example, way=way, unit=unit, **fields)
