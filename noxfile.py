"""Everything that is checked, built or measured; `python -m nox --list` names it all.

Requirements come from pyproject.toml, so nothing is said twice. The default sessions are
what a change has to pass; none of them installs torch.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import nox
from packaging.requirements import Requirement

nox.needs_version = ">=2025.5.1"
nox.options.sessions = ["lint", "tests", "bare", "doctest"]
nox.options.reuse_venv = "yes"

PYPROJECT = nox.project.load_toml("pyproject.toml")
DEPENDENCIES = PYPROJECT["project"]["dependencies"]
EXTRAS = PYPROJECT["project"]["optional-dependencies"]
BACKENDS = ".[jax,sparse,draw]"
# Neighbouring tests share what is compiled, so each process keeps its part of the list.
SPREAD = ("-n", "auto", "--maxprocesses=8", "--dist=worksteal")


def group(name: str) -> list[str]:
    """List the requirements of a dependency group of pyproject.toml."""
    return list(nox.project.dependency_groups(PYPROJECT, name))


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, formatting, types and public docstrings."""
    session.install(*DEPENDENCIES, *EXTRAS["draw"], *EXTRAS["jax"], *group("lint"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("mypy")
    docstrings = "tests/docs/test_docstrings.py"
    session.run("python", "-m", "pytest", "--noconftest", docstrings)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the test suite on NumPy, JAX, SciPy sparse and Dask."""
    session.install("-e", BACKENDS, *group("test"), *group("layers"))
    session.run("pytest", *SPREAD, *session.posargs)


@nox.session(reuse_venv=False)
def bare(session: nox.Session) -> None:
    """Install the built wheel without any extra, and check values with it."""
    folder = Path(session.create_tmp())
    shutil.rmtree(folder)
    session.run("python", "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, ".")
    (wheel,) = folder.glob("mtconv-*.whl")
    check_installed(session, wheel)


def check_installed(session: nox.Session, artifact: Path) -> None:
    """Install a wheel or sdist and check values away from the sources."""
    session.install("--force-reinstall", str(artifact))
    script = Path("tests", "bare_install.py").resolve()
    with session.chdir(session.create_tmp()):
        # -P: the script's own folder has folders named like libraries.
        session.run("python", "-P", script)


@nox.session
def minimums(session: nox.Session) -> None:
    """Run the test suite with the lowest versions that pyproject.toml allows."""
    wanted = DEPENDENCIES
    for extra in ("jax", "sparse", "draw"):
        wanted = wanted + EXTRAS[extra]
    session.install(*map(lowest, wanted), *group("test"))
    session.install("--no-deps", "-e", ".")
    # Old releases use what their own dependencies, which are new ones, have deprecated.
    quiet = "--pythonwarnings=ignore::DeprecationWarning"
    session.run("pytest", *SPREAD, quiet, *session.posargs)


@nox.session(python=["3.12", "3.13"])
def newest(session: nox.Session) -> None:
    """Run the test suite with the newest releases of everything, prereleases left out."""
    needed = (BACKENDS, *group("test"), *group("layers"))
    session.install("--upgrade", "--upgrade-strategy", "eager", *needed)
    session.install("--no-deps", "-e", ".")
    # JAX compiles as it does for users; elsewhere the tests ask for less work.
    session.run("pytest", *SPREAD, *session.posargs, env={"XLA_FLAGS": ""})


def lowest(text: str) -> str:
    """Pin a requirement to its lower bound."""
    requirement = Requirement(text)
    (bound,) = (s.version for s in requirement.specifier if s.operator == ">=")
    return f"{requirement.name}=={bound}"


@nox.session(name="property")
def property_tests(session: nox.Session) -> None:
    """Run the Hypothesis tests with many examples each; takes long."""
    session.install("-e", BACKENDS, *group("test"))
    session.run("pytest", "--hypothesis-profile=many", *session.posargs)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Call the public functions a million times with raw arguments."""
    session.install("-e", ".[sparse]")
    session.run("python", "tests/heavy/fuzz.py", *session.posargs)


@nox.session
def soak(session: nox.Session) -> None:
    """Share operators, break into calls, and measure memory; takes minutes."""
    session.install("-e", ".[sparse]", "threadpoolctl>=3.5")
    for script in ("soak", "provoke", "workspace_bound"):
        session.run("python", "-m", f"tests.heavy.{script}")


@nox.session
def checkers(session: nox.Session) -> None:
    """See that `mtconv.testing` catches every defect in time, and passes what is right."""
    session.install("-e", ".", "ml_dtypes", *group("test"))
    session.run("pytest", "-s", "tests/testing/every_defect.py", *session.posargs)


@nox.session
def proofs(session: nox.Session) -> None:
    """Prove the arithmetic of an axis for all sizes, and find planted mistakes."""
    session.install("-e", ".", *group("test"), *group("proofs"))
    session.run("pytest", "tests/proofs")
    session.run("python", "-m", "tests.proofs.prove", *session.posargs)


@nox.session
def coq(session: nox.Session) -> None:
    """Check the proofs for all sizes, strides and dilations at once; needs Coq's `coqc`."""
    if shutil.which("coqc") is None:
        session.error("Install Coq first, for example with: apt-get install coq")
    session.install("-e", ".", *group("test"))
    session.run("pytest", "tests/proofs/test_coq.py")


@nox.session
def implementers(session: nox.Session) -> None:
    """Run exported files in other runtimes; `-- --write` updates the page."""
    session.install("-e", BACKENDS, *group("test"), *group("implementers"))
    files = (
        "test_exports.py",
        "test_runtimes.py",
        "test_implementers.py",
        "test_faults.py",
    )
    session.run("pytest", *(f"tests/verify/{name}" for name in files))
    session.run("python", "-m", "tests.verify.implementers", *session.posargs)


@nox.session
def mutation(session: nox.Session) -> None:
    """Mutate the core and samples of the backends, and see that the tests notice."""
    session.install("-e", f"{BACKENDS[:-1]},fast]", *group("mutation"), *group("test"))
    script = "tests/heavy/mutate.py"
    core = ("geometry", "spec", "functional", "operators")
    session.run("python", script, *(session.posargs or core))
    if not session.posargs:
        session.run("python", script, "--sample", "200", "--others", *core)


@nox.session
def coverage(session: nox.Session) -> None:
    """Measure the branches that the tests reach, with all that installs on a CPU."""
    needed = (*group("test"), *group("examples"), *group("interop"))
    session.install(
        "-e", ".[all,dask,torch]", "coverage>=7.10", *group("conformance-jax"), *needed
    )
    session.run("coverage", "erase")
    pages = [str(page) for page in sorted(Path("docs").glob("*.md"))]
    documented = ["--doctest-modules", "--ignore=mtconv/backends/_cupy.py", "mtconv"]
    for part in (["tests"], [*documented, "README.md", *pages]):
        session.run("coverage", "run", "-m", "pytest", *part, *session.posargs)
    session.run("coverage", "combine")
    session.run("coverage", "report", "--fail-under=98")


@nox.session
def interop(session: nox.Session) -> None:
    """Run the tests with packages that take operators: pylops, lineax, and optax."""
    session.install("-e", BACKENDS, *group("test"), *group("interop"))
    session.run("pytest", "tests/interop", *session.posargs)


@nox.session
def torch(session: nox.Session) -> None:
    """Run the tests of the torch backend; installs torch, and what ONNX export needs."""
    onnx = ("onnx", "onnxscript", "onnxruntime")
    session.install("-e", ".[torch,fast]", *onnx, *group("test"))
    session.run("pytest", "tests/backends/torch", *session.posargs)


@nox.session
def tracing(session: nox.Session) -> None:
    """Trace forty geometries, for sizes that vary, with torch and JAX; takes an hour."""
    onnx = ("onnx", "onnxscript", "onnxruntime")
    session.install("-e", ".[jax,torch]", *onnx, *group("test"))
    # torch warns of what it does itself.
    session.run("pytest", "-W", "ignore::FutureWarning", "docs/when-sizes-vary.md")
    files = ("tests/backends/torch/forty_geometries.py", "tests/jax/forty_exports.py")
    session.run("pytest", *files, *session.posargs)


@nox.session
def kernels(session: nox.Session) -> None:
    """Run the tests of the three maps on compiled kernels, and those of `mtconv warm`."""
    session.install("-e", ".[fast,sparse]", *group("test"))
    environment = {"MTCONV_TEST_BACKENDS": "numba"}
    session.run("pytest", "--doctest-modules", "mtconv/backends/_numba")
    session.run(
        "pytest", "tests/numba", "tests/functional", *session.posargs, env=environment
    )


@nox.session
def distributed(session: nox.Session) -> None:
    """Run Dask on worker processes, kill one, and enlarge an image of 6.4 GB."""
    session.install("-e", ".[dask]", "distributed>=2024.8", *group("test"))
    session.run("pytest", "tests/backends/dask/test_distributed.py", *session.posargs)
    script = "tests/backends/dask/large_image.py"
    session.run("python", script)
    session.run("python", script, "--workers", "2")


# Frameworks that live in one environment, by the dependency group that installs them.
CONFORMANCE = {
    "torch": "torch,onnx",
    "jax": "jax,flax,haiku,equinox",
    "tensorflow": "tensorflow,keras",
    "tinygrad": "tinygrad",
    "mlx": "mlx",
    "paddle": "paddle",
}


@nox.session
@nox.parametrize("frameworks", list(CONFORMANCE), ids=list(CONFORMANCE))
def conformance(session: nox.Session, frameworks: str) -> None:
    """Compare with other frameworks live; installs them, takes long."""
    session.install("-e", BACKENDS, *group("test"), *group(f"conformance-{frameworks}"))
    named = {"MTCONV_CONFORMANCE": CONFORMANCE[frameworks]}
    session.run("pytest", "-s", "tests/conformance", *session.posargs, env=named)
    if frameworks == "torch":
        session.run("pytest", "docs/quickstart.md")  # has a part that runs in torch


@nox.session
def streams(session: nox.Session) -> None:
    """Cut signals in every way, for every stride, kernel size, dilation and padding."""
    session.install("-e", ".", *group("test"))
    env = {"MTCONV_EVERY_CUT": "1"}
    session.run("pytest", "tests/streaming/test_cuts.py", *session.posargs, env=env)


@nox.session
def models(session: nox.Session) -> None:
    """Move a whole model between torch, flax, equinox and keras by the page's recipes."""
    session.install("-e", BACKENDS, *group("test"), *group("models"))
    session.run("pytest", "tests/checkpoints", *session.posargs)


@nox.session
def rewrites(session: nox.Session) -> None:
    """Rewrite every small relation, and ONNX models beside onnxruntime and torch."""
    session.install("-e", ".", "onnxscript", *group("test"), *group("conformance-torch"))
    env = {"MTCONV_EVERY_REWRITE": "1"}
    session.run("pytest", "tests/rewrite", *session.posargs, env=env)


@nox.session
def sharding(session: nox.Session) -> None:
    """Run every stride, kernel size and dilation on three meshes of eight devices."""
    session.install("-e", ".[jax]", *group("test"))
    flags = "--xla_force_host_platform_device_count=8 --xla_backend_optimization_level=0"
    env = {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    session.run("pytest", "tests/sharding/eight_devices.py", *session.posargs, env=env)


@nox.session(python="3.12")
def gpu_smoke(session: nox.Session) -> None:
    """Run what is for GPUs on the CPU, without torch and CuPy, which are CUDA builds."""
    versions = ("jax==0.11.2", "numpy==2.5.2", "scipy", "flax", "equinox")
    session.install(*versions, "hypothesis", "pytest")
    out = session.create_tmp()
    env = {"OUT": out, "PYTHON": "python", "MTCONV_BENCH_SECONDS": "120"}
    session.run("bash", "tests/gpu/run.sh", "--smoke", env=env, external=True)


@nox.session
def doctest(session: nox.Session) -> None:
    """Run every example: docstrings, README and the pages under docs."""
    session.install("-e", BACKENDS, *group("test"), *group("examples"), *group("layers"))
    pages = map(str, sorted(Path("docs").glob("*.md")))
    names = ("_torch", "_cupy.py", "_numba")
    absent = [f"--ignore=mtconv/backends/{name}" for name in names]
    session.run("pytest", "--doctest-modules", *absent, "mtconv", "README.md", *pages)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site into docs/_build/html, warnings being errors, and check its pages."""
    session.install("-e", BACKENDS, "playwright", *group("docs"))
    session.run("sphinx-build", "-E", "-W", "--keep-going", "docs", "docs/_build/html")
    env = {"MTCONV_SITE": "docs/_build/html", **axe(session)}
    session.run("pytest", "tests/docs", env=env)


@nox.session
def explorer(session: nox.Session) -> None:
    """Hold the explorer of geometry against mtconv in Chromium, and look for barriers."""
    session.install("-e", ".", "playwright", *group("test"))
    session.run("pytest", "tests/explorer", *session.posargs, env=axe(session))


def axe(session: nox.Session) -> dict[str, str]:
    """Install axe-core, which looks for barriers, where npm is; name it in a variable."""
    home = Path(session.create_tmp())
    npm = shutil.which("npm")
    if npm is None:
        return {}
    session.run(npm, "install", "--prefix", str(home), "axe-core", external=True)
    return {"MTCONV_AXE": str(home / "node_modules" / "axe-core" / "axe.min.js")}


@nox.session
def bench(session: nox.Session) -> None:
    """Time mtconv beside torch, onnxruntime and lax; `-- --write` updates the pages."""
    session.install("-e", BACKENDS, "torch", "onnxruntime", *group("test"))
    for script in sorted(Path("tests", "benchmarks").glob("bench_*.py")):
        if script.stem == "bench_gpu":  # tests/gpu/run.sh runs it
            continue
        session.run("python", "-m", f"tests.benchmarks.{script.stem}", *session.posargs)


@nox.session(reuse_venv=False)
def build(session: nox.Session) -> None:
    """Make sdist and wheel in dist; check that an index would take them and both work."""
    session.install("build", "twine")
    shutil.rmtree("dist", ignore_errors=True)
    session.run("python", "-m", "build")
    artifacts = [path.resolve() for path in Path("dist").iterdir()]
    session.run("twine", "check", "--strict", *map(str, artifacts))
    for artifact in artifacts:
        check_installed(session, artifact)
