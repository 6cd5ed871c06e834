"""Weights under the names that the authors' code has, or another public code where theirs has no names of this kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

import numpy as np
import pytest
from scipy.special import softmax

from coequal.reference import checkpoint
from coequal.reference.attention import MultiheadAttention
from coequal.reference.clip_attention import ClipAttention
from coequal.reference.compose import Sequential
from coequal.reference.layer import Array, Shape
from coequal.reference.linear import Linear
from coequal.systems import (
    bqn,
    c3d,
    csn,
    hara,
    mobileone,
    mtv,
    mvit,
    oadtr,
    r2plus1d,
    r3d,
    resnet3d,
    rsa,
    s3d,
    slowfast,
    st_gcn,
    tada,
    tada_next,
    tadaformer,
    tanet,
    tea,
    tsm,
    vivit,
    weights,
    x3d,
)
from coequal.systems.blocks import modules_of_mmaction2
from coequal.systems.catalogue import SYSTEMS
from coequal.systems.weights import Module, from_original, original_names, origins

# network: its modules, and shapes of some weights as they are there (those of images without the axis of time)
NAMED: dict[str, tuple[Iterable[str], dict[str, Shape]]] = {
    "X3D-S": (
        x3d.modules(),
        {
            "s1.pathway0_stem.conv_xy.weight": (24, 3, 1, 3, 3),
            "s1.pathway0_stem.conv.weight": (24, 1, 5, 1, 1),
            "s2.pathway0_res0.branch2.se.fc2.bias": (54,),
            "s4.pathway0_res10.branch2.b.weight": (216, 1, 3, 3, 3),
            "s5.pathway0_res0.branch1.weight": (192, 96, 1, 1, 1),
            "head.conv_5_bn.running_mean": (432,),
            "head.lin_5.weight": (2048, 432, 1, 1, 1),
            "head.projection.weight": (400, 2048, 1, 1, 1),
        },
    ),
    "X3D-L": (x3d.modules(5.0), {"s4.pathway0_res24.branch2.se.fc1.weight": (16, 216)}),
    "CoX3D-S_13": (x3d.modules(), {"s5.pathway0_res6.branch2.c.weight": (192, 432, 1, 1, 1)}),
    "Slow-8x8-R50": (
        resnet3d.modules(),
        {
            "s1.pathway0_stem.conv.weight": (64, 3, 1, 7, 7),
            "s4.pathway0_res0.branch1.weight": (1024, 512, 1, 1, 1),
            "s5.pathway0_res2.branch2.a.weight": (512, 2048, 3, 1, 1),
            "head.projection.bias": (400,),
        },
    ),
    "CoI3D_8": (resnet3d.modules(), {"s1.pathway0_stem.conv.weight": (64, 3, 5, 7, 7)}),
    "I3D-R50 NL dot 32x2": (
        resnet3d.modules(after={1: (1, 3), 2: (1, 3, 5)}),
        {
            "s3.pathway0_nonlocal3.conv_theta.weight": (256, 512, 1, 1, 1),
            "s4.pathway0_nonlocal5.conv_out.weight": (1024, 512, 1, 1, 1),
            "s4.pathway0_nonlocal5.bn.weight": (1024,),
        },
    ),
    "SlowFast-8x8-R101": (
        slowfast.modules(slowfast.VARIANTS["SlowFast-8x8-R101"]),
        {
            "s1.pathway1_stem.conv.weight": (8, 3, 5, 7, 7),
            "s4.pathway0_res22.branch2.b.weight": (256, 256, 1, 3, 3),
            "s1_fuse.conv_f2s.weight": (16, 8, 5, 1, 1),
            "s4_fuse.bn.bias": (256,),
            "head.projection.weight": (400, 2304, 1, 1, 1),
        },
    ),
    "ir-CSN-152": (
        csn.modules(csn.DEPTHS[152], False),
        {
            "stem.0.weight": (64, 3, 3, 7, 7),
            "layer3.35.conv2.0.weight": (256, 1, 3, 3, 3),
            "layer4.0.downsample.1.bias": (2048,),
        },
    ),
    "ip-CSN-152": (
        csn.modules(csn.DEPTHS[152], True),
        {"layer2.7.conv2.0.0.weight": (128, 128, 1, 1, 1), "layer2.7.conv2.0.2.weight": (128, 1, 3, 3, 3)},
    ),
    "R3D-18_8": (
        r3d.modules(),
        {
            "layer1.1.conv2.0.weight": (64, 64, 3, 3, 3),
            "layer3.0.downsample.0.weight": (256, 128, 1, 1, 1),
            "fc.bias": (400,),
        },
    ),
    "MC3-18_16": (r3d.modules(), {"layer2.0.conv1.0.weight": (128, 64, 1, 3, 3)}),
    "R(2+1)D-18_16": (
        r2plus1d.modules(),
        {
            "stem.0.weight": (45, 3, 1, 7, 7),
            "stem.3.weight": (64, 45, 3, 1, 1),
            "layer2.0.conv1.0.0.weight": (230, 64, 1, 3, 3),
            "layer4.1.conv2.0.3.weight": (512, 1152, 3, 1, 1),
            "layer4.0.conv2.1.running_var": (512,),
        },
    ),
    "R(2+1)D-34_32": (r2plus1d.modules((3, 4, 6, 3)), {"layer3.5.conv1.0.1.weight": (576,)}),
    "R(2+1)D-152_32": (
        r2plus1d.modules((3, 8, 36, 3), bottlenecks=True),
        {"layer1.0.conv1.0.weight": (64, 64, 1, 1, 1), "layer3.35.conv3.0.weight": (1024, 256, 1, 1, 1)},
    ),
    "C3D padded": (
        c3d.modules(),
        {"backbone.conv3b.conv.weight": (256, 256, 3, 3, 3), "backbone.fc6.weight": (4096, 512, 1, 4, 4)},
    ),
    "RSANet-R50_16": (
        rsa.modules(),
        {
            "base_model.layer1.2.conv2.projection.weight": (80, 64, 1, 1, 1),
            "base_model.layer3.5.conv2.H1.weight": (1024, 1, 5, 7, 7),
            "base_model.layer4.1.conv2.P1": (1, 64, 64),
            "base_model.layer4.2.conv2.weight": (512, 512, 1, 3, 3),
            "new_fc.weight": (174, 2048, 1, 1, 1),
        },
    ),
    "BQN-R50_16": (
        bqn.modules(),
        {
            "base_model.mbpf1.conv_s.weight": (3, 1, 1, 9, 9),
            "base_model.layer4.2.mbpf.conv_t.weight": (2048, 1, 3, 1, 1),
            "base_model.layer2.0.path_f.downsample.0.weight": (512, 256, 1, 1, 1),
            "base_model.layer1.0.d_up.1.weight": (256,),
        },
    ),
    "OadTR-b2 [A.Net]": (
        oadtr.modules(2),
        {
            "position_encoding.pe.weight": (64, 1024),
            "encoder.net.2.fn.fn.qkv.weight": (3072, 1024),
            "encoder.net.3.fn.fn.net.3.bias": (1024,),
            "mlp_head.weight": (22, 1024),
        },
    ),
    "CoOadTR-b1 [Kin.]": (
        oadtr.continual_modules(1),
        {"0.weight": (1024, 4096), "3.0.1.out_proj.weight": (1024, 1024), "3.2.1.3.bias": (1024,), "4.fn.bias": (1024,)},
    ),
    "CoOadTR-b2 [A.Net]": (
        oadtr.continual_modules(2),
        {"3.0.0.1.in_proj_weight": (3072, 1024), "3.0.1.fn.1.fn.3.bias": (1024,), "3.1.fn.2.1.0.weight": (1024, 1024)},
    ),
    "TANet-R50_8": (
        tanet.modules(),
        {
            "backbone.layer2.0.tam.L.0.weight": (32, 128, 3, 1, 1),
            "backbone.layer2.0.tam.G.0.weight": (16, 8),
            "backbone.layer4.2.block.conv2.conv.weight": (512, 512, 1, 3, 3),
        },
    ),
    "TSM-MobileOne-S4_16": (
        mobileone.modules(),
        {
            "backbone.stage0.net.branch_scale.conv.weight": (64, 3, 1, 1, 1),
            "backbone.stage3.18.net.se.conv1.conv.weight": (56, 896),
            "backbone.stage3.19.net.branch_norm.weight": (896,),
            "backbone.stage4.1.net.branch_conv_list.0.conv.weight": (2048, 896, 1, 1, 1),
        },
    ),
}


@pytest.mark.parametrize("name", NAMED)
def test_weights_have_the_names_of_public_code(name: str) -> None:
    modules, known = NAMED[name]
    layer = SYSTEMS[name].layer
    named = original_names(layer, modules)
    assert len(set(named.values())) == len(named)
    shapes = {named[ours]: shape for ours, shape in layer.parameters().items()}
    assert {theirs: shapes[theirs] for theirs in known} == known


# network: its parts, parameters of ours, and the weights of the original that each is made of
MADE_OF: dict[str, tuple[Iterable[Module], dict[str, tuple[str, ...]]]] = {
    "ViViT-B/16x2": (
        vivit.modules(vivit.joint, vivit.B),
        {
            "0.weight": ("embedding/kernel",),
            "1.inner.0.weight": ("cls",),
            "1.inner.1.weight": ("Transformer/posembed_input/pos_embedding",),
            "1.inner.2.layers.11.self_attn.in_proj_weight": tuple(
                f"Transformer/encoderblock_11/MultiHeadDotProductAttention_0/{name}/kernel"
                for name in ("query", "key", "value")
            ),
            "1.inner.2.layers.3.linear2.bias": ("Transformer/encoderblock_3/MlpBlock_0/Dense_1/bias",),
            "1.inner.2.norm.weight": ("Transformer/encoder_norm/scale",),
            "2.inner.weight": ("output_projection/kernel",),
        },
    ),
    "ViViT-L/16x2 FE": (
        vivit.modules(vivit.factorised_encoder, vivit.L),
        {
            "1.inner.0.weight": ("cls_SpatialTransformer",),
            "2.inner.2.layers.23.norm2.bias": ("TemporalTransformer/encoderblock_23/LayerNorm_1/bias",),
        },
    ),
    "ViViT-B/16x2 FE mean": (
        vivit.modules(vivit.spatial_encoder, vivit.B),
        {"1.inner.2.norm.bias": ("SpatialTransformer/encoder_norm/bias",)},
    ),
    "ViViT-B/16x2 FSA": (
        vivit.modules(vivit.factorised_attention, vivit.B),
        {
            "2.0.main.inner.1.out_proj.weight": (
                "Transformer/encoderblock_0/MultiHeadDotProductAttention_space/out/kernel",
            ),
            "13.1.main.inner.0.weight": ("Transformer/encoderblock_11/LayerNorm_time/scale",),
            "13.2.main.inner.3.weight": ("Transformer/encoderblock_11/MlpBlock/Dense_1/kernel",),
        },
    ),
    "ViViT-B/16x2 FDP": (
        vivit.modules(vivit.factorised_products, vivit.B),
        {
            "2.0.main.2.inner.bias": ("Transformer/encoderblock_0/MultiHeadDotProductAttention_0/out/bias",),
            "2.1.main.inner.0.weight": ("Transformer/encoderblock_0/LayerNorm_1/scale",),
        },
    ),
    "MTV-B": (
        mtv.modules(),
        {
            "0.cls_view2": ("cls_view2",),
            "0.posembed_input_view1": ("MultiviewEncoder/posembed_input_view1/pos_embedding",),
            "0.embedding_view0.weight": ("embedding_view0/kernel",),
            "0.cross_view_encoderblock_11.cross_attention_view0_1.k_proj_weight": (
                "MultiviewEncoder/cross_view_encoderblock_11/cross_attention_view0_1/key/kernel",
            ),
            "0.encoderblock_4_view1.linear1.weight": ("MultiviewEncoder/encoderblock_4_view1/MlpBlock_0/Dense_0/kernel",),
            "0.encoderblock_5_view1.linear1.weight": (
                "MultiviewEncoder/cross_view_encoderblock_5/mlp_view1/Dense_0/kernel",
            ),
            "0.encoderblock_5_view0.norm1.weight": ("MultiviewEncoder/cross_view_encoderblock_5/msa_ln_view0/scale",),
            "1.inner.0.weight": ("cls_global",),
            "1.inner.2.layers.11.norm1.bias": ("global_encoder/encoderblock_11/LayerNorm_0/bias",),
        },
    ),
    "ST-GCN": (
        st_gcn.modules(),
        {
            "1.0.0.main.0.2.0.weight": ("layers.layer1.gcn.graph_attn",),
            "1.0.0.main.0.2.0.adjacency": ("layers.layer1.gcn.A",),
            "5.0.main.0.0.main.0.1.1.bias": ("layers.layer5.gcn.g_conv.1.bias",),
            "5.0.main.0.0.shortcut.1.running_var": ("layers.layer5.gcn.gcn_residual.1.running_var",),
            "5.0.shortcut.0.weight": ("layers.layer5.residual.t_conv.weight",),
            "10.0.main.2.weight": ("layers.layer10.tcn.bn.weight",),
            "13.weight": ("fc.weight",),
        },
    ),
    "CoST-GCN*": (st_gcn.modules(strided=False), {"8.0.shortcut.1.bias": ("layers.layer8.residual.bn.bias",)}),
    "A-GCN": (
        st_gcn.modules(st_gcn.Mixing("clip")),
        {"2.0.main.0.0.main.0.1.0.b.weight": ("layers.layer2.gcn.b_conv.1.weight",)},
    ),
    "S-TR": (
        st_gcn.modules(st_gcn.Mixing(plain=st_gcn.PLAIN)),
        {
            "4.0.main.0.0.main.0.running_mean": ("layers.layer4.gcn.data_bn.running_mean",),
            "5.0.main.0.0.1.weight": ("layers.layer5.gcn.attention_conv.qkv_conv.weight",),
        },
    ),
    "OadTR [A.Net]": (
        oadtr.original_modules(),
        {
            "1.weight": ("cls_token",),
            "3.layers.2.linear2.weight": ("encoder.net.5.fn.fn.net.3.weight",),
            "4.query": ("decoder_cls_token",),
            "4.layers.4.multihead_attn.in_proj_bias": tuple(
                f"decoder.layers.4.cross_attention.{name}_projection.bias" for name in ("query", "key", "value")
            ),
            "4.layers.0.linear1.weight": ("decoder.layers.0.conv1.weight",),
            "4.foresee.bias": ("classifier.bias",),
        },
    ),
    "TAdaConvNeXtV2-T_16": (
        tada_next.modules(tada_next.SIZES["T"]),
        {
            "1.1.weight": ("backbone.downsample_layers.1.1.weight",),
            "2.3.main.0.1.4.main.1.in_proj_bias": ("backbone.stages.2.1.dwconv_rf.qkv_proj.bias",),
            "2.3.main.0.1.5.weight": (
                "backbone.stages.2.1.dwconv_rf.b.weight",
                "backbone.stages.2.1.dwconv_rf.b_bias.weight",
            ),
            "2.3.main.0.1.7.1.1.weight": ("backbone.stages.2.1.dwconv.bias",),
            "2.3.main.5.weight": ("backbone.stages.2.1.gamma",),
        },
    ),
    "TAdaFormer-B/16_16 SSv2": (
        tadaformer.modules(tadaformer.SIZES["B/16"], twice=True),
        {
            "1.inner.weight": ("backbone.class_embedding",),
            "4.0.main.2.0.weight": ("backbone.layers.0.tada.tadaconv.weight",),
            "4.1.main.1.in_proj_weight": ("backbone.layers.0.attn.in_proj_weight",),
            "4.2.main.3.1.1.running_var": ("backbone.layers.0.tada2.tadaconv.bn_b.running_var",),
            "19.bias": ("head.out.bias",),
        },
    ),
}


@pytest.mark.parametrize("name", MADE_OF)
def test_weights_are_made_of_those_of_the_authors_code(name: str) -> None:
    modules, known = MADE_OF[name]
    found = origins(SYSTEMS[name].layer, modules)
    assert {ours: found[ours].names for ours in known} == known
    names = [theirs for origin in found.values() for theirs in origin.names]
    often = [theirs for theirs, count in Counter(names).items() if count > 1]
    assert all(theirs.endswith((".graph_attn", ".A")) for theirs in often)


# -- the same numbers, as the original computes with them ----------------------------------------------------------------

HEADS, EACH, SIZE = 2, 3, 6


def flaxen(rng: np.random.Generator, path: str, inputs: int = SIZE) -> dict[str, Array]:
    """Attention of flax: heads have an axis of their own."""
    inside = {f"{path}/{name}/kernel": rng.standard_normal((inputs, HEADS, EACH)) for name in ("query", "key", "value")}
    inside |= {f"{path}/{name}/bias": rng.standard_normal((HEADS, EACH)) for name in ("query", "key", "value")}
    return inside | {
        f"{path}/out/kernel": rng.standard_normal((HEADS, EACH, SIZE)),
        f"{path}/out/bias": rng.standard_normal(SIZE),
    }


def asked(state: dict[str, Array], path: str, x: Array) -> tuple[Array, ...]:
    """Queries, keys and values `(..., heads, features)`."""
    projected = (
        np.tensordot(x, state[f"{path}/{name}/kernel"], 1) + state[f"{path}/{name}/bias"]
        for name in ("query", "key", "value")
    )
    return tuple(projected)


def attended(q: Array, k: Array, v: Array) -> Array:
    """Over the last axis but two."""
    return np.einsum("...hqk,...khd->...qhd", softmax(np.einsum("...qhd,...khd->...hqk", q, k) / EACH**0.5, axis=-1), v)


def test_attention_of_flax_is_ours_with_its_weights() -> None:
    rng = np.random.default_rng(3)
    state, x = flaxen(rng, "a"), rng.standard_normal((2, 5, SIZE))
    theirs = np.tensordot(attended(*asked(state, "a", x)), state["a/out/kernel"], 2) + state["a/out/bias"]
    layer = Sequential((MultiheadAttention(SIZE, HEADS),))
    ours = layer(from_original(layer, weights.attention("a"), state), x)
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_the_first_heads_of_model_4_look_along_time_and_the_others_over_space() -> None:
    """`factorized_dot_product_attention` gives the first group of heads the first axis behind the batch."""
    rng = np.random.default_rng(4)
    layer = vivit.both_ways(vivit.Size(SIZE, HEADS))
    path = "Transformer/encoderblock_0/MultiHeadDotProductAttention_0"
    norm = {
        "Transformer/encoderblock_0/LayerNorm_0/scale": np.ones(SIZE),
        "Transformer/encoderblock_0/LayerNorm_0/bias": np.zeros(SIZE),
    }
    state, x = flaxen(rng, path) | norm, rng.standard_normal((1, 4, 3, SIZE))  # frames, tokens
    normed = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + vivit.EPS)
    q, k, v = asked(state, path, normed)
    first, last = (tuple(y[..., i : i + 1, :] for y in (q, k, v)) for i in range(HEADS))
    over_time = np.swapaxes(attended(*(np.swapaxes(y, 1, 2) for y in first)), 1, 2)
    both = np.concatenate([over_time, attended(*last)], axis=-2)
    theirs = x + np.tensordot(both, state[f"{path}/out/kernel"], 2) + state[f"{path}/out/bias"]
    modules = list(vivit.both_of_block("Transformer/encoderblock_0"))[:3]
    ours = layer(from_original(layer, modules, state), np.moveaxis(x, -1, 1))
    np.testing.assert_allclose(np.moveaxis(ours, 1, -1), theirs, rtol=1e-12)


def test_features_of_a_head_are_in_turns_in_the_code_of_tadaconv() -> None:
    """`view(b, 3, head_dim, heads, t)`: of what is projected, every A-th of A heads is the same head's."""
    rng = np.random.default_rng(5)
    state = {
        "qkv_proj.weight": rng.standard_normal((3 * SIZE, SIZE, 1, 1, 1)),
        "qkv_proj.bias": rng.standard_normal(3 * SIZE),
    }
    state |= {"attn_out.weight": rng.standard_normal((SIZE, SIZE, 1, 1, 1)), "attn_out.bias": rng.standard_normal(SIZE)}
    x = rng.standard_normal((SIZE, 4))  # frames last
    projected = state["qkv_proj.weight"][..., 0, 0, 0] @ x + state["qkv_proj.bias"][:, None]
    q, k, v = np.einsum("sdht->shtd", projected.reshape(3, EACH, HEADS, 4))
    mixed = softmax(q @ np.swapaxes(k, 1, 2) / SIZE**0.5, axis=-1) @ v
    theirs = (
        state["attn_out.weight"][..., 0, 0, 0] @ np.swapaxes(mixed, 1, 2).reshape(SIZE, 4) + state["attn_out.bias"][:, None]
    )
    layer = Sequential((ClipAttention(SIZE, HEADS, "time", scaled=SIZE),))
    modules = (weights.stacked("qkv_proj", turned=checkpoint.interleaved(HEADS)), "attn_out")
    ours = layer(from_original(layer, modules, state), x[None, :, :, None, None])
    np.testing.assert_allclose(ours[0, :, :, 0, 0], theirs, rtol=1e-12)


def test_numbers_of_channels_of_joints_become_those_of_joints_of_channels() -> None:
    value = np.arange(6)  # channel 0 of joints 0, 1, 2; channel 1 of them
    np.testing.assert_array_equal(checkpoint.regrouped(2)(value, (6,)), [0, 3, 1, 4, 2, 5])


def test_what_is_missing_or_of_another_size_is_told() -> None:
    layer = Sequential((Linear(2, 3),))
    with pytest.raises(ValueError, match=r"the original has no fc\.weight"):
        from_original(layer, ["fc"], {"fc.bias": np.zeros(3)})
    with pytest.raises(ValueError, match=r"fc\.weight has shape \(4, 2\) there, not what makes \(3, 2\) here"):
        from_original(layer, ["fc"], {"fc.weight": np.zeros((4, 2)), "fc.bias": np.zeros(3)})


def test_one_name_is_not_told_of_what_is_made_of_several() -> None:
    layer = Sequential((MultiheadAttention(SIZE, HEADS),))
    with pytest.raises(ValueError, match="in_proj_weight is made of a/query/kernel, a/key/kernel, a/value/kernel"):
        original_names(layer, weights.attention("a"))


# -- every network -------------------------------------------------------------------------------------------------------

PLAIN, ADAPTIVE, ATTENDING = st_gcn.EDGES, st_gcn.Mixing("clip"), st_gcn.Mixing(plain=st_gcn.PLAIN)


def beyond_or(name: str, plain: Iterable[Module], first: int) -> Iterable[Module]:
    """Those with non-local blocks are of mmaction2."""
    mode = {"dot": "dot product", "gauss": "gaussian"}.get(name.split()[2] if len(name.split()) > 2 else "", "embedded")
    return modules_of_mmaction2(resnet3d.BLOCKS, (mode, first)) if " NL" in name else plain


def of_r2plus1d(name: str) -> Iterable[Module]:
    if "mmaction2" in name:
        return r2plus1d.modules_of_mmaction2()
    if "-R50" in name:
        return r2plus1d.modules_of_pytorchvideo()
    return (
        r2plus1d.modules((3, 8, 36, 3), bottlenecks=True)
        if "152" in name
        else r2plus1d.modules((2, 2, 2, 2) if "-18" in name else (3, 4, 6, 3))
    )


def of_tsm(name: str) -> Iterable[Module]:
    if " NL" in name:
        return modules_of_mmaction2(tsm.BLOCKS[50], ("dot product" if "dot" in name else "gaussian", 0), shifted=True)
    if "MobileOne" in name:
        return mobileone.modules()
    return tsm.mobilenet_modules() if "Mobile" in name else tsm.resnet_modules(tsm.BLOCKS[101 if "101" in name else 50])


# family: the modules of a network of it, by its name; None: no original is public
WRITTEN: dict[str, Callable[[str], Iterable[Module] | None]] = {
    "3D ResNet": lambda name: hara.modules(hara.BLOCKS[int(name.rpartition("-")[2])], name.endswith(("-18", "-34"))),
    "BQN": lambda _: bqn.modules(),
    "C2D": lambda _: resnet3d.modules(),
    "C3D": lambda name: c3d.modules(norms=name.endswith("BN")),
    "CSN": lambda name: csn.modules(csn.DEPTHS[csn.NETWORKS[name][0]], csn.NETWORKS[name][1]),
    "Co3D": lambda name: x3d.modules(x3d.SIZES[name[6]][2]) if "X3D" in name else resnet3d.modules(),
    "CoOadTR": lambda name: oadtr.continual_modules(int(name[9])),
    "GTZAN": lambda _: None,
    "I3D": lambda name: beyond_or(name, resnet3d.modules(), 1),
    "MTV": lambda _: mtv.modules(),
    "MViT": lambda name: mvit.modules(SYSTEMS[name].layer),
    "OadTR": lambda name: oadtr.modules(int(name[7])) if "-b" in name else oadtr.original_modules(),
    "R(2+1)D": of_r2plus1d,
    "R3D": lambda _: r3d.modules(),
    "RSA": lambda _: rsa.modules(),
    "S3D": lambda name: None if "-G" in name else s3d.modules(),
    "ST-GCN": lambda name: st_gcn.modules(
        ADAPTIVE if "A-GCN" in name else ATTENDING if "S-TR" in name else PLAIN, not name.startswith("Co")
    ),
    "Slow": lambda name: beyond_or(name, resnet3d.modules(), 0),
    "SlowFast": lambda name: slowfast.modules(slowfast.VARIANTS[name]),
    "TAda2D": lambda _: tada.modules(),
    "TAdaConvNeXtV2": lambda name: tada_next.modules(tada_next.SIZES[name[15]]),
    "TAdaFormer": lambda name: tadaformer.modules(tadaformer.SIZES[name[11:15]], "SSv2" in name),
    "TANet": lambda _: tanet.modules(),
    "TEA": lambda _: tea.modules(),
    "TSM": of_tsm,
    "ViViT": lambda name: vivit.modules(*vivit.NETWORKS[name][:2]),
    "X3D": lambda name: x3d.modules(x3d.SIZES[name.removeprefix("X3D-")][2]),
}


def test_every_network_has_the_names_of_its_original_but_those_without_one() -> None:
    """S3D-G and GTZAN: no code of their authors is public."""
    nameless = set()
    for name, system in SYSTEMS.items():
        modules = WRITTEN[system.family](name)
        if modules is None:
            nameless.add(name)
        else:
            assert origins(system.layer, modules).keys() == system.layer.parameters().keys(), name
    assert nameless == {"GTZAN-b1", "GTZAN-b2", "S3D-G_64"}
