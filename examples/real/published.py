"""Published networks as another library has them: the clip is pytorchvideo's, the stream is ours with the same weights.

`coequal verify examples/real/published.py:slow`. Installed with `pip install --no-deps pytorchvideo` and what it asks for
(fvcore, iopath, av, parameterized, networkx); narrow, with random weights. Networks that do not stream are computed when the
stream ends, on all of its frames: another implementation of the same clip.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

import torch

import coequal
from coequal.continual.conversion import convert
from coequal.continual.module import Stream
from coequal.continual.to_torch import regular
from coequal.reference.layer import Layer
from coequal.systems import csn, r2plus1d, resnet3d, slowfast, x3d
from coequal.systems.weights import original_names

WIDTH, CLASSES = 2, 3


def theirs(file: str) -> ModuleType:
    """A file of pytorchvideo.models. It imports torchvision for a layer (RoIAlign) that none of these networks has."""
    missing = [] if find_spec("torchvision") else ["torchvision", "torchvision.ops"]
    sys.modules.update({name: ModuleType(name) for name in missing})
    if missing:
        sys.modules["torchvision.ops"].RoIAlign = None  # type: ignore[attr-defined]
    try:
        return import_module(f"pytorchvideo.models.{file}")
    finally:
        for name in missing:
            del sys.modules[name]


def modules(net: torch.nn.Module) -> list[str]:
    """Those with weights in the order of ours: slow pathway, fast, lateral; the shortcut of a block after its branch."""
    names = [name for name, module in net.named_modules() if list(module.parameters(recurse=False))]
    blocks = list(dict.fromkeys(name.partition(".branch")[0] for name in names))

    def place(name: str) -> tuple[int, int, bool]:
        pathway = next((i for i, part in enumerate(PATHWAYS) if part in name), len(PATHWAYS) if "proj" in name else 0)
        return pathway, blocks.index(name.partition(".branch")[0]), ".branch1_" in name

    return sorted(names, key=place)


PATHWAYS = ("multipathway_blocks.0", "multipathway_blocks.1", "multipathway_fusion")


class Twin:
    """Our module with the weights that theirs has now: a linear map of channels is a convolution of one element here."""

    def __init__(self, net: torch.nn.Module, layer: Layer, made: Callable[[torch.nn.Module], torch.nn.Module]) -> None:
        self.net, self.module = net, made(regular(layer).eval())
        self.names, self.shapes = original_names(layer, modules(net)), layer.parameters()

    def now(self) -> torch.nn.Module:
        """The module; a verification draws other weights for theirs."""
        values = dict(self.net.named_parameters()) | dict(self.net.named_buffers())
        for name, shape in self.shapes.items():
            place, _, attribute = name.rpartition(".")
            owner = self.module.get_submodule(place)
            owner._parameters.pop(attribute, None)
            owner._buffers.pop(attribute, None)
            setattr(owner, attribute, values[self.names[name]].detach().reshape(shape))
        return self.module


def streamed(net: torch.nn.Module, layer: Layer, frames: int, side: int = 16) -> coequal.Subject:
    """Theirs on clips, ours frame by frame."""
    ours = Twin(net.eval(), layer, convert)
    example = torch.randn(1, 3, frames, side, side)
    return coequal.Subject(clip=net, stream=lambda: Stream(ours.now()), example=example, time=2, modules=net)  # type: ignore[arg-type]


class AtTheEnd:
    """A stream that has nothing to say before its end, and then computes the clip."""

    def __init__(self, module: torch.nn.Module) -> None:
        self.module, self.frames = module, list[torch.Tensor]()

    def step(self, frame: torch.Tensor) -> None:
        self.frames.append(frame.clone())

    def flush(self) -> list[torch.Tensor]:
        return list(self.module(torch.stack(self.frames, 2)).unbind(2))


def whole(net: torch.nn.Module, layer: Layer, frames: int, side: int = 16, clip: Callable | None = None) -> coequal.Subject:
    """Theirs on clips of so many frames, and ours."""
    ours = Twin(net.eval(), layer, lambda module: module)
    example = torch.randn(1, 3, frames, side, side)
    return coequal.Subject(clip=clip or net, stream=lambda: AtTheEnd(ours.now()), example=example, time=2, modules=net)


HEAD = {"dropout_rate": 0.0, "head_output_with_global_average": False, "model_num_class": CLASSES}


def short(net: torch.nn.Module, *depths: int) -> torch.nn.Module:
    """The first blocks of each stage alone: the others are like the last of them."""
    stages = [block for block in net.blocks if hasattr(block, "res_blocks")]  # type: ignore[union-attr]
    for stage, depth in zip(stages, depths, strict=True):
        stage.res_blocks = stage.res_blocks[:depth]
    return net


def slow() -> coequal.Subject:
    """Slow: kernels of 3 in time in the last two stages."""
    net = theirs("resnet").create_resnet(
        stem_dim_out=WIDTH, stem_conv_kernel_size=(1, 7, 7), head_pool_kernel_size=(2, 1, 1), **HEAD
    )
    return streamed(short(net, 1, 1, 2, 1), resnet3d.resnet("Slow", 2, WIDTH, CLASSES, (1, 1, 2, 1)), 10)


def i3d() -> coequal.Subject:
    """I3D: kernels in time of 5 and 3, a pool of two frames with stride 2."""
    kernels = (((3, 1, 1),), ((3, 1, 1), (1, 1, 1)), ((3, 1, 1), (1, 1, 1)), ((1, 1, 1), (3, 1, 1)))
    net = theirs("resnet").create_resnet(
        stem_dim_out=WIDTH, stem_conv_kernel_size=(5, 7, 7), stage1_pool=torch.nn.MaxPool3d,
        stage_conv_a_kernel_size=kernels, head_pool_kernel_size=(2, 1, 1), **HEAD,
    )  # fmt: skip
    return streamed(short(net, 1, 1, 1, 2), resnet3d.resnet("I3D", 4, WIDTH, CLASSES, (1, 1, 1, 2)), 20)


def csn_ir() -> coequal.Subject:
    """CSN, interaction-reduced: depthwise convolutions of 3x3x3. Norms add 1e-3, as in the authors' code; 1e-5 there."""
    net = theirs("csn").create_csn(stem_dim_out=WIDTH, stem_pool=torch.nn.MaxPool3d, head_pool_kernel_size=(1, 1, 1), **HEAD)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm3d):
            module.eps = csn.EPS
    return whole(short(net, 1, 1, 1, 1), csn.csn(8, (1, 1, 1, 1), False, WIDTH, CLASSES), 8)


def r2plus1d_bottleneck() -> coequal.Subject:
    """R(2+1)D of bottlenecks, time before space."""
    net = theirs("r2plus1d").create_r2plus1d(
        stem_dim_out=WIDTH, head_pool_kernel_size=(1, 1, 1), head_activation=None, **HEAD
    )
    layer = r2plus1d.of_pytorchvideo(4, WIDTH, CLASSES, (1, 1, 1, 1))
    return whole(short(net, 1, 1, 1, 1), layer, 8)


def x3d_clip() -> coequal.Subject:
    """X3D: gates of the whole clip, swish, a mean before the last two maps.

    pytorchvideo has no norm in the shortcut of the first stage, which goes from as many channels to as many with a stride of
    2. The authors' code has one there, and so does this network: theirs gets it here.
    """
    net = theirs("x3d").create_x3d(
        input_clip_length=4, input_crop_size=32, stem_dim_in=4, width_factor=2.0, depth_factor=1.0, head_dim_out=8,
        head_activation=None, **HEAD,
    )  # fmt: skip
    net.blocks[1].res_blocks[0].branch1_norm = torch.nn.BatchNorm3d(8)
    return whole(net, x3d.x3d(4, 1.0, "clip", 8, 8, CLASSES), 4, 32)


def slowfast_clip() -> coequal.Subject:
    """SlowFast: two pathways, the slow one with frames from the first to the last."""
    alpha, frames = 4, 8
    net = theirs("slowfast").create_slowfast(
        stem_dim_outs=(8, 1),
        slowfast_fusion_conv_stride=(alpha, 1, 1),
        head_pool_kernel_sizes=((2, 1, 1), (8, 1, 1)),
        **HEAD,
    )
    layer = slowfast.slowfast(slowfast.Variant(alpha, 7, frames=frames, classes=CLASSES), 8)

    def clip(x: torch.Tensor) -> torch.Tensor:
        chosen = torch.linspace(0, frames - 1, frames // alpha).long()
        return net([x[:, :, chosen], x])

    return whole(net, layer, frames, clip=clip)
