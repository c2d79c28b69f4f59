"""The contract of backends as tests: values, declarations, and what must not happen.

A backend runs them in its own test suite, by a class or by a function:

    from mtconv.testing.backend_contract import BackendContract

    class TestToy(BackendContract):
        backend = "toy"

or ``check_backend("toy")``. pytest is not needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

import mtconv
from mtconv.backends.dispatch import check_provided, load
from mtconv.planning.choose import INEXACT, support_of
from mtconv.planning.support import NUMBERS, Support
from mtconv.problem.options import ALGORITHMS, PADDING_MODES
from mtconv.spec import FORMS
from mtconv.testing.contract_cases import (
    GEOMETRIES,
    LAYOUTS,
    MapCall,
    calls,
    declared,
    long_sums,
    make_case,
)

__all__ = ["BackendContract", "check_backend"]

_SIMPLE = ((1, 2, 4), (2, 3, 3), {"stride": 2})


class BackendContract:
    """Tests that every backend passes; subclass it and set `backend`.

    `to_backend` and `to_numpy` may be overridden where NumPy cannot make or read the
    arrays of a library. `named_on` lists the problems on which every algorithm is asked
    for by name; a backend that compiles for each of them may take fewer.
    """

    backend: ClassVar[str]
    named_on: ClassVar[tuple[str, ...]] = tuple(GEOMETRIES)

    def to_backend(self, values: NDArray[Any], dtype: str) -> Any:
        """Make an array of the backend; by default as `asarray` of the backend does."""
        array = values.astype(_numpy_dtype(dtype))
        return load(self.backend).asarray("check_backend", "x", array)

    def to_numpy(self, result: Any) -> NDArray[Any]:
        """Make a NumPy array of a result."""
        return np.asarray(result)

    @property
    def support(self) -> Support:
        """What the backend declares."""
        return support_of(self.backend)

    @property
    def dtype(self) -> str:
        """The declared dtype that checks of anything but dtypes use."""
        choices = [d for d in ("int64", "float64", "int32", "float32") if self._has(d)]
        return (choices or list(self.support.dtypes))[0]

    def test_it_provides_what_a_backend_has(self) -> None:
        """`NAME`, `asarray`, `result_dtype` and `run` are there."""
        check_provided(self.backend, load(self.backend))

    def test_every_map_and_algorithm_equals_plain_loops(self) -> None:
        """Values, shapes and dtypes, on every declared geometry."""
        exact = [name for name in self.support.algorithms if name not in INEXACT]
        named_on = [GEOMETRIES[title] for title in self.named_on]
        for geometry in declared(GEOMETRIES, self.support):
            names = ("auto", "exact", *exact) if geometry in named_on else ("auto",)
            for call in calls(make_case(geometry), self.support.maps):
                for algorithm in names:
                    self._compare(call, self.dtype, algorithm=algorithm)

    def test_every_layout_equals_plain_loops(self) -> None:
        """Arrays with their axes in another order."""
        for geometry in declared(LAYOUTS, self.support):
            for call in calls(make_case(geometry), self.support.maps):
                self._compare(call, self.dtype)

    def test_every_padding_mode_equals_plain_loops(self) -> None:
        """Padding narrower and wider than the axis, and different on both sides."""
        narrow = {"padding": ((2, 1),), "stride": 2}
        wide = {"padding": ((3, 17),), "dilation": 2}
        for mode in self.support.padding_modes:
            for options in (narrow, wide):
                geometry = ((1, 2, 30), (2, 3, 3), {**options, "padding_mode": mode})
                for call in calls(make_case(geometry), self.support.maps):
                    self._compare(call, self.dtype)

    def test_every_dtype_equals_plain_loops(self) -> None:
        """Integers wrap, complex is not conjugated."""
        for dtype in self.support.dtypes:
            case = make_case(_SIMPLE, imaginary=dtype.startswith("complex"))
            for call in calls(case, self.support.maps):
                self._compare(call, dtype)

    def test_half_precision_is_summed_in_float32(self) -> None:
        """A large number between ones, over channels, taps and elements."""
        for dtype, large in (("bfloat16", 256), ("float16", 2048)):
            for call in long_sums(large):
                if self._has(dtype) and call.form in self.support.maps:
                    self._compare(call, dtype)

    def test_a_bias_is_added_to_each_channel(self) -> None:
        """With groups, layouts and padding modes where they are declared."""
        if not self.support.bias:
            return
        for geometry in declared({**GEOMETRIES, **LAYOUTS}, self.support):
            for call in calls(make_case(geometry), self.support.maps, bias=True):
                if len(call.arrays) == 3:
                    self._compare(call, self.dtype)

    def test_an_empty_batch_has_an_empty_result(self) -> None:
        """And a kernel gradient of zeros."""
        geometry = ((0, 2, 4), (2, 3, 3), {"stride": 2})
        for call in calls(make_case(geometry), self.support.maps):
            self._compare(call, self.dtype)

    def test_arrays_of_any_strides_are_read_and_none_is_changed(self) -> None:
        """Reversed and read-only views; the results of two calls share no memory."""
        for call in calls(make_case(_SIMPLE), self.support.maps):
            views = [_reversed_view(array.astype(self.dtype)) for array in call.arrays]
            before = [view.copy() for view in views]
            function = getattr(mtconv, call.form)
            first = function(*views, **call.options, backend=self.backend)
            values = self.to_numpy(first).copy()
            function(*(view + 1 for view in views), **call.options, backend=self.backend)
            _equal(f"{call.form} of reversed views", values, call.expected)
            _equal(f"{call.form}: a later call", self.to_numpy(first), call.expected)
            for view, copy in zip(views, before, strict=True):
                _equal(f"{call.form}: an input", view, copy)

    def test_nan_reaches_only_what_its_taps_reach(self) -> None:
        """In x and y; zeros of padding may meet the kernel, which is left out here."""
        if not self._has("float64"):
            return
        options = {"stride": 2, "dilation": 3, "padding": 1}
        case = make_case(((1, 1, 5), (1, 2, 2), options))
        x, y = case.x.astype(float), case.y.astype(float)
        x[0, 0, 1] = y[0, 1, 4] = np.nan
        arrays = {"conv_transpose": (x, case.kernel), "conv": (y, case.kernel)}
        arrays["kernel_grad"] = (case.x, y)
        data = type(case)(x, case.kernel, y, None, options)
        for call in calls(data, tuple(set(self.support.maps) - {"kernel_grad"})):
            self._compare(call._replace(arrays=arrays[call.form]), "float64")
        data = type(case)(case.x, case.kernel, y, None, options)
        for call in calls(data, tuple(set(self.support.maps) & {"kernel_grad"})):
            self._compare(call, "float64")

    def test_what_is_not_declared_is_refused(self) -> None:
        """With a `BackendError`, which comes before any work."""
        for title, function in self._undeclared():
            try:
                function()
            except mtconv.BackendError:
                continue
            msg = f"{self.backend}: {title} is not declared, and not refused"
            raise AssertionError(msg)

    def _undeclared(self) -> Iterator[tuple[str, Callable[[], Any]]]:
        """Yield calls of everything that the backend does not declare."""
        support = self.support
        for form in FORMS:
            if form not in support.maps:
                yield form, self._call_of(form, _SIMPLE)
        form = support.maps[0]
        axes = support.most_axes
        if axes is not None:
            shapes = ((1, 1, *(2,) * (axes + 1)), (1, 1, *(1,) * (axes + 1)))
            yield f"{axes + 1} spatial axes", self._call_of(form, (*shapes, {}))
        if not support.groups:
            yield "groups", self._call_of(form, GEOMETRIES["groups"])
        if not support.bias and form != "kernel_grad":
            yield "bias", self._call_of(form, _SIMPLE, bias=True)
        for mode in set(PADDING_MODES) - set(support.padding_modes):
            options = {"padding": 1, "padding_mode": mode}
            yield f"padding mode {mode}", self._call_of(form, (*_SIMPLE[:2], options))
        for name in set(ALGORITHMS[2:]) - set(support.algorithms):
            yield f"algorithm {name}", self._call_of(form, _SIMPLE, algorithm=name)
        for dtype in {"bool", *NUMBERS} - set(support.dtypes) - {"bfloat16"}:
            yield f"dtype {dtype}", self._call_of(form, _SIMPLE, dtype=dtype)

    def _call_of(
        self,
        form: str,
        geometry: Any,
        *,
        bias: bool = False,
        dtype: str | None = None,
        **options: Any,
    ) -> Callable[[], Any]:
        """Return the call of a map that is to be refused."""
        (call,) = calls(make_case(geometry), (form,), bias=bias)
        arrays = [array.astype(dtype or self.dtype) for array in call.arrays]
        every = {**call.options, **options, "backend": self.backend}
        return lambda: getattr(mtconv, form)(*arrays, **every)

    def _compare(self, call: MapCall, dtype: str, **options: Any) -> None:
        """Compare one call with its loops, in value, shape and dtype."""
        arrays = [self.to_backend(array, dtype) for array in call.arrays]
        engine = load(self.backend)
        function = getattr(mtconv, call.form)
        result = function(*arrays, **call.options, **options, backend=self.backend)
        words = {**call.options, **options}
        title = f"{call.form} on {self.backend}, {dtype}, {words}"
        name = engine.result_dtype(result)
        if name != dtype:
            msg = f"{title}: the result has dtype {name}"
            raise AssertionError(msg)
        expected = call.expected.astype(_numpy_dtype(dtype))
        _equal(title, self.to_numpy(result), expected)

    def _has(self, dtype: str) -> bool:
        return dtype in self.support.dtypes


def check_backend(
    name: str,
    *,
    to_backend: Callable[[NDArray[Any], str], Any] | None = None,
    to_numpy: Callable[[Any], NDArray[Any]] | None = None,
) -> tuple[str, ...]:
    """Run every test of the contract on one backend.

    Parameters
    ----------
    name : str
        The name of a backend that is installed or registered.
    to_backend : callable, optional
        Makes an array of the backend from a NumPy array and the name of a dtype.
    to_numpy : callable, optional
        Makes a NumPy array of a result.

    Returns
    -------
    tuple of str
        Names of the tests that passed, which are all that there are.

    Raises
    ------
    AssertionError
        At the first difference, with the call and the first wrong element.

    Examples
    --------
    >>> len(check_backend("numpy"))
    11
    """
    contract = type("Contract", (BackendContract,), {"backend": name})()
    if to_backend is not None:
        contract.to_backend = to_backend
    if to_numpy is not None:
        contract.to_numpy = to_numpy
    names = tuple(part for part in dir(contract) if part.startswith("test_"))
    for part in names:
        getattr(contract, part)()
    return names


def _numpy_dtype(name: str) -> np.dtype[Any]:
    """Return a dtype of NumPy by its name; those of ml_dtypes need that package."""
    try:
        return np.dtype(name)
    except TypeError:
        import ml_dtypes

        dtype: np.dtype[Any] = np.dtype(getattr(ml_dtypes, name))
        return dtype


def _reversed_view(array: NDArray[Any]) -> NDArray[Any]:
    """Return the values behind negative strides, read-only."""
    flip = (slice(None, None, -1),) * array.ndim
    view = array[flip].copy()[flip]
    view.flags.writeable = False
    return view


def _equal(title: str, got: NDArray[Any], expected: NDArray[Any]) -> None:
    if got.shape != expected.shape:
        msg = f"{title}: shape {got.shape} instead of {expected.shape}"
        raise AssertionError(msg)
    same = (got == expected) | ((got != got) & (expected != expected))
    if not same.all():
        index = tuple(int(i) for i in np.argwhere(~same)[0])
        msg = (
            f"{title}: {int((~same).sum())} of {same.size} elements are wrong; the first "
            f"is at index {index}: got {got[index]}, expected {expected[index]}"
        )
        raise AssertionError(msg)
