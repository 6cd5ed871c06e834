"""A program of torch.export as a module without a memory, to be handed to what lowers it."""

from __future__ import annotations

import torch
from torch import nn
from torch.utils._pytree import tree_leaves

from coequal.subjects.artefacts.pt2 import ExportedStep

Tensor = torch.Tensor


class Functional(nn.Module):
    """The graph of a file as a module without a memory: its weights are buffers, its ports arguments and results."""

    def __init__(self, step: ExportedStep) -> None:
        super().__init__()
        self.graph, self.free, self.places = step.module, step.free, [place for place, _ in step.held]
        for place, tensor in step.held:
            self.register_buffer(f"held{place}", tensor.detach().clone())

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """What the file computes, in its own format."""
        given = {place: getattr(self, f"held{place}") for place in self.places} | dict(zip(self.free, tensors, strict=True))
        results = torch.fx.Interpreter(self.graph).run(*(given[place] for place in range(len(given))))
        return tuple(x for x in tree_leaves(results) if x is not None)
