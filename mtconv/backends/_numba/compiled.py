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

import numba

from mtconv.backends._numba.cache import cache_folder
from mtconv.backends._numba.elements import ELEMENTS
from mtconv.importing import undivided

__all__ = ["KERNELS", "load_kernel"]

# The function of each kernel, in a module of the same name.
KERNELS = ("lanes", "planes", "rows", "columns", "gradient", "gradient_planes")

# Arguments of every kernel after its two numbers: addresses, and one flag.
ADDRESSES = 12

_lock = threading.RLock()


@cache
def load_kernel(name: str, dtype: str) -> Callable[..., None]:
    """Return a kernel that is compiled for a dtype, or loaded from the folder.

    Raises
    ------
    ImportRefused
        If this call interrupts the compiler, or Python is shutting down.
    """
    subject, packages = "A compiled kernel of mtconv", ("numba", "llvmlite")
    kernel: Any = undivided(subject, packages, _dispatcher, name)
    element = ELEMENTS[dtype]
    kinds = (numba.typeof(element.value), numba.typeof(element.stored))
    signature = (*kinds, *(numba.int64,) * ADDRESSES)
    undivided(subject, packages, kernel.compile, signature)
    return kernel  # type: ignore[no-any-return]


@cache
def _dispatcher(name: str) -> Any:
    """Return a kernel that numba compiles for any dtype, and keeps in the folder."""
    module = import_module(f"mtconv.backends._numba.{name}")
    kernel: Any = getattr(module, f"run_{name}")
    folder = cache_folder()
    if folder is not None:
        with _lock:
            before = numba.config.CACHE_DIR
            numba.config.CACHE_DIR = str(folder)
            try:
                kernel.enable_caching()
            finally:
                numba.config.CACHE_DIR = before
    return kernel
