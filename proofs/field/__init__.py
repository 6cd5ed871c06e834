"""Exact arithmetic: unmodified programs run over prime fields, so that "the same function" has an answer without tolerance.

    numbers/         primes, constants, variables coded as floats, the hash that free functions are
    arithmetic.py    residues, and what is computed with them
    degree.py, bound.py   the probability of a wrong "equal"
    semantics/       what every operation means: one table, its rules by family
    torch_frontend/  unmodified torch programs: dispatched operations, overrides, residues beside their tensors
    numpy_frontend/  NumPy's functions and indices in torch, and what is taken as given

Layering rule: as `coequal.proofs`; NumPy is imported by the NumPy front end alone.
"""
