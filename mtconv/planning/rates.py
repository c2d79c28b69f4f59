"""Measured speeds of a machine, which the cost models use: shipped ones, or stored ones.

`mtconv warm` measures those of the machine at hand and stores them in a file of the user's.
Rates rank algorithms; wrong ones cost speed, never a result. ``MTCONV_RATES=default`` takes
those that mtconv ships.
"""

from __future__ import annotations

import os
import platform
import warnings
import zlib
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from mtconv.importing import ImportRefused, undivided

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "SHIPPED",
    "MachineRates",
    "WarmState",
    "current_rates",
    "rates_file",
    "stored",
    "write_stored",
]


class MachineRates(NamedTuple):
    """Seconds, on one thread, in float32.

    Parameters
    ----------
    product : float
        One multiply-add in a large matrix product of BLAS.
    element : float
        One element of an array operation on long runs.
    strided : float
        The same where one side has a stride.
    call : float
        One array operation at least.
    tile : float
        One multiply-add of vectors in a tile of a compiled kernel.
    move : float
        One element that a compiled kernel copies.
    """

    product: float
    element: float
    strided: float
    call: float
    tile: float
    move: float


# One core with AVX-512.
SHIPPED = MachineRates(
    product=1 / 5.2e10,
    element=1.2e-10,
    strided=4.5e-10,
    call=1.5e-6,
    tile=3.8e-10,
    move=2.2e-10,
)


class WarmState(NamedTuple):
    """What `mtconv warm` left: rates, and which kernels were compiled for which dtypes."""

    rates: MachineRates
    kernels: str
    dtypes: tuple[str, ...]


def rates_file() -> Path | None:
    """Return where the rates of this machine and user are; None without platformdirs."""
    try:
        from pathlib import Path

        from platformdirs import user_cache_dir
    except ImportError:
        return None
    return Path(user_cache_dir("mtconv", appauthor=False)) / f"rates-{_machine()}.json"


@cache
def _machine() -> str:
    """Tell processors apart, for homes that several machines share."""
    model = platform.processor()
    try:
        with open("/proc/cpuinfo", errors="replace") as lines:  # noqa: PTH123 - no pathlib yet
            model += next((line for line in lines if line.startswith("model name")), "")
    except OSError:
        pass
    words = f"{platform.system()} {platform.machine()} {model}"
    return f"{zlib.crc32(words.encode()):08x}"


@cache
def stored() -> WarmState | None:
    """Read what `mtconv warm` stored, once a process; None where there is nothing.

    A file that cannot be understood, or is of another machine, is left aside with one
    warning.

    Raises
    ------
    ImportRefused
        If what reads it cannot be imported at this moment.
    """
    packages = ("platformdirs", "pathlib", "json")
    state: WarmState | None = undivided("What `mtconv warm` stored", packages, _read_stored)
    return state


def _read_stored() -> WarmState | None:
    path = rates_file()
    if path is None or not path.exists():
        return None
    try:
        import json

        return _parsed(json.loads(path.read_text()))
    except (OSError, ValueError, TypeError, KeyError) as error:
        msg = (
            f"mtconv ignores {path}: {type(error).__name__}: {error}. `mtconv warm` writes "
            "it anew."
        )
        warnings.warn(msg, RuntimeWarning, stacklevel=2)
        return None


def _parsed(document: Any) -> WarmState:
    if document["machine"] != _machine():
        msg = "it is of another machine"
        raise ValueError(msg)
    rates = MachineRates(**{k: float(v) for k, v in document["rates"].items()})
    if not all(1e-15 < rate < 1.0 for rate in rates):
        msg = "a rate is no number of seconds between 1e-15 and 1"
        raise ValueError(msg)
    return WarmState(rates, str(document["kernels"]), tuple(map(str, document["dtypes"])))


def write_stored(path: Path, state: WarmState) -> None:
    """Write what was measured and compiled, in one step."""
    import json

    document = {
        "machine": _machine(),
        "rates": state.rates._asdict(),
        "kernels": state.kernels,
        "dtypes": state.dtypes,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}")
    partial.write_text(json.dumps(document, indent=1) + "\n")
    partial.replace(path)


def current_rates() -> MachineRates:
    """Return the rates that choices use: those of this process, or shipped ones.

    A call that cannot read what is stored, since it interrupts that or Python is shutting
    down, uses those that are shipped.
    """
    try:
        return _rates_of_process()
    except ImportRefused:
        return SHIPPED


@cache
def _rates_of_process() -> MachineRates:
    if os.environ.get("MTCONV_RATES") == "default":
        return SHIPPED
    state = stored()
    return SHIPPED if state is None else state.rates
