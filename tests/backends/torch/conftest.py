"""Calls on tensors that compiled kernels compute, whatever they would cost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mtconv.planning.plan import plan_for, plan_for_spec


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Let compiled kernels have every call that they can; lists those that they compute."""
    pytest.importorskip("torch")
    pytest.importorskip("numba")
    from mtconv.backends._torch import gradients

    calls: list[str] = []
    compute = gradients.run_shared

    def noted(plan, *tensors):
        calls.append(plan.form)
        return compute(plan, *tensors)

    monkeypatch.setattr(gradients, "run_shared", noted)
    monkeypatch.setattr("mtconv.backends.dispatch.neutral_backend", lambda _: "numba")
    for estimate in ("native_seconds", "product_seconds"):
        monkeypatch.setattr(f"mtconv.planning.ladders.tensors.{estimate}", lambda *_: 1e3)
    for plans in (plan_for, plan_for_spec):
        plans.cache_clear()
    yield calls
    for plans in (plan_for, plan_for_spec):
        plans.cache_clear()
