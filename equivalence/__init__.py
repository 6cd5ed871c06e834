"""The harness: does this stream compute its clip? Subjects, schedules, checks, decision, location, adapters.

Layering rule: this package imports `coequal.reference`, `coequal.continual` and `coequal.proofs`, never `coequal.systems`
or the face.
"""
