"""Layout strings: which array axis is the batch, the channels, and each spatial axis.

The canonical order is batch, channels, space for data and small-side channels,
big-side channels, space for kernels. A layout is the permutation that leads there. What
holds for channels and groups is checked here too.
"""

from __future__ import annotations

from typing import NamedTuple

from mtconv.errors import GeometryError, message, shown
from mtconv.problem.axes import check_magnitude
from mtconv.sizes import cached, is_open

__all__ = [
    "Arrangement",
    "Layouts",
    "axis_names",
    "check_groups",
    "check_kernel_channels",
    "check_known",
    "resolve_layouts",
]

SPATIAL = {1: ("L", "W"), 2: ("HW",), 3: ("DHW",)}
_SPATIAL_LETTERS = frozenset("DHWL")


class Arrangement(NamedTuple):
    """How an array's axes become the canonical ones.

    ``array.transpose(order)`` has batch, channels, space in canonical order, without
    the batch or channel axis where the flag says that the array has none. ``order`` is
    None where nothing moves, and ``inverse`` leads back.
    """

    batch: bool
    channels: bool
    order: tuple[int, ...] | None
    inverse: tuple[int, ...] | None

    @property
    def leading(self) -> int:
        """Number of canonical axes before the spatial ones that the array has."""
        return self.batch + self.channels


class Layouts(NamedTuple):
    """The arrangements of data and kernel, and the names of the spatial axes."""

    data: Arrangement
    kernel: Arrangement
    names: tuple[str, ...]


def axis_names(rank: int, letters: str | None = None) -> tuple[str, ...]:
    """Names of the spatial axes for messages: layout letters, or numbers from four up."""
    if letters is None:
        letters = SPATIAL[rank][-1] if rank in SPATIAL else None
    if letters is not None:
        return tuple(f"'{letter}'" for letter in letters)
    return tuple(f"number {number}" for number in range(rank))


@cached(1024)
def resolve_layouts(
    function: str,
    argument: str,
    ndim: int | None,
    kernel_ndim: int,
    layout: str | None,
    kernel_layout: str | None,
    small: str,
) -> Layouts:
    """Work out both arrangements from the numbers of dimensions and the strings.

    ``small`` is the letter ("I" or "O") that the kernel layout has for the channels of
    the small side; ``argument`` names the data array in messages. ``ndim`` is None where
    no data array is at hand; the arrangement is then that of a batched one.
    """
    data_letters = _letters(function, "layout", layout, "NC")
    kernel_letters = _letters(function, "kernel_layout", kernel_layout, "IO")
    rank, channels = _rank(function, kernel_ndim, data_letters, kernel_letters)
    space = _common_space(function, rank, data_letters, kernel_letters)
    names = axis_names(rank, space)
    kernel = _kernel_arrangement(
        function, kernel_ndim, rank, channels, space, kernel_letters, small
    )
    data = _data_arrangement(function, argument, ndim, rank, channels, space, data_letters)
    return Layouts(data, kernel, names)


def _letters(function: str, argument: str, text: str | None, extra: str) -> str | None:
    """Check the letters of one layout string."""
    if text is None:
        return None
    space = "".join(letter for letter in text if letter in _SPATIAL_LETTERS)
    rest = [letter for letter in text if letter not in _SPATIAL_LETTERS]
    good_space = "".join(sorted(space)) in {"L", "W", "HW", "DHW"}
    distinct = len(set(text)) == len(text)
    if not (good_space and distinct and set(rest) <= set(extra)) or (
        extra == "IO" and len(rest) == 1
    ):
        example = "'NCHW', 'NHWC', 'CHW' or 'HW'" if extra == "NC" else "'IOHW' or 'HWIO'"
        msg = message(
            function,
            argument,
            f"must be made of {', '.join(extra)} and the spatial letters L, HW or DHW",
            shown(text),
            fix=f"Write, for example, {example}, in capitals; leave it out for four or "
            "more spatial axes.",
        )
        raise GeometryError(msg)
    return text


def _rank(
    function: str, kernel_ndim: int, data: str | None, kernel: str | None
) -> tuple[int, bool]:
    """Return the number of spatial axes and whether there are channels."""
    if kernel is not None:
        channels = "I" in kernel
        if data is not None and ("C" in data) != channels:
            msg = message(
                function,
                "kernel_layout",
                "must have I and O exactly when `layout` has C",
                f"layout={data!r}, kernel_layout={kernel!r}",
                fix="A kernel without channels goes with bare signals and images.",
            )
            raise GeometryError(msg)
        return len(kernel) - 2 * channels, channels
    if data is not None:
        return sum(letter in _SPATIAL_LETTERS for letter in data), "C" in data
    if kernel_ndim == 0:
        msg = message(
            function,
            "kernel",
            "must have at least one spatial axis",
            "an array of 0 dimensions",
            fix="A kernel of one tap is [w].",
        )
        raise GeometryError(msg)
    return (kernel_ndim, False) if kernel_ndim <= 2 else (kernel_ndim - 2, True)


def _common_space(
    function: str, rank: int, data: str | None, kernel: str | None
) -> str | None:
    """Return the spatial letters in canonical order, the data's own order if it has one."""
    spaces = [
        "".join(letter for letter in text if letter in _SPATIAL_LETTERS)
        for text in (data, kernel)
        if text is not None
    ]
    if len(spaces) == 2 and (
        len(spaces[0]) != len(spaces[1])
        or (rank > 1 and sorted(spaces[0]) != sorted(spaces[1]))
    ):
        msg = message(
            function,
            "kernel_layout",
            "must have the same spatial letters as `layout`",
            f"layout={data!r}, kernel_layout={kernel!r}",
            fix="For example layout='NHWC' with kernel_layout='HWIO'.",
        )
        raise GeometryError(msg)
    if data is None:  # channels first, space in the usual order
        return SPATIAL[rank][-1] if spaces else None
    return spaces[0]


def _kernel_arrangement(
    function: str,
    ndim: int,
    rank: int,
    channels: bool,
    space: str | None,
    letters: str | None,
    small: str,
) -> Arrangement:
    wanted = rank + 2 * channels
    if ndim != wanted:
        text = f"{_counted(rank, 'spatial axis', 'spatial axes')}"
        if channels:
            text = f"input and output channels and {text}"
        if letters is not None:
            text = f"kernel_layout={letters!r}"
        msg = message(
            function,
            "kernel",
            f"must have {_dimensions(wanted)} ({text}) with these layouts",
            _dimensions(ndim),
            fix="Give the kernel these axes, or name others by `layout` and "
            "`kernel_layout`.",
        )
        raise GeometryError(msg)
    if letters is None:
        # The default order has the small side's channels first for both maps.
        return _arrangement(False, channels, tuple(range(ndim)))
    if rank == 1:
        letters = letters.replace("W", "L")
        space = "L"
    assert space is not None
    big = "O" if small == "I" else "I"
    canonical = (small + big if channels else "") + space
    return _arrangement(False, channels, tuple(letters.index(c) for c in canonical))


def _data_arrangement(
    function: str,
    argument: str,
    ndim: int | None,
    rank: int,
    channels: bool,
    space: str | None,
    letters: str | None,
) -> Arrangement:
    if letters is not None:
        batch = "N" in letters
        allowed = {len(letters)}
        wanted = f"{_dimensions(len(letters))}, as layout {letters!r} names them"
        fix = "Change the layout, or add or drop an axis of x."
    elif channels:
        batch = ndim is None or ndim == rank + 2
        allowed = {rank + 1, rank + 2}
        wanted = f"{_dimensions(rank + 2)} (N, C, *space) or {rank + 1} (C, *space)"
        fix = "The kernel has channels; a bare signal or image takes a kernel of its rank."
    else:
        batch = False
        allowed = {rank}
        wanted = f"{_dimensions(rank)}, as many as the kernel, which has no channels"
        fix = "Give both channel axes, or name a batch axis by `layout`: 'NHW' or 'HWN'."
    if ndim is not None and ndim not in allowed:
        msg = message(
            function,
            argument,
            f"must have {wanted}",
            _dimensions(ndim),
            fix=fix,
        )
        raise GeometryError(msg)
    if letters is None:
        return _arrangement(batch, channels, tuple(range(rank + channels + batch)))
    assert space is not None
    canonical = ("N" if batch else "") + ("C" if channels else "") + space
    return _arrangement(batch, channels, tuple(letters.index(c) for c in canonical))


def _counted(number: int, singular: str, plural: str) -> str:
    return f"{number} {singular if number == 1 else plural}"


def _dimensions(number: int) -> str:
    return _counted(number, "dimension", "dimensions")


def _arrangement(batch: bool, channels: bool, order: tuple[int, ...]) -> Arrangement:
    if order == tuple(range(len(order))):
        return Arrangement(batch, channels, None, None)
    inverse = tuple(order.index(axis) for axis in range(len(order)))
    return Arrangement(batch, channels, order, inverse)


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
