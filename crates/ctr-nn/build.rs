//! Compiles the CUDA kernels of `cuda/` into a static library, in builds with the feature `cuda`.
//!
//! At build time and not by NVRTC at run time: sorting comes from CUB, which is host code as well, and the program then needs no
//! compiler where it runs (docs/devices.md).

use std::{env, path::Path, path::PathBuf, process::Command};

const KERNELS: [&str; 4] = ["dense", "memory", "rows", "terms"];

fn main() {
    println!("cargo::rerun-if-changed=cuda");
    for name in ["CUDA_HOME", "CUDA_COMPUTE_CAP"] {
        println!("cargo::rerun-if-env-changed={name}");
    }
    if env::var_os("CARGO_FEATURE_CUDA").is_none() {
        return;
    }
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo sets OUT_DIR"));
    let capability = env::var("CUDA_COMPUTE_CAP").unwrap_or_else(|_| of_this_machine());
    let library = out.join("libctr_kernels.a");
    let objects: Vec<PathBuf> = KERNELS.iter().map(|name| compile(name, &capability, &out)).collect();
    run(Command::new("ar").arg("crs").arg(&library).args(&objects));
    println!("cargo::rustc-link-search=native={}", out.display());
    println!("cargo::rustc-link-lib=static=ctr_kernels");
    if let Some(home) = env::var_os("CUDA_HOME") {
        println!("cargo::rustc-link-search=native={}", Path::new(&home).join("lib64").display());
    }
    println!("cargo::rustc-link-lib=dylib=cudart");
    println!("cargo::rustc-link-lib=dylib=stdc++");
}

/// The compute capability of this machine's GPU, without the point. candle's build asks the same, so that all kernels run on one GPU.
fn of_this_machine() -> String {
    let query = ["--query-gpu=compute_cap", "--format=csv,noheader"];
    let answer = Command::new("nvidia-smi").args(query).output().ok().filter(|output| output.status.success());
    let capability: Option<String> = answer.and_then(|output| {
        let text = String::from_utf8(output.stdout).ok()?;
        Some(text.lines().next()?.chars().filter(char::is_ascii_digit).collect())
    });
    capability.filter(|digits| !digits.is_empty()).unwrap_or_else(|| {
        panic!("which GPU the kernels are for is not known, since nvidia-smi shows none: set CUDA_COMPUTE_CAP, as 90 for an H100 (docs/devices.md)")
    })
}

/// Machine code for the capability, and portable code from which a driver makes that of later ones.
fn compile(name: &str, capability: &str, out: &Path) -> PathBuf {
    let nvcc = env::var_os("CUDA_HOME").map_or_else(|| "nvcc".into(), |home| Path::new(&home).join("bin").join("nvcc"));
    let object = out.join(format!("{name}.o"));
    let target = format!("arch=compute_{capability},code=[sm_{capability},compute_{capability}]");
    run(Command::new(nvcc)
        .args(["-O3", "-std=c++17", "-Xcompiler", "-fPIC", "-gencode", &target, "-c", "-o"])
        .arg(&object)
        .arg(format!("cuda/{name}.cu")));
    object
}

fn run(command: &mut Command) {
    match command.status() {
        Ok(status) if status.success() => {}
        Ok(status) => panic!("{command:?} ended with {status}"),
        Err(error) => panic!("{command:?} cannot be started ({error}); scripts/cuda-build.sh brings the CUDA compiler"),
    }
}
