"""What closed forms ask of an operator and of a weight."""

from __future__ import annotations

from math import prod
from numbers import Real
from typing import Any

import numpy as np

from mtconv.errors import BackendError, GeometryError, message, shown
from mtconv.operators.circular.circle import divides
from mtconv.problem.layout import axis_names
from mtconv.spec import ConvSpec

__all__ = ["MOST_CHANNELS", "check_closed_form", "check_finite", "check_weight"]

# Channels of the small side, per group, whose matrices are decomposed at most.
MOST_CHANNELS = 16

# Integers may be larger, and are infinite as floating numbers.
_LARGEST = float(np.finfo(np.float64).max)


def check_closed_form(function: str, spec: ConvSpec) -> None:
    """Check that an operator is block diagonal in frequency, with blocks that are small."""
    if spec.padding_mode != "circular":
        rule = "must be 'circular' for closed forms"
        fix = "Solve by iteration, as with scipy's lsqr."
        got = repr(spec.padding_mode)
        raise GeometryError(message(function, "padding_mode", rule, got, fix=fix))
    if not divides(spec):
        number = next(n for n, a in enumerate(spec.axes) if a.big != a.stride * a.small)
        axis = spec.axes[number]
        rule = "must make the big side the stride times the small one"
        got = f"{axis.big} with stride {axis.stride} and {axis.small} on the small side"
        fix = "Make the big side a multiple of the stride."
        if axis.big % axis.stride == 0:
            total = axis.stride * (axis.big // axis.stride - 1) + axis.extent - axis.big
            fix = f"Pad by {max(total, 0)} in all."
        name = axis_names(spec.rank)[number]
        raise GeometryError(message(function, "padding", rule, got, axis=name, fix=fix))
    _check_channels(function, spec)


def _check_channels(function: str, spec: ConvSpec) -> None:
    channels = spec.kernel_shape[0] // max(spec.groups, 1)
    if channels > MOST_CHANNELS:
        big = spec.kernel_shape[1] * prod(a.stride for a in spec.axes)
        count = spec.groups * prod(spec.small)
        needed = 16 * count * channels * (channels + 2 * big)
        rule = f"must have at most {MOST_CHANNELS} channels on the small side of a group"
        got = f"{channels}, whose matrices would take {needed / 2**30:.2f} GiB"
        fix = "Solve by iteration, as with scipy's lsqr."
        raise BackendError(message(function, "kernel", rule, got, fix=fix))


def check_finite(function: str, kernel: Any) -> None:
    """Check that all elements of a kernel of NumPy are finite."""
    # The inverse of an infinite spectrum is zero, which would hide the element.
    bad = kernel.size - np.count_nonzero(np.isfinite(kernel))
    if bad:
        got = f"{bad} of {kernel.size} elements NaN or infinite"
        fix = "Operators with such elements have no inverse."
        raise ValueError(message(function, "kernel", "must be finite", got, fix=fix))


def check_weight(function: str, weight: Any) -> Any:
    """Return a weight as a float, or as the array of no axes that it is."""
    if isinstance(weight, (np.ndarray, np.generic)) and np.ndim(weight) == 0:
        weight = weight.item()
    if hasattr(weight, "dtype") and not weight.shape:
        return weight  # its value may be unknown
    number = isinstance(weight, Real) and not isinstance(weight, bool)
    if not number or not 0 < weight <= _LARGEST:
        rule = "must be a finite number above 0"
        got = f"{shown(weight)} of type {type(weight).__name__}"
        raise ValueError(message(function, "weight", rule, got, fix="For example 1e-3."))
    return float(weight)
