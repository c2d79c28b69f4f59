"""Provocations that make a call in the middle of another one.

Both have to be right: the call that is interrupted, and the one that interrupts it.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from random import Random
from types import FrameType
from typing import Any

import numpy as np

import mtconv
from tests.provoked.breaking import lines
from tests.provoked.families import FLOATS, FORMS, HAS_SCIPY, Family, Job
from tests.provoked.hooks import (
    AtEvent,
    finalized_garbage,
    frequent_collections,
    inside_mtconv,
    repeated_alarms,
    within_call,
)
from tests.provoked.tally import Tally

__all__ = ["finalizers", "handlers", "nested", "reentry"]

SMALL_CELLS = 10_000

# Before 3.12, Python itself crashes where a finalizer sets a context variable while two
# others are being set. NumPy's `errstate` is a variable, `mtconv.workers` the second.
MAY_SET_VARIABLES = sys.version_info >= (3, 12)


def small(families: list[Family]) -> list[Family]:
    """Choose families whose calls are short enough for a signal handler."""
    return [family for family in families if family.y.size < SMALL_CELLS]


def inner_calls(
    tally: Tally, families: list[Family], random: Random, current: list[Family]
) -> Callable[[], None]:
    """Make an action that calls: another kernel of the same shapes, or another family."""
    short = small(families)

    def act() -> None:
        tally.case(struck=within_call())
        family = current[0]
        if family.y.size < SMALL_CELLS or random.random() < 0.3:
            tally.probe(family, random.choice(("conv", *FORMS)))
        tally.probe(random.choice((*short, family)), random.choice(FORMS))

    return act


def reentry(tally: Tally, families: list[Family], random: Random, cases: int) -> None:
    """Make a call at any line, or any instruction, of another call."""
    current = [families[0]]
    act = inner_calls(tally, families, random, current)
    while tally.cases[tally.kind] < cases:
        family = current[0] = random.choice(families)
        job = family.job(random)
        with mtconv.workers(random.choice((1, 2))):
            number = random.randrange(lines(family, job)) + 1
            finely = random.random() < 0.3
            with AtEvent(number * (4 if finely else 1), act, finely=finely):
                tally.check(family, job)


def handlers(tally: Tally, families: list[Family], random: Random, cases: int) -> None:
    """Make calls from a signal handler, a few milliseconds apart."""
    current = [families[0]]
    act = inner_calls(tally, families, random, current)
    while tally.cases[tally.kind] < cases:
        family = current[0] = random.choice(families)
        with (
            mtconv.workers(random.choice((1, 2))),
            repeated_alarms(act, random.uniform(5e-4, 3e-3)),
        ):
            for _ in range(8):
                tally.check(family, family.job(random))


def finalizers(tally: Tally, families: list[Family], random: Random, cases: int) -> None:
    """Make calls from finalizers and weak references, run by the collector of garbage."""
    current = [families[0]]
    act = inner_calls(tally, families, random, current)
    while tally.cases[tally.kind] < cases:
        family = current[0] = random.choice(families)
        with ExitStack() as stack:
            if MAY_SET_VARIABLES:
                stack.enter_context(mtconv.workers(random.choice((1, 2))))
            stack.enter_context(frequent_collections(random.randrange(4, 120)))
            for turn in range(8):
                finalized_garbage(act, weakly=turn % 2 == 1)
                tally.check(family, family.job(random))


def nested(tally: Tally, families: list[Family], random: Random, cases: int) -> None:
    """Make calls from arguments, callbacks, generators and operators of other libraries."""
    current = [families[0]]
    act = inner_calls(tally, families, random, current)
    ways = [by_index, by_array, by_callback, by_warning, by_profile, by_generators]
    if HAS_SCIPY:
        ways.append(by_linear_operator)
    while tally.cases[tally.kind] < cases:
        family = current[0] = random.choice(families)
        with mtconv.workers(random.choice((1, 2))):
            way = random.choice(ways)
            try:
                way(tally, family, random, act)
            except Exception as error:
                tally.fail(f"{way.__name__}: {error!r}", family, family.job(random))
            tally.follow(family)


Act = Callable[[], None]


class Calling:
    """An integer, or an array, that makes a call whenever its value is asked for."""

    def __init__(self, value: Any, act: Act) -> None:
        self.value, self.act = value, act

    def __index__(self) -> int:
        self.act()
        return int(self.value)

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        self.act()
        return np.array(self.value, dtype, copy=copy)


def by_index(tally: Tally, family: Family, random: Random, act: Act) -> None:
    """Give options whose ``__index__`` calls."""
    job = family.job(random)
    stride = tuple(Calling(step, act) for step in family.options["stride"])
    groups = Calling(family.groups, act)
    tally.compare(family, job, family.call(job, stride=stride, groups=groups))


def by_array(tally: Tally, family: Family, random: Random, act: Act) -> None:
    """Give sequences whose elements have an ``__array__`` that calls."""
    job = family.job(random)._replace(way="function")
    first, second = ([Calling(part, act) for part in array] for array in family.arrays(job))
    tally.compare(family, job, family.call(job, first, second))


def huge(family: Family, job: Job) -> list[np.ndarray]:
    """Return arrays whose products overflow, where the dtype can."""
    if family.dtype.name not in FLOATS:
        return list(family.arrays(job))
    top = 0.9 * np.finfo(family.dtype).max
    return [np.full_like(array, top) for array in family.arrays(job)]


def few(act: Act, random: Random) -> Act:
    """Act three times at most: numbers overflow by the thousand."""
    turns = iter([True] * 3)

    def act_rarely() -> None:
        if random.random() < 0.6 and next(turns, False):
            act()

    return act_rarely


def by_callback(tally: Tally, family: Family, random: Random, act: Act) -> None:
    """Let NumPy call back where a number overflows."""
    del tally
    job, act = family.job(random), few(act, random)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # threads of a pool have their own settings
        with np.errstate(all="call", call=lambda *_: act()):
            family.call(job, *huge(family, job))


def by_warning(tally: Tally, family: Family, random: Random, act: Act) -> None:
    """Let the hook that shows a warning call."""
    del tally
    job, act = family.job(random), few(act, random)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = lambda *_, **__: act()
        family.call(job, *huge(family, job))


def by_profile(tally: Tally, family: Family, random: Random, act: Act) -> None:
    """Call from a profiler, at any call that mtconv makes of a function written in C."""
    job = family.job(random)
    left = [random.randrange(1, 60)]

    def profile(frame: FrameType, event: str, argument: object) -> None:
        del argument
        if event in ("c_call", "c_return") and inside_mtconv(frame):
            left[0] -= 1
            if not left[0]:
                act()

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        result = family.call(job)
    finally:
        sys.setprofile(before)
    tally.compare(family, job, result)


def by_generators(tally: Tally, family: Family, random: Random, act: Act) -> None:
    """Let two generators take turns; the last call of each is made when it is closed."""

    def results(form: str) -> Iterator[None]:
        try:
            for variant in range(4):
                job = Job(form, variant, random.choice(family.algorithms))
                tally.check(family, job)
                yield
        finally:
            act()

    for _ in zip(*map(results, random.sample(FORMS, 3)), strict=False):
        act()


def by_linear_operator(tally: Tally, family: Family, random: Random, act: Act) -> None:
    """Multiply by operators of SciPy whose functions call operators."""
    from scipy.sparse.linalg import LinearOperator, aslinearoperator

    variant = random.randrange(4)
    algorithm = random.choice([name for name in family.algorithms if name != "sparse"])
    operator = mtconv.Conv(
        family.w[variant], input_size=family.size, algorithm=algorithm, **family.options
    )

    def inner(vector: np.ndarray) -> np.ndarray:
        act()
        return operator.matvec(vector)

    user = LinearOperator(operator.shape, matvec=inner, dtype=operator.dtype)
    # A tuple of products: by columns, and behind another operator that is the identity.
    columns = family.y.reshape(len(family.y), -1).T
    product = user.matmat(columns)
    single = partial(np.ones, dtype=family.dtype)
    identity = aslinearoperator(mtconv.Conv(single(1), input_size=operator.shape[1]))
    behind = (user @ identity).matmat(columns)
    job = Job("conv", variant, algorithm)
    for result in (product, behind):
        shaped = result.T.reshape(family.expected["conv", variant].shape)
        tally.compare(family, job, shaped.astype(family.dtype))
