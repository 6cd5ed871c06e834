"""ST-GCN, A-GCN, S-TR and their continual ones: graph convolutions over the joints of a skeleton, clips `(B, 3, T, 25, 2)`.

    norm     of each coordinate of each joint of each person
    blocks   of 64, 64, 64, 64, 128, 128, 128, 256, 256, 256 channels C; stride 2 in time in the fifth and the eighth
    block    relu(norm(conv 9x1x1, stride (s, 1, 1)(g)) + shortcut(x)), the first without a shortcut
    g        relu(norm(sum of three conv 1x1x1(mixing(x)), -> C) + x, or norm(conv 1x1x1(x)) where channels change)
    head     mean over joints, persons and time; 256 -> 60

`mixing` is along the edges of the skeleton, once for each of three kinds of neighbours A, with weights W; those of A-GCN are
adaptive, S being how alike joints are over the whole clip, so that nothing streams. CoA-GCN* looks at each frame.

    y[v] = sum_u x[u] A[u, v] W[u, v]                                            ST-GCN
    y[v] = sum_u x[u] (A[u, v] + W[u, v] + softmax_u(S[u, v]))                   A-GCN (`reference/skeleton.py`)

In S-TR, from the fourth block on, attention over the joints of each person in each frame (`reference/joint_attention.py`)
stands for graph convolutions, of 8 heads, C / 4 channels of queries and C of values:

    g        relu(norm(a(x) + x)), or relu(norm(a(x))) where channels change
    a        norm of each coordinate of each joint; conv 1x1x1, -> C / 4 + C / 4 + C; attention; conv 1x1x1, C -> C

Every convolution has a bias. Where C or s is another one than before, the shortcut is a convolution 1x1x1 with norm.

CoST-GCN*, CoA-GCN* and CoS-TR* have no strides, and the mean over as many frames as an unpadded network of 300 frames has,
220; the authors leave out padding as well. Of a frame that sees neither end of the clip, both say the same: the stream here
pads its beginning with zeros. They are other functions of the same weights. Edges that S-TR has and never uses are left out.

Sources: Yan, Xiong & Lin, "Spatial temporal graph convolutional networks for skeleton-based action recognition", AAAI 2018;
Shi, Zhang, Cheng & Lu, "Two-stream adaptive graph convolutional networks for skeleton-based action recognition", CVPR 2019;
Plizzari, Cannici & Matteucci, "Skeleton-based action recognition via spatial and temporal transformer networks", Computer
Vision and Image Understanding 2021; Hedegaard, Heidari & Iosifidis, "Continual spatio-temporal graph convolutional
networks", Pattern Recognition 2023; layers as in LukasHedegaard/continual-skeletons (`models/base.py`, `models/a_gcn`,
`models/s_tr`, `models/cost_gcn_mod`, `models/coa_gcn_mod`, `models/cos_tr_mod`, `datasets/datasets.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from coequal.reference import checkpoint
from coequal.reference.adaptive_pool import AdaptiveAvgPool, GlobalAvgPool
from coequal.reference.compose import Parallel, Residual, Sequential
from coequal.reference.conv import Conv
from coequal.reference.joint_attention import JointAttention
from coequal.reference.layer import Layer
from coequal.reference.norm import BatchNorm
from coequal.reference.skeleton import AdaptiveJointMixing, JointMixing, JointNorm
from coequal.systems import weights
from coequal.systems.blocks import RELU, classifier, normed
from coequal.systems.system import System
from coequal.systems.weights import Module

PAPER = "Yan, Xiong & Lin, AAAI 2018, arXiv 1801.07455"
ADAPTIVE = "Shi, Zhang, Cheng & Lu, CVPR 2019, arXiv 1805.07694"
ATTENDING = "Plizzari, Cannici & Matteucci, CVIU 2021, arXiv 2008.07404"
CONTINUAL = "Hedegaard, Heidari & Iosifidis, Pattern Recognition 2023, arXiv 2203.11009"
FRAMES, JOINTS, PERSONS, CLASSES = 300, 25, 2, 60  # of NTU RGB+D
KINDS, AROUND, POINT, NARROW = 3, 9, (1, 1, 1), 4
HEADS, PLAIN = 8, 3  # of attention; blocks of S-TR before it
BLOCKS = ((64, 1), (64, 1), (64, 1), (64, 1), (128, 2), (128, 1), (128, 1), (256, 2), (256, 1), (256, 1))


def graph(inputs: int, outputs: int, joints: int, scope: str | None) -> Sequential:
    """A graph convolution around a shortcut; `scope` of its adaptive edges, None where they are not."""
    mixing: Layer = JointMixing(joints)
    if scope is not None:
        mixing = AdaptiveJointMixing(inputs, outputs // NARROW, joints, scope)
    kinds = [Sequential((mixing, Conv(inputs, outputs, POINT)))] * KINDS
    main = Sequential((Parallel(tuple(kinds)), BatchNorm(outputs)))
    shortcut = None if inputs == outputs else Sequential(normed(Conv(inputs, outputs, POINT)))
    return Sequential((Residual(main, shortcut), RELU))


def attention(inputs: int, outputs: int, joints: int, heads: int) -> Sequential:
    """Attention over joints, around x itself if there are as many channels."""
    inner = outputs // NARROW
    maps = Conv(inputs, 2 * inner + outputs, POINT), JointAttention(outputs, inner, heads), Conv(outputs, outputs, POINT)
    main = Sequential((JointNorm(inputs, joints, None), *maps))
    return Sequential((Residual(main) if inputs == outputs else main, BatchNorm(outputs), RELU))


@dataclass(frozen=True)
class Mixing:
    """How joints meet: along edges, of `scope` where they are adaptive; behind `plain` blocks by attention of `heads`.

    None: edges are not adaptive; there is no attention.
    """

    scope: str | None = None
    plain: int | None = None
    heads: int = HEADS

    def layer(self, index: int, inputs: int, outputs: int, joints: int) -> Sequential:
        """That of a block, counted from 0."""
        if self.plain is not None and index >= self.plain:
            return attention(inputs, outputs, joints, self.heads)
        return graph(inputs, outputs, joints, self.scope)


EDGES = Mixing()


def block(inputs: int, outputs: int, stride: int, first: bool, spatial: Sequential) -> Sequential:
    """What mixes joints, and a convolution over time, around a shortcut but for the `first`."""
    strides = (stride, 1, 1)
    over_time = Conv(outputs, outputs, (AROUND, 1, 1), strides, (AROUND // 2, 0, 0))
    main = Sequential((spatial, *normed(over_time)))
    if first:
        return Sequential((*main.layers, RELU))
    same = inputs == outputs and stride == 1
    shortcut = None if same else Sequential(normed(Conv(inputs, outputs, POINT, strides)))
    return Sequential((Residual(main, shortcut), RELU))


def st_gcn(
    window: int,
    strided: bool = True,
    classes: int = CLASSES,
    joints: int = JOINTS,
    persons: int = PERSONS,
    blocks: tuple[tuple[int, int], ...] = BLOCKS,
    mixing: Mixing = EDGES,
) -> Sequential:
    """The network; `window` frames of the last block are pooled."""
    layers: list[Layer] = [JointNorm(3, joints, persons)]
    inputs = 3
    for i, (channels, stride) in enumerate(blocks):
        spatial = mixing.layer(i, inputs, channels, joints)
        layers.append(block(inputs, channels, stride if strided else 1, i == 0, spatial))
        inputs = channels
    return Sequential((*layers, AdaptiveAvgPool((None, 1, 1)), GlobalAvgPool(3, window), classifier(inputs, classes)))


def modules(mixing: Mixing = EDGES, strided: bool = True, blocks: tuple[tuple[int, int], ...] = BLOCKS) -> Iterator[Module]:
    """Modules with weights of LukasHedegaard/continual-skeletons, in the order of ours.

    What a network without strides calls them within `co.Residual` its `map_state_dict` makes of these names.
    """
    yield "data_bn"
    inputs = 3
    for i, (outputs, stride) in enumerate(blocks):
        at, same = f"layers.layer{i + 1}", inputs == outputs
        if mixing.plain is not None and i >= mixing.plain:
            yield weights.stacked(f"{at}.gcn.data_bn", turned=checkpoint.regrouped(inputs))
            yield from (f"{at}.gcn.{name}" for name in ("attention_conv.qkv_conv", "attention_conv.attn_out", "bn"))
        else:
            yield from graph_modules(f"{at}.gcn", same, mixing.scope is not None)
        yield from (f"{at}.tcn.t_conv", f"{at}.tcn.bn")
        if i > 0 and not (same and (stride == 1 or not strided)):
            yield from (f"{at}.residual.t_conv", f"{at}.residual.bn")
        inputs = outputs
    yield "fc"


def graph_modules(at: str, same: bool, adaptive: bool) -> Iterator[Module]:
    """Of a graph convolution, to as many channels (`same`) or to others."""
    for kind in range(KINDS):
        yield weights.sliced(kind, weight=f"{at}.graph_attn", adjacency=f"{at}.A")
        if adaptive:
            yield from (f"{at}.a_conv.{kind}", f"{at}.b_conv.{kind}")
        yield f"{at}.g_conv.{kind}"
    yield f"{at}.bn"
    if not same:
        yield from (f"{at}.gcn_residual.0", f"{at}.gcn_residual.1")


def systems() -> list[System]:
    """ST-GCN, A-GCN and S-TR on clips of 300 frames, the continual ones a frame at a time, of two persons of 25 joints."""
    shape, frame, window = (1, 3, FRAMES, JOINTS, PERSONS), (1, 3, 1, JOINTS, PERSONS), FRAMES - len(BLOCKS) * (AROUND - 1)
    found = []
    for name, paper, of_clips, of_frames, notes in (
        ("ST-GCN", PAPER, EDGES, EDGES, ""),
        ("A-GCN", ADAPTIVE, Mixing("clip"), Mixing("frame"), "edges are made of the whole clip: not streamable; "),
        ("S-TR", ATTENDING, Mixing(plain=PLAIN), Mixing(plain=PLAIN), ""),
    ):
        clip, stream = st_gcn(FRAMES // 4, mixing=of_clips), st_gcn(window, strided=False, mixing=of_frames)
        other = "" if of_clips == of_frames else ", edges of each frame"
        told = f"no strides{other}: same weights, another function; {CLASSES} classes"
        found += [
            System(name, "ST-GCN", clip, shape, paper, f"{notes}{CLASSES} classes"),
            System(f"Co{name}*", "ST-GCN", stream, shape, CONTINUAL, told, stream, frame, name),
        ]
    return found
