"""`assert_matches_reference` passes what is right, and catches one defect after another."""

import re
from itertools import combinations, product

import numpy as np
import pytest

import mtconv
from mtconv.testing import assert_matches_reference
from tests.testing.conditions import BY_CONDITION, broken
from tests.testing.defects import MISTAKES, WITH_STATE, all_defects, needs_writeable
from tests.testing.pairs import BY_PAIR
from tests.testing.styles import STYLES
from tests.testing.value_defects import LATER, WITH_VALUES

# A part of each sort; `every_defect.py` takes them all.
QUICK = [*list(BY_CONDITION)[::24], *list(MISTAKES)[::3], *WITH_STATE]
QUICK += [*list(WITH_VALUES)[::3], *LATER, *list(BY_PAIR)[::8]]


@pytest.mark.parametrize("style", STYLES)
def test_right_implementations_of_any_style_pass(style):
    accepted = assert_matches_reference(STYLES[style], max_examples=20)
    assert {"int64", "float32", "complex128", "float16", "uint8"} <= set(accepted.dtypes)
    assert accepted.padding_modes == ("zeros",)
    assert not accepted.output_size


def test_mtconv_passes_with_everything_that_it_has():
    accepted = assert_matches_reference(mtconv.conv_transpose, max_examples=20)
    assert accepted.output_size
    assert len(accepted.padding_modes) == 5
    assert accepted.memory[-3:] == ("reversed", "big-endian", "unaligned")
    assert not accepted.refused


@pytest.mark.parametrize("name", QUICK)
def test_every_defect_is_caught_by_the_default_call(name):
    with pytest.raises(AssertionError, match=r"^conv_transpose\(x="):
        assert_matches_reference(all_defects()[name])


def message_of(function, **limits):
    with pytest.raises(AssertionError) as caught:
        assert_matches_reference(function, **limits)
    return str(caught.value).splitlines()[0]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "5 taps",
            "conv_transpose(x=[[[1]]], kernel=[[[1, 2, 3, 4, 5]]]): 1 of 5 elements are "
            "wrong; the first is at index (0, 0, 2): got 4, expected 3",
        ),
        (
            "dtype float32",
            "conv_transpose(x=numpy.array([[[1.0]]], 'float32'), "
            "kernel=numpy.array([[[1.0]]], 'float32')): 1 of 1 elements are wrong; the "
            "first is at index (0, 0, 0): got 2.0, expected 1.0",
        ),
        (
            "read-only",
            "conv_transpose(x=[[[1, 2]]], kernel=[[[1]]]), with arrays that are read-only: "
            "1 of 2 elements are wrong; the first is at index (0, 0, 1): got 3, expected 2",
        ),
        (
            "overwrites x",
            "conv_transpose(x=[[[1]]], kernel=[[[1]]]): the function has changed its "
            "argument `x`",
        ),
        (
            "one buffer",
            "conv_transpose(x=[[[1]]], kernel=[[[1]]]), called again: the result shares "
            "memory with the result of an earlier call; return a new array each time",
        ),
        (
            "returns x",
            "conv_transpose(x=[1], kernel=[1]): the result shares memory with the "
            "argument `x`; return a new array",
        ),
        (
            "always double",
            "conv_transpose(x=[[[1]]], kernel=[[[1]]]): the result has dtype float64 "
            "instead of int64",
        ),
    ],
)
def test_what_is_left_after_shrinking_can_be_worked_out_by_hand(name, message):
    assert message_of(all_defects()[name]) == message


def test_layouts_and_random_cases_are_reached():
    def last_axis_is_channels(x, kernel, bias=None, **options):
        y = mtconv.conv_transpose(x, kernel, bias, **options)
        return y + 1 if options.get("layout", "").endswith("C") else y

    limits = {"layouts": True, "ranks": (2,), "kinds": ("batched",)}
    message = message_of(last_axis_is_channels, **limits)
    assert re.search(r"\blayout='[NHW]{3}C'", message)


def test_every_two_features_meet_in_one_call():
    calls = set()

    def right(x, kernel, bias=None, **options):
        rank = kernel.ndim - 2 if kernel.ndim > 2 else kernel.ndim
        groups = options.get("groups", 1)
        features = {
            "dtype": {x.dtype.newbyteorder("=").name},
            "rank": {rank},
            "taps": {*kernel.shape[-rank:]},
            "stride": {*np.ravel(options.get("stride", 1)).tolist()},
            "dilation": {*np.ravel(options.get("dilation", 1)).tolist()},
            "groups": {groups},
            "batch": {len(x)} if x.ndim == kernel.ndim > 2 else set(),
            "small channels": {kernel.shape[0] // groups} if kernel.ndim > 2 else set(),
            "big channels": {kernel.shape[1]} if kernel.ndim > 2 else set(),
            "size": {*x.shape[-rank:]},
            "bias": {bias is not None},
        }
        calls.add(frozenset((name, v) for name in features for v in features[name]))
        return mtconv.conv_transpose(x, kernel, bias, **options)

    accepted = assert_matches_reference(right, max_examples=1)
    wanted = {
        "dtype": accepted.dtypes,
        "rank": (1, 2, 3),
        "taps": range(1, 9),
        "stride": range(1, 6),
        "dilation": range(1, 4),
        "groups": (1, 2, 3, 4, 8),
        "batch": (1, 2, 3, 4, 5, 8),
        "small channels": (1, 2, 3, 4, 5, 8, 9, 17),
        "big channels": (1, 2, 3, 4, 5, 8, 9, 17),
        "size": (3, 5, 9, 17, 33),
        "bias": (True, False),
    }
    # Of the channels, only some pairs are there.
    apart = {frozenset({"small channels", "big channels"})}
    seen = {frozenset(pair) for call in calls for pair in combinations(call, 2)}
    missing = [
        (first, v, second, w)
        for first, second in combinations(wanted, 2)
        if {first, second} not in apart
        for v, w in product(wanted[first], wanted[second])
        if {(first, v), (second, w)} not in seen
    ]
    assert missing == []


class TestAsking:
    def test_dtypes_that_are_refused_are_reported(self):
        def floats(x, kernel, bias, **options):
            if x.dtype.kind != "f":
                raise TypeError("floats only")  # noqa: EM101
            return mtconv.conv_transpose(x, kernel, bias, **options)

        accepted = assert_matches_reference(floats, max_examples=1)
        assert accepted.dtypes == ("float32", "float64", "float16")
        assert accepted.refused["int64"] == "TypeError: floats only"
        assert "refused int64: TypeError: floats only" in str(accepted)
        with pytest.raises(TypeError, match="floats only"):
            assert_matches_reference(floats, dtypes=("float32", "int64"))

    def test_negative_strides_may_be_refused_but_not_read_only_arrays(self):
        def forward_only(x, kernel, bias, **options):
            if min(x.strides) < 0:
                raise ValueError("negative strides")  # noqa: EM101
            return mtconv.conv_transpose(x, kernel, bias, **options)

        accepted = assert_matches_reference(forward_only, max_examples=1)
        assert "reversed" not in accepted.memory
        with pytest.raises(ValueError, match="read-only") as caught:
            assert_matches_reference(needs_writeable)
        assert "with arrays that are read-only" in caught.value.__notes__[0]

    def test_sums_that_overflow_may_be_refused(self):
        def careful(x, kernel, bias, **options):
            y = mtconv.conv_transpose(x, kernel, bias, **options)
            if x.dtype.kind in "iu" and x.dtype.itemsize < 8:
                wide = [a if a is None else a.astype("i8") for a in (x, kernel, bias)]
                if (mtconv.conv_transpose(*wide, **options) != y).any():
                    raise OverflowError
            return y

        assert "int8" in assert_matches_reference(careful, max_examples=1).dtypes

    def test_options_that_are_ignored_are_not_taken_for_known(self):
        def deaf(x, kernel, bias, padding_mode=None, output_size=None, **options):
            del padding_mode, output_size
            return mtconv.conv_transpose(x, kernel, bias, **options)

        accepted = assert_matches_reference(deaf, max_examples=1)
        assert (accepted.padding_modes, accepted.output_size) == (("zeros",), False)

    def test_a_function_that_takes_nothing_raises_its_own_error(self):
        def broken_function(*_, **__):
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            assert_matches_reference(broken_function)


class TestLimits:
    def seen(self, **limits):
        calls = []

        def function(x, kernel, bias, **options):
            calls.append((x, kernel, bias, options))
            return mtconv.conv_transpose(x, kernel, bias, **options)

        assert_matches_reference(function, max_examples=20, **limits)
        return calls

    def test_fixed_cases_keep_to_the_limits(self):
        calls = self.seen(
            options=("stride", "padding"),
            ranks=(2,),
            kinds=("unbatched",),
            paddings=("ints",),
            dtypes=("float32",),
            bias=False,
        )
        assert len(calls) > 100
        for x, kernel, bias, options in calls:
            assert (x.ndim, kernel.ndim, bias, x.dtype.name) == (3, 4, None, "float32")
            assert set(options) <= {"stride", "padding"}
            assert np.min(options.get("padding", 0)) >= 0
            assert np.ndim(options.get("padding", 0)) < 2

    def test_batches_and_bare_arrays(self):
        assert {
            len(x) for x, *_ in self.seen(kinds=("batched",), batches=(3,), ranks=(1,))
        } == {3}
        bare = self.seen(kinds=("bare",))
        assert {x.ndim - kernel.ndim for x, kernel, *_ in bare} == {0}
        assert {kernel.ndim for _, kernel, *_ in bare} == {1, 2}

    @pytest.mark.parametrize(
        ("limits", "message"),
        [
            (
                {"options": ("strides",)},
                "assert_matches_reference: `options` must be a collection of words out of "
                "'stride', 'padding', 'output_padding', 'output_size', 'dilation', 'groups'"
                "; got 'strides'. Did you mean 'stride'?",
            ),
            (
                {"options": "stride"},
                "assert_matches_reference: `options` must be a collection of words out of "
                "'stride', 'padding', 'output_padding', 'output_size', 'dilation', 'groups'"
                "; got 'stride'. Write ('stride',).",
            ),
            (
                {"paddings": ("int",)},
                "assert_matches_reference: `paddings` must be a collection of words out of "
                "'ints', 'pairs', 'negative', 'valid', 'same', 'same_lower'; got 'int'. "
                "Did you mean 'ints'?",
            ),
            (
                {"kinds": ("batch",)},
                "assert_matches_reference: `kinds` must be a collection of words out of "
                "'bare', 'unbatched', 'batched'; got 'batch'. Did you mean 'batched'?",
            ),
            (
                {"kinds": ()},
                "assert_matches_reference: `kinds` must name at least one, or nothing "
                "would be checked; got none.",
            ),
            (
                {"kinds": ("bare",), "ranks": (3,)},
                "assert_matches_reference: `kinds` must not be 'bare' alone for three "
                "axes, which need a layout; got ('bare',).",
            ),
            (
                {"ranks": (4,)},
                "assert_matches_reference: `ranks` must be a collection of integers from 1 "
                "to 3; got 4.",
            ),
            (
                {"max_examples": 0},
                "assert_matches_reference: `max_examples` must be an integer of at least "
                "1; got 0.",
            ),
        ],
    )
    def test_words_that_are_not_known_are_errors_that_list_the_known(self, limits, message):
        with pytest.raises(mtconv.GeometryError) as caught:
            assert_matches_reference(mtconv.conv_transpose, **limits)
        assert str(caught.value) == message

    def test_dtypes_and_names_that_are_not_known(self):
        with pytest.raises(mtconv.GeometryError, match=r"`dtypes` must be .*; got 'bool'"):
            assert_matches_reference(mtconv.conv_transpose, dtypes=("bool",))
        with pytest.raises(
            TypeError, match=r"unknown keyword 'dtype'.*Did you mean 'dtypes'"
        ):
            assert_matches_reference(mtconv.conv_transpose, dtype=("float32",))


def test_a_defect_that_no_case_reaches_passes():
    # The list has bounds, and this is what lies beyond them.
    long = broken(lambda c: max(c.x.shape) > 2000)
    assert_matches_reference(long, max_examples=1, ranks=(1,))
