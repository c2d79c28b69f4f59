"""The record of a problem inside of the kernels."""

from __future__ import annotations

from typing import Any

from numba import from_dtype, types
from numba.extending import intrinsic

from mtconv.backends._numba.facts import FACTS

__all__ = ["facts_at"]

_RECORD = from_dtype(FACTS)


@intrinsic  # type: ignore[untyped-decorator]
def facts_at(context: Any, address: Any) -> Any:
    """Return the record that lies at an address."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(_RECORD))

    return _RECORD(types.int64), generate
