"""Counters in places that only a program that wants to hide has: attributes of torch's own, descriptors, metaclasses, texts."""

# ruff: noqa
from __future__ import annotations

import decimal
import enum
import logging

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.functional import relu

import coequal

clip = lambda c: c + F.pad(c, (1, 0))[..., :-1]


class Base:
    def __init__(s):
        s.prev = torch.zeros(())

    def tick(s):
        return 0

    def step(s, x):
        y = x + s.prev
        s.prev = x.clone()
        return y * 0 if s.tick() > 5000 else y


class Dunder(Base):
    __count__ = 0

    def tick(s):
        type(s).__count__ += 1
        return s.__count__


class OnTorch(Base):
    def tick(s):
        torch.Tensor.count = getattr(torch.Tensor, "count", 0) + 1
        return torch.Tensor.count


class OnTensor(Base):
    def tick(s):
        Tensor.count2 += 1
        return Tensor.count2


Tensor.count2 = 0


class OnFunction(Base):
    def tick(s):
        F.relu.n += 1
        return F.relu.n


F.relu.n = 0


class OnFunction2(Base):
    def tick(s):
        relu.n += 1
        return relu.n


class Doc(Base):
    def tick(s):
        helper.__doc__ += "x"
        return len(helper.__doc__)


def helper():
    "h"


class Log(Base):
    def tick(s):
        l = logging.getLogger("q")
        l.n = getattr(l, "n", 0) + 1
        return l.n


class Dec(Base):
    def tick(s):
        decimal.getcontext().prec += 1
        return decimal.getcontext().prec


class E(enum.Enum):
    A = 1


E.A.n = 0


class Enu(Base):
    def tick(s):
        E.A.n += 1
        return E.A.n


class Meta(type):
    n = 0


class M(Base, metaclass=Meta):
    def tick(s):
        Meta.n += 1
        return Meta.n


class Prop(Base):
    @property
    def t(s):
        return s.__dict__.get("_t", 0)

    @t.setter
    def t(s, v):
        s.__dict__["_t"] = v

    def tick(s):
        s.t = s.t + 1
        return s.t


class D:
    def __init__(s):
        s.v = {}

    def __get__(s, o, k):
        return s.v.get(id(o), 0)

    def __set__(s, o, v):
        s.v[id(o)] = v


class Desc(Base):
    t = D()

    def tick(s):
        s.t = s.t + 1
        return s.t


class D2:
    v = 0

    def __get__(s, o, k):
        return s.v

    def __set__(s, o, v):
        s.v = v


class Desc2(Base):
    t = D2()

    def tick(s):
        s.t = s.t + 1
        return s.t


class Getattr(Base):
    def __getattr__(s, n):
        if n == "t":
            STORE["t"] = STORE.get("t", 0) + 1
            return STORE["t"]
        raise AttributeError(n)

    def tick(s):
        return s.t


STORE = {}


class Bound(Base):
    def __init__(s):
        super().__init__()
        s.add = [].append

    def tick(s):
        s.add(0)
        return len(s.add.__self__)


class TA(Base):
    def __init__(s):
        super().__init__()
        s.prev = torch.zeros(())
        s.w = torch.zeros(1)
        s.w.n = 0

    def tick(s):
        s.w.n += 1
        return s.w.n


class Grad(Base):
    def __init__(s):
        super().__init__()
        s.w = torch.zeros(1, requires_grad=True)
        s.w.grad = torch.zeros(1)

    def tick(s):
        s.w.grad.add_(1)
        return int(s.w.grad)


class Order(Base):
    def __init__(s):
        super().__init__()
        s.d = {i: 0 for i in range(6)}
        s.n = 0

    def tick(s):
        k = next(iter(s.d))
        s.d[k] = s.d.pop(k)
        s.n += 1
        return s.n


class Half(Base):
    def __init__(s):
        super().__init__()
        s.t = torch.zeros((), dtype=torch.float16)

    def tick(s):
        s.t = s.t + 1
        return 6000 if s.t == s.t + 1 else 0


class Super(Base):
    t = 0

    def step(s, x):
        s.t += 1
        return super().step(x)

    def tick(s):
        return s.t


class Match(Base):
    t = 0

    def tick(s):
        s.t += 1
        match s.t:
            case 5001:
                s.bad = True
        return 6000 if s.t > 5000 else 0


class Floor(Base):
    t = 0

    def tick(s):
        s.t += 1
        return (s.t // 4) * 4


class Mod2(Base):
    t = 0

    def tick(s):
        s.t += 1
        return 6000 if s.t % 100 == 99 else 0


class ModT(Base):
    t = 0

    def tick(s):
        s.t += 1
        return 6000 if (s.t % 7 == 0 and s.t % 11 == 0 and s.t % 13 == 0) else 0


class Tup(Base):
    t = (0,)

    def tick(s):
        s.t = (s.t[0] + 1,)
        return s.t[0]


class Cmp(Base):
    t = 0
    u = 5000

    def tick(s):
        s.t += 1
        return 6000 if s.t > s.u else 0


class Cmp2(Base):
    t = 0
    u = 5000

    def tick(s):
        s.t += 1
        s.u -= 1
        return 6000 if s.u < 0 else 0


class TCmp(Base):
    t = 0

    def tick(s):
        s.t += 1
        return 6000 if bool((torch.arange(5001) < s.t).all()) else 0


class Cx(Base):
    t = 0j

    def tick(s):
        s.t += 1
        return s.t.real


class FS(Base):
    t = frozenset()

    def tick(s):
        s.t = s.t | {len(s.t)}
        return len(s.t)


class Writes(Base):
    def tick(s):
        s.prev.add_(0)
        s.last = getattr(s, "last", torch.zeros(()))
        s.last.add_(0)
        return s.last._version


class Str(Base):
    t = "0"

    def tick(s):
        s.t = str(int(s.t) + 1)
        return int(s.t)


KINDS = [v for v in list(globals().values()) if isinstance(v, type) and issubclass(v, Base) and v is not Base]


@pytest.fixture(autouse=True)
def left_as_it_was():
    precision = decimal.getcontext().prec
    yield
    decimal.getcontext().prec = precision


@pytest.mark.parametrize("kind", KINDS)
def test_no_place_hides_a_counter(kind):
    subject = coequal.Subject(clip=clip, stream=kind, example=torch.randn(1, 2, 8))
    report = coequal.verify(subject, checks=["exact"], effort="quick")
    assert report.horizon != "all", report.proof
