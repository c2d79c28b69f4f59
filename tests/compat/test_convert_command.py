"""`mtconv convert`: files of kernels in, converted files out, never a pickle."""

import numpy as np
import pytest

from mtconv.cli.main import main
from mtconv.compat import convert_kernel

kernel = np.arange(24).reshape(2, 3, 4)


def run(capsys, *words):
    status = main(["convert", *map(str, words)])
    out, err = capsys.readouterr()
    return status, out, err


def test_a_npy_file(tmp_path, capsys, same):
    source, target = tmp_path / "torch.npy", tmp_path / "jax.npy"
    np.save(source, kernel)
    status, out, err = run(capsys, source, target, "--src", "torch", "--dst", "jax")
    assert (status, err) == (0, "")
    assert "torch -> jax" in out
    same(np.load(target), convert_kernel(kernel, "torch", "jax"))


def test_a_npz_file_keeps_what_is_no_kernel(tmp_path, capsys, same):
    source, target = tmp_path / "a.npz", tmp_path / "b.npz"
    np.savez(source, weight=kernel, bias=np.arange(3))
    status, out, _ = run(capsys, source, target, "--src", "torch", "--dst", "keras")
    assert status == 0
    assert out == (
        "array   read       written\n"
        "weight  (2, 3, 4)  (4, 3, 2)  torch -> keras\n"
        "bias    (3,)       (3,)       copied\n"
    )
    written = np.load(target)
    same(written["weight"], convert_kernel(kernel, "torch", "keras"))
    same(written["bias"], np.arange(3))


def test_safetensors_with_a_pattern_and_groups(tmp_path, capsys, same):
    files = pytest.importorskip("safetensors.numpy")
    source, target = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    files.save_file({"up.weight": kernel, "conv.weight": kernel}, source)
    words = ("--src", "torch", "--dst", "equinox", "--groups", "2", "--only", "up.*")
    assert run(capsys, source, target, *words)[0] == 0
    written = files.load_file(target)
    same(written["up.weight"], convert_kernel(kernel, "torch", "equinox", 2))
    same(written["conv.weight"], kernel)


def test_a_pickle_is_not_read(tmp_path, capsys):
    source = tmp_path / "objects.npy"
    np.save(source, np.array([{}, {}]), allow_pickle=True)
    words = (source, tmp_path / "b.npy", "--src", "torch", "--dst", "jax")
    status, _, err = run(capsys, *words)
    assert status == 2
    assert "`source` must be a readable file of plain arrays" in err
    assert not (tmp_path / "b.npy").exists()


@pytest.mark.parametrize(
    ("source", "target", "dst", "error"),
    [
        ("a.npy", "a.npy", "jax", "`target` must not exist yet, or be given with --force"),
        ("a.npy", "b.pt", "jax", "`target` must end in .npy, .npz or .safetensors"),
        ("absent.npy", "b.npy", "jax", "`source` must be a readable file"),
        ("a.npy", "b.npy", "jaxx", "`dst` must be one of 'mtconv', 'torch'"),
        ("two.npz", "b.npy", "jax", "`target` must be .npz or .safetensors for several"),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path, capsys, source, target, dst, error):
    np.save(tmp_path / "a.npy", kernel)
    np.savez(tmp_path / "two.npz", a=kernel, b=kernel)
    words = (tmp_path / source, tmp_path / target, "--src", "torch", "--dst", dst)
    status, _, err = run(capsys, *words)
    assert status == 2
    assert error in err


def test_force_writes_over_the_target(tmp_path, capsys, same):
    path = tmp_path / "a.npy"
    np.save(path, kernel)
    words = (path, path, "--src", "torch", "--dst", "jax", "--force")
    assert run(capsys, *words)[0] == 0
    same(np.load(path), convert_kernel(kernel, "torch", "jax"))
