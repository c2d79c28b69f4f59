"""The tables of the pages conventions and api-frameworks, written from the registry.

``python -m tests.compat.tables`` writes them into the pages; a test compares.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mtconv.compat.registry import FRAMEWORKS

DOCS = Path(__file__).parents[2] / "docs"


def kernels() -> str:
    """Write the table of kernels."""
    lines = [
        "| name in `convert_kernel` | call | kernel | flipped | groups | plain kernel |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in FRAMEWORKS.items():
        groups = row.groups if row.groups in ("", "by shape") else "yes"
        call = f"[`{row.call}`]({row.file.LINK.format(rank=2)})"
        if row.fixed.get("transpose_kernel"):
            call = "the same, `transpose_kernel=True`"
        flipped = "yes" if row.kernel.flip else "no"
        conv = f"`{letters(row.conv_kernel)}`" if row.conv_kernel else "none"
        if row.depthwise_kernel:
            conv += f", depthwise `{letters(row.depthwise_kernel)}`"
        shape = f"`{row.kernel.shape}`" if name != "matlab" else "`k`, two axes"
        lines.append(
            f"| `{name}` | {call} | {shape} | {flipped} | {groups or 'no'} | {conv} |"
        )
    return "\n".join(lines)


def letters(order: str) -> str:
    """Write the shape of the kernel of a plain convolution."""
    names = {"O": "C_out", "I": "C_in/g", "*": "*k"}
    return f"({', '.join(names.get(letter, letter) for letter in order)})"


def sizes() -> str:
    """Write the table of sizes and paddings."""
    lines = ["| call | argument | `lo` | `N` |", "|---|---|---|---|"]
    for name, row in FRAMEWORKS.items():
        if row.fixed.get("transpose_kernel"):
            continue
        for number, rule in enumerate(row.file.SIZES):
            size = "as given" if rule.size == "N" else f"`{rule.size}`"
            first = f"{name} | " if number == 0 else "| "
            lines.append(f"| {first}{rule.argument} | `{rule.lo}` | {size} |")
    return "\n".join(lines)


def functions() -> str:
    """List the calls for the page of the API."""
    modules = dict.fromkeys(row.file for row in FRAMEWORKS.values())
    names = [
        f".. autofunction:: {module.__name__}.{name}"
        for module in modules
        if hasattr(module, "__all__")
        for name in sorted(module.__all__)
    ]
    return "\n".join(["```{eval-rst}", *names, "```"])


TABLES: dict[tuple[str, str], Callable[[], str]] = {
    ("conventions.md", "kernels"): kernels,
    ("conventions.md", "sizes"): sizes,
    ("api-frameworks.md", "functions"): functions,
}


def replaced(text: str, name: str, table: str) -> str:
    """Put a table between its two marks."""
    start, end = f"<!-- {name}: from the registry -->\n", f"<!-- end of {name} -->"
    before, _, rest = text.partition(start)
    assert end in rest, f"no marks of {name}"
    return f"{before}{start}\n{table}\n\n{end}{rest.partition(end)[2]}"


def main() -> None:
    for (page, name), table in TABLES.items():
        path = DOCS / page
        path.write_text(replaced(path.read_text(), name, table()))


if __name__ == "__main__":
    main()
