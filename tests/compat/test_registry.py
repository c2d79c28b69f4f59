"""Every row of the registry is whole, and what is written about it holds."""

import inspect
import pkgutil
from math import ceil

import numpy as np
import pytest

import mtconv
from mtconv import compat
from mtconv.compat.registry import FRAMEWORKS
from mtconv.conventions.framework import size_rules
from mtconv.verify.frameworks import LAYERS
from tests.compat.calls import CALLS
from tests.compat.draws import DRAWS
from tests.compat.pins import PINS
from tests.compat.tables import DOCS, TABLES, replaced

rows = pytest.mark.parametrize("name", FRAMEWORKS)


def test_every_file_has_a_row_and_every_row_is_in_the_package():
    files = {module.name for module in pkgutil.iter_modules(compat.__path__)}
    public = {name for name in files if name[0] != "_"} - {
        "checkpoint",
        "conversion",
        "registry",
    }
    listed = {row.file.__name__.rpartition(".")[2] for row in FRAMEWORKS.values()}
    assert public == listed - {"_mtconv"}
    assert public <= set(compat.__all__)
    assert all(name == row.name for name, row in FRAMEWORKS.items())


def missing(row):
    """List what a row and its file lack."""
    fields = ("name", "call", "data")
    lacking = [field for field in fields if not getattr(row, field)]
    constants = ("ARRAYS", "KERNEL", "LINK", "SIZES", "DRAWS", "LIMIT", "read", "write")
    lacking += [name for name in constants if not getattr(row.file, name, None)]
    parameters = inspect.signature(row.function).parameters
    named = (*row.beside, *row.sized, *row.fixed, row.stride, row.dilation)
    if row.groups != "by shape":
        named += (row.groups,)
    lacking += [name for name in named if name and name not in parameters]
    lacking += [name for name in row.file.ARRAYS if name not in parameters]
    if row.name not in ("mtconv", "matlab"):
        lacking += [] if row.packages else ["packages"]
        lacking += [] if (row.live and row.tensor) or row.name in LAYERS else ["live"]
        lacking += [] if row.conv_kernel else ["conv_kernel"]
        lacking += (
            []
            if (PINS / f"{row.file.__name__.rpartition('.')[2]}.json").exists()
            else ["pins"]
        )
        lacking += [] if row.file.__name__.rpartition(".")[2] in DRAWS else ["draws"]
    return lacking


@rows
def test_a_row_is_complete(name):
    hint = "pins are written by `python -m tests.compat.make_pins {name}`"
    assert missing(FRAMEWORKS[name]) == [], hint.format(name=name)


def test_an_incomplete_row_is_seen():
    from dataclasses import replace
    from types import SimpleNamespace

    whole = FRAMEWORKS["torch"]
    assert missing(replace(whole, stride="strides")) == ["strides"]
    assert missing(replace(whole, live="", conv_kernel="")) == ["live", "conv_kernel"]
    file = SimpleNamespace(**vars(whole.file))
    del file.SIZES
    assert missing(replace(whole, file=file)) == ["SIZES"]


RULES = [
    pytest.param(row, rule, id=f"{row.name}: {rule.argument}")
    for row in FRAMEWORKS.values()
    for rule in row.file.SIZES
]


@pytest.mark.parametrize(("row", "rule"), RULES)
def test_the_table_of_sizes_is_what_is_read(row, rule):
    """Random numbers for the letters; the formulas are evaluated as Python."""
    assert differences(row, rule, 900) == []


def differences(row, rule, count):
    """List where a rule and what is read differ; enough of the draws must be legal."""
    rng, wrong, legal = np.random.default_rng(6), [], 0
    for _ in range(count):
        n, s, d, k = (int(rng.integers(1, top)) for top in (7, 5, 4, 6))
        if row.name == "matlab":
            s = d = 1
        if not row.dilation:
            d = 1
        letters = {"n": n, "s": s, "d": d, "k": k, "K": d * (k - 1) + 1, "ceil": ceil}
        letters |= {x: int(rng.integers(0, 4)) for x in "pab"}
        letters["q"] = int(rng.integers(0, s))
        letters["N"] = int(rng.integers(1, 25))
        if rule.size.startswith("n = "):
            letters["n"] = n = eval(rule.size[4:], letters)
        options = eval(f"dict({rule.options})", letters)
        rank = 2 if rule.options.count("N, N") or row.name == "matlab" else 1
        steps = {row.stride: (s,) * rank, row.dilation: (d,) * rank}
        options |= {name: value for name, value in steps.items() if name}
        if n < 1:
            continue
        try:
            geometry = row.geometry("call", options, (n,) * rank, (k,) * rank)
        except mtconv.GeometryError:
            continue
        legal += 1
        size = letters["N"] if rule.size.startswith("n = ") else eval(rule.size, letters)
        got = (geometry.axes[0].lo, geometry.axes[0].big)
        if got != (eval(rule.lo, letters), size):
            wrong.append((options, n, k, got))
    assert legal > min(50, count / 6)
    return wrong


def test_a_wrong_formula_is_seen():
    row = FRAMEWORKS["torch"]
    (rule,) = size_rules("p | p | (n-1)*s + K - p + q | padding=p, output_padding=q")
    assert differences(row, rule, 300)
    (rule,) = size_rules("p | p + 1 | (n-1)*s + K - 2*p + q | padding=p, output_padding=q")
    assert differences(row, rule, 300)


@rows
def test_options_that_depend_on_the_size_are_declared(name):
    """What a row does not list in ``sized`` means the same crops for inputs of any size."""
    hypothesis = pytest.importorskip("hypothesis")
    from mtconv.strategies import options_for

    row = FRAMEWORKS[name]

    @hypothesis.settings(max_examples=60, deadline=None, database=None)
    @hypothesis.given(options=options_for(name, size=(4, 4), kernel_size=(3, 4)))
    def check(options):
        if row.needs_size(options):
            return
        crops = {
            row.geometry("call", options, (n, n + 1), (3, 4)).crops for n in range(4, 18)
        }
        assert len(crops) == 1

    check()


@pytest.mark.parametrize("name", [*CALLS, "mtconv"])
def test_drawn_options_are_legal_and_lead_to_mtconv_and_back(name):
    """The options of `options_for` say the same geometry after a conversion each way.

    Whatever a framework can say, a conversion to it says, and refuses nothing.
    """
    hypothesis = pytest.importorskip("hypothesis")
    from mtconv.strategies import options_for

    row, size = FRAMEWORKS[name], {"kernel_size": (2, 3), "input_size": (3, 4)}

    @hypothesis.settings(max_examples=40, deadline=None, database=None)
    @hypothesis.given(options=options_for(name, size=(3, 4), kernel_size=(2, 3)))
    def check(options):
        geometry = row.geometry("call", options, (3, 4), (2, 3))
        assert min(geometry.per_axis("big")) >= 1
        ours = compat.convert(options, name, "mtconv", **size)
        spec = mtconv.ConvSpec.from_shapes((1, 1, 3, 4), (1, 1, 2, 3), **ours)
        assert spec.axes == geometry.axes
        there = compat.convert(ours, "mtconv", name, **size)
        assert row.geometry("call", there, (3, 4), (2, 3)) == geometry

    check()


@pytest.mark.parametrize(("page", "name"), TABLES)
def test_the_pages_have_the_tables_of_the_registry(page, name):
    text = (DOCS / page).read_text()
    hint = "run `python -m tests.compat.tables`"
    assert text == replaced(text, name, TABLES[page, name]()), hint


def test_a_padding_that_depends_on_the_size_is_converted_only_with_a_size():
    with pytest.raises(mtconv.GeometryError) as refusal:
        compat.convert({"output_size": 5}, "mtconv", "torch", kernel_size=(3,))
    assert str(refusal.value) == (
        "convert: `input_size` must be given: what these options mean in mtconv depends on "
        "it; got None. Give the spatial size of the input, one integer per axis."
    )
