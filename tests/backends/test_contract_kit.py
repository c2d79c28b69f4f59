"""The tests of the contract notice what a backend can do wrong: each mistake is planted."""

import numpy as np
import pytest

import mtconv
from mtconv.backends import Support, register, unregister
from mtconv.backends.dispatch import load
from mtconv.problem.options import PADDING_MODES
from mtconv.testing.backend_contract import BackendContract, check_backend

DTYPES = ("int64", "float32", "float64")
WHOLE = {"bias": True, "groups": True, "padding_modes": PADDING_MODES}


class Copy:
    """A backend that does what NumPy's does; a subclass plants a mistake."""

    NAME = "toy"

    def __init__(self):
        self.engine = load("numpy")

    def asarray(self, function, argument, array):
        return self.engine.asarray(function, argument, array)

    def result_dtype(self, *arrays):
        return self.engine.result_dtype(*arrays)

    def run(self, plan, first, second, bias=None, precision=None):
        return self.engine.run(plan, first, second, bias, precision)


def failure(backend, support):
    """Return the message with which the contract fails on a backend."""
    register("toy", backend, support)
    try:
        with pytest.raises(AssertionError) as caught:
            check_backend("toy")
    finally:
        unregister("toy")
    return str(caught.value)


@pytest.mark.parametrize(
    "support",
    [
        Support(("direct",), DTYPES, **WHOLE),
        Support(("direct",), DTYPES),
        Support(("polyphase",), ("float32",), maps=("conv",), most_axes=1),
        Support(("gemm",), ("float64",), maps=("kernel_grad",), groups=True),
        Support(("direct",), ("int64",), maps=("conv_transpose",), bias=True, most_axes=2),
    ],
    ids=["all", "nothing but maps", "conv alone", "gradient alone", "transpose alone"],
)
def test_a_backend_passes_whatever_part_it_declares(support):
    register("toy", Copy(), support)
    try:
        assert len(check_backend("toy")) == 11
    finally:
        unregister("toy")


class FlipsKernel(Copy):
    def run(self, plan, first, second, bias=None, precision=None):
        if plan.form == "conv_transpose":
            second = np.flip(second, -1)
        return super().run(plan, first, second, bias, precision)


class TakesNoDilation(Copy):
    def run(self, plan, first, second, bias=None, precision=None):
        result = super().run(plan, first, second, bias, precision)
        return result * all(axis.dilation == 1 for axis in plan.spec.axes)


class ForgetsLayout(Copy):
    def run(self, plan, first, second, bias=None, precision=None):
        result = super().run(plan, first, second, bias, precision)
        order = plan.data.order
        return result if order is None or plan.form == "kernel_grad" else result.T


class ForgetsBias(Copy):
    def run(self, plan, first, second, _bias=None, precision=None):
        return super().run(plan, first, second, None, precision)


class WidensFloats(Copy):
    def run(self, plan, first, second, bias=None, precision=None):
        result = super().run(plan, first, second, bias, precision)
        return result.astype(np.float64) if result.dtype == np.float32 else result


class ChangesInput(Copy):
    def run(self, plan, first, second, bias=None, precision=None):
        result = super().run(plan, first, second, bias, precision)
        writeable = second if second.flags.writeable else second.base
        writeable[:] = 0
        return result


class KeepsOneBuffer(Copy):
    def __init__(self):
        super().__init__()
        self.buffers = {}

    def run(self, plan, first, second, bias=None, precision=None):
        result = super().run(plan, first, second, bias, precision)
        buffer = self.buffers.setdefault((plan.form, result.shape, result.dtype), result)
        buffer[...] = result
        return buffer


class SpreadsNan(Copy):
    def run(self, plan, first, second, bias=None, precision=None):
        result = super().run(plan, first, second, bias, precision)
        return np.full_like(result, np.nan) if np.isnan(result).any() else result


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        (FlipsKernel, "conv_transpose on toy, int64"),
        (TakesNoDilation, "'dilation': "),
        (ForgetsLayout, "shape"),
        (ForgetsBias, "the first is at index"),
        (WidensFloats, "the result has dtype float64"),
        (ChangesInput, "an input"),
        (KeepsOneBuffer, "a later call"),
        (SpreadsNan, "got nan"),
    ],
)
def test_a_mistake_fails(mistake, said):
    assert said in failure(mistake(), Support(("direct",), DTYPES, **WHOLE))


class SumsInHalf(Copy):
    def run(self, plan, first, second, bias=None, precision=None):
        result = super().run(plan, first, second, bias, precision)
        if result.shape == (1, 1, 1) and result.dtype == np.float16:
            result[...] = 0
            for term in first.ravel() * second.ravel():
                result += term
        return result


@pytest.mark.parametrize("form", ["conv_transpose", "conv", "kernel_grad"])
def test_sums_in_half_precision_fail(form):
    support = Support(("direct",), ("float16",), maps=(form,))
    assert "got 2080.0, expected 2112.0" in failure(SumsInHalf(), support)


class ForgetsGroups(Copy):
    def run(self, plan, first, second, bias=None, precision=None):
        result = super().run(plan, first, second, bias, precision)
        return result * (plan.spec.groups == 1)


class ForgetsPadding(Copy):
    def run(self, plan, first, second, bias=None, precision=None):
        result = super().run(plan, first, second, bias, precision)
        return result * (plan.spec.padding_mode == "zeros")


@pytest.mark.parametrize(
    ("mistake", "declared", "said"),
    [
        (ForgetsGroups, {"groups": True}, "'groups': 4"),
        (ForgetsPadding, {"padding_modes": ("zeros", "reflect")}, "'reflect'"),
        (ForgetsBias, {"bias": True}, "elements are wrong"),
    ],
)
def test_what_a_backend_lacks_fails_only_where_it_is_declared(mistake, declared, said):
    assert said in failure(mistake(), Support(("direct",), DTYPES, **declared))
    register("toy", mistake(), Support(("direct",), DTYPES))
    try:
        check_backend("toy")
    finally:
        unregister("toy")


def test_accepting_what_is_not_declared_fails(monkeypatch):
    register("toy", Copy(), Support(("direct",), DTYPES))
    monkeypatch.setattr("mtconv.planning.plan.check_problem", lambda *_: None)
    try:
        with pytest.raises(AssertionError, match=r"^toy: groups is not declared, and not "):
            check_backend("toy")
    finally:
        unregister("toy")


def test_arrays_are_made_and_read_by_functions_of_the_caller():
    made, read = [], []

    def to_backend(values, dtype):
        made.append(dtype)
        return values.astype(dtype)

    def to_numpy(result):
        read.append(result)
        return result

    register("toy", Copy(), Support(("direct",), ("float32",), maps=("conv",)))
    try:
        check_backend("toy", to_backend=to_backend, to_numpy=to_numpy)
    finally:
        unregister("toy")
    assert set(made) == {"float32"}
    assert all(isinstance(result, np.ndarray) for result in read)
    assert len(read) >= 10


def test_an_unknown_backend_is_an_error_and_no_success():
    with pytest.raises(mtconv.BackendError, match="does not declare what it supports"):
        check_backend("toy")


def test_a_class_has_the_same_tests():
    names = [name for name in dir(BackendContract) if name.startswith("test_")]
    assert check_backend("numpy") == tuple(names)
