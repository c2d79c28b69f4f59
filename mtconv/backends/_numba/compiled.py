"""Compile kernels, and keep what was compiled in a folder of the user's.

Only compiled code is kept, in a folder whose name has a digest of these sources, so that no
other version's code is ever loaded. numba itself tells
processors apart. Where the folder cannot be written, kernels are compiled anew in every
process.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

from mtconv.backends._numba.cache import cache_folder

__all__ = ["KERNELS", "load_kernel"]

# The function of each kernel, in a module of the same name.
KERNELS = ("lanes", "planes", "rows", "columns", "gradient", "gradient_planes")

_lock = threading.RLock()


@cache
def load_kernel(name: str) -> Callable[..., None]:
    """Return a kernel; it is compiled, or loaded, when it is first called with a dtype."""
    from numba import config

    module = import_module(f"mtconv.backends._numba.{name}")
    kernel: Any = getattr(module, f"run_{name}")
    folder = cache_folder()
    if folder is not None:
        with _lock:
            before = config.CACHE_DIR
            config.CACHE_DIR = str(folder)
            try:
                kernel.enable_caching()
            finally:
                config.CACHE_DIR = before
    return kernel  # type: ignore[no-any-return]
