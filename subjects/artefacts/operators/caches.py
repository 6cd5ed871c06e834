"""Operators whose states go in and come out: attention with its keys and values, linear attention, a causal convolution,
writing into a cache, and the rotation by positions.

Letters: B rows, T tokens, H heads, D features of a head, S tokens of a cache.
"""

from __future__ import annotations

import math

import torch
from torch.nn import functional as F

from coequal.subjects.artefacts.operators.table import Node, only, operator, refuse, whole

Tensor = torch.Tensor
RULES = ("linear", "gated", "delta", "gated_delta")
WINDOWS = 25  # the opset since which causal masks begin behind the past, and windows are known


def _heads(node: Node, x: Tensor, count: str) -> Tensor:
    """`(B, T, H D)` as `(B, H, T, D)`; four axes are that already."""
    return x if x.dim() == 4 else x.unflatten(2, (node.get(count), -1)).transpose(1, 2)


def _shared(x: Tensor, heads: int) -> Tensor:
    """Heads of keys and values for so many heads of queries, each for as many that stand side by side: axis 1."""
    times = heads // x.shape[1]
    return x if times == 1 else x.unsqueeze(2).expand(-1, -1, times, *x.shape[2:]).flatten(1, 2)


# -- attention --------------------------------------------------------------------------------------------------------


def _unmeant(node: Node) -> str | None:
    if len(node.outputs) > 3 and node.outputs[3] and node.outputs[3] not in node.unread:
        return "its scores as an output have no meaning here"
    if node.opset < WINDOWS and node.get("is_causal", 0) and any(node.inputs[4:]):
        return f"is_causal with a past has no meaning here before opset {WINDOWS}: runtimes read it in two ways"
    return only(is_causal=(0, 1), softmax_precision=(0, 1), qk_matmul_output_mode=(0, 1, 2, 3))(node)


@operator(
    "Attention",
    attributes="is_causal kv_num_heads left_window_size q_num_heads qk_matmul_output_mode right_window_size scale softcap"
    " softmax_precision",
    refused=_unmeant,
)
def attention(
    node: Node, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None, past_k: Tensor | None = None,
    past_v: Tensor | None = None, valid: Tensor | None = None,
) -> tuple[Tensor, ...]:  # fmt: skip
    """softmax(scale q k^T + mask) v over the past and what came; a token that sees nothing is zeros."""
    packed = q.dim() == 3
    q, k, v = _heads(node, q, "q_num_heads"), _heads(node, k, "kv_num_heads"), _heads(node, v, "kv_num_heads")
    if past_k is not None and past_v is not None:
        k, v = torch.cat([past_k, k], 2), torch.cat([past_v, v], 2)
    elif node.opset < WINDOWS and node.get("is_causal", 0) and q.shape[2] != k.shape[2]:
        raise refuse(node, "is_causal with more keys than queries")
    scores = torch.matmul(q, _shared(k, q.shape[1]).transpose(2, 3)) * (node.get("scale") or 1 / math.sqrt(q.shape[3]))
    if cap := node.get("softcap", 0.0):
        scores = cap * torch.tanh(scores / cap)
    seen = _seen(node, q, k, 0 if past_k is None else past_k.shape[2], valid)
    if mask is not None and mask.shape[-1] < k.shape[2]:
        fill = False if mask.dtype == torch.bool else -math.inf
        mask = F.pad(mask, (0, k.shape[2] - mask.shape[-1]), value=fill)
    if mask is not None and mask.dtype == torch.bool:
        seen = mask if seen is None else seen & mask
    elif mask is not None:
        scores = scores + mask
    if seen is not None:
        seen = seen.expand(scores.shape)
        some = seen.any(-1, keepdim=True)
        scores = torch.where(seen | ~some, scores, torch.full_like(scores, -math.inf))
    y = torch.matmul(torch.softmax(scores, -1), _shared(v, q.shape[1]))
    if seen is not None and not bool(some.all()):
        y = torch.where(some, y, torch.zeros_like(y))
    return y.transpose(1, 2).flatten(2) if packed else y, k, v


def _seen(node: Node, q: Tensor, k: Tensor, past: int, valid: Tensor | None) -> Tensor | None:
    """`(B, 1, T, S)`, True where a query may see a key, by causality, windows and what of a cache is valid; None: all."""
    causal, left, right = node.get("is_causal", 0), node.get("left_window_size", -1), node.get("right_window_size", -1)
    if not causal and left < 0 and right < 0 and valid is None:
        return None
    key = torch.arange(k.shape[2], device=q.device)
    offset: int | Tensor = past
    seen = torch.ones((1, 1, q.shape[2], k.shape[2]), dtype=torch.bool, device=q.device)
    if valid is not None:
        count = valid.to(torch.int64).reshape(-1, 1, 1, 1)
        offset, seen = count - q.shape[2], seen & (key < count)
    place = torch.arange(q.shape[2], device=q.device)[:, None] + offset
    seen = seen & (key <= place) if causal else seen
    seen = seen & (key >= place - left) if left >= 0 else seen
    return seen & (key <= place + right) if right >= 0 else seen


# -- linear attention -----------------------------------------------------------------------------------------------------


@operator(
    "LinearAttention",
    attributes="chunk_size kv_num_heads q_num_heads scale update_rule",
    refused=only(update_rule=RULES),
)
def linear_attention(
    node: Node, q: Tensor, k: Tensor, v: Tensor, state: Tensor | None = None, decay: Tensor | None = None,
    beta: Tensor | None = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """S = exp(g) S + k (v)^T, or + beta k (v - (exp(g) S)^T k)^T, token by token; o = scale S^T q. S is `(B, H, D, D_v)`."""
    rule, heads, queries = node.get("update_rule", "gated_delta"), node.get("kv_num_heads"), node.get("q_num_heads")
    q, k, v = q.unflatten(2, (queries, -1)), k.unflatten(2, (heads, -1)), v.unflatten(2, (heads, -1))  # (B, T, H, D)
    s = q.new_zeros((q.shape[0], heads, k.shape[3], v.shape[3])) if state is None else state
    scale = node.get("scale") or 1 / math.sqrt(q.shape[3])
    outputs = []
    for t in range(q.shape[1]):
        if rule.startswith("gated"):
            if decay is None:
                raise refuse(node, f"the rule {rule} without a decay")
            s = s * torch.exp(decay[:, t]).unflatten(1, (heads, -1)).unsqueeze(3)
        new = v[:, t]
        if rule.endswith("delta"):
            if beta is None:
                raise refuse(node, f"the rule {rule} without a rate")
            new = beta[:, t].unsqueeze(2) * (new - torch.matmul(k[:, t].unsqueeze(2), s).squeeze(2))
        s = s + k[:, t].unsqueeze(3) * new.unsqueeze(2)
        outputs.append(scale * torch.matmul(q[:, t].unsqueeze(2), _shared(s, queries)).squeeze(2).flatten(1))
    return torch.stack(outputs, 1), s


# -- convolution, cache, positions ------------------------------------------------------------------------------------


@operator("CausalConvWithState", attributes="activation", refused=only(activation=("none", "silu", "swish")))
def causal_conv(
    node: Node, x: Tensor, weight: Tensor, bias: Tensor | None = None, past: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Each channel of `(B, C, T)` by itself, over the last K frames; the state is the last K - 1 of them."""
    kept = weight.shape[2] - 1
    if past is not None and tuple(past.shape) != (*x.shape[:2], kept):
        raise ValueError(f"a state of shape {tuple(past.shape)}, expected {(*x.shape[:2], kept)}")
    both = torch.cat([x.new_zeros((*x.shape[:2], kept)) if past is None else past, x], 2)
    y = F.conv1d(both, weight, bias, groups=x.shape[1])
    return (y if node.get("activation", "none") == "none" else F.silu(y)), both[:, :, both.shape[2] - kept :]


@operator("TensorScatter", attributes="axis mode", refused=only(mode=("linear", "circular")))
def tensor_scatter(node: Node, cache: Tensor, update: Tensor, starts: Tensor | None = None) -> Tensor:
    """Frames written into a cache along an axis, from a place of their own for each row."""
    axis = node.get("axis", -2) % cache.dim()
    size, count = cache.shape[axis], update.shape[axis]
    first = torch.zeros(cache.shape[0], dtype=torch.int64) if starts is None else starts.to(torch.int64).cpu()
    if first.shape != cache.shape[:1]:
        raise ValueError(f"places for {first.shape[0]} rows, and {cache.shape[0]} rows")
    places = first[:, None] + torch.arange(count)
    if node.get("mode", "linear") == "circular":
        places = places % size
    elif any(not 0 <= n < size for n in whole(places)):
        raise IndexError(f"frames are written to {whole(places)} of a cache of {size}")
    rows = torch.arange(cache.shape[0])[:, None].expand(places.shape)
    moved = cache.movedim(axis, 1).index_put((rows.to(cache.device), places.to(cache.device)), update.movedim(axis, 1))
    return moved.movedim(1, axis)


@operator("RotaryEmbedding", attributes="interleaved num_heads rotary_embedding_dim", refused=only(interleaved=(0, 1)))
def rotary(node: Node, x: Tensor, cos: Tensor, sin: Tensor, places: Tensor | None = None) -> Tensor:
    """Pairs of features turned by the angle of their token: halves of a head, or neighbours (`interleaved`)."""
    heads = _heads(node, x, "num_heads")  # (B, H, T, D)
    size = node.get("rotary_embedding_dim", 0) or heads.shape[3]
    if places is not None:
        cos, sin = (table[places.to(torch.int64)] for table in (cos, sin))
    cos, sin = cos.unsqueeze(1), sin.unsqueeze(1)
    if cos.shape[-1] != size // 2:
        raise ValueError(f"angles of {cos.shape[-1]} pairs, expected {size // 2}")
    turned, rest = heads[..., :size], heads[..., size:]
    between = node.get("interleaved", 0)
    a, b = (turned[..., 0::2], turned[..., 1::2]) if between else turned.chunk(2, -1)
    pair = [cos * a - sin * b, sin * a + cos * b]
    made = torch.cat([torch.stack(pair, -1).flatten(-2) if between else torch.cat(pair, -1), rest], -1)
    return made.transpose(1, 2).flatten(2) if x.dim() == 3 else made
