"""The families of the three layers: all that each of them takes.

coequal verify examples/tinystream/families.py:conv
"""

import torch
from hypothesis import strategies as st
from tinystream import GRU, CausalConv1d, SlidingAttention

import coequal


@coequal.family(
    channels=st.integers(1, 3),
    out_channels=st.integers(1, 3),
    kernel_size=st.integers(1, 5),
    stride=st.integers(1, 3),
    bias=st.booleans(),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def conv(channels, out_channels, kernel_size, stride, bias, dtype):
    """All that the layer takes; strides that it does not support are refused."""
    module = CausalConv1d(channels, out_channels, kernel_size, stride, bias).to(dtype).eval()
    example = torch.randn(2, channels, 12, dtype=dtype)
    return coequal.Subject(clip=module, stream=module.stream, example=example, time=2, modules=module)


@coequal.family(channels=st.integers(1, 3), hidden_size=st.integers(1, 4), num_layers=st.integers(1, 2), bias=st.booleans())
def gru(channels, hidden_size, num_layers, bias):
    module = GRU(channels, hidden_size, num_layers, bias).eval()
    example = torch.randn(2, 12, channels)
    return coequal.Subject(clip=module, stream=module.stream, example=example, time=1, modules=module)


@coequal.family(channels=st.integers(1, 4), heads=st.integers(1, 2), window=st.integers(1, 4))
def attention(channels, heads, window):
    module = SlidingAttention(channels, heads, window).eval()
    example = torch.randn(2, 12, channels)
    return coequal.Subject(clip=module, stream=module.stream, example=example, time=1, modules=module)
