"""What the verdicts rest on: each file states a theorem, proves it, and has a check that exercises it."""
