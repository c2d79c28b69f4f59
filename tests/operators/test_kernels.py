"""The kernel of an operator cannot be written to, whatever way the operator came about."""

import copy
import pickle
import random

import numpy as np
import pytest

import mtconv

OPTIONS = {"input_size": (5, 6), "stride": (2, 1), "padding": ((1, 0), (0, 2))}
DTYPES = ("i2", "f4", "f8", ">f8", "c8", "c16")


def kernel_of(dtype, seed):
    rng = np.random.default_rng(seed)
    kernel = rng.integers(-4, 5, (2, 3, 2, 3)).astype(dtype)
    return (
        kernel + 1j * rng.integers(-4, 5, kernel.shape)
        if kernel.dtype.kind == "c"
        else kernel
    )


def with_buffers(operator):
    """Pickle with the kernel in a buffer of the reader's own, which stays writable."""
    buffers = []
    data = pickle.dumps(operator, protocol=5, buffer_callback=buffers.append)
    own = [bytearray(buffer.raw()) for buffer in buffers]
    new = pickle.loads(data, buffers=own)
    for buffer in own:
        buffer[:] = bytes(len(buffer))
    return new


# Each leads to an equal operator, or to one that twice the step leads back from.
ROUTES = {
    "T": lambda a: a.T,
    "H": lambda a: a.H,
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda a: pickle.loads(pickle.dumps(a)),
    "pickle 2": lambda a: pickle.loads(pickle.dumps(a, protocol=2)),
    "buffers": with_buffers,
    "deepcopy in a list": lambda a: copy.deepcopy([a, a])[1],
    "use": lambda a: (a(np.ones(a.input_shape)), a)[1],
}


def refuses_to_be_written(operator):
    kernel = operator.kernel
    with pytest.raises(ValueError, match="read-only"):
        kernel[...] = 0
    with pytest.raises(ValueError, match="WRITEABLE"):
        kernel.flags.writeable = True
    return not kernel.flags.writeable


def matrix(kernel):
    """The matrix by plain loops over the relation o = stride*i + j - lo."""
    big = OPTIONS["input_size"]
    small = tuple(
        (n + lo + hi - k) // s + 1
        for n, (lo, hi), k, s in zip(
            big, OPTIONS["padding"], kernel.shape[2:], OPTIONS["stride"], strict=True
        )
    )
    rows = np.zeros((2, *small, 3, *big), kernel.dtype.newbyteorder("="))
    for s, b, jh, jw in np.ndindex(kernel.shape):
        for ih, iw in np.ndindex(small):
            oh, ow = 2 * ih + jh - 1, iw + jw
            if 0 <= oh < big[0] and 0 <= ow < big[1]:
                rows[s, ih, iw, b, oh, ow] += kernel[s, b, jh, jw]
    return rows.reshape(2 * small[0] * small[1], 3 * big[0] * big[1])


@pytest.mark.parametrize("seed", range(40))
def test_no_route_leads_to_a_writable_kernel(seed):
    draw = random.Random(seed)
    kernel = kernel_of(draw.choice(DTYPES), seed)
    expected = matrix(kernel)
    operator = mtconv.Conv(kernel, **OPTIONS)
    kernel[...] = 0  # the user's own array stays writable, and is not looked at again
    for name in draw.choices(list(ROUTES), k=draw.randint(1, 6)):
        operator = ROUTES[name](operator)
        if name == "T":
            expected = expected.T
        if name == "H":
            expected = expected.conj().T
        assert refuses_to_be_written(operator), name
        x = np.arange(1, operator.shape[1] + 1) % 7
        for _ in range(2):  # the second call has the kernel prepared
            assert (operator(x) == expected @ x).all(), name
        assert (operator.to_dense() == expected).all(), name


def test_a_kernel_that_comes_back_through_a_pytree_is_a_copy():
    jax = pytest.importorskip("jax")
    kernel = kernel_of("i4", 0)
    operator = mtconv.Conv(kernel, **OPTIONS)
    _, shape = jax.tree.flatten(operator)
    own = kernel_of("i4", 1)
    expected = matrix(own)
    new = jax.tree.unflatten(shape, [own])
    own[...] = 0
    x = np.arange(90) % 7
    assert (new(x) == expected @ x).all()
    doubled = jax.tree.map(lambda leaf: 2 * leaf, new)
    assert (doubled(x) == 2 * expected @ x).all()
    assert refuses_to_be_written(new)
    assert refuses_to_be_written(doubled)
    assert refuses_to_be_written(doubled.T.T)


@pytest.mark.parametrize("cls", [mtconv.Conv, mtconv.ConvTranspose])
@pytest.mark.parametrize("backend", ["numpy", "sparse"])
def test_an_array_that_was_handed_over_stays_its_owners(cls, backend):
    if backend == "sparse":
        pytest.importorskip("scipy")
    own = np.array([[[1, 2, 4]]])
    view = own[:, :, ::-1]
    view.flags.writeable = False  # a read-only view of what can still be written to
    operator = cls(view, input_size=3, padding=1, backend=backend)
    assert operator(np.array([[1, 0, 0]])).tolist() == (
        [[2, 4, 0]] if cls is mtconv.Conv else [[2, 1, 0]]
    )
    own[...] = 7
    assert own.flags.writeable
    assert operator(np.array([[1, 0, 0]])).tolist() == (
        [[2, 4, 0]] if cls is mtconv.Conv else [[2, 1, 0]]
    )


@pytest.mark.parametrize("name", ["kernel", "spec", "computing"])
def test_the_parts_of_an_operator_cannot_be_replaced(name):
    operator = mtconv.Conv([1, 10], input_size=3)
    for changed, kind in ((operator, "Conv"), (operator.T, "ConvTranspose")):
        text = (
            f"{kind}: `{name}` cannot be set, since operators never change. "
            f"Make another {kind}."
        )
        with pytest.raises(AttributeError) as caught:
            setattr(changed, name, getattr(changed, name))
        assert str(caught.value) == text
    operator.label = "blur"  # what the library does not know is the user's
    assert operator.label == "blur"
    assert operator([1, 2, 3]).tolist() == [21, 32]
