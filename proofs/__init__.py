"""What is derived rather than sampled: exact arithmetic, operation counts, theorems, published claims.

Layering rule: this package may import `coequal.reference`, `coequal.continual`, `coequal.systems` and `coequal.subjects`.
"""
