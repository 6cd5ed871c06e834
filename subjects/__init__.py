"""What is compared, in the words of whoever brings it: subjects, legal chunks, adapters, back ends.

Layering rule: imports `reference` and `continual`, nothing of ours above them.
"""
