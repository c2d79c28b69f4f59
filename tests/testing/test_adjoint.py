"""`assert_adjoint`: pairs with one defect are caught, and it says where both sides part."""

import numpy as np
import pytest

import mtconv
from mtconv.testing import assert_adjoint
from tests.testing.adjoint_defects import DEFECTS, POINT, f, transposed


@pytest.mark.parametrize("name", DEFECTS)
def test_every_defect_is_caught(name):
    with pytest.raises(AssertionError):
        assert_adjoint(*DEFECTS[name](), POINT)


def message_of(*arguments, **options):
    with pytest.raises(AssertionError) as caught:
        assert_adjoint(*arguments, **options)
    return str(caught.value)


def test_an_error_that_is_orthogonal_to_x_is_caught():
    def wrong(y):
        return np.asarray(y)[::-1] + np.array([10, -1, 0])

    x = np.array([1, 10, 100])  # 1*10 - 10*1 + 100*0 = 0
    assert message_of(lambda x: x[::-1], wrong, x) == (
        "f_transposed is not linear: it takes zeros to 10 at index (0,)"
    )


def test_arguments_that_are_changed_are_named():
    def zero(x):
        x[...] = 0
        return x

    assert message_of(zero, zero, np.ones(3)) == "f has changed its argument"
    assert (
        message_of(lambda x: x, zero, np.ones(3)) == "f_transposed has changed its argument"
    )


def test_the_arrays_of_the_caller_stay():
    x, y = np.array([1, 2, 3]), np.array([4, 5, 6])

    def zero(array):
        array[...] = 0
        return array

    message_of(zero, zero, x, y)
    assert x.tolist() == [1, 2, 3]
    assert y.tolist() == [4, 5, 6]


def test_the_message_says_where_both_sides_part():
    def one_off(y):
        result = transposed(y)
        result[1, 0] += 7 * y[0, 4]
        return result

    # The tap of x[1, 0] and y[0, 4] would be kernel[-1, 4], which is not there.
    text = message_of(f, one_off, POINT)
    assert text.startswith("not adjoint: <f(x), y> = ")
    assert text.endswith(
        " (compared modulo 2**64); f takes the unit vector at index (1, 0) to 0 at index "
        "(0, 4), but f_transposed takes the one at (0, 4) to 7 at (1, 0)"
    )


def test_large_maps_are_halved_until_one_pair_is_left():
    matrix = np.random.default_rng(0).integers(-4, 5, (300, 500))
    other = matrix.T.copy()
    other[77, 133] += 1
    text = message_of(lambda x: matrix @ x, lambda y: other @ y, np.arange(500))
    before, after = matrix[133, 77], matrix[133, 77] + 1
    assert text.endswith(
        f"f takes the unit vector at index (77,) to {before} at index (133,), but "
        f"f_transposed takes the one at (133,) to {after} at (77,)"
    )


def test_maps_that_are_not_linear_are_told_from_wrong_entries():
    def absolute(y):
        return transposed(np.abs(y))

    assert message_of(f, absolute, POINT).endswith(
        "no pair of unit vectors shows it: one of the maps is not linear"
    )


def test_the_identity_may_return_its_argument():
    assert_adjoint(lambda x: x, lambda y: y, np.arange(4.0))


def test_read_only_arrays_lists_and_empty_arrays():
    x = np.arange(3)
    x.flags.writeable = False
    assert_adjoint(lambda x: 2 * np.asarray(x), lambda y: 2 * np.asarray(y), x)
    assert_adjoint(lambda x: 2 * np.asarray(x), lambda y: 2 * np.asarray(y), [1, 2])
    assert_adjoint(lambda x: x, lambda y: y, np.zeros((0, 3)))


def test_jax_arrays_stay_jax_arrays():
    jax = pytest.importorskip("jax")
    seen = set()

    def apply(x):
        seen.add(isinstance(x, jax.Array))
        return mtconv.conv_transpose(x, np.array([1, 2, 3]), stride=2)

    def back(y):
        seen.add(isinstance(y, jax.Array))
        return mtconv.conv(y, np.array([1, 2, 3]), stride=2)

    assert_adjoint(apply, back, jax.numpy.arange(5))
    assert seen == {True}
