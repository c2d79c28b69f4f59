"""Random problems from a seed, the same on every machine, and no Hypothesis needed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import numpy as np

from mtconv.testing.case import Case

__all__ = ["random_cases"]

# Largest big side, kernel and stride by number of axes.
_LARGEST = {1: (12, 5), 2: (7, 4), 3: (4, 3)}


def random_cases(seed: int = 0) -> Iterator[Case]:
    """Yield integer-valued problems without end, case number n being a function of n.

    Strides, dilations, both paddings, output sizes, groups with unequal channels and
    batches vary all at once; negative paddings and kernels smaller than the stride are
    among them.

    Parameters
    ----------
    seed : int
        Another seed gives other problems.

    Returns
    -------
    iterator of Case
        Arrays of float64 with integers from -4 to 4, channels first and batched.

    Examples
    --------
    >>> first = next(random_cases())
    >>> first.x.ndim == first.kernel.ndim
    True
    """
    for number in count():
        yield _case(np.random.default_rng((seed, number)))


def _case(rng: np.random.Generator) -> Case:
    rank = int(rng.choice((1, 1, 2, 2, 3)))
    axes = [_axis(rng, *_LARGEST[rank]) for _ in range(rank)]
    small, big, taps, stride, dilation, padding = zip(*axes, strict=True)
    groups = int(rng.integers(1, 4))
    channels = groups * int(rng.integers(1, 3))
    share, batch = int(rng.integers(1, 4)), int(rng.integers(1, 3))
    x, kernel, y = (
        rng.integers(-4, 5, shape).astype(np.float64)
        for shape in (
            (batch, channels, *small),
            (channels, share, *taps),
            (batch, groups * share, *big),
        )
    )
    options = {
        "stride": stride,
        "dilation": dilation,
        "padding": padding,
        "output_size": big,
        "groups": groups,
    }
    return Case(x, kernel, y, None, options)


def _axis(
    rng: np.random.Generator, most: int, steps: int
) -> tuple[int, int, int, int, int, tuple[int, int]]:
    """Draw the big side, then what fits it; the small side follows."""
    big, stride, dilation = (int(rng.integers(1, top + 1)) for top in (most, steps, 3))
    lo = int(rng.integers(-2, 5))
    hi = int(rng.integers(max(-2, 1 - big - lo), 5))
    taps = int(rng.integers(1, min(steps, (big + lo + hi - 1) // dilation + 1) + 1))
    small = (big + lo + hi - dilation * (taps - 1) - 1) // stride + 1
    return small, big, taps, stride, dilation, (lo, hi)
