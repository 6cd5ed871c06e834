"""Free functions: a keyed hash of all residues jointly; equal arguments, and in effect only those, have equal values.

A function of which nothing is known but that it is one becomes `F(x) = H(x mod p_1, ..., x mod p_r)`, drawn afresh for each
prime over its full range. The residues are joined by two independent multiply-add sums modulo 2^64 (Dietzfelbinger,
"Universal hashing and k-wise independent random variables via integer arithmetic without primes", STACS 1996) and mixed
by the finaliser of SplitMix64 (Steele, Lea & Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014). Each
prime takes its residue from a combination of the two of its own, so that 64 bits that collide are lost to one prime
alone.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator, Sequence

import torch

Tensor = torch.Tensor
Pair = tuple[Tensor, Tensor]  # two independent 64-bit digests
WORD = 1 << 64
BLOCK = 1 << 15  # numbers hashed at a time: all that a block needs stays in the cache
FEW = 1 << 9  # residues up to which values are kept
PACK = float(1 << 21)  # two residues below 2^20 in magnitude make one exact float64


@functools.lru_cache(maxsize=100_000)
def key(seed: int, *names: object) -> int:
    """64 key bits, as the int64 with the same bits: of the draw's seed, and of what they are for."""
    digest = hashlib.blake2b(repr((seed, *names)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


def signed(word: int) -> int:
    """The int64 with the same bits: torch multiplies int64 modulo 2^64."""
    return word - WORD if word >= WORD // 2 else word


def _shift(x: Tensor, bits: int) -> Tensor:
    """Logical shift right of int64."""
    return (x >> bits).bitwise_and_((1 << (64 - bits)) - 1)


def mix(x: Tensor) -> Tensor:
    """SplitMix64's finaliser: a bijection of 64 bits whose every output bit depends on every input bit."""
    x = (x ^ _shift(x, 30)).mul_(signed(0xBF58476D1CE4E5B9))
    x = x.bitwise_xor_(_shift(x, 27)).mul_(signed(0x94D049BB133111EB))
    return x.bitwise_xor_(_shift(x, 31))


def digests(arguments: Sequence[Tensor], seed: int) -> Pair:
    """Two independent 64-bit digests, element by element, of arguments `(r, *shape)` of one shape."""
    words = list(_words(arguments))
    both = _column([key(seed, "start", half, len(words)) for half in range(2)], words[0]).repeat(1, *words[0].shape)
    for position, word in enumerate(words):
        both.addcmul_(word, _column([key(seed, "factor", half, position) | 1 for half in range(2)], word))
    first, second = mix(both)
    return first, second


def _words(arguments: Sequence[Tensor]) -> Iterator[Tensor]:
    """Residues two by two as int64: `a + 2^21 b` is exact."""
    for argument in arguments:
        for index in range(0, argument.shape[0], 2):
            word = argument[index]
            if index + 1 < argument.shape[0]:
                word = torch.add(word, argument[index + 1], alpha=PACK)
            yield word.to(torch.int64)


def spread(pair: Pair, primes: tuple[int, ...], seed: int, name: object, out: Tensor | None = None) -> Tensor:
    """One residue a prime, each over the whole field and centred, from two digests: `(r, *shape)` float64."""
    shape = (len(primes), *pair[0].shape)
    planes = torch.empty(shape, dtype=torch.float64, device=pair[0].device) if out is None else out
    combine = [key(seed, "combination", index) | 1 for index in range(len(primes))]
    own = _column(combine, pair[0]) * pair[1] + pair[0]
    own.bitwise_xor_(_column([key(seed, name, "prime", index) for index in range(len(primes))], pair[0]))
    return planes.copy_(uniform(own, primes))


def uniform(words: Tensor, primes: tuple[int, ...]) -> Tensor:
    """Residues `(r, *shape)`, centred, of words `(r, *shape)`, mixed: of 52 bits, so that the bias is below `p / 2^52`."""
    moduli = _column(primes, words[0])
    return _shift(mix(words), 12).remainder_(moduli).sub_(moduli // 2)


def _column(numbers: Sequence[int], like: Tensor) -> Tensor:
    """One integer for each prime, to broadcast against `(r, *shape)`."""
    return _along(tuple(numbers), like.dim(), like.device)


@functools.lru_cache(maxsize=10_000)
def _along(numbers: tuple[int, ...], axes: int, device: torch.device) -> Tensor:
    """Integers along the axis before so many others; nobody may write to it."""
    with torch._C._DisableTorchDispatch(), torch._C.DisableTorchFunction():
        return torch.tensor(numbers, dtype=torch.int64, device=device).view(-1, *[1] * axes)


def blocks(count: int, primes: int) -> Iterator[slice]:
    """Stretches of so many elements, that stay in the cache with all their residues."""
    size = max(1, BLOCK // primes)
    yield from (slice(start, start + size) for start in range(0, count, size))


def free(name: object, arguments: Sequence[Tensor], primes: tuple[int, ...], seed: int) -> Tensor:
    """The free function `name` of arguments `(r, *shape)`, element by element: `(len(primes), *shape)`."""
    shape = arguments[0].shape[1:]
    flat = [argument.reshape(argument.shape[0], -1) for argument in arguments]
    if sum(f.numel() for f in flat) <= FEW and all(f.is_cpu for f in flat):
        residues = tuple((f.shape[0], f.contiguous().numpy().tobytes()) for f in flat)
        return _again(name, residues, primes, seed).view(len(primes), *shape).clone()
    return _free(name, flat, primes, seed).view(len(primes), *shape)


@functools.lru_cache(maxsize=4096)
def _again(name: object, residues: tuple[tuple[int, bytes], ...], primes: tuple[int, ...], seed: int) -> Tensor:
    """Of few numbers, which streams of many lengths have in common; nobody may write to it."""
    flat = [torch.frombuffer(bytearray(held), dtype=torch.float64).view(count, -1) for count, held in residues]
    return _free(name, flat, primes, seed)


def _free(name: object, flat: Sequence[Tensor], primes: tuple[int, ...], seed: int) -> Tensor:
    out = torch.empty((len(primes), flat[0].shape[1]), dtype=torch.float64, device=flat[0].device)
    for block in blocks(out.shape[1], len(primes)):
        spread(digests([f[:, block] for f in flat], seed), primes, seed, name, out[:, block])
    return out
