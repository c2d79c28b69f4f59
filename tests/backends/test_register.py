"""Backends from outside: how they join, what they must have, and what is refused."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

import mtconv
from mtconv.backends import Support, register, unregister
from mtconv.backends.dispatch import BACKENDS, load
from mtconv.planning.choose import DECLARED
from mtconv.planning.ladders import numpy as numpy_ladder
from mtconv.testing import assert_backends_agree

ONE = Support(("direct",), ("float64",), maps=("conv_transpose",))
X, KERNEL = np.array([[[1.0, 2.0]]]), np.array([[[1.0, 10.0, 100.0]]])


class Toy:
    """A backend that gives zeros of the right shape."""

    NAME = "toy"

    def asarray(self, _function, _argument, array):
        return array.values if isinstance(array, ToyArray) else np.asarray(array)

    def result_dtype(self, *arrays):
        return np.result_type(*(a for a in arrays if a is not None)).name

    def run(self, plan, first, second, _bias=None, _precision=None):
        return np.zeros((len(first), second.shape[1], *plan.spec.big))


class ToyArray:
    """An array of the library `toylib`."""

    def __init__(self, values):
        self.values = values


@pytest.fixture
def toy(monkeypatch):
    module = ModuleType("toylib")
    module.Array = ToyArray
    monkeypatch.setitem(sys.modules, "toylib", module)
    register("toy", Toy(), ONE, arrays="toylib.Array")
    yield
    unregister("toy")


@pytest.mark.usefixtures("toy")
def test_a_registered_backend_is_called_by_name():
    got = mtconv.conv_transpose(X, KERNEL, stride=2, backend="toy")
    assert got.tolist() == [[[0.0] * 5]]


@pytest.mark.usefixtures("toy")
def test_it_owns_the_arrays_of_its_library():
    assert not mtconv.conv_transpose(ToyArray(X), ToyArray(KERNEL)).any()


class NumpyArray(np.ndarray):
    """An array that is one of NumPy's."""


@pytest.mark.parametrize("arrays", ["builtins.list", "numpy.matrix", "own.NumpyArray"])
def test_arrays_that_belong_to_no_backend_are_refused(monkeypatch, arrays):
    monkeypatch.setitem(sys.modules, "own", SimpleNamespace(NumpyArray=NumpyArray))
    with pytest.raises(ValueError, match="`arrays`") as error:
        register("toy", Toy(), ONE, arrays=arrays)
    assert str(error.value) == (
        "register: `arrays` must be a class that is none of NumPy's arrays, lists and "
        f"numbers; got {arrays!r}. Leave it out: callers name the backend for those."
    )
    assert "toy" not in BACKENDS


@pytest.mark.parametrize("arrays", ["Array", "toylib.", ".Array", " .Array", None])
def test_a_class_of_arrays_is_named_behind_its_module(arrays):
    with pytest.raises(ValueError, match="`arrays`") as error:
        register("toy", Toy(), ONE, arrays=arrays)
    assert str(error.value) == (
        f"register: `arrays` must name a class behind its module; got {arrays!r}. Write "
        "the module too, as in 'toylib.Array'."
    )
    assert "toy" not in BACKENDS


class BareArray:
    """An array with nothing but what the page on backends asks of arrays."""

    def __init__(self, values):
        values = np.asarray(values, "float64")
        self.shape, self.ndim, self.dtype = values.shape, values.ndim, values.dtype


class BareToy(Toy):
    def asarray(self, _function, _argument, array):
        return BareArray(array)

    def result_dtype(self, *_arrays):
        return "float64"

    def run(self, plan, first, second, bias, _precision):
        assert bias.shape == (1,)
        return first.ndim, second.shape, plan.spec.big


def test_an_array_needs_shape_ndim_and_dtype_alone():
    register("toy", BareToy(), Support(("direct",), ("float64",), bias=True))
    try:
        got = mtconv.conv_transpose([[[1, 2]]], [[[1, 10]]], [3], backend="toy")
    finally:
        unregister("toy")
    assert got == (3, (1, 1, 2), (3,))


@pytest.mark.usefixtures("toy")
def test_it_is_explained_and_listed():
    explanation = mtconv.explain(X.shape, KERNEL.shape, "float64", "toy")
    assert explanation.plan.algorithm == "direct"
    with pytest.raises(mtconv.BackendError, match="'array_api', 'toy'; got 'other'"):
        mtconv.conv(X, KERNEL, backend="other")


@pytest.mark.usefixtures("toy")
def test_agreement_is_asked_of_backends_that_declare_the_problem(monkeypatch):
    monkeypatch.setattr("mtconv.testing.agreement.BACKENDS", ("numpy", "toy"))
    # It has no `conv`, and gives zeros wherever it is asked.
    assert_backends_agree(X, KERNEL, form="conv", padding=1)
    assert_backends_agree(X, KERNEL, np.array([5.0]))
    with pytest.raises(AssertionError, match="conv_transpose on toy"):
        assert_backends_agree(X, KERNEL)


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (
            lambda: mtconv.conv(X, KERNEL, backend="toy", padding=2),
            "conv: `backend` must have conv; the toy backend has conv_transpose; got "
            "'toy'.",
        ),
        (
            lambda: mtconv.conv_transpose(
                X.astype("f4"), KERNEL.astype("f4"), backend="toy"
            ),
            "conv_transpose: `x` must lead to a dtype of the result that the toy backend "
            "has: float64; got dtype float32.",
        ),
        (
            lambda: mtconv.conv_transpose(
                np.ones((1, 2, 3)), np.ones((2, 1, 3)), groups=2, backend="toy"
            ),
            "conv_transpose: `groups` must be 1 on the toy backend; got 2.",
        ),
        (
            lambda: mtconv.conv_transpose(
                np.ones((1, 1, 5)), KERNEL, padding=1, padding_mode="reflect", backend="toy"
            ),
            "conv_transpose: `padding_mode` must be one that the toy backend has: 'zeros'; "
            "got 'reflect'.",
        ),
    ],
    ids=["map", "dtype", "groups", "padding mode"],
)
@pytest.mark.usefixtures("toy")
def test_what_is_not_declared_is_refused(call, expected):
    with pytest.raises(mtconv.BackendError) as caught:
        call()
    fix = "NumPy arrays without `backend` take every problem."
    assert str(caught.value) == f"{expected} {fix}"


def test_more_axes_than_declared_are_refused():
    register("toy", Toy(), Support(("direct",), ("float64",), most_axes=1))
    try:
        with pytest.raises(
            mtconv.BackendError, match="that the toy backend has: at most 1; got 2"
        ):
            mtconv.conv_transpose(X[None], KERNEL[None], backend="toy")
    finally:
        unregister("toy")


@pytest.mark.usefixtures("toy")
def test_a_bias_that_is_not_declared_is_refused():
    with pytest.raises(mtconv.BackendError) as caught:
        mtconv.conv_transpose(X, KERNEL, np.array([1.0]), backend="toy")
    assert str(caught.value) == (
        "conv_transpose: `bias` must be left out on the toy backend, which adds none; got "
        "shape (1,). Add it to the result."
    )
    spec = mtconv.ConvSpec.from_shapes(X.shape, KERNEL.shape)
    with pytest.raises(mtconv.BackendError, match="`bias` must be left out"):
        spec.conv_transpose(X, KERNEL, np.array([1.0]), backend="toy")


@pytest.mark.usefixtures("toy")
def test_an_algorithm_that_is_not_declared_is_refused():
    with pytest.raises(
        mtconv.BackendError, match=r"that the toy backend has: 'direct'; got"
    ):
        mtconv.conv_transpose(X, KERNEL, algorithm="gemm", backend="toy")


@pytest.mark.usefixtures("toy")
def test_a_backend_without_a_declaration_says_so(monkeypatch):
    monkeypatch.delitem(DECLARED, "toy")
    with pytest.raises(mtconv.BackendError) as caught:
        mtconv.conv_transpose(X, KERNEL, backend="toy")
    assert str(caught.value) == (
        "The toy backend of mtconv does not declare what it supports. Register it with "
        "mtconv.backends.register, or add its `Support` to `DECLARED` in "
        "mtconv/planning/choose.py."
    )


def test_a_module_is_imported_when_it_is_first_used(tmp_path, monkeypatch):
    (tmp_path / "toy_backend.py").write_text(
        "import numpy as np\n"
        "NAME = 'toy'\n"
        "def asarray(function, argument, array): return np.asarray(array)\n"
        "def result_dtype(*arrays): return 'float64'\n"
        "def run(plan, first, second, bias, precision): return np.ones(plan.spec.big)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    register("toy", "toy_backend", ONE)
    try:
        assert "toy_backend" not in sys.modules
        got = mtconv.conv_transpose([1.0, 2.0], [1.0, 10.0], backend="toy")
        assert got.tolist() == [1.0, 1.0, 1.0]
    finally:
        unregister("toy")
        sys.modules.pop("toy_backend", None)


def test_packages_that_are_missing_are_named_with_the_command():
    register("toy", "toy_backend", ONE, requires=("no_such_package",))
    try:
        with pytest.raises(ImportError) as caught:
            load("toy")
    finally:
        unregister("toy")
    assert str(caught.value) == (
        "The toy backend of mtconv needs no_such_package, which cannot be imported. "
        "Install it with: pip install no_such_package"
    )


def test_every_part_of_the_contract_is_asked_for():
    lacking = SimpleNamespace(NAME="toy", run=None)
    with pytest.raises(mtconv.BackendError) as caught:
        register("toy", lacking, ONE)
    expected = "The toy backend of mtconv must provide asarray, result_dtype."
    assert str(caught.value) == expected
    assert "toy" not in BACKENDS


def test_the_name_of_a_backend_is_its_own():
    with pytest.raises(mtconv.BackendError) as caught:
        register("other", Toy(), ONE)
    expected = "The other backend of mtconv must have NAME = 'other'; it is 'toy'."
    assert str(caught.value) == expected
    with pytest.raises(ValueError, match="`name` must be a name that no backend has"):
        register("numpy", Toy(), ONE)
    with pytest.raises(ValueError, match="`name` must be an identifier; got 'a toy'"):
        register("a toy", Toy(), ONE)
    with pytest.raises(TypeError, match="`support` must be a Support; got None"):
        register("toy", Toy(), None)


def test_built_in_backends_stay():
    for name in ("numpy", "toy"):
        with pytest.raises(ValueError, match="`name` must be that of a registered backend"):
            unregister(name)


def test_a_name_that_is_registered_again_gets_plans_of_its_own():
    for support, refused in (
        (ONE, True),
        (Support(("direct",), ("float64", "int64")), False),
    ):
        register("toy", Toy(), support)
        try:
            if refused:
                with pytest.raises(mtconv.BackendError):
                    mtconv.conv_transpose([1, 2], [1, 10], backend="toy")
            else:
                mtconv.conv_transpose([[[1, 2]]], [[[1, 10]]], backend="toy")
        finally:
            unregister("toy")


def test_a_ladder_chooses_among_several():
    support = Support(numpy_ladder.ALGORITHMS, ("float64",), ladder=numpy_ladder.rank)
    register("toy", Toy(), support)
    try:
        explanation = mtconv.explain(X.shape, KERNEL.shape, "float64", "toy")
        names = {candidate.algorithm for candidate in explanation.candidates}
    finally:
        unregister("toy")
    assert names == set(numpy_ladder.ALGORITHMS)
