"""500 damaged files end in one line that names the file, status 2, and little memory."""

import io
import json
import tracemalloc
import zipfile

import numpy as np
import pytest

from mtconv.checkpoints import Checkpoint, Stored, write
from mtconv.cli.main import main

ENDINGS = ("npy", "npz", "safetensors")
COUNT = 125  # of each ending, and 125 hostile ones below


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The bytes of a good file of each ending."""
    folder = tmp_path_factory.mktemp("whole")
    kernel = Stored("<f4", np.arange(24, dtype="<f4").reshape(2, 3, 4))
    extra = {
        "up.weight": kernel,
        "b": Stored("<i8", np.arange(3)),
        "h": Stored("BF16", np.ones(5, "<u2")),
    }
    files = {}
    for ending in ENDINGS:
        path = folder / f"a.{ending}"
        checkpoint = (
            Checkpoint({"": kernel}) if ending == "npy" else Checkpoint(extra, {"k": "v"})
        )
        write(path, checkpoint)
        files[ending] = path.read_bytes()
    return files


def fails_in_one_line(path, capsys):
    status = main(["convert", str(path), "--list"])
    out, err = capsys.readouterr()
    assert (status, out) == (2, ""), (status, out)
    assert err.startswith(f"mtconv convert: error: {path}: "), err
    assert err.count("\n") == 1, err
    assert len(err) < 1000, len(err)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_cut_file(ending, whole, tmp_path, capsys):
    rng, data = np.random.default_rng(1), whole[ending]
    path = tmp_path / f"cut.{ending}"
    for number in range(COUNT):
        length = number if number < 40 else int(rng.integers(len(data)))
        path.write_bytes(data[:length])
        fails_in_one_line(path, capsys)


@pytest.mark.parametrize("ending", ENDINGS)
def test_flipped_bits_are_seen_or_change_elements_and_names_alone(
    ending, whole, tmp_path, capsys
):
    """Headers have no checksums, so that some flips lead to another legal file."""
    rng, data = np.random.default_rng(2), whole[ending]
    path, seen = tmp_path / f"flipped.{ending}", 0
    for _ in range(COUNT):
        flipped = bytearray(data)
        for position in rng.integers(0, min(len(data), 140), 3):
            flipped[position] ^= 1 << int(rng.integers(8))
        path.write_bytes(flipped)
        if main(["convert", str(path), "--list"]) == 0:
            assert capsys.readouterr().err == ""
            continue
        seen += 1
        out, err = capsys.readouterr()
        assert err.startswith(f"mtconv convert: error: {path}: ")
        assert (out, err.count("\n")) == ("", 1)
    assert seen > COUNT / 2


def npy(shape, descr="<f8", version=b"\x01\x00", data=b""):
    text = repr({"descr": descr, "fortran_order": False, "shape": shape}).encode() + b"\n"
    size = 2 if version[0] == 1 else 4
    return b"\x93NUMPY" + version + len(text).to_bytes(size, "little") + text + data


def safetensors(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    length = len(text) if length is None else length
    return length.to_bytes(8, "little") + text + data


def archive(members, compression=zipfile.ZIP_DEFLATED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as target:
        for name, data in members:
            target.writestr(name, data)
    return file.getvalue()


def entry(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"a": {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}}


def hostile():
    """Yield ending and bytes of files whose headers lie."""
    for shape in ((2**62,), (2**40, 2**40), (-1,), (10**30,), (3.5,), ("a",), (True,), 7):
        yield "npy", npy(shape, data=b"\0" * 8)
    for descr in (
        "|O",
        "O",
        "<U1000000000",
        "|S0",
        "|V0",
        "no",
        [("a", "|O")],
        "<f99",
        None,
    ):
        yield "npy", npy((1,), descr, data=b"\0" * 8)
    for version in (b"\x03\x00", b"\x09\x09", b"\x00\x00"):
        yield "npy", npy((1,), version=version, data=b"\0" * 8)
    yield "npy", npy((1,), data=b"\0" * 9)
    yield "npy", b"\x80\x04\x95\x00."  # a pickle
    yield "npy", b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 65535
    yield "npy", b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + b"[" * 100
    yield "npy", b"\x93NUMPY\x01\x00\xff\x7f" + b"9" * 0x7FFF  # NumPy quotes it all
    for length in (0, 1, 2**31, 2**63, 2**64 - 1, 99_999_999):
        yield "safetensors", safetensors(entry(), b"\0" * 8, length)
    for text in (
        b"[]",
        b"{",
        b"nul",
        b"[" * 100_000,
        b'{"a": 1}',
        b'{"a":{},"a":{}}',
        b"1" * 5000,
        b"\xff\xfe",
    ):
        yield "safetensors", safetensors(text)
    for dtype in ("F99", "", None, 3, [], "f32", {}):
        yield "safetensors", safetensors(entry(dtype), b"\0" * 8)
    for shape in ((3,), (-2,), (2**62, 2), (2.0,), ("2",), (True, 2), [1] * 40, (2**70,)):
        yield "safetensors", safetensors(entry(shape=shape), b"\0" * 8)
    for offsets in (
        (8, 0),
        (0, 9),
        (4, 12),
        (-8, 0),
        (0,),
        (0, 8, 8),
        (0, 2**63),
        ("0", "8"),
        (0.0, 8.0),
    ):
        yield "safetensors", safetensors(entry(offsets=offsets), b"\0" * 8)
    two = entry() | {"b": entry()["a"]}
    yield "safetensors", safetensors(two, b"\0" * 8)
    yield "safetensors", safetensors(entry(), b"\0" * 9)
    yield "safetensors", safetensors(entry() | {"__metadata__": {"a": 1}}, b"\0" * 8)
    yield "safetensors", safetensors(entry() | {"__metadata__": []}, b"\0" * 8)
    good = npy((1,), data=b"\0" * 8)
    yield "npz", archive([("a.npy", good[:-1])])
    yield "npz", archive([("a.npy", good + b"\0")])
    yield "npz", archive([("a.txt", good)])
    yield "npz", archive([("data.pkl", b"\x80\x04.")])
    yield "npz", archive([("a.npy", good)], zipfile.ZIP_LZMA)
    yield "npz", archive([("a.npy", good)], zipfile.ZIP_BZIP2)
    yield "npz", b"PK\x05\x06" + b"\xff" * 18
    yield "npz", b"PK\x03\x04" + b"\0" * 100
    yield "npz", safetensors(entry(), b"\0" * 8)
    yield "npy", archive([("a.npy", good)])
    yield "safetensors", archive([("a.npy", good)])
    for shape in ((2**62,), (10**12,), (-1,)):
        yield "npz", archive([("a.npy", npy(shape, data=b"\0" * 8))])
    for text in (
        b"[",
        b"{}",
        b'{"dtypes": {"a": "BF16"}, "metadata": {}}',
        b'{"dtypes": {"a": "X"}, "metadata": {}}',
    ):
        file = io.BytesIO(archive([("a.npy", good)]))
        with zipfile.ZipFile(file, "a") as target:
            target.comment = b"mtconv: " + text
        if b"BF16" not in text:
            yield "npz", file.getvalue()


def bombs():
    """Yield archives that would unpack to hundreds of megabytes and to gigabytes."""
    zeros = npy((2**24,), data=b"\0" * 2**27)
    yield archive([("a.npy", zeros)])
    yield archive([(f"{n}.npy", zeros) for n in range(2)])
    small = archive([("a.npy", npy((1,), data=b"\0" * 8))])
    place = small.rindex(b"PK\x01\x02")
    for size in (2**31, 2**32 - 2):  # the directory says gigabytes
        yield small[: place + 24] + size.to_bytes(4, "little") + small[place + 28 :]


CASES = list(hostile())


@pytest.mark.parametrize("number", range(len(CASES)))
def test_a_header_that_lies(number, tmp_path, capsys):
    ending, data = CASES[number]
    path = tmp_path / f"hostile.{ending}"
    path.write_bytes(data)
    tracemalloc.start()
    fails_in_one_line(path, capsys)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**23 + 20 * len(data)


def test_archives_that_unpack_to_gigabytes(tmp_path, capsys):
    path = tmp_path / "bomb.npz"
    for data in bombs():
        path.write_bytes(data)
        tracemalloc.start()
        fails_in_one_line(path, capsys)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2**23 + 20 * len(data)


def test_so_many_files_were_damaged():
    assert 2 * COUNT * len(ENDINGS) + len(CASES) >= 500
