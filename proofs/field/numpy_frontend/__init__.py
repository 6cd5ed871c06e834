"""Programs written for NumPy, run over a field."""
