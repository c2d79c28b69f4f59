"""What operators are made of: parts that never change, are compared, and are pickled."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np

from mtconv.backends.dispatch import backend_for
from mtconv.backends.libraries import library_of
from mtconv.operators.pytree import register

__all__ = ["Parts", "read_only_copy"]


def read_only_copy(array: Any) -> Any:
    """Copy an array of NumPy, so that nobody can write to it; others stay as they are.

    The copy has the machine's byte order, which pickling would give it too.
    """
    if isinstance(array, np.ndarray):
        array = array.astype(array.dtype.newbyteorder("="), order="C")
        array.flags.writeable = False
        array = array.view()  # a view of it cannot be made writable again
    return array


class Parts:
    """An object made of arrays and other operators, `leaves`, and of hashable parts."""

    leaves: ClassVar[tuple[str, ...]]
    static: ClassVar[tuple[str, ...]]

    @classmethod
    def _make(cls, *parts: Any) -> Self:
        """Put an operator together from parts that fit, tracers and placeholders too."""
        new = object.__new__(cls)
        new._own(*parts)
        return new

    @classmethod
    def _from_parts(cls, *parts: Any) -> Self:
        """Put an operator together from parts that came from outside, unchecked."""
        return cls._make(*map(read_only_copy, parts))

    def _own(self, *parts: Any) -> None:
        """Take the parts; an array of NumPy is read-only and nobody else's."""
        self.__dict__.update(zip(self.leaves + self.static, parts, strict=True))
        register(type(self))

    def _values(self, names: tuple[str, ...]) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in names)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.leaves + self.static:  # what was made of them would not follow
            kind = type(self).__name__
            reason = "cannot be set, since operators never change"
            msg = f"{kind}: `{name}` {reason}. Make another {kind}."
            raise AttributeError(msg)
        super().__setattr__(name, value)

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), *self._values(self.leaves + self.static))

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        assert isinstance(other, Parts)
        return self._values(self.static) == other._values(self.static) and _same(
            self._values(self.leaves), other._values(self.leaves)
        )

    def __hash__(self) -> int:
        return hash((type(self), self._values(self.static)))


def _restore(cls: type[Parts], *parts: Any) -> Parts:
    return cls._from_parts(*parts)


def _same(first: Any, second: Any) -> bool:
    """Compare two parts element by element, unless they are one (as tracers are)."""
    if first is second:
        return True
    if isinstance(first, tuple):
        return len(first) == len(second) and all(map(_same, first, second))
    if isinstance(first, Parts):
        return bool(first == second)
    if type(first) is not type(second) or first.dtype != second.dtype:
        return False
    return bool(np.array_equal(_to_numpy(first), _to_numpy(second)))


def _to_numpy(array: Any) -> Any:
    engine = backend_for("==", None, kernel=array)
    return library_of(engine, array).to_numpy(array)
