"""The arrays of whole models, rewritten for another framework."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mtconv.checkpoints.roles import Role, RoleError, guessed, patterned
from mtconv.compat.conversion import framework, rearranged
from mtconv.errors import GeometryError, message, shown

__all__ = ["convert_checkpoint", "renamed", "roles_of"]

Patterns = str | Sequence[str] | Mapping[str, int]
Names = Mapping[str, str] | Callable[[str], str]
_FUNCTION = "convert_checkpoint"


def convert_checkpoint(
    arrays: Mapping[str, Any],
    src: str,
    dst: str,
    *,
    transposed: Patterns = (),
    conv: Patterns = (),
    depthwise: Patterns = (),
    linear: Patterns = (),
    multiplier: int = 1,
    guess: bool = False,
    rename: Names | None = None,
) -> dict[str, Any]:
    """Rearrange the kernels of a whole model for another framework.

    Only what is named is a kernel; every other array is passed on as it is.

    Parameters
    ----------
    arrays : mapping of str to array
        The arrays by name, of any library, such as a ``state_dict`` of torch.
    src, dst : str
        As in `mtconv.compat.convert_kernel`.
    transposed, conv, depthwise, linear : str, sequence of str, or mapping of str to int
        Patterns of the names of the kernels of transposed, plain and depthwise
        convolutions and of linear layers, with ``*`` and ``?``. Arrays that have too few
        axes for a kernel, such as biases, are not meant. A mapping also gives the groups
        of transposed kernels.
    multiplier : int
        Results of each channel, of depthwise kernels.
    guess : bool
        Whether to guess the roles of arrays of three and more axes that no pattern names.
    rename : mapping of str to str or callable, optional
        New names; names that are not in a mapping stay.

    Returns
    -------
    dict of str to array
        The arrays in their order; views where that is possible.

    Raises
    ------
    GeometryError
        If a pattern meets no kernel, two patterns disagree, nothing tells what an array
        is, two arrays get one name, or a kernel does not fit.

    See Also
    --------
    mtconv.compat.convert_kernel : the same for one kernel.

    Examples
    --------
    >>> import numpy as np
    >>> arrays = {"up.weight": np.zeros((4, 8, 3, 3)), "up.bias": np.zeros(8)}
    >>> there = convert_checkpoint(
    ...     arrays, "torch", "flax", transposed="up*", rename={"up.weight": "up.kernel"}
    ... )
    >>> {name: array.shape for name, array in there.items()}
    {'up.kernel': (3, 3, 4, 8), 'up.bias': (8,)}
    """
    source, target = framework(_FUNCTION, "src", src), framework(_FUNCTION, "dst", dst)
    forms = {"transposed": transposed, "conv": conv, "depthwise": depthwise}
    shapes = {name: tuple(array.shape) for name, array in arrays.items()}
    roles = roles_of(shapes, src, forms | {"linear": linear}, guess=guess)
    unclear = [name for name, role in roles.items() if not role.form]
    if unclear:
        fix = "Name them in a pattern, or leave `guess` out to copy them."
        rule = "must tell what every array is"
        raise GeometryError(message(_FUNCTION, "guess", rule, shown(unclear), fix=fix))
    names = renamed(arrays, rename)
    return {
        names[name]: rearrange(array, roles.get(name), source, target, multiplier)
        for name, array in arrays.items()
    }


def roles_of(
    shapes: Mapping[str, tuple[int, ...]],
    src: str,
    forms: Mapping[str, Patterns],
    *,
    guess: bool = False,
) -> dict[str, Role]:
    """Return what each array is, by patterns, and by guessing where none names it."""
    patterns = {form: _patterns(form, value) for form, value in forms.items()}
    try:
        roles = patterned(shapes, patterns)
    except RoleError as error:
        msg = message(
            _FUNCTION,
            "arrays",
            f"must have the kernels that are named: {error}",
            shown([*shapes]),
        )
        raise GeometryError(msg) from None
    row = framework(_FUNCTION, "src", src)
    guesses = guessed(shapes, row.kernel.order, row.conv_kernel) if guess else {}
    return guesses | roles


def _patterns(form: str, value: Patterns) -> dict[str, int]:
    if isinstance(value, Mapping):
        return dict(value)
    patterns = [value] if isinstance(value, str) else list(value)
    if not all(isinstance(pattern, str) for pattern in patterns):
        raise GeometryError(message(_FUNCTION, form, "must be patterns", shown(value)))
    return dict.fromkeys(patterns, 1)


def rearrange(
    array: Any, role: Role | None, source: Any, target: Any, multiplier: int
) -> Any:
    """Rearrange one array by its role; without one, return it."""
    if role is None or role.form in ("", "copied"):
        return array
    form = "conv_transpose" if role.form == "transposed" else role.form
    return rearranged(_FUNCTION, array, source, target, role.groups, form, multiplier)


def renamed(names: Mapping[str, Any], rename: Names | None) -> dict[str, str]:
    """Return the new name of each array, all different."""
    if rename is None:
        return {name: name for name in names}
    if isinstance(rename, Mapping):
        unknown = [name for name in rename if name not in names]
        if unknown:
            rule = "must rename arrays that are there"
            raise GeometryError(message(_FUNCTION, "rename", rule, shown(unknown)))
        result = {name: rename.get(name, name) for name in names}
    else:
        result = {name: rename(name) for name in names}
    twice = sorted({new for new in result.values() if [*result.values()].count(new) > 1})
    if twice:
        rule = "must give each array a name of its own"
        raise GeometryError(message(_FUNCTION, "rename", rule, shown(twice)))
    return result
