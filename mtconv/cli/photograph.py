"""`mtconv demo`: a photograph enlarged on every backend, and proof that they agree.

Pixels and kernels are integers that float32 holds exactly, so that backends have nothing
to differ by: a difference or an adjoint error other than 0 would be a fault. Algorithms
that are not exact on whole numbers are left out for that.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtconv.backends.dispatch import BACKENDS, missing_packages
from mtconv.explaining.explain import explain
from mtconv.explaining.formatting import seconds_text
from mtconv.functional import conv, conv_transpose
from mtconv.kernels import bilinear

__all__ = [
    "Job",
    "Measured",
    "bilinear_kernel",
    "demo",
    "jobs",
    "load_photograph",
    "measure",
    "picture",
]

Floats = NDArray[np.float32]

# Rows and columns of the photograph: head and cap, small enough for explicit matrices.
_CROP = np.s_[56:312, 136:392]
_DETAIL = np.s_[106:138, 150:206]  # of the crop: an eye behind glasses
_HEADERS = ("algorithm", "first call", "next calls", "difference", "adjoint error")
_FORMAT = "{:<18}  {:<9}  {:<10}  {:>10}  {:>10}  {:>10}  {:>13}"
_NOTES = """
difference     the largest from NumPy's result
adjoint error  |<conv(y), x> - <y, conv_transpose(x)>| / |<y, conv_transpose(x)>|
first call     with imports and compilation; next calls: the best of three"""


class Job(NamedTuple):
    """One transposed convolution of the demonstration."""

    name: str
    x: Floats
    kernel: Floats
    options: dict[str, Any]


class Measured(NamedTuple):
    """What one backend did with a job."""

    result: Floats
    first: float  # seconds of the first call, compilation included
    again: float  # seconds of the best of three more calls
    adjoint_error: float


def demo(output: str | Path) -> Path:
    """Run every job on every backend installed, print a table, write a picture.

    Parameters
    ----------
    output : str or Path
        File that the picture goes to.

    Returns
    -------
    Path
        Absolute path of the picture.

    Raises
    ------
    ImportError
        If matplotlib, which has the photograph, is not installed.
    FileNotFoundError
        If the folder of the picture does not exist.
    """
    path = Path(output).resolve()
    if not path.parent.is_dir():
        msg = f"there is no folder {path.parent} for the picture"
        raise FileNotFoundError(msg)
    photograph = load_photograph()
    backends = [name for name in BACKENDS if not missing_packages(name)]
    rows, columns = photograph.shape[1:]
    print(
        f"A photograph of {rows} x {columns} pixels, enlarged on {', '.join(backends)}.\n"
    )
    results = _table(jobs(photograph), backends)
    print(_NOTES)
    missing = [name for name in BACKENDS if name not in backends]
    if missing:
        print("\nNot installed, so not shown; install them with:")
        for name in missing:
            print(f"  {name:<9}  python -m {BACKENDS[name].install}")
    print("\nDrawing the picture ...", end="", flush=True)
    picture(photograph, results).savefig(path, dpi=150)
    print(" done.")
    print(f"\nThe picture: {path}")
    return path


def _table(work: list[Job], backends: list[str]) -> list[Floats]:
    """Print a row for each job and backend as it is done; return NumPy's results."""
    print(_FORMAT.format("what", "backend", *_HEADERS))
    results = []
    for job in work:
        for backend in backends:
            print(f"{job.name:<18}  {backend:<9}", end="", flush=True)
            measured = measure(job, backend)
            if backend == backends[0]:
                results.append(measured.result)
            shapes = (job.x.shape, job.kernel.shape)
            plan = explain(*shapes, backend=backend, algorithm="exact", **job.options).plan
            line = (
                plan.algorithm,
                seconds_text(measured.first),
                seconds_text(measured.again),
                f"{np.abs(measured.result - results[-1]).max():g}",
                f"{measured.adjoint_error:g}",
            )
            print(_FORMAT.format("", "", *line)[29:], flush=True)
    return results


def load_photograph() -> Floats:
    """Load matplotlib's sample photograph: (channels, rows, columns), whole numbers."""
    if importlib.util.find_spec("matplotlib") is None:
        msg = (
            "mtconv demo needs matplotlib, which has the photograph. "
            "Install it with: python -m pip install 'mtconv[demo]'"
        )
        raise ImportError(msg)
    cbook = importlib.import_module("matplotlib.cbook")
    image = importlib.import_module("matplotlib.image")
    with cbook.get_sample_data("grace_hopper.jpg") as file:
        pixels = image.imread(file, format="jpg")
    return np.ascontiguousarray(pixels[_CROP].transpose(2, 0, 1), np.float32)


def jobs(photograph: Floats) -> list[Job]:
    """List the work: the photograph 2x and 4x, and one layer of many channels on it."""
    work = []
    for scale in (2, 4):
        kernel = bilinear_kernel(scale, len(photograph))
        options = {"stride": scale, "padding": scale // 2, "groups": len(photograph)}
        work.append(Job(f"photograph {scale}x", photograph, kernel, options))
    rng = np.random.default_rng(0)
    features = rng.integers(-1, 2, (32, len(photograph), 8, 8)).astype(np.float32)
    mixing = rng.integers(-1, 2, (32, 32, 1, 1)).astype(np.float32)
    kernel = mixing * bilinear_kernel(2, 1)
    layer = conv(photograph, features, stride=8)
    work.append(Job("layer, 32 channels", layer, kernel, {"stride": 2, "padding": 1}))
    return work


def bilinear_kernel(scale: int, channels: int) -> Floats:
    """Make the kernel of a fully convolutional network that enlarges each channel.

    Parameters
    ----------
    scale : int
        Factor of enlargement: the stride that the kernel is meant for.
    channels : int
        Number of channels, each a group of its own.

    Returns
    -------
    array of float32, shape (channels, 1, k, k)
        ``k = 2*scale - scale % 2`` taps along each axis, a triangle across them.

    Examples
    --------
    >>> bilinear_kernel(2, 1)[0, 0, 0] * 16
    array([1., 3., 3., 1.], dtype=float32)
    """
    return bilinear(scale, channels=channels, dtype="float32")


def measure(job: Job, backend: str) -> Measured:
    """Run a job on a backend: result, times and how exact the adjoint is."""
    there = _compiled(conv_transpose, job, backend)
    start = perf_counter()
    result = np.asarray(there(job.x))
    first = perf_counter() - start
    again = []
    for _ in range(3):
        start = perf_counter()
        np.asarray(there(job.x))
        again.append(perf_counter() - start)
    y = np.random.default_rng(1).integers(-4, 5, result.shape).astype(np.float32)
    back = np.asarray(_compiled(conv, job, backend)(y))
    # Whole numbers, times a power of two: float64 sums them without an error.
    left = float(np.vdot(back.astype(np.float64), job.x.astype(np.float64)))
    right = float(np.vdot(y.astype(np.float64), result.astype(np.float64)))
    return Measured(result, first, min(again), abs(left - right) / abs(right))


def _compiled(
    function: Callable[..., Any], job: Job, backend: str
) -> Callable[[Floats], Any]:
    """Bind kernel and options to a map; on JAX it is jitted, as a user would do."""

    def bound(array: Any) -> Any:
        options = {"backend": backend, "algorithm": "exact", **job.options}
        return function(array, job.kernel, **options)

    return importlib.import_module("jax").jit(bound) if backend == "jax" else bound


def picture(photograph: Floats, results: list[Floats]) -> Any:
    """Draw photograph and enlargements at true scale, a detail of each, and the layer."""
    figures = importlib.import_module("matplotlib.figure")
    figure = figures.Figure((12, 9.4), layout="constrained")
    above, below = figure.add_gridspec(2, 1, height_ratios=(3.9, 1))
    *enlarged, layer = results
    images = [photograph, *enlarged]
    scales = [image.shape[1] // photograph.shape[1] for image in images]
    # As wide as the image is, so that a pixel has the same size in all of them.
    wholes = above.subgridspec(1, len(images), width_ratios=scales)
    details = below.subgridspec(1, len(images) + 1)
    for column, (image, scale) in enumerate(zip(images, scales, strict=True)):
        rows, columns = (slice(scale * s.start, scale * s.stop) for s in _DETAIL)
        name = f"enlarged {scale} times" if column else "input"
        whole = figure.add_subplot(wholes[column])
        title = f"{name}:\n{image.shape[1]} x {image.shape[2]} pixels"
        _show(whole, _pixels(image), title)
        _frame(whole, rows, columns)
        detail = figure.add_subplot(details[column])
        _show(detail, _pixels(image[:, rows, columns]), f"the eye,\n{name}")
    mosaic = figure.add_subplot(details[-1])
    size = f"{len(layer)} channels of {layer.shape[1]} x {layer.shape[2]}"
    _show(mosaic, _mosaic(layer, columns=8), f"a layer's result:\n{size}", cmap="gray")
    return figure


def _show(axes: Any, pixels: Any, title: str, **colours: Any) -> None:
    """Show an image without axes, its title above it."""
    axes.imshow(pixels, interpolation="nearest", **colours)
    axes.set_title(title, fontsize=11, loc="left")
    axes.set_axis_off()
    axes.set_anchor("NW")


def _frame(axes: Any, rows: slice, columns: slice) -> None:
    """Outline the detail."""
    patches = importlib.import_module("matplotlib.patches")
    corner = (columns.start - 0.5, rows.start - 0.5)
    size = (columns.stop - columns.start, rows.stop - rows.start)
    axes.add_patch(patches.Rectangle(corner, *size, fill=False, color="white"))


def _pixels(image: Floats) -> NDArray[np.uint8]:
    """Turn (channels, rows, columns) into what an image viewer takes."""
    return image.round().clip(0, 255).astype(np.uint8).transpose(1, 2, 0)


def _mosaic(channels: Floats, columns: int) -> Floats:
    """Lay channels out in a grid, each from black to white, white lines between."""
    least, most = (f(channels, axis=(1, 2), keepdims=True) for f in (np.min, np.max))
    tiles = (channels - least) / (most - least)
    tiles = np.pad(tiles, ((0, 0), (2, 2), (2, 2)), constant_values=1)
    rows, height, width = len(tiles) // columns, *tiles.shape[1:]
    grid = tiles.reshape(rows, columns, height, width).swapaxes(1, 2)
    return grid.reshape(rows * height, columns * width)
