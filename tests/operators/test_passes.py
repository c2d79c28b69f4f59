"""What passes transform at once, and the memory that they transform it in."""

import pytest

from mtconv.backends.host.memory import Workspace
from mtconv.operators.circular.passes import Passes


@pytest.mark.parametrize(
    ("cells", "real", "by_columns", "rows_columns"),
    [
        ((512, 510), True, False, (1, 512 * 256)),  # 2**17, the most
        ((513, 510), True, True, (513, 256)),
        ((512, 256), False, False, (1, 512 * 256)),
        ((512, 257), False, True, (512, 257)),
        ((48, 128, 128), True, True, (48, 128 * 65)),
        ((2**18,), True, False, (1, 2**17 + 1)),  # there is no other axis
        ((6, 1), True, False, (1, 6)),
    ],
)
def test_large_planes_are_transformed_by_columns(cells, real, by_columns, rows_columns):
    passes = Passes(cells, (1,) * len(cells), real)
    assert passes.by_columns == by_columns
    assert passes.rows_columns == rows_columns
    assert passes.inner() == tuple(range(-len(cells) + by_columns, 0))


@pytest.mark.parametrize(
    ("columns", "gap"),
    # A cache line has 4 elements, and rows are an odd number of lines apart.
    [(8320, 8324), (8321, 8324), (8324, 8324), (8325, 8332), (8328, 8332), (1, 4)],
)
def test_rows_of_columns_lie_in_different_sets_of_the_caches(columns, gap):
    passes = Passes((1024, 1024), (1, 1), real=True)
    room = passes.room((2, 1, 3, 10, columns), Workspace())
    assert room.shape == (2, 1, 3, 10, columns)
    assert [stride // 16 for stride in room.strides[-2:]] == [gap, 1]
    assert room.reshape(6, 10, columns).base is not None  # a view
    alone = passes.room((2, 1, 3, 1, columns), Workspace())
    assert alone.flags.c_contiguous
