"""Published numbers, judged: data files with what papers and model zoos print, and what follows from the networks.

    claim.py   the data files, checked when read
    judge.py   the verdicts

What the counters of papers count stands in `coequal.proofs.cost.conventions`.

Layering rule: as all of `proofs`; `judge.py` looks networks up in `coequal.systems`.
"""
