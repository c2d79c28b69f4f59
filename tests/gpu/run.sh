#!/usr/bin/env bash
# Tests and benchmarks on a GPU in one go: bash tests/gpu/run.sh
#
# Needs nothing installed but the libraries. Everything lands in $OUT (gpu-results if unset).
# MTCONV_GPU_SECONDS and MTCONV_BENCH_SECONDS (170 each) bound both; with --smoke a CPU
# stands in for the GPU. Arguments other than --smoke go to tests.benchmarks.bench_gpu.
set -uo pipefail
cd "$(dirname "$0")/../.."

out=${OUT:-gpu-results}
python=${PYTHON:-python3}
seconds=${MTCONV_GPU_SECONDS:-170}
budget=${MTCONV_BENCH_SECONDS:-170}
mkdir -p "$out"
if [[ " $* " == *" --smoke "* ]]; then
    export MTCONV_GPU_SMOKE=1 JAX_PLATFORMS=cpu
    export MTCONV_GPU_REQUIRED=${MTCONV_GPU_REQUIRED:-0}
fi
export MTCONV_GPU_REQUIRED=${MTCONV_GPU_REQUIRED:-1} MTCONV_GPU_SECONDS=$seconds
export PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
export XLA_PYTHON_CLIENT_PREALLOCATE=false TF_CPP_MIN_LOG_LEVEL=2

# An installed package may be called `tests` too, and would come before a folder without
# an __init__.py: this one comes before both.
packages=$(mktemp -d)
trap 'rm -rf "$packages"' EXIT
mkdir "$packages/tests"
printf '__path__ = [%s]\n' "'$PWD/tests'" >"$packages/tests/__init__.py"
export PYTHONPATH=$packages:$PWD

nvidia-smi >"$out/machine.txt" 2>&1

run_tests() { # libraries, name of the log
    MTCONV_GPU_LIBRARIES=$1 timeout -k 10 $((seconds + 30)) "$python" -m pytest \
        -c tests/gpu/pytest.ini --confcutdir tests/gpu tests/gpu --durations=10 \
        >"$out/tests-$2.log" 2>&1
}

# Side by side, each in a process of its own: both bring their own CUDA libraries.
run_tests jax jax &
jax_tests=$!
run_tests torch,cupy torch
torch_status=$?
wait "$jax_tests"
jax_status=$?

bench() {
    timeout -k 10 $((budget + 60)) "$python" -m tests.benchmarks.bench_gpu \
        --json "$out/bench.json" --budget "$@" 2>&1 | tee -a "$out/bench.log"
}

# One process times all engines in turn, if their libraries get along in it.
: >"$out/bench.log"
if [[ ${MTCONV_GPU_SMOKE:-} ]] || "$python" - 2>>"$out/bench.log" <<'PROBE'; then
import jax, torch
x = jax.numpy.ones((1, 1, 8, 8))
print(jax.lax.conv(x, x[..., :3, :3], (1, 1), "SAME").sum())
x = torch.ones(1, 1, 8, 8, device="cuda")
print(torch.nn.functional.conv2d(x, x[..., :3, :3]).sum())
PROBE
    bench "$budget" "$@"
    bench_status=$?
else
    bench $((budget * 2 / 3)) --engines jax "$@"
    bench_status=$?
    bench $((budget / 3)) --engines torch,cupy --add "$@"
    bench_status=$((bench_status + $?))
fi
"$python" -m tests.benchmarks.gpu_tables "$out/bench.json" >"$out/tables.md" 2>>"$out/bench.log"

echo
for name in jax torch; do
    echo "== tests-$name.log"
    grep -E '^(FAILED|ERROR) |^E   |^=+ .* in |^[0-9]+ (passed|failed)' "$out/tests-$name.log" |
        cut -c 1-160 | tail -n 30
done
echo "exit: tests of JAX $jax_status, of torch and CuPy $torch_status, benchmarks $bench_status"
exit $((jax_status || torch_status || bench_status))
