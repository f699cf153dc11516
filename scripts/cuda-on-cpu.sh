#!/usr/bin/env bash
# Runs the CUDA build on a machine without a GPU: its kernels, compiled by g++, on the CPU (Linux, x86_64; g++, Python).
# docs/devices.md says what that shows and what it does not.
#
# usage: scripts/cuda-on-cpu.sh                 the device tests, forwards and in reverse
#        scripts/cuda-on-cpu.sh ARGUMENTS...    ctrbench with these, as: run configs/quickstart.toml --device cuda
#
# environment:
#   CARGO_TARGET_DIR    default: target/cuda-on-cpu
#   CUDA_ON_CPU_ORDER   reverse: blocks and threads run from the last to the first (the tests set it themselves)
#   CUDA_ON_CPU_BYTES   the device's memory. Default: 1 GiB
#   CUDA_ON_CPU_COUNTS  1: at the end, how many kernels were launched, copies made, and waits
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
source=$root/scripts/cuda-on-cpu
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target/cuda-on-cpu}
mkdir -p "$CARGO_TARGET_DIR"

# What builds take for a toolkit: nvcc, and one library under all of their names. Another name for other sources, so that Cargo
# compiles the kernels again.
state=$(find "$source" -type f | sort | xargs cat | sha256sum | cut -c 1-8)
CUDA_HOME=$(realpath "$CARGO_TARGET_DIR")/toolkit-$state
library=$CUDA_HOME/lib64/libcuda_on_cpu.so
if [ ! -e "$library" ]; then
    rm -rf "$CARGO_TARGET_DIR"/toolkit-*
    mkdir -p "$CUDA_HOME/bin" "$CUDA_HOME/lib64"
    ln -s "$source/nvcc" "$CUDA_HOME/bin/nvcc"
    ln -s "$source/include" "$CUDA_HOME/include"
    for name in cuda cudart cublas cublasLt curand nvrtc; do
        ln -s libcuda_on_cpu.so "$CUDA_HOME/lib64/lib$name.so"
    done
    g++ -std=c++17 -O2 -U_FORTIFY_SOURCE -march=native -ffp-contract=off -fPIC -shared -pthread -I"$source/include" "$source"/*.cpp \
        -Wl,-soname,libcuda_on_cpu.so -o "$library"
fi

export CUDA_HOME PATH="$CUDA_HOME/bin:$PATH" CUDA_COMPUTE_CAP=90 LD_LIBRARY_PATH=$CUDA_HOME/lib64
# cudarc names every function of CUDA's libraries. One that is missing here ends the program where it is called.
export RUSTFLAGS="-C link-arg=-Wl,--unresolved-symbols=ignore-all -C relro-level=partial -C link-arg=-Wl,-z,lazy"

if [ $# -gt 0 ]; then
    cargo build --release --features cuda -p ctrbench
    exec "$CARGO_TARGET_DIR/release/ctrbench" "$@"
fi
tests() {
    cargo test --release --features cuda -p ctr-personalize --test devices -- cuda "$@"
}
export CTRBENCH_REQUIRE_GPU=1
tests
CUDA_ON_CPU_ORDER=reverse tests
cargo test --release --features cuda -p ctr-personalize --test devices -- --ignored --test-threads 1
