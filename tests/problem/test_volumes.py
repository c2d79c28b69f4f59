"""Bare volumes: errors that they meet name the layouts that read them; so do the pages."""

import itertools

import numpy as np
import pytest

import mtconv
from mtconv import GeometryError

ADVICE = (
    ' Three axes include channels here; layout="DHW", kernel_layout="DHW" reads a bare '
    "volume."
)
STACK = (
    ' A kernel of three axes has channels here; layout="NDHW", kernel_layout="DHW" reads '
    "bare volumes."
)
BARE = {"layout": "DHW", "kernel_layout": "DHW"}
PSF = np.arange(27).reshape(3, 3, 3) % 5 - 1


def volume(*shape):
    return np.arange(np.prod(shape)).reshape(shape) % 7 - 2


def length(value, of, argument="stride"):
    fix = "Write one integer, or 1 in a tuple."
    if argument == "output_size":
        fix += " Batch and channels are not part of it."
    return (
        f"{of}: `{argument}` must be one value or one per spatial axis ('W'); "
        f"got {value}, of length 3. {fix}"
    )


TRANSPOSED = (
    "conv_transpose: `x` must have as many channels as the kernel's I axis; got 9 channels "
    "in x and 3 in the kernel on axis 'C'. Kernels are (C_in, C_out/groups, *k) unless "
    "`kernel_layout` says otherwise."
)
FORWARD = (
    "conv: `x` must have as many channels as the kernel's I axis times groups; got 9 "
    "channels in x and 3 x 1 groups in the kernel on axis 'C'. Kernels are (C_out, "
    "C_in/groups, *k) unless `kernel_layout` says otherwise."
)


def own(text, function):
    """The words of a function that takes shapes."""
    _, _, rule = text.partition(": `x`")
    return f"{function}: `x_shape`{rule}"


FLAT = (
    "Conv: `{}` must have shape (3, 8), alone or behind a batch axis, or be flat with 24 "
    "elements; got shape {}."
)

CALLS = {
    "conv": (lambda: mtconv.conv(volume(9, 9, 9), PSF), FORWARD),
    "conv_transpose": (lambda: mtconv.conv_transpose(volume(9, 9, 9), PSF), TRANSPOSED),
    "three strides": (
        lambda: mtconv.conv(volume(9, 3, 9), PSF, stride=(1, 2, 1)),
        length((1, 2, 1), "conv"),
    ),
    "three paddings": (
        lambda: mtconv.conv_transpose(volume(9, 3, 9), PSF, padding=(1, 0, 1)),
        length((1, 0, 1), "conv_transpose", "padding"),
    ),
    "three pairs": (
        lambda: mtconv.conv(volume(9, 3, 9), PSF, padding=((1, 0), (0, 1), (1, 1))),
        length(((1, 0), (0, 1), (1, 1)), "conv", "padding"),
    ),
    "three dilations": (
        lambda: mtconv.conv(volume(9, 3, 9), PSF, dilation=(1, 2, 1)),
        length((1, 2, 1), "conv", "dilation"),
    ),
    "three sizes": (
        lambda: mtconv.conv_transpose(volume(9, 3, 9), PSF, output_size=(11, 5, 11)),
        length((11, 5, 11), "conv_transpose", "output_size"),
    ),
    "three output paddings": (
        lambda: mtconv.conv_transpose(
            volume(9, 3, 9), PSF, stride=2, output_padding=(1, 0, 1)
        ),
        length((1, 0, 1), "conv_transpose", "output_padding"),
    ),
    "a thin volume": (
        lambda: mtconv.conv(volume(9, 3, 2), PSF),
        "conv: `kernel` must not span more than the padded input; got a span of "
        "dilation*(k - 1) + 1 = 3 and an input of 2 + 0 + 0 = 2 on axis 'W'. Pad more or "
        "use a smaller kernel or dilation.",
    ),
    "an output size": (
        lambda: mtconv.conv_transpose(volume(9, 3, 9), PSF, output_size=9),
        "conv_transpose: `output_size` must be a size that the convolution maps to x's: "
        "11; got 9 on axis 'W'. Choose one of these sizes, or another padding.",
    ),
    "a bias": (
        lambda: mtconv.conv(volume(9, 3, 9), PSF, [1]),
        "conv: `bias` must have one value per output channel, shape (3,); got shape (1,) "
        "on axis 'C'.",
    ),
    "a gigantic stride": (
        lambda: mtconv.conv_transpose(volume(1, 3, 2), PSF, stride=10**15),
        "conv_transpose: `x` must not lead to an array of more than 2**47 = "
        "140737488355328 elements; got 3000000000000009 elements. Check stride, padding "
        "and output_size.",
    ),
    "kernel_grad": (
        lambda: mtconv.kernel_grad(volume(9, 9, 9), volume(11, 11, 11), kernel_size=3),
        "kernel_grad: `y` must be batched as x is, with as many items; got x of shape "
        "(9, 9, 9) and y of shape (11, 11, 11). Add a batch axis of length 1 where one is "
        "missing.",
    ),
    "kernel_grad of one batch": (
        lambda: mtconv.kernel_grad(volume(9, 9, 9), volume(9, 9, 9), kernel_size=3),
        "kernel_grad: `y` must have a size that the convolution maps to x's; got y of size "
        "9, which gives 7, and x of size 9 on axis 'W'. Check stride, padding, dilation "
        "and kernel_size.",
    ),
    "Conv": (
        lambda: mtconv.Conv(np.ones((3, 3, 3)), input_size=(8, 8, 8)),
        length((8, 8, 8), "Conv", "input_size"),
    ),
    "ConvTranspose": (
        lambda: mtconv.ConvTranspose(PSF, input_size=(8, 8, 8)),
        length((8, 8, 8), "ConvTranspose", "input_size"),
    ),
    "options of Conv": (
        lambda: mtconv.Conv(PSF, input_size=8, stride=(2, 1, 2)),
        length((2, 1, 2), "Conv"),
    ),
    "Conv on a volume": (
        lambda: mtconv.Conv(PSF, input_size=8)(volume(8, 8, 8)),
        FLAT.format("x", (8, 8, 8)),
    ),
    "Conv @ a volume": (
        lambda: mtconv.Conv(PSF, input_size=8) @ volume(8, 8, 8),
        FLAT.format("x", (8, 8, 8)),
    ),
    "matvec": (
        lambda: mtconv.Conv(PSF, input_size=8).matvec(volume(512)),
        FLAT.format("v", (512,)),
    ),
    "conv_shape": (
        lambda: mtconv.conv_shape((9, 9, 9), (3, 3, 3)),
        own(FORWARD, "conv_shape"),
    ),
    "conv_transpose_shape": (
        lambda: mtconv.conv_transpose_shape((9, 9, 9), (3, 3, 3)),
        own(TRANSPOSED, "conv_transpose_shape"),
    ),
    "explain": (
        lambda: mtconv.explain((9, 9, 9), (3, 3, 3)),
        own(TRANSPOSED, "explain"),
    ),
    "explain of conv": (
        lambda: mtconv.explain((9, 9, 9), PSF.shape, form="conv"),
        own(FORWARD, "explain"),
    ),
    "overlap_count": (
        lambda: mtconv.overlap_count((9, 9, 9), (3, 3, 3)),
        own(TRANSPOSED, "overlap_count"),
    ),
    "from_shapes": (
        lambda: mtconv.ConvSpec.from_shapes((9, 9, 9), (3, 3, 3)),
        own(TRANSPOSED, "ConvSpec.from_shapes"),
    ),
    "a spec": (
        lambda: mtconv.ConvSpec.from_shapes((1, 3, 9), (3, 3, 3)).conv(
            volume(9, 9, 9), PSF
        ),
        "conv: `x` must have the spec's sizes (3, 11); got shape (9, 9, 9).",
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_errors_that_a_bare_volume_meets_name_the_layouts(name):
    call, text = CALLS[name]
    for _ in range(2):
        with pytest.raises(GeometryError) as caught:
            call()
        assert str(caught.value) == text + ADVICE


@pytest.mark.parametrize("function", [mtconv.conv, mtconv.conv_transpose])
def test_a_batch_of_bare_volumes_is_told_its_own_layout(function):
    with pytest.raises(GeometryError) as caught:
        function(volume(2, 9, 9, 9), PSF)
    assert str(caught.value) == (
        f"{function.__name__}: `x` must have 3 dimensions (N, C, *space) or 2 (C, *space); "
        "got 4 dimensions. The kernel has channels; a bare signal or image takes a kernel "
        "of its rank." + STACK
    )


# Calls that are no volumes, or that have said so.
OTHERS = {
    "a signal": lambda: mtconv.conv(np.ones(3), np.ones(4)),
    "one item": lambda: mtconv.conv(np.ones((2, 9)), np.ones((3, 3, 3))),
    "images": lambda: mtconv.conv(np.ones((1, 2, 9, 9)), np.ones((3, 3, 3, 3))),
    "a layout": lambda: mtconv.conv(np.ones((9, 2, 9)), PSF, layout="NCW"),
    "a kernel layout": lambda: mtconv.conv(np.ones((9, 2, 9)), PSF, kernel_layout="OIW"),
    "a thin volume": lambda: mtconv.conv(np.ones((9, 9, 2)), PSF, **BARE),
    "a bare kernel_grad": lambda: mtconv.kernel_grad(
        np.ones((9, 9, 9)), np.ones((11, 11, 12)), kernel_size=(3, 3, 3)
    ),
    "an operator of volumes": lambda: mtconv.Conv(PSF, input_size=(8, 8), **BARE),
    "another framework's call": lambda: _torch_call(np.ones((9, 9, 9)), PSF),
}


def _torch_call(x, kernel):
    from mtconv.compat import torch

    return torch.conv_transpose1d(x, kernel)


@pytest.mark.parametrize("name", OTHERS)
def test_other_errors_do_not_speak_of_volumes(name):
    with pytest.raises(GeometryError) as caught:
        OTHERS[name]()
    assert "volume" not in str(caught.value)


def test_three_axes_without_a_layout_are_channels_and_with_one_a_volume():
    x = volume(4, 3, 5)
    whole = mtconv.conv(x, PSF)
    assert whole.shape == (4, 3, 3)
    for n, s, i in np.ndindex(whole.shape):
        assert whole[n, s, i] == (x[n, :, i : i + 3] * PSF[s]).sum()
    bare = mtconv.conv(x, PSF, **BARE)
    assert bare.shape == (2, 1, 3)
    for d, h, w in np.ndindex(bare.shape):
        assert bare[d, h, w] == (x[d : d + 3, h : h + 3, w : w + 3] * PSF).sum()


@pytest.mark.parametrize("layout", ["NHW", "HWN", "HNW", "NDHW", "DHWN", "DNHW"])
def test_a_stack_of_bare_arrays_may_have_its_batch_anywhere(layout):
    rank = len(layout) - 1
    kernel = PSF if rank == 3 else PSF[0]
    items = [volume(*range(4, 4 + rank)) + number for number in range(2)]
    at = layout.index("N")
    stack = np.stack(items, axis=at)
    options = {"layout": layout, "kernel_layout": "DHW"[-rank:]}
    forward = mtconv.conv(stack, kernel, **options)
    back = mtconv.conv_transpose(forward, kernel, **options)
    operator = mtconv.Conv(kernel, items[0].shape, **options)
    assert (operator(stack) == forward).all()
    assert (operator.T(forward) == back).all()
    gradient = np.zeros(kernel.shape, int)
    for number, item in enumerate(items):
        small = np.zeros([size - 2 for size in item.shape], int)
        big = np.zeros(item.shape, int)
        for i, j in itertools.product(np.ndindex(small.shape), np.ndindex(kernel.shape)):
            small[i] += item[tuple(map(sum, zip(i, j, strict=True)))] * kernel[j]
        for i, j in itertools.product(np.ndindex(small.shape), np.ndindex(kernel.shape)):
            o = tuple(map(sum, zip(i, j, strict=True)))
            big[o] += small[i] * kernel[j]
            gradient[j] += small[i] * item[o]
        assert (np.take(forward, number, axis=at) == small).all()
        assert (np.take(back, number, axis=at) == big).all()
    size = kernel.shape
    assert (
        mtconv.kernel_grad(forward, stack, kernel_size=size, **options) == gradient
    ).all()
