"""`explain`: what a call would do and why, from shapes alone."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, SupportsIndex

from mtconv.backends.dispatch import backend_name, shares_memory
from mtconv.errors import GeometryError, message, renamed
from mtconv.explaining.explanation import SIDES, Explanation
from mtconv.explaining.facts import (
    accelerator_of,
    axis_facts,
    candidates_of,
    dtype_facts,
    resolver_of,
    workspace_of,
)
from mtconv.importing import imported
from mtconv.planning.plan import make_plan
from mtconv.problem.build import batch_size, problem, result_shape
from mtconv.problem.options import ALGORITHMS, check_word
from mtconv.problem.shapes import freeze_shape, geometric
from mtconv.sizes import symbols
from mtconv.spec import FORMS, ConvSpec

__all__ = ["explain"]


def explain(
    x_shape: Any,
    kernel_shape: Sequence[SupportsIndex] | None = None,
    dtype: Any = None,
    backend: str = "numpy",
    form: str = "conv_transpose",
    *,
    algorithm: str = "auto",
    **options: Any,
) -> Explanation:
    """Say what a call would do and why, without arrays and without the backend's library.

    Parameters
    ----------
    x_shape, kernel_shape : sequence of int
        Shapes of the two arrays of `conv_transpose` or `conv`. For "kernel_grad" those
        of its first argument and of its result; `output_size` settles the size of y.
        Or a `Conv` or `ConvTranspose` in place of both, and nothing else but `dtype`:
        what it does with one array.
    dtype : dtype or str
        Dtype of the result, for example "bfloat16"; "float32" by default, or the
        operator's own.
    backend : str
        Name of a backend; its library need not be installed.
    form : str
        "conv_transpose", "conv" or "kernel_grad".
    algorithm : str
        As in `conv_transpose`.
    **options
        The geometric options of the map.

    Returns
    -------
    Explanation
        An object that prints: the geometry axis by axis, the algorithm and why, why the
        others were not taken, multiply-adds, bytes and workspace.

    Raises
    ------
    GeometryError, BackendError
        Where the call itself would raise them.
    TypeError
        If anything but `dtype` is passed with an operator, or an operator that is made of
        others.

    Notes
    -----
    Costs microseconds: integers only. For an operator the kernel is looked at, since
    operators know ways for some kernels that calls do not: "separable" if the kernel is
    the product of one vector for each axis, and "frequency" if the padding is circular.

    Examples
    --------
    >>> explanation = explain((1, 3, 16, 16), (3, 8, 4, 4), stride=2, padding=1)
    >>> explanation.shapes["big"], explanation.axes[0].legal
    ((1, 8, 32, 32), (32, 33))
    >>> explanation.multiply_adds  # 3 * 8 channels, and per axis 16 * 4 taps less 2 cropped
    92256
    """
    if hasattr(x_shape, "input_shape"):
        passed = {"kernel_shape": kernel_shape, "form": form, "algorithm": algorithm}
        of_operators = imported("mtconv.explaining.of_operators")
        explained: Explanation = of_operators.explain_operator(
            x_shape, dtype, passed | {"backend": backend} | options
        )
        return explained
    if kernel_shape is None:
        msg = "explain() missing 1 required positional argument: 'kernel_shape'"
        raise TypeError(msg)
    form = check_word("explain", "form", form, FORMS)
    algorithm = check_word("explain", "algorithm", algorithm, ALGORITHMS)
    backend = backend_name("explain", backend)
    kind, itemsize = dtype_facts("float32" if dtype is None else dtype)
    first = freeze_shape("explain", "x_shape", x_shape)
    second = freeze_shape("explain", "kernel_shape", kernel_shape)
    frozen = geometric(form, "explain", options)
    solved = "conv" if form == "conv" else "conv_transpose"
    arguments = {"x": "x_shape", "kernel": "kernel_shape"}
    with renamed(solved, "explain", **arguments), renamed(form, "explain", **arguments):
        settled = problem(solved, first, second, frozen)
        _check_known(first, settled.spec)
        batch = batch_size(settled, first)
        shared = shares_memory(backend, kind)
        call = kind, algorithm, backend
        plan = make_plan(form, settled, first, *call, shared=shared)
    sides = (first, second, result_shape(solved, settled, first))
    shapes = dict(zip(SIDES[solved], sides, strict=True))
    return Explanation(
        plan,
        kind,
        shapes,
        axis_facts(settled.spec, resolver_of(frozen, settled.spec, form)),
        candidates_of(plan, batch),
        batch * plan.spec.multiply_adds,
        itemsize * sum(map(prod, shapes.values())),
        workspace_of(plan, batch, itemsize),
        accelerator_of(plan, batch),
    )


def _check_known(first: tuple[int, ...], spec: ConvSpec) -> None:
    """Refuse symbols, of which there are no costs."""
    names = symbols(first, spec.small, spec.big)
    if names:
        rule = "must be known: costs are numbers"
        fix = "Give the shape of one call."
        got = f"the symbolic size {names[0]}"
        raise GeometryError(message("explain", "x_shape", rule, got, fix=fix))
