"""The metamorphic relations hold for right functions, and see planted defects."""

from pathlib import Path

import numpy as np
import pytest

import mtconv
from mtconv.testing import assert_relations, reference_conv, reference_conv_transpose
from mtconv.testing.relations import RELATIONS


def test_mtconv_keeps_all_of_them():
    done = assert_relations(mtconv.conv_transpose, mtconv.conv)
    assert done == tuple(RELATIONS)
    assert len(done) == 11


def test_plain_loops_keep_all_of_them():
    done = assert_relations(reference_conv_transpose, reference_conv, rounds=3)
    assert done == tuple(RELATIONS)


def test_the_page_has_their_statements():
    page = Path(__file__).parents[2] / "docs" / "implementers.md"
    rows = [line for line in page.read_text().splitlines() if line.startswith("| ")]
    for relation in RELATIONS.values():
        assert f"| {relation.name} | {relation.statement} |" in rows


def test_without_the_convolution_all_others_are_checked():
    done = assert_relations(mtconv.conv_transpose, rounds=1)
    assert set(RELATIONS) - set(done) == {"adjointness"}


def test_torch_keeps_all_of_them():
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional

    def up(x, kernel, *, padding, output_padding, **options):
        rank = len(padding)
        function = getattr(functional, f"conv_transpose{rank}d")
        full = function(torch.tensor(x), torch.tensor(kernel), **options).numpy()
        for axis, ((low, high), extra) in enumerate(
            zip(padding, output_padding, strict=True), 2
        ):
            widths = [(0, 0)] * full.ndim
            widths[axis] = (max(-low, 0), max(extra - high, 0))
            size = full.shape[axis] - low - high + extra
            full = np.pad(full, widths)
            full = full.take(range(max(low, 0), max(low, 0) + size), axis)
        return full

    def down(y, kernel, *, padding, **options):
        for axis, (low, high) in enumerate(padding, 2):
            widths = [(0, 0)] * y.ndim
            widths[axis] = (max(low, 0), max(high, 0))
            y = np.pad(y, widths)
            y = y.take(range(max(-low, 0), y.shape[axis] + min(high, 0)), axis)
        function = getattr(functional, f"conv{len(padding)}d")
        return function(torch.tensor(y), torch.tensor(kernel), **options).numpy()

    assert assert_relations(up, down) == tuple(RELATIONS)


def flipped(x, kernel, **options):
    space = tuple(range(2, kernel.ndim))
    return mtconv.conv_transpose(x, np.flip(kernel, space).copy(), **options)


def swapped_pads(x, kernel, *, padding, **options):
    pairs = tuple((high, low) for low, high in padding)
    return mtconv.conv_transpose(x, kernel, padding=pairs, **options)


def output_padding_first(x, kernel, *, padding, output_padding, **options):
    pairs = tuple(
        (low - extra, high)
        for (low, high), extra in zip(padding, output_padding, strict=True)
    )
    return mtconv.conv_transpose(x, kernel, padding=pairs, **options)


def no_dilation(x, kernel, *, dilation, **options):
    wide = [d * (k - 1) + 1 for d, k in zip(dilation, kernel.shape[2:], strict=True)]
    close = np.zeros((*kernel.shape[:2], *wide))
    close[(..., *(slice(0, k) for k in kernel.shape[2:]))] = kernel
    return mtconv.conv_transpose(x, close, **options)


def swapped_groups(x, kernel, *, groups, **options):
    result = mtconv.conv_transpose(x, kernel, groups=groups, **options)
    return np.concatenate(np.split(result, groups, 1)[::-1], 1)


def interleaved_groups(x, kernel, *, groups, **options):
    result = mtconv.conv_transpose(x, kernel, groups=groups, **options)
    batch, channels, *space = result.shape
    parts = result.reshape(batch, groups, channels // groups, *space)
    return parts.swapaxes(1, 2).reshape(result.shape)


def weighted_channels(x, kernel, **options):
    result = mtconv.conv_transpose(x, kernel, **options)
    weights = np.arange(1, result.shape[1] + 1)
    return result * weights.reshape(-1, *(1,) * (x.ndim - 2))


def shifted_phase(x, kernel, **options):
    result = mtconv.conv_transpose(x, kernel, **options)
    return np.roll(result, 1, -1)


def first_of_the_batch(x, kernel, **options):
    result = mtconv.conv_transpose(x, kernel, **options)
    return np.repeat(result[:1], len(result), 0)


def absolute(x, kernel, **options):
    return mtconv.conv_transpose(abs(x), kernel, **options)


def swapped_axes(x, kernel, *, stride, dilation, **options):
    return mtconv.conv_transpose(
        x, kernel, stride=stride, dilation=dilation[::-1], **options
    )


# Which relations see a defect; at least one that sees it is listed first.
DEFECTS = {
    flipped: ("stride composition", "exchange", "adjointness"),
    swapped_pads: ("crop and extend", "adjointness"),
    output_padding_first: ("crop and extend", "adjointness"),
    no_dilation: ("insertion", "reversal", "adjointness"),
    swapped_groups: ("group split", "adjointness"),
    interleaved_groups: ("group split", "adjointness"),
    weighted_channels: ("channel permutation", "group split", "adjointness"),
    shifted_phase: ("reversal", "crop and extend", "adjointness"),
    first_of_the_batch: ("batch", "adjointness"),
    absolute: ("linearity", "adjointness"),
    swapped_axes: ("insertion", "adjointness"),
}


def seen(function, name):
    try:
        assert_relations(function, mtconv.conv, names=[name], rounds=40)
    except (AssertionError, mtconv.GeometryError):
        return True
    return False


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda function: function.__name__)
def test_a_planted_defect_is_seen(defect):
    assert [name for name in DEFECTS[defect] if not seen(defect, name)] == []


def late(x, kernel, **options):
    """Give twice as much where the input starts with zeros."""
    result = mtconv.conv_transpose(x, kernel, **options)
    return result if x[..., 0].any() else result * 2


def test_every_relation_sees_something():
    assert seen(late, "shift")
    by_others = {name for names in DEFECTS.values() for name in names}
    assert by_others | {"shift"} == set(RELATIONS)


def test_the_report_names_statement_problem_and_element():
    with pytest.raises(AssertionError) as error:
        assert_relations(first_of_the_batch, names=["batch"])
    text = str(error.value)
    assert text.startswith(
        "batch: Each sample of a batch gives the result that it gives alone. It does not "
        "hold for x of shape ("
    )
    assert "kernel of shape (" in text
    assert ", stride=(" in text
    assert " at (1, " in text


@pytest.mark.parametrize(
    ("names", "end"),
    [(["shft"], "got 'shft'."), (["adjointness"], "Give `conv` for this one.")],
)
def test_names_that_cannot_be_checked_are_refused(names, end):
    with pytest.raises(mtconv.GeometryError) as error:
        assert_relations(mtconv.conv_transpose, names=names)
    text = str(error.value)
    assert text.startswith("assert_relations: `names` must be among 'shift', 'linearity'")
    assert text.endswith(end)
