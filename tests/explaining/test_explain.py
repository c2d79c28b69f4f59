"""`explain` tells the truth: its numbers are compared with what calls really do."""

import itertools
import subprocess
import sys

import numpy as np
import pytest

import mtconv
from mtconv.errors import BackendError, GeometryError
from mtconv.matrix import build_csr
from mtconv.planning.choose import DECLARED

CASES = [
    (form, {"stride": (2, 3), "padding": padding, "dilation": dilation})
    for form in ("conv_transpose", "conv", "kernel_grad")
    for padding, dilation in (("same", 1), ((1, 0), (1, 2)), (((2, 1), (0, -1)), 2))
]


def taps(axis):
    """List every tap of the index relation of an axis by plain loops."""
    return [
        (i, j, o)
        for i, j, o in itertools.product(range(axis.n), range(axis.k), range(axis.N))
        if o == axis.stride * i + axis.dilation * j - axis.lo
    ]


@pytest.mark.parametrize(("form", "options"), CASES)
def test_shapes_are_those_of_the_call(form, options):
    x, kernel = np.ones((2, 4, 11, 12)), np.ones((4, 6, 3, 2))
    if form == "conv":
        kernel = np.ones((6, 4, 3, 2))
    explanation = mtconv.explain(x.shape, kernel.shape, form=form, **options)
    y = mtconv.conv_transpose(x, np.ones((4, 6, 3, 2)), **options)
    if form == "kernel_grad":
        got = mtconv.kernel_grad(x, y, kernel_size=(3, 2), **options)
        assert explanation.shapes == {"small": x.shape, "kernel": got.shape, "big": y.shape}
    else:
        got = getattr(mtconv, form)(x, kernel, **options)
        assert explanation.shapes["big" if form == "conv" else "small"] == x.shape
    assert explanation.result == got.shape


@pytest.mark.parametrize(("form", "options"), CASES)
def test_axes_count_taps_as_the_relation_does(form, options):
    explanation = mtconv.explain((2, 2, 7, 8), (2, 2, 3, 2), form=form, **options)
    for axis in explanation.axes:
        shifts = [axis.dilation * j - axis.lo for j in range(axis.k)]
        assert axis.phases == tuple(
            sum((shift - phase) % axis.stride == 0 for shift in shifts)
            for phase in range(axis.stride)
        )
    per_axis = [len(taps(axis)) for axis in explanation.axes]
    assert explanation.multiply_adds == 2 * 2 * 2 * per_axis[0] * per_axis[1]


def test_legal_sizes_are_those_that_calls_accept():
    options = {"stride": 3, "padding": (1, 2), "dilation": 2}
    explanation = mtconv.explain((1, 1, 5, 6), (1, 1, 3, 2), **options)
    accepted = [[], []]
    for number, sizes in enumerate(accepted):
        for size in range(1, 40):
            wanted = [axis.N for axis in explanation.axes]
            wanted[number] = size
            try:
                mtconv.conv_transpose_shape(
                    (1, 1, 5, 6), (1, 1, 3, 2), output_size=wanted, **options
                )
            except GeometryError:
                continue
            sizes.append(size)
    assert [list(axis.legal) for axis in explanation.axes] == accepted


def test_bytes_are_those_of_the_arrays():
    x, kernel = np.ones((2, 3, 8, 8), np.float64), np.ones((3, 5, 4, 4), np.float64)
    y = mtconv.conv_transpose(x, kernel, stride=2)
    explanation = mtconv.explain(x.shape, kernel.shape, np.float64, stride=2)
    assert explanation.array_bytes == x.nbytes + kernel.nbytes + y.nbytes


@pytest.mark.parametrize("form", ["conv_transpose", "conv"])
def test_the_workspace_of_sparse_is_its_matrix(form):
    explanation = mtconv.explain((2, 4, 5, 6), (4, 4, 3, 3), "float64", "sparse", form)
    matrix = build_csr(form, form, explanation.plan.spec, np.ones((4, 4, 3, 3)))
    assert explanation.workspace == sum(part.nbytes for part in matrix[:3])


def test_the_algorithm_named_by_the_caller_comes_first_with_the_others_behind():
    explanation = mtconv.explain((1, 8, 32, 32), (8, 8, 4, 4), algorithm="direct", stride=2)
    names = [candidate.algorithm for candidate in explanation.candidates]
    assert (explanation.plan.algorithm, names[0]) == ("direct", "direct")
    assert sorted(names) == sorted(DECLARED["numpy"].algorithms)
    assert explanation.candidates[0].reason == "named by the caller"


def test_exact_says_why_it_takes_no_fft():
    shapes = (1, 1, 200, 200), (1, 1, 101, 101)
    assert mtconv.explain(*shapes).plan.algorithm == "fft"
    explanation = mtconv.explain(*shapes, algorithm="exact")
    reasons = {c.algorithm: c.reason for c in explanation.candidates}
    assert explanation.plan.algorithm != "fft"
    assert reasons["fft"] == "not exact on integer-valued arrays"


def test_the_text_holds_geometry_algorithm_reasons_and_costs():
    text = str(mtconv.explain((1, 3, 16, 16), (3, 8, 4, 4), stride=2, padding=1))
    lines = text.splitlines()
    assert "x (1, 3, 16, 16), kernel (3, 8, 4, 4) -> (1, 8, 32, 32)" in lines
    assert " ".join(lines[4].split()) == (
        "axis n N k stride dilation lo hi legal N taps per phase"
    )
    assert " ".join(lines[5].split()) == "H 16 32 4 2 1 1 1 32 to 33 2, 2"
    assert "multiply-adds: 92 256" in lines
    for name in DECLARED["numpy"].algorithms:
        assert any(line.split()[:1] == [name] for line in lines), name
    assert "for each thread" in lines[-1]


def test_an_argument_of_conv_alone_is_refused():
    with pytest.raises(TypeError, match="output_padding"):
        mtconv.explain((1, 1, 5), (1, 1, 3), form="conv", output_padding=1)


@pytest.mark.parametrize("dtype", ["bool", "object", "S3", "nonsense"])
def test_dtypes_that_no_call_takes_are_refused(dtype):
    with pytest.raises(BackendError, match="explain: `dtype` must be"):
        mtconv.explain((1, 1, 5), (1, 1, 3), dtype)


def test_it_needs_no_backend():
    program = (
        "import sys; sys.modules['jax'] = sys.modules['scipy'] = None\n"
        "import mtconv\n"
        "for backend in ('jax', 'sparse', 'numpy'):\n"
        "    print(mtconv.explain((4, 5), (2, 3), 'bfloat16', backend).result)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "(5, 7)\n" * 3


def test_the_text_says_who_decides_on_the_workspace():
    shapes = ((1, 2, 5), (2, 3, 3))
    in_matrix = str(mtconv.explain(*shapes, backend="sparse"))
    assert "algorithm: native, the only algorithm of this backend" in in_matrix
    assert in_matrix.endswith("in the matrix")
    by_library = str(mtconv.explain(*shapes, backend="jax", dtype="bfloat16"))
    assert "conv_transpose of bfloat16 by the jax backend" in by_library
    assert "native: slower on the CPU where measured" in by_library
    assert by_library.endswith("workspace: decided by the array library")


def test_many_phases_are_counted():
    explanation = str(mtconv.explain((7,), (12,), stride=5))
    assert "2 to 3 in 5 phases" in explanation
    assert "3, 3, 2, 2" in str(mtconv.explain((7,), (10,), stride=4))


def test_an_algorithm_for_values_that_the_chosen_one_cannot_take_is_named():
    large = mtconv.explain((84, 84), (27, 27), dtype="float64")
    assert (large.plan.algorithm, large.plan.fallback) == ("fft", "polyphase")
    assert "  polyphase for infinite values, NaN of the kernel, and whole" in str(large)
    assert large.as_dict()["fallback"] == "polyphase"
    for other in (
        mtconv.explain((84, 84), (27, 27), dtype="float64", algorithm="fft"),
        mtconv.explain((84, 84), (27, 27), dtype="float64", algorithm="exact"),
        mtconv.explain((8, 8), (3, 3), dtype="float64"),
    ):
        assert other.plan.fallback == ""
        assert "whole numbers too large" not in str(other)
        assert other.as_dict()["fallback"] is None
