"""Provocations that end a call: interrupts, warnings, failing allocations, exceptions.

After each the same thread makes further calls, which have to be right.
"""

from __future__ import annotations

import threading
import warnings
from contextlib import AbstractContextManager, ExitStack
from itertools import count
from random import Random
from typing import Any

import numpy as np

import mtconv
from tests.provoked.families import FLOATS, Family, Job, draw_family
from tests.provoked.hooks import AtEvent, Provoked, allocations_fail, interrupted
from tests.provoked.tally import Tally

__all__ = ["allocations", "exceptions", "interrupts", "strict"]

# Exceptions that the code may meet at any line. The last two are caught here and there.
EXCEPTIONS = (Provoked, KeyboardInterrupt, SystemExit, RuntimeWarning)
CAUGHT = (MemoryError, RuntimeError)


def interrupts(tally: Tally, families: list[Family], random: Random, cases: int) -> None:
    """Send SIGINT at random times, now and then twice."""
    raised = 0
    for _ in range(50 * cases):
        if raised >= cases:
            return
        family = random.choice(families)
        jobs = [family.job(random) for _ in range(3)]
        turns = count()

        def work(
            family: Family = family, jobs: list[Job] = jobs, turns: Any = turns
        ) -> None:
            family.call(jobs[next(turns) % 3])

        times = random.choice((1, 1, 1, 2))
        delay, gap = random.uniform(2e-4, 6e-3), random.uniform(1e-4, 2e-3)
        with mtconv.workers(random.choice((1, 2))):
            struck = interrupted(work, delay, times, gap)
            raised += struck
            tally.case(struck=struck > 0)
            tally.follow(family)
    msg = f"only {raised} of {cases} interrupts arrived"
    raise RuntimeError(msg)


def strict(tally: Tally, families: list[Family], random: Random, cases: int) -> None:
    """Let values overflow where that is an error."""
    floating = [family for family in families if family.dtype.name in FLOATS]
    for _ in range(cases):
        family = random.choice(floating)
        job = family.job(random)
        first, second = (np.full_like(array, _huge(array)) for array in family.arrays(job))
        if random.random() < 0.3:
            first.flat[0] = random.choice((np.inf, np.nan))
        struck = False
        with mtconv.workers(random.choice((1, 2))):
            try:
                with strictness(random):
                    family.call(job, first, second)
            except (RuntimeWarning, FloatingPointError):
                struck = True
            tally.case(struck=struck)
            tally.follow(family)


def _huge(array: np.ndarray) -> Any:
    return 0.9 * np.finfo(array.dtype).max


def strictness(random: Random) -> AbstractContextManager[Any]:
    """Make errors of warnings, in one of the two ways."""
    stack = ExitStack()
    if random.random() < 0.5:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("error")
    else:
        stack.enter_context(np.errstate(all="raise"))
    return stack


def allocations(tally: Tally, families: list[Family], random: Random, cases: int) -> None:
    """Refuse the first array that a call asks for, the second, until the call survives."""
    done = 0
    while done < cases:
        family = draw_family(random) if random.random() < 0.3 else random.choice(families)
        job = family.job(random)
        elsewhere = random.random() < 0.3  # a thread that has no memory of its own yet
        workers = random.choice((1, 2))
        for number in count():
            refused = [False]
            arguments = (tally, family, job, number, workers, refused)
            if elsewhere:
                thread = threading.Thread(target=_refuse, args=arguments)
                thread.start()
                thread.join()
            else:
                _refuse(*arguments)
            done += 1
            if not refused[0]:
                break


def _refuse(
    tally: Tally, family: Family, job: Job, number: int, workers: int, refused: list[bool]
) -> None:
    with mtconv.workers(workers):
        result = None
        try:
            with allocations_fail(number) as allocations:
                result = family.call(job)
        except MemoryError:
            pass
        except Exception as error:
            tally.fail(f"refused array {number}: {error!r}", family, job)
        refused[0] = allocations.refused
        tally.case(struck=refused[0])
        if result is not None:
            tally.compare(family, job, result)
        tally.follow(family)


def exceptions(tally: Tally, families: list[Family], random: Random, cases: int) -> None:
    """Raise an exception at any line of mtconv."""
    for _ in range(cases):
        cold = random.random() < 0.3
        family = draw_family(random) if cold else random.choice(families)
        job = family.job(random)
        workers = random.choice((1, 2))
        with mtconv.workers(workers):
            number = (
                random.randrange(1, 600) if cold else random.randrange(lines(family, job))
            )
            raise_at_line(tally, family, job, number + 1, random)
            tally.follow(family)


def lines(family: Family, job: Job) -> int:
    """Count the lines of mtconv that a call runs, when it is not the first of its kind."""
    family.call(job)
    with AtEvent(0, int) as counter:
        family.call(job)
    return counter.events


def raise_at_line(
    tally: Tally, family: Family, job: Job, number: int, random: Random
) -> None:
    """Raise an exception at a line of a call; a call that survives has to be right."""
    error = random.choice((*EXCEPTIONS, *EXCEPTIONS, *CAUGHT))

    def act() -> None:
        raise error

    event = AtEvent(number, act)
    try:
        with event:
            result = family.call(job)
    except error:
        tally.case(struck=True)
    except BaseException as other:
        tally.case(struck=True)
        # A refusal to convert, for example, may take the place of the exception.
        if error not in CAUGHT:
            tally.fail(f"{error.__name__} became {other!r}", family, job)
    else:
        tally.case(struck=event.acted)
        tally.compare(family, job, result)
