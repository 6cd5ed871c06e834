"""Sets of which an element is the greatest: their members, in digests or residues, and what arithmetic makes of them.

A value that is a maximum carries the names of the members of its set, `(h, members, *shape)`: two digests each or, in a draw
where `sets` is on, all residues, so that sums and products with them are the sets that they are:

    max(a, b) + c = max(a + c, b + c)      c max(a, b) = max(c a, c b) for c >= 0      relu(x) = max(x, 0)

A value that is `lower` is minus such a maximum: a minimum.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from coequal.proofs.field.arithmetic import Field, Value
from coequal.proofs.field.degree import DEFINITE, NONNEGATIVE, VARIABLE, Degree
from coequal.proofs.field.numbers import hash as hashing

Tensor = torch.Tensor
ABSENT = -(1 << 63)  # the name of minus infinity: no member at all
MOST = 8  # members of a set that arithmetic makes


def names_of(f: Field, v: Value, *, lower: bool = False) -> Tensor:
    """`(h, members, *shape)`: the members that each element is the greatest of; itself, unless it is a maximum.

    `lower`: those of minus each element.
    """
    if v.names is not None and v.lower == lower:
        return v.names
    planes = -v.planes if lower else v.planes
    if f.sets:
        return planes[: f.count].unsqueeze(1)
    f.account.apply(v.planes[0].numel())  # two members that are confused make two sets equal
    names = torch.stack(_digests(f, planes)).unsqueeze(1)
    return names.masked_fill(v.minus_infinity(), ABSENT) if v.masked else names


def _digests(f: Field, planes: Tensor) -> tuple[Tensor, Tensor]:
    return hashing.digests([planes[: f.count].nan_to_num(0.0)], hashing.key(f.seed, "member"))


def absent(f: Field) -> float:
    """What stands where a set has no member."""
    return math.nan if f.sets else ABSENT


def widened(names: Tensor, members: int) -> Tensor:
    """The same sets with room for more: members repeated."""
    missing = members - names.shape[1]
    return names if missing <= 0 else torch.cat([names, names[:, :1].expand(-1, missing, *names.shape[2:])], 1)


def greatest(f: Field, members: Tensor, planes: Tensor, degree: Degree) -> Value:
    """Of sets `(h, members, *shape)`; `planes` `(r, members, *shape)` are residues of candidates, for sets of one."""
    named = members
    if f.sets:
        f.account.apply(members[0].numel())
        named = torch.stack(_digests(f, members)).masked_fill(members[0].isnan(), ABSENT)
    ordered = named.sort(1).values
    again = torch.zeros_like(ordered, dtype=torch.bool)
    again[:, 1:] = ordered[:, 1:] == ordered[:, :-1]
    ordered = ordered.masked_fill(again, ABSENT)
    present = ordered != ABSENT
    sums = [hashing.mix((hashing.mix(ordered[h] ^ hashing.key(f.seed, "set", h)) * present[h]).sum(0)) for h in range(2)]
    result = hashing.spread((sums[0], sums[1]), f.primes, f.seed, "max")
    count = present.sum(1).amin(0)
    f.account.apply(int(count.numel()))
    f.account.use("max")
    known = planes.shape[0]
    first = _first_present(named[0])
    alone = planes.gather(1, first.expand(known, 1, *first.shape[2:])).squeeze(1)
    result = torch.where(count == 1, alone, result[:known])
    empty = count == 0
    masked = bool(empty.any())
    if masked:
        result = result.masked_fill(empty, torch.nan)
    width = max(1, int(count.max())) if count.numel() else 1
    degree = replace(VARIABLE.plus(degree), sign=degree.sign, piecewise=True)
    return Value(result, degree, _members_first(named, ordered, members, width), masked)


def _first_present(members: Tensor) -> Tensor:
    """Where the first member is that is not minus infinity: `(1, 1, *shape)`."""
    return (members != ABSENT).to(torch.int8).argmax(0, keepdim=True).unsqueeze(0)


def _members_first(named: Tensor, ordered: Tensor, members: Tensor, width: int) -> Tensor:
    """Each member once; in sets with fewer the first again."""
    if named is members:
        names = ordered.sort(1, descending=True).values[:, :width]  # ABSENT is the least
        return torch.where(names == ABSENT, names[:, :1], names)
    digests, where = named[0].sort(0)  # one of the two digests is enough to tell the members of one set apart
    again = torch.zeros_like(digests, dtype=torch.bool)
    again[1:] = digests[1:] == digests[:-1]
    order = digests.masked_fill(again, ABSENT).sort(0, descending=True)
    chosen = where.gather(0, order.indices[:width])
    chosen = torch.where(order.values[:width] == ABSENT, chosen[:1], chosen)
    return members.gather(1, chosen.expand(members.shape[0], *chosen.shape))


# -- arithmetic of sets, in draws that have it ----------------------------------------------------------------------------


def plus(f: Field, a: Value, b: Value) -> Value:
    """The sum, of two sets the set of all sums while there are few."""
    plain = f.plus(a, b)
    if not f.sets or (a.names is None and b.names is None) or plain.masked:
        return plain
    low = any(v.lower for v in (a, b) if v.names is not None)
    if low and not all(v.lower for v in (a, b) if v.names is not None):
        return plain
    shape = plain.shape
    one, other = (_spread(names_of(f, v, lower=low), shape) for v in (a, b))
    if one.shape[1] * other.shape[1] > MOST:
        return plain
    members = f.reduce((one.unsqueeze(2) + other.unsqueeze(1)).flatten(1, 2))
    return _of(f, members, plain.degree, lower=low)


def minus(f: Field, a: Value, b: Value) -> Value:
    """The difference."""
    if not f.sets or (a.names is None and b.names is None) or a.masked or b.masked:
        return f.minus(a, b)
    return plus(f, a, negative(b))


def times(f: Field, a: Value, b: Value) -> Value:
    """The product, with a factor that is known not to be negative a set of products."""
    plain = f.times(a, b)
    if not f.sets:
        return plain
    for one, other in ((a, b), (b, a)):
        if one.names is not None and other.names is None and other.degree.sign >= NONNEGATIVE:
            factor = _spread(other.planes[: f.count].unsqueeze(1), plain.shape)
            members = f.reduce(_spread(one.names, plain.shape) * factor)
            return _of(f, members, plain.degree, lower=one.lower)
    return plain


def negative(a: Value) -> Value:
    """Minus a maximum is a minimum, and the other way round."""
    return Value(-a.planes, a.degree.unsigned(), a.names, lower=a.names is not None and not a.lower)


def relu(f: Field, a: Value) -> Value:
    """The greater of x and zero."""
    zero = torch.zeros_like(a.planes[: f.count]).unsqueeze(1)
    return _of(f, torch.cat([names_of(f, a), zero], 1), replace(a.degree, sign=NONNEGATIVE))


def magnitude(f: Field, a: Value) -> Value:
    """The greater of x and -x."""
    plain = a.planes[: f.count].unsqueeze(1)
    sign = NONNEGATIVE if a.degree.piecewise else DEFINITE
    return _of(f, torch.cat([plain, -plain], 1), replace(a.degree, sign=sign))


def leaky(f: Field, a: Value, slope: float) -> Value:
    """The greater of x and a part of it."""
    names = names_of(f, a)
    factor = f.scalar(slope, names.device).planes[: f.count].view(-1, *[1] * (names.dim() - 1))
    part = f.reduce(names * factor)
    return _of(f, torch.cat([names, part], 1), a.degree.unsigned())


def _of(f: Field, members: Tensor, degree: Degree, *, lower: bool = False) -> Value:
    """The greatest of the members, or minus it, of this degree and sign."""
    f.account.compare(degree)
    result = greatest(f, members, members, degree.unsigned())
    return replace(negative(result) if lower else result, degree=replace(result.degree, sign=degree.sign))


def _spread(names: Tensor, shape: torch.Size) -> Tensor:
    """`(h, members, *shape)`."""
    missing = len(shape) - (names.dim() - 2)
    return names.reshape(*names.shape[:2], *[1] * missing, *names.shape[2:]).expand(*names.shape[:2], *shape)
