"""Mistakes in reading the files: what a reader takes for something else, or overlooks."""

import re

import numpy as np


def each_axis(change):
    """Change every axis of a JSON problem."""
    return lambda entry: entry | {"axes": [axis | change(axis) for axis in entry["axes"]]}


def array(name, change):
    """Change how the numbers of one array of a JSON problem are read."""

    def mistaken(entry):
        values = np.reshape(entry[name]["data"], entry[name]["shape"])
        values = change(values)
        return entry | {name: {"data": values.ravel().tolist(), "shape": values.shape}}

    return mistaken


def natural(axis):
    span = axis["dilation"] * (axis["kernel"] - 1) + 1
    lost = axis["lo"] + axis["hi"]
    return {"big": axis["stride"] * (axis["small"] - 1) + span - lost}


JSON = {
    "ends_swapped": each_axis(lambda axis: {"lo": axis["hi"], "hi": axis["lo"]}),
    "low_end_ignored": each_axis(lambda axis: {"lo": 0, "hi": axis["lo"] + axis["hi"]}),
    "big_ignored": each_axis(natural),
    "stride_ignored": each_axis(lambda _: {"stride": 1}),
    "dilation_ignored": each_axis(lambda _: {"dilation": 1}),
    "groups_ignored": lambda entry: entry | {"groups": 1},
    "columns_first": array("x", lambda x: np.reshape(x.ravel(), x.shape, order="F")),
    "kernel_outputs_first": array("kernel", lambda w: w.swapaxes(0, 1)),
    "axes_in_reverse": lambda entry: entry | {"axes": entry["axes"][::-1]},
}


def default(name, value):
    """Overlook an attribute."""
    return lambda a: a | {name: value(len(a["strides"]))}


def end_by_end(attributes):
    """Take pads for pairs, as they are in other libraries."""
    pads = attributes["pads"]
    return attributes | {"pads": [*pads[::2], *pads[1::2]]}


def halves_swapped(attributes):
    """Take the end that gets the larger half for the other one."""
    words = {b"SAME_UPPER": b"SAME_LOWER"}
    word = words.get(attributes["auto_pad"], b"SAME_UPPER")
    return attributes | {"auto_pad": word if asks_for_sizes(attributes) else b"NOTSET"}


def asks_for_sizes(attributes):
    return attributes["output_shape"] is not None or attributes["auto_pad"][:4] == b"SAME"


def same_as_lower(attributes):
    """Take SAME_UPPER for SAME_LOWER."""
    word = attributes["auto_pad"].replace(b"UPPER", b"LOWER")
    return attributes | {"auto_pad": word}


ONNX = {
    "strides": default("strides", lambda rank: [1] * rank),
    "dilations": default("dilations", lambda rank: [1] * rank),
    "pads": default("pads", lambda rank: [0] * 2 * rank),
    "output_padding": default("output_padding", lambda rank: [0] * rank),
    "output_shape": default("output_shape", lambda _: None),
    "auto_pad": default("auto_pad", lambda _: b"NOTSET"),
    "group": default("group", lambda _: 1),
    "end_by_end": end_by_end,
    "halves_swapped": halves_swapped,
    "same_as_lower": same_as_lower,
}
CONV_MISTAKES = {
    name: change
    for name, change in ONNX.items()
    if name not in ("output_padding", "output_shape")
}


def window(name, change):
    """Change what one word of the window says."""
    spot = re.compile(rf"({name} = )(\[[^=]*\])(?=[,}}])")
    return lambda text: spot.sub(lambda got: got[1] + change(got[2]), text)


def ones(text):
    return re.sub(r"\d+", "1", text)


STABLEHLO = {
    "reverse_ignored": window("reverse", lambda text: text.replace("true", "false")),
    "always_reversed": window("reverse", lambda text: text.replace("false", "true")),
    "lhs_dilation_ignored": window("lhs_dilate", ones),
    "rhs_dilation_ignored": window("rhs_dilate", ones),
    "negative_pads_are_none": window("pad", lambda text: re.sub(r"-\d+", "0", text)),
    "ends_of_pads_swapped": window(
        "pad", lambda text: re.sub(r"\[(-?\d+), (-?\d+)\]", r"[\2, \1]", text)
    ),
    "groups_ignored": lambda text: re.sub(
        r"feature_group_count = \d+", "feature_group_count = 1", text
    ),
    "orders_of_both_sides_ignored": lambda text: (
        text.replace("[b, 0, f]", "[b, f, 0]")
        .replace("[b, 0, 1, f]", "[b, f, 0, 1]")
        .replace("[b, 0, 1, 2, f]", "[b, f, 0, 1, 2]")
    ),
    "order_of_the_kernel_ignored": lambda text: re.sub(
        r"x\[(.*?)\]->", lambda found: f"x[{inputs_first(found[1])}]->", text
    ),
}


def inputs_first(order):
    letters = order.split(", ")
    return ", ".join(["i", "o", *sorted(letter for letter in letters if letter.isdigit())])


MISTAKES = {"json": JSON, "onnx": ONNX, "stablehlo": STABLEHLO}
