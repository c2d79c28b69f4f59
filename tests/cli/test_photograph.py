"""The demonstration shows what it says: right values, a true table, a true picture."""

import importlib.util
import re

import numpy as np
import pytest

import mtconv
from mtconv.backends.dispatch import BACKENDS, missing_packages
from mtconv.cli import photograph as demo
from mtconv.cli.main import main

INSTALLED = [name for name in BACKENDS if not missing_packages(name)]


@pytest.fixture(scope="module")
def photograph():
    return demo.load_photograph()


@pytest.mark.parametrize("scale", [2, 3, 4, 5])
def test_the_bilinear_kernel_enlarges_a_ramp_to_a_ramp(scale):
    ramp = np.arange(20.0)[None, :, None] + np.zeros((1, 1, 6))
    kernel = demo.bilinear_kernel(scale, 1).astype(np.float64)
    large = mtconv.conv_transpose(ramp, kernel, stride=scale, padding=scale // 2)
    steps = np.diff(large[0, scale:-scale, 2 * scale])
    np.testing.assert_allclose(steps, 1 / scale, atol=1e-6)


def test_the_photograph_is_whole_numbers_in_three_channels(photograph):
    assert photograph.shape == (3, 256, 256)
    assert photograph.dtype == np.float32
    assert (photograph == photograph.round()).all()
    assert photograph.min() < 20
    assert photograph.max() > 240


def test_float32_holds_every_sum_of_every_job_exactly(photograph):
    # Kernels are multiples of 1/64, so sums are exact while below 2**24 / 64.
    for job in demo.jobs(photograph):
        scaled = job.kernel * 64
        assert (scaled == scaled.round()).all()
        largest = mtconv.conv_transpose(np.abs(job.x), np.abs(job.kernel), **job.options)
        assert largest.max() * 64 < 2**24


@pytest.mark.parametrize("backend", INSTALLED)
def test_backends_agree_exactly_and_are_adjoint_exactly(photograph, backend):
    small = photograph[:, 100:132, 100:124]
    for job in demo.jobs(small):
        got = demo.measure(job, backend)
        expected = mtconv.conv_transpose(
            job.x.astype(np.float64), job.kernel, algorithm="direct", **job.options
        )
        assert (got.result == expected).all()
        assert got.adjoint_error == 0
        assert got.first > 0
        assert got.again > 0


def test_enlarging_keeps_the_picture(photograph):
    twice, four_times, layer = (
        demo.measure(job, "numpy").result for job in demo.jobs(photograph)
    )
    for scale, large in ((2, twice), (4, four_times)):
        assert large.shape == (3, 256 * scale, 256 * scale)
        blocks = large.reshape(3, 256, scale, 256, scale).mean(axis=(2, 4))
        correlation = np.corrcoef(blocks.ravel(), photograph.ravel())[0, 1]
        assert correlation > 0.99
    assert layer.shape == (32, 64, 64)


def test_the_picture_holds_input_outputs_details_and_every_channel(photograph):
    results = [demo.measure(job, "numpy").result for job in demo.jobs(photograph)]
    figure = demo.picture(photograph, results)
    shown = {axes.get_title("left"): axes.images[0].get_array() for axes in figure.axes}
    for title, image in (
        ("input:\n256 x 256 pixels", photograph),
        ("enlarged 2 times:\n512 x 512 pixels", results[0]),
        ("enlarged 4 times:\n1024 x 1024 pixels", results[1]),
    ):
        pixels = image.round().clip(0, 255).transpose(1, 2, 0)
        assert (shown[title] == pixels).all(), title
    mosaic = shown["a layer's result:\n32 channels of 64 x 64"]
    assert mosaic.shape == (4 * 68, 8 * 68)
    last = results[2][31]
    scaled = (last - last.min()) / (last.max() - last.min())
    np.testing.assert_array_equal(mosaic[-66:-2, -66:-2], scaled)


def test_pixels_have_one_size_in_photograph_and_enlargements(photograph):
    results = [demo.measure(job, "numpy").result for job in demo.jobs(photograph)]
    figure = demo.picture(photograph, results)
    figure.draw_without_rendering()  # the layout is settled then
    widths = {
        axes.get_title("left"): axes.get_window_extent().width for axes in figure.axes
    }
    single = pytest.approx(widths["input:\n256 x 256 pixels"], rel=0.02)
    assert widths["enlarged 2 times:\n512 x 512 pixels"] / 2 == single
    assert widths["enlarged 4 times:\n1024 x 1024 pixels"] / 4 == single


def test_the_command_prints_a_table_and_writes_the_picture(tmp_path, capsys):
    path = tmp_path / "out.png"
    assert main(["demo", "--output", str(path)]) == 0
    out = capsys.readouterr().out
    rows = re.findall(
        r"^(photograph 2x|photograph 4x|layer, 32 channels) +(\w+) +(\w+) +"
        r"[\d.]+ \w+ +[\d.]+ \w+ +(\S+) +(\S+)$",
        out,
        re.MULTILINE,
    )
    assert [row[:2] for row in rows] == [
        (name, backend)
        for name in ("photograph 2x", "photograph 4x", "layer, 32 channels")
        for backend in INSTALLED
    ]
    assert all(difference == adjoint == "0" for *_, difference, adjoint in rows)
    assert f"The picture: {path}" in out
    assert path.read_bytes().startswith(b"\x89PNG")


def test_a_missing_backend_is_named_with_its_installation(tmp_path, capsys, monkeypatch):
    missing = dict.fromkeys(set(BACKENDS) - {"numpy"}, ("a package",))
    monkeypatch.setattr(demo, "missing_packages", lambda name: missing.get(name, ()))
    assert main(["demo", "--output", str(tmp_path / "out.png")]) == 0
    out = capsys.readouterr().out
    for name in missing:
        command = f"python -m {BACKENDS[name].install}"
        assert re.search(rf"^  {name} +{re.escape(command)}$", out, re.MULTILINE)


def test_without_matplotlib_the_command_says_what_to_install(capsys, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: None if name == "matplotlib" else find(name),
    )
    assert main(["demo"]) == 2
    assert "python -m pip install 'mtconv[demo]'" in capsys.readouterr().err


def test_a_folder_that_is_not_there_is_refused_before_any_work(tmp_path, capsys):
    assert main(["demo", "--output", str(tmp_path / "none" / "out.png")]) == 2
    assert "there is no folder" in capsys.readouterr().err
