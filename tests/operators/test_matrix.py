"""The sparse matrix: the entries of the relation, nothing else, in every format."""

import re
import sys
import tracemalloc
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

import mtconv
from mtconv.matrix import build_csr, csr_bytes, memory
from mtconv.matrix.rows import axis_rows
from mtconv.strategies import problems, specs

MODES = ("zeros", "circular", "reflect", "replicate", "symmetric")


def operators(case):
    """Both operators of a case, made each in its own way."""
    n, big = case.spec.small, case.spec.big
    return (
        mtconv.ConvTranspose(case.kernel, n, **case.options),
        mtconv.Conv(case.kernel, big, **case.conv_options),
    )


def test_by_hand():
    # Rows are outputs, columns are inputs: the matrix of the notebook.
    W = mtconv.Conv([[1, 2], [3, 4]], input_size=(3, 3)).to_sparse().toarray()
    assert W.tolist() == [
        [1, 2, 0, 3, 4, 0, 0, 0, 0],
        [0, 1, 2, 0, 3, 4, 0, 0, 0],
        [0, 0, 0, 1, 2, 0, 3, 4, 0],
        [0, 0, 0, 0, 1, 2, 0, 3, 4],
    ]


def test_circular_by_hand():
    A = mtconv.Conv([1, 2, 4], 3, padding=((1, 1),), padding_mode="circular")
    assert A.to_dense().tolist() == [[2, 4, 1], [1, 2, 4], [4, 1, 2]]


def test_taps_that_meet_are_summed():
    A = mtconv.Conv([1, 2, 4, 8, 16], 2, padding=2, padding_mode="replicate")
    assert A.to_dense().tolist() == [[1 + 2 + 4, 8 + 16], [1 + 2, 4 + 8 + 16]]


@given(case=problems(layouts=True, padding_modes=MODES, bias=False, batches=(1,)))
def test_matrix_times_raveled_array_is_the_map(case, same):
    for A, x in zip(operators(case), (case.x, case.y), strict=True):
        x = x.reshape(A.input_shape)
        matrix = A.to_sparse()
        assert matrix.shape == A.shape
        same(matrix @ x.ravel(), A(x).ravel())


@given(spec=specs(padding_modes=MODES, batches=(1,)))
def test_entries_are_those_of_the_relation(spec):
    for form in ("conv_transpose", "conv"):
        w = np.arange(1, np.prod(spec.kernel_shape) + 1).reshape(spec.kernel_shape)
        built = build_csr("test", form, spec, w)
        assert entries_of(built) == entries_by_loops(form, spec, w)


def entries_of(built):
    """Row by row, the columns in the order they are stored in, with their values."""
    return [
        list(zip(built.indices[a:b].tolist(), built.data[a:b].tolist(), strict=True))
        for a, b in zip(built.indptr[:-1], built.indptr[1:], strict=True)
    ]


def entries_by_loops(form, spec, w):
    """Sum the kernel over the taps of every (row, column), sorted by column."""
    small, share = spec.kernel_shape[:2]
    per_group = small // spec.groups
    got = {}
    for s, b, *j in np.ndindex(*spec.kernel_shape):
        group = s // per_group
        for i in np.ndindex(*spec.small):
            o = cell(spec, i, j)
            if o is None:
                continue
            at_x = np.ravel_multi_index((s, *i), (small, *spec.small))
            at_y = np.ravel_multi_index(
                (group * share + b, *o), (share * spec.groups, *spec.big)
            )
            key = (at_y, at_x) if form == "conv_transpose" else (at_x, at_y)
            got[key] = got.get(key, 0) + w[(s, b, *j)]
    cells = {"conv_transpose": share * spec.groups * np.prod(spec.big)}
    rows = [[] for _ in range(cells.get(form, small * np.prod(spec.small)))]
    for (row, column), value in sorted(got.items()):
        rows[row].append((int(column), int(value)))
    return rows


def cell(spec, i, j):
    """The cell of y that a tap reads, folded back as `numpy.pad` folds; None outside."""
    names = {"circular": "wrap", "replicate": "edge"}
    place = []
    for axis, a, b in zip(spec.axes, i, j, strict=True):
        o = axis.stride * a + axis.dilation * b - axis.lo
        if not 0 <= o < axis.big:
            if spec.padding_mode == "zeros":
                return None
            amounts = (max(-o, 0), max(o - axis.big + 1, 0))
            mode = names.get(spec.padding_mode, spec.padding_mode)
            o = np.pad(np.arange(axis.big), amounts, mode)[0 if o < 0 else -1]
        place.append(o)
    return tuple(place)


def test_every_small_relation(record_property):
    cases = 0
    for n, k, s, d in product(range(1, 5), range(1, 5), range(1, 4), range(1, 3)):
        extent = d * (k - 1) + 1
        for lo, big in product(range(-1, extent + 1), range(1, s * (n - 1) + extent + 2)):
            axis = mtconv.geometry.Axis(n, big, k, s, d, lo)
            spec = mtconv.ConvSpec((axis,))
            w = 2 ** np.arange(k).reshape(1, 1, k)
            for form in ("conv_transpose", "conv"):
                built = build_csr("test", form, spec, w)
                assert entries_of(built) == entries_by_loops(form, spec, w), axis
                cases += 1
    record_property("cases", cases)


def test_zeros_of_the_kernel_are_stored_and_no_others():
    A = mtconv.Conv([3, 0, 1], 5, padding=1)
    assert A.to_sparse().nnz == 3 * 5 - 2
    assert np.count_nonzero(A.to_sparse().data == 0) == 5


@pytest.mark.parametrize("form", ["conv_transpose", "conv"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("lo", [1, 4])
def test_long_axes_are_written_down_briefly(form, mode, lo):
    # What is computed row by row does not grow with the axis.
    axis = mtconv.geometry.Axis(10**6, 3 * 10**6, 5, 3, 2, lo)
    rows = axis_rows(axis, mode, by_big=form != "conv")
    assert sum(run.columns.size for block in rows.blocks for run in block.runs) < 75
    assert rows.rows == (axis.small if form == "conv" else axis.big)


def test_an_axis_is_split_only_where_a_tap_begins_or_ends():
    plain = mtconv.geometry.Axis(small=5, big=7, kernel=3)
    rows = axis_rows(plain, "zeros", by_big=False)
    assert [(b.rows, b.times, b.shift) for b in rows.blocks] == [(1, 5, 1)]
    # Tap 1 begins at row 1, tap 0 ends before row 99.
    pairs = mtconv.geometry.Axis(small=50, big=100, kernel=2, stride=2)
    rows = axis_rows(pairs, "zeros", by_big=True)
    blocks = [(b.rows, b.times, b.shift) for b in rows.blocks]
    assert blocks == [(1, 1, 1), (2, 49, 1), (1, 1, 1)]


def test_an_axis_of_a_thousand_million_elements_is_written_down():
    axis = mtconv.geometry.Axis(10**9, 3 * 10**9, 5, 3, 2, 1)
    for by_big, rows in ((True, axis.big), (False, axis.small)):
        assert axis_rows(axis, "zeros", by_big=by_big).rows == rows


@pytest.mark.parametrize("height", [3, 4, 5, 8, 13])
@pytest.mark.parametrize("width", [6, 302, 1002])
def test_blocks_of_any_length_are_repeated_any_number_of_times(height, width):
    """Nine entries a row: blocks of up to 9000 entries, each up to 1000 times."""
    kernel = np.arange(1, 10)
    A = mtconv.Conv(kernel.reshape(3, 3), (height, width))
    matrix = A.to_sparse()
    i, j, a, b = np.ix_(*map(np.arange, (height - 2, width - 2, 3, 3)))
    assert (matrix.indices == ((i + a) * width + j + b).ravel()).all()
    rows = (height - 2) * (width - 2)
    assert (matrix.data.reshape(rows, 9) == kernel).all()
    assert (matrix.indptr == 9 * np.arange(rows + 1)).all()


@given(case=problems(layouts=True, padding_modes=MODES, bias=False, batches=(1,)))
def test_sorted_indices_and_no_duplicates(case):
    for A in operators(case):
        matrix = A.to_sparse()
        unmarked = csr_array((matrix.data, matrix.indices, matrix.indptr), A.shape)
        assert unmarked.has_sorted_indices
        assert unmarked.has_canonical_format
        assert matrix.indices.dtype == matrix.indptr.dtype == np.int32


@given(
    case=problems(layouts=True, padding_modes=MODES, bias=False, batches=(1,)),
    fmt=st.sampled_from(["csc", "coo", "bsr"]),
    order=st.sampled_from("CF"),
)
def test_formats_and_orders(case, fmt, order):
    for A in operators(case):
        x = np.arange(1, A.shape[1] + 1).reshape(A.input_shape)
        matrix = A.to_sparse(fmt, order=order)
        assert matrix.format == fmt
        product = matrix.toarray() @ x.ravel(order)
        assert product.tolist() == A(x).ravel(order).tolist()
        if fmt == "csc":
            arrays = (matrix.data, matrix.indices, matrix.indptr)
            assert type(matrix)(arrays, A.shape).has_canonical_format


@pytest.mark.parametrize("order", ["C", "F"])
def test_bcoo(jax_numpy, order):
    A = mtconv.ConvTranspose(
        np.arange(36).reshape(2, 2, 3, 3), (4, 5), stride=2, padding=1, groups=1
    )
    x = np.arange(A.shape[1]).reshape(A.input_shape)
    matrix = A.to_sparse("bcoo", order=order)
    assert matrix.nse == A.to_sparse().nnz
    product = matrix @ jax_numpy.asarray(x.ravel(order))
    assert np.asarray(product).tolist() == A(x).ravel(order).tolist()


def test_bcoo_has_indices_of_32_bits(jax_numpy):  # noqa: ARG001
    for size in (2**31, 2**32):
        A = mtconv.Conv([1.0], size, stride=2**30)
        assert A.to_sparse().shape == (size // 2**30, size)
        with pytest.raises(mtconv.BackendError, match="32 bits"):
            A.to_sparse("bcoo")
    A = mtconv.Conv([1.0], 2**31 - 1, stride=2**30)
    assert A.to_sparse("bcoo").indices.tolist() == [[0, 0], [1, 2**30]]


def test_matrices_say_that_their_entries_are_sorted(jax_numpy):  # noqa: ARG001
    A = mtconv.Conv(np.arange(1, 13).reshape(2, 2, 3), 4)
    for fmt in ("csr", "csc"):
        # Known, so that SciPy has not looked.
        marks = vars(A.to_sparse(fmt))
        assert marks["_has_sorted_indices"] is marks["_has_canonical_format"] is True
    matrix = A.to_sparse("bcoo")
    assert matrix.indices_sorted is matrix.unique_indices is True


def test_matrices_of_transposes_are_transposes(backend):
    rng = np.random.default_rng(4)
    kernel = rng.integers(-9, 10, (4, 3, 3, 2)) + 1j * rng.integers(-9, 10, (4, 3, 3, 2))
    A = mtconv.Conv(kernel, (6, 5), stride=2, padding=1, groups=2, backend=backend)
    dense = A.to_sparse().toarray()
    assert (A.T.to_sparse().toarray() == dense.T).all()
    assert (A.H.to_sparse().toarray() == dense.conj().T).all()
    assert (np.asarray(A.to_dense()) == dense).all()


def test_half_precision_becomes_single():
    A = mtconv.Conv(np.array([1, 2], np.float16), 4)
    assert A.to_sparse().dtype == np.float32
    assert A.to_dense().dtype == np.float16


def test_size_is_known_and_refused_before_anything_is_allocated():
    A = mtconv.Conv(np.ones((64, 64, 5, 5)), (4096, 4096))
    size = csr_bytes("conv", A.spec, 8)
    rows = 64 * 4092 * 4092
    assert size == rows * 64 * 25 * (8 + 8) + (rows + 1) * 8
    tracemalloc.start()
    with pytest.raises(mtconv.BackendError) as error:
        A.to_sparse()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20
    assert "to_sparse: `kernel` must lead to a matrix that fits" in str(error.value)
    assert f"{rows * 64 * 25} entries" in str(error.value)


def test_the_refusal_names_what_there_is_and_what_it_takes(monkeypatch):
    monkeypatch.setattr(memory, "_available_memory", lambda: 3 * 2**29)
    # 2**20 rows of 2**10 entries, each a float64 and an index of four bytes.
    A = mtconv.Conv(np.ones(2**10), 2**20 + 2**10 - 1)
    with pytest.raises(mtconv.BackendError) as error:
        A.to_sparse()
    assert "the memory available, 1.5 GiB" in str(error.value)
    assert "1073741824 entries, which take 12.0 GiB" in str(error.value)


def test_matrices_below_sixteen_mib_are_made_without_a_look_at_the_memory(monkeypatch):
    monkeypatch.setattr(memory, "_available_memory", lambda: 0)
    memory.check_memory("to_sparse", "kernel", 1, 2**24 - 1, "Make it smaller.")
    with pytest.raises(mtconv.BackendError, match="got 1 entries, which take"):
        memory.check_memory("to_sparse", "kernel", 1, 2**24, "Make it smaller.")


def test_matrices_that_just_fit_are_made(monkeypatch):
    monkeypatch.setattr(memory, "_available_memory", lambda: 2**25)
    memory.check_memory("to_sparse", "kernel", 1, 2**25, "Make it smaller.")
    with pytest.raises(mtconv.BackendError, match="got 1 entries, which take"):
        memory.check_memory("to_sparse", "kernel", 1, 2**25 + 1, "Make it smaller.")


def test_matrices_of_kernels_count_what_scipy_makes_of_their_entries(monkeypatch):
    """Each axis has 64 taps at 128 places; an entry takes a value, three indices, twice."""
    monkeypatch.setattr(memory, "_available_memory", lambda: 2**30)
    A = mtconv.KernelConv(np.ones((191, 191)), kernel_size=(64, 64))
    with pytest.raises(mtconv.BackendError) as error:
        A.to_sparse()
    assert "67108864 entries, which take 4.0 GiB" in str(error.value)


@pytest.mark.parametrize(
    ("make", "argument"),
    [
        (lambda A: A, "kernel"),
        (lambda A: A.T + A.T, "operators"),
        (lambda A: A.regularized_inverse(1.0), "operators"),
        (lambda _: mtconv.KernelConv(np.ones(2**12), kernel_size=(2**11,)), "kernel_size"),
    ],
)
def test_matrices_with_their_zeros_are_refused_before_they_are_made(
    make, argument, monkeypatch
):
    monkeypatch.setattr(memory, "_available_memory", lambda: 2**24)
    A = mtconv.Conv([1.0, 2.0], 2048, padding=((0, 1),), padding_mode="circular")
    operator = make(A)
    with pytest.raises(mtconv.BackendError) as error:
        operator.to_dense()
    entries = {"kernel_size": 2049 * 2048}.get(argument, 2048 * 2048)
    assert str(error.value) == (
        f"to_dense: `{argument}` must lead to a matrix that fits into the memory "
        f"available, 0.0 GiB; got {entries} entries, which take 0.0 GiB. Apply the "
        "operator without its matrix."
    )


def test_what_is_announced_is_what_is_built():
    for padding_mode in MODES:
        A = mtconv.ConvTranspose(
            np.ones((2, 3, 3, 4)),
            (5, 6),
            stride=(2, 1),
            padding=1,
            padding_mode=padding_mode,
        )
        matrix = A.to_sparse()
        arrays = (matrix.data, matrix.indices, matrix.indptr)
        assert csr_bytes("conv_transpose", A.spec, 8) == sum(a.nbytes for a in arrays)


def test_building_takes_no_more_than_twice_the_result():
    A = mtconv.Conv(np.arange(9.0).reshape(3, 3), (300, 300), padding=1)
    A.to_sparse()
    tracemalloc.start()
    matrix = A.to_sparse()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    arrays = (matrix.data, matrix.indices, matrix.indptr)
    assert peak < 2 * sum(a.nbytes for a in arrays)


@pytest.mark.parametrize("arguments", [{"format": "dok"}, {"order": "K"}])
def test_unknown_words_are_refused(arguments):
    with pytest.raises(mtconv.GeometryError, match=f"to_sparse: `{next(iter(arguments))}`"):
        mtconv.Conv([1, 2], 4).to_sparse(**arguments)


def test_bare_volumes_have_matrices_too(same):
    A = mtconv.Conv(np.arange(8).reshape(2, 2, 2), (2, 3, 2), layout="DHW")
    x = np.arange(12).reshape(2, 3, 2)
    same(A.to_sparse() @ x.ravel(), A(x).ravel())


def test_bcoo_needs_jax(monkeypatch):
    monkeypatch.setitem(sys.modules, "jax.experimental.sparse", None)
    with pytest.raises(ImportError, match=re.escape("pip install 'mtconv[jax]'")):
        mtconv.Conv([1, 2], 4).to_sparse("bcoo")


def test_nothing_is_refused_where_the_system_does_not_say_its_memory(monkeypatch):
    def no_file(_):
        raise FileNotFoundError

    monkeypatch.setattr("pathlib.Path.read_text", no_file)
    monkeypatch.setattr(memory, "_SMALL", 0)  # so that it is asked at all
    assert mtconv.Conv([1, 2], 3).to_sparse().toarray().tolist() == [[1, 2, 0], [0, 1, 2]]
