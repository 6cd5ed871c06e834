"""The torch module of pooling attention, in clip mode: see `coequal.reference.pooling_attention`. It does not stream.

Sources: Fan et al., "Multiscale vision transformers", ICCV 2021; Li et al., "MViTv2", CVPR 2022.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from coequal.continual.conversion import always, plainly
from coequal.continual.to_torch import makes, regular
from coequal.reference import pooling_attention as layers
from coequal.reference.pooling_attention import distances

Tensor = torch.Tensor
Grid = tuple[int, ...]


def pooled(tokens: Tensor, grid: Grid, pool: nn.Module) -> tuple[Tensor, Grid]:
    """All tokens of `(B, A, 1 + T H W, d)` but the first, pooled; their grid."""
    batch, heads, _, size = tokens.shape
    rest = tokens[:, :, 1:].reshape(batch * heads, *grid, size).permute(0, 4, 1, 2, 3)
    rest = pool(rest)
    flat = rest.flatten(2).transpose(1, 2).reshape(batch, heads, -1, size)
    return torch.cat([tokens[:, :, :1], flat], 2), tuple(rest.shape[2:])


class PoolingAttention(nn.Module):
    """Attention of one block, its names those of the original."""

    rel_pos_h: Tensor
    rel_pos_w: Tensor
    rel_pos_t: Tensor

    def __init__(self, layer: layers.PoolingBlock) -> None:
        super().__init__()
        self.num_heads, self.size, self.improved = layer.num_heads, layer.size, layer.improved
        self.pools = [name for name, _, _ in layer.pools]
        for name, child in layer.children.items():
            if name.startswith("attn."):
                self.add_module(name.removeprefix("attn."), regular(child))
        for name, shape in layer.tables.items():
            self.register_parameter(name.removeprefix("attn."), nn.Parameter(torch.zeros(shape)))

    def forward(self, x: Tensor, grid: Grid) -> tuple[Tensor, Grid]:
        """Tokens `(B, 1 + T H W, E)` to those of the grid of its queries."""
        modules: Any = self._modules
        parts = dict(zip("qkv", modules["qkv"](x).unflatten(2, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4), strict=True))
        grids = dict.fromkeys("qkv", grid)
        for name in self.pools:
            parts[name], grids[name] = pooled(parts[name], grid, modules[f"pool_{name}"])
            parts[name] = modules[f"norm_{name}"](parts[name])
        q, k, v = parts.values()
        scores = q @ k.transpose(2, 3) * (1 / math.sqrt(self.size))
        if self.improved:
            scores = torch.cat([scores[..., :1], scores[..., 1:] + self.relative(q, grids["q"], grids["k"])], 3)
        y = scores.softmax(3) @ v
        if self.improved:
            y = torch.cat([y[:, :, :1], y[:, :, 1:] + q[:, :, 1:]], 2)
        return modules["proj"](y.transpose(1, 2).flatten(2)), grids["q"]

    def relative(self, q: Tensor, grid: Grid, seen: Grid) -> Tensor:
        """Scores of relative positions `(B, A, 1 + T H W, T' H' W')`, zero for the class token."""
        places, total = q[:, :, 1:].unflatten(2, grid), torch.zeros((), dtype=q.dtype)
        tables = (self.rel_pos_t, self.rel_pos_h, self.rel_pos_w)
        for axis, (table, letters) in enumerate(zip(tables, ("tks", "hks", "wks"), strict=True)):
            rows = torch.from_numpy(distances(grid[axis], seen[axis], (len(table) + 1) // 2)).to(q.device)
            by_axis = torch.einsum(f"bathws,{letters}->bathwk", places, table[rows])
            total = total + by_axis.reshape(*by_axis.shape[:5], *(n if i == axis else 1 for i, n in enumerate(seen)))
        scores = total.flatten(5).flatten(2, 4)
        return torch.cat([torch.zeros_like(scores[:, :, :1]), scores], 2)


class PoolingBlock(nn.Module):
    """A block on tokens and their grid."""

    def __init__(self, layer: layers.PoolingBlock) -> None:
        super().__init__()
        children = {name: regular(child) for name, child in layer.children.items() if not name.startswith("attn.")}
        self.improved = layer.improved
        self.norm1, self.norm2 = children["norm1"], children["norm2"]
        self.attn = PoolingAttention(layer)
        self.mlp = nn.ModuleDict({name: children[f"mlp.{name}"] for name in ("fc1", "act", "fc2")})
        self.proj, self.pool_skip = children.get("proj"), children.get("pool_skip")

    def forward(self, x: Tensor, grid: Grid) -> tuple[Tensor, Grid]:
        """`(B, 1 + T H W, E)` and the grid to those of the next block."""
        normed = self.norm1(x)
        attended, after = self.attn(normed, grid)
        shortcut = self.proj(normed) if self.proj is not None and self.improved else x
        if self.pool_skip is not None:
            shortcut = pooled(shortcut.unsqueeze(1), grid, self.pool_skip)[0].squeeze(1)
        x = shortcut + attended
        normed = self.norm2(x)
        shortcut = self.proj(normed) if self.proj is not None and not self.improved else x
        return shortcut + self.mlp["fc2"](self.mlp["act"](self.mlp["fc1"](normed))), after


class PoolingEncoder(nn.Module):
    """Class token, positions, blocks and a last norm: `(B, E, T, H, W) -> (B, E', 1)`."""

    def __init__(self, layer: layers.PoolingEncoder) -> None:
        super().__init__()
        size = layer.blocks[0].in_features
        tables = ("cls_token", *(("pos_embed_spatial", "pos_embed_temporal", "pos_embed_class") if layer.absolute else ()))
        for name in tables:
            self.register_parameter(name, nn.Parameter(torch.zeros(layer.parameters()[name])))
        self.absolute, self.size = layer.absolute, size
        self.blocks = nn.ModuleList(map(PoolingBlock, layer.blocks))
        self.norm = regular(layer.norm)

    def forward(self, clip: Tensor) -> Tensor:
        """The class token of a clip."""
        given: Any = self._parameters
        grid: Grid = tuple(clip.shape[2:])
        x = torch.cat([given["cls_token"].expand(clip.shape[0], 1, -1), clip.flatten(2).transpose(1, 2)], 1)
        if self.absolute:
            frames = given["pos_embed_temporal"][:, : grid[0]].repeat_interleave(grid[1] * grid[2], 1)
            places = given["pos_embed_spatial"][:, : grid[1] * grid[2]].repeat(1, grid[0], 1)
            x = x + torch.cat([given["pos_embed_class"], frames + places], 1)
        for block in self.blocks:
            x, grid = block(x, grid)
        return self.norm(x)[:, :1].transpose(1, 2)


# -- how torch modules become these, and layers of the reference torch modules ----------------------------------------

plainly(
    {PoolingEncoder: nn.Identity},
    always("every token sees all frames of the clip", "no operator here that streams is close to it"),
)


@makes
def _(layer: layers.PoolingEncoder) -> nn.Module:
    return PoolingEncoder(layer)
