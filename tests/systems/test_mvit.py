"""MViT: reference and torch, what is refused, the same function elsewhere, names of weights, sizes of grids."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from coequal.continual.conversion import NotStreamable, convert
from coequal.continual.to_torch import regular
from coequal.equivalence.campaigns.agree import agree
from coequal.equivalence.campaigns.contents import Architecture, twin, weights
from coequal.systems import mvit
from coequal.systems.catalogue import SYSTEMS
from coequal.systems.streamability import streamability

FIRST, SECOND = mvit.Size(4, (1, 3), 8, 1, False), mvit.Size(4, (1, 3), 8, 2)


@pytest.mark.parametrize("size", [FIRST, SECOND], ids=["MViT", "MViTv2"])
@pytest.mark.parametrize("shape", [(5, 16), (4, 20)], ids=["even", "odd"])
def test_reference_and_torch_are_one(size: mvit.Size, shape: tuple[int, int]) -> None:
    """Sides of 5 tokens become 3 and 2: strides need not divide them."""
    agree(Architecture(mvit.mvit(size, shape, 5), (2, 3, shape[0], shape[1], shape[1])), seed=3)


def test_smaller_clips_meet_the_middle_of_relative_positions() -> None:
    agree(Architecture(mvit.mvit(SECOND, (8, 32), 5), (1, 3, 5, 16, 20)), seed=4)


@pytest.mark.parametrize("size", [FIRST, SECOND], ids=["MViT", "MViTv2"])
def test_it_is_refused(size: mvit.Size) -> None:
    with pytest.raises(NotStreamable, match=r"1 \(PoolingEncoder\) cannot be streamed: every token sees all frames"):
        convert(regular(mvit.mvit(size, (4, 16), 5)).eval())


def test_the_stem_is_all_that_streams() -> None:
    for system in SYSTEMS.values():
        if system.family == "MViT":
            verdict = streamability(system.layer, system.shape)
            assert verdict.counterexample is not None
            assert (verdict.counterexample.path, verdict.variant) == ("1", None)
            assert system.layer.layers[0].timing.stride == 2  # type: ignore[attr-defined]


SIDES = {
    "MViT-B_16x4": [(56, 7), (28, 14), (28, 7), (14, 14), *[(14, 7)] * 10, (7, 14), (7, 7)],
    "MViTv2-B_32x3": [*[(56, 7)] * 2, (28, 14), *[(28, 7)] * 2, (14, 14), *[(14, 7)] * 15, (7, 14), *[(7, 7)] * 2],
}


@pytest.mark.parametrize("name", SIDES)
def test_grids_are_those_of_the_paper(name: str) -> None:
    """Sides of queries and of keys, block by block: keys are as many in all stages, but for where one begins."""
    encoder: Any = SYSTEMS[name].layer.layers[1]  # type: ignore[attr-defined]
    grid, sides = (8, 56, 56), []
    for block in encoder.blocks:
        queries, keys = block.grids(grid)
        sides.append((queries[1], keys[1]))
        grid = queries
    assert sides == SIDES[name]


def test_weights_have_the_names_of_the_original_code() -> None:
    shapes = SYSTEMS["MViTv2-S_16x4"].layer.parameters()
    assert shapes["1.blocks.1.attn.qkv.weight"] == (576, 96)
    assert shapes["1.blocks.1.attn.rel_pos_h"] == (55, 96)
    assert shapes["1.blocks.14.attn.rel_pos_h"] == (27, 96)
    assert shapes["1.blocks.3.proj.weight"] == (384, 192)
    assert shapes["1.blocks.15.mlp.fc2.weight"] == (768, 3072)
    first = SYSTEMS["MViT-B_16x4"].layer.parameters()
    assert first["1.pos_embed_spatial"] == (1, 3136, 96)
    assert first["1.blocks.0.mlp.fc2.weight"] == (192, 384)
    assert "1.blocks.2.attn.pool_q.weight" not in first
    assert "1.blocks.3.attn.pool_q.weight" in first


# -- another implementation ----------------------------------------------------------------------------------------------


EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "real"


def of_pytorchvideo(parameters: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    """Weights of MViT under the names of pytorchvideo, which has queries, keys and values apart."""
    places = {"0.": "patch_embed.patch_model.", "2.inner.": "head.proj.", "1.norm.": "norm_embed.", "1.blocks.": "blocks."}
    places |= {f"1.{name}": f"cls_positional_encoding.{name}" for name in ("cls_token", "pos_embed_")}
    named: dict[str, torch.Tensor] = {}
    for name, value in parameters.items():
        start = next(ours for ours in places if name.startswith(ours))
        theirs = places[start] + name.removeprefix(start)
        parts = np.split(value, 3) if ".qkv." in theirs else [value]
        for letter, part in zip("qkv" if len(parts) > 1 else "-", parts, strict=True):
            named[theirs.replace(".qkv.", f".{letter}.")] = torch.as_tensor(part)
    return named


def test_mvit_is_that_of_pytorchvideo(within: Any) -> None:
    pytest.importorskip("pytorchvideo")
    theirs = runpy.run_path(str(EXAMPLES / "published.py"))["theirs"]("vision_transformers")
    stages, pools = [[1, 2.0], [3, 2.0]], [[1, 1, 2, 2], [3, 1, 2, 2]]
    module = theirs.create_multiscale_vision_transformers(
        spatial_size=16, temporal_size=4, depth=4, patch_embed_dim=8, num_heads=1, embed_dim_mul=stages,
        atten_head_mul=stages, pool_q_stride_size=pools, pool_kv_stride_adaptive=[1, 8, 8], pool_kvq_kernel=[3, 3, 3],
        head_num_classes=5,
    ).double().eval()  # fmt: skip
    layer = mvit.mvit(FIRST, (4, 16), 5)
    parameters = weights(layer, 7)
    module.load_state_dict(of_pytorchvideo(parameters), strict=True)
    clip = torch.randn((2, 3, 4, 16, 16), dtype=torch.float64, generator=torch.Generator().manual_seed(7))
    with torch.no_grad():
        expected = module(clip).numpy()
        ours = twin(layer, parameters)(clip).squeeze(-1).numpy()
    magnitude = np.full(expected.shape, 10 * np.abs(expected).max())
    within(ours, expected, magnitude, 1000)
    within(layer(parameters, clip.numpy())[..., 0], expected, magnitude, 1000)
