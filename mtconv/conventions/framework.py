"""What a row of the registry holds: one framework's call, and all that follows from it.

Conversion, strategies, `mtconv verify`, the tables of the page on conventions and the
tests read a `Framework` and know nothing else of it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mtconv.conventions.arguments import Arguments, Geometry
from mtconv.conventions.kernel import KernelRule
from mtconv.errors import GeometryError, message, shown

__all__ = ["Draws", "Framework", "Options", "SizeRule", "draw_rules", "size_rules"]

Options = dict[str, Any]
Draws = tuple[dict[str, str | tuple[Any, ...]], ...]

# Arguments of the calls that say how to compute, and not what.
_RUN = ("algorithm", "backend", "precision")


class SizeRule(NamedTuple):
    """A line of the table of sizes: what one way to write a padding means on an axis.

    The formulas are Python expressions of ``n``, ``k``, ``s`` and ``d`` (size of the input,
    taps, stride, dilation), ``K = d*(k - 1) + 1`` and the letters that the options use:
    ``p``, ``q``, ``a``, ``b`` and ``N``. The tests compare them with what is read.

    Parameters
    ----------
    argument : str
        How the argument is written, for people.
    lo, size : str
        The crop at the low end and the size of the result. Where the size is an option,
        ``size`` says which input it goes with, as in ``"n = ceil(N / s)"``, or is "N".
    options : str
        The options that say so in one dimension, as in a call.
    """

    argument: str
    lo: str
    size: str
    options: str


def size_rules(table: str) -> tuple[SizeRule, ...]:
    """Read rules of sizes: argument | lo | size | options, with a line for the last two."""
    lines = table.strip().replace("\n    |", "|").splitlines()
    return tuple(SizeRule(*map(str.strip, line.split("|"))) for line in lines)


def draw_rules(*lines: str) -> Draws:
    """Read what to draw for options: "option: rule, option: value/value".

    Each line lists options that go together; the rules are those of
    `mtconv.strategies.options_for`, which draws. "written" stands for whatever `write`
    makes of random crops.
    """
    rows: list[dict[str, str]] = [
        dict(part.split(": ") for part in line.split(", ") if line != "written")
        for line in lines
    ]
    return tuple(
        {name: _values(rule) if _is_value(rule) else rule for name, rule in row.items()}
        for row in rows
    )


def _is_value(rule: str) -> bool:
    """Return whether a rule lists values; names of rules are lower-case words."""
    return "/" in rule or rule.isupper()


def _values(text: str) -> tuple[Any, ...]:
    named = {"False": False, "True": True}
    return tuple(named.get(value, value) for value in text.split("/"))


@dataclass(frozen=True)
class Framework:
    """A framework's transposed convolution: a row of the registry.

    Parameters
    ----------
    name : str
        The name in `convert` and `convert_kernel`.
    file : module
        The file with its calls. ``ARRAYS`` are the names of the input, the kernel and, if
        there is one, the bias; ``KERNEL`` is how the kernel is stored; ``LINK`` documents
        the call; ``SIZES`` and ``DRAWS`` are a table of what the paddings mean and what to
        draw for the options; ``LIMIT`` says which paddings it can say, for refusals.
        ``read`` leads from `Arguments` to a `Geometry`. ``write`` leads back: it yields
        the options that may say a geometry, the best first; what does not read back as the
        geometry, or needs a size that is not known, is passed over. ``refusals``, if there
        is one, yields what rules a geometry out, as pairs of a reason and a fix.
    call : str
        The framework's own function or layer, as its documentation writes it.
    function : callable
        The call in `mtconv.compat`; its signature has the options and their defaults.
    data : str
        Order of the input's axes: N batch, C channels, ``*`` space.
    conv_kernel, depthwise_kernel : str
        Order of the axes of the kernels of the plain and of the depthwise convolution: O
        and I are the channels of its result and, divided by the groups, of its input, M
        the results of each channel C. Empty where there is no such call.
    linear_kernel : str
        Order of the axes of the kernels of its linear layers.
    groups : str
        The option that counts groups; "by shape" where shapes tell, empty for none.
    stride, dilation : str
        The options of strides and dilations; empty for none, and conversions then refuse
        those above 1.
    sized : mapping of str to tuple
        Options that mean something else for another size of the input: the words that do,
        or nothing where every value but None does.
    padding_modes : tuple of str
        Padding modes that it has.
    beside : tuple of str
        Arguments that arrange arrays and are no matter of geometry.
    fixed : mapping of str to object
        Options that the name implies.
    defaults : mapping of str to object
        Defaults, in conversions, of arguments that the call requires.
    rule : KernelRule, optional
        How the kernel is stored, where not as the file says.
    packages : tuple of str
        What has to be installed to run it.
    live, tensor : str
        Dotted paths of the function that runs it, with ``{rank}`` for the number of spatial
        axes, and of the one that makes its arrays of NumPy's. Where more is needed, a
        function of `mtconv.verify.frameworks` does it, and these are empty.
    """

    name: str
    file: Any
    call: str
    function: Callable[..., Any]
    data: str
    conv_kernel: str = ""
    depthwise_kernel: str = ""
    linear_kernel: str = ""
    groups: str = ""
    stride: str = "stride"
    dilation: str = "dilation"
    sized: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    padding_modes: tuple[str, ...] = ("zeros",)
    beside: tuple[str, ...] = ()
    fixed: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    rule: KernelRule | None = None
    packages: tuple[str, ...] = ()
    live: str = ""
    tensor: str = ""

    @property
    def kernel(self) -> KernelRule:
        """How the kernel is stored."""
        rule: KernelRule = self.rule or self.file.KERNEL
        return rule

    def order(self, form: str) -> str:
        """Return the order of the axes of kernels of a form that nobody flips."""
        if form == "linear":
            return self.linear_kernel
        return (form == "depthwise" and self.depthwise_kernel) or self.conv_kernel

    @property
    def options(self) -> dict[str, Any]:
        """The options with their defaults; `inspect.Parameter.empty` where none is."""
        apart = {*self.file.ARRAYS, *self.beside, *_RUN}
        parameters = inspect.signature(self.function).parameters
        options = {n: p.default for n, p in parameters.items() if n not in apart}
        return options | dict(self.defaults) | dict(self.fixed)

    def needs_size(self, options: Mapping[str, Any]) -> bool:
        """Return whether these options mean something else for another input size."""
        for name, words in self.sized.items():
            value = options.get(name)
            if value is not None and (not words or str(value).upper() in words):
                return True
        return False

    def geometry(
        self,
        function: str,
        options: Mapping[str, Any],
        small: tuple[int, ...],
        taps: tuple[int, ...],
    ) -> Geometry:
        """Read options, of which some may be left out."""
        every = self.options | dict(options)
        for name, value in every.items():
            if value is inspect.Parameter.empty:
                rule = f"must have {name!r}, which {self.name} has no default for"
                raise GeometryError(message(function, "options", rule, shown(options)))
        geometry: Geometry = self.file.read(Arguments(function, every, small, taps))
        return geometry

    def options_for(self, geometry: Geometry, *, sized: bool) -> Options | None:
        """Write a geometry in this framework's options; None where they cannot say it.

        Options that depend on the input's size are used where the size is known.
        """
        small, taps = geometry.per_axis("small"), geometry.per_axis("kernel")
        for options in self.file.write(geometry):
            if self.needs_size(options) and not sized:
                continue
            try:
                meaning = self.geometry("convert", options, small, taps)
            except GeometryError:
                continue
            if self.groups == "by shape":
                meaning = meaning._replace(groups=geometry.groups)
            if meaning == geometry:
                return {**options, **self.fixed}
        return None

    def refusals(self, geometry: Geometry) -> Iterator[tuple[str, str]]:
        """Yield why a geometry cannot be said at all, and what to do; paddings apart."""
        if geometry.groups != 1 and not self.groups:
            yield "it has no groups", "Convert and run one group at a time."
        if geometry.padding_mode not in self.padding_modes:
            modes = " and ".join(self.padding_modes)
            yield f"it pads with {modes} only", ""
        if not self.stride and max(geometry.per_axis("stride")) > 1:
            fix = "Put stride - 1 zeros between the elements of the input instead."
            yield "it has no stride", fix
        if not self.dilation and max(geometry.per_axis("dilation")) > 1:
            fix = "Put dilation - 1 zeros between the taps of the kernel instead."
            yield "it has no dilation", fix
        yield from getattr(self.file, "refusals", lambda _: ())(geometry)
