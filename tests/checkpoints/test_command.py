"""`mtconv convert`: only what is named is a kernel; nothing else of a file changes."""

import json
from pathlib import Path

import numpy as np
import pytest

from mtconv.checkpoints import Checkpoint, Stored, read, write
from mtconv.cli.main import main
from mtconv.compat import convert_kernel

KERNEL = np.arange(24.0).reshape(2, 3, 4)
TORCH_TO_JAX = ("--src", "torch", "--dst", "jax")


def run(capsys, *words):
    status = main(["convert", *map(str, words)])
    out, err = capsys.readouterr()
    return status, out, err


@pytest.fixture
def model(tmp_path):
    """A file with a kernel of each form, a bias and a table of positions."""
    path = tmp_path / "model.npz"
    arrays = {
        "up.weight": KERNEL,
        "up.bias": np.arange(3.0),
        "enc.conv.weight": KERNEL + 100,
        "enc.conv.bias": np.arange(2.0),
        "dw.weight": np.arange(12.0).reshape(4, 1, 3),
        "head.weight": np.arange(6.0).reshape(2, 3),
        "pos_embed": np.arange(30.0).reshape(1, 5, 6),
    }
    np.savez(path, **arrays)
    return path, arrays


def test_every_form_is_converted_and_the_rest_is_copied(model, tmp_path, capsys, same):
    path, arrays = model
    target = tmp_path / "keras.npz"
    words = ("--transposed", "up*", "--conv", "enc*", "--depthwise", "dw*")
    words += ("--linear", "head*", "--src", "torch", "--dst", "keras")
    assert run(capsys, path, target, *words)[0] == 0
    written = np.load(target)
    assert list(written) == list(arrays)
    same(written["up.weight"], KERNEL.transpose(2, 1, 0))
    same(written["enc.conv.weight"], KERNEL.transpose(2, 1, 0) + 100)
    same(written["dw.weight"], arrays["dw.weight"].reshape(4, 3).T[:, :, None])
    same(written["head.weight"], arrays["head.weight"].T)
    for name in ("up.bias", "enc.conv.bias", "pos_embed"):
        same(written[name], arrays[name])


def test_without_patterns_nothing_is_written_and_the_command_is_shown(
    model, tmp_path, capsys
):
    path, target = model[0], tmp_path / "jax.npz"
    status, out, err = run(capsys, path, target, *TORCH_TO_JAX)
    assert status == 2
    assert not target.exists()
    assert out == (
        "array            shape      perhaps     since\n"
        "up.weight        (2, 3, 4)  transposed  its bias has 3 elements\n"
        "enc.conv.weight  (2, 3, 4)  conv        its bias has 2 elements\n"
        "dw.weight        (4, 1, 3)  ?           neither name nor bias tells\n"
        "pos_embed        (1, 5, 6)  copied      its name has 'embed'\n"
    )
    assert err == (
        "mtconv convert: error: nothing was written, since no option says which arrays are "
        "kernels. If the table is right, write\n"
        f"  mtconv convert {path} {target} --src torch --dst jax --transposed up.weight "
        "--conv enc.conv.weight --transposed dw.weight\n"
    )
    # The command that was shown works.
    assert run(capsys, *err.splitlines()[1].split()[2:])[0] == 0
    assert target.exists()


def test_guesses_have_reasons(model, tmp_path, capsys, same):
    path, target = model[0], tmp_path / "jax.npz"
    words = (*TORCH_TO_JAX, "--guess")
    assert run(capsys, path, target, *words)[0] == 2  # dw.weight is not clear
    status, out, _ = run(capsys, path, target, *words, "--conv", "dw*")
    assert status == 0
    assert "transposed, torch -> jax: its bias has 3 elements" in out
    assert "conv, torch -> jax: named by 'dw*'" in out
    same(np.load(target)["up.weight"], convert_kernel(KERNEL, "torch", "jax"))
    same(np.load(target)["enc.conv.weight"], KERNEL.transpose(2, 1, 0) + 100)


def test_a_lone_npy_file(tmp_path, capsys, same):
    source, target = tmp_path / "torch.npy", tmp_path / "jax.npy"
    np.save(source, KERNEL)
    words = (source, target, *TORCH_TO_JAX, "--transposed", "*")
    assert run(capsys, *words)[::2] == (0, "")
    same(np.load(target), convert_kernel(KERNEL, "torch", "jax"))


def test_groups_of_a_pattern(tmp_path, capsys, same):
    source, target = tmp_path / "a.npz", tmp_path / "b.npz"
    kernel = np.arange(48.0).reshape(4, 3, 4)
    np.savez(source, a=kernel, b=kernel)
    words = (
        "--src",
        "torch",
        "--dst",
        "equinox",
        "--transposed",
        "a=2",
        "--transposed",
        "b",
    )
    assert run(capsys, source, target, *words)[0] == 0
    same(np.load(target)["a"], convert_kernel(kernel, "torch", "equinox", 2))
    same(np.load(target)["b"], convert_kernel(kernel, "torch", "equinox"))


@pytest.mark.parametrize("ending", ["npz", "safetensors"])
def test_there_and_back_nothing_is_lost(ending, tmp_path, capsys):
    arrays = {
        name: Stored(dtype, np.arange(6, dtype=carried).reshape(shape))
        for name, dtype, carried, shape in [
            ("up.weight", "<f4", "<f4", (1, 2, 3)),
            ("half", "BF16", "<u2", (2, 3)),
            ("up.bf16", "BF16", "<u2", (1, 2, 3)),
            ("f8", "F8_E4M3", "<u1", (6,)),
            ("", "<i8", "<i8", (6, 1)),
            ("kernel", "|u1", "|u1", (6,)),
            ("allow_pickle", "<u2", "<u2", (3, 2)),
            ("a/../ü 漢.npy", "<f2", "<f2", (6,)),
        ]
    }
    arrays["n"] = Stored("<f8", np.array(3.5))
    arrays["none"] = Stored("<f4", np.zeros((0, 3), "<f4"))
    arrays["flags"] = Stored("|b1", np.array([True, False]))
    first = tmp_path / "first.safetensors"
    write(first, Checkpoint(arrays, {"format": "pt", "note": "ü"}))
    there, back = tmp_path / f"there.{ending}", tmp_path / "back.safetensors"
    up = ("--transposed", "up*")
    assert run(capsys, first, there, "--src", "torch", "--dst", "jax", *up)[0] == 0
    assert read(there).arrays["up.bf16"].array.tolist() == [
        [[2, 5]],
        [[1, 4]],
        [[0, 3]],
    ]
    assert run(capsys, there, back, "--src", "jax", "--dst", "torch", *up)[0] == 0
    result = read(back)
    assert result.metadata == {"format": "pt", "note": "ü"}
    assert list(result.arrays) == list(arrays)
    for name, stored in arrays.items():
        assert result.arrays[name].dtype == stored.dtype
        assert result.arrays[name].array.shape == stored.array.shape
        assert (result.arrays[name].array == stored.array).all()


def test_names_by_a_table(model, tmp_path, capsys):
    path, target = model[0], tmp_path / "b.npz"
    for table in (
        "up.weight up.kernel\nup.bias  b\n",
        '{"up.weight": "up.kernel", "up.bias": "b"}',
    ):
        names = tmp_path / "names"
        names.write_text(table)
        words = (*TORCH_TO_JAX, "--transposed", "up*", "--rename", names, "--force")
        assert run(capsys, path, target, *words)[0] == 0
        assert list(np.load(target))[:3] == ["up.kernel", "b", "enc.conv.weight"]


def test_list_shows_what_a_file_holds(tmp_path, capsys):
    path = tmp_path / "a.safetensors"
    write(
        path, Checkpoint({"a b": Stored("BF16", np.zeros((2, 3), "u2"))}, {"x": "\x1b[1m"})
    )
    assert run(capsys, path, "--list") == (
        0,
        "array  dtype  shape\na b    BF16   (2, 3)\nmetadata x: '\\x1b[1m'\n",
        "",
    )


REFUSED = {
    "a pattern that meets nothing": (
        ["a.npz", "b.npz", *TORCH_TO_JAX, "--conv", "nothing*"],
        "no kernel has a name like 'nothing*', which conv asks for",
    ),
    "a pattern that meets biases only": (
        ["a.npz", "b.npz", *TORCH_TO_JAX, "--conv", "*.bias"],
        "no kernel has a name like '*.bias'",
    ),
    "two roles": (
        ["a.npz", "b.npz", *TORCH_TO_JAX, "--conv", "up*", "--transposed", "up.w*"],
        "'up.weight' is both transposed (named by 'up.w*', groups 1) and conv",
    ),
    "another ending": (["a.npz", "b.h5", *TORCH_TO_JAX], "b.h5: must end in .npy, .npz or"),
    "a file that is not there": (
        ["absent.npy", "b.npy", *TORCH_TO_JAX],
        "absent.npy: No such file or directory",
    ),
    "a folder that is not there": (
        ["a.npz", "no/b.npz", *TORCH_TO_JAX, "--transposed", "up*"],
        "no/b.npz: No such file or directory",
    ),
    "several arrays in a .npy": (
        ["a.npz", "b.npy", *TORCH_TO_JAX, "--transposed", "up*"],
        "b.npy: a .npy file holds one array and no metadata",
    ),
    "over the input": (
        ["a.npz", "a.npz", *TORCH_TO_JAX, "--transposed", "up*", "--force"],
        "TARGET must be another file than the source; got a.npz.\n",
    ),
    "over another file": (
        ["a.npz", "old.npz", *TORCH_TO_JAX, "--transposed", "up*"],
        "TARGET must not exist yet, or be given with --force; got old.npz.\n",
    ),
    "a pickle of torch": (
        ["a.pt", "b.npz", *TORCH_TO_JAX],
        "a.pt: holds pickles, which may run any code and are never read. In torch: "
        "safetensors.torch.save_file(torch.load('a.pt', weights_only=True), "
        "'a.safetensors')",
    ),
    "no framework": (["a.npz", "b.npz"], "--src must be given; got nothing.\n"),
    "no target": (["a.npz", *TORCH_TO_JAX], "TARGET must be given; got nothing.\n"),
    "a target with --list": (
        ["a.npz", "b.npz", "--list"],
        "TARGET must be left out with --list; got b.npz.\n",
    ),
    "a wrong group": (
        ["a.npz", "b.npz", "--src", "torch", "--dst", "equinox", "--transposed", "up*=3"],
        "a.npz: up.weight: `groups` must divide the I axis of `kernel`",
    ),
    "new names for what is not there": (
        ["a.npz", "b.npz", *TORCH_TO_JAX, "--transposed", "up*", "--rename", "names.json"],
        "--rename must rename arrays that are there; got ['x']",
    ),
    "no table of names": (
        ["a.npz", "b.npz", *TORCH_TO_JAX, "--transposed", "up*", "--rename", "a.npz"],
        "a.npz: is no table of names",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_done_is_said_in_one_line(
    case, model, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    model[0].rename("a.npz")
    before = Path("a.npz").stat().st_mtime_ns
    np.savez("old.npz", a=KERNEL)
    (tmp_path / "names.json").write_text(json.dumps({"x": "y"}))
    words, text = REFUSED[case]
    status, out, err = run(capsys, *words)
    assert (status, out) == (2, "")
    assert text in err
    assert err.count("\n") == 1
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [
        "a.npz",
        "names.json",
        "old.npz",
    ]
    assert Path("a.npz").stat().st_mtime_ns == before


def test_a_link_to_the_input_is_the_input(tmp_path, capsys):
    source, link = tmp_path / "a.npy", tmp_path / "b.npy"
    np.save(source, KERNEL)
    link.symlink_to(source)
    words = (source, link, *TORCH_TO_JAX, "--transposed", "*", "--force")
    status, _, err = run(capsys, *words)
    assert status == 2
    assert "TARGET must be another file than the source" in err


def test_what_is_written_half_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    old = tmp_path / "a.npy"
    np.save(old, KERNEL)
    with pytest.raises(ValueError, match=r"a\.npy: No space left on device"):
        write(old, Checkpoint({"": Stored("<f8", KERNEL)}), replace=True)
    assert list(tmp_path.iterdir()) == [old]
    assert (np.load(old) == KERNEL).all()


def test_files_are_those_of_the_package_safetensors(tmp_path, same):
    files = pytest.importorskip("safetensors.numpy")
    arrays = {"w": KERNEL.astype("f4"), "b": np.arange(3, dtype="i1"), "n": np.array(2.0)}
    path = tmp_path / "theirs.safetensors"
    files.save_file(arrays, path, metadata={"a": "b"})
    checkpoint = read(path)
    assert checkpoint.metadata == {"a": "b"}
    write(tmp_path / "ours.safetensors", checkpoint)
    for name, array in files.load_file(tmp_path / "ours.safetensors").items():
        same(array, arrays[name])


def test_other_byte_orders_and_fortran_order(tmp_path, same):
    array = np.asfortranarray(np.arange(6, dtype=">i4").reshape(2, 3))
    np.save(tmp_path / "a.npy", array)
    write(tmp_path / "b.safetensors", read(tmp_path / "a.npy"))
    same(read(tmp_path / "b.safetensors").arrays[""].array, array.astype("<i4"))
