"""Whether a matrix fits into memory, known before any of it is made."""

from __future__ import annotations

from pathlib import Path

from mtconv.errors import BackendError, message

__all__ = ["check_memory"]

# Bytes that need no look at the memory available, which costs as much as a small matrix.
_SMALL = 2**24


def check_memory(function: str, argument: str, entries: int, needed: int, fix: str) -> None:
    """Refuse a matrix of more bytes than the machine has available."""
    if needed < _SMALL:
        return
    available = _available_memory()
    if available is not None and needed > available:
        msg = message(
            function,
            argument,
            "must lead to a matrix that fits into the memory available, "
            f"{available / 2**30:.1f} GiB",
            f"{entries} entries, which take {needed / 2**30:.1f} GiB",
            fix=fix,
        )
        raise BackendError(msg)


def _available_memory() -> int | None:
    """Bytes that can be had without swapping; None where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    fields = dict(line.split(":", 1) for line in lines)
    available = fields.get("MemAvailable")
    return None if available is None else int(available.split()[0]) * 1024
