"""The operators of `coequal.reference` in PyTorch, a frame at a time, weight-compatible with torch.nn.

    from coequal.continual.convert import convert          # the continual twin of a torch.nn network
    from coequal.continual.module import Stream            # push, flush, reset, fork

Layering rule: this package imports `coequal.reference`, torch and the standard library.
"""
