"""Compile kernels, and keep what was compiled in a folder of the user's.

Only compiled code is kept, in a folder whose name has a digest of these sources, so that no
other version's code is ever loaded. numba itself tells
processors apart. Where the folder cannot be written, kernels are compiled anew in every
process.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

__all__ = ["KERNELS", "cache_folder", "load_kernel"]

# The function of each kernel, in a module of the same name.
KERNELS = ("lanes", "planes", "rows", "gradient", "gradient_planes")

_lock = threading.RLock()


@cache
def cache_folder() -> Path | None:
    """Return the folder of compiled kernels, made if needed; None if it cannot be."""
    base = os.environ.get("NUMBA_CACHE_DIR")
    if not base:
        try:
            from platformdirs import user_cache_dir
        except ImportError:
            return None
        base = user_cache_dir("mtconv", appauthor=False)
    folder = Path(base) / f"kernels-{_digest()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        return None


def _digest() -> str:
    """Tell the sources of the kernels apart from those of another version."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


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
