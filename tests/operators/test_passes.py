"""What passes transform at once, and the memory that they transform it in."""

from contextlib import nullcontext

import numpy as np
import pytest

from mtconv.backends.host.memory import Workspace
from mtconv.operators.circular import passes as module
from mtconv.operators.circular.passes import Passes
from mtconv.operators.circular.recall import Memory


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


class Recording(Workspace):
    """A workspace that notes what is taken."""

    def __init__(self):
        super().__init__()
        self.taken = []

    def take(self, shape, dtype):
        self.taken.append(shape)
        return super().take(shape, dtype)


@pytest.mark.parametrize(
    ("channels", "of_result", "rooms"),
    [
        # The spectrum of the result takes the place of one that has as many elements.
        ((2,), 2, (2,)),
        ((3, 2), 2, (3, 2)),
        ((2, 3), 2, (2, 3)),
        ((3,), 2, (3, 2)),
        ((2,), 3, (2, 3)),
    ],
)
def test_memory_of_spectra(channels, of_result, rooms, monkeypatch):
    space = Recording()
    monkeypatch.setattr(module, "lend", lambda: nullcontext(space))
    passes = Passes((16, 60), (1, 1), real=True)
    inputs = tuple(np.full((1, 1, n, 16, 60), float(n)) for n in channels)
    out = np.empty((1, 1, of_result, 16, 60))

    def point(_, *spectra):
        return sum(spectrum.sum(axis=2, keepdims=True) for spectrum in spectra)

    passes.run(inputs, out, point)
    assert space.taken == [(1, 1, n, 1, 496) for n in rooms]
    # Channels of so many of their number are added up.
    np.testing.assert_allclose(out, sum(n * n for n in channels), rtol=1e-15)


def test_known_spectra_are_left_alone(monkeypatch):
    space, memory = Recording(), Memory()
    monkeypatch.setattr(module, "lend", lambda: nullcontext(space))
    passes = Passes((4, 6), (1, 1), real=True)
    data, out = np.arange(24.0).reshape(1, 1, 1, 4, 6), np.empty((1, 1, 1, 4, 6))
    for _ in range(3):
        passes.run((data,), out, lambda _, spectrum: 2 * spectrum, memory=memory)
        np.testing.assert_allclose(out, 2 * data, rtol=1e-14)
    # The third call transforms nothing, and has memory for the result alone.
    assert space.taken == [(1, 1, 1, 1, 16)] * 3
