"""Plain text for people: tables, and numbers with their units."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["bytes_text", "count_text", "seconds_text", "table"]


def table(headers: Sequence[str], rows: Iterable[Sequence[object]], left: int = 1) -> str:
    """Lay out rows under headers; the first ``left`` columns are aligned to the left.

    The last column is to the left too, so that sentences may stand there.

    Examples
    --------
    >>> print(table(("name", "n", "note"), [("a", 5, "short"), ("bcdef", 12, "")]))
    name    n  note
    a       5  short
    bcdef  12
    """
    lines = [list(headers), *([str(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    last = len(headers) - 1
    return "\n".join(
        "  ".join(
            cell.ljust(width) if number < left or number == last else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def count_text(count: int) -> str:
    """Write a count with its thousands apart.

    Examples
    --------
    >>> count_text(1234567)
    '1 234 567'
    """
    return f"{count:,}".replace(",", " ")


def bytes_text(size: int) -> str:
    """Write a number of bytes in the unit that leaves one to four digits.

    Examples
    --------
    >>> bytes_text(1536), bytes_text(512), bytes_text(5 * 2**30)
    ('1.5 KiB', '512 B', '5.0 GiB')
    """
    if size < 1024:
        return f"{size} B"
    scaled, units = size / 1024, ["KiB", "MiB", "GiB", "TiB", "PiB"]
    while scaled >= 1024 and len(units) > 1:
        scaled /= 1024
        del units[0]
    return f"{scaled:.1f} {units[0]}"


def seconds_text(seconds: float) -> str:
    """Write a time with three digits or so.

    Examples
    --------
    >>> seconds_text(0.00123), seconds_text(0.5), seconds_text(90.0), seconds_text(2e-6)
    ('1.23 ms', '500 ms', '90.0 s', '2.00 us')
    """
    for factor, unit in ((1.0, "s"), (1e3, "ms"), (1e6, "us")):
        scaled = seconds * factor
        if scaled >= 1 or unit == "us":
            digits = 2 if scaled < 10 else 1 if scaled < 100 else 0
            return f"{scaled:.{digits}f} {unit}"
    raise AssertionError
