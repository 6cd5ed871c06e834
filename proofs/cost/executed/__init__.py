"""What really runs: operations seen at torch's dispatcher and in NumPy, by operation and by submodule."""
