"""The conformance set: problems with their exact results, in plain JSON.

For implementers in any language. The values are integers, so that the comparison is by
equality in every dtype that holds them. See the page on verification for the format.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.errors import GeometryError, message, shown
from mtconv.problem.options import check_word
from mtconv.testing.case import Case
from mtconv.testing.reference import (
    reference_conv,
    reference_conv_transpose,
    reference_kernel_grad,
)
from mtconv.verify.cases import random_cases
from mtconv.verify.core import core_cases
from mtconv.verify.onnx_files import export_onnx
from mtconv.verify.stablehlo_files import export_stablehlo

__all__ = ["FORMATS", "VERSION", "Expected", "export_conformance", "read_conformance"]

VERSION = 1
FORMATS = ("json", "onnx", "stablehlo")
_MOST_CASES = 100_000
_FORMAT = "mtconv-conformance"
_RELATION = (
    "conv_transpose: y[n,c,o] = sum x[n,s,i] * kernel[s,c,j] over o = stride*i + "
    "dilation*j - lo with 0 <= o < big; conv and kernel_grad are its derivatives by x and "
    "by kernel. Channels first; groups divide the channels; arrays in C order."
)


@dataclass(frozen=True)
class Expected:
    """A problem of the set and the exact results of its three maps.

    Parameters
    ----------
    case : Case
        Arrays and options.
    conv_transpose, conv, kernel_grad : numpy.ndarray
        The results.
    """

    case: Case
    conv_transpose: NDArray[Any]
    conv: NDArray[Any]
    kernel_grad: NDArray[Any]


def export_conformance(
    folder: str | Path,
    cases: int | None = None,
    format: str = "json",  # noqa: A002
    seed: int = 0,
) -> Path:
    """Write a conformance set into a folder.

    Parameters
    ----------
    folder : str or Path
        Made if it is not there. Its folder "onnx" or "stablehlo" may not have other files
        than those that are written.
    cases : int, optional
        Number of random problems, at most 100000. Left out, the core set is written: 76
        problems that every classic defect gets wrong.
    format : str
        "json" for one file with plain numbers; "onnx" for node tests, which needs the
        package onnx; "stablehlo" for modules with the expected result.
    seed : int
        Of the random problems: the same seed gives the same files.

    Returns
    -------
    Path
        The file, named after the version of the format, or the folder of the format.

    Raises
    ------
    GeometryError
        If the format is not known, a number cannot be one, or files are in the way.
    ImportError
        If a package is missing.
    OSError
        If the folder cannot be written to.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = export_conformance(folder, cases=3)
    ...     print(path.name, len(list(read_conformance(path))))
    conformance-v1.json 3
    """
    check_word("verify", "format", format, FORMATS)
    rule = f"must be an integer from 1 to {_MOST_CASES}"
    _check_whole("cases", cases, 1, rule, _MOST_CASES)
    _check_whole("seed", seed, 0, "must be an integer, and not negative")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if format == "onnx":
        return export_onnx(folder, cases, seed)
    if format == "stablehlo":
        return export_stablehlo(folder, cases, seed)
    path = folder / f"conformance-v{VERSION}.json"
    if cases is None:
        entries = [{"name": c.name, **_entry(solve(c.case))} for c in core_cases()]
    else:
        entries = [_entry(solve(case)) for case in islice(random_cases(seed), cases)]
    whole = {
        "format": _FORMAT,
        "version": VERSION,
        "relation": _RELATION,
        "cases": entries,
    }
    path.write_text(json.dumps(whole, indent=None, separators=(",", ":")) + "\n")
    return path


def _check_whole(
    name: str, number: int | None, least: int, rule: str, most: float = inf
) -> None:
    if number is not None and not (type(number) is int and least <= number <= most):
        raise GeometryError(message("verify", name, rule, shown(number)))


def read_conformance(path: str | Path) -> Iterator[Expected]:
    """Read a conformance set, from mtconv or from elsewhere in the same format.

    Parameters
    ----------
    path : str or Path
        The JSON file.

    Returns
    -------
    iterator of Expected
        The problems with their results, read one by one.

    Raises
    ------
    ValueError
        If the file is of another format or of a version that this one cannot read.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     first, *_ = read_conformance(export_conformance(folder, cases=2))
    >>> small, big = first.conv * first.case.x, first.conv_transpose * first.case.y
    >>> bool(small.sum() == big.sum())  # the results are those of an adjoint pair
    True
    """
    whole = json.loads(Path(path).read_text())
    stated = (whole.get("format"), whole.get("version"))
    if stated != (_FORMAT, VERSION):
        msg = f"{path}: not a {_FORMAT} file of version {VERSION}, but {stated}"
        raise ValueError(msg)
    for entry in whole["cases"]:
        arrays = {name: _array(entry[name]) for name in ("x", "kernel", "y")}
        axes = entry["axes"]
        options = {
            "stride": tuple(axis["stride"] for axis in axes),
            "dilation": tuple(axis["dilation"] for axis in axes),
            "padding": tuple((axis["lo"], axis["hi"]) for axis in axes),
            "output_size": tuple(axis["big"] for axis in axes),
            "groups": entry["groups"],
        }
        results = (
            _array(entry[form]) for form in ("conv_transpose", "conv", "kernel_grad")
        )
        yield Expected(Case(**arrays, bias=None, options=options), *results)


def solve(case: Case) -> Expected:
    """Work out the results of a case by plain loops."""
    return Expected(
        case,
        reference_conv_transpose(case.x, case.kernel, **case.options),
        reference_conv(case.y, case.kernel, **case.conv_options),
        reference_kernel_grad(case.x, case.y, **case.grad_options),
    )


def _entry(expected: Expected) -> dict[str, Any]:
    case = expected.case
    axes = [
        {
            "small": axis.small,
            "big": axis.big,
            "kernel": axis.kernel,
            "stride": axis.stride,
            "dilation": axis.dilation,
            "lo": lo,
            "hi": hi,  # of the convolution's padding; the relation needs lo alone
        }
        for axis, (lo, hi) in zip(case.spec.axes, case.options["padding"], strict=True)
    ]
    arrays = {
        "x": case.x,
        "kernel": case.kernel,
        "y": case.y,
        "conv_transpose": expected.conv_transpose,
        "conv": expected.conv,
        "kernel_grad": expected.kernel_grad,
    }
    return {
        "axes": axes,
        "groups": case.options["groups"],
        **{
            name: {"shape": array.shape, "data": array.astype(int).ravel().tolist()}
            for name, array in arrays.items()
        },
    }


def _array(entry: dict[str, Any]) -> NDArray[np.float64]:
    return np.array(entry["data"], np.float64).reshape(entry["shape"])
