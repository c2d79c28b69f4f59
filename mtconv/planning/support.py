"""What a backend declares that it can do; whatever it does not declare is refused.

A backend never sees a call outside of its declaration: `make_plan` refuses it, with an
error that says what the backend has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from mtconv.errors import BackendError, message
from mtconv.planning.candidate import INEXACT, Candidate, Fallback, computing_dtype
from mtconv.problem.options import ALGORITHMS, PADDING_MODES
from mtconv.spec import FORMS, ConvSpec

__all__ = [
    "INTEGERS",
    "LONG",
    "NUMBERS",
    "Ladder",
    "Support",
    "check_bias",
    "check_problem",
    "refusal",
]

INTEGERS = tuple(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))
NUMBERS = (
    *INTEGERS,
    *("float16", "bfloat16", "float32", "float64", "complex64", "complex128"),
)
# The widest of NumPy, whose names and widths differ between platforms.
LONG = tuple(np.dtype(kind).name for kind in (np.longdouble, np.clongdouble))


class Ladder(Protocol):
    """Ranks the algorithms of a backend for one problem; the first one is taken."""

    def __call__(
        self, spec: ConvSpec, form: str, batch: int, dtype: str, *, exact: bool
    ) -> tuple[Candidate, ...]:
        """Give each algorithm a reason; without the inexact ones first if ``exact``."""


def _never(spec: ConvSpec, batch: int, dtype: str, algorithm: str) -> Candidate | None:
    del spec, batch, dtype, algorithm
    return None


def _none(
    spec: ConvSpec, form: str, dtype: str, algorithm: str, exact: str
) -> tuple[str, tuple[Fallback, ...]]:
    del spec, form, algorithm, exact
    return computing_dtype(dtype), ()


@dataclass(frozen=True)
class Support:
    """What a backend can do.

    Parameters
    ----------
    algorithms : tuple of str
        Public names of its algorithms, in order of preference where costs tie. At least
        one of them is exact on integer-valued arrays.
    dtypes : tuple of str
        Dtypes of results, by name: "float32" and so on.
    maps : tuple of str
        Which of "conv_transpose", "conv" and "kernel_grad" it has.
    bias : bool
        Whether `run` adds a bias.
    groups : bool
        Whether it takes more than one group of channels.
    padding_modes : tuple of str
        The values of `padding_mode` that it has; "zeros" is always among them.
    most_axes : int or None
        The largest number of spatial axes; None is any number.
    ladder : callable or None
        Ranks the algorithms where there are several.
    accelerator : callable or None
        Ranks them for GPUs and TPUs, where a backend compiles for those too.
    sharing : callable or None
        Ranks them together with the compiled kernels, for arrays whose memory these can
        compute in.
    stand_in : callable
        Called with spec, batch, dtype and the name of an algorithm: the candidate that
        takes its place where it cannot do a problem, or None.
    precautions : callable
        Called with spec, form, dtype, the algorithm, and the one that "exact" takes where
        "auto" takes another: the computing dtype, and the fallbacks for values that the
        algorithm cannot compute with.

    Raises
    ------
    ValueError
        If a name is unknown, or if the ladder or an exact algorithm is missing.

    Examples
    --------
    >>> Support(("direct",), ("int64", "float64"), maps=("conv",)).padding_modes
    ('zeros',)
    """

    algorithms: tuple[str, ...]
    dtypes: tuple[str, ...]
    maps: tuple[str, ...] = FORMS
    bias: bool = False
    groups: bool = False
    padding_modes: tuple[str, ...] = ("zeros",)
    most_axes: int | None = None
    ladder: Ladder | None = None
    accelerator: Ladder | None = None
    sharing: Ladder | None = None
    stand_in: Callable[[ConvSpec, int, str, str], Candidate | None] = _never
    precautions: Callable[
        [ConvSpec, str, str, str, str], tuple[str, tuple[Fallback, ...]]
    ] = _none

    def __post_init__(self) -> None:
        known = ALGORITHMS[2:]  # without "auto" and "exact", which name no algorithm
        _check_names("algorithms", self.algorithms, known)
        _check_names("maps", self.maps, FORMS)
        _check_names("padding_modes", self.padding_modes, PADDING_MODES)
        _check_names("dtypes", self.dtypes, None)
        has_exact = bool(set(self.algorithms) - INEXACT)
        ranked = self.ladder is not None or len(self.algorithms) == 1
        for field, rule, holds in (
            ("padding_modes", "must have 'zeros'", "zeros" in self.padding_modes),
            ("algorithms", "must have one that is exact on integers", has_exact),
            ("ladder", "must be given where there are several algorithms", ranked),
        ):
            if not holds:
                raise _wrong(field, rule, getattr(self, field))


def check_problem(
    support: Support, backend: str, form: str, spec: ConvSpec, dtype: str
) -> None:
    """Refuse a problem that the backend does not declare.

    Raises
    ------
    BackendError
        With the rule that the problem breaks.
    """
    broken = refusal(support, backend, form, spec, dtype)
    if broken is not None:
        argument, rule, got = broken
        fix = "NumPy arrays without `backend` take every problem."
        raise BackendError(message(form, argument, rule, got, fix=fix))


def refusal(
    support: Support, backend: str, form: str, spec: ConvSpec, dtype: str
) -> tuple[str, str, object] | None:
    """Return argument, rule and value of what is not declared, if anything is not."""
    name = f"the {backend} backend"
    if form not in support.maps:
        maps = " and ".join(support.maps)
        return "backend", f"must have {form}; {name} has {maps}", repr(backend)
    if dtype not in support.dtypes:
        rule = f"must lead to a dtype of the result that {name} has: "
        return "x", rule + ", ".join(support.dtypes), f"dtype {dtype}"
    if support.most_axes is not None and spec.rank > support.most_axes:
        rule = f"must have a number of spatial axes that {name} has: "
        return "x", f"{rule}at most {support.most_axes}", spec.rank
    if spec.groups != 1 and not support.groups:
        return "groups", f"must be 1 on {name}", spec.groups
    if spec.padding_mode not in support.padding_modes:
        rule = f"must be one that {name} has: "
        rule += ", ".join(map(repr, support.padding_modes))
        return "padding_mode", rule, repr(spec.padding_mode)
    return None


def check_bias(support: Support, backend: str, form: str, shape: tuple[int, ...]) -> None:
    """Refuse a bias that the backend does not add."""
    if not support.bias:
        rule = f"must be left out on the {backend} backend, which adds none"
        fix = "Add it to the result."
        raise BackendError(message(form, "bias", rule, f"shape {shape}", fix=fix))


def _check_names(field: str, names: object, known: Iterable[str] | None) -> None:
    """Refuse anything but a tuple of names, so that a single string is not read as one."""
    if not isinstance(names, tuple) or not names:
        raise _wrong(field, "must be a tuple of names", names)
    for name in names:
        if not isinstance(name, str) or (known is not None and name not in known):
            listed = "" if known is None else ": " + ", ".join(map(repr, known))
            raise _wrong(field, f"must hold known names only{listed}", name)


def _wrong(field: str, rule: str, got: object) -> ValueError:
    return ValueError(message("Support", field, rule, repr(got)))
