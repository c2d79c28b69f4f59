"""Channels and groups of one call, checked; they are known where sizes are symbols."""

from __future__ import annotations

from mtconv.errors import GeometryError, message
from mtconv.problem.axes import check_magnitude
from mtconv.sizes import is_open

__all__ = ["check_groups", "check_kernel_channels", "check_known"]


def check_known(
    function: str, argument: str, sizes: tuple[int, ...], names: tuple[str, ...]
) -> None:
    """Check that channels and taps are integers: programs are written out along them."""
    for name, size in zip(names, sizes, strict=True):
        if is_open(size):
            rule = "must have a known number of channels and taps"
            fix = "Only batch and space may be symbolic: export a program for each number."
            got = f"{size}, a symbolic size"
            raise GeometryError(message(function, argument, rule, got, axis=name, fix=fix))


def check_groups(function: str, groups: int, **channels: int) -> None:
    """Check that the groups divide the channels of each array named."""
    check_magnitude(function, "groups", groups)
    if groups < 1:
        msg = message(function, "groups", "must be at least 1", groups)
        raise GeometryError(msg)
    for argument, count in channels.items():
        if count % groups:
            msg = message(
                function,
                "groups",
                f"must divide the channels of {argument}",
                f"groups={groups} for {count} channels",
                axis="'C'",
                fix="Each group takes an equal share of the channels.",
            )
            raise GeometryError(msg)


def check_kernel_channels(
    function: str, groups: int, data: int, kernel: tuple[int, int]
) -> tuple[int, int]:
    """Check the channels of x or y against the kernel; return (small, big) channels.

    ``kernel`` holds the canonical leading sizes (small channels, big channels / groups).
    """
    check_groups(function, groups)
    small, big_share = kernel
    if function == "conv_transpose":
        wanted, rule = small, "must have as many channels as the kernel's I axis"
        got = f"{data} channels in x and {small} in the kernel"
    else:
        wanted = big_share * groups
        rule = "must have as many channels as the kernel's I axis times groups"
        got = f"{data} channels in x and {big_share} x {groups} groups in the kernel"
    if data != wanted:
        fix = "Kernels are (C_in, C_out/groups, *k)"
        if function == "conv":
            fix = "Kernels are (C_out, C_in/groups, *k)"
        fix += " unless `kernel_layout` says otherwise."
        msg = message(function, "x", rule, got, axis="'C'", fix=fix)
        raise GeometryError(msg)
    owner = "x" if function == "conv_transpose" else "the result"
    check_groups(function, groups, **{owner: small})
    return small, big_share * groups
