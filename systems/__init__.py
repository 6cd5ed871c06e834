"""One file per family of published networks, built from reference operators; `catalogue.py` has them all by name.

Layering rule: this package imports `coequal.reference` alone.
"""
