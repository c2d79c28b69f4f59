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


def check_precision(function: str, dtype: Any) -> None:
    """Check that no dtype of NumPy has more than double precision."""
    if isinstance(dtype, np.dtype) and dtype.kind in "fc":
        rule = "must have double precision at most in closed forms"
        double = "complex128" if dtype.kind == "c" else "float64"
        fix = f"Convert the arrays with .astype(np.{double})."
        raise BackendError(message(function, "dtype", rule, str(dtype), fix=fix))


def check_weight(function: str, weight: Any) -> Any:
    """Return a weight as a float, or as the array of no axes that it is.

    Arrays of JAX stay what they are where their value is unknown. Those of torch always do,
    since a derivative may be asked for whether or not their value is known.
    """
    value = weight
    if hasattr(weight, "dtype") and hasattr(weight, "shape") and not weight.shape:
        value = _value_of(weight)
        if value is None:
            return weight
    number = isinstance(value, Real) and not isinstance(value, (bool, np.timedelta64))
    # Large integers are infinite as floats, and small fractions zero.
    if number and 0 < value <= _LARGEST and float(value) > 0:
        return weight if hasattr(weight, "detach") else float(value)
    rule = "must be a finite number above 0"
    got = shown(weight) if weight is value else shown(value)
    got = f"{got} of type {type(weight).__name__}"
    raise ValueError(message(function, "weight", rule, got, fix="For example 1e-3."))


def _value_of(weight: Any) -> Any:
    """Return the number that an array without axes holds, None if it is unknown."""
    if isinstance(weight, (np.ndarray, np.generic)):
        return float(weight) if weight.dtype.kind in "iuf" else weight
    name = str(weight.dtype)
    if "complex" in name or "bool" in name:
        return weight
    try:
        return float(weight.detach() if hasattr(weight, "detach") else weight)
    except Exception:  # libraries refuse this by errors of their own while they trace
        return None
