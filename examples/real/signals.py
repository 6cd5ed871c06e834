"""Causal video and audio: diffusers' blocks, Mimi's encoder, moshi's transformer, pytorch-tcn; random weights.

`coequal verify examples/real/signals.py:mimi_encoder`. Needs the extra `[real]`; moshi and pytorch-tcn are installed with
`pip install --no-deps moshi pytorch-tcn`, since they ask for other versions of torch.
"""

from __future__ import annotations

import copy

import torch

import coequal


def wan_block() -> coequal.Subject:
    """A residual block of Wan's video autoencoder: two causal convolutions, norms, a list of caches."""
    from diffusers.models.autoencoders.autoencoder_kl_wan import WanResidualBlock

    return coequal.subject(WanResidualBlock(4, 4).eval(), example=torch.randn(1, 4, 6, 2, 2))


def cogvideo_conv() -> coequal.Subject:
    """A causal convolution that repeats the first frame as its padding."""
    from diffusers.models.autoencoders.autoencoder_kl_cogvideox import CogVideoXCausalConv3d

    return coequal.subject(CogVideoXCausalConv3d(2, 3, 3).eval(), example=torch.randn(1, 2, 6, 4, 4))


def mimi_encoder() -> coequal.Subject:
    """Strided causal convolutions that keep their own padding: four samples in, one frame out."""
    from transformers import MimiConfig
    from transformers.models.mimi.modeling_mimi import MimiConv1d, MimiConv1dPaddingCache, MimiEncoder

    kernels = {"kernel_size": 3, "last_kernel_size": 3, "residual_kernel_size": 3}
    sizes = {"num_filters": 4, "hidden_size": 8, "upsampling_ratios": [2, 2], "num_residual_layers": 1}
    model = MimiEncoder(MimiConfig(**kernels, **sizes)).eval()
    convs = [module for module in model.modules() if isinstance(module, MimiConv1d)]

    class Stream:
        def __init__(self) -> None:
            self.cache = MimiConv1dPaddingCache(
                num_layers=len(convs),
                per_layer_padding=[conv.padding_total for conv in convs],
                per_layer_padding_mode=[conv.pad_mode for conv in convs],
                per_layer_in_channels=[conv.in_channels for conv in convs],
            )

        def chunk(self, samples: torch.Tensor) -> torch.Tensor:
            return model(samples.clone(), padding_cache=self.cache)

    return coequal.Subject(clip=model, stream=Stream, example=torch.randn(1, 1, 32), time=2, modules=model, plan=4)


def moshi_transformer() -> coequal.Subject:
    """A ring of the last four positions; each stream is a copy of the module, switched to streaming."""
    from moshi.modules.transformer import StreamingTransformer

    model = StreamingTransformer(
        d_model=16, num_heads=2, num_layers=1, dim_feedforward=24, causal=True, context=4, positional_embedding="rope"
    ).eval()

    class Stream:
        def __init__(self) -> None:
            self.model = copy.deepcopy(model)
            self.model.streaming_forever(2)

        def step(self, x: torch.Tensor) -> torch.Tensor:
            return self.model(x[:, None])[:, 0]

    subject = coequal.Subject(clip=model, stream=Stream, example=torch.randn(2, 7, 16), time=1, modules=model)
    subject.allow = ("reload",)  # a copy has weights of its own
    return subject


def tcn() -> coequal.Subject:
    """Dilated convolutions; the one state lives in the module: one stream at a time, one row."""
    from pytorch_tcn import TCN

    model = TCN(2, [4, 4], kernel_size=3, causal=True, dropout=0.0, use_skip_connections=False).eval()

    class Stream:
        def __init__(self) -> None:
            model.reset_buffers()

        def step(self, x: torch.Tensor) -> torch.Tensor:
            return model(x[..., None], inference=True)[..., 0]

    subject = coequal.Subject(clip=model, stream=Stream, example=torch.randn(1, 2, 12), time=2, batch=None, modules=model)
    subject.allow = ("reuse", "fork")
    return subject
