"""One file per third-party library whose streaming modules the harness recognises."""
