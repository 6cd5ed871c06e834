"""Nothing is compiled while a program is watched, and torch's compiler is not even imported."""

import subprocess
import sys

import torch

from coequal.proofs.eager import eagerly

ALONE = """
import sys
import torch
import coequal
from coequal.proofs.eager import eagerly

class Echo:
    def step(self, frame):
        return frame * 2

example = torch.randn(1, 2, 6)
report = coequal.verify(coequal.Subject(clip=lambda x: x + x, stream=Echo, example=example), effort="quick")
assert report.verdict == "proved", report
report = coequal.verify(coequal.Subject(clip=lambda x: x * x, stream=Echo, example=example), effort="quick")
assert report.verdict == "different", report

class Cache:
    def __init__(self):
        self.seen = torch.zeros(1, 0, 2)

    def step(self, frame):
        self.seen = torch.cat([self.seen, frame[:, None]], 1)
        return ((frame[:, None] @ self.seen.transpose(1, 2)).softmax(-1) @ self.seen)[:, 0]

def attention(x):
    later = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
    return (x @ x.transpose(1, 2)).masked_fill(later, -torch.inf).softmax(-1) @ x

subject = coequal.Subject(clip=attention, stream=Cache, example=torch.randn(1, 5, 2), time=1)
report = coequal.verify(subject, effort="quick", checks="exact")
assert report.horizon == "all", report
before = torch.compile
with eagerly():
    @torch.compile(fullgraph=True)
    def double(x):
        return x + x
    assert torch.compile(double) is double
assert torch.compile is before
assert double(1) == 2
print("torch._dynamo" in sys.modules)
"""


def test_the_compiler_is_not_imported():
    done = subprocess.run([sys.executable, "-P", "-c", ALONE], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "False", done.stderr


def test_what_is_compiled_runs_as_it_is():
    compiled = torch.compile(lambda x: x + 1, backend="eager")  # imports the compiler
    with eagerly():
        assert float(compiled(torch.ones(()))) == 2.0
