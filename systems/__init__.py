"""One file per published network, built from reference operators, with its published numbers.

Layering rule: this package imports `coequal.reference` alone.
"""
