"""Exact arithmetic: unmodified programs run over prime fields, so that "the same function" has an answer without tolerance.

    number.py     what a float stands for           constants.py   tensors of them
    primes.py     primes that keep products exact   residue.py     arithmetic on residues
    hash.py       free functions                    degree.py, bound.py   the probability of a wrong "equal"
    meanings.py   what every operation means        rules/         the rules, by family
    symbols.py    variables coded as floats         storage.py     residues beside a program's own tensors
    torch_mode.py, python_mode.py   the torch front end
    numpy_array.py, numpy_table.py, numpy_index.py, primitives.py   the NumPy front end
    numpy_table.py, numpy_index.py   what NumPy's functions and indices are in torch   primitives.py   what is taken as given

Layering rule: as `coequal.proofs`; NumPy is imported by the NumPy front end alone.
"""
