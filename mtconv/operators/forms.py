"""Forms of a map that only a prepared kernel has, on NumPy arrays.

They need what is known of an operator and not of a call: that its spectra serve later
calls, or what its kernel's values are like. `auto` takes the one whose estimated time is
least, if that is less than the plan's; `fft` by name takes spectra.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf, log2, prod
from typing import Any, NamedTuple

from numpy.typing import NDArray

from mtconv.backends.dispatch import OF_NUMPY
from mtconv.operators.circular.circle import circles_of
from mtconv.operators.circular.maps import FrequencyForm
from mtconv.operators.separable.form import SeparableForm, separated
from mtconv.planning.candidate import FLOATING, Candidate
from mtconv.planning.choose import choose_algorithm
from mtconv.planning.ladders.numpy import rates_of
from mtconv.planning.plan import Plan
from mtconv.planning.separable import fits_scratch, separable_cost
from mtconv.planning.work import Cost

__all__ = ["FormChoice", "form_candidates", "form_for"]

# Where spectra are kept, this is said.
_KEPT = "circular, and its spectrum is kept"

# What is said where the axes are applied one after another.
_AXES = "the kernel is the product of one vector for each axis"


class FormChoice(NamedTuple):
    """A form that a kernel has, and its estimated cost."""

    form: type[Any]
    candidate: Candidate

    @property
    def seconds(self) -> float:
        """Estimated time of a call; infinite where there is no estimate."""
        cost = self.candidate.cost
        return inf if cost is None else cost.seconds


def form_for(plan: Plan, kernel: NDArray[Any], batch: int, dtype: str) -> type[Any] | None:
    """Return the form to take for a kernel instead of the plan's algorithm, if any."""
    choices = form_candidates(plan, kernel, batch, dtype)
    return choices[0].form if choices else None


def form_candidates(
    plan: Plan, kernel: NDArray[Any], batch: int, dtype: str
) -> tuple[FormChoice, ...]:
    """List the forms that are estimated to be faster than the plan, fastest first."""
    if not kernel.size or not batch or plan.backend not in OF_NUMPY:
        return ()
    if plan.requested == "fft":
        return tuple(_frequency(plan, batch, dtype))
    if plan.requested != "auto":
        return ()
    taken = choose_algorithm(plan.spec, plan.form, batch, dtype, plan.backend)[0]
    if taken.cost is None:  # there is nothing to multiply
        return ()
    most = taken.cost.seconds
    choices = (*_frequency(plan, batch, dtype), *_separable(plan, kernel, batch, dtype))
    return tuple(
        sorted((choice for choice in choices if choice.seconds < most), key=_seconds)
    )


def _seconds(choice: FormChoice) -> float:
    return choice.seconds


def _separable(
    plan: Plan, kernel: NDArray[Any], batch: int, dtype: str
) -> Iterator[FormChoice]:
    """Estimate the time axis by axis, if the kernel is a product of one vector for each."""
    itemsize = FLOATING.get(dtype, 8)
    if dtype not in FLOATING and "int" not in dtype:
        return
    if plan.spec.rank < 2 or not fits_scratch(plan.form, plan.spec, itemsize):
        return
    if separated(plan, kernel, dtype) is None:
        return
    rates = rates_of(itemsize)
    cost = separable_cost(plan.form, plan.spec, batch, itemsize, rates)
    yield FormChoice(SeparableForm, Candidate(SeparableForm.NAME, cost, _AXES))


def _frequency(plan: Plan, batch: int, dtype: str) -> Iterator[FormChoice]:
    """Estimate the time in frequency from what the plan's own transforms would take."""
    spec = plan.spec
    if spec.padding_mode != "circular" or dtype not in FLOATING:
        return
    ranked = choose_algorithm(spec, plan.form, batch, dtype, plan.backend)
    fft = next((c for c in ranked if c.algorithm == "fft"), None)
    refused = fft is None or fft.cost is None or "not exact" in fft.reason
    if refused and plan.requested != "fft":
        return
    small, share = spec.kernel_shape[:2]
    circles = circles_of(spec)
    residues = prod(circle.stride for circle in circles)
    cells = prod(circle.cells for circle in circles)
    transforms = batch * (small + share * spec.groups * residues)
    butterflies = int(2.5 * cells * log2(max(cells, 2)) * transforms)
    products = cells // 2 * batch * small * share * residues
    cost = None
    if fft is not None and fft.cost is not None:
        itemsize = FLOATING[dtype]
        calls = fft.cost.operations * rates_of(itemsize).call  # kept spectra need few
        each = (fft.cost.seconds - calls) / max(fft.cost.multiply_adds, 1)
        moved = 2 * itemsize * (cells * transforms + products)
        seconds = (butterflies + 4 * products) * each
        cost = Cost(butterflies + 4 * products, moved, 8, seconds)
    yield FormChoice(FrequencyForm, Candidate(FrequencyForm.NAME, cost, _KEPT))
