"""Arithmetic on residues: `(r, *shape)` float64 tensors, one plane a prime, centred: `|a| <= (p - 1) / 2`.

Sums of products are computed in float64 and reduced after; `longest` terms of `p^2 / 4` stay below 2^52, so nothing rounds.
Minus infinity is NaN in every plane. With chains of primes (homomorphic exponential) a value has as many planes as it is
known modulo: those of the first primes, at least.
"""

from __future__ import annotations

import bisect
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch

from coequal.proofs.field import bound
from coequal.proofs.field.account import DOMAIN, Account
from coequal.proofs.field.degree import CONSTANT, DEFINITE, NONNEGATIVE, POSITIVE, UNKNOWN, VARIABLE, Degree
from coequal.proofs.field.errors import NeedsCircle, NotDecided, TooLong, ZeroDivisor
from coequal.proofs.field.numbers import constants as lifting
from coequal.proofs.field.numbers import hash as hashing
from coequal.proofs.field.numbers.inverses import Inverses
from coequal.proofs.field.numbers.known import Registry, simple
from coequal.proofs.field.numbers.number import Number, modulo, number_of
from coequal.proofs.field.numbers.primes import EXACT, draw, of_order, on_circle, root_of_unity, turned

Tensor = torch.Tensor
Definition = Callable[["Field", "Value"], "Value"]
FEW = 1 << 9  # residues that are inverted one by one
LOW = -1e4  # at most this: a mask, if finite masks are read as such
ROUNDED = "constants that agree in 48 bits, or one of which is the other in single precision, are one number"
NEAR = 2.0**-18  # relative: what rounding to single precision and a few operations in it leave of a constant
OVERFLOW = "nothing overflows, and no exponential vanishes: true of all inputs and weights but large numbers"
DIVISORS = "no divisor is zero, and nothing overflows: true of all inputs and weights but a null set, and large numbers"
OPEN = "it divides by what may be zero on an open set (relu, clamp, a maximum ...): that is not cancelled, nor proved"
ROOTS, LOGARITHMS = "square roots are taken of numbers that are not negative", "logarithms are taken of positive numbers"
ARCS = "arc sines and arc cosines are taken of numbers between -1 and 1"
# functions that are undefined for some numbers: what is assumed where the sign of an argument is not known to be right
DOMAINS = {
    **dict.fromkeys(("rsqrt", "sqrt"), ROOTS),
    **dict.fromkeys(("log", "log2", "log10"), LOGARITHMS),
    **dict.fromkeys(("asin", "acos"), ARCS),
    "log1p": "log1p is taken of numbers above -1",
    "logit": "logit is taken of numbers between 0 and 1",
    "pow": "powers that are no whole numbers are taken of positive numbers",
}
BOUNDED = ("asin", "acos", "logit")  # whose domain ends above, too
# functions of one argument: what is known of the sign, and those that are piecewise
POSITIVES = {"exp", "exp2", "sigmoid", "special_expit", "cosh", "erfc", "softplus", "rsqrt"}
NONNEGATIVES = {"relu"}
PIECEWISE = {"relu", "clamp", "hardshrink", "softshrink", "threshold", "elu", "celu", "leaky_relu", "prelu", "abs"}
# functions of known parity: F(-x) = F(x), F(-x) = -F(x), F(-x) = 1 - F(x)
EVEN = {"abs", "cos", "cosh"}
ODD = {"sin", "tan", "asin", "atan", "sinh", "asinh", "tanh", "atanh", "erf", "special_erf"}
REFLECTED = {"sigmoid", "special_expit"}
INFINITE = "minus infinity"  # among what a program used: minus infinity itself, no finite mask value


def sign_of(tensor: Tensor) -> int:
    """The sign that all elements of a tensor of constants have."""
    return _sign(float(tensor.min())) if tensor.numel() else UNKNOWN


def _sign(value: float) -> int:
    return POSITIVE if value > 0 else NONNEGATIVE if value == 0 else UNKNOWN


def known_of(name: object, *arguments: Degree) -> Degree:
    """What is known of a free function's values: their sign, and whether they may be zero on an open set."""
    kind = name[0] if isinstance(name, tuple) else name
    inner = any(argument.piecewise for argument in arguments)
    if kind in POSITIVES:
        return Degree(1, sign=POSITIVE)
    if kind == "abs":
        return Degree(1, sign=NONNEGATIVE if inner else DEFINITE, piecewise=True)
    if kind == "sqrt":
        return Degree(1, sign=max(NONNEGATIVE, min(DEFINITE, arguments[0].sign)), piecewise=inner)
    low = name[1] if kind == "clamp" and isinstance(name, tuple) else None
    sign = NONNEGATIVE if kind in NONNEGATIVES else UNKNOWN if low is None else _sign(float(low))
    return Degree(1, sign=sign, piecewise=inner or kind in PIECEWISE)


@dataclass
class Value:
    """Residues of a tensor, and what is known of them.

    `degree`: the greatest of its elements. `names`: for maxima, the members of the set that each element is the greatest of,
    `(h, members, *shape)`; of minus each element where it is `lower`. `masked`: some elements may be minus infinity.
    `monomial`: every element is a product of values of free functions and of their inverses. `above`: all are greater than
    this number; known of values of some functions alone, and of nothing that is computed with them.
    """

    planes: Tensor
    degree: Degree = VARIABLE
    names: Tensor | None = None
    masked: bool = False
    monomial: bool = False
    lower: bool = False
    above: float | None = None

    @property
    def shape(self) -> torch.Size:
        """Without the axis of primes."""
        return self.planes.shape[1:]

    @property
    def dim(self) -> int:
        """Number of axes of the tensor."""
        return self.planes.dim() - 1

    def minus_infinity(self) -> Tensor:
        """Where it is."""
        return self.planes[0].isnan()


@dataclass
class Field:
    """One draw: primes, the key of everything random, what is read how; and the account of what was done with it."""

    primes: tuple[int, ...]
    seed: int
    literal: bool = False
    circle: int = 1  # order of a root of unity that exists modulo each prime
    levels: int = 1  # of the chains; more than one: the exponential is homomorphic
    account: Account = field(default_factory=Account)
    mixed: bool = False  # masks were added, or scaled: which of two is the greater cannot be told
    met: list[float] = field(default_factory=list)  # constants, in order
    low_masks: bool = False  # they are
    turns: bool = False  # chains of the unit circle: cosine and sine of sums are known
    sets: bool = False  # maxima keep the residues of their members, for sums and products with them
    definitions: Mapping[object, Definition] = field(default_factory=dict)  # of functions, where chains reach
    shadow: bool = False  # constants are computed exactly beside their floats
    opaque: bool = False  # of these only cosines, sines and exponentials, and what is computed of them
    same: Registry = field(default_factory=Registry)  # constants that were met, by their floats
    logarithms: Inverses = field(default_factory=Inverses)  # that were taken of what is positive
    exponentials: Inverses = field(default_factory=Inverses)
    radicands: Inverses = field(default_factory=Inverses)  # roots that were taken of what is not negative
    near: bool = False  # constants near one another are taken for one number: nothing is proved then
    longest: int = 1
    undefined: bool = False  # something was divided by zero: NaN is not minus infinity then, and spreads

    @classmethod
    def drawn(cls, seed: int, *, count: int = 4, longest: int = 1, roots: tuple[int, ...] = (), **options: object) -> Field:
        """With `count` random primes (chains, if `levels` asks for them) that suit dot products of `longest` terms."""
        levels, circle = (int(options.get(name, 1)) for name in ("levels", "circle"))  # type: ignore[call-overload]
        turns = bool(options.get("turns", False))
        primes = draw(count, seed, longest=longest, roots=roots, circle=circle, levels=levels, turns=turns)
        return cls(primes, seed, **options)  # type: ignore[arg-type]

    @property
    def count(self) -> int:
        """Primes of the first level: everything is known modulo these."""
        return len(self.primes) // self.levels

    @property
    def wrong(self) -> float:
        """The probability that different functions were called equal in this draw."""
        lowest = self.primes[-self.count :]
        return bound.wrong(self.account.applications, self.account.degrees.greatest, lowest)

    # -- numbers -------------------------------------------------------------------------------------------------------

    def moduli(self, like: Tensor) -> Tensor:
        """The primes, shaped to broadcast against `(r, *shape)`."""
        return _moduli(self.primes[: like.shape[0]], like.dim(), like.device)

    def number(self, value: float, device: torch.device | str = "cpu") -> Tensor:
        """Residues `(len(primes),)` of a constant; NotDecided for NaN and plus infinity."""
        if math.isnan(value) or value == math.inf:
            raise NotDecided(f"the constant {value}")
        if lifting.MASK < value <= LOW:
            self.account.low.add(value)
        if value <= self.mask:
            if value == -math.inf:
                self.account.use(INFINITE)
            else:
                self.account.masks.add(value)
                self._assume_mask(value)
            return torch.full((len(self.primes),), math.nan, dtype=torch.float64, device=device)
        value = self._near(float(value)) if self.near else float(value)
        self._assume(number_of(value, literal=self.literal), value)
        return torch.tensor(_residues(value, self.literal, self.primes), dtype=torch.float64, device=device)

    @property
    def mask(self) -> float:
        """At most this is minus infinity."""
        return LOW if self.low_masks else lifting.MASK

    def _assume_mask(self, value: float) -> None:
        if value <= lifting.MASK:
            self.account.assume("mask", "finite mask values below -1e30 stand for minus infinity")
        else:
            text = f"the mask {value:g} stands for minus infinity: what is left of such a score is below all rounding"
            self.account.assume(f"mask {value:g}", text)

    def _near(self, value: float) -> float:
        """The first constant that was met near this one, itself if there was none."""
        place = bisect.bisect(self.met, value)
        for other in self.met[max(0, place - 1) : place + 1]:
            if abs(other - value) <= NEAR * abs(value):
                return other
        bisect.insort(self.met, value)
        return value

    def _literally(self, value: float) -> Tensor:
        """The very float; minus infinity as ever."""
        if not math.isfinite(value) or value <= self.mask:
            return self.number(value)
        meant = number_of(self._near(float(value)) if self.near else float(value), literal=not self.near)
        return torch.tensor([modulo(meant, p) for p in self.primes], dtype=torch.float64)

    def _assume(self, meant: Number, value: float) -> None:
        if not meant.exact:
            self.account.assume(repr(value), f"the constant {value!r} stands for {meant}")

    def scalar(self, value: float, device: torch.device | str = "cpu") -> Value:
        """A constant without axes."""
        if self.shadow and math.isfinite(value) and not simple(value):
            return self.constants(torch.tensor(value, dtype=torch.float64, device=device))
        planes = self.number(value, device)
        return Value(planes, Degree(sign=_sign(value)), masked=bool(planes[0].isnan()), monomial=value not in (0, -math.inf))

    def constants(self, tensor: Tensor, *, literal: bool = False) -> Value:
        """A tensor of constants."""
        one = self._literally if literal else self.number
        planes = lifting.residues(
            tensor, self.primes, one, literal=self.literal or literal, singly=self.near, mask=self.mask
        )
        degree = self._known(tensor, planes) if self.shadow and not literal else CONSTANT
        return Value(planes, replace(degree, sign=sign_of(tensor)), masked=bool((tensor <= self.mask).any()))

    def _known(self, tensor: Tensor, planes: Tensor) -> Degree:
        """Constants that were met before, up to the rounding of the last digits, are what they were; others are noted.

        What was computed by free functions is made of their values, which are variables: it has a degree.
        """
        if not self.same.replace(tensor, planes, self.mask):
            return CONSTANT
        self.account.assume("rounded", ROUNDED)
        return self.same.degree

    def circle_of(self, order: int) -> tuple[Value, Value]:
        """Cosine and sine of `2 pi m / order` for all m, `(order,)` each; NeedsCircle where the primes have no such angle.

        One angle is chosen for all orders, so that those of a transform of half the length are every other one.
        """
        if self.circle % math.lcm(4, order):
            raise NeedsCircle(math.lcm(4, order))
        tables = [_circle(self.circle, order, p) for p in self.primes]
        return Value(torch.stack([c for c, _ in tables]), CONSTANT), Value(torch.stack([s for _, s in tables]), CONSTANT)

    def whole(self, n: int, device: torch.device | str = "cpu", *, inverse: bool = False) -> Value:
        """A whole number, or its inverse, exactly."""
        if inverse and any(n % p == 0 for p in self.primes):
            raise ZeroDivisor(f"{n} is zero modulo a prime")
        residues = _whole(n, self.primes, inverse=inverse)
        return Value(torch.tensor(residues, dtype=torch.float64, device=device), Degree(sign=_sign(n)))

    # -- ring and field ------------------------------------------------------------------------------------------------

    def reduce(self, x: Tensor) -> Tensor:
        """`x mod p`, centred and in place, for integers `|x| < 2^52`; exact.

        `x / p` is `1 / 2p > 2^-21` or more away from a tie, since p is odd, and its rounding error is below that.
        """
        if x.dim() > 1 and x.numel() > 1 << 15:
            for plane, p in zip(x.unbind(0), self.primes, strict=False):
                for part in _parts(plane):
                    part.add_(part.div(p).round_(), alpha=-p)  # the product is exact, too
            return x
        moduli = self.moduli(x)
        return x.addcmul_(x.div(moduli).round_(), moduli, value=-1)

    def terms(self, count: int) -> None:
        """A sum of `count` products comes: TooLong where it would round."""
        self.longest = max(self.longest, count)
        if count * (max(self.primes) - 1) ** 2 // 4 >= EXACT:
            raise TooLong(count)

    def plus(self, a: Value, b: Value) -> Value:
        """Elementwise, broadcast; minus infinity stays what it is."""
        self.mixed |= a.masked and b.masked
        x, y = aligned(a.planes, b.planes)
        return Value(self.reduce(x + y), a.degree.plus(b.degree), masked=a.masked or b.masked)

    def minus(self, a: Value, b: Value) -> Value:
        """Elementwise, broadcast. NotDecided where minus infinity is taken away, but finite masks may be from one another.

        Such a value absorbs what is added to it, so that it is one number, and zero when taken from itself.
        """
        x, y = aligned(a.planes, b.planes)
        difference = self.reduce(x - y)
        if b.masked and bool((lowest := y[0].isnan()).any()):
            if self.undefined or INFINITE in self.account.used or bool((lowest & ~x[0].isnan()).any()):
                raise NotDecided("minus infinity is subtracted")
            difference.masked_fill_(lowest, 0.0)
        return Value(difference, a.degree.plus(b.degree).unsigned(), masked=a.masked)

    def times(self, a: Value, b: Value) -> Value:
        """Elementwise, broadcast."""
        x, y = aligned(a.planes, b.planes)
        return Value(self.reduce(x * y), a.degree.times(b.degree), monomial=a.monomial and b.monomial)

    def affine(self, a: Value, scale: Value, shift: Value) -> Value:
        """`a scale + shift`, broadcast, in one go."""
        x, s, t = aligned(a.planes, scale.planes, shift.planes)
        return Value(self.reduce(torch.addcmul(t, x, s)), a.degree.times(scale.degree).plus(shift.degree))

    def inverse(self, a: Value) -> Value:
        """`1 / a` by Fermat; ZeroDivisor where a is zero modulo some primes; undefined (NaN) where it is zero modulo all.

        What may be zero on an open set is not cancelled: its inverse is a free function of it, and no more is claimed than
        that the two programs agree.
        """
        if not a.degree.constant:
            self.account.assume("divisors", DIVISORS)
            self.account.assumptions.pop("overflow", None)  # says so, too
            self._pole("a division", a)
        if a.degree.may_vanish:
            self.account.doubt("divisors", OPEN)
            return self.free("reciprocal", a)
        zero = a.planes == 0
        nothing = zero.all(0)
        if bool((zero & ~nothing).any()):
            raise ZeroDivisor("division by an element that is zero modulo a prime")
        planes = self._inverted(a.planes)
        if bool(nothing.any()):
            self.undefined = True
            planes.masked_fill_(nothing, torch.nan)
        if a.monomial:
            return Value(planes, self.account.degrees.inverse_of_monomial(a.degree), monomial=True)
        return Value(planes, self.account.degrees.inverse(a.degree, max(1, a.planes[0].numel())))

    def _inverted(self, planes: Tensor) -> Tensor:
        """`a^(p - 2)`: of small tensors for all primes at once, of large ones prime by prime, which saves products; of few
        numbers by Python, which has an algorithm of its own.
        """
        if planes.numel() <= FEW and planes.is_cpu and bool(planes.isfinite().all()):
            flat = planes.reshape(planes.shape[0], -1).tolist()
            inverses = [[_inverse(int(a), p) for a in plane] for plane, p in zip(flat, self.primes, strict=False)]
            return torch.tensor(inverses, dtype=torch.float64).view(planes.shape)
        if planes.numel() > 1 << 12:
            return torch.stack([to_the(plane, p - 2, p) for plane, p in zip(planes, self.primes, strict=False)])
        moduli = self.moduli(planes)
        exponents = moduli.to(torch.int64) - 2
        result = torch.ones_like(planes)
        for bit in range(int(exponents.max()).bit_length()):
            factor = torch.where((exponents >> bit) & 1 == 1, planes, 1.0)
            result = self.reduce(result.mul_(factor))
            planes = self.reduce(planes * planes)
        return result

    def over(self, a: Value, b: Value) -> Value:
        """`a / b`."""
        return self.times(a, self.inverse(b))

    def squared(self, a: Value) -> Value:
        """The square; of a root that was taken of what is not negative that itself."""
        result = Value(self.reduce(a.planes * a.planes), a.degree.squared())
        self._undone("a square root is squared", self.radicands, a, result)
        return result

    def power(self, a: Value, exponent: int) -> Value:
        """A whole power."""
        if exponent < 0:
            return self.inverse(self.power(a, -exponent))
        if exponent and exponent % 2 == 0:
            return self.power(self.squared(a), exponent // 2)
        planes = self._to_the(a.planes, exponent)
        degree = Degree(sign=POSITIVE)
        for _ in range(exponent):
            degree = degree.times(a.degree)
        return Value(planes, degree)

    def _to_the(self, planes: Tensor, exponent: int) -> Tensor:
        return torch.stack([to_the(plane, exponent, p) for plane, p in zip(planes, self.primes, strict=False)])

    def scaled(self, a: Value, factor: float) -> Value:
        """Times a constant; minus infinity may only be made larger in magnitude."""
        if factor == 1:
            return a
        if a.masked and factor <= 0:
            raise NotDecided(f"minus infinity times {factor}")
        product = self.times(a, self.scalar(factor, a.planes.device))
        product.masked = a.masked
        self.mixed |= a.masked
        return product

    def divided(self, a: Value, count: int) -> Value:
        """Over a whole number."""
        return a if count == 1 else self.times(a, self.whole(count, a.planes.device, inverse=True))

    def sum(self, a: Value, axes: Sequence[int] | None = None, *, keep: bool = False) -> Value:
        """Over axes of the tensor (None: all), not counting that of the primes."""
        dims = tuple(axis % max(1, a.dim) + 1 for axis in (range(a.dim) if axes is None else axes))
        if not dims or a.dim == 0:
            return a
        count = math.prod(a.planes.shape[d] for d in dims)
        if count * max(self.primes) // 2 >= EXACT:
            raise TooLong(count)
        return Value(self.reduce(a.planes.sum(dims, keepdim=keep)), a.degree)

    def mean(self, a: Value, axes: Sequence[int] | None = None, *, keep: bool = False) -> Value:
        """Over axes of the tensor (None: all)."""
        chosen = range(a.dim) if axes is None else axes
        count = math.prod(a.shape[axis] for axis in chosen)
        return self.divided(self.sum(a, axes, keep=keep), count)

    def bilinear(
        self, call: Callable[[Tensor, Tensor], Tensor], a: Value, b: Value, terms: int, *, at_once: bool = False
    ) -> Value:
        """A sum of `terms` products `a b`, computed by torch's own float64 kernel: plane by plane, or of all planes
        `at_once`, where the call takes them so.
        """
        self.terms(terms)
        known = min(a.planes.shape[0], b.planes.shape[0])
        x, y = a.planes[:known], b.planes[:known]
        planes = call(x, y) if at_once else torch.stack(list(map(call, x.unbind(0), y.unbind(0))))
        return Value(self.reduce(planes), a.degree.times(b.degree))

    # -- functions -----------------------------------------------------------------------------------------------------

    def free(self, name: object, *arguments: Value, at_zero: float | None = None) -> Value:
        """A free function of its arguments, or what it is defined to be; `at_zero`: its value where the argument is the
        constant zero, if it is known.
        """
        if name in self.definitions and self.reaches(arguments[0]):
            return self.definitions[name](self, *arguments)
        known = known_of(name, *(a.degree for a in arguments))
        self.account.compare(*(a.degree for a in arguments))
        self.account.use(name)
        self._defined(name, arguments[0])
        planes = torch.broadcast_tensors(*aligned(*(a.planes[: self.count] for a in arguments)))
        self.account.apply(planes[0][0].numel())
        sign = sign_of_all(planes[0]) if name in EVEN or name in ODD or name in REFLECTED else None
        if sign is not None:  # an argument is told from others and from their negatives
            self.account.apply(planes[0][0].numel())
            planes = (planes[0] * sign,)
        result = hashing.free(name, planes, self.primes, self.seed)
        if sign is not None and name not in EVEN:
            result = result.mul_(sign)
            if name in REFLECTED:
                result = self.reduce(result.add_(sign < 0))
        if self.undefined:
            result.masked_fill_(torch.stack([p[0].isnan() for p in planes]).any(0), torch.nan)
        if at_zero is not None and bool((zero := (planes[0] == 0).all(0)).any()):
            there = self.number(at_zero, result.device)
            result.masked_fill_(zero, 0.0).add_(zero * there.view(-1, *[1] * (result.dim() - 1)))
        return Value(result, known, monomial=name not in REFLECTED)

    def _defined(self, name: object, a: Value) -> None:
        """Clip and stream are the same where both are defined: that they are is assumed, where it cannot be told."""
        kind = str(name[0] if isinstance(name, tuple) else name)
        pole = DOMAINS.get(kind) == LOGARITHMS and a.degree.may_vanish
        if kind in DOMAINS and kind != "log1p":
            self._pole(kind, a)
        if kind in DOMAINS and not a.degree.constant and (a.degree.sign == UNKNOWN or kind in BOUNDED or pole):
            self.account.assume(f"{DOMAIN}{DOMAINS[kind]}", DOMAINS[kind])

    def _pole(self, kind: str, a: Value) -> None:
        """Noted where this is not known to be positive."""
        if not a.degree.constant and a.degree.sign < POSITIVE:
            self.account.poles.add(kind)

    def turned(self, a: Value) -> tuple[Value, Value]:
        """Cosine and sine, by chains of the unit circle: of x modulo the next prime of the chain."""
        known = a.planes.shape[0] - self.count
        self.account.compare(a.degree)
        self.account.apply(a.planes[0].numel())
        both = torch.empty((2, known, *a.shape), dtype=torch.float64, device=a.planes.device)
        for i in range(known):
            p, q = self.primes[i], self.primes[i + self.count]
            table = _angles(q, p).to(a.planes.device)
            both[:, i] = table[:, a.planes[i + self.count].to(torch.int64).remainder_(q)]
        return Value(both[0], VARIABLE), Value(both[1], VARIABLE)

    def exponential(self, a: Value) -> Value:
        """`E(a)`, zero at minus infinity and one at zero: a free function, or with chains of primes a homomorphism.

        Exponentials that nest deeper than the chains reach are free: what is equal for every such E is equal for exp.
        """
        self.account.use("exp")
        finite = Value(a.planes.nan_to_num(0.0), a.degree) if a.masked else a
        image = self._power_of_generator(finite) if self.reaches(a) else self.free("exp", finite, at_zero=1.0)
        if a.masked:
            image.planes.masked_fill_(a.minus_infinity(), 0.0)
        self._undone("an exponential is taken of a logarithm", self.logarithms, finite, image)
        if not a.masked:
            self.exponentials.note(image.planes[: self.count], a.planes, a.degree)
        image.degree = replace(image.degree, sign=NONNEGATIVE if a.masked else POSITIVE)
        return image

    def _undone(self, how: str, met: Inverses, a: Value, image: Value) -> None:
        """Where the argument is a value of the inverse function, its image is what that was taken of."""
        found = met.find(a.planes[: self.count], self.seed)
        if found is None:
            return
        self.account.undone.add(how)
        where, arguments = found
        if arguments.shape[0] < image.planes.shape[0]:
            image.planes = image.planes[: arguments.shape[0]].clone()
        image.planes[:, where] = arguments[: image.planes.shape[0]]
        image.degree, image.monomial = image.degree.beside(met.degree), False  # a sum, it may be
        self.account.apply(int(where.numel()))

    def logarithm(self, a: Value) -> Value:
        """A free function, but of an exponential; of what is known to be positive the exponential knows it again."""
        result = self.free("log", a)
        if a.masked:
            return result
        self._undone("a logarithm is taken of an exponential", self.exponentials, a, result)
        if a.degree.sign >= POSITIVE:
            self.logarithms.note(result.planes[: self.count], a.planes, a.degree)
        return result

    def reaches(self, a: Value) -> bool:
        """Whether chains of primes say enough of an exponent for the exponential to be a homomorphism."""
        return not self.turns and a.planes.shape[0] >= 2 * self.count

    def reaches_round(self, a: Value) -> bool:
        """The same of an angle, for cosine and sine."""
        return self.turns and a.planes.shape[0] >= 2 * self.count

    def _power_of_generator(self, a: Value) -> Value:
        """`g^x mod p_i` for x modulo the next prime of the chain: known modulo one level less than x is."""
        known = a.planes.shape[0] - self.count
        self.account.compare(a.degree)
        self.account.apply(a.planes[0].numel())
        planes = torch.empty((known, *a.shape), dtype=torch.float64, device=a.planes.device)
        for i in range(known):
            p, q = self.primes[i], self.primes[i + self.count]
            table = powers(of_order(q, p), q, p).to(a.planes.device)
            planes[i] = table[a.planes[i + self.count].to(torch.int64).remainder_(q)]
        return Value(planes, VARIABLE)


@functools.lru_cache(maxsize=4096)
def _residues(value: float, literal: bool, primes: tuple[int, ...]) -> list[int]:
    """Of what a constant stands for."""
    meant = number_of(value, literal=literal)
    return [modulo(meant, p) for p in primes]


@functools.lru_cache(maxsize=4096)
def _whole(n: int, primes: tuple[int, ...], *, inverse: bool) -> list[int]:
    """Of a whole number, or of its inverse, centred."""
    return [_centre(pow(n, -1, p) if inverse else n % p, p) for p in primes]


def _centre(residue: int, p: int) -> int:
    return residue - p if residue > p // 2 else residue


def _inverse(a: int, p: int) -> int:
    """Zero of zero, as powers have it."""
    return _centre(pow(a, -1, p), p) if a else 0


@functools.lru_cache(maxsize=256)
def _moduli(primes: tuple[int, ...], axes: int, device: torch.device) -> Tensor:
    """The primes along the first of so many axes; nobody may write to it."""
    with torch._C._DisableTorchDispatch(), torch._C.DisableTorchFunction():
        return torch.tensor(primes, dtype=torch.float64, device=device).view(-1, *[1] * (axes - 1))


@functools.lru_cache(maxsize=64)
def powers(g: int, q: int, p: int) -> Tensor:
    """`g^0 ... g^(q-1) mod p`, centred."""
    table, power = torch.ones(1, dtype=torch.int64), g
    while table.numel() < q:  # twice as many at a time
        table, power = torch.cat([table, table * power % p]), power * power % p
    return _centred(table[:q], p)


@functools.lru_cache(maxsize=64)
def _angles(q: int, p: int) -> Tensor:
    """Cosine and sine of all multiples of one angle of order q: `(2, q)`, centred."""
    (c, s), table = on_circle(q, p), torch.tensor([[1], [0]])
    while table.shape[1] < q:  # twice as many at a time
        a, b = table
        table = torch.cat([table, torch.stack([a * c - b * s, a * s + b * c]) % p], 1)
        c, s = (c * c - s * s) % p, 2 * c * s % p
    return _centred(table[:, :q], p)


@functools.lru_cache(maxsize=256)
def _circle(order: int, wanted: int, p: int) -> tuple[Tensor, Tensor]:
    """Cosine and sine of the multiples of one angle of order `wanted`, a power of the one of order `order`: centred."""
    (c, s), a, b = turned(root_of_unity(order, p), order // wanted, p), 1, 0
    cosines, sines = [], []
    for _ in range(wanted):
        cosines.append(a)
        sines.append(b)
        a, b = (a * c - b * s) % p, (a * s + b * c) % p
    return _centred(torch.tensor(cosines), p), _centred(torch.tensor(sines), p)


def _centred(numbers: Tensor, p: int) -> Tensor:
    """Residues in `0 ... p - 1` as centred floats."""
    return torch.where(numbers > p // 2, numbers - p, numbers).to(torch.float64)


def to_the(x: Tensor, exponent: int, p: int) -> Tensor:
    """`x^n mod p`, centred."""
    result = torch.ones_like(x)
    while exponent:
        if exponent & 1:
            result = result.mul_(x)
            result.sub_(result.div(p).round_().mul_(p))
        x, exponent = x * x, exponent >> 1
        x.sub_(x.div(p).round_().mul_(p))
    return result


def sign_of_all(planes: Tensor) -> Tensor:
    """Of all residues of an element jointly, that of the first which is not zero: `-x` has the other one."""
    sign = planes[0].sign()
    for plane in planes[1:]:
        if not bool((zero := sign == 0).any()):
            return sign
        sign = torch.where(zero, plane.sign(), sign)
    return sign.masked_fill_(sign == 0, 1.0)


def _parts(plane: Tensor, size: int = 1 << 15) -> Sequence[Tensor]:
    """A plane in pieces that stay in the cache, and are too small for torch to start threads on, where it is contiguous."""
    return plane.view(-1).split(size) if plane.is_contiguous() else (plane,)


def aligned(*planes: Tensor) -> tuple[Tensor, ...]:
    """Axes of length one after that of the primes, so that broadcasting aligns the last axes; the planes that all have."""
    if len({(p.dim(), p.shape[0]) for p in planes}) == 1:
        return planes
    most, known = max(p.dim() for p in planes), min(p.shape[0] for p in planes)
    return tuple(p[:known].reshape(known, *[1] * (most - p.dim()), *p.shape[1:]) for p in planes)
