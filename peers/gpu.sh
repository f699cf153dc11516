#!/usr/bin/env bash
# Machine record, device tests, the comparison with PyTorch and a benchmark run on an NVIDIA GPU, with finished binaries: no Rust
# is needed here.
#
# usage: peers/gpu.sh BIN_DIR [OUT] [options of compare.py, as --quick]
#   BIN_DIR   folder of ctrbench, ctrbench-peer and, optionally, the device tests (`devices`, else deps/devices-*) and a
#             file `commit`
#   OUT       folder of the report; by default reports/gpu/<date>-<card>
#
# environment:
#   PYTHON           an interpreter with PyTorch for CUDA and the packages of peers/requirements.txt; default python3
#   CTRBENCH_COMMIT  commit of the binaries; by default what BIN_DIR/commit says, else git
#   CTRBENCH_DATA    folder that holds movielens-1m; without it quality is left out
#   TIME_LIMIT       seconds after which no case starts; default 420
#   TEST_LIMIT       seconds for the device tests, and again for those that run alone; default 120
#   RUN_LIMIT        seconds for the benchmark run; default 120
set -uo pipefail

bin=${1:?usage: peers/gpu.sh BIN_DIR [OUT] [options of compare.py]}
bin=$(cd "$bin" && pwd) || exit 2
shift
out=
case ${1:-} in
    "" | -*) ;;
    *) out=$1; shift ;;
esac
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}
nvidia-smi --list-gpus || { echo "peers/gpu.sh: nvidia-smi finds no NVIDIA GPU, and there is nothing to measure" >&2; exit 2; }
card=$(nvidia-smi --query-gpu=name --format=csv,noheader | head -n 1 | tr 'A-Z ' 'a-z-' | tr -cd 'a-z0-9-')
# Where a CPU stands in for the GPU (an option of compare.py), the benchmark run is a small one.
smaller=() rehearsal=
case " $* " in
    *" --rehearse "*)
        smaller=(--set dataset.synthetic.users=100 --set training.epochs=1)
        rehearsal=-rehearsal
        ;;
esac
out=${out:-$here/../reports/gpu/$(date +%F)-${card:-unknown}$rehearsal}
mkdir -p "$out"
if [ -z "${CTRBENCH_COMMIT:-}" ] && [ -f "$bin/commit" ]; then
    CTRBENCH_COMMIT=$(cat "$bin/commit")
fi
[ -z "${CTRBENCH_COMMIT:-}" ] || export CTRBENCH_COMMIT
failed=()

# Runs the rest of the line, and remembers the stage's name if that fails.
stage() {
    local name=$1
    shift
    echo "== $name"
    "$@" || failed+=("$name")
}

# CUDA's libraries, which PyTorch brings; those of an installed toolkit the loader finds by itself.
cuda_libraries() {
    "$python" -c 'import nvidia.cu13; print(list(nvidia.cu13.__path__)[0] + "/lib")' 2>/dev/null
}

device_tests() {
    local tests=$bin/devices
    [ -x "$tests" ] || tests=$(find "$bin/deps" -name 'devices-*' -type f -executable -printf '%T@ %p\n' 2>/dev/null | sort -n | tail -n 1 | cut -d ' ' -f 2-)
    if [ -z "$tests" ]; then
        echo "no device tests in $bin"
        return 1
    fi
    # One at a time; of the ignored two one takes all of the GPU's memory and one sets the precision of the whole process.
    (
        export CTRBENCH_REQUIRE_GPU=1
        timeout "${TEST_LIMIT:-120}" "$tests" --test-threads 1 && timeout "${TEST_LIMIT:-120}" "$tests" --test-threads 1 --ignored
    ) 2>&1 | tee "$out/device-tests.txt"
}

# The quickstart: every model and method, with the seconds of each phase in run.json.
benchmark() {
    local results code
    results=$(mktemp -d) || return
    # Started there, so that the record names no folder of this machine.
    (
        cd "$results" || exit
        timeout "${RUN_LIMIT:-120}" "$bin/ctrbench" run "$here/../configs/quickstart.toml" --device cuda --no-progress "${smaller[@]}"
    ) | tee "$out/run.txt"
    code=$?
    # Complete at any time, also of a run that was stopped.
    cp "$results"/results/quickstart/*/run.json "$out" || code=1
    rm -rf "$results"
    return $code
}

machine() {
    nvidia-smi --query-gpu=name,driver_version,memory.total,power.limit,clocks.max.sm,clocks.max.memory --format=csv >"$out/gpu.txt" &&
        nvidia-smi -q -d MEMORY,CLOCK,POWER,PERFORMANCE >>"$out/gpu.txt" &&
        "$bin/ctrbench" hardware --json --threads "$(nproc)" >"$out/machine.json"
}

libraries=$(cuda_libraries)
if [ -d "$libraries" ]; then
    export CUDA_LIB_DIR=$libraries LD_LIBRARY_PATH=$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
fi
stage "machine record" machine
stage "device tests" device_tests
stage "comparison" "$python" "$here/compare.py" --device cuda --bin "$bin" --out "$out" --keep-going \
    --time-limit "${TIME_LIMIT:-420}" "$@"
stage "benchmark run" benchmark

echo "Report: $out"
if [ ${#failed[@]} -gt 0 ]; then
    printf 'failed: %s\n' "${failed[@]}"
    exit 1
fi
