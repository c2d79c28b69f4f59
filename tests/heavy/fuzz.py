"""Call the public functions with raw arguments, a million times and more.

Every call returns an array of the shape that was said before, or raises one of mtconv's
two errors, or MemoryError where a legal result is beyond 8 GiB. Anything else, a warning
included, ends the run with the call printed; so do 1000 calls that take a minute. Every
tenth call is explained and printed too.

    python tests/heavy/fuzz.py --calls 1000000
"""

from __future__ import annotations

import argparse
import faulthandler
import random
import resource
import time
import traceback
import warnings

import numpy as np

import mtconv

# Address space of the run: legal sizes beyond it raise MemoryError at once.
MEMORY = 8 * 2**30

NAN = float("nan")
WRONG = (None, True, False, 0, -1, 2.0, 1.5, NAN, "2", "", b"1", (), [], {}, object())
HUGE = (10**6, 10**15, -(10**15), 2**63, 2**200)
LAYOUTS = ("NCHW", "NHWC", "CHW", "HW", "NCL", "NLC", "NCW", "CL", "L", "NHW", "nchw")
KERNEL_LAYOUTS = ("IOHW", "HWIO", "OIHW", "HWOI", "IOL", "LIO", "HW", "L", "IO", "I")
ALGORITHMS = ("auto", "exact", "gemm", "polyphase", "direct", "fft", None)
DTYPES = ("float64", "float32", "float16", "int64", "int8", "uint16", "complex64")
ODD_DTYPES = ("bool", "object", "U1", "M8[D]", "V4")


class Fuzzer:
    """Draws calls; mostly near to legal ones, for those reach furthest."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def small(self) -> object:
        roll = self.rng.random()
        if roll < 0.985:
            return self.rng.choice((1, 1, 1, 2, 2, 3, np.int64(2)))
        return self.rng.choice(WRONG if roll < 0.997 else HUGE)

    def size(self) -> int:
        return 0 if self.rng.random() < 0.005 else self.rng.randint(1, 8)

    def value(self, rank: int) -> object:
        if self.rng.random() < 0.6:
            return self.small()
        length = rank if self.rng.random() < 0.95 else self.rng.randrange(4)
        return self.rng.choice((tuple, list))(self.small() for _ in range(length))

    def padding(self, rank: int) -> object:
        roll = self.rng.random()
        if roll < 0.15:
            return self.rng.choice(("valid", "same", "same_lower", "SAME", "full"))
        if roll < 0.5:
            return self.value(rank)
        pair = (-2, -1, 0, 0, 1, 2, 5)
        return tuple((self.rng.choice(pair), self.rng.choice(pair)) for _ in range(rank))

    def array(self, shape: tuple[int, ...]) -> object:
        roll = self.rng.random()
        if roll < 0.01:
            return self.rng.choice(WRONG)
        dtype = self.rng.choice(DTYPES if roll < 0.985 else ODD_DTYPES)
        array = np.ones(shape, np.int8).astype(dtype, copy=False)
        if roll < 0.05:
            return array.tolist()
        return array[::-1] if roll < 0.1 and array.ndim else array

    def options(self, form: str, rank: int) -> dict[str, object]:
        makers = {
            "stride": lambda: self.value(rank),
            "dilation": lambda: self.value(rank),
            "padding": lambda: self.padding(rank),
            "groups": self.small,
            "padding_mode": lambda: self.rng.choice(
                ("zeros", "circular", "reflect", "replicate", "symmetric", "wrap")
            ),
            "layout": lambda: self.rng.choice(LAYOUTS),
            "kernel_layout": lambda: self.rng.choice(KERNEL_LAYOUTS),
            "algorithm": lambda: self.rng.choice(ALGORITHMS),
            "backend": lambda: self.rng.choice((None, "numpy", "sparse", "nothing", 3)),
        }
        if form == "conv_transpose":
            makers["output_padding"] = lambda: self.value(rank)
            makers["output_size"] = lambda: self.rng.randrange(12)
        rare = ("layout", "kernel_layout", "backend", "output_size")
        return {
            name: make()
            for name, make in makers.items()
            if self.rng.random() < (0.06 if name in rare else 0.3)
        }

    def call(self) -> tuple[str, list[object], dict[str, object]]:
        form = self.rng.choice(("conv_transpose", "conv", "kernel_grad"))
        rank = self.rng.choice((1, 1, 2, 2, 3))
        space = tuple(self.size() for _ in range(rank))
        taps = tuple(min(self.size(), 4) for _ in range(rank))
        options = self.options(form, rank)
        groups = options.get("groups")
        groups = groups if isinstance(groups, int) and 0 < groups < 4 else 1
        a = groups * self.rng.choice((0, 1, 1, 1, 2, 2))
        share = self.rng.randint(1, 2)
        near = self.rng.random() < 0.97  # otherwise channels that do not fit
        if form == "kernel_grad":
            batch = self.rng.randrange(3)
            grown = tuple(n + self.rng.randrange(3) for n in space)
            x, y = (batch, a, *space), (batch, share * groups, *grown)
            if self.rng.random() < 0.7:  # a size that fits, if the options are plain
                y = (*y[:2], *(max(n + k - 1, 0) for n, k in zip(space, taps, strict=True)))
            options["kernel_size"] = taps if self.rng.random() < 0.9 else self.small()
            return form, [self.array(x), self.array(y)], options
        bare = rank < 3 and self.rng.random() < 0.2
        channels = a if form == "conv_transpose" else share * groups
        lead = () if bare else (self.rng.randrange(3), channels + (not near))
        if not bare and self.rng.random() < 0.3:
            lead = lead[1:]
        kernel = taps if bare else (a, share, *taps)
        arrays = [self.array((*lead, *space)), self.array(kernel)]
        if not bare and self.rng.random() < 0.2:
            arrays.append(self.array((share * groups if form == "conv_transpose" else a,)))
        return form, arrays, options


def shape_before(form: str, arrays: list[object], options: dict[str, object]) -> object:
    """The shape that the call has to have, or None where nothing says it before."""
    if form == "kernel_grad":
        return None
    said = {
        k: v for k, v in options.items() if k not in ("algorithm", "backend", "precision")
    }
    shapes = shapes_of(arrays)
    return getattr(mtconv, f"{form}_shape")(*shapes, **said)


def explained(form: str, arrays: list[object], options: dict[str, object]) -> None:
    """Explain a call of one of the two maps, and print it."""
    if form == "kernel_grad":
        return
    said = {key: value for key, value in options.items() if key != "precision"}
    backend = said.pop("backend", None) or "numpy"
    str(mtconv.explain(*shapes_of(arrays), form=form, backend=backend, **said))


def shapes_of(arrays: list[object]) -> list[tuple[int, ...]]:
    return [np.shape(array) for array in arrays[:2]]  # type: ignore[arg-type]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    warnings.simplefilter("error")
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    fuzzer = Fuzzer(arguments.seed)
    returned = refused = unaffordable = 0
    start = time.perf_counter()
    for number in range(arguments.calls):
        form, arrays, options = fuzzer.call()
        if number % 1000 == 0:
            faulthandler.dump_traceback_later(60, exit=True)  # replaces the last one
        try:
            if number % 10 == 0:
                explained(form, arrays, options)
            result = getattr(mtconv, form)(*arrays, **options)
            said = shape_before(form, arrays, options)
            if said is not None and result.shape != said:
                raise RuntimeError(f"shape {result.shape}, but {said} was said")  # noqa: EM102
            returned += 1
        except (mtconv.GeometryError, mtconv.BackendError):
            refused += 1
        except MemoryError:
            unaffordable += 1  # a legal size beyond the limit set above
        except BaseException:
            print(f"call {number}: {form}({arrays}, {options})")
            traceback.print_exc()
            raise SystemExit(1) from None
    faulthandler.cancel_dump_traceback_later()
    seconds = time.perf_counter() - start
    print(
        f"{arguments.calls} calls from seed {arguments.seed} in {seconds:.0f} s: "
        f"{returned} results, {refused} refused in mtconv's own words, {unaffordable} too "
        "large for memory; no crash, hang, other exception or warning"
    )


if __name__ == "__main__":
    main()
