"""Every small relation on one axis, against plain loops over its definition.

``o = stride*i + dilation*j - lo`` for all sizes n and kernels k up to 5, strides up to 4,
dilations up to 3, lo from -2 to beyond the kernel and N from 1 to beyond the natural size:
more relations than options can ask for, each for all three maps. Values are such that
every product is told apart from every other, so equality compares the taps themselves.
"""

from itertools import product

import numpy as np
import pytest

from mtconv.backends.dispatch import load, missing_packages
from mtconv.geometry import Axis
from mtconv.planning.choose import DECLARED, INEXACT
from mtconv.planning.plan import make_plan
from mtconv.problem.build import Problem
from mtconv.problem.layout import Arrangement
from mtconv.spec import ConvSpec

BARE = Arrangement(batch=False, channels=False, order=None, inverse=None)
KERNELS = range(1, 6)

# How many relations there are for each n, with kernels of 1 to 5: 40050 in all.
RELATIONS = {
    1: (270, 554, 950, 1458, 2078),
    2: (420, 764, 1220, 1788, 2468),
    3: (570, 974, 1490, 2118, 2858),
    4: (720, 1184, 1760, 2448, 3248),
    5: (870, 1394, 2030, 2778, 3638),
}


def relations(n, kernels=KERNELS):
    """All axes of the enumeration with small size n."""
    for k, stride, dilation in product(kernels, range(1, 5), range(1, 4)):
        extent = dilation * (k - 1) + 1
        natural = stride * (n - 1) + extent
        for lo in range(-2, extent + 2):
            for big in range(1, natural + stride + 2):
                yield Axis(n, big, k, stride, dilation, lo)


def by_loops(axis, x, w, y):
    """The three derivatives of the trilinear form, term by term."""
    dx, dw, dy = [0] * len(x), [0] * len(w), [0] * len(y)
    for i in range(axis.small):
        for j in range(axis.kernel):
            o = axis.stride * i + axis.dilation * j - axis.lo
            if 0 <= o < axis.big:
                dx[i] += w[j] * y[o]
                dw[j] += x[i] * y[o]
                dy[o] += x[i] * w[j]
    return {"conv": dx, "kernel_grad": dw, "conv_transpose": dy}


def stands_in(plan, algorithm):
    """Whether another algorithm takes the place of one without dilation.

    It then runs the plan that it has by its own name, so once is enough.
    """
    dilated = plan.spec.axes[0].dilation > 1
    assert plan.algorithm == (
        "polyphase" if algorithm == "subpixel" and dilated else algorithm
    )
    return plan.algorithm != algorithm


@pytest.fixture(scope="module")
def values():
    """Numbers of 20 bits: sums of their products are exact, and none equals another."""
    numbers = np.random.default_rng(7).integers(1, 2**20, 60)
    assert len(set(numbers.tolist())) == 60
    return numbers[:5].tolist(), numbers[5:10].tolist(), numbers[10:].tolist()


@pytest.mark.parametrize("k", KERNELS)
@pytest.mark.parametrize("n", RELATIONS)
@pytest.mark.parametrize("backend", ["numpy", "sparse"])
def test_every_small_relation(backend, n, k, values, record_property):
    absent = missing_packages(backend)
    if absent:
        pytest.skip(f"needs {', '.join(absent)}")
    # All algorithms of a relation in turn share what is worked out for it.
    algorithms, run = DECLARED[backend].algorithms, load(backend).run
    cases = repeated = 0
    for axis in relations(n, [k]):
        x, w, y = values[0][:n], values[1][:k], values[2][: axis.big]
        arrays = {
            name: np.array(v, float) for name, v in zip("xwy", (x, w, y), strict=True)
        }
        problem = Problem(ConvSpec((axis,)), BARE, BARE)
        for form, expected in by_loops(axis, x, w, y).items():
            first = arrays["y" if form == "conv" else "x"]
            second = arrays["y" if form == "kernel_grad" else "w"]
            allowed = 1e-14 * np.linalg.norm(first) * np.linalg.norm(second)
            for algorithm in algorithms:
                plan = make_plan(form, problem, first.shape, "float64", algorithm, backend)
                cases += 1
                if stands_in(plan, algorithm):
                    repeated += 1
                    continue
                got = run(plan, first, second, None, None)
                if algorithm in INEXACT:
                    assert np.abs(got - expected).max() <= allowed, (form, axis, algorithm)
                else:
                    assert got.tolist() == expected, (form, axis, algorithm)
    assert cases == 3 * len(algorithms) * RELATIONS[n][k - 1]
    record_property("cases", cases - repeated)
