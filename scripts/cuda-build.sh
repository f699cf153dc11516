#!/usr/bin/env bash
# Builds the whole workspace with CUDA; the machine needs neither GPU nor driver (Linux, x86_64). docs/devices.md says more.
#
# usage: scripts/cuda-build.sh [tests | toolkit]
#   tests     builds the device tests too
#   toolkit   lays out the toolkit and stops
#
# environment:
#   CUDA_HOME          the toolkit. With bin/nvcc in it, it is used as it is. Otherwise it is laid out there from NVIDIA's
#                      wheels on PyPI: 647 MB are downloaded, 1.2 GB stay. Default: target/cuda-toolkit
#   CUDA_COMPUTE_CAP   GPU that the kernels are compiled for. Default: that of this machine's GPU, without one 90.
#                      90 becomes sm_90a: Hopper only. 80 is compiled for newer GPUs by their driver.
#   CARGO_TARGET_DIR   default: target/cuda
#   CUDAFORGE_THREADS  kernels compiled at a time. Default: number of cores
set -euo pipefail

mode=${1:-}
case $mode in
    "" | tests | toolkit) ;;
    *)
        echo "cuda-build.sh: \`$mode\` is not known; use tests, toolkit or nothing" >&2
        exit 2
        ;;
esac

root=$(cd "$(dirname "$0")/.." && pwd)
CUDA_HOME=$(realpath -m "${CUDA_HOME:-$root/target/cuda-toolkit}")
cd "$root"

# Compiler (nvcc, crt, nvvm), headers (runtime, cccl) and the libraries that candle links, all of CUDA 13.0, into $1.
lay_out_toolkit() {
    local home=$1 tool
    if [ "$(uname -sm)" != "Linux x86_64" ]; then
        echo "cuda-build.sh: on $(uname -sm) no toolkit can be laid out; install CUDA and set CUDA_HOME to it" >&2
        exit 1
    fi
    for tool in "python3 -m pip" gcc ar nm; do
        if ! $tool --version >/dev/null 2>&1; then
            echo "cuda-build.sh: \`$tool\` is missing; on Debian and Ubuntu: apt install python3-pip gcc binutils" >&2
            exit 1
        fi
    done
    mkdir -p "$(dirname "$home")"
    # Beside its place and renamed when complete: a toolkit that has an nvcc is whole.
    parts=$(mktemp -d "$home.XXXXXX")
    trap 'rm -rf "$parts"' EXIT
    echo "Downloading NVIDIA's wheels from PyPI (647 MB, gone after the build of the toolkit):"
    sed -n 's/^\([a-z-]*==[0-9.]*\).*/  \1/p' scripts/cuda-wheels.txt
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
        --dest "$parts/wheels" --requirement scripts/cuda-wheels.txt
    local wheel
    for wheel in "$parts"/wheels/*.whl; do
        python3 -m zipfile -e "$wheel" "$parts/tree"
    done
    local tree=$parts/tree/nvidia/cu13
    chmod +x "$tree"/bin/* "$tree"/nvvm/bin/*
    ln -s lib "$tree/lib64"
    python3 scripts/cuda-delay-load.py "$tree"
    rmdir "$home" 2>/dev/null || true
    if ! mv -T "$tree" "$home"; then
        echo "cuda-build.sh: $home holds something else than a toolkit; remove it, or set CUDA_HOME" >&2
        exit 1
    fi
    echo "Laid out in $home ($(du -sh "$home" | cut -f1)); remove the folder to uninstall."
}

if [ ! -x "$CUDA_HOME/bin/nvcc" ]; then
    lay_out_toolkit "$CUDA_HOME"
fi
echo "Toolkit: $CUDA_HOME, $("$CUDA_HOME/bin/nvcc" --version | sed -n 's/^Cuda compilation tools, //p')"
[ "$mode" != toolkit ] || exit 0

gpu=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | head -n 1 | tr -d .) || true
export CUDA_HOME PATH="$CUDA_HOME/bin:$PATH"
export CUDA_COMPUTE_CAP=${CUDA_COMPUTE_CAP:-${gpu:-90}}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target/cuda}
export CUDAFORGE_THREADS=${CUDAFORGE_THREADS:-$(nproc)}
echo "Building for compute capability $CUDA_COMPUTE_CAP into $CARGO_TARGET_DIR"
cargo build --release --workspace --features cuda
if [ "$mode" = tests ]; then
    cargo test --release --features cuda --no-run --workspace --test devices
fi

binary=$CARGO_TARGET_DIR/release/ctrbench
echo "Built $binary ($(du -h "$binary" | cut -f1))"
if needed=$(readelf -d "$binary" | grep -oE 'lib(cuda|cudart|cublas|cublasLt|curand|nvrtc)\.so[.0-9]*'); then
    echo "It starts only where the loader finds" $needed
else
    echo "It starts without CUDA, and loads CUDA's libraries on first use."
fi
