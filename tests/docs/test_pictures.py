"""Figures of a page come from its own code, without the examples that show errors."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("sphinx")
pytest.importorskip("matplotlib")

EXTENSIONS = Path(__file__).parents[2] / "docs" / "_extensions"

PAGE = """\
# Title

```python
>>> half = 1 / 2
>>> half
0.5
>>> 1 / 0
Traceback (most recent call last):
...
ZeroDivisionError: division by zero
```

```python
figure = half + 1
```
"""


def test_blocks_run_without_the_examples_that_show_errors(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(EXTENSIONS)
    monkeypatch.delitem(sys.modules, "pictures", raising=False)
    import pictures

    page, namespace = tmp_path / "page.md", {}
    page.write_text(PAGE)
    for condition, code in pictures.python_blocks(page):
        assert condition is None
        exec(code, namespace)
    assert namespace["figure"] == 1.5
