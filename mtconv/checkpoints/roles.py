"""What the arrays of a checkpoint are: kernels of one form or another, or none.

Roles come from patterns of names, or are guessed from names and shapes, each guess with
its reason. Whatever has no role is copied.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import NamedTuple

__all__ = ["FORMS", "Role", "RoleError", "guessed", "patterned"]

FORMS = ("transposed", "conv", "depthwise", "linear")

# Axes of the smallest kernel of a form.
_LEAST_AXES = {"transposed": 3, "conv": 3, "depthwise": 3, "linear": 2}

_TRANSPOSED_WORDS = ("transpose", "deconv", "upconv", "upsample", "convt")
_OTHER_WORDS = ("embed", "pos", "token", "norm", "attn", "attention", "cls", "table")
_KERNEL_WORDS = ("weight", "kernel", "w", "filters")


class RoleError(ValueError):
    """Patterns that do not say what each array is."""


class Role(NamedTuple):
    """What an array is, with the groups of a transposed kernel, and why."""

    form: str
    groups: int
    reason: str


def patterned(
    shapes: Mapping[str, tuple[int, ...]], patterns: Mapping[str, Mapping[str, int]]
) -> dict[str, Role]:
    """Return the roles that patterns of names give, for every form pattern and groups.

    Raises
    ------
    RoleError
        If two patterns give an array two roles, or a pattern meets no kernel.
    """
    roles: dict[str, Role] = {}
    for form, pattern, groups in _each(patterns):
        names = [
            name
            for name, shape in shapes.items()
            if fnmatchcase(name, pattern) and len(shape) >= _LEAST_AXES[form]
        ]
        if not names:
            msg = f"no kernel has a name like {pattern!r}, which {form} asks for"
            raise RoleError(msg)
        for name in names:
            role = Role(form, groups, f"named by {pattern!r}")
            if name in roles and roles[name][:2] != role[:2]:
                msg = f"{name!r} is both {_text(roles[name])} and {_text(role)}"
                raise RoleError(msg)
            roles[name] = role
    return roles


def _each(
    patterns: Mapping[str, Mapping[str, int]],
) -> Iterable[tuple[str, str, int]]:
    for form in FORMS:
        for pattern, groups in patterns.get(form, {}).items():
            yield form, pattern, groups


def _text(role: Role) -> str:
    return f"{role.form} ({role.reason}, groups {role.groups})"


def guessed(
    shapes: Mapping[str, tuple[int, ...]], transposed: str, conv: str
) -> dict[str, Role]:
    """Guess the roles of arrays of three and more axes from names and shapes.

    ``transposed`` and ``conv`` are the orders of the axes of both kinds of kernels. The
    form of a role is empty where nothing tells.
    """
    return {
        name: _guess(name, shape, _bias(name, shapes), transposed, conv)
        for name, shape in shapes.items()
        if len(shape) >= _LEAST_AXES["conv"]
    }


def _guess(
    name: str, shape: tuple[int, ...], bias: int | None, transposed: str, conv: str
) -> Role:
    words = _words(name)
    last = words[-1] if words else ""
    other = next((word for word in _OTHER_WORDS if word in words or word in last), None)
    if other is not None or last not in _KERNEL_WORDS:
        reason = f"its name has {other!r}" if other else f"{last!r} is no name of a kernel"
        return Role("copied", 1, reason)
    by_name = next((w for w in _TRANSPOSED_WORDS if w in name.lower()), None)
    by_name = by_name or next((w for w in words if w.rstrip("0123456789") == "up"), None)
    if bias is not None:
        fits = [
            form
            for form, order in (("transposed", transposed), ("conv", conv))
            if order and _output(shape, order) == bias
        ]
        if len(fits) == 1:
            return Role(fits[0], 1, f"its bias has {bias} elements")
        if not fits:
            return Role("", 1, f"its bias has {bias} elements: groups?")
    if by_name is not None:
        return Role("transposed", 1, f"its name has {by_name!r}")
    if any("conv" in word for word in words):
        return Role("conv", 1, "its name has 'conv' and nothing of transposing")
    return Role("", 1, "neither name nor bias tells")


def _words(name: str) -> list[str]:
    """Split a name at dots, slashes and underscores."""
    for mark in "/_:":
        name = name.replace(mark, ".")
    return [word for word in name.lower().split(".") if word]


def _bias(name: str, shapes: Mapping[str, tuple[int, ...]]) -> int | None:
    """Return the size of the bias beside a kernel."""
    stem = name[: max(name.rfind("."), name.rfind("/"), name.rfind("_")) + 1]
    for ending in ("bias", "b"):
        shape = shapes.get(stem + ending)
        if shape is not None and max(shape, default=0) > 0:
            return max(shape)
    return None


def _output(shape: tuple[int, ...], order: str) -> int:
    """Return the size of the axis of the output channels."""
    position = order.index("O")
    after = len(order) - 1 - position
    return shape[position] if "*" not in order[:position] else shape[-1 - after]
