"""Time a decoder of audio chunk by chunk, beside overlaps and beside the whole.

``python -m tests.benchmarks.bench_streams [--write]``. Decoding with overlaps is what is
done without streams: each chunk is decoded with as many frames on both sides as its
outputs depend on, and the rest is thrown away. One thread computes.
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

import mtconv
from mtconv.backends import _numpy
from mtconv.streaming import Stream
from tests.benchmarks.decoder import FEATURES, HOP, decoder, whole
from tests.benchmarks.harness import markdown_table, write_section

__all__ = ["main"]

PAGE = Path(__file__).parents[2] / "docs" / "streams.md"
CHANNELS = 512
FRAMES = 56
CHUNKS = (1, 7, 28)
ROUNDS = 5
RATE = 44100  # samples a second


def main() -> None:
    """Print the figures, and write them into the page with ``--write``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", action="store_true")
    write = parser.parse_args().write
    with mtconv.workers(1), threadpool_limits(1):
        text = f"{speed()}\n\n{memory()}"
    print(text)
    if write:
        write_section("bench_streams", text, PAGE)


def spectra(frames: int) -> Any:
    """Make features of random numbers."""
    x = np.random.default_rng(1).normal(size=(1, FEATURES, frames))
    return x.astype("float32")


def by_stream(stream: Stream, x: Any, chunk: int) -> Any:
    """Decode chunk by chunk."""
    state = stream.start(1, "float32")
    outputs = []
    for start in range(0, x.shape[-1], chunk):
        state, output = stream.step(state, x[..., start : start + chunk])
        outputs.append(output)
    return np.concatenate([*outputs, stream.flush(state)], -1)


def by_overlaps(decode: Callable[[Any], Any], x: Any, chunk: int, side: int) -> Any:
    """Decode each chunk with the frames around it, and keep its own part."""
    outputs = []
    for start in range(0, x.shape[-1], chunk):
        first = max(start - side, 0)
        y = decode(x[..., first : start + chunk + side])
        begin = (start - first) * HOP
        outputs.append(y[..., begin : begin + chunk * HOP])
    return np.concatenate(outputs, -1)


@contextmanager
def counting() -> Iterator[list[int]]:
    """Count the multiply-adds of all maps that run inside."""
    counts: list[int] = []
    run = _numpy.run

    def counted(plan: Any, first: Any, *rest: Any) -> Any:
        counts.append(plan.spec.multiply_adds * first.shape[0])
        return run(plan, first, *rest)

    _numpy.run = counted
    try:
        yield counts
    finally:
        _numpy.run = run


def speed() -> str:
    """Compare times and work; check that all results agree."""
    stream, decode, x = decoder(CHANNELS), whole(CHANNELS), spectra(FRAMES)
    side = -(-stream.latency // HOP)
    with counting() as counts:
        expected = decode(x)
    work = sum(counts)
    ways: dict[str, Callable[[], Any]] = {"whole": lambda: decode(x)}
    shares = {}
    for chunk in CHUNKS:
        ways[f"stream {chunk}"] = lambda c=chunk: by_stream(stream, x, c)
        ways[f"overlaps {chunk}"] = lambda c=chunk: by_overlaps(decode, x, c, side)
        for name in (f"stream {chunk}", f"overlaps {chunk}"):
            with counting() as counts:
                got = ways[name]()
            np.testing.assert_allclose(got, expected, atol=1e-5)
            shares[name] = sum(counts) / work
    times = timed(ways)
    rows = []
    for chunk in CHUNKS:
        stream_s, overlaps_s = times[f"stream {chunk}"], times[f"overlaps {chunk}"]
        audio = FRAMES * HOP / RATE
        rows.append(
            (
                chunk,
                f"{stream_s / FRAMES * chunk * 1000:.1f}",
                f"{audio / stream_s:.2f}",
                f"{stream_s / times['whole']:.2f}",
                f"{shares[f'stream {chunk}']:.3f}",
                f"{shares[f'overlaps {chunk}']:.1f}",
                f"{overlaps_s / stream_s:.1f}",
            )
        )
    header = (
        "Frames a chunk",
        "ms a step",
        "real-time factor",
        "time / whole",
        "work / whole",
        "work of overlaps / whole",
        "faster than overlaps",
    )
    return markdown_table(header, rows)


def timed(ways: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Median seconds of each way, all in turn, round after round.

    Those of the processor, since one thread computes and others may share it.
    """
    samples: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, function in ways.items():
            start = time.process_time()
            function()
            samples[name].append(time.process_time() - start)
    return {name: median(values) for name, values in samples.items()}


def memory() -> str:
    """Compare the peak memory of a short and of a long signal, outputs dropped."""
    stream = decoder(64)
    peaks = []
    for frames in (32, 32, 1024):  # the first makes what is kept between calls
        tracemalloc.start()
        state = stream.start(1, "float32")
        for number in range(frames // 4):
            x = spectra(4) * number
            state, _ = stream.step(state, x)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    short, long = peaks[1:]
    assert long < 1.1 * short, peaks
    return (
        f"Peak memory with 64 channels and chunks of 4 frames: {short / 2**20:.2f} MiB for "
        f"32 frames, {long / 2**20:.2f} MiB for 1024."
    )


if __name__ == "__main__":
    main()
