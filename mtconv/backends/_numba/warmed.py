"""Whether neutral arrays go to compiled kernels: after `mtconv warm`, for what it compiled.

Nothing here imports numba.
"""

from __future__ import annotations

import os
from functools import cache
from importlib.util import find_spec

from mtconv.backends._numba.cache import cache_folder, digest
from mtconv.planning.rates import SHIPPED, current_rates, stored

__all__ = ["is_warmed", "state_text", "warmed_dtypes"]


@cache
def warmed_dtypes() -> frozenset[str]:
    """List the dtypes whose kernels this user has compiled; none with MTCONV_NUMBA=0."""
    if os.environ.get("MTCONV_NUMBA") == "0" or find_spec("numba") is None:
        return frozenset()
    state = stored()
    if state is None or state.kernels != digest():
        return frozenset()
    folder = cache_folder()
    if folder is None or not any(folder.rglob("*.nbi")):
        return frozenset()
    return frozenset(state.dtypes)


def is_warmed(dtype: str) -> bool:
    """Return whether arrays of a dtype go to the kernels without being asked."""
    return dtype in warmed_dtypes()


def state_text() -> str:
    """Say what is installed, what is warmed, and which rates choices use."""
    installed = "installed" if find_spec("numba") is not None else "not installed"
    dtypes = ", ".join(sorted(warmed_dtypes())) or "no dtype"
    rates = "those that mtconv ships" if current_rates() == SHIPPED else "measured here"
    return f"numba is {installed}, warmed for {dtypes}; the rates are {rates}"
