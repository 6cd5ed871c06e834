"""The harness: does this stream compute its clip? `verify` is the way of a subject to its verdict.

Layering rule: this package imports `coequal.subjects`, `coequal.proofs` and what is below them, never the face.
"""
