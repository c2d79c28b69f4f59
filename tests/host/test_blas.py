"""The limit of BLAS: set by the first call, lifted by the last, whatever ends a call."""

from __future__ import annotations

import sys
import threading

import pytest

from mtconv.backends.host.blas import BlasGuard


class Blas:
    """A library whose number of threads can be set, and that notes what was set."""

    def __init__(self, number):
        self.num_threads = number
        self.settings = []

    def set_num_threads(self, number):
        self.num_threads = number
        self.settings.append(number)


def guard_of(*libraries):
    guard = BlasGuard()
    guard._libraries = list(libraries)
    return guard


def test_the_first_caller_limits_blas_and_the_last_one_restores_it():
    blas = Blas(6)
    guard = guard_of(blas)

    def inner():
        return blas.settings.copy()

    def outer():
        before, inside = blas.settings.copy(), guard.on_one_thread(inner)
        return before, inside, blas.settings.copy()

    assert guard.on_one_thread(outer) == ([1], [1], [1])
    assert blas.settings == [1, 6]


def test_arguments_results_and_errors_pass_through():
    blas = Blas(6)
    guard = guard_of(blas)
    assert guard.on_one_thread(divmod, 17, 5) == (3, 2)
    with pytest.raises(ZeroDivisionError):
        guard.on_one_thread(divmod, 17, 0)
    assert blas.settings == [1, 6, 1, 6]


def test_a_forked_child_restores_the_limit_of_a_call_that_it_does_not_have():
    blas = Blas(6)
    guard = guard_of(blas)

    def in_the_child():
        guard.reset()
        guard.on_one_thread(lambda: None)
        return blas.num_threads

    assert guard.on_one_thread(in_the_child) == 6


def test_a_call_that_interrupts_a_change_of_the_limit_does_without_it():
    inside = []

    class Interrupted(Blas):
        def set_num_threads(self, number):
            inside.append(guard.usable())
            super().set_num_threads(number)

    guard = guard_of(Interrupted(6))
    assert guard.on_one_thread(guard.usable)
    assert inside == [False, False]


class Interrupt:
    """Raises KeyboardInterrupt at one place where Python looks for signals.

    These are where a function of Python begins and where one of C returns.
    """

    def __init__(self, number):
        self.left = number

    def __call__(self, _, event, *__):
        if event in ("call", "c_return"):
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt


def test_an_interrupt_at_any_place_leaves_no_limit():
    """The last numbers come after the call, and interrupt nothing."""
    raised = []
    for number in range(60):
        blas = [Blas(6), Blas(4)]
        guard = guard_of(*blas)
        profiler = sys.getprofile()
        try:
            sys.setprofile(Interrupt(number))
            guard.on_one_thread(sorted, (2, 1))
        except KeyboardInterrupt:
            raised.append(number)
        finally:
            sys.setprofile(profiler)
        assert [library.num_threads for library in blas] == [6, 4], number
        assert guard.on_one_thread(lambda: blas[0].num_threads) == 1  # noqa: B023
        assert [library.num_threads for library in blas] == [6, 4], number
    assert 15 < len(raised) < 60
    assert raised == list(range(len(raised)))


def test_any_thread_limits_blas_and_any_other_lifts_the_limit():
    """Also where the main thread has set it before, and threads have ended since."""
    threadpoolctl = pytest.importorskip("threadpoolctl")
    select = threadpoolctl.ThreadpoolController().select
    (library, *_) = select(user_api="blas").lib_controllers
    with threadpoolctl.threadpool_limits(2, "blas"):
        guard = BlasGuard()
        assert guard.usable()
        entered, left, seen = threading.Event(), threading.Event(), []

        def first():
            seen.append(library.num_threads)
            entered.set()
            left.wait(60)

        def second():
            left.set()
            one.join(60)
            seen.append(library.num_threads)

        def later():
            entered.wait(60)
            guard.on_one_thread(second)

        one = threading.Thread(target=guard.on_one_thread, args=(first,))
        other = threading.Thread(target=later)
        for thread in (one, other):
            thread.start()
        other.join(60)
        assert seen == [1, 1]
        assert library.num_threads == 2
        assert guard.on_one_thread(lambda: library.num_threads) == 1
        assert library.num_threads == 2
