"""The library's arithmetic of an axis, from its own source, ready for symbolic integers."""

from __future__ import annotations

import inspect
import sys
from types import ModuleType
from typing import Any

from mtconv import geometry
from tests.proofs.symbolic import Span, Symbol

SOURCE = inspect.getsource(geometry)


def load(source: str = SOURCE) -> Any:
    """Execute the source of `mtconv.geometry` as a module of its own.

    Two things are other than in the library: a range may have symbolic ends, and the
    larger of two integers is found by comparing them.
    """
    module = ModuleType("geometry_on_symbols")
    sys.modules[module.__name__] = module  # dataclasses look there
    exec(compile(source, "mtconv/geometry.py", "exec"), module.__dict__)
    for name, value in list(vars(module).items()):
        if inspect.unwrap(value) is not value:  # symbolic integers are no keys of caches
            setattr(module, name, inspect.unwrap(value))
    module.range = spans  # type: ignore[attr-defined]
    module.larger = max  # type: ignore[attr-defined]
    return module


def spans(*ends: Any) -> Any:
    return Span(*ends) if any(isinstance(end, Symbol) for end in ends) else range(*ends)
