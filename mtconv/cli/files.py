"""Names of files as arguments of a command, and what went wrong with one."""

from __future__ import annotations

import argparse
from pathlib import Path

__all__ = ["file_name", "os_text"]


def file_name(text: str) -> Path:
    """Read the name of a file or folder; an empty one would be the current folder."""
    if not text:
        msg = "must name a file or folder; got ''"
        raise argparse.ArgumentTypeError(msg)
    return Path(text)


def os_text(error: OSError) -> str:
    """Say what the system refused, and for which file, without its number.

    Examples
    --------
    >>> os_text(FileNotFoundError(2, "No such file or directory", "a/b.svg"))
    'a/b.svg: No such file or directory'
    """
    if error.strerror is None or error.filename is None:
        return error.strerror or str(error)
    return f"{error.filename}: {error.strerror}"
