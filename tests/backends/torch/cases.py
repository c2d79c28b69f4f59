"""Forty geometries whose sizes vary, for programs that are compiled or exported once."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

import mtconv

# Batch and spatial sizes of five calls; axes that a case has not are left out.
SIZES = ((3, 9, 8, 7), (4, 11, 9, 6), (2, 16, 10, 9), (5, 8, 13, 8), (3, 13, 6, 11))


class Geometry(NamedTuple):
    """One of the maps, its kernel's shape and its options."""

    form: str
    kernel: tuple[int, ...]
    options: dict[str, Any]
    out: int = 0  # beyond the smallest size of a result that is asked for by output_size

    def __str__(self) -> str:
        words = [f"{name}={value}" for name, value in self.options.items()]
        return " ".join((self.form, str(self.kernel), *words)).replace(", ", ",")
