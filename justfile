# The main job on the built-in synthetic dataset.
quickstart:
    cargo run --release -- run configs/quickstart.toml

# Every test.
test:
    cargo test --release --workspace

# Formatting, lints and documentation.
lint:
    cargo fmt --all --check
    cargo clippy --release --workspace --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --release --workspace --no-deps

# Criterion benchmarks.
bench:
    cargo bench -p ctrbench-benches

# PyTorch beside ctrbench on the same work (peers/README.md); data_dir holds the subfolder movielens-1m.
peers data_dir="":
    python3 -m venv target/peers
    target/peers/bin/pip install --quiet -r peers/requirements.txt
    cargo build --release --workspace
    target/peers/bin/python peers/compare.py {{ if data_dir == "" { "" } else { "--data-dir " + quote(data_dir) } }}

# Device tests, a benchmark run, and ctrbench beside PyTorch on this machine's NVIDIA GPU (peers/README.md).
[positional-arguments]
gpu *options:
    @nvidia-smi --list-gpus || { echo "just gpu: nvidia-smi finds no NVIDIA GPU; the CUDA build alone is scripts/cuda-build.sh" >&2; exit 2; }
    scripts/cuda-build.sh tests
    [ -n "${PYTHON:-}" ] || { python3 -m venv target/peers && target/peers/bin/pip install --quiet -r peers/requirements.txt; }
    PYTHON="${PYTHON:-target/peers/bin/python}" peers/gpu.sh "${CARGO_TARGET_DIR:-target/cuda}/release" "$@"

# Device tests of the CUDA build on a machine without a GPU (docs/devices.md).
cuda-on-cpu:
    scripts/cuda-on-cpu.sh

# `just gpu` on a machine without a GPU, with small sizes (docs/devices.md).
[positional-arguments]
gpu-rehearsal *options:
    scripts/cuda-on-cpu.sh --rehearse "$@"

# MovieLens-1M; data_dir holds the subfolder movielens-1m.
movielens data_dir:
    cargo run --release -- run configs/movielens-1m.toml --data-dir {{ quote(data_dir) }}

# KuaiRand-Pure; data_dir holds the subfolder kuairand-pure.
kuairand data_dir:
    cargo run --release -- run configs/kuairand-pure.toml --data-dir {{ quote(data_dir) }}

# Frappe by the rule of BARS, four models; data_dir holds the subfolder frappe.
frappe data_dir:
    for model in lr fm deepfm dcn; do cargo run --release -- run configs/bars-frappe/$model.toml --data-dir {{ quote(data_dir) }} || exit 1; done
