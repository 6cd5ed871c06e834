"""The rules of the table of meanings, by family: importing this package fills the table."""

from coequal.proofs.field.semantics import algebra, functions, maxima, moves, norms, pooling, products

__all__ = ["algebra", "functions", "maxima", "moves", "norms", "pooling", "products"]
