"""Speed at a glance: sentences and charts say what the tables say."""

import json
from math import log2

import pytest

from tests.benchmarks import summary
from tests.benchmarks.harness import DOCS

# Two layers: mtconv is twice as fast as the faster peer on `a`, and half as fast on `b`.
PAGE = """
<!-- begin numpy layers -->
| layer | mtconv ms | torch ms | onnxruntime ms | ratio |
| --- | ---: | ---: | ---: | ---: |
| a | 1 | 2 | 3 | 2.00 |
| b | 4 | 2 | - | 0.50 |

Geometric mean of the ratios 1.00.
<!-- end numpy layers -->

<!-- begin jax tables -->
Forward:

| layer | mtconv, ms | lax, ms | torch, ms | x lax | x torch |
| --- | ---: | ---: | ---: | ---: | ---: |
| a | 1 | 64 | 2 | 64 | 2 |
| b | 1 | 1 | - | 1 | - |
| geometric mean |  |  |  | 8 | 2 |
<!-- end jax tables -->

<!-- begin numpy memory -->
| layer | mtconv (traced / resident) | torch | onnxruntime |
| --- | ---: | ---: | ---: |
| a | 9.0 / 2.4 | 7.0 | 5.0 |
| b | 0.0 / 3.2 | 1.0 | - |
<!-- end numpy memory -->
"""


@pytest.fixture
def results(tmp_path):
    """Times of two layers that were drawn at random, one of them eight times as fast."""
    rows = [
        {"layer": "c", "map": "conv_transpose", "seconds": {"numba": 1, "torch": 8}},
        {"layer": "d", "map": "conv_transpose", "seconds": {"numba": 2, "torch": 2}},
        {"layer": "d", "map": "kernel_grad", "seconds": {"numba": 1, "torch": 3}},
    ]
    (tmp_path / "random-numba.json").write_text(json.dumps({"seed": "1", "rows": rows}))
    return tmp_path


def test_tables_and_files_are_read_as_comparisons(results):
    read = summary.comparisons(PAGE, results)
    assert [(row.engine, row.map, row.peer, row.ratios) for row in read] == [
        ("compiled kernels", "conv_transpose", "torch", {"c": 8.0, "d": 1.0}),
        ("compiled kernels", "kernel_grad", "torch", {"d": 3.0}),
        (
            "NumPy alone",
            "conv_transpose",
            "the faster of torch and onnxruntime",
            {"a": 2.0, "b": 0.5},
        ),
        ("JAX", "conv_transpose", "lax", {"a": 64.0, "b": 1.0}),
        ("JAX", "conv_transpose", "torch", {"a": 2.0}),
    ]
    # The ratio 8 of a layer drawn at random counts as 4: (4 * 1) ** 0.5.
    assert [row.mean for row in read] == pytest.approx([2, 3, 1, 8, 2])
    assert [row.ahead for row in read] == [2, 1, 1, 2, 1]
    assert [row.median for row in read] == [4.5, 3, 1.25, 32.5, 2]


def test_sentences_have_the_numbers_of_the_tables(results):
    assert summary.page_sentences(PAGE, results) == [
        "With compiled kernels, `conv_transpose` is 2.00 times as fast as torch in "
        "geometric mean over 2 layers drawn at random, and at least as fast on 2 of them.",
        "With NumPy alone, `conv_transpose` is 1.00 times as fast as the faster of torch "
        "and onnxruntime in geometric mean over 2 layers of published models, and at least "
        "as fast on 1 of them.",
        "NumPy alone is furthest ahead on `a` (2.00), `b` (0.50), and furthest behind on "
        "`b` (0.50), `a` (2.00).",
        "Beyond the result, NumPy takes at most 3 MiB on these layers, torch up to 7 MiB, "
        "and onnxruntime up to 5 MiB.",
    ]
    first, _ = summary.front_sentences(PAGE, "tables.md", results)
    assert first == (
        "On a CPU with two cores, `conv_transpose` is, in geometric mean, 2.00 times as "
        "fast as torch with compiled kernels, over 2 layers drawn at random; 1.00 times as "
        "fast as the faster of torch and onnxruntime with NumPy alone and 8.00 times as "
        "fast as `lax` on JAX (median 32.5), over 2 layers of published models."
    )


@pytest.mark.parametrize("path", [DOCS, *summary.FRONT_PAGES], ids=lambda path: path.name)
def test_the_pages_say_what_their_tables_say(path):
    """Where this fails: python -m tests.benchmarks.summary."""
    page = DOCS.read_text()
    text = " ".join(path.read_text().replace("\n- ", "\n").split())
    if path == DOCS:
        sentences = summary.page_sentences(page)
    else:
        sentences = summary.front_sentences(page, summary.FRONT_PAGES[path])
    assert " ".join(sentences) in text


def test_every_layer_is_a_dot_at_its_ratio(results, monkeypatch):
    pytest.importorskip("matplotlib")
    from mtconv.drawing.theme import THEMES
    from tests.benchmarks import charts

    monkeypatch.setattr(
        charts, "comparisons", lambda page: summary.comparisons(page, results)
    )
    (axes,) = charts.draw_comparisons(PAGE, THEMES["light"]).axes
    drawn = [line.get_xdata()[0] for line in axes.lines if line.get_marker() != "None"]
    # Rows from the lowest: dots stand in the middle of a quarter of an octave, and what is
    # beyond 32 times at the end of the axis.
    middle = charts.BIN / 2
    assert drawn == pytest.approx(
        [
            1 + middle,
            *(0 + middle, 5),
            *(-1 + middle, 1 + middle),
            log2(3) // charts.BIN * charts.BIN + middle,
            *(0 + middle, 3 + middle),
        ]
    )
    words = [text.get_text() for text in axes.texts]
    assert "compiled kernels: conv_transpose vs torch (random)" in words
    assert [word for word in words if word.endswith("×")] == [
        *("2.00×", "8.00×", "1.00×", "3.00×", "2.00×"),
    ]
    (axes,) = charts.draw_layers(PAGE, THEMES["dark"]).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["b", "a"]
