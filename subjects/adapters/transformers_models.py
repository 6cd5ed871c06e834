"""Adapter for language models of transformers that hand a state on: caches of attention, of recurrences, of
convolutions.

How they are called: `model(ids, use_cache=False)` is the clip; the stream is `model(ids, past_key_values=cache,
use_cache=True)` with the cache that the last call returned, or `cache_params=`, or `state=`, whichever the model's forward
names. Models with an encoder are handed what the encoder saw, which does not move with time.

What may be said of a stream, as options of `coequal.subject`, or behind a name on the command line:

- `cache`: `dynamic`, the model's own, or `static`, one of a fixed size;
- `chunks`: `any`; `prompt`, a prompt and then single tokens, as `generate` calls a model; `single`. A model with a cache of
  keys and values gets `any`, one with a state of its own `prompt`, which is all that such models promise;
- `positions`: `counted` by the model, or `given` by the caller, as `generate` does;
- `padding`: `none`, or `left`: rows begin with padding, and masks and positions are handed over. Where layers keep another
  state than keys and values, padding is fed in the first call, as `generate` does: nobody masks it later.
- `frames`: `ids`, or `embedded`: what the table of embeddings holds for them. Numbers that can be moved a little, which the
  proof for every length asks of a recurrence (Theorem 7).
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import inspect
import sys
from typing import Any

import torch
from torch import nn

from coequal.subjects.adapters.carried import Carried
from coequal.subjects.adapters.transformers_sizes import CLASSES, LONGEST, sizes_of
from coequal.subjects.chunks import Plan, plan_of
from coequal.subjects.errors import BadSubject
from coequal.subjects.subject import Subject

Tensor = torch.Tensor
PACKAGE = "transformers"
NAMES = CLASSES
STATES = ("past_key_values", "cache_params", "state")
LAYERED = ("past_key_values", "cache_params")  # states that keep the tensors of each layer
PLANS = {"any": None, "prompt": Plan(maximum=1, prompt=True), "single": "single"}
CACHES, POSITIONS, PADDINGS = ("dynamic", "static"), ("counted", "given"), ("none", "left")
FRAMES = ("ids", "embedded")
FIRST = 3  # ids below stand for padding, beginning and end
PADDED = 3  # rows begin with fewer frames of padding
ATTENTION = {"attention", "full_attention", "sliding_attention", "chunked_attention"}  # layers of keys and values


def recognises(module: nn.Module) -> bool:
    """Whether a module is a model of transformers with token ids and a state that is handed on."""
    base = getattr(sys.modules.get("transformers"), "PreTrainedModel", None) if "transformers" in sys.modules else None
    return base is not None and isinstance(module, base) and state_of(module) is not None and _ids(module) is not None


def state_of(module: nn.Module) -> str | None:
    """What forward calls the state; None where it takes none."""
    taken = inspect.signature(module.forward).parameters
    return next((name for name in STATES if name in taken), None)


def _ids(module: nn.Module) -> str | None:
    taken = inspect.signature(module.forward).parameters
    return next((name for name in ("decoder_input_ids", "input_ids") if name in taken), None)


def subject(
    module: Any,
    example: Tensor,
    *,
    cache: str = "dynamic",
    chunks: str | None = None,
    positions: str = "counted",
    padding: str = "none",
    frames: str = "ids",
    **overrides: Any,
) -> Subject:
    """A Subject for a language model; `example` holds token ids, (B, T). BadSubject: it has no stream, or not such a one."""
    for name, value, known in (
        ("cache", cache, CACHES), ("chunks", chunks or "any", tuple(PLANS)),
        ("positions", positions, POSITIONS), ("padding", padding, PADDINGS), ("frames", frames, FRAMES),
    ):  # fmt: skip
        if value not in known:
            raise BadSubject(f"{name}={value!r}: a stream of {type(module).__name__} has {name} {', '.join(known)}")
    if example.dim() != 2 or example.is_floating_point():
        raise BadSubject(f"{type(module).__name__} takes token ids, whole numbers with axes (B, T); got {_said(example)}")
    encodes = getattr(module.config, "is_decoder", None) is False and not getattr(module.config, "is_encoder_decoder", False)
    if encodes and _looks_ahead(module, example):
        raise BadSubject(
            f"{type(module).__name__} with config.is_decoder=False is not causal: its first output changes with the last"
            " token, so that no stream computes it"
        )
    spoken = _Spoken(module, cache, positions)
    if frames == "embedded":
        fields = spoken.embedded(example, positions, padding)
    else:
        fields = spoken.padded(example) if padding == "left" else spoken.fields(example)
    plan = PLANS[chunks or ("any" if spoken.key == "past_key_values" else "prompt")]
    if padding == "left" and spoken.recurs():
        plan = Plan(first=PADDED, maximum=plan_of(plan).maximum)
    fields["plan"] = plan
    longest = spoken.longest()
    return Subject(**(fields | {"longest": longest, "name": type(module).__name__, "modules": module} | overrides))


def _said(example: Tensor) -> str:
    return f"{str(example.dtype).removeprefix('torch.')} of shape {tuple(example.shape)}"


def _looks_ahead(module: Any, ids: Tensor) -> bool:
    """Whether the first output changes with the last token."""
    other = ids.clone()
    other[:, -1] = torch.where(ids[:, -1] == ids.amin(), ids.amax(), ids.amin())
    with torch.no_grad():
        return bool((_output(module(ids)) - _output(module(other)))[:, 0].abs().max() > 0)


def _output(returned: Any) -> Tensor:
    """Logits, or the last hidden states of a model without a head."""
    logits = getattr(returned, "logits", None)
    return returned[0] if logits is None else logits


def layers_of_the_cache(stream: Any) -> list[dict[str, Any]]:
    """What a stream with a cache remembers: all attributes of its layers, by name. Of an encoder's keys and values, too."""
    caches = [getattr(stream.state, name, None) for name in ("self_attention_cache", "cross_attention_cache")]
    kept = [vars(layer) for cache in (stream.state, *caches) for layer in getattr(cache, "layers", [])]
    return [*kept, *filter(None, [getattr(stream.state, "is_updated", None)])]


class _Spoken:
    """How one model is called."""

    def __init__(self, module: Any, cache: str, positions: str) -> None:
        self.module, self.config = module, module.config
        key = state_of(module)
        assert key is not None  # what `recognises` asks
        self.key, self.cache, self.given = key, cache, positions == "given"
        if self.given and "position_ids" not in inspect.signature(module.forward).parameters:
            raise BadSubject(f"{type(module).__name__} takes no position_ids: its positions cannot be given")
        if cache == "static" and key != "past_key_values":
            raise BadSubject(f"{type(module).__name__} keeps a state of its own ({key}): there is no static cache for it")

    def longest(self) -> int | None:
        """The greatest number of tokens, as its configuration says, or as a static cache holds."""
        found = [getattr(self.config, name, None) for name in ("max_position_embeddings", "max_target_positions")]
        sizes = [size for size in found if isinstance(size, int) and size > 0]
        return min([*sizes, LONGEST] if self.cache == "static" else sizes, default=None)

    def recurs(self) -> bool:
        """Whether layers keep another state than keys and values."""
        kinds = getattr(self.config, "layer_types", None) or ()
        return self.key != "past_key_values" or not ATTENTION.issuperset(kinds)

    def begin(self) -> Any:
        """The state before the first token."""
        if self.cache == "dynamic":
            return None
        from transformers import StaticCache

        return StaticCache(config=self.config, max_cache_len=self.longest())

    def call(self, ids: Tensor, state: Any, **more: Any) -> tuple[Tensor, Any]:
        """Some tokens, or what is embedded of them, with a state."""
        name = "inputs_embeds" if ids.is_floating_point() else str(_ids(self.module))
        returned = self.module(**{name: ids, self.key: state}, use_cache=True, **more)
        after = getattr(returned, self.key)
        return _output(returned), state if after is None else after

    def fields(self, example: Tensor) -> dict[str, Any]:
        """Clip, stream and axes."""
        if getattr(self.config, "is_encoder_decoder", False) and _ids(self.module) == "decoder_input_ids":
            return self._conditioned(example)
        if self.given:
            return {"clip": self._clip, "stream": lambda: _Counted(self), "example": example, "time": 1}
        stream = lambda: Carried(self.call, 1, self.begin)  # noqa: E731
        fields = {"clip": self._clip, "stream": stream, "example": example, "time": 1}
        return fields | ({"memory": layers_of_the_cache} if self.key in LAYERED else {})

    def _clip(self, ids: Tensor) -> Tensor:
        if ids.is_floating_point():
            return _output(self.module(inputs_embeds=ids, use_cache=False))
        return _output(self.module(ids, use_cache=False))

    def embedded(self, ids: Tensor, positions: str, padding: str) -> dict[str, Any]:
        """Of frames that are rows of the table of embeddings."""
        takes = "inputs_embeds" in inspect.signature(self.module.forward).parameters and not self._encodes()
        if not takes or positions != "counted" or padding != "none":
            raise BadSubject(f"{type(self.module).__name__} takes no embedded frames, or not with these options")
        return self.fields(self.module.get_input_embeddings()(ids).detach())

    def _conditioned(self, example: Tensor) -> dict[str, Any]:
        """With an encoder: what it saw is an input that does not move with time."""
        encoded = torch.randn(example.shape[0], 5, self.config.hidden_size, generator=torch.Generator().manual_seed(0))

        def clip(ids: Tensor, encoded: Tensor) -> Tensor:
            return _output(self.module(decoder_input_ids=ids, encoder_outputs=(encoded,), use_cache=False))

        return {
            **{"clip": clip, "stream": lambda: _Conditioned(self), "example": {"ids": example, "encoded": encoded}},
            **{"time": {"ids": 1, "encoded": None}, "output_time": 1, "memory": layers_of_the_cache},
        }

    def padded(self, example: Tensor) -> dict[str, Any]:
        """Rows that begin with padding; outputs of padding are put to zero on both sides."""
        if "attention_mask" not in inspect.signature(self.module.forward).parameters or self._encodes():
            raise BadSubject(f"{type(self.module).__name__} takes no padding at the left: padding='none'")
        pad = getattr(self.config, "pad_token_id", None)
        pad = 0 if pad is None else pad

        def clip(ids: Tensor) -> Tensor:
            mask = (ids != pad).long()
            logits = _output(self.module(ids, attention_mask=mask, use_cache=False, **self.counted(mask)))
            return torch.where(mask.bool()[..., None], logits, 0.0)

        def inputs(length: int, batch: int, seed: int) -> Tensor:
            generator = torch.Generator().manual_seed(seed)
            ids = torch.randint(FIRST, int(self.config.vocab_size), (batch, length), generator=generator)
            for row in range(batch):
                ids[row, : (2 * row + seed) % PADDED] = pad
            return ids

        return {
            **{"clip": clip, "stream": lambda: _Padded(self, pad), "example": inputs(example.shape[1], example.shape[0], 0)},
            **{"inputs": inputs, "time": 1},
        }

    def _encodes(self) -> bool:
        return bool(getattr(self.config, "is_encoder_decoder", False))

    def counted(self, mask: Tensor) -> dict[str, Tensor]:
        """Positions that begin behind the padding, for a model that takes any."""
        if "position_ids" not in inspect.signature(self.module.forward).parameters:
            return {}
        return {"position_ids": (mask.cumsum(1) - 1).clamp(min=0)}


class _Counted(Carried):
    """Tokens with the positions that their caller counts."""

    def __init__(self, spoken: _Spoken) -> None:
        super().__init__(spoken.call, 1, spoken.begin)
        self.seen = 0

    def chunk(self, frames: Tensor) -> Tensor:
        """Several tokens."""
        positions = torch.arange(self.seen, self.seen + frames.shape[1], device=frames.device)
        self.seen += frames.shape[1]
        output, self.state = self.call(frames, self.state, position_ids=positions.expand(frames.shape[0], -1))
        return output


class _Conditioned:
    """Tokens, each with what the encoder saw."""

    def __init__(self, spoken: _Spoken) -> None:
        self.spoken, self.state = spoken, spoken.begin()

    def chunk(self, ids: Tensor, encoded: Tensor) -> Tensor:
        """Several tokens."""
        output, self.state = self.spoken.call(ids, self.state, encoder_outputs=(encoded,))
        return output

    def step(self, ids: Tensor, encoded: Tensor) -> Tensor:
        """One token."""
        return self.chunk(ids[:, None], encoded)[:, 0]


class _Padded(Carried):
    """Tokens with a mask that grows."""

    def __init__(self, spoken: _Spoken, pad: int) -> None:
        super().__init__(spoken.call, 1, spoken.begin)
        self.spoken, self.pad = spoken, pad
        self.mask: Tensor | None = None

    def chunk(self, frames: Tensor) -> Tensor:
        """Several tokens."""
        now = (frames != self.pad).long()
        self.mask = now if self.mask is None else torch.cat([self.mask, now], 1)
        counted = {name: value[:, -frames.shape[1] :] for name, value in self.spoken.counted(self.mask).items()}
        output, self.state = self.call(frames, self.state, attention_mask=self.mask, **counted)
        return torch.where(now.bool()[..., None], output, 0.0)


def clip(module: Any, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Random token ids, none of which is special."""
    vocabulary = int(module.config.get_text_config().vocab_size)
    return torch.randint(min(FIRST, vocabulary - 1), vocabulary, shape, generator=generator)


def tiny(name: str, shape: tuple[int, ...] | None, **settings: Any) -> nn.Module:
    """A small model with random weights, larger than those that transformers begins with; nothing is downloaded."""
    import transformers

    return built(getattr(transformers, name), settings)


def built(kind: Any, settings: dict[str, Any], sizes: dict[str, Any] | None = None) -> nn.Module:
    """A model of a class, small but for these settings of its configuration."""
    from transformers import logging

    logging.set_verbosity_error()
    config = kind.config_class(**(sizes_of(kind.config_class, kind.__name__) if sizes is None else sizes) | settings)
    config._experts_implementation = "eager"  # in any format
    model = kind(config)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.copy_(0.3 * torch.randn_like(weight))
    return model


def shape(module: Any) -> tuple[int, ...]:
    """Of a clip that it accepts."""
    return (2, 7)
