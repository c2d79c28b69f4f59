"""What failing problems have in common: properties such that all with them fail."""

import re
from itertools import combinations
from typing import NamedTuple

import numpy as np

from tests.verify.readers import (
    ONNX_CONV,
    READERS,
    stablehlo_arrays,
    stablehlo_window,
)

MOST_WORDS = 3


class Cause(NamedTuple):
    """Properties, and the problems that have all of them; every one of these fails."""

    words: tuple[str, ...]
    names: tuple[str, ...]


def causes(properties, failing, part):
    """Find properties that explain a part of the failures, and list what remains.

    A cause has up to three properties, and every problem that has them fails. Those that
    explain most of the part come first, then those with fewer properties.
    """
    rest, listed = set(part), []
    while rest:
        best = best_cause(properties, set(failing), rest)
        if best is None:
            break
        listed.append(best)
        rest -= set(best.names)
    return listed, sorted(rest)


def best_cause(properties, failing, rest):
    words = sorted(set().union(*(properties[name] for name in rest)))
    having = {word: {n for n, own in properties.items() if word in own} for word in words}
    best, score = None, (1, 0)
    for count in range(1, MOST_WORDS + 1):
        for chosen in combinations(words, count):
            names = set.intersection(*(having[word] for word in chosen))
            if names <= failing and (len(names & rest), -count) > score:
                best = Cause(chosen, tuple(sorted(names & rest)))
                score = len(names & rest), -count
    return best


def node_properties(folder):
    """Say what a node has, in the words of ONNX."""
    call, record = node_call(folder)
    options = call.options
    axes = list(
        zip(call.kernel.shape[2:], options["stride"], options["dilation"], strict=True)
    )
    transposed = folder.name.startswith("convtranspose")
    groups, share = options["groups"], call.kernel.shape[1]
    outputs = share if transposed else len(call.kernel) // groups
    inputs = call.x.shape[1] // groups
    asked = record["output_shape"] is not None
    word = record["auto_pad"].decode()
    same = "SAME" if word.startswith("SAME") else word
    sizes = record["output_shape"] or ()
    smaller = any(a < b for a, b in zip(sizes, call.x.shape[2:], strict=False))
    extents = [(k - 1) * d + 1 for k, _, d in axes]
    odd = any(abs(high - low) % 2 for low, high in options["padding"])
    holds = {
        "ConvTranspose" if transposed else "Conv": True,
        f"{call.x.ndim - 2} spatial axes": True,
        "groups": groups > 1,
        "several outputs a group": groups > 1 and outputs > 1,
        "one output a group": groups > 1 and outputs == 1,
        "one input a group": groups > 1 and inputs == 1,
        "bias": call.bias is not None,
        "batch": len(call.x) > 1,
        "stride": any(s > 1 for _, s, _ in axes),
        "dilation": any(d > 1 for *_, d in axes),
        "`auto_pad` SAME": same == "SAME",
        f"`auto_pad` {word}": word != "NOTSET",
        "no `auto_pad` SAME": same != "SAME",
        "`output_shape`": asked,
        "no `output_shape`": not asked,
        "`output_shape` below the input": smaller,
        "`output_padding`": any(options.get("output_padding", ())),
        "pads": any(low or high for low, high in options["padding"]),
        "an odd sum of pads": odd,
        "pads of both ends that differ": any(
            low != high for low, high in options["padding"]
        ),
        "pads beyond the kernel": any(
            max(pads) >= extent
            for pads, extent in zip(options["padding"], extents, strict=True)
        ),
        "a kernel below the stride": any(
            extent < s for extent, (_, s, _) in zip(extents, axes, strict=True)
        ),
    }
    return {word for word, true in holds.items() if true}


def node_call(folder):
    """Read a node test as a call, and its attributes."""
    reader = READERS["onnx"] if folder.name.startswith("convtranspose") else ONNX_CONV
    record = next(reader.records(folder.parents[1], pattern=folder.name))
    return reader.call(record), record


def module_properties(path):
    """Say what a module has, in the words of StableHLO."""
    text = path.read_text()
    (lhs, rhs, expected), window = stablehlo_arrays(text), stablehlo_window(text)
    feature, batch = counts(text)
    left, kernel, result = orders(text)
    form = path.stem.rsplit("_conv", 1)[-1]
    pads = np.ravel(window["pad"])
    turned = [t and k > 1 for t, k in zip(window["reverse"], rhs.shape[2:], strict=True)]
    holds = {
        f"{lhs.ndim - 2} spatial axes": True,
        "`feature_group_count`": feature > 1,
        "several outputs a group": feature > 1 and rhs.shape[1] > feature,
        "one output a group": feature > 1 and rhs.shape[1] == feature,
        "several inputs a group": feature > 1 and rhs.shape[0] > 1,
        "one input a group": feature > 1 and rhs.shape[0] == 1,
        "`batch_group_count`": batch > 1,
        "window strides": max(window["stride"]) > 1,
        "`lhs_dilate`": max(window["lhs_dilate"]) > 1,
        "no `lhs_dilate`": max(window["lhs_dilate"]) == 1,
        "`rhs_dilate`": max(window["rhs_dilate"]) > 1,
        "negative pads": pads.min() < 0,
        "a negative pad at the high end": min(high for _, high in window["pad"]) < 0,
        "a negative pad at the low end": min(low for low, _ in window["pad"]) < 0,
        "no negative pads": pads.min() >= 0,
        "`reverse`": any(turned),
        "no `reverse`": not any(turned),
        "a result of one position": max(expected.shape[2:]) == 1,
        "channels last": left[-1] == "f",
        "channels first": left[:2] == ["b", "f"],
        "another order in the result": left != result,
        "axes of space out of order": any(
            [a for a in order if a.isdigit()] != sorted(a for a in order if a.isdigit())
            for order in (left, kernel, result)
        ),
        "a gradient by the kernel": form.endswith("kernel_grad"),
    }
    return {word for word, true in holds.items() if true}


def counts(text):
    """Read the groups of features, and of the batch."""
    return tuple(
        int(re.search(rf"{name}_group_count = (\d+)", text)[1])
        for name in ("feature", "batch")
    )


def orders(text):
    found = re.search(r"dim_numbers = \[(.*?)\]x\[(.*?)\]->\[(.*?)\]", text)
    return [order.split(", ") for order in found.groups()]


def module_summary(text):
    """Write a module's convolution down."""
    types = re.findall(r"tensor<(\S+?)xi32>", text.partition("stablehlo.convolution")[2])
    window = stablehlo_window(text)
    plain = {"stride": {1}, "lhs_dilate": {1}, "rhs_dilate": {1}, "pad": {0}}
    shown = [
        f"{name} = {value}".lower()
        for name, value in window.items()
        if set(np.ravel(value).tolist()) != plain.get(name, {False})
    ]
    numbers = re.search(r"dim_numbers = (\S.*\]),", text)[1]
    groups = [
        f"{name}_group_count = {count}"
        for name, count in zip(("feature", "batch"), counts(text), strict=True)
        if count > 1
    ]
    words = [f"{types[0]} by {types[1]}", numbers, *shown, *groups]
    return ", ".join(words)
