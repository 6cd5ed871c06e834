"""The torch module of views of a clip, in clip mode: see `coequal.reference.multiview`. It does not stream.

Source: Yan et al., "Multiview transformers for video recognition", CVPR 2022.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from coequal.continual.conversion import always, plainly
from coequal.continual.to_torch import makes, regular
from coequal.reference import multiview as layers
from coequal.reference.attention import MultiheadAttention

Tensor = torch.Tensor


class MultiviewEncoder(nn.Module):
    """`(B, C, T, S, S)` to the class tokens of all views, `(B, sum of E_i, T / min tau_i)`."""

    def __init__(self, layer: layers.MultiviewEncoder) -> None:
        super().__init__()
        self.layer = layer
        for name, shape in layer.parameters().items():
            if "." not in name:
                self.register_parameter(name, nn.Parameter(torch.zeros(shape)))
        for path, child in layer.children.items():
            outer, _, name = path.rpartition(".")
            if outer and outer not in self._modules:
                self.add_module(outer, nn.Module())
            place: nn.Module = self.get_submodule(outer)
            place.add_module(name, _asking(child) if isinstance(child, MultiheadAttention) else regular(child))

    def forward(self, clip: Tensor) -> Tensor:
        """Clip mode."""
        layer, groups = self.layer, clip.shape[2] // self.layer.group
        tokens = [self.embedded(clip, i, groups) for i in range(len(layer.views))]
        for depth in range(layer.num_layers):
            if depth in layer.fusion:
                cross: Any = self._modules[f"cross_view_encoderblock_{depth}"]._modules  # type: ignore[union-attr]
                normed = [cross[f"cross_attention_ln_view{i}"](x) for i, x in enumerate(tokens)]
                for i in layer.asked:
                    key = normed[i]
                    asked = cross[f"cross_attention_view{i - 1}_{i}"](normed[i - 1], key, key, need_weights=False)[0]
                    tokens[i - 1] = tokens[i - 1] + asked
            blocks: Any = self._modules
            tokens = [blocks[f"encoderblock_{depth}_view{i}"](x) for i, x in enumerate(tokens)]
        ends = [
            x.reshape(clip.shape[0], clip.shape[2] // v.tubelet, -1, v.embed_dim)[:, :, 0]
            for v, x in zip(layer.views, tokens, strict=True)
        ]
        length = max(end.shape[1] for end in ends)
        return torch.cat([end.repeat(1, length // end.shape[1], 1) for end in ends], 2).transpose(1, 2)

    def embedded(self, clip: Tensor, i: int, groups: int) -> Tensor:
        """Tokens of view i, group by group."""
        given: Any = {**self._parameters, **self._modules}
        x = given[f"embedding_view{i}"](clip).flatten(3).permute(0, 2, 3, 1)  # (B, n, N, E)
        first = given[f"cls_view{i}"][: x.shape[1], None].expand(x.shape[0], -1, -1, -1)
        x = torch.cat([first, x], 2)
        x = x + given[f"posembed_input_view{i}"][: x.shape[2]]
        return x.reshape(x.shape[0] * groups, -1, x.shape[3])


def _asking(layer: MultiheadAttention) -> nn.MultiheadAttention:
    return nn.MultiheadAttention(layer.embed_dim, layer.num_heads, kdim=layer.kdim, vdim=layer.vdim, batch_first=True)


# -- how torch modules become these, and layers of the reference torch modules ----------------------------------------

plainly(
    {MultiviewEncoder: nn.Identity},
    always("its class tokens are learned for each place in the clip", "no operator here that streams is close to it"),
)


@makes
def _(layer: layers.MultiviewEncoder) -> nn.Module:
    return MultiviewEncoder(layer)
