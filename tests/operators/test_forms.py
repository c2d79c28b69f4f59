"""Forms that only a prepared kernel has: what their estimates count, and when they win.

Two samples of 2 groups, 3 channels each on the small side and 5 on the big one, with
strides of 3 and 1 around circles of 7 by 9 cells:

    transforms   of 6 channels, and of 10 with three residues each, 2 * (6 + 30) = 72
    products     with half the 63 cells, 31 * 2 * 6 * 5 * 3 = 5580
"""

from dataclasses import replace
from math import inf, log2

import numpy as np
import pytest

import mtconv
from mtconv.operators import forms
from mtconv.operators.circular.maps import FrequencyForm
from mtconv.operators.described import form_choices, operator_plan
from mtconv.operators.forms import form_candidates, form_for
from mtconv.operators.separable.form import SeparableForm
from mtconv.planning.candidate import Candidate
from mtconv.planning.work import Cost, Rates

TRANSFORMS, PRODUCTS = 72, 5580
WORK = int(2.5 * 63 * log2(63) * TRANSFORMS) + 4 * PRODUCTS
CIRCULAR = {"padding_mode": "circular"}


def conv(algorithm="auto", dtype="float64", **options):
    """A convolution from 21 by 9 elements to 7 by 9."""
    kernel = np.ones((6, 5, 3, 1), dtype)
    options = {"stride": (3, 1), "groups": 2, **CIRCULAR, **options}
    return mtconv.Conv(kernel, (21, 9), algorithm=algorithm, **options)


def square(dtype="float64", algorithm="auto", **options):
    """A convolution of one channel whose kernel is a product of vectors."""
    return mtconv.Conv(np.ones((3, 3), dtype), (40, 40), algorithm=algorithm, **options)


def choices_of(operator, batch=2, dtype="float64"):
    """The forms that are taken, fastest first, and their candidates."""
    choices = form_candidates(operator_plan(operator, dtype), operator.kernel, batch, dtype)
    return [(choice.form, choice.candidate) for choice in choices]


def cost_of(operator, batch=2, dtype="float64"):
    """The cost of the only form that is taken, in frequency."""
    ((form, candidate),) = choices_of(operator, batch, dtype)
    assert form is FrequencyForm
    return candidate.cost


@pytest.fixture(autouse=True)
def ranked(monkeypatch):
    """The plan's algorithms, of which tests say what they cost; a call costs 0.1 s."""
    got = [
        Candidate("gemm", Cost(1, 1, 1, 1e9), "the smallest estimated time"),
        Candidate("direct", Cost(1, 1, 1, 2e9), "slower by the estimate"),
        Candidate("fft", Cost(1000, 1, 10, 21.0), "slower by the estimate"),
    ]
    rates = Rates(gemm=1, element=1, strided=1, call=0.1, block=1)
    monkeypatch.setattr(forms, "choose_algorithm", lambda *_: tuple(got))
    monkeypatch.setattr(forms, "rates_of", lambda _: rates)
    return got


@pytest.mark.parametrize("algorithm", ["fft", "auto"])
@pytest.mark.parametrize(
    ("dtype", "itemsize"), [("float32", 4), ("float64", 8), ("complex128", 16)]
)
def test_spectra_cost_transforms_and_products(algorithm, dtype, itemsize):
    for operator in (conv(algorithm, dtype), conv(algorithm, dtype).T):
        cost = cost_of(operator, dtype=dtype)
        assert cost.multiply_adds == WORK
        # Each is written and read.
        assert cost.bytes_moved == 2 * itemsize * (63 * TRANSFORMS + PRODUCTS)
        assert cost.operations == 8
        # Of the plan's 21 seconds 10 calls take one, and 1000 multiply-adds the others.
        assert cost.seconds == pytest.approx(WORK * 20 / 1000)


def test_work_grows_with_the_batch():
    one, three = cost_of(conv(), 1), cost_of(conv(), 3)
    assert one.multiply_adds == int(2.5 * 63 * log2(63) * 36) + 4 * 2790
    assert three.multiply_adds == int(2.5 * 63 * log2(63) * 108) + 4 * 8370


def test_an_explanation_is_of_one_array():
    (candidate,) = form_choices(conv(), operator_plan(conv(), "float64"))
    assert candidate.cost.multiply_adds == int(2.5 * 63 * log2(63) * 36) + 4 * 2790


def test_circles_that_the_stride_does_not_divide_have_all_elements():
    # Three of 8 elements on a circle, which has no residues.
    A = mtconv.Conv(np.ones(2), 8, stride=4, padding=((0, 2),), **CIRCULAR)
    assert A.output_shape == (3,)
    assert cost_of(A, 1).multiply_adds == int(2.5 * 8 * 3 * 2) + 4 * 4


@pytest.mark.parametrize("size", [1, 2])
def test_the_smallest_circles(size):
    A = mtconv.Conv(np.ones(1), size, **CIRCULAR)
    # No transform is for nothing.
    assert cost_of(A, 1).multiply_adds == 5 * size + 4 * (size - 1)


def test_a_plan_without_multiply_adds(ranked):
    ranked[-1] = Candidate("fft", Cost(0, 1, 10, 3.0), "slower by the estimate")
    assert cost_of(conv()).seconds == pytest.approx(WORK * 2.0)


class TestWhatIsTaken:
    def test_the_faster_form_and_only_faster_ones(self, ranked):
        seconds = WORK * 20 / 1000
        for most, wanted in ((seconds * 1.001, [FrequencyForm]), (seconds * 0.999, [])):
            ranked[0] = ranked[0]._replace(cost=Cost(1, 1, 1, most))
            assert [form for form, _ in choices_of(conv())] == wanted
            plan = operator_plan(conv(), "float64")
            expected = wanted[0] if wanted else None
            assert form_for(plan, conv().kernel, 2, "float64") is expected

    def test_no_form_that_is_as_fast_as_the_plan(self, ranked):
        cost = cost_of(conv())
        ranked[0] = ranked[0]._replace(cost=cost)
        assert choices_of(conv()) == []

    def test_the_fastest_of_two(self, monkeypatch):
        A = square(padding=1, **CIRCULAR)
        seconds = choices_of(A)[0][1].cost.seconds
        for factor in (0.5, 2):
            cost = Cost(1, 1, 1, seconds * factor)
            monkeypatch.setattr(forms, "separable_cost", lambda *_, cost=cost: cost)
            due = [SeparableForm, FrequencyForm]
            due = due[:: 1 if factor < 1 else -1]
            assert [form for form, _ in choices_of(A)] == due
            assert form_for(operator_plan(A, "float64"), A.kernel, 2, "float64") is due[0]

    def test_spectra_where_they_are_named_and_only_they(self, ranked):
        for cost, reason in ((None, ""), (ranked[-1].cost, "not exact for integers")):
            ranked[-1] = Candidate("fft", cost, reason)
            assert choices_of(conv()) == []
            ((form, candidate),) = choices_of(conv("fft"))
            assert form is FrequencyForm
            assert (candidate.cost is None) == (cost is None)
        ranked.pop()
        plan = operator_plan(conv("fft"), "float64")
        (choice,) = form_candidates(plan, conv().kernel, 2, "float64")
        assert choice.seconds == inf
        assert choices_of(conv()) == []
        ranked[0] = ranked[0]._replace(cost=Cost(1, 1, 1, 1e-9))
        assert [form for form, _ in choices_of(square("float64", "fft", **CIRCULAR))] == [
            FrequencyForm
        ]

    def test_nothing_where_there_is_nothing_to_multiply(self, ranked):
        assert choices_of(conv(), batch=0) == []
        ranked[0] = ranked[0]._replace(cost=None)
        assert choices_of(conv()) == []

    @pytest.mark.parametrize("algorithm", ["exact", "gemm", "direct"])
    def test_no_form_for_another_algorithm(self, algorithm):
        assert choices_of(conv(algorithm)) == []

    @pytest.mark.parametrize("mode", ["zeros", "reflect"])
    def test_no_spectra_without_circles(self, mode):
        assert choices_of(conv(padding_mode=mode)) == []
        assert choices_of(conv("fft", padding_mode=mode)) == []

    def test_no_form_of_backends_that_compute_by_themselves(self):
        for algorithm in ("auto", "fft"):
            plan = operator_plan(conv(algorithm), "float64")
            assert form_candidates(plan, conv().kernel, 2, "float64")
            other = replace(plan, backend="torch")
            assert form_candidates(other, conv().kernel, 2, "float64") == ()


class TestSeparable:
    @pytest.mark.parametrize(
        ("dtype", "itemsize"), [("float32", 4), ("float64", 8), ("int32", 8), ("uint8", 8)]
    )
    def test_the_estimate_is_asked_with_the_size_of_elements(
        self, monkeypatch, dtype, itemsize
    ):
        calls = []

        def cost(*arguments):
            calls.append(arguments)
            return Cost(5, 6, 7, 8.0)

        monkeypatch.setattr(forms, "separable_cost", cost)
        A = square(dtype)
        ((form, candidate),) = choices_of(A, 3, dtype)
        assert form is SeparableForm
        assert candidate.cost == Cost(5, 6, 7, 8.0)
        ((name, spec, batch, size, _),) = calls
        assert (name, spec.axes, batch, size) == ("conv", A.spec.axes, 3, itemsize)

    def test_dtypes_without_a_form(self):
        A = square(padding=1, **CIRCULAR)
        assert len(choices_of(A)) == 2
        assert form_candidates(operator_plan(A, "float64"), A.kernel, 2, "float128") == ()

    def test_one_axis_is_no_product(self):
        assert choices_of(mtconv.Conv(np.ones(3), 40)) == []

    def test_kernels_that_are_no_products(self):
        assert choices_of(mtconv.Conv(np.eye(3), (40, 40))) == []
