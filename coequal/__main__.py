"""`coequal` on the command line."""


def main() -> int:
    """Entry point of the console script."""
    raise SystemExit("coequal: no command yet")
