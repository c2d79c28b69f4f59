"""Files with modules of StableHLO: the core set, random ones, and what is refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from mtconv.testing.case import Case
from mtconv.verify.cases import random_cases
from mtconv.verify.core import core_cases
from mtconv.verify.folders import refuse_other_files
from mtconv.verify.stablehlo_modules import FORMS, Module, Numbers

__all__ = ["export_stablehlo"]

# Data and kernels of the core set: channels first, last, and with the outputs first.
_ORDERS = (("bfs", "ios"), ("bsf", "sio"), ("bfs", "ois"))

# Half of the random modules are transposed convolutions.
_SHARES = (0.5, 0.25, 0.25)
_REFUSED_SHARE = 1 / 12


def export_stablehlo(folder: Path, cases: int | None = None, seed: int = 0) -> Path:
    """Write the core set, or random modules, and return the folder.

    Modules that have to be refused are in a folder of their own.
    """
    root = folder / "stablehlo"
    refuse_other_files(root, (f"{name}.mlir" for name, _ in _files(cases, seed)))
    (root / "refused").mkdir(parents=True, exist_ok=True)
    for name, text in _files(cases, seed):
        (root / f"{name}.mlir").write_text(text, encoding="utf-8", newline="\n")
    return root


def _files(cases: int | None, seed: int) -> Iterable[tuple[str, str]]:
    return _core() if cases is None else islice(_random(seed), cases)


def _core() -> Iterator[tuple[str, str]]:
    """Yield names and texts: each map of each core case, and what is refused."""
    for number, core in enumerate(core_cases()):
        numbers = Numbers.of(*_ORDERS[number % len(_ORDERS)], len(core.extra))
        for form, make in list(FORMS.items())[: 1 if core.special else None]:
            module = make(core.name, core.case)
            if form == "conv_transpose" and number % 4 == 3:
                module = module.reversing([False] * len(core.extra))
            yield f"{core.name}_{form}", module.text(numbers)
    plain = next(core.case for core in core_cases() if core.name == "groups_2_stride_2")
    numbers = Numbers.of(*_ORDERS[0], 2)
    for kind in _CHANGES:
        yield f"refused/{kind}", _refused(kind, kind, plain).text(numbers)


def _random(seed: int) -> Iterator[tuple[str, str]]:
    """Yield names and texts without end, in the order of the random problems."""
    for number, case in enumerate(random_cases(seed)):
        rng = np.random.default_rng((seed, number, 1))
        form = str(rng.choice(list(FORMS), p=_SHARES))
        rank = case.spec.rank
        space = [str(axis) for axis in range(rank)]
        numbers = Numbers(
            *(tuple(rng.permutation([*two, *space]).tolist()) for two in ("bf", "io", "bf"))
        )
        if rng.random() < _REFUSED_SHARE:
            kind = str(rng.choice(list(_CHANGES)))
            name = f"random_{number:06}_{kind}"
            yield f"refused/{name}", _refused(name, kind, case).text(numbers)
            continue
        name = f"random_{number:06}"
        module = FORMS[form](name, case)
        module = module.reversing([bool(bit) for bit in rng.integers(2, size=rank)])
        yield f"{name}_{form}", module.text(numbers)


def _refused(name: str, kind: str, case: Case) -> Module:
    """Make a module that no verifier may let through."""
    return _CHANGES[kind](replace(FORMS["conv_transpose"](name, case), title=name))


def _other_groups(module: Module) -> Module:
    return replace(module, groups=module.lhs.shape[1] + 1)


def _both_groups(module: Module) -> Module:
    return replace(module, groups=2, batch_groups=2)


def _one_channel_more(module: Module) -> Module:
    lhs = np.concatenate([module.lhs, module.lhs[:, :1]], axis=1)
    return replace(module, lhs=lhs)


def _one_stride_more(module: Module) -> Module:
    window = {**module.window, "stride": [1, *module.window["stride"]]}
    return replace(module, window=window)


def _no_dilation(module: Module) -> Module:
    window = {**module.window, "lhs_dilate": [0] * len(module.window["lhs_dilate"])}
    return replace(module, window=window)


def _one_element_more(module: Module) -> Module:
    expected = np.concatenate([module.expected, module.expected[..., :1]], axis=-1)
    return replace(module, expected=expected)


# What makes a module one that has to be refused.
_CHANGES = {
    "feature_groups_do_not_divide_the_channels": _other_groups,
    "groups_of_features_and_of_the_batch": _both_groups,
    "channels_of_both_sides_differ": _one_channel_more,
    "one_stride_too_many": _one_stride_more,
    "dilation_of_zero": _no_dilation,
    "result_of_another_size": _one_element_more,
}
