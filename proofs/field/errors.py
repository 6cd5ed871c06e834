"""What may come out of a run over a field instead of an answer: other primes are needed, or there is no answer."""

from __future__ import annotations


class Undisturbed(BaseException):
    """Meant for whoever runs a program over a field: code in between lets it pass.

    No Exception, so that the program's own `except Exception` does not swallow it; a run remembers it besides, see `Exact`.
    """


class NotDecided(Undisturbed):
    """The program does something that has no meaning over a field; the text names the operation and says why."""


class NotExact(Undisturbed):
    """The backend does not compute plain sums of products: nothing can be proved on it."""


class Redraw(Undisturbed):
    """These primes will not do."""


class ZeroDivisor(Redraw):
    """Something is divided by what is zero modulo a prime: draw again."""


class NeedsRoot(Redraw):
    """A constant is a square root that the primes do not have: draw primes that do."""

    def __init__(self, root: int) -> None:
        super().__init__(f"sqrt({root}) does not exist modulo these primes")
        self.root = root


class NeedsCircle(Redraw):
    """A Fourier transform needs a root of unity that the primes do not have: draw primes that do."""

    def __init__(self, order: int) -> None:
        super().__init__(f"no root of unity of order {order} exists modulo these primes")
        self.order = order


class TooLong(Redraw):
    """A sum of products longer than the primes allow: draw smaller ones."""

    def __init__(self, longest: int) -> None:
        super().__init__(f"a sum of {longest} products needs smaller primes")
        self.longest = longest


class TooFew(Redraw):
    """The bound will not do with so few primes: draw more at once, rather than again."""

    def __init__(self, count: int) -> None:
        super().__init__(f"{count} primes are needed")
        self.count = count
