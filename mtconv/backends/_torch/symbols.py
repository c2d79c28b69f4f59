"""Questions about torch's symbols that decide nothing: no program depends on the answer."""

from __future__ import annotations

__all__ = ["is_fixed", "is_sure"]


def is_fixed(size: int) -> bool:
    """Return whether a size is a number, and not a symbol."""
    from torch.fx.experimental.symbolic_shapes import has_static_value

    return bool(has_static_value(size))


def is_sure(condition: bool) -> bool:
    """Return whether a condition holds for all values of its symbols."""
    from torch.fx.experimental.symbolic_shapes import statically_known_true

    return bool(statically_known_true(condition))
