#!/usr/bin/env bash
# Runs the CUDA build on a machine without a GPU: its kernels, compiled by g++, on the CPU (Linux, x86_64; g++, Python).
# docs/devices.md says what that shows and what it does not.
#
# usage: scripts/cuda-on-cpu.sh                 the device tests, forwards and in a shuffled order, and lints
#        scripts/cuda-on-cpu.sh --rehearse [OPTIONS]    `just gpu` with small sizes, PyTorch on the CPU too; OPTIONS are compare.py's
#        scripts/cuda-on-cpu.sh ARGUMENTS...    ctrbench with these, as: run configs/quickstart.toml --device cuda
#
# environment:
#   CARGO_TARGET_DIR    its subfolder cuda-on-cpu is built into. Default: target
#   CUDA_ON_CPU_ORDER   of blocks and threads: reverse, or shuffled, anew at every launch (the tests set it themselves)
#   CUDA_ON_CPU_BYTES   the device's memory. Default: 1 GiB
#   CUDA_ON_CPU_COUNTS  1: at the end, how many launches, copies from and to the host, and waits
set -euo pipefail

case ${1:-} in
    -h | --help)
        sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
        exit
        ;;
esac
root=$(cd "$(dirname "$(readlink -f "$0")")/.." && pwd)
source=$root/scripts/cuda-on-cpu
target=$(realpath -m "${CARGO_TARGET_DIR:-$root/target}")/cuda-on-cpu
mkdir -p "$target"
export CARGO_TARGET_DIR=$target
cargo() { command cargo "$1" --manifest-path "$root/Cargo.toml" "${@:2}"; }

# What builds take for a toolkit: nvcc, and one library under all of their names. Another name for other sources, so that kernels
# are compiled again; candle's build does not notice that, nor that the folder was moved, and is made to.
state=$( (cd "$source" && find . -type f -print0 | sort -z | xargs -0 sha256sum && echo "$target") | sha256sum | cut -c 1-8)
CUDA_HOME=$target/toolkit-$state
library=$CUDA_HOME/lib64/libcuda_on_cpu.so
if [ "$(cat "$target/toolkit.state" 2>/dev/null)" != "$state" ]; then
    mkdir -p "$CUDA_HOME/bin" "$CUDA_HOME/lib64"
    cp "$source/nvcc" "$source/nvidia-smi" "$CUDA_HOME/bin"
    cp -R "$source/include" "$CUDA_HOME"
    for name in cuda cudart cublas cublasLt curand nvrtc; do
        ln -sfn libcuda_on_cpu.so "$CUDA_HOME/lib64/lib$name.so"
    done
    g++ -std=c++17 -O2 -U_FORTIFY_SOURCE -ffp-contract=off -fPIC -shared -pthread -I"$CUDA_HOME/include" "$source"/*.cpp \
        -Wl,-soname,libcuda_on_cpu.so -o "$library.$$"
    mv "$library.$$" "$library"
    cargo clean --release --package candle-kernels
    echo "$state" >"$target/toolkit.state"
fi

export CUDA_HOME PATH="$CUDA_HOME/bin:$PATH" CUDA_COMPUTE_CAP=90 LD_LIBRARY_PATH=$CUDA_HOME/lib64
# cudarc names every function of CUDA's libraries. One that is missing here ends the program where it is called.
export RUSTFLAGS="${RUSTFLAGS:-} -C link-arg=-Wl,--unresolved-symbols=ignore-all -C relro-level=partial -C link-arg=-Wl,-z,lazy"

if [ "${1:-}" = --rehearse ]; then
    cd "$root"
    if ! command -v just >/dev/null; then
        echo "cuda-on-cpu.sh: \`just\` is missing; cargo install just, or pip install rust-just" >&2
        exit 2
    fi
    # Slower than a GPU.
    export TEST_LIMIT=${TEST_LIMIT:-900} RUN_LIMIT=${RUN_LIMIT:-900} TIME_LIMIT=${TIME_LIMIT:-1800}
    rm -rf "$target/rehearsal"
    exec just gpu "$target/rehearsal" "$@"
fi
if [ $# -gt 0 ]; then
    cargo build --release --features cuda --package ctrbench
    exec "$target/release/ctrbench" "$@"
fi
device_tests() {
    cargo test --release --features cuda --package ctr-personalize --test devices -- "$@"
}
export CTRBENCH_REQUIRE_GPU=1
unset CUDA_ON_CPU_ORDER
device_tests
# With those that take all memory, or set the precision of the process: one at a time.
CUDA_ON_CPU_ORDER=shuffled device_tests --include-ignored --test-threads 1
cargo test --release --features cuda --package ctr-nn --lib device
cargo clippy --release --features cuda --workspace --all-targets -- -D warnings
