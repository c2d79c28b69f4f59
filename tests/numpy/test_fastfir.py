"""Fast FIR forms: fewer products for the same cells, each form checked as an identity."""

from itertools import product
from math import prod

import numpy as np
import pytest

import mtconv
from mtconv.backends._numpy import engine, fastfir, fir, gemm
from mtconv.backends._numpy.fir import family_of, form_of
from mtconv.backends._numpy.workspace import Workspace
from mtconv.geometry import Axis, live_phases

# ----------------------------------------------------------------------------- the forms


@pytest.mark.parametrize(
    ("taps", "step", "outputs", "products"),
    [(2, 1, 2, 3), (3, 1, 2, 4), (1, 1, 1, 1), (4, 1, 1, 4), (2, 3, 1, 2), (3, 2, 1, 3)],
)
def test_a_form_computes_neighbouring_cells_from_few_products(
    taps, step, outputs, products
):
    form = form_of(taps, step)
    assert (form.outputs, len(form.data), len(form.taps)) == (outputs, products, products)
    rng = np.random.default_rng(taps)
    w = rng.integers(-9, 10, taps)
    x = {place: int(rng.integers(-9, 10)) for place in range(-12, 12)}

    def total(terms, values):
        return sum(factor * values[place] for place, factor in terms)

    multiplied = [
        total(data, x) * total(some, w)
        for data, some in zip(form.data, form.taps, strict=True)
    ]
    for place in range(outputs):
        direct = sum(w[m] * x[place - m * step] for m in range(taps))
        assert total(form.joins[place], multiplied) == direct


def families(**sizes):
    return family_of(Axis(**sizes))


def test_phases_with_as_many_taps_share_their_sums():
    # y[2t] = w1 x[t] + w3 x[t-1], y[2t+1] = w0 x[t+1] + w2 x[t]: both are cells -1..7.
    family = families(small=8, big=16, kernel=4, stride=2, lo=1)
    (kin,) = family.kin
    assert [phase.start for phase in kin.members] == [1, 0]
    assert (kin.first, kin.steps) == (0, 5)
    # Small cell 0 of the phase that begins at 1 would be big cell -1.
    assert (kin.start, kin.apart) == (-1, 1)
    assert family.read == (-1, 10)
    assert (family.origin, family.every, family.holes) == (0, 1, False)
    # Five steps of two small cells of two phases, from -1 on.
    assert family.written == (-1, 19)


def test_short_phases_that_begin_elsewhere_have_sums_of_their_own():
    family = families(small=5, big=10, kernel=4, stride=2, lo=1)
    assert [len(kin.members) for kin in family.kin] == [1, 1]
    assert [kin.steps for kin in family.kin] == [3, 3]
    assert [(kin.first, kin.start) for kin in family.kin] == [(0, 0), (1, 1)]
    family = families(small=6, big=12, kernel=4, stride=2, lo=1)
    assert [len(kin.members) for kin in family.kin] == [2]


def test_phases_with_other_numbers_of_taps_are_no_kin():
    family = families(small=9, big=19, kernel=3, stride=2)
    assert [kin.members[0].taps for kin in family.kin] == [2, 1]
    assert [kin.form.outputs for kin in family.kin] == [2, 1]
    assert [kin.steps for kin in family.kin] == [5, 9]
    # The last of ten small cells of the first kin is big cell 18.
    assert family.written == (0, 19)


def test_cells_that_no_tap_reaches_are_left_out():
    # Stride and dilation are even: all taps reach even cells, counted from -lo.
    family = families(small=7, big=15, kernel=3, stride=2, dilation=2, lo=1)
    assert (family.origin, family.every, family.holes) == (1, 2, False)
    (kin,) = family.kin
    landing = family.landing(kin, 2, 1)
    # Small cell 0 is big cell -1, number -1 of them; the second place is one further.
    assert (kin.first, kin.start) == (1, 1)
    assert (landing.stride, landing.small, landing.kernel) == (2, 4, 1)
    assert -landing.lo == 1 - family.written[0]


def test_cells_between_short_kernels_are_holes():
    family = families(small=7, big=20, kernel=2, stride=3)
    assert (family.every, family.holes) == (1, True)
    family = families(small=7, big=21, kernel=3, stride=3)
    assert not family.holes


def test_members_lie_a_dilation_apart():
    checked = 0
    for kernel, stride, dilation, lo, big, small in product(
        range(1, 9), range(1, 6), range(1, 5), (-2, 0, 3), (1, 2, 7, 29), (1, 3, 12)
    ):
        axis = Axis(small, big, kernel, stride, dilation, lo)
        family = family_of(axis)
        found = [phase for kin in family.kin for phase in kin.members]
        assert sorted(found) == sorted(live_phases(axis))
        for kin in family.kin:
            for number, phase in enumerate(kin.members):
                # Where a phase has small cell ``first``, were it not cropped there.
                there = phase.start - stride * (phase.shift - kin.first)
                assert there == kin.start + kin.apart * number
                assert kin.first <= phase.shift
                last = phase.shift + phase.cells
                assert last <= kin.first + kin.form.outputs * kin.steps
                checked += len(kin.members) > 2
    assert checked > 600


def test_an_axis_without_taps_has_no_kin():
    # The only cell is big cell 1 of what is not cropped; all taps reach even ones.
    axis = Axis(small=3, big=1, kernel=2, stride=2, dilation=2, lo=1)
    assert family_of(axis).kin == ()
    out = np.full((1, 1, 1, 1), np.nan)
    fastfir.conv_transpose(
        (axis,), np.ones((1, 1, 1, 3)), np.ones((1, 1, 1, 2)), out, Workspace()
    )
    assert out == 0


# -------------------------------------------------------------------------- the products


def arrays(x_shape, kernel_shape, seed=0):
    rng = np.random.default_rng(seed)
    return (
        rng.integers(-4, 5, x_shape).astype(float),
        rng.integers(-4, 5, kernel_shape).astype(float),
    )


def check(x, kernel, **options):
    """Halves of small integers are exact: fast forms give what the others give."""
    result = mtconv.conv_transpose(x, kernel, algorithm="fastfir", **options)
    assert (result == mtconv.conv_transpose(x, kernel, algorithm="gemm", **options)).all()
    return result


@pytest.mark.parametrize(
    ("kernel", "stride", "share"),
    [((4, 4), 2, (3 / 4) ** 2), ((3, 3), 1, (2 / 3) ** 2), ((4,), 2, 3 / 4), ((2,), 2, 1)],
)
def test_products_are_fewer(kernel, stride, share, watch):
    products = watch(fastfir, "matmul")
    rank = len(kernel)
    sizes = [16] * rank
    x, w = arrays((1, 3, 1, *sizes), (1, 3, 5, *kernel))
    # As many cells on both sides, but for the stride.
    axes = tuple(Axis(16, stride * 16, k, stride, 1, (k - stride) // 2) for k in kernel)
    out = np.empty((1, 1, 5, *(stride * size for size in sizes)))
    fastfir.conv_transpose(axes, x, w, out, Workspace())
    done = sum(prod(call.args[0].shape) * call.args[1].shape[-1] for call in products)
    all_taps = 16**rank * 3 * 5 * prod(kernel)
    # One step more than half of the cells where two phases share their sums.
    most = share * all_taps * (9 / 8 if kernel[0] == 4 else 1) ** rank
    assert done == most


@pytest.mark.parametrize("shape", [(16, 64, 40, 40), (1, 64, 120, 130)])
def test_sums_of_taps_are_made_once_for_all_blocks(shape, watch):
    made = watch(fastfir, "_weights")
    filled = []
    x, w = arrays(shape, (64, 32, 4, 4))
    blocks = watch(fastfir, "_join")
    real = Workspace.packed

    def packed(self, key, shape, dtype, fill):
        def noted(array):
            filled.append(key)
            fill(array)

        return real(self, key, shape, dtype, noted)

    with pytest.MonkeyPatch.context() as patch, mtconv.workers(1):
        patch.setattr(Workspace, "packed", packed)
        check(x, w, stride=2, padding=1)
    assert made
    assert len(blocks) > 1
    assert len(filled) == 1


def test_the_largest_kernel_that_all_blocks_share_is_16_mib():
    assert engine.SHARED_BYTES * 4 == 2**24


def test_sums_of_taps_of_other_families_are_others():
    """A short block keeps its two phases apart, the block before it does not."""
    x, w = arrays((1, 3, 1, 10), (1, 3, 5, 4))
    space = Workspace()
    space.packs = {}
    for small in (10, 3, 10):
        axis = Axis(small, 2 * small - 1, 4, 2)  # the second phase has a cell less
        found = [np.empty((1, 1, 5, axis.big)) for _ in range(2)]
        fastfir.conv_transpose((axis,), x[..., :small], w, found[0], space)
        gemm.conv_transpose((axis,), x[..., :small], w, found[1], Workspace())
        assert (found[0] == found[1]).all()
    assert len(space.packs) == 2


@pytest.mark.parametrize("channels", [1, 2, 3, 7])
def test_many_channels_are_summed_some_at_a_time(channels, watch, monkeypatch):
    x, w = arrays((2, 6, 9, 8), (6, 7, 4, 3))
    expected = check(x, w, stride=2, groups=2)
    # 3 kin of phases... of a kernel of 4 x 3: 9 + 3 sums; 2 groups of 3 channels; 8 bytes.
    one = (
        sum(len(fastfir._weights((4, 3), kin)) for kin in _kins((9, 8), (4, 3), 2)) * 6 * 8
    )
    monkeypatch.setattr(fastfir, "TAP_BYTES", channels * one)
    steps = watch(fastfir, "_taps")
    assert (check(x, w, stride=2, groups=2) == expected).all()
    sizes = [call.args[1].shape[2] for call in steps]
    assert sizes == [min(channels, 7 - start) for start in range(0, 7, channels)]
    assert [call.args[2] for call in steps] == list(range(0, 7, channels))


def _kins(sizes, kernel, stride):
    axes = (
        Axis(n, stride * (n - 1) + k, k, stride) for n, k in zip(sizes, kernel, strict=True)
    )
    return list(product(*(family_of(axis).kin for axis in axes)))


@pytest.mark.parametrize("channels", [8, 9, 16, 17, 31])
def test_rows_of_channels_are_longer_where_a_power_of_two_would_hurt(channels):
    (family,) = [family_of(Axis(8, 16, 4, 2, 1, 1))]
    out = np.empty((1, 1, channels, 16))
    room = fastfir._turned((family,), out, Workspace())
    assert room.shape == (1, 1, 20, channels)
    # More than 128 bytes get 64 more.
    longer = channels * 8 > 128
    assert room.strides[2] == 8 * channels + 64 * longer


@pytest.mark.parametrize("size", [1, 31, 32, 33, 65])
def test_tiles_of_channels_cover_all_of_them(size):
    family = family_of(Axis(5, 9, 3, 2, 1, 1))
    x = np.arange(2 * size * 5.0).reshape(1, size, 2, 5)
    cells = fastfir._channels_last((family,), x, Workspace())
    start, stop = family.read
    expected = np.zeros((2, 1, stop - start, size))
    expected[:, :, -start : 5 - start] = x.transpose(2, 0, 3, 1)
    assert (cells == expected[:, :, : stop - start]).all()


@pytest.mark.parametrize("rows", [(1,), (255,), (257,), (2, 100), (3, 128), (2, 300)])
def test_tiles_of_cells_cover_all_of_them(rows):
    families = tuple(family_of(Axis(n, n, 1)) for n in rows)
    turned = np.arange(3 * prod(rows) * 2.0).reshape(3, 1, *rows, 2)
    out = np.full((3, 1, 2, *rows), np.nan)
    fastfir._write(families, turned, out)
    assert (out == np.moveaxis(turned, -1, 2)).all()


# ---------------------------------------------------------------------------- the values


@pytest.mark.parametrize("size", [1, 2, 5, 6, 7, 12, 13])
@pytest.mark.parametrize(
    ("kernel", "stride", "dilation", "padding"),
    [
        (1, 3, 1, 0),
        (2, 1, 1, 0),
        (2, 3, 1, 0),
        (3, 1, 1, 1),
        (3, 2, 1, 0),
        (3, 2, 2, 1),
        (4, 2, 1, 1),
        (4, 2, 1, 3),
        (5, 3, 1, 2),
        (7, 4, 3, 2),
        (8, 5, 3, 0),
        (9, 3, 2, 4),
    ],
)
def test_values_along_one_axis(size, kernel, stride, dilation, padding):
    if stride * (size - 1) + dilation * (kernel - 1) < 2 * padding:
        pytest.skip("nothing is left of the result")
    x, w = arrays((2, 4, size), (4, 3, kernel), seed=size)
    check(x, w, stride=stride, dilation=dilation, padding=padding, groups=2)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize(
    ("kernel", "stride", "dilation"),
    [
        ((4, 3), (2, 1), (1, 1)),
        ((3, 6), (2, 2), (2, 1)),
        ((2, 4, 3), (1, 2, 2), (1, 1, 1)),
        ((3, 2, 5), (3, 4, 2), (1, 2, 1)),
    ],
)
def test_values_along_several_axes(kernel, stride, dilation, batch):
    sizes = (9, 7, 6)[: len(kernel)]
    x, w = arrays((batch, 4, *sizes), (4, 5, *kernel), seed=len(kernel))
    check(x, w, stride=stride, dilation=dilation, padding=1, groups=2)


def test_the_lengths_of_short_phases_do_not_matter(monkeypatch):
    x, w = arrays((2, 3, 7, 9), (3, 4, 4, 5))
    results = []
    for short in (0, 6, 100):
        monkeypatch.setattr(fir, "SHORT", short)
        family_of.cache_clear()
        results.append(check(x, w, stride=2, padding=1))
    family_of.cache_clear()
    assert (results[0] == results[1]).all()
    assert (results[0] == results[2]).all()


def test_sums_that_begin_behind_the_cells_are_zero():
    # The block of cells behind those that any tap reaches.
    axis = Axis(small=1, big=2, kernel=1, stride=1, dilation=1, lo=2)
    assert family_of(axis).read == (2, 4)
    out = np.full((1, 1, 1, 2), np.nan)
    x, w = np.ones((1, 1, 1, 1)), np.ones((1, 1, 1, 1))
    fastfir.conv_transpose((axis,), x, w, out, Workspace())
    assert (out == 0).all()
