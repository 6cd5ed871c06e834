"""How far a long command is: a bar on stderr, where that is a terminal."""

from __future__ import annotations

import sys


class Progress:
    """A bar that goes when it is done."""

    def __init__(self, count: int) -> None:
        """A bar of so many steps; `update` may say another number."""
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        columns = TextColumn("{task.description:<16}"), BarColumn(), MofNCompleteColumn()
        hidden = not sys.stderr.isatty()
        self.bar = Progress(*columns, console=Console(stderr=True), transient=True, disable=hidden)
        self.task = self.bar.add_task("", total=count)

    def __enter__(self) -> Progress:
        self.bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.stop()

    def update(self, name: str, done: int, of: int) -> None:
        """After each step; `of`: 0 where nobody knows how many there are."""
        self.bar.update(self.task, description=name, completed=done, total=of or None)
