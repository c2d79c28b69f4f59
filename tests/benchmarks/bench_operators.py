"""Time operators beside what is written by hand without them.

``python -m tests.benchmarks.bench_operators``. Each figure is the time of the program
beside, divided by that of mtconv, both timed in turn with as many threads. Programs by
hand are transforms of scipy.fft: those of ADMM steps are the transforms alone.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

import mtconv
from mtconv.backends.host.threads import workers_at_most
from tests.benchmarks.harness import markdown_table, time_in_turn

__all__ = ["main"]

Array = NDArray[Any]
Pair = tuple[Callable[[], Array], Callable[[], Array]]

VOLUME, PSF = (48, 128, 128), (15, 9, 9)
STEPS = 20


def main() -> None:
    """Print a row for each comparison."""
    rows = [row(name, pair) for name, pair in comparisons().items()]
    threads = f"{workers_at_most()} threads"
    print(markdown_table(("operators", threads, "beside", "beside / mtconv"), rows))


def comparisons() -> dict[str, Pair]:
    """List what is compared, mtconv first."""
    return {
        "A.T @ (A @ v), circular volume": normal_product(),
        "10 Richardson-Lucy steps, circular volume": richardson_lucy(),
        f"{STEPS} ADMM steps, 512 x 512, stride 2, transforms alone": admm(again=True),
        "the same, y transformed once by hand": admm(again=False),
        "7x7x7 Gaussian on 128^3, fastest without separation": gaussian("zeros"),
        "the same, circular, spectrum kept": gaussian("circular"),
    }


def row(name: str, pair: Pair) -> tuple[str, str, str, str]:
    """Time two programs in turn."""
    times = time_in_turn(dict(zip(("ours", "theirs"), pair, strict=True)), rounds=15)
    ours, theirs = times["ours"], times["theirs"]
    return name, f"{ours * 1e3:.1f} ms", f"{theirs * 1e3:.1f} ms", f"{theirs / ours:.2f}"


def positive(shape: tuple[int, ...], seed: int) -> Array:
    """Make positive random numbers."""
    return np.random.default_rng(seed).random(shape) + 0.1


def transforms(shape: tuple[int, ...]) -> tuple[Any, Any]:
    """Return the transforms of real arrays of a shape."""
    threads = {"workers": workers_at_most()}
    return partial(fft.rfftn, **threads), partial(fft.irfftn, s=shape, **threads)


def volume() -> tuple[Any, Array, Any, Any]:
    """Return an operator, its spectrum as written by hand, and the transforms."""
    kernel = positive(PSF, 1)
    kernel /= kernel.sum()
    padding = [(n // 2, n // 2) for n in PSF]
    options = {"padding": padding, "padding_mode": "circular", "layout": "DHW"}
    A = mtconv.Conv(kernel, VOLUME, **options)
    there, back = transforms(VOLUME)
    impulse = np.zeros(VOLUME)
    impulse[tuple(slice(0, n) for n in PSF)] = kernel
    spectrum = there(np.roll(impulse, [-(n // 2) for n in PSF], (0, 1, 2))).conj()
    return A, spectrum, there, back


def normal_product() -> Pair:
    """Return both ways of the product of both maps."""
    A, spectrum, there, back = volume()
    v = positive(VOLUME, 2)

    def ours() -> Array:
        return A.T @ (A @ v)  # type: ignore[no-any-return]

    def theirs() -> Array:
        seen = back(spectrum * there(v))
        return back(spectrum.conj() * there(seen))  # type: ignore[no-any-return]

    return agreeing(ours, theirs)


def richardson_lucy() -> Pair:
    """Return ten steps of Richardson and Lucy."""
    A, spectrum, there, back = volume()
    y = positive(VOLUME, 3)

    def steps(forward: Any, adjoint: Any) -> Array:
        x = np.full(VOLUME, y.mean())
        for _ in range(10):
            x *= adjoint(y / forward(x))
        return x

    return agreeing(
        lambda: steps(A, A.T),
        lambda: steps(
            lambda x: back(spectrum * there(x)), lambda x: back(spectrum.conj() * there(x))
        ),
    )


def admm(*, again: bool) -> Pair:
    """Return regularized solves of super-resolution, and their transforms alone."""
    kernel, big = positive((9, 9), 4), (512, 512)
    padding = ((4, 3), (4, 3))
    A = mtconv.Conv(kernel, big, stride=2, padding=padding, padding_mode="circular")
    y, z = positive((256, 256), 5), positive(big, 6)
    there, back = transforms(big)

    def ours() -> Array:
        for _ in range(STEPS):
            x = A.regularized_solve(y, 0.1, z)
        return x  # type: ignore[no-any-return]

    def theirs() -> Array:
        for number in range(STEPS):
            if again or number == 0:
                there(y)
            x = back(there(z))
        return x  # type: ignore[no-any-return]

    return ours, theirs


def gaussian(mode: str) -> Pair:
    """Return a Gaussian that operators separate, and the fastest other algorithm."""
    t = np.exp(-(np.arange(-3, 4) ** 2) / 4.5)
    kernel = np.multiply.outer(np.multiply.outer(t, t), t) / t.sum() ** 3
    shape = (128, 128, 128)
    options = {"padding": 3, "padding_mode": mode, "layout": "DHW"}
    x = positive(shape, 7)
    made = {
        name: mtconv.Conv(kernel, shape, algorithm=name, **options)
        for name in ("auto", "fft", "gemm", "polyphase")
    }
    if mtconv.explain(made["auto"]).algorithm != "separable":
        msg = "the Gaussian is not separated"
        raise RuntimeError(msg)
    names = list(made)[1:]
    times = time_in_turn({name: partial(made[name], x) for name in names}, rounds=3)
    fastest = min(names, key=times.__getitem__)
    return agreeing(partial(made["auto"], x), partial(made[fastest], x))


def agreeing(ours: Callable[[], Array], theirs: Callable[[], Array]) -> Pair:
    """Check that both programs compute the same."""
    np.testing.assert_allclose(ours(), theirs(), rtol=1e-9)
    return ours, theirs


if __name__ == "__main__":
    main()
