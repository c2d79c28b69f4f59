"""What the docstrings of all calls have in common, and the calls of each rank."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

__all__ = ["documented", "ranked"]

P = ParamSpec("P")
F = TypeVar("F", bound=Callable[..., Any])

_PRECISION = "precision : optional\n    As in `@`.\n"
_RUN = "algorithm, backend : str, optional\n    As in `@`."
_SECTIONS = """Raises
------
GeometryError, BackendError
    Where {owner} refuses too; the message has its argument names.

Notes
-----
Dtypes and costs are those of `@`.

References
----------
.. [1] {link}

"""


def documented(owner: str, link: str) -> Callable[[F], F]:
    """Add to the docstring of a call what those of all calls have.

    Its parameters ``algorithm``, ``backend`` and ``precision`` are described, and errors,
    costs and the source follow.
    """

    def complete(call: F) -> F:
        if not call.__doc__:  # python -OO
            return call
        ours = "mtconv.conv" + "_transpose" * ("transpose" in call.__name__.lower())
        text = inspect.cleandoc(call.__doc__)
        precision = "precision" in inspect.signature(call).parameters
        common = _PRECISION * (precision and "precision :" not in text) + _RUN
        text = text.replace("\n\nReturns\n", f"\n{common}\n\nReturns\n")
        end = _SECTIONS.replace("{owner}", owner).replace("{link}", link)
        call.__doc__ = text.replace("Examples\n", f"{end}Examples\n").replace("@", ours)
        return call

    return complete


def ranked(
    name: str, call: Callable[Concatenate[int, P], Any], **defaults: tuple[object, ...]
) -> tuple[Callable[P, Any], Callable[P, Any], Callable[P, Any]]:
    """Make the calls in one, two and three dimensions from one that takes the rank.

    ``name`` has ``{}`` for the rank; ``defaults`` are those that signatures show, one for
    each rank, where they mean the same as the call's own.
    """

    def fix(rank: int) -> Callable[P, Any]:
        def fixed(*args: P.args, **kwargs: P.kwargs) -> Any:
            return call(rank, *args, **kwargs)

        signature = inspect.signature(call)
        parameters = [
            p.replace(default=defaults[p.name][rank - 1]) if p.name in defaults else p
            for p in list(signature.parameters.values())[1:]
        ]
        fixed.__name__ = fixed.__qualname__ = name.format(rank)
        fixed.__module__ = call.__module__
        fixed.__doc__ = call.__doc__ and call.__doc__.replace("{rank}", str(rank))
        vars(fixed)["__signature__"] = signature.replace(parameters=parameters)
        return fixed

    return fix(1), fix(2), fix(3)
