"""The finished plan of a call: all that a backend needs beside the arrays.

Everything in it is settled from shapes and dtypes alone, here and nowhere else. What values
can change is listed in it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import lru_cache
from math import prod
from typing import Any

from mtconv.errors import BackendError, GeometryError, message
from mtconv.importing import imported
from mtconv.planning.candidate import FLOATING, INEXACT, Fallback, computing_dtype
from mtconv.planning.choose import choose_algorithm, support_of
from mtconv.planning.support import check_bias, check_problem
from mtconv.problem.advice import advising, naming_symbols
from mtconv.problem.build import Problem, batch_size, match, problem, result_shape
from mtconv.problem.layout import Arrangement
from mtconv.problem.options import ALGORITHMS, Options, check_word, pinned
from mtconv.sizes import traced
from mtconv.spec import ConvSpec

__all__ = [
    "Plan",
    "asked_size",
    "make_plan",
    "plan_for",
    "plan_for_spec",
    "plan_traced",
]

# An array of more elements cannot be addressed on any machine there is.
MAX_ELEMENTS = 2**47
MAX_STEP = 2**256


@dataclass(frozen=True)
class Plan:
    """A problem with its algorithm: what a backend executes without another check.

    Plans are equal if they differ in nothing but the batch, and so in ``shape``.

    Parameters
    ----------
    form : str
        "conv_transpose", "conv" or "kernel_grad".
    spec : ConvSpec
        The geometry.
    data, kernel : Arrangement
        Where batch, channels and space are in the arrays x and y, and in the kernel.
    algorithm : str
        Name of the algorithm, settled.
    backend : str
        Name of the backend that the algorithm was chosen for.
    requested : str
        What the caller wrote: "auto", "exact" or the name; a backend that compiles for
        several platforms asks for the choice of each of them.
    dtype : str
        Dtype of the result.
    computing : str
        Dtype of the sums.
    fallbacks : tuple of Fallback
        What computes the call instead, where its values ask for it: each takes over from
        the one before it, the first from the algorithm.
    shape : tuple of int
        Shape of the result, in the layout of the arrays.
    tables : dict
        What a backend works out from all this at its first call, for later ones: index
        tables, tasks, and the kernel that was chosen. Backends add entries and may drop
        them; an entry is never changed.
    """

    form: str
    spec: ConvSpec
    data: Arrangement
    kernel: Arrangement
    algorithm: str
    backend: str
    requested: str
    dtype: str
    computing: str
    fallbacks: tuple[Fallback, ...]
    shape: tuple[int, ...] = field(compare=False)
    tables: dict[Any, Any] = field(
        init=False, compare=False, repr=False, default_factory=dict
    )

    @property
    def fallback(self) -> str:
        """What computes values that "auto" cannot trust an inexact algorithm with."""
        spectra = [f.algorithm for f in self.fallbacks if f.condition == "spectra"]
        return spectra[0] if spectra else ""

    def rounded(self, dtype: str) -> Plan:
        """Return the plan of a call whose arrays the library casts to a dtype first."""
        choice = self.algorithm, self.backend, self.requested
        dtypes = dtype, computing_dtype(dtype)
        geometry = self.form, self.spec, self.data, self.kernel
        return Plan(*geometry, *choice, *dtypes, self.fallbacks, self.shape)

    def _repr_html_(self) -> str:
        html: Callable[..., str] = imported("mtconv.sketch.html").html
        caption = f"{self.form} by {self.algorithm} of the {self.backend} backend"
        return html(caption, self.spec.axes, self.spec.padding_mode)

    def __hash__(self) -> int:
        # Equal specs in two arrangements are rare; the spec keeps its hash.
        return hash((self.spec, self.form, self.algorithm))


def make_plan(
    form: str,
    settled: Problem,
    first: tuple[int, ...],
    dtype: str,
    algorithm: str,
    backend: str,
    bias: tuple[int, ...] | None = None,
    *,
    shared: bool = False,
) -> Plan:
    """Settle a problem whose first array has a shape: algorithm, dtypes and result.

    ``shared`` is whether compiled kernels can compute in the memory of the arrays.
    """
    if bias is not None:
        with naming_symbols(bias), _advising(settled):
            _check_bias(form, settled.spec, bias)
        check_bias(support_of(backend), backend, form, bias)
    algorithm = check_word(form, "algorithm", algorithm, ALGORITHMS)
    support = support_of(backend)
    check_problem(support, backend, form, settled.spec, dtype)
    _check_algorithm(form, algorithm, dtype, backend)
    spec, batch = settled.spec, batch_size(settled, first)
    with _advising(settled):
        _check_elements(form, spec, batch)
    call = spec, form, batch, dtype, backend
    best = choose_algorithm(*call, algorithm, shared=shared)[0].algorithm
    exact = best
    if algorithm == "auto" and best in INEXACT:
        ranked = choose_algorithm(*call, "exact")
        exact = ranked[0].algorithm
    computing, fallbacks = support.precautions(spec, form, dtype, best, exact)
    return Plan(
        form,
        spec,
        settled.data,
        settled.kernel,
        best,
        backend,
        algorithm,
        dtype,
        computing,
        fallbacks,
        result_shape(form, settled, first),
    )


def _check_algorithm(form: str, algorithm: str, dtype: str, backend: str) -> None:
    available = support_of(backend).algorithms
    if algorithm not in ("auto", "exact", *available):
        msg = message(
            form,
            "algorithm",
            f"must be 'auto', 'exact' or one that the {backend} backend has: "
            + ", ".join(repr(name) for name in available),
            repr(algorithm),
        )
        raise BackendError(msg)
    if algorithm in INEXACT and dtype not in FLOATING:
        msg = message(
            form,
            "algorithm",
            f"must be exact for integers, which {algorithm!r} is not",
            f"{algorithm!r} for dtype {dtype}",
            fix="Use 'auto', or convert the arrays to float64.",
        )
        raise BackendError(msg)


@lru_cache(maxsize=4096)
def plan_for(
    form: str,
    first: tuple[int, ...],
    second: tuple[int, ...],
    options: Options,
    dtype: str,
    algorithm: str,
    backend: str,
    bias: tuple[int, ...] | None = None,
    kernel_size: int | tuple[int, ...] | None = None,
    shared: bool = False,
) -> Plan:
    """Return the plan of one call from shapes, options and dtype; cached."""
    settled = problem(form, first, second, options, kernel_size)
    call = dtype, algorithm, backend, bias
    return make_plan(form, settled, first, *call, shared=shared)


@lru_cache(maxsize=4096)
def plan_for_spec(
    form: str,
    spec: ConvSpec,
    first: tuple[int, ...],
    second: tuple[int, ...],
    dtype: str,
    algorithm: str,
    backend: str,
    bias: tuple[int, ...] | None = None,
    shared: bool = False,
) -> Plan:
    """Return the plan of one call on arrays of these shapes with a given spec; cached."""
    settled = match(form, spec, first, second)
    call = dtype, algorithm, backend, bias
    return make_plan(form, settled, first, *call, shared=shared)


def plan_traced(
    form: str,
    shapes: tuple[tuple[int, ...], tuple[int, ...]],
    geometry: Options | ConvSpec,
    dtype: str,
    algorithm: str,
    backend: str,
    bias: tuple[int, ...] | None = None,
    kernel_size: int | tuple[int, ...] | None = None,
) -> Plan:
    """Return the plan of one call whose sizes may be symbols, which no cache can hold."""
    call = dtype, algorithm, backend, bias
    if isinstance(geometry, ConvSpec):
        return plan_for_spec.__wrapped__(form, geometry, *shapes, *call)
    return plan_for.__wrapped__(form, *shapes, pinned(geometry), *call, kernel_size)


def _advising(settled: Problem) -> AbstractContextManager[None]:
    """Add advice on bare volumes to errors about arrays that can be such."""
    spec = settled.spec
    sides = (settled.data, settled.kernel)
    ndim, kernel_ndim = (spec.rank + side.leading for side in sides)
    # The kernel has two axes of channels, but `leading` counts the data's one.
    kernel_ndim += settled.kernel.channels
    return advising(ndim, kernel_ndim, spec.layout, spec.kernel_layout)


def _check_elements(form: str, spec: ConvSpec, batch: int) -> None:
    if traced(spec.small, spec.big):
        return  # symbols have no largest value
    for axis in spec.axes:
        # Steps may lead far outside of all arrays; costs are floating-point numbers.
        for argument, step in (
            ("stride", axis.stride),
            ("dilation", axis.extent),
            ("padding", axis.lo),
            ("padding", axis.hi),
        ):
            if isinstance(step, int) and abs(step) > MAX_STEP:
                rule = "must not lead to offsets of more than 2**256"
                raise GeometryError(message(form, argument, rule, step))
    small, share = spec.kernel_shape[:2]
    shapes = (
        (batch, small, *spec.small),
        (batch, share * spec.groups, *spec.big),
        spec.kernel_shape,
    )
    # An empty batch is no reason to plan what no other batch could have.
    most = max(prod(shape) or prod(max(size, 1) for size in shape) for shape in shapes)
    if most > MAX_ELEMENTS:
        msg = message(
            form,
            "x",
            f"must not lead to an array of more than 2**47 = {MAX_ELEMENTS} elements",
            f"{most} elements" if most < 2**200 else "more than 2**200 elements",
            fix="Check stride, padding and output_size.",
        )
        raise GeometryError(msg)


def _check_bias(form: str, spec: ConvSpec, bias: tuple[int, ...]) -> None:
    wanted = spec.big_channels if form == "conv_transpose" else spec.small_channels
    if wanted is None:
        msg = message(
            form,
            "bias",
            "must be left out where the kernel has no channels",
            f"an array of shape {bias}",
            fix="Add a number to the result instead.",
        )
        raise GeometryError(msg)
    if bias != (wanted,):
        msg = message(
            form,
            "bias",
            f"must have one value per output channel, shape ({wanted},)",
            f"shape {bias}",
            axis="'C'",
        )
        raise GeometryError(msg)


def asked_size(geometry: Options | ConvSpec) -> tuple[int, ...]:
    """Return the sizes that were asked for, which may be symbols where shapes are not."""
    size = geometry.output_size if isinstance(geometry, Options) else None
    if size is None:
        return ()
    return size if isinstance(size, tuple) else (size,)
