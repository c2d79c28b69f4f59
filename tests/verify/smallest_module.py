"""Make a failing module smaller as long as a runtime fails in the same way."""

import tempfile
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mtconv import GeometryError
from mtconv.testing.case import Case
from mtconv.verify.cases import random_cases
from mtconv.verify.core import core_cases
from mtconv.verify.stablehlo_modules import FORMS, Numbers
from tests.verify.causes import orders
from tests.verify.readers import stablehlo_window
from tests.verify.sweep import outcome

MOST_TRIES = 60


class Interval(NamedTuple):
    """One axis: size of the small side, taps, steps, padding, and what is added."""

    small: int
    taps: int
    stride: int
    dilation: int
    lo: int
    hi: int
    extra: int


PLAIN = Interval(1, 1, 1, 1, 0, 0, 0)


class Shape(NamedTuple):
    """A module without its values; channels are those of a group."""

    form: str
    batch: int
    groups: int
    inputs: int
    outputs: int
    axes: tuple[Interval, ...]
    reverse: tuple[bool, ...]
    numbers: Numbers | None  # None for channels first

    def text(self):
        channels = self.groups * self.inputs
        natural = [
            a.stride * (a.small - 1) + a.dilation * (a.taps - 1) + 1 - a.lo - a.hi
            for a in self.axes
        ]
        big = [size + a.extra for size, a in zip(natural, self.axes, strict=True)]
        shapes = (
            (self.batch, channels, *(a.small for a in self.axes)),
            (channels, self.outputs, *(a.taps for a in self.axes)),
            (self.batch, self.groups * self.outputs, *big),
        )
        options = {
            "stride": tuple(a.stride for a in self.axes),
            "dilation": tuple(a.dilation for a in self.axes),
            "padding": tuple((a.lo, a.hi) for a in self.axes),
            "output_size": tuple(big),
            "groups": self.groups,
        }
        arrays = (1.0 + np.arange(np.prod(shape)).reshape(shape) for shape in shapes)
        module = FORMS[self.form]("smaller", Case(*arrays, None, options))
        numbers = self.numbers or Numbers.of("bfs", "ios", len(self.axes))
        return module.reversing(list(self.reverse)).text(numbers)


def smallest_module(run, path, kind, seed):
    """Return the text of a module that is made smaller."""
    best = shape_of(path, seed)
    with tempfile.TemporaryDirectory() as scratch:
        tries, progress = 0, True
        while progress and tries < MOST_TRIES:
            progress = False
            for smaller in reductions(best):
                tries += 1
                if fails(run, Path(scratch, f"{tries}.mlir"), smaller, kind):
                    best, progress = smaller, True
                    break
    return best.text()


def fails(run, path, shape, kind):
    try:
        path.write_text(shape.text())
    except (GeometryError, ValueError):
        return False
    return outcome(run, path)[0] == kind


def shape_of(path, seed):
    """Find the problem that a file was made of, and how it was written."""
    text = path.read_text()
    form = next(form for form in FORMS if path.stem.endswith(f"_{form}"))
    name = path.stem.removesuffix(f"_{form}")
    if name.startswith("random_"):
        number = int(name.removeprefix("random_"))
        case = next(islice(random_cases(seed), number, None))
    else:
        case = next(core.case for core in core_cases() if core.name == name)
    groups, padding = case.options["groups"], case.options["padding"]
    axes = [
        Interval(a.small, a.kernel, a.stride, a.dilation, lo, hi, extra_of(a, lo, hi))
        for a, (lo, hi) in zip(case.spec.axes, padding, strict=True)
    ]
    return Shape(
        *(form, len(case.x), groups, case.x.shape[1] // groups, case.kernel.shape[1]),
        tuple(axes),
        tuple(stablehlo_window(text)["reverse"]),
        Numbers(*map(tuple, orders(text))),
    )


def extra_of(axis, lo, hi):
    return axis.big - (axis.stride * (axis.small - 1) + axis.extent - lo - hi)


def reductions(shape):
    """Yield smaller modules, those that lose most first."""
    if shape.numbers is not None:
        yield shape._replace(numbers=None)
    else:
        for spot in range(len(shape.axes) if len(shape.axes) > 1 else 0):
            yield shape._replace(
                axes=without(shape.axes, spot), reverse=without(shape.reverse, spot)
            )
    usual = (shape.form == "conv_transpose",) * len(shape.axes)
    if shape.reverse != usual:
        yield shape._replace(reverse=usual)
    for name, values in (
        ("batch", (1,)),
        ("groups", (1, 2)),
        ("inputs", (1, 2)),
        ("outputs", (1, 2)),
    ):
        for value in values:
            if value < getattr(shape, name):
                yield shape._replace(**{name: value})
    for spot, axis in enumerate(shape.axes):
        for name, least in zip(Interval._fields, PLAIN, strict=True):
            value = getattr(axis, name)
            nearer = value - 1 if value > least else value + 1
            for other in dict.fromkeys((least, nearer)):
                if value != least:
                    yield shape._replace(
                        axes=replaced(shape.axes, spot, axis._replace(**{name: other}))
                    )


def without(values, spot):
    return (*values[:spot], *values[spot + 1 :])


def replaced(values, spot, value):
    return (*values[:spot], value, *values[spot + 1 :])
