"""Small networks of every family: reference = torch, and = continual where the network streams.

Channels and sizes are small, the structure is the published one. Streams are longer than the receptive field, so that
frames far from either end of the clip are among what is compared.
"""

import pytest

from coequal.continual.conversion import NotStreamable, convert
from coequal.continual.to_torch import regular
from coequal.equivalence.campaigns import agree as campaign
from coequal.equivalence.campaigns.contents import Architecture
from coequal.reference.compose import Sequential
from coequal.systems import (
    audio,
    bqn,
    c3d,
    csn,
    hara,
    mobileone,
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
    x3d,
)

ONE = (1, 1, 1, 1)
UNEVEN = slowfast.Variant(8, 5, (1, 1, 2, 1), ONE, (3, 1), classes=5)
NARROW, FLAT = tada_next.Size(ONE, 4, 4), tadaformer.Size(8, 8, 1, 2)
SKELETON, TURNING = ((4, 1), (4, 1), (6, 2)), st_gcn.Mixing(plain=1, heads=1)
SMALL = {
    "CoX3D": (x3d.x3d(3, 1.0, "frame", 8, 16, 5), (1, 3, 33, 32, 32)),
    "CoI3D": (resnet3d.resnet("I3D", 8, 4, 5, ONE), (1, 3, 38, 32, 32)),
    "CoSlow": (resnet3d.resnet("Slow", 4, 4, 5, (1, 1, 2, 2)), (2, 3, 16, 32, 32)),
    "R(2+1)D": (r2plus1d.r2plus1d(16, 2, 5, ONE), (1, 3, 72, 16, 16)),
    "R(2+1)D VMZ": (r2plus1d.r2plus1d(16, 2, 5, ONE, own=True), (1, 3, 72, 16, 16)),
    "R(2+1)D deep": (r2plus1d.deep(16, 2, 5, ONE), (1, 3, 32, 16, 16)),
    "R(2+1)D mmaction2": (r2plus1d.of_mmaction2(8, 2, 5, ONE), (1, 3, 56, 16, 16)),
    "R(2+1)D pytorchvideo": (r2plus1d.of_pytorchvideo(8, 2, 5, ONE), (1, 3, 20, 16, 16)),
    "ir-CSN": (csn.csn(16, ONE, False, 2, 5), (1, 3, 32, 16, 16)),
    "ip-CSN": (csn.csn(16, ONE, True, 2, 5), (1, 3, 32, 16, 16)),
    "I3D mmaction2": (resnet3d.resnet("I3D heavy", 16, 2, 5, ONE, 2), (1, 3, 80, 16, 16)),
    "3D ResNet, shortcut A": (hara.resnet(32, ONE, width=2, classes=5), (1, 3, 96, 32, 32)),
    "3D ResNet, shortcut B": (hara.resnet(16, ONE, hara.bottleneck, 2, 5), (1, 3, 80, 32, 32)),
    "3D ResNeXt": (hara.resnet(16, ONE, hara.next_bottleneck, 16, 5), (1, 3, 64, 16, 16)),
    "R3D": (r3d.r3d(16, r3d.before(6), width=2, classes=5, blocks=1), (1, 3, 72, 16, 16)),
    "MC3": (r3d.r3d(4, r3d.before(3), width=2, classes=5, blocks=1), (1, 3, 16, 16, 16)),
    "rMC4": (r3d.r3d(16, r3d.since(4), width=2, classes=5, blocks=1), (1, 3, 40, 16, 16)),
    "fR2D": (r3d.r3d(3, r3d.before(1), width=2, classes=5, blocks=1), (1, 3, 6, 16, 16)),
    "C3D": (c3d.c3d(5, norms=True, width=1, wide=3), (1, 3, 96, 96, 96)),
    "TEA": (tea.tea(2, 10, 5, (1, 2, 1, 1)), (1, 3, 16, 48, 48)),
    "TSM": (tsm.resnet(2, (1, 1, 2, 1), 5, width=8), (2, 3, 13, 32, 32)),
    "TSM of every other block": (tsm.resnet(None, (1, 1, 23, 1), 5, width=8), (1, 3, 40, 8, 8)),
    "TSM-MobileNetV2": (tsm.mobilenet(2, 5, width=16, wide=8), (1, 3, 24, 32, 32)),
    "TSM-MobileNetV2 online": (tsm.mobilenet(None, 5, False, 16, 8), (1, 3, 14, 32, 32)),
    "TSM-MobileOne": (mobileone.mobileone(2, 5, 8, ((1, 64, 0), (2, 64, 1))), (1, 3, 14, 16, 16)),
    "BQN": (bqn.bqn(2, 5, 8, (1, 1), 3, (3, 3)), (1, 3, 42, 16, 16)),
    "RSANet": (rsa.rsanet(2, 5, 8, 2, (1, 2), ((), (1,))), (1, 3, 10, 16, 16)),
    "ST-GCN": (st_gcn.st_gcn(2, True, 5, 4, 2, SKELETON), (1, 3, 36, 4, 2)),
    "CoST-GCN*": (st_gcn.st_gcn(3, False, 5, 4, 2, SKELETON), (1, 3, 28, 4, 2)),
    "CoA-GCN*": (st_gcn.st_gcn(3, False, 5, 4, 2, SKELETON, st_gcn.Mixing("frame")), (1, 3, 28, 4, 2)),
    "S-TR": (st_gcn.st_gcn(2, True, 5, 4, 2, SKELETON, TURNING), (1, 3, 36, 4, 2)),
    "CoS-TR*": (st_gcn.st_gcn(3, False, 5, 4, 2, SKELETON, TURNING), (1, 3, 28, 4, 2)),
    "TAdaConvNeXtV2, looking back": (tada_next.tada_next(4, NARROW, 5, 3), (1, 3, 90, 32, 32)),
    "TAdaFormer, looking back": (tadaformer.tadaformer(4, FLAT, 5, True, 3, 16), (1, 3, 40, 16, 16)),
    "TAda2D, local": (tada.tada2d(2, False, 4, 5, ONE), (1, 3, 27, 32, 32)),
    "S3D": (s3d.s3d(16, False, 5, 1, 16), (1, 3, 112, 32, 32)),
    "CoOadTR-b1": (oadtr.continual(6, 1, 5, 8, 2, 3), (2, 17, 6)),
    "CoOadTR-b2": (oadtr.continual(6, 2, 5, 8, 2, 3), (1, 17, 6)),
    "GTZAN-b1": (audio.audio(1, 7, 5, 8, 2), (1, 21, 5)),
    "GTZAN-b2": (audio.audio(2, 7, 5, 8, 2), (1, 21, 5)),
}
CLIPS = {
    "X3D": (x3d.x3d(5, 1.0, "clip", 8, 16, 5), (2, 3, 5, 32, 32)),
    "SlowFast": (slowfast.slowfast(slowfast.Variant(4, 7, ONE, ONE, classes=5), 16), (1, 3, 16, 32, 32)),
    "SlowFast, two depths": (slowfast.slowfast(UNEVEN, 16), (1, 3, 16, 32, 32)),
    "TAda2D": (tada.tada2d(5, True, 4, 5, ONE), (2, 3, 5, 32, 32)),
    "A-GCN": (st_gcn.st_gcn(2, True, 5, 4, 2, SKELETON, st_gcn.Mixing("clip")), (2, 3, 4, 4, 2)),
    "TAdaConvNeXtV2": (tada_next.tada_next(6, NARROW, 5), (2, 3, 6, 32, 32)),
    "TAdaFormer": (tadaformer.tadaformer(6, FLAT, 5, True, None, 16), (2, 3, 6, 16, 16)),
    "TANet": (tanet.tanet(4, 5, 8, ONE), (2, 3, 4, 32, 32)),
    "I3D NL": (resnet3d.resnet("I3D", 4, 4, 5, (1, 2, 2, 1), chosen=("dot product", 1)), (1, 3, 4, 64, 64)),
    "Slow NL": (resnet3d.resnet("Slow", 3, 4, 5, (1, 1, 3, 1), chosen=("embedded", 0)), (2, 3, 3, 64, 64)),
    "TSM NL": (tsm.resnet(3, (1, 1, 1, 1), 5, width=8, chosen=("gaussian", 0)), (1, 3, 3, 64, 64)),
    "S3D-G": (s3d.s3d(16, True, 5, 1, 16), (2, 3, 16, 32, 32)),
    "OadTR": (oadtr.oadtr(6, 5, 8, 4, 3, 2, 2, 3), (2, 5, 6)),
    "OadTR-b2": (oadtr.oadtr_b(6, 2, 5, 8, 2, 3), (2, 5, 6)),
}


def cases(networks: dict[str, tuple[Sequential, tuple[int, ...]]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("layer", "shape"), networks.values(), ids=list(networks))


@cases(SMALL)
def test_streams_are_their_clips(layer: Sequential, shape: tuple[int, ...]) -> None:
    """Receptive field passed: at least one emission has seen neither end of the clip."""
    timing = layer.timing
    assert timing is not None
    assert shape[layer.time] >= timing.receptive_field - timing.pad_start
    campaign.agree(Architecture(layer, shape), seed=3)


@cases(CLIPS)
def test_clips_are_torchs(layer: Sequential, shape: tuple[int, ...]) -> None:
    assert layer.timing is None
    campaign.agree(Architecture(layer, shape), seed=4)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("X3D", r"1\.0\.0\.main\.5 \(SqueezeExcite\) cannot be streamed: its gates come from the whole clip"),
        ("SlowFast", r"0 \(Pathways\) cannot be streamed: its slow frames are spread over the whole clip"),
        ("TAda2D", r"1\.0\.0\.main\.3\.main\.main\.0\.1\.0 \(GlobalPool\) cannot be streamed: it needs the whole clip"),
        ("TAdaConvNeXtV2", r"0\.2\.main\.0\.1\.4\.main\.1 \(ClipAttention\) cannot be streamed: it attends to every frame"),
        (
            "A-GCN",
            r"1\.0\.0\.main\.0\.0\.0 \(AdaptiveJointMixing\) cannot be streamed: its edges are made of the whole clip",
        ),
        ("TANet", r"1\.0\.0\.main\.3\.1 \(AdaptiveKernel\) cannot be streamed: its kernel is made of every frame"),
        ("TSM NL", r"2\.1\.main\.0 \(NonLocal\) cannot be streamed: every position sees all frames of the clip"),
        ("S3D-G", r"16\.main\.0 \(GlobalPool\) cannot be streamed: it needs the whole clip"),
        ("OadTR", r"1 \(AppendToken\) cannot be streamed: it stands at the end of the clip"),
    ],
)
def test_what_the_papers_do_not_stream_is_refused(name: str, reason: str) -> None:
    layer, _ = CLIPS[name]
    with pytest.raises(NotStreamable, match=reason):
        convert(regular(layer).eval())


def test_x3d_and_cox3d_are_other_functions_of_the_same_weights() -> None:
    """What the catalogue says of them, seen on one clip: per-frame gates are not those of the clip."""
    import numpy as np

    from coequal.equivalence.campaigns.contents import weights

    clip = np.random.default_rng(6).standard_normal((1, 3, 4, 32, 32))
    original, stream = (x3d.x3d(4, 1.0, scope, 8, 16, 5) for scope in ("clip", "frame"))
    parameters = weights(original, 6)
    assert stream.parameters() == original.parameters()
    difference = np.abs(original(parameters, clip) - stream(parameters, clip)).max()
    assert difference > 1e-6 * np.abs(original(parameters, clip)).max()


@pytest.mark.parametrize("blocks", [1, 2])
def test_recycled_positions_tell_windows_apart(blocks: int) -> None:
    """The same window of tokens at another place of the stream is another input: positions go on counting.

    With learned rows: the fixed cycle of so few, so narrow rows holds the same numbers in each.
    """
    import numpy as np

    from coequal.equivalence.campaigns.contents import weights

    layer = oadtr.continual(4, blocks, 3, 8, 2, 3, learned=True)
    window = np.random.default_rng(7).standard_normal((1, 3, 4))
    parameters = weights(layer, 7)
    twice = layer(parameters, np.concatenate([window, window], axis=1))
    assert twice.shape[1] == 4
    assert np.abs(twice[:, 0] - twice[:, 3]).max() > 1e-6 * np.abs(twice).max()


def test_a_network_whose_frames_are_channels_has_no_frame_by_itself() -> None:
    """R2D: the first convolution is as long as the clip, so that every frame changes everything after it."""
    layer = r3d.r3d(8, r3d.FAMILY["R2D-18"], stacked=True, width=2, classes=5, blocks=1)
    campaign.agree(Architecture(layer, (1, 3, 8, 16, 16)), seed=5)
    assert layer.output_shape((1, 3, 8, 16, 16)) == (1, 5, 1, 1, 1)
    assert layer.timing is not None
    assert layer.timing.receptive_field == 8
