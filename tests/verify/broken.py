"""Runtimes that are wrong in known ways, to see that the sweep sees it."""

import os
import time

import numpy as np

from tests.testing.styles import STYLES
from tests.verify.causes import counts, node_call
from tests.verify.readers import stablehlo_window
from tests.verify.runtimes import stablehlo_parts


def result_of(folder):
    call, _ = node_call(folder)
    return STYLES["scatter"](call.x, call.kernel, call.bias, **call.options)


def right(folder):
    return result_of(folder)


def ends_the_process(folder):
    if "groups" in folder.name:
        os._exit(3)
    return result_of(folder)


def hangs(folder):
    if "depthwise" in folder.name:
        time.sleep(60)
    return result_of(folder)


def ignores_output_padding_of_groups(folder):
    call, record = node_call(folder)
    result = result_of(folder)
    if call.options["groups"] > 1 and any(record["output_padding"]):
        return result[..., :-1]
    return result


def negates_dilated(folder):
    call, _ = node_call(folder)
    return result_of(folder) * (-1 if max(call.options["dilation"]) > 1 else 1)


def adds_to_negative_pads_of_groups(path):
    text = path.read_text()
    wrong = np.min(stablehlo_window(text)["pad"]) < 0 and max(counts(text)) > 1
    return stablehlo_parts(path)[1] + bool(wrong)
