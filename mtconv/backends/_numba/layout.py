"""Arrays as the kernels see them: sizes and steps of five axes, whatever the user's are."""

from __future__ import annotations

from typing import Any, NamedTuple

from mtconv.backends._numba.units import POINT, Units, units
from mtconv.spec import ConvSpec

__all__ = ["KernelCase", "Steps", "make_case", "three"]

Steps = tuple[int, ...]


class KernelCase(NamedTuple):
    """A convolution or transposed convolution as the kernels see it.

    ``in_steps`` and ``out_steps`` are the bytes between neighbours along batch, channels
    and three axes; ``w_steps`` those along the kernel's small channels, big channels and
    taps. Channels are those of one group.
    """

    form: str
    batch: int
    groups: int
    ins: int
    outs: int
    axes: tuple[Units, Units, Units]
    taps: tuple[int, int, int]
    in_steps: Steps
    out_steps: Steps
    w_steps: Steps
    stored_size: int
    size: int

    @property
    def lanes(self) -> tuple[int, int]:
        """Bytes of the kernel from one input channel, and output channel, to the next."""
        small, big = self.w_steps[:2]
        return (big, small) if self.form == "conv" else (small, big)

    @property
    def w_group(self) -> int:
        """Bytes of the kernel from one group to the next."""
        small = self.outs if self.form == "conv" else self.ins
        return small * self.w_steps[0]

    @property
    def multiply_adds(self) -> int:
        """Products of all units with all their taps."""
        work = self.batch * self.groups * self.ins * self.outs
        for axis in self.axes:
            work *= axis.number * axis.taps
        return work


def three(values: Any, fill: Any) -> tuple[Any, Any, Any]:
    """Put what is missing before the values of one to three axes."""
    values = tuple(values)
    return (*(fill,) * (3 - len(values)), *values)


def make_case(
    form: str,
    spec: ConvSpec,
    batch: int,
    steps: tuple[Steps, Steps, Steps],
    stored_size: int,
    size: int,
) -> KernelCase:
    """Describe a map by its spec and the steps of input, kernel and result.

    Those are canonical: batch, channels and the spec's axes; for the kernel small and big
    channels first.
    """
    in_steps, w_steps, out_steps = ((*sides[:2], *three(sides[2:], 0)) for sides in steps)
    small, big = spec.kernel_shape[0] // spec.groups, spec.kernel_shape[1]
    ins, outs = (big, small) if form == "conv" else (small, big)
    return KernelCase(
        form,
        batch,
        spec.groups,
        ins,
        outs,
        three((units(axis, form) for axis in spec.axes), POINT),
        three(spec.kernel_size, 1),
        in_steps,
        out_steps,
        w_steps,
        stored_size,
        size,
    )
