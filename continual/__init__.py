"""The operators of `coequal.reference` in PyTorch, a frame at a time, weight-compatible with torch.nn.

Layering rule: this package imports `coequal.reference`, torch and the standard library.
"""
