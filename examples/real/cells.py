"""Cells with inputs and states of their own kinds: gaps in time, an encoder's states, a mode, a second module.

`coequal verify examples/real/cells.py:closed_form`

Tiny, with random weights; nothing is downloaded. Each is said in the protocol of `docs/subject.md` as it stands.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

import coequal

Tensor = torch.Tensor


def closed_form() -> coequal.Subject:
    """ncps: a closed-form continuous-time cell; the time since the last frame is a second input. It takes one row."""
    from ncps.torch import CfC

    model = CfC(3, 5).eval()

    class Stream:
        state: Tensor | None = None

        def step(self, frame: Tensor, gap: Tensor) -> Tensor:
            out, self.state = model(frame[:, None], self.state, timespans=gap[:, None])
            return out[:, 0]

    def clip(frame: Tensor, gap: Tensor) -> Tensor:
        return model(frame, timespans=gap)[0]

    example = {"frame": torch.randn(1, 6, 3), "gap": torch.rand(1, 6)}
    return coequal.Subject(
        clip=clip, stream=Stream, example=example, time={"frame": 1, "gap": 1}, modules=model, batches=(1,)
    )


def min_gru() -> coequal.Subject:
    """minGRU: a parallel scan in the logarithm against one step of the recurrence."""
    from minGRU_pytorch import minGRU

    return coequal.subject(minGRU(4).eval(), example=torch.randn(2, 6, 4))


def min_lstm() -> coequal.Subject:
    """Found different: in chunks a parallel scan goes on from another state than the one that it gave."""
    from minGRU_pytorch.minLSTM import minLSTM

    return coequal.subject(minLSTM(4).eval(), example=torch.randn(2, 6, 4))


def cached_convolutions() -> coequal.Subject:
    """cached-conv: a second module with the same weights, late by what its convolutions look ahead."""
    import cached_conv as cc

    def built(cached: bool) -> nn.Sequential:
        cc.use_cached_conv(cached)
        layers = [cc.Conv1d(2, 4, 3, padding=cc.get_padding(3, mode="causal")), nn.LeakyReLU(0.2)]
        return nn.Sequential(*layers, cc.Conv1d(4, 2, 5, padding=cc.get_padding(5, mode="causal"))).eval()

    model = built(False)

    class Stream:
        def __init__(self) -> None:
            self.model = built(True)
            for mine, theirs in zip(self.model, model, strict=True):
                if isinstance(theirs, nn.Conv1d):
                    mine.weight, mine.bias = theirs.weight, theirs.bias

        def chunk(self, frames: Tensor) -> Tensor:
            return self.model(frames)

    return coequal.Subject(
        clip=model, stream=Stream, example=torch.randn(2, 2, 16), time=2, modules=model, plan=coequal.Plan(minimum=4)
    )


def bart_and_its_encoder() -> coequal.Subject:
    """transformers: what the encoder saw is an input that does not move with time."""
    from transformers import BartConfig
    from transformers.models.bart.modeling_bart import BartDecoder

    sizes = {"d_model": 16, "decoder_layers": 1, "decoder_attention_heads": 2, "decoder_ffn_dim": 16}
    model = BartDecoder(BartConfig(vocab_size=11, max_position_embeddings=2048, **sizes)).eval()

    class Stream:
        cache: Any = None

        def step(self, ids: Tensor, encoded: Tensor) -> Tensor:
            out = model(ids[:, None], encoder_hidden_states=encoded, past_key_values=self.cache, use_cache=True)
            self.cache = out.past_key_values
            return out.last_hidden_state[:, 0]

    def clip(ids: Tensor, encoded: Tensor) -> Tensor:
        return model(ids, encoder_hidden_states=encoded, use_cache=False).last_hidden_state

    example = {"ids": torch.randint(0, 11, (2, 7)), "encoded": torch.randn(2, 5, 16)}
    return coequal.Subject(
        clip=clip, stream=Stream, example=example, time={"ids": 1, "encoded": None}, modules=model, output_time=1
    )


def gpt2_hidden_states() -> coequal.Subject:
    """transformers: a ModelOutput with logits and the states of all layers, each compared; the cache is left out."""
    from transformers import GPT2Config, GPT2LMHeadModel

    model = GPT2LMHeadModel(GPT2Config(vocab_size=11, n_positions=2048, n_embd=16, n_layer=1, n_head=2)).eval()

    class Stream:
        cache: Any = None

        def chunk(self, ids: Tensor) -> Any:
            out = model(ids, past_key_values=self.cache, use_cache=True, output_hidden_states=True)
            self.cache = out.past_key_values
            return out

    def clip(ids: Tensor) -> Any:
        return model(ids, use_cache=True, output_hidden_states=True)

    return coequal.Subject(
        clip=clip,
        stream=Stream,
        example=torch.randint(0, 11, (2, 7)),
        time=1,
        modules=model,
        select=("logits", "hidden_states[0]", "hidden_states[1]"),
    )


def _moshi(plan: coequal.Plan | str) -> coequal.Subject:
    """`with module.streaming(rows):`, one stream at a time; in that mode a call is a step."""
    from moshi.modules.transformer import StreamingTransformer

    model = StreamingTransformer(
        d_model=16, num_heads=2, num_layers=1, dim_feedforward=24, causal=True, context=4, positional_embedding="rope"
    ).eval()

    class Frames:
        def chunk(self, frames: Tensor) -> Tensor:
            return model(frames)

    @contextlib.contextmanager
    def streaming() -> Iterator[Frames]:
        with model.streaming(2):
            yield Frames()

    return coequal.Subject(
        clip=model,
        stream=streaming,
        example=torch.randn(2, 7, 16),
        time=1,
        modules=model,
        batches=(2,),
        streams="one at a time",
        clip_between=False,
        plan=plan,
    )


def moshi_as_a_context() -> coequal.Subject:
    """moshi: frame by frame."""
    return _moshi("single")


def moshi_in_chunks() -> coequal.Subject:
    """Found different: a chunk writes over positions that its first frames still look at."""
    return _moshi(coequal.Plan(maximum=4))


def retnet_with_positions() -> coequal.Subject:
    """yet-another-retnet: the caller counts the frames."""
    from yet_another_retnet.retention import MultiScaleRetention

    model = MultiScaleRetention(16, 2).eval()

    class Stream:
        state: Tensor | None = None

        def step(self, frame: Tensor, position: Tensor) -> Tensor:
            out, self.state = model.forward_recurrent(frame, frame, frame, int(position[0]), self.state)
            return out

    def clip(frame: Tensor, position: Tensor) -> Tensor:
        return model.forward_parallel(frame, frame, frame)[0]

    example = {"frame": torch.randn(2, 6, 16), "position": torch.arange(6).expand(2, 6).clone()}
    time = {"frame": 1, "position": 1}
    return coequal.Subject(clip=clip, stream=Stream, example=example, time=time, modules=model, positions="position")
