"""The same networks in open-mmlab/mmaction2, where it is installed: theirs with random weights, ours with the same ones.

`pip install --no-deps mmaction2 'mmcv-lite<2.2' mmengine`, with what these import (addict, yapf, opencv, decord, ...). They
are as wide as the package has them, where it takes no other number. That streams are clips is `test_streams.py`.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from coequal.continual.to_torch import regular
from coequal.reference.layer import Layer, Shape
from coequal.systems import c3d, csn, mobileone, mvit, r2plus1d, resnet3d, st_gcn, tanet, tsm, x3d
from coequal.systems.blocks import modules_of_mmaction2
from coequal.systems.weights import original_names

CLASSES, ROUNDINGS = 5, 100_000  # at most, on the longest way through a network
NORM = {"type": "BN3d", "eps": 1e-5}  # 0.001 in their configuration of R(2+1)D, but inside of its pairs


def theirs(file: str, package: str = "mmaction") -> ModuleType:
    """A file of mmaction.models, without those beside it: the wheel of 1.2.0 lacks some that the folder imports."""
    root = Path(pytest.importorskip(package).__file__).parent / "models"  # type: ignore[arg-type]
    for folder in ("", ".backbones"):
        name = f"{package}.models{folder}"
        if name not in sys.modules:
            sys.modules[name] = ModuleType(name)
            sys.modules[name].__path__ = [str(root / folder[1:])]
    from mmengine.registry import init_default_scope

    init_default_scope(package)
    return importlib.import_module(f"{package}.models.{file}")


class Recognizer(torch.nn.Module):
    """A backbone of theirs, with the mean over all places and the linear map that their heads have; `(B, classes)`."""

    def __init__(self, backbone: torch.nn.Module, features: int, by_frame: bool = False) -> None:
        super().__init__()
        self.backbone, self.by_frame = backbone, by_frame
        self.fc_cls = torch.nn.Linear(features, CLASSES)

    def forward(self, clip: torch.Tensor) -> torch.Tensor:
        frames = clip.transpose(1, 2).flatten(0, 1) if self.by_frame else clip
        features = self.backbone(frames)
        parts = features if isinstance(features, tuple) else (features,)
        means = torch.cat([part.flatten(2).mean(2) if part.dim() > 2 else part for part in parts], 1)
        return self.fc_cls(means).unflatten(0, (len(clip), -1)).mean(1)


INSIDE = (  # of a block, as it computes
    *("conv1.", "tam.L", "tam.G", "conv2.", "se_module", "conv3.", "downsample"),
    *(f"non_local_block.{name}" for name in ("g", "theta", "phi", "conv_out.conv", "conv_out.bn")),
)


def modules(net: torch.nn.Module) -> Iterator[str]:
    """Those with weights in the order of ours: block by block, a shortcut after its branch."""
    names = [name for name, module in net.named_modules() if list(module.parameters(recurse=False))]
    blocks = list(dict.fromkeys(map(_block, names)))

    def place(name: str) -> tuple[int, int]:
        parts = [i for i, part in enumerate(INSIDE) if part in f"{name}."]
        return blocks.index(_block(name)), parts[0] if parts and ".layer" in name else 0

    yield from sorted(names, key=place)


def _block(name: str) -> str:
    """The block of a stage that a module is in, or itself."""
    parts = name.split(".")
    stage = next((i for i, part in enumerate(parts) if part.startswith("layer")), None)
    return name if stage is None else ".".join(parts[: stage + 2])


Weights = dict[str, torch.Tensor]


def in_order(net: torch.nn.Module, layer: Layer) -> Weights:
    """By the order of modules: those of theirs by the names of ours."""
    held = net.state_dict()
    return {ours: held[name] for ours, name in original_names(layer, modules(net)).items()}


def by_name(known: Callable[[], Iterator[str]]) -> Callable[[torch.nn.Module, Layer], Weights]:
    """By the names that the family gives."""

    def found(net: torch.nn.Module, layer: Layer) -> Weights:
        held = {name.replace("fc_cls.", "cls_head.fc_cls."): value for name, value in net.state_dict().items()}
        named = original_names(layer, known())
        assert set(named.values()) == set(held)
        return {ours: held[name] for ours, name in named.items()}

    return found


@dataclass(frozen=True)
class Case:
    """Theirs, ours, a clip, and what of theirs are our weights."""

    net: Callable[[], torch.nn.Module]
    layer: Layer
    shape: Shape
    weights: Callable[[torch.nn.Module, Layer], Weights] = in_order


def _mvit() -> torch.nn.Module:
    stages = {"embed_dims": 8, "num_layers": 4, "num_heads": 1, "downscale_indices": [1, 3]}
    backbone = theirs("backbones.mvit").MViT(arch=stages, spatial_size=16, temporal_size=4)
    return _MViT(backbone)


def _of_mvit(net: torch.nn.Module, layer: Layer) -> Weights:
    """By their names, which are nearly ours."""
    held = net.state_dict()
    places = {
        "0.": "backbone.patch_embed.projection.",
        "1.norm.": "backbone.norm2.",
        "1.": "backbone.",
        "2.inner.": "fc_cls.",
    }
    starts = {name: next(place for place in places if name.startswith(place)) for name in layer.parameters()}
    return {name: held[places[start] + name.removeprefix(start)] for name, start in starts.items()}


class _MViT(torch.nn.Module):
    """With the linear map of its class token."""

    def __init__(self, backbone: torch.nn.Module) -> None:
        super().__init__()
        self.backbone, self.fc_cls = backbone, torch.nn.Linear(32, CLASSES)

    def forward(self, clip: torch.Tensor) -> torch.Tensor:
        _, token = self.backbone(clip)[-1]
        return self.fc_cls(token)


def _tsm() -> torch.nn.Module:
    return Recognizer(theirs("backbones.resnet_tsm").ResNetTSM(50, num_segments=3), 2048, by_frame=True)


def non_local(mode: str, first: int, scaled: bool) -> dict[str, Any]:
    """Options of theirs: behind every other block of the second and the third stage, from the `first` on."""
    places = tuple(tuple(int(i in (1, 2) and j % 2 == first) for j in range(depth)) for i, depth in enumerate(DEPTHS))
    config = {"sub_sample": True, "use_scale": scaled, "norm_cfg": {"type": "BN3d"}, "mode": mode, "zeros_init": False}
    return {"non_local": places, "non_local_cfg": config}


def _tsm_beyond(mode: str) -> Callable[[], torch.nn.Module]:
    def build() -> torch.nn.Module:
        options = non_local(mode, 0, False)
        return Recognizer(theirs("backbones.resnet_tsm").ResNetTSM(50, num_segments=3, **options), 2048, by_frame=True)

    return build


def _mobilenet() -> torch.nn.Module:
    return Recognizer(theirs("backbones.mobilenet_v2_tsm").MobileNetV2TSM(num_segments=3), 1280, by_frame=True)


def _mobileone() -> torch.nn.Module:
    """Theirs is made of one of mmpretrain."""
    made = theirs("backbones.mobileone", "mmpretrain").MobileOne
    sys.modules["mmpretrain.models"].MobileOne = made  # type: ignore[attr-defined]
    shifted = theirs("backbones.mobileone_tsm").MobileOneTSM
    theirs("backbones.mobileone", "mmpretrain")  # whose layers it is built of
    return Recognizer(shifted("s4", num_segments=3), 2048, by_frame=True)


def _tanet() -> torch.nn.Module:
    return Recognizer(theirs("backbones.tanet").TANet(50, num_segments=4, tam_cfg={}), 2048, by_frame=True)


class _C3D(torch.nn.Module):
    """With the linear map of its features."""

    def __init__(self, backbone: torch.nn.Module) -> None:
        super().__init__()
        self.backbone, self.fc_cls = backbone, torch.nn.Linear(4096, CLASSES)

    def forward(self, clip: torch.Tensor) -> torch.Tensor:
        return self.fc_cls(self.backbone(clip))


def _c3d() -> torch.nn.Module:
    return _C3D(theirs("backbones.c3d").C3D())


def _csn(mode: str) -> Callable[[], torch.nn.Module]:
    def build() -> torch.nn.Module:
        made = theirs("backbones.resnet3d_csn").ResNet3dCSN
        options = {"bottleneck_mode": mode, "pretrained2d": False, "norm_eval": False, "with_pool2": False}
        return Recognizer(made(50, None, base_channels=2, **options), 64)

    return build


def _r2plus1d() -> torch.nn.Module:
    theirs("common")  # registers pairs of convolutions
    net = theirs("backbones.resnet2plus1d").ResNet2Plus1d(
        34, None, pretrained2d=False, conv_cfg={"type": "Conv2plus1d"}, norm_cfg=NORM, base_channels=4,
        conv1_kernel=(3, 7, 7), conv1_stride_t=1, pool1_stride_t=1, inflate=(1, 1, 1, 1), zero_init_residual=False,
        spatial_strides=(1, 2, 2, 2), temporal_strides=(1, 2, 2, 2),
    )  # fmt: skip
    return Recognizer(net, 32)


def _i3d(**options: Any) -> torch.nn.Module:
    net = theirs("backbones.resnet3d").ResNet3d(
        50, None, pretrained2d=False, base_channels=2, conv1_kernel=(5, 7, 7), conv1_stride_t=2, pool1_stride_t=2,
        inflate=((1, 1, 1), (1, 0, 1, 0), (1, 0, 1, 0, 1, 0), (0, 1, 0)), zero_init_residual=False, **options,
    )  # fmt: skip
    return Recognizer(net, 64)


def _slow(**options: Any) -> torch.nn.Module:
    made = theirs("backbones.resnet3d_slowonly").ResNet3dSlowOnly
    net = made(depth=50, pretrained=None, pretrained2d=False, lateral=False, base_channels=2, **options)
    return Recognizer(net, 64)


def _x3d() -> torch.nn.Module:
    return _X3D(theirs("backbones.x3d").X3D(gamma_w=1, gamma_b=2.25, gamma_d=1))


class _X3D(torch.nn.Module):
    """With the two linear maps of its head."""

    def __init__(self, backbone: torch.nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.fc1, self.fc2 = torch.nn.Linear(432, 8, bias=False), torch.nn.Linear(8, CLASSES)

    def forward(self, clip: torch.Tensor) -> torch.Tensor:
        return self.fc2(self.fc1(self.backbone(clip).mean((2, 3, 4))).relu())


class _STGCN(torch.nn.Module):
    """With the mean over frames, joints and persons, and a linear map; clips `(B, 3, T, V, M)`."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = theirs("backbones.stgcn").STGCN(
            graph_cfg={"layout": "nturgb+d", "mode": "stgcn_spatial"}, data_bn_type="MVC", base_channels=4, num_stages=3,
            inflate_stages=[3], down_stages=[3], gcn_conv_pos="post", gcn_with_res=True,
        )  # fmt: skip
        self.fc_cls = torch.nn.Linear(8, CLASSES)

    def forward(self, clip: torch.Tensor) -> torch.Tensor:
        features = self.backbone(clip.permute(0, 4, 2, 3, 1))
        return self.fc_cls(features.mean((1, 3, 4)))


def _of_st_gcn(net: torch.nn.Module, layer: Layer) -> Weights:
    """Ours has a convolution for each kind of neighbours; theirs has one, with one bias, which goes to the first kind."""
    held = {name.removeprefix("backbone."): value for name, value in net.state_dict().items()}
    found: Weights = {}
    for name in layer.parameters():
        place, _, attribute = name.rpartition(".")
        if (of_kind := GRAPH.fullmatch(place)) is None:
            found[name] = held[f"{_place_of(place)}.{attribute}"]
            continue
        gcn, kind = f"gcn.{int(of_kind['block']) - 1}.gcn", int(of_kind["kind"])
        if of_kind["part"] == "0":
            found[name] = held[f"{gcn}.{'A' if attribute == 'adjacency' else 'PA'}"][kind]
        elif attribute == "weight":
            found[name] = held[f"{gcn}.conv.weight"].chunk(3, 1)[kind]
        else:
            found[name] = held[f"{gcn}.conv.bias"] * (kind == 0)
    return found


GRAPH = re.compile(r"(?P<block>\d+)\.0\.(?:main\.0\.)?0\.main\.0\.(?P<kind>\d)\.(?P<part>[01])")
INSIDE_GRAPHS = {
    **{"1.0.0.main.1": "gcn.bn", "1.0.0.shortcut.0": "gcn.down.0", "1.0.0.shortcut.1": "gcn.down.1"},
    **{"1.1": "tcn.conv", "1.2": "tcn.bn"},
    **{"0.main.0.0.main.1": "gcn.bn", "0.main.0.0.shortcut.0": "gcn.down.0", "0.main.0.0.shortcut.1": "gcn.down.1"},
    **{"0.main.1": "tcn.conv", "0.main.2": "tcn.bn", "0.shortcut.0": "residual.conv", "0.shortcut.1": "residual.bn"},
}


def _place_of(place: str) -> str:
    """The module of theirs that is ours at a place, but for graph convolutions."""
    if place in ("0", "6"):
        return "data_bn" if place == "0" else "fc_cls"
    block, _, rest = place.partition(".")
    return f"gcn.{int(block) - 1}.{INSIDE_GRAPHS[place if block == '1' else rest]}"


DEPTHS = (3, 4, 6, 3)
CASES = {
    "MViTv2": Case(_mvit, mvit.mvit(mvit.Size(4, (1, 3), 8, 1), (4, 16), CLASSES), (2, 3, 4, 16, 16), _of_mvit),
    "TSM-R50": Case(_tsm, tsm.resnet(3, DEPTHS, CLASSES), (2, 3, 3, 32, 32)),
    "TSM-R50 NL dot": Case(
        _tsm_beyond("dot_product"),
        tsm.resnet(3, DEPTHS, CLASSES, chosen=("dot product", 0)),
        (2, 3, 3, 32, 32),
        by_name(lambda: modules_of_mmaction2(DEPTHS, ("dot product", 0), shifted=True)),
    ),
    "TSM-R50 NL gauss": Case(
        _tsm_beyond("gaussian"),
        tsm.resnet(3, DEPTHS, CLASSES, chosen=("gaussian", 0)),
        (2, 3, 3, 32, 32),
        by_name(lambda: modules_of_mmaction2(DEPTHS, ("gaussian", 0), shifted=True)),
    ),
    "I3D NL dot": Case(
        lambda: _i3d(**non_local("dot_product", 1, False)),
        resnet3d.resnet("I3D", 16, 2, CLASSES, stride=2, chosen=("dot product", 1)),
        (1, 3, 16, 32, 32),
        by_name(lambda: modules_of_mmaction2(DEPTHS, ("dot product", 1))),
    ),
    "Slow NL": Case(
        lambda: _slow(**non_local("embedded_gaussian", 0, True)),
        resnet3d.resnet("Slow", 4, 2, CLASSES, chosen=("embedded", 0)),
        (1, 3, 4, 32, 32),
        by_name(lambda: modules_of_mmaction2(DEPTHS, ("embedded", 0))),
    ),
    "TSM-MobileNetV2": Case(_mobilenet, tsm.mobilenet(3, CLASSES), (2, 3, 3, 32, 32)),
    "TSM-MobileOne": Case(_mobileone, mobileone.mobileone(3, CLASSES), (1, 3, 3, 32, 32), by_name(mobileone.modules)),
    "TANet": Case(_tanet, tanet.tanet(4, CLASSES), (1, 3, 4, 32, 32), by_name(tanet.modules)),
    "C3D": Case(_c3d, c3d.c3d(CLASSES, padded=True), (1, 3, 16, 112, 112), by_name(c3d.modules)),
    "ir-CSN": Case(_csn("ir"), csn.csn(8, DEPTHS, False, 2, CLASSES), (1, 3, 8, 32, 32)),
    "ip-CSN": Case(_csn("ip"), csn.csn(8, DEPTHS, True, 2, CLASSES), (1, 3, 8, 32, 32)),
    "R(2+1)D": Case(
        _r2plus1d, r2plus1d.of_mmaction2(8, 4, CLASSES), (1, 3, 8, 32, 32), by_name(r2plus1d.modules_of_mmaction2)
    ),
    "I3D": Case(_i3d, resnet3d.resnet("I3D", 16, 2, CLASSES, stride=2), (1, 3, 16, 32, 32)),
    "Slow": Case(_slow, resnet3d.resnet("Slow", 4, 2, CLASSES), (1, 3, 4, 32, 32)),
    "ST-GCN": Case(_STGCN, st_gcn.st_gcn(8, True, CLASSES, blocks=((4, 1), (4, 1), (8, 2))), (1, 3, 16, 25, 2), _of_st_gcn),
    "X3D": Case(_x3d, x3d.x3d(4, 1.0, "clip", 24, 8, CLASSES), (1, 3, 4, 64, 64)),
}


@pytest.mark.parametrize("name", CASES)
def test_it_is_that_of_mmaction2(name: str, within: Any) -> None:
    case = CASES[name]
    torch.manual_seed(0)
    net = case.net().double().eval()
    with torch.no_grad():
        for value in (*net.parameters(), *net.buffers()):
            if value.is_floating_point():
                value.uniform_(0.5, 1.5) if value.dim() == 1 else value.normal_(0, value[0].numel() ** -0.5)
        clip = torch.randn(case.shape, dtype=torch.float64)
        expected = net(clip).numpy()
        weights, shapes = case.weights(net, case.layer), case.layer.parameters()
        ours = regular(case.layer).double().eval()
        ours.load_state_dict({name: weights[name].reshape(shape) for name, shape in shapes.items()})
        got = ours(clip).flatten(1).numpy()
    within(got, expected, np.full(expected.shape, np.abs(expected).max()), ROUNDINGS)
