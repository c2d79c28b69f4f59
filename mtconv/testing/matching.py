"""Assert that a transposed convolution of the user's own is right."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

from mtconv.errors import GeometryError, message, shown
from mtconv.problem.options import PADDING_MODES
from mtconv.testing.asking import Accepted, ask
from mtconv.testing.calls import Caller, check_case
from mtconv.testing.case import Case
from mtconv.testing.fixed import fixed_cases
from mtconv.testing.limits import Allowed
from mtconv.testing.shrink import shrunk
from mtconv.testing.state import check_nonfinite, check_overflow, check_state
from mtconv.testing.words import check_dtypes, check_names, check_numbers, check_words

__all__ = ["assert_matches_reference"]

_NAME = "assert_matches_reference"
_REQUIRED = ("stride", "padding", "output_padding", "dilation", "groups")
_LIMITS = (
    *("ranks", "kinds", "paddings", "padding_modes", "layouts", "dtypes", "bias"),
    "batches",
)


def assert_matches_reference(
    fn: Callable[..., Any],
    *,
    options: Collection[str] | None = None,
    max_examples: int = 200,
    **limits: Any,
) -> Accepted:
    """Assert that a conv_transpose of your own is right, by fixed and by random cases.

    Parameters
    ----------
    fn : callable
        Called as ``fn(x, kernel, bias, **options)`` with NumPy arrays (bias may be None)
        and the options of `mtconv.conv_transpose` that differ from their defaults.
    options : collection of str, optional
        Names of the options that fn has; the others keep their defaults. By default
        stride, padding, output_padding, dilation and groups, and output_size and
        padding_mode where fn takes them.
    max_examples : int
        Number of random cases, which come after the fixed ones.
    **limits
        Further limits of `mtconv.strategies.problems`, for example ``ranks=(2,)``,
        ``paddings=("ints",)``, ``kinds=("batched",)`` or ``dtypes=("float32",)``.

    Returns
    -------
    Accepted
        The dtypes, ways to lie in memory, padding modes and options that fn was checked
        for, and what it refused when it was asked. Print it.

    Raises
    ------
    AssertionError
        With the smallest failing case that was found, its geometry, the first wrong
        index and the taps that reach it. An exception that fn raises passes through.
    GeometryError
        If a word among the limits is not known, with a list of those that are.
    TypeError
        If a limit is not known.

    Notes
    -----
    Needs `hypothesis`. First fn is asked which dtypes it takes, by one small call in each:
    one that it refuses, by any exception, is left out and reported, unless ``dtypes``
    names it. Arrays of negative strides, of big-endian byte order and at unaligned
    addresses may be refused too; read-only and Fortran-ordered ones and those that are
    not contiguous may not.

    Then come some 1800 fixed cases: every kernel to 17 taps, stride to 17 and dilation to
    9, the layers that networks have, sizes past the widths of vectors and tiles, many
    channels, groups and samples, every dtype and every way to lie in memory. Some 300 of
    them have every pair of features in one call: each dtype with each kernel, stride,
    number of groups, and so on. Each is called twice. Compared are shape, dtype and all
    values; arguments must stay as they were, and no result may share memory with an
    argument or with another result.

    Arrays are integer-valued and without symmetry, or single products of numbers that have
    every bit of the dtype, so the comparison is by equality: no sum is rounded. Sums of
    integers that overflow wrap, as NumPy's do, or fn raises OverflowError. NaN and infinity
    may spread, as NaN, but not get lost.

    Examples
    --------
    >>> from mtconv.testing import reference_conv_transpose
    >>> def mine(x, kernel, bias, **options):
    ...     return reference_conv_transpose(x, kernel, bias, **options)
    >>> accepted = assert_matches_reference(mine, max_examples=20)
    >>> accepted.dtypes[:3]
    ('int64', 'float32', 'float64')
    """
    allowed, dtypes, modes = _checked(options, max_examples, limits)
    probe = allowed.probe()
    accepted = ask(fn, probe, dtypes=dtypes, padding_modes=modes, options=options)
    if options is None and accepted.output_size:
        allowed = replace(allowed, options=(*allowed.options, "output_size"))
    caller = Caller(fn)
    for case in fixed_cases(allowed, accepted):
        _check(fn, caller, case)
    check_state(caller, allowed, accepted.dtypes[0])
    check_nonfinite(caller, allowed, accepted.dtypes)
    check_overflow(caller, allowed, accepted.dtypes)
    _check_random(fn, allowed, accepted, max_examples, bool(limits.get("layouts")))
    return accepted


def _checked(
    options: Collection[str] | None, max_examples: int, limits: dict[str, Any]
) -> tuple[Allowed, tuple[str, ...] | None, tuple[str, ...] | None]:
    """Check all limits; the dtypes and padding modes are None where they are not named."""
    from mtconv.strategies.build import KINDS
    from mtconv.strategies.geometry import OPTIONS, PADDINGS

    check_names(_NAME, limits, ("options", "max_examples", *_LIMITS))
    if type(max_examples) is not int or max_examples < 1:
        rule = "must be an integer of at least 1"
        raise GeometryError(message(_NAME, "max_examples", rule, shown(max_examples)))
    names = _REQUIRED if options is None else options
    batches = limits.get("batches")
    allowed = Allowed(
        check_numbers(_NAME, "ranks", limits.get("ranks", (1, 2, 3)), range(1, 4)),
        check_words(_NAME, "kinds", limits.get("kinds", KINDS), KINDS),
        check_words(_NAME, "options", names, OPTIONS, may_be_empty=True),
        check_words(_NAME, "paddings", limits.get("paddings", PADDINGS), PADDINGS),
        bool(limits.get("bias", True)),
        None if batches is None else check_numbers(_NAME, "batches", batches, range(10**6)),
    )
    dtypes, modes = limits.get("dtypes"), limits.get("padding_modes")
    if options is not None and modes is None:
        modes = ("zeros",)
    if allowed.kinds == ("bare",) and min(allowed.ranks) == 3:
        rule = "must not be 'bare' alone for three axes, which need a layout"
        raise GeometryError(message(_NAME, "kinds", rule, shown(allowed.kinds)))
    return (
        allowed,
        None if dtypes is None else check_dtypes(_NAME, dtypes),
        None
        if modes is None
        else check_words(_NAME, "padding_modes", modes, PADDING_MODES),
    )


def _check(fn: Callable[..., Any], caller: Caller, case: Case) -> None:
    """Check a case; one that fails is shrunk, and its own message raised."""
    try:
        check_case(caller, case)
        return
    except AssertionError as error:
        first = error
    _raise_smallest(fn, case, first)


def _raise_smallest(fn: Callable[..., Any], case: Case, first: AssertionError) -> None:
    """Raise the error of the smallest case like this one that fails, or the first error.

    A case that fails only after other calls cannot be made smaller.
    """
    smallest = shrunk(case, lambda candidate: _fails(fn, candidate))
    check_case(Caller(fn), smallest)
    raise first


def _fails(fn: Callable[..., Any], case: Case) -> bool:
    try:
        check_case(Caller(fn), case)
    except AssertionError:
        return True
    except Exception:
        return False
    return False


def _check_random(
    fn: Callable[..., Any],
    allowed: Allowed,
    accepted: Accepted,
    max_examples: int,
    layouts: bool,
) -> None:
    """Check random cases; one that fails is shrunk as the fixed ones are."""
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis.errors import Flaky

    from mtconv.strategies.build import problems

    cases = problems(
        ranks=allowed.ranks,
        kinds=allowed.kinds,
        options=allowed.options,
        paddings=allowed.paddings,
        padding_modes=("zeros",) * 4 + accepted.padding_modes,
        layouts=layouts,
        dtypes=accepted.dtypes,
        bias=allowed.bias,
        batches=(1, 2, 3, 5, 0) if allowed.batches is None else allowed.batches,
        wide=True,
        memory=("contiguous", "contiguous", *accepted.memory),
    )
    failed: list[tuple[Case, AssertionError]] = []

    @settings(
        max_examples=max_examples,
        deadline=None,
        database=None,
        report_multiple_bugs=False,  # a group of two would be no AssertionError
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(cases)
    def check(case: Case) -> None:
        try:
            check_case(Caller(fn), case)
        except AssertionError as error:
            failed.append((case, error))
            raise

    try:
        check()
        return
    except (AssertionError, Flaky):
        pass
    _raise_smallest(fn, *failed[-1])
