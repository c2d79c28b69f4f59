"""Defects of special cases: a condition on a call, and what goes wrong where it holds.

A fast path for one kind of call is the usual place of a defect: "in 2-D, where the kernel
is 3 x 3", "in 3-D, where there is more than one sample". Each `Flaw` has a condition on a
call and an effect, of which the rest of the implementation is free.
"""

from collections.abc import Callable
from functools import partial
from itertools import product
from typing import NamedTuple

import numpy as np

from tests.verify.defects import (
    groups_interleaved,
    inputs_of_groups_interleaved,
    padded_like,
)

# Taps and strides that implementations have code of their own for.
LAYERS = ((1, 1), (3, 1), (2, 2), (3, 2), (4, 2))


class Flaw(NamedTuple):
    """What goes wrong, and where."""

    name: str
    holds: Callable[..., bool]  # of a call that was read
    effect: Callable[..., np.ndarray]  # of a right implementation and a call


def changed(call, axis, name, value):
    """Return the options with another value on one axis."""
    values = list(call.options[name])
    values[axis] = value(values[axis])
    return {**call.options, name: tuple(values)}


# Effects: functions of a right implementation `run` and a call.


def plain(run, call, **changes):
    call = call._replace(**changes)
    return run(call.x, call.kernel, call.bias, **call.options)


def flipped(axis):
    """Flip the kernel along a spatial axis, or along the last one for -3."""
    return lambda run, call: plain(run, call, kernel=np.flip(call.kernel, 2 + axis))


def with_option(axis, name, value):
    """Take another value for an option of one axis, and a result of the right size."""

    def effect(run, call):
        other = plain(run, call, options=changed(call, axis, name, value))
        return padded_like(other, call.result)

    return effect


def low_end_ignored(axis):
    return with_option(axis, "padding", lambda ends: (0, ends[0] + ends[1]))


def negative_is_zero(axis):
    return with_option(axis, "padding", lambda ends: (max(ends[0], 0), ends[1]))


def ends_swapped(axis):
    """Take what is cropped at one end for the other; the high one has the extra."""

    def effect(run, call):
        options = dict(call.options)
        (lo, hi), extra = options["padding"][axis], options["output_padding"][axis]
        options = changed(call, axis, "padding", lambda _: (hi - extra, lo + extra))
        return plain(run, call, options=options)

    return effect


def extra_at_the_low_end(axis):
    def effect(run, call):
        extra = call.options["output_padding"][axis]
        options = changed(
            call, axis, "padding", lambda ends: (ends[0] - extra, ends[1] + extra)
        )
        return plain(run, call, options=options)

    return effect


def extra_left_out(axis):
    """Leave the elements of ``output_padding`` as they are without the kernel."""

    def effect(run, call):
        extra = call.options["output_padding"][axis]
        start = call.result.shape[2 + axis] - extra
        y = zeroed(plain(run, call, bias=None), 2 + axis, start)
        return y if call.bias is None else y + call.bias.reshape(-1, *[1] * (y.ndim - 2))

    return effect


def zeroed(array, axis, start):
    array = array.copy()
    array[(slice(None),) * axis + (slice(start, None),)] = 0
    return array


def inputs_lost(axis, start):
    return lambda run, call: plain(run, call, x=zeroed(call.x, axis, start))


def taps_lost(axis, start):
    return lambda run, call: plain(run, call, kernel=zeroed(call.kernel, 2 + axis, start))


def results_lost(axis, start):
    return lambda run, call: zeroed(plain(run, call), axis, start)


def first_sample(run, call):
    return plain(run, call, x=np.repeat(call.x[:1], len(call.x), 0))


def bias_ignored(run, call):
    return plain(run, call, bias=None)


def of_groups(defect):
    return lambda run, call: defect(run, call.x, call.kernel, call.bias, **call.options)


def kernels_of_other_channels(run, call):
    return plain(run, call, kernel=np.roll(call.kernel, 1, 0))


def outputs_of_a_group_reversed(run, call):
    return plain(run, call, kernel=call.kernel[:, ::-1])


def flat_taps_lost(run, call):
    kernel = call.kernel.reshape(*call.kernel.shape[:2], -1)
    return plain(run, call, kernel=zeroed(kernel, 2, 8).reshape(call.kernel.shape))


def low_end_clamped(axis):
    """Crop no more at the low end than the kernel reaches."""

    def effect(run, call):
        most = reach(call, axis)
        clamp = with_option(axis, "padding", lambda ends: (min(ends[0], most), ends[1]))
        return clamp(run, call)

    return effect


def first_bias(run, call):
    return plain(run, call, bias=np.repeat(call.bias[:1], len(call.bias)))


def one(_):
    return 1


def gaps_filled(run, call):
    y = plain(run, call)
    return np.where(y == 0, 1, y)


# Conditions: functions of a call.


def samples(call):
    return len(call.x) > 1


def grouped(call):
    return call.options["groups"] > 1


def depthwise(call):
    return call.x.shape[1] == call.options["groups"] > 1


def multiplied(call):
    return depthwise(call) and call.kernel.shape[1] > 1


def has_bias(call):
    return call.bias is not None


def longer(name, axis, size):
    """Return whether an array is longer than a size along an axis."""
    return lambda call: getattr(call, name).shape[axis] > size


def above(name, axis, least):
    return lambda call: call.options[name][axis] > least


def cropped(call, axis):
    """Return what is cropped at both ends of an axis."""
    lo, hi = call.options["padding"][axis]
    return lo, hi - call.options["output_padding"][axis]


def low_end(axis, sign):
    return lambda call: sign * cropped(call, axis)[0] > 0


def ends_differ(axis):
    return lambda call: len(set(cropped(call, axis))) > 1


def reach(call, axis):
    return call.options["dilation"][axis] * (call.kernel.shape[2 + axis] - 1)


def below_stride(axis):
    return lambda call: reach(call, axis) + 1 < call.options["stride"][axis]


def beyond_kernel(axis):
    return lambda call: cropped(call, axis)[0] > reach(call, axis)


def layer(call, taps, stride):
    """Return whether every axis has as many taps and this stride."""
    return set(call.kernel.shape[2:]) == {taps} and set(call.options["stride"]) == {stride}


def of_all_axes():
    """Yield names, conditions and effects that do not belong to one axis."""
    yield "samples", samples, first_sample
    yield "inputs past 8", longer("x", 1, 8), inputs_lost(1, 8)
    yield "outputs past 8", longer("result", 1, 8), results_lost(1, 8)
    yield "outputs of groups", grouped, of_groups(groups_interleaved)
    yield "inputs of groups", grouped, of_groups(inputs_of_groups_interleaved)
    yield "depthwise", depthwise, kernels_of_other_channels
    yield "multiplier", multiplied, outputs_of_a_group_reversed
    yield "kernels of more than 8 taps", lambda c: c.kernel[0, 0].size > 8, flat_taps_lost


def of_one_axis(a):
    """Yield names, conditions and effects of one axis."""
    yield "dilation", above("dilation", a, 1), with_option(a, "dilation", one)
    yield "stride", above("stride", a, 1), with_option(a, "stride", one)
    yield "low padding", low_end(a, 1), low_end_ignored(a)
    yield "ends that differ", ends_differ(a), ends_swapped(a)
    yield "extra", above("output_padding", a, 0), extra_at_the_low_end(a)
    yield "inputs past 16", longer("x", 2 + a, 16), inputs_lost(2 + a, 16)
    yield "results past 16", longer("result", 2 + a, 16), results_lost(2 + a, 16)
    yield "taps past 8", longer("kernel", 2 + a, 8), taps_lost(a, 8)
    yield "kernel below the stride", below_stride(a), gaps_filled
    yield "padding beyond the kernel", beyond_kernel(a), low_end_clamped(a)


def of_layers(rank):
    """Yield names, conditions and effects of kernels that often have a fast path."""
    for (taps, stride), a in product(LAYERS, range(rank)):
        holds = partial(layer, taps=taps, stride=stride)
        name = f"kernel {taps} and stride {stride}, axis {a}"
        if taps > 1:
            yield f"{name}: flipped", holds, flipped(a)
        yield f"{name}: low padding", holds, low_end_ignored(a)


def of_attributes(rank):
    """Yield what only formats with a bias and with ``output_padding`` can see."""
    for a in range(rank):
        holds = above("output_padding", a, 0)
        yield f"extra elements left out, axis {a}", holds, extra_left_out(a)
    yield "bias: ignored", has_bias, bias_ignored
    yield "bias: the first for all", has_bias, first_bias


def of_negative_ends(rank):
    """Yield what only formats with negative padding can see."""
    for a in range(rank):
        yield f"negative padding, axis {a}", low_end(a, -1), negative_is_zero(a)


def flaws(form, rank):
    """List the flaws of calls with as many spatial axes that a format can see."""
    rows = [*of_all_axes(), *of_layers(rank)]
    for a in range(rank):
        rows += [(f"{name}, axis {a}", *row) for name, *row in of_one_axis(a)]
    rows += of_attributes(rank) if form == "onnx" else of_negative_ends(rank)
    return [Flaw(f"{rank}-D, {name}", *row) for name, *row in rows]


def each_axis(name, value):
    """Take another value for an option of all axes."""

    def effect(run, call):
        options = {**call.options, name: tuple(map(value, call.options[name]))}
        return padded_like(plain(run, call, options=options), call.result)

    return effect


def all_flipped(run, call):
    return plain(run, call, kernel=np.flip(call.kernel, tuple(range(2, call.kernel.ndim))))


def somewhere(name, least):
    return lambda call: max(call.options[name]) > least


# Conditions and effects that are combined with one another, in any number of axes.
CONDITIONS = {
    "samples": samples,
    "groups": grouped,
    "depthwise": depthwise,
    "multiplier": multiplied,
    "dilation": somewhere("dilation", 1),
    "stride": somewhere("stride", 1),
    "extra": somewhere("output_padding", 0),
    "padding": lambda c: any(low > 0 for low, _ in c.options["padding"]),
    "inputs past 8": longer("x", 1, 8),
    "outputs past 8": longer("result", 1, 8),
    "inputs past 16": lambda c: max(c.x.shape[2:]) > 16,
    "taps past 8": lambda c: c.kernel[0, 0].size > 8,
}
EFFECTS = {
    "flipped": all_flipped,
    "first axis flipped": flipped(0),
    "last axis flipped": flipped(-3),
    "dilation ignored": each_axis("dilation", one),
    "stride ignored": each_axis("stride", one),
    "low padding ignored": each_axis("padding", lambda ends: (0, sum(ends))),
    "first sample for all": first_sample,
    "outputs of groups": of_groups(groups_interleaved),
    "inputs of groups": of_groups(inputs_of_groups_interleaved),
    "bias ignored": bias_ignored,
}
# Groups of one input have no order of inputs. The others are left to the large set.
NOT_COMBINED = {
    *product(("depthwise", "multiplier", "inputs past 16"), ("inputs of groups",)),
    *product(("inputs past 16",), ("dilation ignored", "outputs of groups")),
    ("taps past 8", "inputs of groups"),
}


def combinations(form):
    """List the flaws that are an effect with a condition of something else."""
    return [
        Flaw(f"{effect}, with {condition}", CONDITIONS[condition], EFFECTS[effect])
        for condition, effect in product(CONDITIONS, EFFECTS)
        if (condition, effect) not in NOT_COMBINED
        and (effect != "bias ignored" or form == "onnx")
    ]


def is_right(effect, run, call):
    """Return whether an implementation with an effect gets a call right all the same."""
    result = effect(run, call)
    return result.shape == call.result.shape and (result == call.result).all()
