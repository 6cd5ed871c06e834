"""Clip-mode modules that torch.nn lacks, as small plain modules: the regular twins of some reference layers, and what users
write by hand. `coequal.continual.convert` knows them; their parameters are named as the reference's.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import nn

from coequal.continual.conversion import always, plainly
from coequal.continual.to_torch import makes, regular
from coequal.reference import adaptive_kernel, class_token, decoder, non_local, pathways
from coequal.reference.layer import Layer

Tensor = torch.Tensor

REDUCTIONS: dict[str, Callable[[Sequence[Tensor], int], Tensor]] = {
    "sum": lambda branches, axis: functools.reduce(operator.add, branches),
    "product": lambda branches, axis: functools.reduce(operator.mul, branches),
    "concatenate": lambda branches, axis: torch.cat(list(branches), axis),
    "affine": lambda branches, axis: _affine(branches[0], branches[1], axis),
}


def _affine(clip: Tensor, factors: Tensor, axis: int) -> Tensor:
    """Factors are the first half of the channels, terms the second."""
    scale, shift = factors.chunk(2, axis)
    return clip * scale + shift


class SideBySide(nn.Module):
    """Branches on the same clip, combined frame by frame; `reduce` as in `coequal.reference.compose`."""

    def __init__(self, reduce: str, channel_axis: int) -> None:
        super().__init__()
        if reduce not in REDUCTIONS:
            raise ValueError(f"{type(self).__name__}: reduce is one of {', '.join(map(repr, REDUCTIONS))}, got {reduce!r}")
        self.reduce, self.channel_axis = reduce, channel_axis

    @property
    def branches(self) -> list[nn.Module]:
        """In order."""
        raise NotImplementedError

    def forward(self, clip: Tensor) -> Tensor:
        """All branches on the same clip."""
        return REDUCTIONS[self.reduce]([branch(clip) for branch in self.branches], self.channel_axis)


class Parallel(SideBySide):
    """Layers side by side; parameters `"0.*"`, `"1.*"`; `channel_axis` 1, or -1 for tokens `(B, T, E)`."""

    def __init__(self, *layers: nn.Module, reduce: str = "sum", channel_axis: int = 1) -> None:
        super().__init__(reduce, channel_axis)
        for i, layer in enumerate(layers):
            self.add_module(str(i), layer)

    @property
    def branches(self) -> list[nn.Module]:
        """The layers."""
        return list(self.children())


class Residual(SideBySide):
    """`main(x) + x`, or `main(x) + shortcut(x)`; parameters `"main.*"`, `"shortcut.*"`."""

    def __init__(
        self, main: nn.Module, shortcut: nn.Module | None = None, reduce: str = "sum", channel_axis: int = 1
    ) -> None:
        super().__init__(reduce, channel_axis)
        self.main, self.shortcut = main, nn.Identity() if shortcut is None else shortcut

    @property
    def branches(self) -> list[nn.Module]:
        """Main and shortcut."""
        return [self.main, self.shortcut]


class SqueezeExcite(nn.Module):
    """Channel gates from means: see `coequal.reference.squeeze_excite`; `scope` is "frame", "clip" or "window"."""

    def __init__(self, channels: int, squeeze_channels: int, scope: str = "frame", window: int | None = None) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(channels, squeeze_channels), nn.Linear(squeeze_channels, channels)
        self.scope, self.frames = scope, window

    def gate(self, means: Tensor) -> Tensor:
        """`(..., C) -> (..., C)`, between 0 and 1."""
        return torch.sigmoid(self.fc2(torch.relu(self.fc1(means))))

    def forward(self, clip: Tensor) -> Tensor:
        """The clip times its gates."""
        means = clip.flatten(3).mean(-1) if clip.dim() > 3 else clip  # (B, C, T)
        if self.scope == "clip":
            means = means.mean(2, keepdim=True)
        elif self.scope == "window" and self.frames is not None:
            means = nn.functional.pad(means, (self.frames - 1, 0)).unfold(2, self.frames, 1).mean(-1)
        gates = self.gate(means.transpose(1, 2)).transpose(1, 2)
        return clip * gates.reshape(*gates.shape, *[1] * (clip.dim() - 3))


class TemporalShift(nn.Module):
    """Some channels from the frame before, some from the one after: see `coequal.reference.shift`."""

    def __init__(self, fold_div: int = 8, bidirectional: bool = True) -> None:
        super().__init__()
        self.fold_div, self.bidirectional = fold_div, bidirectional

    def forward(self, clip: Tensor) -> Tensor:
        """The shifted clip."""
        fold = clip.shape[1] // self.fold_div
        shifted = clip.clone()
        earlier = slice(fold, 2 * fold) if self.bidirectional else slice(0, fold)
        shifted[:, earlier] = 0
        shifted[:, earlier, 1:] = clip[:, earlier, :-1]
        if self.bidirectional:
            shifted[:, :fold] = 0
            shifted[:, :fold, :-1] = clip[:, :fold, 1:]
        return shifted


class ZeroChannels(nn.Module):
    """Channels of zeros after those of the clip: see `coequal.reference.channels`."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.in_channels, self.out_channels = in_channels, out_channels

    def forward(self, clip: Tensor) -> Tensor:
        """The clip with more channels."""
        zero = torch.zeros_like(clip[:, :1])
        return torch.cat([clip, *[zero] * (self.out_channels - self.in_channels)], 1)


class SelectChannels(nn.Module):
    """The channels `start` to `stop - 1`."""

    def __init__(self, start: int, stop: int) -> None:
        super().__init__()
        self.channels = slice(start, stop)

    def forward(self, clip: Tensor) -> Tensor:
        """Some of the channels."""
        return clip[:, self.channels]


class FrameDifference(nn.Module):
    """The next frame less this one, of two halves of the channels: see `coequal.reference.frame_difference`."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, clip: Tensor) -> Tensor:
        """The differences, zero at the last frame."""
        after, before = clip[:, : self.channels], clip[:, self.channels :]
        return torch.cat([after[:, :, 1:] - before[:, :, :-1], torch.zeros_like(after[:, :, :1])], 2)


class GlobalPool(nn.Module):
    """Mean or maximum over space and time; with `window` over the last N frames, `T - N + 1` frames out."""

    def __init__(self, reduce: str, window: int | None = None) -> None:
        super().__init__()
        self.reduce, self.frames = reduce, window

    def forward(self, clip: Tensor) -> Tensor:
        """Clip mode."""
        size = clip.shape[2] if self.frames is None else self.frames
        windows = clip.unfold(2, size, 1).movedim(-1, 3).flatten(3)  # (B, C, T', N * space)
        pooled = windows.mean(-1) if self.reduce == "mean" else windows.amax(-1)
        return pooled.reshape(*pooled.shape, *[1] * (clip.dim() - 3))


class BatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch norm of clips of any rank, `(B, C, T, ...)`."""

    def _check_input_dim(self, input: Tensor) -> None:
        """Any rank will do."""


class InstanceNorm(nn.InstanceNorm3d):
    """Instance norm of clips of any rank, `(B, C, T, ...)`."""

    def forward(self, clip: Tensor) -> Tensor:
        """With the clip's own statistics, or the running ones in eval mode where they are tracked."""
        own = self.training or not self.track_running_stats
        statistics = self.running_mean, self.running_var
        return nn.functional.instance_norm(clip, *statistics, self.weight, self.bias, own, self.momentum or 0.0, self.eps)


class _OutputsAlone:
    """A recurrent layer whose forward leaves out the hidden state, so that it composes."""

    def forward(self, clip: Tensor) -> Tensor:
        """The outputs."""
        return super().forward(clip)[0]  # type: ignore[misc]


class RNN(_OutputsAlone, nn.RNN):  # type: ignore[misc]
    """torch.nn.RNN, outputs alone."""


class LSTM(_OutputsAlone, nn.LSTM):  # type: ignore[misc]
    """torch.nn.LSTM, outputs alone."""


class GRU(_OutputsAlone, nn.GRU):  # type: ignore[misc]
    """torch.nn.GRU, outputs alone."""


class SelfAttention(nn.MultiheadAttention):
    """Self-attention of tokens `(B, T, E)` by an explicit mask; `mode` and `window` as in `coequal.reference.attention`."""

    def __init__(
        self, embed_dim: int, num_heads: int, bias: bool = True, mode: str = "full", window: int | None = None,
        out_bias: bool | None = None,
    ) -> None:  # fmt: skip
        super().__init__(embed_dim, num_heads, bias=bias, batch_first=True)
        self.mode, self.frames = mode, window
        if out_bias is not None:
            self.out_proj = _out_projection(embed_dim, out_bias)

    def forward(self, clip: Tensor) -> Tensor:  # type: ignore[override]
        """The tokens attended, without weights; in mode "single" those that have a whole window."""
        mask = hidden(clip.shape[1], self.mode, self.frames, clip.device)
        output = super().forward(clip, clip, clip, need_weights=False, attn_mask=mask)[0]
        return output[:, (self.frames or clip.shape[1]) - 1 :] if self.mode == "single" else output


def _out_projection(size: int, bias: bool) -> Any:
    """The last projection of attention, of the class that torch.nn.MultiheadAttention has there.

    Without a bias it adds zeros that are no parameter: torch's fused attention takes all biases to be there, or none.
    """
    layer = nn.modules.linear.NonDynamicallyQuantizableLinear(size, size, bias=bias)
    if not bias:
        del layer.bias
        layer.register_buffer("bias", torch.zeros(size), persistent=False)
    return layer


def hidden(length: int, mode: str, window: int | None, device: Any = None) -> Tensor | None:
    """True where query i must not see key j; None: everything is seen."""
    if mode == "full":
        return None
    ahead = torch.arange(length, device=device)[None] - torch.arange(length, device=device)[:, None]  # j - i
    return (ahead > 0) | (ahead <= -(window or length))


class TransformerEncoderLayer(nn.TransformerEncoderLayer):
    """torch.nn.TransformerEncoderLayer on tokens `(B, T, E)` by an explicit mask; `mode`, `window` as in the reference."""

    def __init__(
        self, *args: Any, mode: str = "full", window: int | None = None, attention_bias: tuple[bool, bool] | None = None,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(*args, **{"batch_first": True, **kwargs})
        self.mode, self.frames = mode, window
        if getattr(self.activation, "approximate", "none") != "none":
            self.activation_relu_or_gelu = 0  # torch's fused layer would take the exact GELU for any other
        if attention_bias is not None:
            size, heads = self.self_attn.embed_dim, self.self_attn.num_heads
            self.self_attn = nn.MultiheadAttention(size, heads, bias=attention_bias[0], batch_first=True)
            self.self_attn.out_proj = _out_projection(size, attention_bias[1])

    def forward(self, clip: Tensor) -> Tensor:  # type: ignore[override]
        """Clip mode; in mode "single" the tokens that have a whole window."""
        output = super().forward(clip, src_mask=hidden(clip.shape[1], self.mode, self.frames, clip.device))
        return output[:, (self.frames or clip.shape[1]) - 1 :] if self.mode == "single" else output


class TransformerEncoder(nn.TransformerEncoder):
    """torch.nn.TransformerEncoder of such layers; in mode "single" the last token of each window, window by window."""

    def __init__(self, layer: TransformerEncoderLayer, num_layers: int, norm: nn.Module | None = None) -> None:
        super().__init__(layer, num_layers, norm, enable_nested_tensor=False)
        self.mode, self.frames = layer.mode, layer.frames
        for inner in list(self.layers)[:-1] if layer.mode == "single" else ():
            cast("TransformerEncoderLayer", inner).mode = "full"

    def forward(self, clip: Tensor) -> Tensor:  # type: ignore[override]
        """Clip mode."""
        if self.mode != "single":
            return self._stacked(clip)
        size = self.frames or clip.shape[1]
        starts = range(clip.shape[1] - size + 1)
        return torch.cat([clip[:, :0], *(self._stacked(clip[:, t : t + size])[:, -1:] for t in starts)], 1)

    def _stacked(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x if self.norm is None else self.norm(x)


class SelectFrames(nn.Module):
    """One frame in `alpha`, spread over the clip: see `coequal.reference.pathways`."""

    def __init__(self, alpha: int) -> None:
        super().__init__()
        self.alpha = alpha

    def forward(self, clip: Tensor) -> Tensor:
        """The selected frames."""
        length, count = clip.shape[2], clip.shape[2] // self.alpha
        frames = torch.arange(count, device=clip.device) * (length - 1)
        return clip.index_select(2, frames.div(max(1, count - 1), rounding_mode="floor"))


class Pathways(nn.Module):
    """A slow and a fast pathway with lateral connections; parameters `"slow.<i>.*"`, `"fast.<i>.*"`, `"lateral.<i>.*"`."""

    def __init__(
        self, alpha: int, slow: Sequence[nn.Module], fast: Sequence[nn.Module], lateral: Sequence[nn.Module]
    ) -> None:
        super().__init__()
        self.select = SelectFrames(alpha)
        self.slow, self.fast, self.lateral = map(nn.ModuleList, (slow, fast, lateral))

    def forward(self, clip: Tensor) -> Tensor:
        """Both pathways on a clip."""
        slow, fast = self.select(clip), clip
        for i, (slower, faster) in enumerate(zip(self.slow, self.fast, strict=True)):
            slow, fast = slower(slow), faster(fast)
            if i < len(self.lateral):
                slow = torch.cat([slow, self.lateral[i](fast)], 1)
        return torch.cat([slow, fast], 1)


class AppendToken(nn.Module):
    """A learned token after the last: see `coequal.reference.class_token`."""

    def __init__(self, embed_dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(embed_dim))

    def forward(self, clip: Tensor) -> Tensor:
        """`(B, T, E) -> (B, T + 1, E)`."""
        return torch.cat([clip, self.weight.expand(clip.shape[0], 1, -1)], 1)


class PrependToken(nn.Module):
    """A token before the first, learned or zero: see `coequal.reference.class_token`."""

    def __init__(self, embed_dim: int, learned: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(embed_dim)) if learned else None

    def forward(self, clip: Tensor) -> Tensor:
        """`(B, T, E) -> (B, 1 + T, E)`."""
        first = torch.zeros_like(clip[:, :1]) if self.weight is None else self.weight.expand(clip.shape[0], 1, -1)
        return torch.cat([first, clip], 1)


class FirstToken(nn.Module):
    """The first token alone."""

    def forward(self, clip: Tensor) -> Tensor:
        """`(B, T, E) -> (B, 1, E)`."""
        return clip[:, :1]


class Tokens(nn.Module):
    """A layer of tokens inside a clip `(B, E, T, ...)`: see `coequal.reference.tokens`; `over` "space", "time" or "all"."""

    def __init__(self, inner: nn.Module, over: str) -> None:
        super().__init__()
        self.inner, self.over = inner, over

    def forward(self, clip: Tensor) -> Tensor:
        """Clip mode."""
        (batch, size, frames), space = clip.shape[:3], clip.shape[3:]
        grid = clip.reshape(batch, size, frames, -1)  # (B, E, T, N)
        positions = grid.shape[3]
        if self.over == "time":
            y = self.inner(grid.permute(0, 3, 2, 1).reshape(batch * positions, frames, size))
            y = y.reshape(batch, positions, *y.shape[1:]).permute(0, 3, 2, 1)
            return y.reshape(*y.shape[:3], *space)
        rows = grid.permute(0, 2, 3, 1)  # (B, T, N, E)
        if self.over == "all":
            return self.inner(rows.reshape(batch, frames * positions, size)).transpose(1, 2)
        y = self.inner(rows.reshape(batch * frames, positions, size))
        y = y.reshape(batch, frames, *y.shape[1:]).permute(0, 3, 1, 2)
        return y.reshape(*y.shape[:3], *space) if y.shape[3] == positions else y


class QKVAttention(nn.Module):
    """Attention of given queries, keys and values: see `coequal.reference.qkv_attention`; `mode` "full" or "causal"."""

    def __init__(self, embed_dim: int, num_heads: int, mode: str = "full") -> None:
        super().__init__()
        self.embed_dim, self.num_heads, self.mode = embed_dim, num_heads, mode

    def forward(self, clip: Tensor) -> Tensor:
        """`(B, T, 3 E) -> (B, T, E)`."""
        q, k, v = self.heads(clip).unbind(0)
        return self.attended(q, k, v, hidden(clip.shape[1], self.mode, None, clip.device))

    def heads(self, tokens: Tensor) -> Tensor:
        """`(B, T, 3 E) -> (3, B, A, T, E / A)`."""
        return tokens.unflatten(2, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)

    def attended(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        """`(B, A, L, D), (B, A, S, D), (B, A, S, D) -> (B, L, E)`."""
        scores = q @ k.transpose(2, 3) * (1 / math.sqrt(q.shape[3]))
        if mask is not None:
            scores = scores.masked_fill(mask, -torch.inf)
        return (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)


class NonLocal(nn.Module):
    """Every position sees all others: see `coequal.reference.non_local`."""

    def __init__(self, channels: int, inner: int, mode: str = "embedded", pooled: bool = True) -> None:
        super().__init__()
        self.mode, self.pooled, self.scale = mode, pooled, 1 / math.sqrt(inner)
        for name in ("g",) if mode == "gaussian" else ("g", "theta", "phi"):
            self.add_module(name, nn.Conv3d(channels, inner, 1))

    def forward(self, clip: Tensor) -> Tensor:
        """`(B, C, T, H, W) -> (B, C', T, H, W)`."""
        mapped = {name: linear(clip) for name, linear in self.named_children()}
        queries, keys, values = mapped.get("theta", clip), mapped.get("phi", clip), mapped["g"]
        if self.pooled:
            keys, values = (nn.functional.max_pool3d(seen, (1, 2, 2)) for seen in (keys, values))
        scores = queries.flatten(2).transpose(1, 2) @ keys.flatten(2)
        if self.mode == "dot product":
            weights = scores / scores.shape[-1]
        else:
            weights = (scores * self.scale if self.mode == "embedded" else scores).softmax(-1)
        return (weights @ values.flatten(2).transpose(1, 2)).transpose(1, 2).unflatten(2, clip.shape[2:])


class ChannelScale(nn.Module):
    """A learned factor for each channel: see `coequal.reference.rescale`."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))

    def forward(self, clip: Tensor) -> Tensor:
        """The scaled channels."""
        return clip * self.weight.reshape(-1, *[1] * (clip.dim() - 2))


class Rescale(nn.Module):
    """`factor x + offset`."""

    def __init__(self, factor: float = 1.0, offset: float = 0.0) -> None:
        super().__init__()
        self.factor, self.offset = factor, offset

    def forward(self, clip: Tensor) -> Tensor:
        """Every element."""
        return clip * self.factor + self.offset


class ChannelLayerNorm(nn.Module):
    """Layer norm over the channels of each position: see `coequal.reference.norm`."""

    def __init__(self, num_features: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight, self.bias = nn.Parameter(torch.ones(num_features)), nn.Parameter(torch.zeros(num_features))

    def forward(self, clip: Tensor) -> Tensor:
        """The normalised clip."""
        tokens = clip.movedim(1, -1)
        return nn.functional.layer_norm(tokens, self.weight.shape, self.weight, self.bias, self.eps).movedim(-1, 1)


class ClipAttention(nn.Module):
    """Attention over the frames of a position or the positions of a frame: see `coequal.reference.clip_attention`."""

    def __init__(
        self, channels: int, heads: int, over: str = "space", window: int | None = None, scaled: int | None = None
    ) -> None:
        super().__init__()
        self.heads, self.over, self.frames = heads, over, window
        self.scale = 1 / math.sqrt(channels // heads if scaled is None else scaled)
        self.in_proj_weight = nn.Parameter(torch.randn(3 * channels, channels) * channels**-0.5)
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * channels))
        self.out_proj = nn.Linear(channels, channels)

    def projected(self, clip: Tensor) -> list[Tensor]:
        """Queries, keys and values, `(B, R, A, N, D)` each: R rows of N tokens."""
        axes = (0, 3, 2, 1) if self.over == "time" else (0, 2, 3, 1)
        tokens = clip.reshape(*clip.shape[:3], -1).permute(axes)
        joint = nn.functional.linear(tokens, self.in_proj_weight, self.in_proj_bias)
        return [part.unflatten(-1, (self.heads, -1)).transpose(2, 3) for part in joint.chunk(3, -1)]

    def mixed(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, shape: Sequence[int]) -> Tensor:
        """The clip of so many frames and positions that the queries give; `mask` is True where a key is hidden."""
        scores = q @ k.transpose(-1, -2) * self.scale
        weights = (scores if mask is None else scores.masked_fill(mask, -torch.inf)).softmax(-1)
        tokens = self.out_proj((weights @ v).transpose(2, 3).flatten(3))
        return tokens.permute((0, 3, 2, 1) if self.over == "time" else (0, 3, 1, 2)).reshape(shape)

    def forward(self, clip: Tensor) -> Tensor:
        """`(B, C, T, ...) -> (B, C, T, ...)`."""
        q, k, v = self.projected(clip)
        mask = None if self.frames is None else hidden(clip.shape[2], "sliding", self.frames, clip.device)
        return self.mixed(q, k, v, mask, clip.shape)


class TokenGrid(nn.Module):
    """All tokens of a frame but the first as a square: see `coequal.reference.token_grid`."""

    def forward(self, clip: Tensor) -> Tensor:
        """`(B, C, T, 1 + S S) -> (B, C, T, S, S)`."""
        side = math.isqrt(clip.shape[3] - 1)
        return clip[..., 1:].unflatten(3, (side, side))


class RelationalSelfAttention(nn.Module):
    """Weights and values that look at relations: see `coequal.reference.relational`."""

    def __init__(self, channels: int, heads: int, frames: int = 5, side: int = 7) -> None:
        super().__init__()
        size, kernel = channels // heads, (frames, side, side)
        self.size, self.frames = size, frames
        self.projection = nn.Conv3d(channels, channels + 2 * size, 1, bias=False)
        self.H1 = nn.Conv3d(size, size * size, kernel, groups=size, bias=False)
        self.H2, self.G = (nn.Conv3d(1, size, kernel, bias=False) for _ in range(2))
        self.P1 = nn.Parameter(torch.randn(1, size, size) * (size * frames * side**2) ** -0.5)
        self.I = nn.Parameter(torch.eye(size).unsqueeze(0))

    def projected(self, clip: Tensor) -> Sequence[Tensor]:
        """Queries, keys and values, of length 1."""
        vectors = self.projection(clip).unflatten(1, (-1, self.size))
        units = (vectors / (vectors.square().sum(2, keepdim=True) + 1e-6).sqrt()).flatten(1, 2)
        return units.split([units.shape[1] - 2 * self.size, self.size, self.size], 1)

    def related(self, q: Tensor, k: Tensor, v: Tensor, padding: int) -> Tensor:
        """The output of the frames of the queries; keys and values have as many more as the window, less the padding."""
        shape, size, pads = q.shape, self.size, (padding, *(n // 2 for n in self.H1.kernel_size[1:]))
        each = v.flatten(0, 1).unsqueeze(1)
        keys = nn.functional.conv3d(k, self.H1.weight, padding=pads, groups=size).unflatten(1, (size, size))
        context, values = (
            nn.functional.conv3d(each, conv.weight, padding=pads).unflatten(0, (-1, size)) for conv in (self.H2, self.G)
        )
        queries, keys, context, values = (
            x.movedim((1, 2), (-2, -1)) for x in (q.unflatten(1, (-1, size)), keys, context, values)
        )
        mixed = (values + self.I[0]).transpose(-1, -2) @ context
        return ((queries @ (keys + self.P1[0])) @ mixed.transpose(-1, -2)).movedim((-1, -2), (1, 2)).reshape(shape)

    def forward(self, clip: Tensor) -> Tensor:
        """`(B, C, T, H, W) -> (B, C, T, H, W)`."""
        q, k, v = self.projected(clip)
        return self.related(q, k, v, self.frames // 2)


class JointMixing(nn.Module):
    """Joints mixed along learned edges: see `coequal.reference.skeleton`."""

    adjacency: Tensor

    def __init__(self, joints: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(joints, joints))
        self.register_buffer("adjacency", torch.ones(joints, joints))

    def forward(self, clip: Tensor) -> Tensor:
        """`(..., V, M) -> (..., V, M)`."""
        return (clip.transpose(-1, -2) @ (self.adjacency * self.weight)).transpose(-1, -2)


class AdaptiveJointMixing(nn.Module):
    """Joints mixed along edges that clips or frames make: see `coequal.reference.skeleton`."""

    adjacency: Tensor

    def __init__(self, channels: int, inner: int, joints: int, scope: str = "clip") -> None:
        super().__init__()
        self.scope = scope
        self.weight = nn.Parameter(torch.ones(joints, joints))
        self.register_buffer("adjacency", torch.ones(joints, joints))
        self.a, self.b = nn.Conv3d(channels, inner, 1), nn.Conv3d(channels, inner, 1)

    def forward(self, clip: Tensor) -> Tensor:
        """`(B, C, T, V, M) -> (B, C, T, V, M)`."""
        q, k = (linear(clip).permute(0, 2, 4, 3, 1) for linear in (self.a, self.b))
        scores = q @ k.transpose(-1, -2) / q.shape[-1]
        if self.scope == "clip":
            scores = scores.mean(1, keepdim=True)
        edges = scores.softmax(-2) + (self.adjacency + self.weight)
        return (clip.permute(0, 2, 4, 1, 3) @ edges).permute(0, 3, 1, 4, 2)


class JointNorm(nn.BatchNorm1d):
    """Batch norm of each channel of each joint of each person, or (`persons` None) of all persons alike."""

    def __init__(self, channels: int, joints: int, persons: int | None, eps: float = 1e-5) -> None:
        super().__init__(channels * joints * (persons or 1), eps)

    def forward(self, clip: Tensor) -> Tensor:
        """`(B, C, T, V, M) -> (B, C, T, V, M)`."""
        batch, channels, length, joints, persons = clip.shape
        features = clip.permute(0, 4, 3, 1, 2).reshape(-1, self.num_features, length)
        return super().forward(features).reshape(batch, persons, joints, channels, length).permute(0, 3, 4, 2, 1)


class JointAttention(nn.Module):
    """Attention over joints: see `coequal.reference.joint_attention`."""

    def __init__(self, channels: int, inner: int, num_heads: int) -> None:
        super().__init__()
        self.channels, self.inner, self.num_heads = channels, inner, num_heads

    def forward(self, clip: Tensor) -> Tensor:
        """`(B, 2 C'' + C, T, V, M) -> (B, C, T, V, M)`."""
        parts = clip.permute(0, 2, 4, 3, 1).split([self.inner, self.inner, self.channels], -1)  # (B, T, M, V, .)
        q, k, v = (part.unflatten(-1, (self.num_heads, -1)).transpose(-2, -3) for part in parts)  # (B, T, M, A, V, d)
        y = nn.functional.scaled_dot_product_attention(q, k, v).transpose(-2, -3).flatten(-2)
        return y.permute(0, 4, 1, 3, 2)


class AdaptiveKernel(nn.Module):
    """Convolution over time with kernels that clips make: see `coequal.reference.adaptive_kernel`."""

    def __init__(self, channels: int, window: int, taps: int = 3, alpha: int = 2) -> None:
        super().__init__()
        self.channels, self.taps = channels, taps
        self.fc1, self.fc2 = nn.Linear(window, alpha * window, False), nn.Linear(alpha * window, taps, False)
        self.norm = nn.BatchNorm1d(alpha * window)

    def forward(self, clip: Tensor) -> Tensor:
        """`(B, 2 C, T, ...) -> (B, C, T, ...)`."""
        batch, length, channels = clip.shape[0], clip.shape[2], self.channels
        means = clip[:, channels:].flatten(3).mean(-1).flatten(0, 1)
        weights = self.fc2(torch.relu(self.norm(self.fc1(means)))).softmax(-1)
        frames = clip[:, :channels].reshape(1, batch * channels, length, -1)
        kernel = weights.reshape(batch * channels, 1, self.taps, 1)
        y = nn.functional.conv2d(frames, kernel, padding=(self.taps // 2, 0), groups=batch * channels)
        return y.reshape(clip[:, :channels].shape)


class QueryDecoder(nn.TransformerDecoder):
    """Learned queries on the tokens of a clip, two classifiers: see `coequal.reference.decoder`."""

    def __init__(self, layer: nn.TransformerDecoderLayer, num_layers: int, queries: int, classes: int) -> None:
        size = layer.linear1.in_features
        super().__init__(layer, num_layers, nn.LayerNorm(size, layer.norm1.eps))
        self.query = nn.Parameter(torch.randn(queries, size) * size**-0.5)
        self.head, self.foresee = nn.Linear(2 * size, classes), nn.Linear(size, classes)

    def forward(self, clip: Tensor) -> Tensor:  # type: ignore[override]
        """`(B, T, E) -> (B, 1 + Q, C)`."""
        queries = self.query.expand(clip.shape[0], -1, -1)
        mask = hidden(queries.shape[1], "causal", None, clip.device)
        z = super().forward(
            queries, clip, tgt_mask=mask, tgt_is_causal=False
        )  # a hint; unset, torch compares masks by value
        both = torch.cat([clip[:, -1:], z.mean(1, keepdim=True)], 2)
        return torch.cat([self.head(both), self.foresee(z)], 1)


# -- how torch modules become these, and layers of the reference torch modules ----------------------------------------

plainly(
    dict.fromkeys((SelectFrames, Pathways), nn.Identity),
    always("its slow frames are spread over the whole clip, others in every window", "take every alpha-th frame instead"),
)
plainly(
    {AppendToken: nn.Identity, QueryDecoder: nn.Identity},
    always("it stands at the end of the clip, and starts anew for every window", "read the newest token of an encoder"),
)


plainly(
    {PrependToken: nn.Identity},
    always("it comes first, and sees the whole clip, for every window anew", "read the newest token of an encoder"),
)
plainly({FirstToken: nn.Identity}, always("it stands for the whole clip", "read the newest token"))


@makes
def _(layer: class_token.PrependToken) -> nn.Module:
    return PrependToken(layer.embed_dim, layer.learned)


@makes
def _(layer: class_token.FirstToken) -> nn.Module:
    return FirstToken()


@makes
def _(layer: decoder.QueryDecoder) -> nn.Module:
    act: Any = layer.activation if isinstance(layer.activation, str) else regular(layer.activation)
    inner = nn.TransformerDecoderLayer(
        layer.d_model, layer.nhead, layer.dim_feedforward, 0.0, act, layer.layer_norm_eps, batch_first=True
    )
    return QueryDecoder(inner, layer.num_layers, layer.queries, layer.classes)


plainly(
    {NonLocal: nn.Identity},
    always("every position sees all frames of the clip", "leave it out, or attend to frames before"),
)


plainly(
    {AdaptiveKernel: nn.Identity},
    always("its kernel is made of every frame of the clip", "take one kernel for all clips: a convolution over time"),
)


@makes
def _(layer: adaptive_kernel.AdaptiveKernel) -> nn.Module:
    return AdaptiveKernel(layer.channels, layer.window, layer.taps, layer.alpha).eval()


@makes
def _(layer: non_local.NonLocal) -> nn.Module:
    return NonLocal(layer.channels, layer.inner, layer.mode, layer.pooled)


@makes
def _(layer: class_token.AppendToken) -> nn.Module:
    return AppendToken(layer.embed_dim)


@makes
def _(layer: pathways.SelectFrames) -> nn.Module:
    return SelectFrames(layer.alpha)


@makes
def _(layer: pathways.Pathways) -> nn.Module:
    return Pathways(layer.alpha, *([regular(child) for child in group] for group in _pathways(layer)))


def _pathways(layer: pathways.Pathways) -> tuple[tuple[Layer, ...], ...]:
    return layer.slow, layer.fast, layer.lateral
