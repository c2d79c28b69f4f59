"""The kernel gradient of `polyphase`: x meets each phase of y at shifts, without columns.

Along a phase every tap is a shift. x and the phases of y are laid out with rows of one
length, zeros at their ends, so that a shift along several axes is one along memory, and
what a tap meets is a view. Zeros of x meet elements of y that no tap joins to them.
"""

from __future__ import annotations

from math import gcd, prod

import numpy as np

from mtconv.backends._numpy.algorithm import Array, Axes
from mtconv.backends._numpy.im2col import folds
from mtconv.backends.host.correlation import add_correlation
from mtconv.backends.host.correlation import footprint as correlation_footprint
from mtconv.backends.host.counts import Counts
from mtconv.backends.host.memory import Workspace
from mtconv.backends.host.phase_shifts import PhaseShifts, phase_shifts
from mtconv.backends.host.strided import place, shifted_view
from mtconv.geometry import Axis

__all__ = ["footprint", "kernel_grad"]

# An axis of one element, for samples to lie behind.
_UNIT = Axis(1, 1, 1, 1, 1, 0)


def kernel_grad(axes: Axes, x: Array, y: Array, out: Array, space: Workspace) -> None:
    """Join x with each phase of y; every tap belongs to one phase."""
    apart = lies_apart(x.shape[2], axes)
    if not apart and len(axes) == 1:
        axes = (_UNIT, *axes)
        x, y, out = x[:, :, :, None], y[:, :, :, None], out[:, :, :, None]
    phases, full = phase_shifts(axes)
    rows = _rows(x, full[1:], apart, space)
    y = y[:, :, :, :, None] if apart else np.moveaxis(y, 0, 3)[None]
    for phase in phases:
        with space.frame():
            _add_phase(phase, full[1:], rows, y, out, space)


def _add_phase(
    phase: PhaseShifts,
    full: tuple[int, ...],
    rows: Array,
    y: Array,
    out: Array,
    space: Workspace,
) -> None:
    """Add the gradient for the taps of a phase.

    A function of its own, so that its elements are gone before those of the next phase.
    """
    columns = _columns(phase.axes, y[phase.big], full, rows.shape[3], space)
    target = out[phase.taps]
    target = target.transpose(0, *range(3, target.ndim), 1, 2)
    joined = space.take(target.shape, out.dtype)
    joined[...] = 0
    add_correlation(rows, columns, joined, space)
    target += joined


def lies_apart(batch: int, axes: Axes) -> bool:
    """Return whether samples are so large that each is an item of its own."""
    return not folds(batch, prod(axis.small for axis in axes))


def _rows(x: Array, full: tuple[int, ...], apart: bool, space: Workspace) -> Array:
    """Extend rows of x (g, ci, b, *small) by zeros: (n, g, ci, e)."""
    x = x.transpose(2, 0, 1, *range(3, x.ndim)) if apart else x.swapaxes(2, 3)[None]
    inner = x.shape[4:] if apart else x.shape[5:]
    if not apart or inner != full:
        extended = space.take((*x.shape[: x.ndim - len(full)], *full), x.dtype)
        place(x, (0,) * len(full), extended)
        x = extended
    return x.reshape(*x.shape[:3], -1)


def _columns(
    axes: Axes, y: Array, full: tuple[int, ...], count: int, space: Workspace
) -> Array:
    """View what each tap of a phase of y meets: (n, g, *taps, co, e).

    y is (n, g, co, first axis, samples, *others).
    """
    first, *rest = axes
    # One row more, for the last shifts to end in.
    shape = (*y.shape[:3], first.full + 1, y.shape[4], *full)
    extended = space.take(shape, y.dtype)
    place(y, (-first.lo, 0, *(-axis.lo for axis in rest)), extended)
    inner = [prod(full[number:]) for number in range(len(axes))]
    steps = (y.shape[4] * inner[0], *inner[1:])
    shifts = tuple(
        (axis.kernel, axis.dilation * step) for axis, step in zip(axes, steps, strict=True)
    )
    flat = extended.reshape(*shape[:3], -1)
    view = shifted_view(flat, shifts, count)  # (n, g, co, *taps, e)
    return np.moveaxis(view, 2, -2)


def footprint(c: Counts) -> int:
    """Bound the elements of extended rows of x and of a phase, and of terms."""
    full = [axis.small for axis in c.axes]
    for number, axis in enumerate(c.axes):
        step = axis.stride // gcd(axis.stride, axis.dilation)
        shift = axis.dilation // gcd(axis.stride, axis.dilation)
        full[number] += shift * (-(-axis.kernel // step) - 1)
    inner = prod(full[1:])
    x = c.lead * c.others * max(c.small, c.axes[0].small * inner, prod(full))
    y = c.lead * c.channels * (full[0] + 2) * inner
    taps = c.groups * c.others * c.channels * c.phase_taps
    return x + y + taps + correlation_footprint(c, c.channels * c.phase_taps)
