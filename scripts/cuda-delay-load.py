#!/usr/bin/env python3
"""Make CUDA's libraries load on first use in programs that are linked with a toolkit (Linux, x86_64).

usage: cuda-delay-load.py CUDA_HOME

Writes CUDA_HOME/lib/lib<name>.a for the driver, cuBLAS, cuRAND and NVRTC. The toolkit must have no lib<name>.so, which
the linker would prefer. Every function of an archive jumps through a pointer. The first call opens the library and
fills the pointer in. Where the library is missing, the function returns an error code of its API instead, so that a
program starts anywhere and is told of what is missing only when it asks for a GPU. Libraries are looked for in the
folder CUDA_LIB_DIR first, then where the loader looks.
"""

import pathlib
import re
import subprocess
import sys

# Name, file to open, prefix of its functions, what they return without it.
LIBRARIES = [
    ("cuda", "libcuda.so.1", "cu", 34),  # CUDA_ERROR_STUB_LIBRARY
    ("cublas", "libcublas.so.13", "cublas", 1),  # CUBLAS_STATUS_NOT_INITIALIZED
    ("cublasLt", "libcublasLt.so.13", "cublasLt", 1),  # CUBLAS_STATUS_NOT_INITIALIZED
    ("curand", "libcurand.so.10", "curand", 203),  # CURAND_STATUS_INITIALIZATION_FAILED
    ("nvrtc", "libnvrtc.so.13", "nvrtc", 7),  # NVRTC_ERROR_BUILTIN_OPERATION_FAILURE
]

RESOLVE = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static void *library;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static int missing(void) { return %(status)d; }

static void open_library(void) {
    const char *folder = getenv("CUDA_LIB_DIR");
    char path[4096];
    if (folder && snprintf(path, sizeof path, "%%s/%(file)s", folder) < (int)sizeof path)
        library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        library = dlopen("%(file)s", RTLD_NOW | RTLD_LOCAL);
}

__attribute__((visibility("hidden"))) void *delay_load_%(name)s(const char *function) {
    pthread_once(&once, open_library);
    void *found = library ? dlsym(library, function) : 0;
    return found ? found : (void *)missing;
}
"""

# %r10 and %r11 are free at a call. The slow path keeps every register that can hold an argument.
JUMPS = """
.macro delayed function
.globl \\function
.type \\function, @function
\\function:
    mov .Laddress_\\function(%%rip), %%r11
    test %%r11, %%r11
    je 1f
    jmp *%%r11
1:  lea .Lname_\\function(%%rip), %%r11
    lea .Laddress_\\function(%%rip), %%r10
    jmp .Lresolve
.pushsection .rodata
.Lname_\\function: .asciz "\\function"
.popsection
.pushsection .bss
.align 8
.Laddress_\\function: .zero 8
.popsection
.endm

.text
.Lresolve:
    push %%rbp
    mov %%rsp, %%rbp
    push %%rdi; push %%rsi; push %%rdx; push %%rcx; push %%r8; push %%r9; push %%rax; push %%r10
    sub $128, %%rsp
    movups %%xmm0, 0(%%rsp);  movups %%xmm1, 16(%%rsp); movups %%xmm2, 32(%%rsp); movups %%xmm3, 48(%%rsp)
    movups %%xmm4, 64(%%rsp); movups %%xmm5, 80(%%rsp); movups %%xmm6, 96(%%rsp); movups %%xmm7, 112(%%rsp)
    mov %%r11, %%rdi
    call delay_load_%(name)s
    mov %%rax, %%r11
    movups 0(%%rsp), %%xmm0;  movups 16(%%rsp), %%xmm1; movups 32(%%rsp), %%xmm2; movups 48(%%rsp), %%xmm3
    movups 64(%%rsp), %%xmm4; movups 80(%%rsp), %%xmm5; movups 96(%%rsp), %%xmm6; movups 112(%%rsp), %%xmm7
    add $128, %%rsp
    pop %%r10; pop %%rax; pop %%r9; pop %%r8; pop %%rcx; pop %%rdx; pop %%rsi; pop %%rdi
    pop %%rbp
    mov %%r11, (%%r10)
    jmp *%%r11

%(functions)s
.section .note.GNU-stack, "", @progbits
"""


def driver_functions(header: str) -> set[str]:
    """The driver's library comes with the driver, not with the toolkit: its functions are read from its header.

    The header renames some of them by macros, so every spelling is taken.
    """
    names = set(re.findall(r"\bCUDAAPI\s+(cu[A-Z]\w*)\s*\(", header)) | set(re.findall(r"\bcu[A-Z]\w*_v\d+\b", header))
    return {name + suffix for name in names for suffix in ("", "_ptsz", "_ptds")}


def exported_functions(library: pathlib.Path) -> set[str]:
    command = ["nm", "-D", "--defined-only", library]
    listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    symbols = (line.split() for line in listing.splitlines())
    return {name.split("@")[0] for *_, kind, name in symbols if kind in "TW"}


def main() -> None:
    home = pathlib.Path(sys.argv[1])
    lib = home / "lib"
    for name, file, prefix, status in LIBRARIES:
        if name == "cuda":
            functions = driver_functions((home / "include/cuda.h").read_text())
        else:
            functions = {function for function in exported_functions(lib / file) if function.startswith(prefix)}
        if name == "cublas":
            functions = {function for function in functions if not function.startswith("cublasLt")}
        values = {
            "name": name,
            "file": file,
            "status": status,
            "functions": "\n".join(f"delayed {function}" for function in sorted(functions)),
        }
        objects = []
        for template, kind in [(RESOLVE, "c"), (JUMPS, "assembler")]:
            target = lib / f"{name}-{kind}.o"
            command = ["gcc", "-O2", "-fPIC", "-x", kind, "-c", "-", "-o", target]
            subprocess.run(command, input=template % values, text=True, check=True)
            objects.append(target)
        archive = lib / f"lib{name}.a"
        archive.unlink(missing_ok=True)
        subprocess.run(["ar", "crs", archive, *objects], check=True)
        for target in objects:
            target.unlink()
        print(f"{archive.name}: {len(functions)} functions of {file}")
    # What of the runtime is used is linked in.
    (lib / "libcudart.a").unlink(missing_ok=True)
    (lib / "libcudart.a").symlink_to("libcudart_static.a")


main()
