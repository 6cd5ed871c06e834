"""Attention: every token is a weighted mean of values, the weights a softmax over how well its query fits their keys.

    weights[i, j] = exp(q[i] . k[j] * scale + m[i, j]) / sum_j' exp(q[i] . k[j'] * scale + m[i, j'])
    y[i]          = sum_j weights[i, j] v[j]

with `q (..., L, E)`, `k (..., S, E)`, `v (..., S, Ev)`, and `scale = 1 / sqrt(E)`. A boolean mask says which pairs take
part, an additive mask `m` is -inf for the others; a query that may see no key at all gives zeros, as torch's
scaled_dot_product_attention does.

Multi-head attention projects tokens `(B, T, E)` to `A` heads of `E / A` features, attends in each, and projects back.

Sources: Vaswani et al., "Attention is all you need", NeurIPS 2017, equation 1 and section 3.2.2; sliding window: Beltagy,
Peters & Cohan, "Longformer", 2020; single-output and retroactive: Hedegaard, Bakhtiarnia & Iosifidis, "Continual
Transformers", ICLR 2023, sections 3.2 and 3.3.
"""

from __future__ import annotations

import functools
import math
import operator
from dataclasses import dataclass

import numpy as np

from coequal.reference.layer import Array, Parameters, Shape
from coequal.reference.softmax import softmax
from coequal.reference.timing import Timing

MODES = ("full", "causal", "sliding", "single")


def inverse_sqrt(number: int, like: Array) -> Array:
    """`1 / sqrt(number)`, as precise as the floats of `like`."""
    dtype = getattr(like, "dtype", None)
    if isinstance(dtype, np.dtype) and dtype.kind == "f":
        return 1 / np.sqrt(dtype.type(number))
    return 1 / math.sqrt(number)


def minus_infinity(excluded: Array) -> Array:
    """An additive mask: -inf where `excluded`, 0 elsewhere, in the narrowest float so that it never widens the scores."""
    return np.where(excluded, np.float16(-np.inf), np.float16(0))


def structure(queries: int, keys: int, *, causal: bool = False, window: int | None = None) -> Array | None:
    """Additive mask `(L, S)` of a mode, None where every pair takes part.

    `causal`: key `j` is at most query `i`, both counted from the first frame. `window`: key `j` is one of the last `window`
    keys up to query `i`, where the last query stands at the last key.
    """
    i, j = np.arange(queries)[:, None], np.arange(keys)
    excluded = (j > i) if causal else np.full((queries, keys), False)
    if window is not None:
        at = i + keys - queries
        excluded = excluded | (j > at) | (j <= at - window)
    return minus_infinity(excluded) if causal or window is not None else None


def together(*masks: Array | None) -> Array | None:
    """The sum of additive masks, without those that are None."""
    return functools.reduce(operator.add, present) if (present := [mask for mask in masks if mask is not None]) else None


def scaled_dot_product_attention_loops(q: Array, k: Array, v: Array, mask: Array, scale: Array) -> Array:
    """Naive form, one sequence: `q (L, E)`, `k (S, E)`, `v (S, Ev)`, additive `mask (L, S)`; one weight at a time."""
    rows = []
    for query, row in zip(q, mask, strict=True):
        seen = [j for j in range(len(k)) if row[j] > -np.inf]
        scores = {j: sum(a * b for a, b in zip(query, k[j], strict=True)) * scale + row[j] for j in seen}
        highest = max(scores.values(), default=0)
        terms = {j: np.exp(score - highest) for j, score in scores.items()}
        weights = {j: term / sum(terms.values()) for j, term in terms.items()}
        rows.append([sum(weight * v[j][e] for j, weight in weights.items()) for e in range(v.shape[-1])])
    return np.array(rows).reshape(len(q), v.shape[-1])


def attend(q: Array, k: Array, v: Array, mask: Array | None, scale: Array) -> Array:
    """Vectorised form for any leading axes; `mask` is additive and broadcasts to `(..., L, S)`."""
    scores = q @ np.swapaxes(k, -1, -2) * scale
    if mask is None:
        return softmax(scores, -1) @ v
    unseeing = np.all(np.isneginf(mask), axis=-1, keepdims=True)  # softmax of such a row would be 0 / 0
    weights = softmax(scores + np.where(unseeing, np.float16(0), mask), -1)
    return (weights * np.where(unseeing, 0, 1) if unseeing.any() else weights) @ v


def scaled_dot_product_attention(
    q: Array, k: Array, v: Array, mask: Array | None = None, *, causal: bool = False, scale: Array | None = None
) -> Array:
    """`softmax(q k^T * scale + mask) v`; shapes `(..., L, E), (..., S, E), (..., S, Ev) -> (..., L, Ev)`.

    `mask (..., L, S)`: True takes part, or additive (torch.nn.functional's meaning). `scale`: `1 / sqrt(E)` unless given.
    """
    if q.shape[-1] != k.shape[-1] or k.shape[-2] != v.shape[-2]:
        raise ValueError(
            "scaled_dot_product_attention: queries and keys must have the same features, keys and values the same length,"
            f" got q {q.shape}, k {k.shape}, v {v.shape}"
        )
    if mask is not None and np.asarray(mask).dtype == bool:
        mask = minus_infinity(~np.asarray(mask))
    scale = inverse_sqrt(q.shape[-1], q) if scale is None else scale
    return attend(q, k, v, together(mask, structure(q.shape[-2], k.shape[-2], causal=causal)), scale)


def multihead_attention_loops(parameters: Parameters, clip: Array, num_heads: int, mask: Array) -> Array:
    """Naive form of self-attention with one `in_proj_weight`: one head of one clip at a time; additive `mask (T, T)`."""
    size = clip.shape[2] // num_heads
    batch = []
    for tokens in clip:  # (T, E)
        q, k, v = np.split(tokens @ parameters["in_proj_weight"].T + parameters.get("in_proj_bias", 0), 3, axis=1)
        parts = [slice(a * size, (a + 1) * size) for a in range(num_heads)]
        scale = inverse_sqrt(size, clip)
        heads = [scaled_dot_product_attention_loops(q[:, a], k[:, a], v[:, a], mask, scale) for a in parts]
        batch.append(np.concatenate(heads, axis=1) @ parameters["out_proj.weight"].T + parameters.get("out_proj.bias", 0))
    return np.stack(batch)


@dataclass(frozen=True)
class MultiheadAttention:
    """Self-attention over tokens `(B, T, E)`, parameters as in torch.nn.MultiheadAttention.

    `mode`: which tokens a token attends to, and which are returned.

    - "full": all, all returned. With `window=N` its stream works on the last N tokens (retroactive attention).
    - "causal": itself and all before.
    - "sliding": itself and the `window - 1` before.
    - "single": as sliding, but only tokens that have a whole window are returned, `T - window + 1` of them; without a
      window, the last token of the clip alone.

    `out_bias`: whether the last projection has a bias; like the others, unless given.
    """

    embed_dim: int
    num_heads: int
    bias: bool = True
    kdim: int | None = None
    vdim: int | None = None
    mode: str = "full"
    window: int | None = None
    out_bias: bool | None = None

    def __post_init__(self) -> None:
        if self.embed_dim % self.num_heads:
            raise ValueError(
                f"MultiheadAttention: embed_dim must be a multiple of num_heads, got {self.embed_dim} and {self.num_heads}"
            )
        if self.mode not in MODES:
            raise ValueError(f"MultiheadAttention: mode is one of {', '.join(map(repr, MODES))}, got {self.mode!r}")
        if self.mode == "sliding" and self.window is None:
            raise ValueError("MultiheadAttention: mode 'sliding' needs a window, in frames")
        if self.mode == "causal" and self.window is not None:
            raise ValueError(
                "MultiheadAttention: mode 'causal' has no window; use mode 'sliding' for the last `window` frames"
            )
        if self.window is not None and self.window < 1:
            raise ValueError(f"MultiheadAttention: window is in frames and at least 1, got {self.window}")

    @property
    def time(self) -> int:
        """Axis 1 of `(B, T, E)`."""
        return 1

    @property
    def timing(self) -> Timing | None:
        """Depends on `mode`; None (the whole clip) for "full" and "single" without a window."""
        return attention_timing(self.mode, self.window)

    @property
    def biased_out(self) -> bool:
        """Whether there is an `out_proj.bias`."""
        return self.bias if self.out_bias is None else self.out_bias

    @property
    def _dims(self) -> tuple[int, int, int]:
        E = self.embed_dim
        return E, E if self.kdim is None else self.kdim, E if self.vdim is None else self.vdim

    def parameters(self) -> dict[str, Shape]:
        """One `in_proj_weight (3 E, E)`, or three projections where `kdim` or `vdim` differ; biases; `out_proj`."""
        E = self.embed_dim
        if self._dims == (E, E, E):
            shapes: dict[str, Shape] = {"in_proj_weight": (3 * E, E)}
        else:
            shapes = {f"{name}_proj_weight": (E, dim) for name, dim in zip("qkv", self._dims, strict=True)}
        if self.bias:
            shapes["in_proj_bias"] = (3 * E,)
        shapes["out_proj.weight"] = (E, E)
        return shapes | {"out_proj.bias": (E,)} if self.biased_out else shapes

    def output_shape(self, shape: Shape) -> Shape:
        """`(B, T, E)`; fewer frames in mode "single"."""
        if len(shape) != 3 or shape[2] != self.embed_dim:
            raise ValueError(
                f"MultiheadAttention: expected a clip (B, T, E) with E = embed_dim = {self.embed_dim},"
                f" got shape {tuple(shape)}"
            )
        return (shape[0], self._returned(shape[1]), shape[2])

    def _returned(self, length: int) -> int:
        if self.mode != "single":
            return length
        return min(length, 1) if self.window is None else max(0, length - self.window + 1)

    def __call__(
        self,
        parameters: Parameters,
        clip: Array,
        key: Array | None = None,
        value: Array | None = None,
        *,
        mask: Array | None = None,
        key_padding_mask: Array | None = None,
    ) -> Array:
        """Attention of every token of `clip (B, T, E)` to the tokens of `key (B, S, kdim)`, which default to the clip's own.

        `mask (L, S)` or `(B * A, L, S)` and `key_padding_mask (B, S)`: additive, or boolean with True *excluded* (torch.nn's
        meaning, the opposite of scaled_dot_product_attention's).
        """
        key = clip if key is None else key
        value = key if value is None else value
        self._check(clip, key, value)
        clip = clip[:, clip.shape[1] - self._returned(clip.shape[1]) :]
        q, k, v = (self._heads(x) for x in self._projected(parameters, clip, key, value))
        y = attend(q, k, v, self._mask(q, k, mask, key_padding_mask), inverse_sqrt(q.shape[-1], q))
        y = np.swapaxes(y, 1, 2).reshape(clip.shape)  # (B, A, L, E / A) -> (B, L, E)
        y = y @ parameters["out_proj.weight"].T
        return y + parameters["out_proj.bias"] if self.biased_out else y

    def _check(self, clip: Array, key: Array, value: Array) -> None:
        self.output_shape(clip.shape)
        _, kdim, vdim = self._dims
        if (key.shape[-1], value.shape[-1]) != (kdim, vdim) or key.shape[1] != value.shape[1]:
            raise ValueError(
                f"MultiheadAttention: expected keys (B, S, {kdim}) and values (B, S, {vdim}),"
                f" got {tuple(key.shape)} and {tuple(value.shape)}"
            )
        if self.mode != "full" and key.shape[1] != clip.shape[1]:
            raise ValueError(
                f"MultiheadAttention: mode {self.mode!r} attends to tokens of the same clip, got {clip.shape[1]} queries"
                f" and {key.shape[1]} keys; use mode 'full' with a mask"
            )

    def _projected(self, parameters: Parameters, *tokens: Array) -> list[Array]:
        if "in_proj_weight" in parameters:
            weights = np.split(parameters["in_proj_weight"], 3)
        else:
            weights = [parameters[f"{name}_proj_weight"] for name in "qkv"]
        projected = [x @ weight.T for x, weight in zip(tokens, weights, strict=True)]
        if not self.bias:
            return projected
        return [x + bias for x, bias in zip(projected, np.split(parameters["in_proj_bias"], 3), strict=True)]

    def _heads(self, x: Array) -> Array:
        """`(B, L, E) -> (B, A, L, E / A)`."""
        return np.swapaxes(x.reshape(*x.shape[:2], self.num_heads, x.shape[2] // self.num_heads), 1, 2)

    def _mask(self, q: Array, k: Array, mask: Array | None, key_padding_mask: Array | None) -> Array | None:
        """One additive mask that broadcasts to `(B, A, L, S)`, or None."""
        pairs = (q.shape[-2], k.shape[-2])
        window = {"sliding": self.window, "single": self.window or pairs[1]}.get(self.mode)
        if mask is not None:
            given = _additive(mask)
            if given.shape not in (pairs, (q.shape[0] * q.shape[1], *pairs)):
                raise ValueError(
                    f"MultiheadAttention: mask is (L, S) = {pairs} or (B * A, L, S), got {given.shape}"
                    f" (L queries are returned in mode {self.mode!r})"
                )
            mask = given if given.ndim == 2 else given.reshape(*q.shape[:2], *pairs)
        if key_padding_mask is not None:
            key_padding_mask = _additive(key_padding_mask)[:, None, None]
        return together(structure(*pairs, causal=self.mode == "causal", window=window), mask, key_padding_mask)


def attention_timing(mode: str, window: int | None) -> Timing | None:
    """Timing of attention in one of the MODES, in frames; None where it needs the whole clip.

    "full" with a window counts windows: output `j` is the whole window of the frames `j ... j + window - 1`.
    """
    if mode == "causal":
        return Timing(math.inf)
    if window is None:
        return None
    return Timing(window, pad_start=window - 1 if mode == "sliding" else 0)


def _additive(mask: Array) -> Array:
    mask = np.asarray(mask)
    return minus_infinity(mask) if mask.dtype == bool else mask
