"""The calls of each rank share a docstring, and have their own names and defaults."""

import inspect

from mtconv.conventions.documented import documented, ranked


@documented("toy", "https://toy.example/{rank}")
def _conv_transpose(rank, x, layout=None, *, precision=None):
    """Call toy's function for {rank} axes.

    Parameters
    ----------
    x : array
        The input.

    Returns
    -------
    array
        The result.

    Examples
    --------
    >>> None
    """
    return rank, x, layout, precision


one, two, three = ranked("conv_transpose{}d", _conv_transpose, layout=("L", "HW", "DHW"))


def test_the_rank_is_fixed_and_everything_else_is_passed_on():
    assert one(5) == (1, 5, None, None)
    assert three(5, layout="a", precision="high") == (3, 5, "a", "high")


def test_names_and_signatures_are_those_of_each_rank():
    assert (two.__name__, two.__module__) == ("conv_transpose2d", __name__)
    parameters = inspect.signature(two).parameters
    assert list(parameters) == ["x", "layout", "precision"]
    assert parameters["layout"].default == "HW"


def test_the_docstring_has_what_all_calls_have():
    assert two.__doc__ == (
        "Call toy's function for 2 axes.\n\n"
        "Parameters\n----------\nx : array\n    The input.\n"
        "precision : optional\n    As in `mtconv.conv_transpose`.\n"
        "algorithm, backend : str, optional\n    As in `mtconv.conv_transpose`.\n\n"
        "Returns\n-------\narray\n    The result.\n\n"
        "Raises\n------\nGeometryError, BackendError\n"
        "    Where toy refuses too; the message has its argument names.\n\n"
        "Notes\n-----\nDtypes and costs are those of `mtconv.conv_transpose`.\n\n"
        "References\n----------\n.. [1] https://toy.example/2\n\n"
        "Examples\n--------\n>>> None"
    )


def test_without_docstrings_nothing_is_added():
    def bare(rank, x):
        return rank, x

    call = documented("toy", "link")(bare)
    assert call.__doc__ is None
    assert ranked("c{}", call)[0].__doc__ is None
