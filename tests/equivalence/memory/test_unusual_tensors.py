"""Tensors that are no arrays of numbers (quantized, nested, sparse): verdicts, no crash, no proof of what is hidden."""

import warnings

import pytest
import torch

from coequal import Subject, verify

Tensor = torch.Tensor
EXAMPLE = torch.randn(1, 2, 8)
KINDS = {
    "quantized": lambda: torch.quantize_per_tensor(torch.zeros(3), 0.1, 0, torch.qint32),
    "by channels": lambda: torch.quantize_per_channel(
        torch.zeros(2, 3), torch.tensor([0.1, 0.2]), torch.tensor([0, 0]), 0, torch.quint8
    ),
    "nested": lambda: torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)]),
    "jagged": lambda: torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)], layout=torch.jagged),
    "sparse": lambda: torch.eye(3).to_sparse(),
    "rows": lambda: torch.eye(3).to_sparse_csr(),
    "mkldnn": lambda: torch.eye(3).to_mkldnn(),
}


def keeping(made) -> Subject:
    """A stream that multiplies by two, and keeps something."""

    class Stream:
        def __init__(self) -> None:
            self.kept = made()

        def step(self, frame: Tensor) -> Tensor:
            return frame * 2

    return Subject(clip=lambda x: x * 2, stream=Stream, example=EXAMPLE)


@pytest.mark.parametrize("kind", KINDS)
def test_they_are_named_and_accuse_nobody(kind):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report = verify(keeping(KINDS[kind]), checks=["values", "domain", "exact"], effort="quick")
    quantized = kind in ("quantized", "by channels")
    assert report.verdict == ("proved" if quantized else "tested"), report
    assert report.horizon != "all"
    said = report.proof["state"] if quantized else report.reasons[0]
    assert "quantized tensor" in said if quantized else "has no residues" in said


def test_a_count_in_a_quantized_tensor_is_not_proved_for_every_length():
    class Stream:
        def __init__(self) -> None:
            self.count = torch.quantize_per_tensor(torch.zeros(1), 1.0, 0, torch.qint32)

        def step(self, frame: Tensor) -> Tensor:
            self.count = torch.quantize_per_tensor(self.count.dequantize() + 1, 1.0, 0, torch.qint32)
            return frame * (2 if int(self.count.int_repr()) < 500 else 3)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report = verify(Subject(clip=lambda x: x * 2, stream=Stream, example=EXAMPLE), checks=["exact"], effort="quick")
    assert report.horizon != "all"
