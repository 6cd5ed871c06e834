"""Each layer streams what it computes on clips: in all its configurations, and proved in a usual one."""

import pytest
import torch
from families import attention, conv, gru
from tinystream import CausalConv1d, SlidingAttention

import coequal

__all__ = ["attention", "conv", "gru"]  # each is a test


def test_the_usual_convolution():
    module = CausalConv1d(2, 4, kernel_size=3, stride=2).eval()
    subject = coequal.Subject(clip=module, stream=module.stream, example=torch.randn(1, 2, 12), modules=module)
    coequal.assert_equal(subject, require="proved-all")


@pytest.mark.coequal(require="proved")
def test_a_window_of_three():
    module = SlidingAttention(4, heads=2, window=3).eval()
    subject = coequal.Subject(clip=module, stream=module.stream, example=torch.randn(1, 9, 4), time=1, modules=module)
    coequal.assert_equal(subject)
