"""The reference on arrays that are not NumPy's: whatever speaks its protocols goes through, nothing is turned into floats.

`Foreign` is an array that NumPy cannot convert: an operator that tries to (`np.asarray`, a write into a NumPy buffer) fails.
Each layer runs on it and must give exactly what it gives on NumPy's own arrays.
"""

import numpy as np
import pytest

from coequal.reference.activation import TABLE, Activation
from coequal.reference.adaptive_pool import AdaptiveAvgPool, AdaptiveMaxPool, GlobalAvgPool, GlobalMaxPool
from coequal.reference.attention import MultiheadAttention
from coequal.reference.channels import SelectChannels, ZeroChannels
from coequal.reference.class_token import AppendToken, FirstToken, PrependToken
from coequal.reference.compose import Identity, Parallel, Residual, Sequential
from coequal.reference.conv import Conv
from coequal.reference.decoder import QueryDecoder
from coequal.reference.frame_difference import FrameDifference
from coequal.reference.linear import Linear
from coequal.reference.multiview import MultiviewEncoder, View
from coequal.reference.non_local import MODES, NonLocal
from coequal.reference.norm import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, RMSNorm
from coequal.reference.pad import Pad
from coequal.reference.pathways import Pathways, SelectFrames
from coequal.reference.pool import AvgPool, MaxPool
from coequal.reference.pooling_attention import PoolingBlock, PoolingEncoder
from coequal.reference.position import (
    GridEncoding,
    LearnedEncoding,
    RecyclingEncoding,
    RotaryEncoding,
    SinusoidalEncoding,
)
from coequal.reference.qkv_attention import QKVAttention
from coequal.reference.recurrent import GRU, LSTM, RNN
from coequal.reference.shift import TemporalShift
from coequal.reference.softmax import Softmax
from coequal.reference.squeeze_excite import SqueezeExcite
from coequal.reference.tokens import Tokens
from coequal.reference.transformer import TransformerEncoder, TransformerEncoderLayer


class Foreign(np.lib.mixins.NDArrayOperatorsMixin):
    """An array known by its protocols alone."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        raise TypeError("a Foreign array was turned into a NumPy array")

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        result = getattr(ufunc, method)(*map(plain, inputs), **kwargs)
        objects = isinstance(result, np.ndarray) and result.dtype == object  # of np.frompyfunc, the error function
        return wrapped(result.astype(float) if objects else result)

    def __array_function__(self, function, types, args, kwargs):
        return wrapped(function(*map(plain, args), **{name: plain(value) for name, value in kwargs.items()}))

    shape = property(lambda self: self.values.shape)
    ndim = property(lambda self: self.values.ndim)
    T = property(lambda self: wrapped(self.values.T))

    def __getitem__(self, index):
        return wrapped(self.values[index])

    def reshape(self, *shape):
        return wrapped(self.values.reshape(*shape))

    def sum(self, **options):
        return wrapped(self.values.sum(**options))


def plain(x):
    if isinstance(x, list | tuple):
        return type(x)(map(plain, x))
    return x.values if isinstance(x, Foreign) else x


def wrapped(x):
    if isinstance(x, list | tuple):
        return type(x)(map(wrapped, x))
    return Foreign(x) if isinstance(x, np.ndarray) else x


TOKENS, VIDEO, FRAMES = (2, 5, 4), (2, 4, 5, 3), (2, 4, 2, 3, 2)
LAYERS = {
    TOKENS: [
        *(MultiheadAttention(4, 2, mode=mode) for mode in ("full", "causal", "single")),
        *(MultiheadAttention(4, 2, mode=mode, window=3) for mode in ("sliding", "single")),
        RNN(4, 3),
        RNN(4, 3, nonlinearity="relu", bias=False),
        LSTM(4, 3, num_layers=2, bidirectional=True),
        LSTM(4, 3, proj_size=2),
        GRU(4, 3),
        SinusoidalEncoding(4, 5),
        LearnedEncoding(4, 5),
        RecyclingEncoding(4, 3),
        RecyclingEncoding(4, 3, learned=False),
        RotaryEncoding(2),
        RotaryEncoding(4, interleaved=False),
        Linear(4, 3),
        LayerNorm(4),
        RMSNorm(4, eps=1e-5),
        TransformerEncoderLayer(4, 2, 3, norm_first=True),
        TransformerEncoderLayer(4, 2, 3, "gelu"),
        TransformerEncoder(TransformerEncoderLayer(4, 2, 3, mode="single", window=4), 2, norm=True),
        MultiheadAttention(4, 2, bias=False, out_bias=True),
        TransformerEncoderLayer(4, 2, 3, attention_bias=(False, True)),
        AppendToken(4),
        PrependToken(4),
        PrependToken(4, learned=False),
        FirstToken(),
        QueryDecoder(4, 2, 3, 2, 2, 3),
        Parallel((Identity(), RNN(4, 3)), "concatenate"),
    ],
    FRAMES: [
        *(NonLocal(4, 2, mode, pooled) for mode in MODES for pooled in (False, True)),
        PoolingEncoder((PoolingBlock(4, 8, 2, (3, 3, 3), reach=(2, 3)), PoolingBlock(8, 8, 2, reach=(2, 3)))),
        PoolingEncoder((PoolingBlock(4, 8, 2, (3, 3, 3), stride_q=(1, 2, 2)), PoolingBlock(8, 8, 2)), 2, 6),
        MultiviewEncoder((View(4, 2, 3, 2, 1), View(2, 1, 3, 1, 1)), 1, (0,), 2, 6, 4),
    ],
    VIDEO: [
        *(Conv(4, 2, (3, 2), padding=1, padding_mode=mode) for mode in ("zeros", "replicate", "reflect", "circular")),
        Conv(4, 4, (3, 2), 2, 1, groups=2),
        Pad(((1, 2), (0, 1))),
        AvgPool((2, 2), padding=1, count_include_pad=False),
        MaxPool((2, 2), padding=1, ceil_mode=True),
        AdaptiveAvgPool((2, 2)),
        AdaptiveMaxPool((2, 2)),
        GlobalAvgPool(2),
        GlobalMaxPool(2, window=3),
        BatchNorm(4),
        GroupNorm(2, 4),
        InstanceNorm(4),
        Softmax(1),
        *(Activation(name) for name in TABLE),
        TemporalShift(2),
        TemporalShift(4, bidirectional=False),
        ZeroChannels(4, 7),
        SelectChannels(1, 3),
        FrameDifference(2),
        SqueezeExcite(4, 2),
        SqueezeExcite(4, 2, "clip"),
        SqueezeExcite(4, 2, "window", 3),
        Sequential((Residual(TemporalShift(2)), Residual(SqueezeExcite(4, 2), reduce="product"))),
        Parallel((TemporalShift(2), Identity(), TemporalShift(3)), "concatenate"),
        *(Tokens(MultiheadAttention(4, 2), over) for over in ("space", "time", "all")),
        Tokens(Sequential((Linear(4, 6), QKVAttention(2, 1))), "time"),
        GridEncoding(4, 9, 9),
        GridEncoding(4, 2, 9, recycled=True),
        SelectFrames(2),
        Pathways(2, (Softmax(1),), (MaxPool((2, 1)),), ()),
    ],
}
CASES = [(layer, shape) for shape, layers in LAYERS.items() for layer in layers]


@pytest.mark.parametrize(
    ("layer", "shape"), CASES, ids=[f"{i}-{type(layer).__name__}" for i, (layer, _) in enumerate(CASES)]
)
def test_runs_on_any_array_that_speaks_the_protocols(layer, shape):
    rng = np.random.default_rng(11)
    clip = rng.standard_normal(shape)
    parameters = {name: rng.random(shape) for name, shape in layer.parameters().items()}  # variances are positive
    got = layer({name: Foreign(value) for name, value in parameters.items()}, Foreign(clip))
    assert isinstance(got, Foreign)
    assert got.values.tolist() == layer(parameters, clip).tolist()
