"""Nodes of ONNX as networks of one layer for ncnn, which has a file format of its own.

Paddings are written down as numbers, so what is tested are ncnn's layers, not a converter.
"""

import struct

import numpy as np

from tests.verify.readers import ONNX_CONV, READERS

# Numbers of the parameters, the last axis first: width, height, depth.
KERNEL, DILATION, STRIDE = (1, 11, 21), (2, 12, 22), (3, 13, 23)
LOW, HIGH, EXTRA = (4, 14, 24), (15, 16, 17), (18, 19, 20)
OUTPUTS, BIAS, WEIGHTS, GROUPS = 0, 5, 6, 7


def by_ncnn(folder):
    """Run a node test; samples one by one, since ncnn has no batch."""
    import ncnn

    transposed = folder.name.startswith("convtranspose")
    reader = READERS["onnx"] if transposed else ONNX_CONV
    call = reader.call(next(reader.records(folder.parents[1], pattern=folder.name)))
    text, weights = network(call, transposed)
    net = ncnn.Net()
    # Winograd's sums have fractions; the results would be close, not equal.
    for name in ("winograd_convolution", "fp16_storage", "fp16_arithmetic", "fp16_packed"):
        setattr(net.opt, f"use_{name}", False)
    if net.load_param_mem(text) != 0:
        msg = "ncnn does not read the layer"
        raise ValueError(msg)
    net.load_model_mem(weights)
    return np.stack([run(ncnn, net, sample) for sample in call.x])


def run(ncnn, net, sample):
    extractor = net.create_extractor()
    # The clone owns its memory; without it the values of a buffer that is gone are read.
    extractor.input("x", ncnn.Mat(np.ascontiguousarray(sample, np.float32)).clone())
    status, result = extractor.extract("y")
    if status != 0:
        msg = f"ncnn ends with {status}"
        raise ValueError(msg)
    return np.array(result)


def network(call, transposed):
    """Write a network of one layer: its description, and its weights."""
    options, groups = call.options, call.options["groups"]
    rank, kernel = call.x.ndim - 2, call.kernel
    if transposed:  # outputs first, within each group
        outputs = kernel.shape[1] * groups
        parts = kernel.reshape(groups, -1, *kernel.shape[1:])
        kernel = parts.swapaxes(1, 2)
    else:
        outputs = len(kernel)
    numbers = {OUTPUTS: outputs, BIAS: int(call.bias is not None), WEIGHTS: kernel.size}
    for names, values in (
        (KERNEL, call.kernel.shape[2:]),
        (DILATION, options["dilation"]),
        (STRIDE, options["stride"]),
        (LOW, [low for low, _ in options["padding"]]),
        (HIGH, [high for _, high in options["padding"]]),
        (EXTRA, options.get("output_padding", ())),
    ):
        numbers |= dict(zip(names, values[::-1], strict=False))
    kind = "Deconvolution" if transposed else "Convolution"
    if groups > 1:
        kind += "DepthWise"
        numbers[GROUPS] = groups
    kind += {1: "1D", 2: "", 3: "3D"}[rank]
    words = " ".join(f"{number}={value}" for number, value in numbers.items())
    text = f"7767517\n2 2\nInput in 0 1 x\n{kind} layer 1 1 x y {words}\n"
    data = struct.pack("<i", 0) + kernel.astype("<f4").tobytes()
    if call.bias is not None:
        data += call.bias.astype("<f4").tobytes()
    return text, data
