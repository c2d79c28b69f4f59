"""The dot test for any two callables: exact on integers, scaled on floats."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mtconv.testing.pair import Pair, PairRules

__all__ = ["assert_adjoint"]


def assert_adjoint(
    f: Callable[[Any], Any],
    f_transposed: Callable[[Any], Any],
    x: Any,
    y: Any = None,
    *,
    conjugate: bool = False,
    exact: bool | None = None,
    terms: int | None = None,
) -> None:
    r"""Assert that ``<f(x), y> == <x, f_transposed(y)>`` for these arrays and for others.

    Parameters
    ----------
    f, f_transposed : callable
        Two linear maps, each from one array to one array, of any library whose arrays
        `numpy.asarray` takes.
    x : array
        Input of f.
    y : array, optional
        Input of f_transposed, of the shape of ``f(x)``. Left out, it is an array of small
        integers of no symmetry, always the same.
    conjugate : bool
        True where f_transposed is the conjugate transpose (``.H``): the inner product is
        then the Hermitian one. The default is the plain transpose.
    exact : bool, optional
        Ask for equality. By default integers do, and floats do not. Integer-valued floats
        of a map that sums products are exact too, and then worth asking for.
    terms : int, optional
        How many products an element of either result sums, for the tolerance of floats;
        by default the larger of both sizes, which is enough for any dense matrix.

    Raises
    ------
    AssertionError
        If a shape does not fit, an argument is changed, a map is not linear, or the inner
        products differ; then with the pair of elements where both sides part.

    Notes
    -----
    Both maps get copies, which they must leave alone afterwards too, as they must earlier
    results. Besides x and y they are called with zeros, and with arrays of small, larger
    and large integers, of fractions, and of large numbers in place of each, as far as the
    dtype has them; all inner products are compared. Where both
    sizes together are at most 200, they are called with every unit vector too: that is the
    full matrix. For arrays of NumPy, JAX, torch and the libraries of the Array API the
    other arrays are of the same library and dtype; for others, x and y are all there is.

    Inner products of integers are exact: modulo ``2**bits`` of the narrowest dtype, so
    that they hold for results that wrapped. Those of floats are summed in float64, and
    the allowed difference is ``8 * eps * sqrt(terms)`` times the larger of ``|f(x)| |y|``
    and ``|x| |f_transposed(y)|``: relative to the product of norms and not to the inner
    product, which may cancel.

    Examples
    --------
    >>> import mtconv
    >>> import numpy as np
    >>> assert_adjoint(
    ...     lambda x: mtconv.conv_transpose(x, [1, 2, 3], stride=2),
    ...     lambda y: mtconv.conv(y, [1, 2, 3], stride=2),
    ...     [1, 10, 100],
    ... )
    >>> try:
    ...     assert_adjoint(lambda x: 2 * x, lambda y: y, np.array([1, 10]))
    ... except AssertionError as error:
    ...     print(str(error).replace("; ", "\n").replace(", but ", "\nbut "))
    not adjoint: <f(x), y> = 34 and <x, f_transposed(y)> = 17 (compared modulo 2**64)
    f takes the unit vector at index (0,) to 2 at index (0,)
    but f_transposed takes the one at (0,) to 1 at (0,)
    """
    pair = Pair(f, f_transposed, PairRules(conjugate, bool(exact), terms))
    pair.check(x, y)
