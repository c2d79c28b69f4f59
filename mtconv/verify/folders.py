"""Folders that exported files go to."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mtconv.errors import GeometryError, message

__all__ = ["refuse_other_files"]


def refuse_other_files(root: Path, names: Iterable[str]) -> None:
    """Refuse a folder with files that an export would leave as they are.

    Those of an earlier export would be taken for a part of this one. The names are only
    asked for if there are files at all.
    """
    present = {
        path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()
    }
    others = sorted(present.difference(names)) if present else []
    if others:
        rule = "must name a folder without other files, such as those of another export"
        got = f"{root} with {len(others)} of them, the first {others[0]}"
        fix = "Remove them, or name a new folder."
        raise GeometryError(message("verify", "folder", rule, got, fix=fix))
