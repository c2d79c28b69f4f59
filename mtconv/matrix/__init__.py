"""The explicit sparse matrix of a map, built with NumPy alone."""

from mtconv.matrix.csr import Csr as Csr
from mtconv.matrix.csr import build_csr as build_csr
from mtconv.matrix.csr import csr_bytes as csr_bytes
from mtconv.matrix.fixed import kernel_map_entries as kernel_map_entries
from mtconv.matrix.gradient import gradient_spec as gradient_spec

__all__ = ["Csr", "build_csr", "csr_bytes", "gradient_spec", "kernel_map_entries"]
