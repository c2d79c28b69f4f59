"""The sizes that decide which way is faster. They were measured, on several layers each.

Both sides of every size give the same result, so no other test holds them. Who changes one
runs `nox -s bench` before and after, writes the tables of docs/performance.md anew, and
says so here.
"""

from __future__ import annotations

import re
from importlib.util import find_spec, module_from_spec
from pathlib import Path

import pytest

MIB = 2**20

SIZES = {
    "blocks": {
        # Of the 64 MiB that a thread may take.
        "BLOCK_BYTES": 24 * MIB,
        "GROUP_BYTES": 16 * MIB,
        "LEAST_BLOCKS": 4,
        "FEW_BLOCKS": 2,
        # Some milliseconds of a core, and some tenths of one.
        "FEW_BLOCKS_WORK": 268_435_456,
        "SMALL_WORK": 8_388_608,
        "SMALL_CELLS": 524_288,
        "LEAST_SHARES": 4,
        "LEAST_HALOS": 4,
    },
    "columns": {
        "FOLDED_CELLS": 512,
        "FEW_COLUMNS": 16_384,
        "MOST_PHASES": 8,
        "FEW_ZEROS": 65_536,
    },
    # Rounding errors grow with the chain; its cost shrinks.
    "direct": {"CHAIN": 32, "PART_BYTES": MIB},
    "engine": {"SHARED_BYTES": 4 * MIB},
    "gemm": {
        # Second-level caches hold 1 or 2 MiB, half of it.
        "COLUMN_BYTES": 4 * MIB,
        "GATHER_BYTES": 4 * MIB,
        "DEEP": 256,
        "FEW_COLUMNS": 16_384,
        "FEW_CELLS": 4_096,
    },
    "polyphase": {
        "STACK_BYTES": 4 * MIB,
        "RESULT_BYTES": 4 * MIB,
        "MOST_WASTE": 12,
        "MOST_ROWS": 16,
    },
    "product": {
        "CHAIN": 128,
        "PIECES": 17,
        # OpenBLAS has its limit for AVX-512 here, 100 * 100 * 100.
        "UNPACKED": 1_000_000,
        "THIN_DEPTH": 96,
        "THIN_ROWS": 64,
        "MOST_DEPTH": 256,
    },
    # The page on performance says what is kept.
    "results": {"LEAST_BYTES": 4 * MIB, "KEPT_BYTES": 64 * MIB},
    "values": {"_AT_A_TIME": 1_048_576},
    "wide": {"LEAST_STRIDE": 16, "RESULT_BYTES": 2 * MIB},
    # A line of the cache, and of AVX-512.
    "workspace": {"KEPT_BYTES": 16 * MIB, "_ALIGNMENT": 64},
}


@pytest.mark.parametrize("name", SIZES)
def test_sizes_are_those_that_were_measured(name):
    """As a module of its own has them, for other tests change them for a while."""
    spec = find_spec(f"mtconv.backends._numpy.{name}")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    assert {size: getattr(module, size) for size in SIZES[name]} == SIZES[name]


def test_the_page_on_performance_says_the_same():
    page = Path(__file__).parents[2] / "docs" / "performance.md"
    text = re.sub(r"\s+", " ", page.read_text("utf-8"))
    product, direct = SIZES["product"], SIZES["direct"]
    kept = SIZES["workspace"]["KEPT_BYTES"] // MIB
    for said in (
        f"Every thread keeps one workspace of {kept} MiB",
        f"strides of {SIZES['wide']['LEAST_STRIDE']} and more",
        f"adds at most {direct['CHAIN']} terms in a row",
        f"at most {product['CHAIN']} terms",
        f"more than {product['CHAIN'] * product['PIECES']} terms are left to BLAS",
        "up to a million multiply-adds",
    ):
        assert said in text
