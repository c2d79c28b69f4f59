"""Whether neutral arrays go to compiled kernels: after `mtconv warm`, for what it compiled.

Nothing here imports numba.
"""

from __future__ import annotations

import os
from functools import cache
from importlib.util import find_spec

from mtconv.backends._numba.cache import cache_folder, digest
from mtconv.planning.rates import stored

__all__ = ["is_warmed", "warmed_dtypes"]


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
