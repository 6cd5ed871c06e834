"""What every operator computes on a whole clip, in NumPy: the page a student reads, the oracle of everything else.

Layering rule: this package imports NumPy and the standard library, nothing else.
"""
