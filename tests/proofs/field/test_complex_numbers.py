"""Complex numbers over a field: every rule on whole numbers against torch; on variables, laws that hold and do not."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch

from coequal.proofs.field.errors import NeedsCircle, NotDecided
from coequal.proofs.field.numbers.primes import draw, root_of_unity, sqrt_mod, turned
from coequal.proofs.field.torch_frontend.complex_numbers import PARTWISE, RULES

Tensor = torch.Tensor
C128 = torch.complex128


def z(lab, *shape: int) -> Tensor:
    """Complex variables."""
    return torch.view_as_complex(lab.symbols(*shape, 2))


def whole(lab, *shape: int) -> Tensor:
    """Gaussian integers."""
    return torch.complex(lab.whole(*shape), lab.whole(*shape))


UNITS = torch.tensor([1 + 1j, 2j, -1.0 + 0j, 2 - 2j], dtype=C128)  # whose inverses float64 holds
MASK = torch.tensor([True, False, True, False])
# every rule: a program of complex numbers a and b and real ones x, all of four elements, or (4, 4) where it says matrices
PROGRAMS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "clone": lambda a, b, x: a.clone(),
    "cat": lambda a, b, x: torch.cat([a, b, a]),
    "stack": lambda a, b, x: torch.stack([a, b], -1),
    "index": lambda a, b, x: a[torch.tensor([2, 0])],
    "index_select": lambda a, b, x: a.index_select(0, torch.tensor([2, 0])),
    "gather": lambda a, b, x: a.gather(0, torch.tensor([3, 3])),
    "flip": lambda a, b, x: a.flip(0),
    "roll": lambda a, b, x: a.roll(1),
    "repeat": lambda a, b, x: a.repeat(2, 1),
    "slice_scatter": lambda a, b, x: torch.slice_scatter(a, b[:2], 0, 1, 3),
    "select_scatter": lambda a, b, x: torch.select_scatter(a, b[0], 0, 1),
    "index_put": lambda a, b, x: a.index_put((torch.tensor([1, 1]),), b[:2], accumulate=True),
    "tril": lambda a, b, x: torch.tril(a.reshape(2, 2)),
    "triu": lambda a, b, x: torch.triu(a.reshape(2, 2)),
    "_unsafe_view": lambda a, b, x: torch.ops.aten._unsafe_view(a, [2, 2]),
    "lift_fresh_copy": lambda a, b, x: torch.ops.aten.lift_fresh_copy(a),
    "unfold_backward": lambda a, b, x: torch.ops.aten.unfold_backward(a.reshape(2, 2), [3], 0, 2, 1),
    "sum": lambda a, b, x: torch.stack([a.sum(), a.reshape(2, 2).sum(0).sum()]),
    "mean": lambda a, b, x: a.mean(),
    "cumsum": lambda a, b, x: a.cumsum(0),
    "neg": lambda a, b, x: -a,
    "where": lambda a, b, x: torch.where(MASK, a, b) + torch.where(MASK, a, x) + torch.where(MASK, a, 3.0),
    "masked_fill": lambda a, b, x: a.masked_fill(MASK, 2.0) + a.masked_fill(MASK, 1 - 2j),
    "constant_pad_nd": lambda a, b, x: torch.nn.functional.pad(a, (1, 2)) + torch.nn.functional.pad(a, (1, 2), value=3.0),
    "_conj": lambda a, b, x: a.conj() * b + a.conj().imag + a.reshape(2, 2).mH.real.flatten(),
    "_conj_physical": lambda a, b, x: torch.ops.aten._conj_physical(a),
    "_to_copy": lambda a, b, x: x.to(C128) + a.to(torch.complex64).to(C128),
    "complex": lambda a, b, x: torch.complex(x, a.real),
    "add": lambda a, b, x: a + b + x + 2 + (1 - 3j) + torch.add(a, b, alpha=2) + torch.add(x, 1j),
    "sub": lambda a, b, x: a - b - x - 2 - (1 - 3j) - torch.sub(a, b, alpha=2) - torch.sub(x, b),
    "rsub": lambda a, b, x: 2 - a + torch.rsub(a, b, alpha=2) + torch.rsub(x, 1j),
    "mul": lambda a, b, x: a * b + a * x + x * a + a * 2 + (1 - 3j) * a + x * 1j,
    "div": lambda a, b, x: a / UNITS + a / 4 + a / 2j + x / UNITS,
    "reciprocal": lambda a, b, x: 1 / (a * 0 + UNITS),
    "pow": lambda a, b, x: a**3 + a**0 + (a * 0 + UNITS) ** -2,
    "addcmul": lambda a, b, x: torch.addcmul(a, b, a, value=2),
    "mm": lambda a, b, x: a.reshape(2, 2) @ b.reshape(2, 2),
    "bmm": lambda a, b, x: a.reshape(2, 2, 1) @ b.reshape(2, 1, 2),
    "mv": lambda a, b, x: a.reshape(2, 2) @ b[:2],
    "dot": lambda a, b, x: torch.dot(a, b),
    "vdot": lambda a, b, x: torch.vdot(a, b),
    "addmm": lambda a, b, x: torch.addmm(a.reshape(2, 2), a.reshape(2, 2), b.reshape(2, 2), beta=2, alpha=3),
    "baddbmm": lambda a, b, x: torch.baddbmm(a.reshape(1, 2, 2), a.reshape(1, 2, 2), b.reshape(1, 2, 2)),
}
BY_LAWS = {"polar", "exp", "abs", "angle"}  # of functions that are free over a field


def test_every_rule_has_a_program():
    assert set(PROGRAMS) == (set(PARTWISE) | set(RULES)) - BY_LAWS


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_rule_computes_what_torch_does(lab, name):
    a, b, x = whole(lab, 4), whole(lab, 4), lab.whole(4)
    data = [torch.view_as_complex(lab.data(torch.view_as_real(c))) for c in (a, b)]
    program, real = PROGRAMS[name], lab.data(x)
    with lab.running():
        got = program(*data, real)
        assert name in lab.exact.executed
        got = torch.view_as_real(got.resolve_conj())
    lab.holds(got, torch.view_as_real(program(a, b, x).resolve_conj()))


IN_PLACE: dict[str, Callable[[Tensor, Tensor, Tensor], object]] = {
    "copy of complex numbers": lambda a, b, x: a[1:3].copy_(b[:2]),
    "copy of real ones": lambda a, b, x: a.copy_(x),
    "filled": lambda a, b, x: a[:2].fill_(3 - 1j),
    "zeros": lambda a, b, x: a[1:].zero_(),
    "a sum": lambda a, b, x: a.add_(b, alpha=2),
    "a product": lambda a, b, x: a[::2].mul_(b[::2]),
    "an item": lambda a, b, x: a.__setitem__(1, b[3]),
    "a part": lambda a, b, x: torch.view_as_real(a).select(-1, 1).add_(x),
    "the real part": lambda a, b, x: a.real.mul_(2),
}


@pytest.mark.parametrize("name", IN_PLACE)
def test_writes_are_what_torch_writes(lab, name):
    a, b, x = whole(lab, 4), whole(lab, 4), lab.whole(4)
    data = [torch.view_as_complex(lab.data(torch.view_as_real(c))) for c in (a, b)]
    real = lab.data(x)
    with lab.running():
        IN_PLACE[name](*data, real)
    IN_PLACE[name](a, b, x)
    lab.holds(torch.view_as_real(data[0]), torch.view_as_real(a))


def test_data_is_written_into_constants(lab):
    a = z(lab, 3)
    with lab.running():
        state = torch.zeros(2, 3, dtype=C128)
        state[1] = a
        assert lab.equal(state[1], a)
        assert lab.equal(state[0], torch.zeros(3, dtype=C128))


# -- functions that are free --------------------------------------------------------------------------------------------


def test_polar_coordinates(lab):
    r, angle = lab.symbols(3), lab.symbols(3)
    with lab.running():
        a = torch.polar(r, angle)
        assert lab.equal(a.real, r * angle.cos())
        assert lab.equal(a.imag, r * angle.sin())
        assert lab.different(a.imag, r * angle.cos())
        assert lab.equal(torch.exp(torch.complex(r, angle)), torch.polar(r.exp(), angle))


def test_magnitude_and_angle(lab):
    a = z(lab, 3)
    with lab.running():
        assert lab.equal(a.abs(), (a.real**2 + a.imag**2).sqrt())
        assert lab.equal(a.angle(), torch.atan2(a.imag, a.real))
        assert lab.different(a.abs(), a.real)


def test_rotary_positions_by_complex_numbers_are_those_by_pairs(lab):
    x, angle = lab.symbols(5, 4), lab.symbols(5, 2)
    with lab.running():
        turned = torch.view_as_real(torch.view_as_complex(x.reshape(5, 2, 2)) * torch.polar(torch.ones_like(angle), angle))
        even, odd = x[:, ::2], x[:, 1::2]
        pairs = torch.stack([even * angle.cos() - odd * angle.sin(), even * angle.sin() + odd * angle.cos()], -1)
        assert lab.equal(turned, pairs)


def test_a_diagonal_recurrence_is_its_sum(lab):
    decay, x = z(lab, 2), lab.symbols(4, 2)
    with lab.running():
        state = torch.zeros(2, dtype=C128)
        for frame in x:
            state = decay * state + frame
        powers = torch.stack([decay**k for k in (3, 2, 1, 0)])
        assert lab.equal(state, (powers * x).sum(0))
        assert lab.different(state, (powers.conj() * x).sum(0))


REFUSED: dict[str, Callable[[Tensor], object]] = {
    "no rule": torch.sinh,
    "a high power": lambda a: a**100,
    "half a power": lambda a: a**0.5,
    "its value is read": lambda a: a[0].item(),
    "its list is read": lambda a: a.tolist(),
    "its memory is read": lambda a: a.numpy(),
    "a part is thrown away": lambda a: a.to(torch.float64),
    "a comparison": lambda a: a == 0,
    "whole numbers beside it": lambda a: torch.cat([a, torch.tensor([1, 2, 3])]),
}


@pytest.mark.filterwarnings("ignore:Casting complex values to real")
@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_meaning_is_refused(lab, name):
    a = z(lab, 3)
    with pytest.raises(NotDecided), lab.running():
        REFUSED[name](a)


# -- Fourier transforms -------------------------------------------------------------------------------------------------


@pytest.fixture
def waves(labs):
    return labs(3, circle=24)


def test_a_root_of_unity_has_its_order():
    for p in draw(4, 1, circle=24):
        point = root_of_unity(24, p)
        assert [k for k in range(1, 25) if turned(point, k, p) == (1, 0)] == [24]
        assert (point[0] ** 2 + point[1] ** 2) % p == 1


def test_roots_of_unity_agree_with_square_roots():
    """Cosines that are roots: of pi / 4, pi / 6, and of pi / 5, which is (1 + sqrt(5)) / 4."""
    for p in draw(6, 2, circle=120):
        c, s = root_of_unity(120, p)
        assert turned((c, s), 30, p) == (0, 1)
        two, three, five = (sqrt_mod(q, p) for q in (2, 3, 5))
        assert 2 * turned((c, s), 15, p)[0] % p == two
        assert 2 * turned((c, s), 10, p)[0] % p == three
        assert 4 * turned((c, s), 12, p)[0] % p == (1 + five) % p


def test_other_primes_are_asked_for(lab):
    with pytest.raises(NeedsCircle, match="order 20"), lab.running():
        torch.fft.rfft(lab.symbols(5))


@pytest.mark.parametrize("n", [1, 2, 3, 4, 6, 8, 12])
@pytest.mark.parametrize("norm", ["backward", "ortho", "forward"])
def test_transforms_are_undone(waves, n, norm):
    x, a = waves.symbols(2, n), z(waves, 2, n)
    with waves.running():
        assert waves.equal(torch.fft.irfft(torch.fft.rfft(x, norm=norm), n=n, norm=norm), x)
        assert waves.equal(torch.fft.ifft(torch.fft.fft(a, norm=norm), norm=norm), a)
        assert waves.equal(torch.fft.fft(x.to(C128), norm=norm)[..., : n // 2 + 1], torch.fft.rfft(x, norm=norm))
        assert waves.equal(torch.fft.ihfft(torch.fft.hfft(torch.fft.ihfft(x), n=n)), torch.fft.ihfft(x))


def test_a_transform_is_that_of_its_definition(waves):
    """For four points roots of unity are whole: the definition can be written down."""
    x = waves.symbols(4)
    with waves.running():
        got = torch.fft.fft(x)
        a, b, c, d = x
        want = torch.stack([torch.complex(a + b + c + d, a * 0), torch.complex(a - c, d - b)])
        assert waves.equal(got[:2], want)
        assert waves.equal(got[3], want[1].conj())
        assert waves.different(got[3:], want[1:])


def test_a_convolution_is_a_product_of_spectra(waves):
    x, kernel = waves.symbols(5), waves.symbols(4)
    with waves.running():
        by_spectra = torch.fft.irfft(torch.fft.rfft(x, n=8) * torch.fft.rfft(kernel, n=8), n=8)
        direct = torch.nn.functional.conv1d(x.reshape(1, 1, 5), kernel.flip(0).reshape(1, 1, 4), padding=3).flatten()
        assert waves.equal(by_spectra, direct)
        off = torch.fft.irfft(torch.fft.rfft(x, n=6) * torch.fft.rfft(kernel, n=6), n=6)  # it wraps around
        assert not waves.equal(off[:6], direct[:6])


def test_two_axes_at_once(waves):
    x = waves.symbols(4, 6)
    with waves.running():
        spectrum = torch.fft.rfft2(x)
        assert waves.equal(spectrum, torch.fft.fft(torch.fft.rfft(x, dim=1), dim=0))
        assert waves.equal(torch.fft.irfft2(spectrum, s=(4, 6)), x)
        assert waves.equal(torch.fft.ifft2(torch.fft.fft2(x)).real, x)


def test_a_short_time_transform_is_one_of_each_frame(waves):
    x, window = waves.symbols(1, 24), waves.symbols(8)
    with waves.running():
        whole = torch.stft(x, 8, 4, window=window, center=False, return_complex=True)
        for i in range(whole.shape[-1]):
            assert waves.equal(whole[0, :, i], torch.fft.rfft(x[0, 4 * i : 4 * i + 8] * window))


def test_frames_overlap_and_add_up(waves):
    x = waves.symbols(1, 24)
    window = torch.ones(8, dtype=torch.float64)
    with waves.running():
        spectrum = torch.stft(x, 8, 4, window=window, return_complex=True)
        assert waves.equal(torch.istft(spectrum, 8, 4, window=window, length=24), x)


def test_the_numbers_are_those_of_torch():
    """On ordinary floats the rules are torch's transforms: sines and cosines in place of roots of unity."""
    from coequal.proofs.field.torch_frontend import complex_numbers

    def waves_of(rows: int, columns: int, order: int, like: Tensor) -> tuple[Tensor, Tensor]:
        angle = 2 * math.pi / order * torch.outer(torch.arange(rows), torch.arange(columns)).double()
        return angle.cos().to(like.dtype), angle.sin().to(like.dtype)

    generator = torch.Generator().manual_seed(1)
    for n in (1, 2, 5, 6, 8):
        x = torch.randn(3, n, generator=generator, dtype=torch.float64)
        a = torch.randn(3, n, generator=generator, dtype=C128)
        for mode, norm in enumerate(("backward", "ortho", "forward")):
            pairs = [
                (complex_numbers.r2c(waves_of, x, [1], mode, True), torch.fft.rfft(x, norm=norm)),
                (complex_numbers.r2c(waves_of, x, [1], mode, False), torch.fft.fft(x, norm=norm)),
                (complex_numbers.c2c(waves_of, a, [0, 1], mode, True), torch.fft.fft2(a, norm=norm)),
            ]
            if mode != 1:
                back = {0: "forward", 2: "backward"}[mode]  # torch numbers what it multiplies by
                half = a[:, : n // 2 + 1]
                pairs.append((complex_numbers.c2r(waves_of, half, [1], mode, n), torch.fft.irfft(half, n=n, norm=back)))
            for got, want in pairs:
                assert torch.allclose(got, want, rtol=0.0, atol=1e-12)  # sums of a few numbers of size one
