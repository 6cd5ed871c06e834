"""Published numbers, judged: data files with what papers and model zoos print, and what follows from the networks.

    leaves.py       a network taken apart into operators
    conventions.py  what the counters of papers count, operator by operator
    claim.py        the data files, checked when read
    judge.py        the verdicts

Layering rule: as all of `proofs`; `judge.py` looks networks up in `coequal.systems`.
"""
