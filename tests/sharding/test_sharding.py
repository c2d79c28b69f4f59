"""Sharded maps, on eight devices of one process and on two processes of four.

The number of devices is settled when JAX starts, so both run in processes of their own.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

jax = pytest.importorskip("jax")
pytestmark = pytest.mark.skipif(
    not hasattr(jax, "shard_map"), reason="needs a version of JAX with jax.shard_map"
)

FOLDER = Path(__file__).parent
# What is compiled here runs once on a few elements.
QUICK = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"


def environment(devices: int) -> dict[str, str]:
    count = f"--xla_force_host_platform_device_count={devices}"
    flags = " ".join([os.environ.get("XLA_FLAGS", ""), count, QUICK])
    path = os.pathsep.join(path for path in sys.path if path)
    return {**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags, "PYTHONPATH": path}


def test_on_eight_devices() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-m", "not every", "-p", "no:xdist"]
    done = subprocess.run(
        [*command, FOLDER / "eight_devices.py"],
        env=environment(8),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_on_two_processes() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    running = [
        subprocess.Popen(
            [sys.executable, FOLDER / "two_processes.py", address, str(process)],
            env=environment(4),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for process in range(2)
    ]
    outputs = [process.communicate(timeout=300)[0] for process in running]
    for process, output in zip(running, outputs, strict=True):
        assert process.returncode == 0, output
        assert output.endswith("right\n")
