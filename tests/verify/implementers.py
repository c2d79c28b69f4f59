"""Run the exported files in every runtime that is installed, and say what each gets wrong.

    python -m tests.verify.implementers [--cases N] [--seed S] [--only NAME ...]
        [--folder DIR] [--write]

Runs the core set and N random problems of each format. What fails is computed once more by
plain loops that use nothing of mtconv; if those do not agree with the file, the file is
wrong, and the exit status is 1. With --folder, files and results stay there, and what has a
result already is not run again. --write puts the tables into docs/verification.md.
"""

import argparse
import json
import re
import tempfile
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from mtconv.verify import export_conformance
from tests.benchmarks.harness import replace_section
from tests.testing.styles import STYLES
from tests.verify.causes import (
    causes,
    module_properties,
    module_summary,
    node_call,
    node_properties,
)
from tests.verify.plain import as_stablehlo_says, correlate
from tests.verify.smallest import smallest_node, written
from tests.verify.smallest_module import smallest_module
from tests.verify.sweep import RUNTIMES, outcomes

PAGE = Path(__file__).parents[2] / "docs" / "verification.md"
SAID = {
    "values": "wrong values",
    "shape": "another shape",
    "refused": "refuses",
    "crashed": "ends the process",
}


def main():
    arguments = parsed()
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.folder or Path(scratch)
        rows, details, disputed = [], [], []
        for name in arguments.only or RUNTIMES:
            if installed(name) is None:
                print(f"{name} is not installed")
                continue
            paths = files(name, folder, arguments)
            file = folder / f"{name.replace(' ', '_')}.jsonl"
            results = outcomes(RUNTIMES[name].run, paths, file)
            rows.append(counted(name, results))
            shrink = partial(made_smaller, folder, name, seed=arguments.seed)
            details += explained(name, results, shrink)
            disputed += [path for path in failing(results) if not agrees(path)]
            print(table(("runtime", *HEADER), rows[-1:]), flush=True)
        text = tables(rows, details, arguments)
        print(text)
        if arguments.write:
            replace_section("implementers", text, PAGE)
    for path in disputed:
        print(f"plain loops do not agree with {path}")
    return 1 if disputed else 0


def parsed():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cases", type=int, default=200, help="random problems a format")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", action="append", choices=list(RUNTIMES))
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--write", action="store_true")
    return parser.parse_args()


def installed(name):
    try:
        return version(RUNTIMES[name].package)
    except PackageNotFoundError:
        return None


def files(name, folder, arguments):
    """Export the core set and random problems, and list those that a runtime is asked."""
    form = RUNTIMES[name].format
    core = export_conformance(folder / "core", format=form)
    chosen = arguments.cases, form, arguments.seed
    random = export_conformance(folder / "random", *chosen)
    pattern = "*/*" if RUNTIMES[name].format == "onnx" else "**/*.mlir"
    paths = [path for root in (core, random) for path in sorted(root.glob(pattern))]
    asked = RUNTIMES[name].refuses
    return [path for path in paths if asked or "refused" not in path.parts]


def failing(results):
    """List the problems that have a result and did not get it."""
    kinds = ("values", "shape", "refused", "crashed")
    return [path for path, (kind, _) in results.items() if kind in kinds]


def agrees(path):
    """Compute a problem by plain loops, and return whether the file says the same."""
    if path.is_dir():
        call, _ = node_call(path)
        transposed = path.name.startswith("convtranspose")
        loops = STYLES["scatter"] if transposed else correlate
        result = loops(call.x, call.kernel, call.bias, **call.options)
        return result.shape == call.result.shape and (result == call.result).all()
    result, expected = as_stablehlo_says(path.read_text())
    return (result == expected).all()


HEADER = (
    *("version", "problems", "equal", "wrong values", "another shape", "refused"),
    *("process ended", "illegal ones accepted"),
)


def counted(name, results):
    kinds = [kind for kind, _ in results.values()]
    legal = [kind for kind in kinds if kind not in ("accepted", "rightly refused")]
    illegal = len(kinds) - len(legal)
    return (
        name,
        installed(name),
        len(legal),
        *(legal.count(kind) for kind in ("equal", "values", "shape", "refused", "crashed")),
        f"{kinds.count('accepted')} of {illegal}",
    )


def explained(name, results, shrink):
    """List rows of what a runtime gets wrong: in what way, which problems, the smallest."""
    nodes = RUNTIMES[name].format == "onnx"
    properties_of = node_properties if nodes else module_properties
    legal = [path for path in results if "refused" not in path.parts]
    properties = {path: properties_of(path) for path in legal}
    failed, rows = failing(results), {}
    for (kind, reason), part in sorted(parts(results, failed).items()):
        known, rest = causes(properties, failed, part)
        groups = [(f" with {', '.join(cause.words)}", cause.names) for cause in known]
        groups += [("", rest)] if rest else []
        for what, names in groups:
            smallest = shrink(min(names, key=size), kind)
            text = f"{what}: {SAID[kind]}" + f" ({reason})" * bool(reason)
            _, paths = rows.setdefault((kind, smallest), (text, set()))
            paths.update(names)
    listed = [
        (name, f"{len(paths)} problem{'s' * (len(paths) > 1)}{text}", smallest)
        for (_, smallest), (text, paths) in rows.items()
    ]
    names = [path.stem for path, (kind, _) in results.items() if kind == "accepted"]
    kinds = sorted({" ".join(re.sub(r"random_\d+|_", " ", name).split()) for name in names})
    return [
        *listed,
        *(
            [(name, f"{len(names)} illegal ones accepted", "; ".join(kinds))]
            if names
            else []
        ),
    ]


def parts(results, failed):
    """Sort failures by kind, and by what an error says."""
    sorts = {}
    for path in failed:
        kind, detail = results[path]
        reason = reason_of(detail) if kind == "refused" else ""
        sorts.setdefault((kind, reason), []).append(path)
    return sorts


def reason_of(detail):
    """Shorten an error to words that do not depend on sizes."""
    error, _, text = detail.partition(": ")
    for lead in ("error: ", "Status Message: "):
        text = text.partition(lead)[2] or text
    text = re.sub(r"[^A-Za-z_'. ]+", " ", text.partition("\n")[0])
    return f"{error}: {' '.join(text.split()[:8])}"


def made_smaller(folder, name, path, kind, *, seed):
    """Reduce a problem while it fails in the same way, and write it down.

    What has been reduced already is read from the folder.
    """
    run, file = RUNTIMES[name].run, folder / f"{name.replace(' ', '_')}_smallest.json"
    known = json.loads(file.read_text()) if file.exists() else {}
    key = f"{kind} {path}"
    if key not in known:
        if kind == "crashed":
            known[key] = path.stem
        elif path.is_dir():
            operator, node = smallest_node(run, path, kind)
            known[key] = written(operator, *node)
        else:
            known[key] = module_summary(smallest_module(run, path, kind, seed))
        file.write_text(json.dumps(known))
    return known[key]


def size(path):
    """Order problems: by numbers in them, then by name."""
    if path.is_dir():
        call, _ = node_call(path)
        return call.x.size + call.kernel.size + call.result.size, path.name
    return path.stat().st_size, path.name


def table(header, rows):
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def tables(rows, details, arguments):
    return "\n\n".join(
        (
            f"The core set and {arguments.cases} random problems (seed {arguments.seed}):",
            table(("runtime", *HEADER), rows),
            "What failed, and the smallest such problem:",
            table(("runtime", "problems", "the smallest"), details),
        )
    )


if __name__ == "__main__":
    raise SystemExit(main())
