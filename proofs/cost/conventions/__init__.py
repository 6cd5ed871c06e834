"""What published numbers count.

    leaves.py     a network taken apart into operators
    hooks.py      what the counters of papers count of a clip, operator by operator
    counters.py   all of them by name, those of a step among them

What each operator class counts for under a named convention is the table of `algebra/conventions.py`.
"""
