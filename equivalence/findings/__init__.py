"""What is said beside the verdict: conduct, numerics, weights. The table of names is in `base`."""
