"""The folder of compiled kernels, and the digest of their sources."""

from __future__ import annotations

import hashlib
import os
import tempfile
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["cache_folder", "digest"]


@cache
def digest() -> str:
    """Tell the kernels, their numba and their NumPy apart from those of another version."""
    text = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        text.update(path.name.encode() + path.read_bytes())
    for package in ("numba", "llvmlite"):
        try:
            text.update(version(package).encode())
        except PackageNotFoundError:
            text.update(b"none")
    return text.hexdigest()[:16]


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
    folder = Path(base) / f"kernels-{digest()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        return None
