"""Published numbers, judged: data files with what papers and model zoos print, and what follows from the networks.

    leaves.py       a network taken apart into operators
    rules.py        what the counters of papers count of a clip, operator by operator
    counters.py     all of them by name, those of a step among them
    claim.py        the data files, checked when read
    judge.py        the verdicts

Layering rule: as all of `proofs`; `judge.py` looks networks up in `coequal.systems`.
"""
