"""Weights under the names that the authors' code has, or another public code where theirs has no names of this kind."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from coequal.reference.layer import Shape
from coequal.systems import bqn, c3d, csn, mobileone, oadtr, r2plus1d, r3d, resnet3d, rsa, slowfast, tanet, x3d
from coequal.systems.catalogue import SYSTEMS
from coequal.systems.weights import original_names

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
