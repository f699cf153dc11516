"""Runs ctrbench and PyTorch on the same work, round by round in turn, on the same cores or the same GPU.

    python peers/compare.py [--device cuda] [--data-dir DIR] [--only fine-tuning] [--rounds 5] [--out FOLDER]

Equal work is proven before it is timed: a variant whose result differs from ours ends the comparison, or with --keep-going is
left out and named at the end. Cases that the report's folder holds already and that are not run again stay in it.
"""

import argparse
import contextlib
import datetime
import importlib.metadata
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

# How long the other half may still spin after its last parallel region.
SETTLE_SECONDS = 0.3


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, default=pathlib.Path("target/release"), help="folder of the binaries")
    parser.add_argument("--out", type=pathlib.Path, help="folder of the report; else reports/peers/<date>-<machine>")
    parser.add_argument("--data-dir", default=os.environ.get("CTRBENCH_DATA"), help="folder that holds movielens-1m")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    parser.add_argument("--threads", type=int, help="2 on the CPU, all cores beside a GPU")
    parser.add_argument("--rounds", type=int, help="5, or 3 with --quick")
    parser.add_argument("--quick", action="store_true", help="on a GPU: fewer rounds and variants")
    parser.add_argument(
        "--rehearse",
        action="store_true",
        help="where a CPU stands in for the GPU (scripts/cuda-on-cpu.sh --rehearse): small sizes, one round, PyTorch on the CPU; "
        "shows that everything runs and agrees, and measures nothing",
    )
    parser.add_argument("--keep-going", action="store_true", help="go on after a case or variant that fails")
    parser.add_argument("--time-limit", type=float, default=float("inf"), help="seconds after which no case starts")
    parser.add_argument("--only", help="cases whose work and name contain this text, as in 'training, deepfm'")
    arguments = parser.parse_args()
    if arguments.rehearse and (not on_gpu(arguments) or arguments.rounds):
        parser.error("--rehearse needs --device cuda, and takes one round")
    arguments.threads = arguments.threads or (os.cpu_count() if on_gpu(arguments) else 2)
    arguments.rounds = 1 if arguments.rehearse else arguments.rounds or (3 if arguments.quick else 5)
    # PyTorch's device.
    arguments.theirs = "cpu" if arguments.rehearse else arguments.device
    started = time.perf_counter()

    # Before PyTorch starts its threads; ctrbench inherits it.
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: arguments.threads])

    import torch

    import cases
    import gpu_cases
    from device import gpu
    from ours import Ours
    from report import read, write

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    hardware = measure_hardware(arguments)
    if arguments.rehearse:
        hardware["rehearsal"] = True
    elif on_gpu(arguments):
        hardware["gpu"] = gpu(arguments.device)
    kind = "gpu" if on_gpu(arguments) else "peers"
    out = arguments.out or pathlib.Path("reports") / kind / f"{datetime.date.today()}-{machine(hardware)}"
    versions = versions_of("torch", "numpy", "pandas", "scikit-learn", *(["triton"] if on_gpu(arguments) else []))
    versions["ctrbench"] = commit()
    earlier = read(out, rehearsed=arguments.rehearse)
    clouds = tempfile.TemporaryDirectory()
    start = lambda export, job: Ours(arguments.bin / "ctrbench-peer", arguments.threads, export, job)
    if on_gpu(arguments):
        sizes = gpu_cases.REHEARSAL if arguments.rehearse else gpu_cases.Sizes()
        # Quality has one size only, that of its dataset.
        data_dir = None if arguments.rehearse else arguments.data_dir
        listed = gpu_cases.cases(arguments.device, clouds.name, data_dir, arguments.quick, sizes)
        variants_of = lambda *case: gpu_cases.variants(*case, start, arguments.theirs)
    else:
        listed = cases.cases(arguments.data_dir)
        variants_of = lambda *case: cases.variants(*case, arguments.data_dir, start)
    rows, all_ready, failures = [], {}, []
    for case in listed:
        text = f"{case.work}, {case.name}"
        if arguments.only and arguments.only not in text:
            continue
        seconds = time.perf_counter() - started
        if seconds > arguments.time_limit:
            failures.append(f"{text}: not started within the time limit")
            continue
        print(f"{seconds:.0f} s: {text}", file=sys.stderr, flush=True)
        try:
            of_case, ready = compare(case, arguments, start, variants_of, failures)
        except (Exception, SystemExit) as error:
            give_up_unless(arguments.keep_going, failures, text, error)
            continue
        finally:
            if on_gpu(arguments):
                torch.cuda.empty_cache()
        rows += of_case
        all_ready[case.work, case.name] = ready | {"commit": versions["ctrbench"]}
        write(out, earlier, rows, all_ready, hardware, versions)
    if all_ready:
        print((out / "summary.md").read_text())
    if failures:
        sys.exit("failed:\n" + "\n".join(failures))


def compare(case, arguments, start, variants_of, failures):
    """The rows of a case's rounds, and what ctrbench said of the work with what the checks found."""
    import torch

    from device import set_matmul_precision
    from report import figure, share_of_peak

    precision = case.settings.get("precision", "float32")
    set_matmul_precision(precision)
    rows = []
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as closing:
        ours = start(folder, case.arguments)
        closing.callback(ours.close)
        theirs, allowed = variants_of(case, folder, ours.ready)
        for variant in theirs.values():
            closing.callback(getattr(variant, "close", lambda: None))
        theirs, differences = check(case, theirs, allowed, arguments.keep_going, failures)
        excused = {name: len(getattr(variant, "excused", [])) for name, variant in theirs.items()}
        moved = {name: variant.moved for name, variant in theirs.items() if hasattr(variant, "moved")}
        # Of equal precision the results themselves were compared.
        judged = theirs.items() if precision != "float32" else []
        aucs = {name: variant.auc for name, variant in judged if isinstance(getattr(variant, "auc", None), float)}
        ready = ours.ready | {"differences": differences, "excused": excused, "moved": moved, "aucs": aucs}
        rounds = min(arguments.rounds, case.settings.get("most_rounds", arguments.rounds))
        for round in range(-case.settings.get("warm_up", 1), rounds):
            answer_of_ours = ours.peak() if case.work == "memory" else ours.round()
            if share_of_peak(ready):
                # Right after, since other guests of a shared machine change its peak from minute to minute.
                answer_of_ours["gemm_gflops"] = peak_gflops(torch, arguments)
            answers = {"ctrbench": answer_of_ours} | answer_of_ours.pop("others", {})
            for name, variant in theirs.items():
                answers[name] = answer(case, ready, variant)
                time.sleep(0 if on_gpu(arguments) else SETTLE_SECONDS)
            # The rounds before number 0 warm up.
            for name, each in answers.items() if round >= 0 else []:
                row = {"work": case.work, "case": case.name, "variant": name, "round": round, "measure": case.measure}
                rows.append(row | figure(case, ready, each))
    return rows, ready


def check(case, theirs, allowed, keep_going, failures):
    """The variants whose results are ours, and how far these are apart."""
    passed, differences = {}, {}
    for name, variant in theirs.items():
        text = f"{case.work}, {case.name}, {name}"
        try:
            difference = variant.check()
            if difference is not None and not difference <= max(allowed, getattr(variant, "allowed", 0)):
                raise SystemExit(f"results differ by {difference}, not the same work")
        except (Exception, SystemExit) as error:
            give_up_unless(keep_going, failures, text, error)
            continue
        passed[name], differences[name] = variant, difference
    return passed, differences


def give_up_unless(keep_going, failures, text, error):
    """Ends the comparison with the error, or keeps it in the list."""
    if not keep_going:
        if isinstance(error, SystemExit):
            sys.exit(f"{text}: {error}")
        raise error
    message = f"{text}: {type(error).__name__}: {error}".strip()[:600]
    print(message, file=sys.stderr, flush=True)
    failures.append(message)


def on_gpu(arguments):
    return arguments.device != "cpu"


def versions_of(*packages):
    """Versions of those that are installed."""
    versions = {}
    for name in packages:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions


def measure_hardware(arguments):
    """What `ctrbench hardware` says."""
    command = [arguments.bin / "ctrbench", "hardware", "--json", "--threads", str(arguments.threads)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def peak_gflops(torch, arguments):
    """The rate of the faster matrix product on the CPU, ours or PyTorch's; on a GPU PyTorch's, in the case's precision."""
    from device import matmul_in_bf16

    if on_gpu(arguments):
        side = 512 if arguments.rehearse else 8192
        dtype = torch.bfloat16 if matmul_in_bf16() else torch.float32
        return gemm_gflops_of_pytorch(torch, arguments.theirs, side, dtype)
    ours = measure_hardware(arguments)["peaks"]["gemm_gflops"]
    return max(ours, gemm_gflops_of_pytorch(torch, "cpu", 2048, torch.float32))


def gemm_gflops_of_pytorch(torch, device, side, dtype):
    """The rate of PyTorch's own matrix product, median of five."""
    from device import synchronize

    seconds = []
    a, b = (torch.rand(side, side, device=device, dtype=dtype) for _ in range(2))
    for _ in range(6):
        synchronize(device)
        started = time.perf_counter()
        torch.mm(a, b)
        synchronize(device)
        seconds.append(time.perf_counter() - started)
    time.sleep(0 if device != "cpu" else SETTLE_SECONDS)
    return 2 * side**3 / statistics.median(seconds[1:]) / 1e9


def commit():
    """The commit of this source, marked where files differ from it; where no git is, as the environment says."""
    if "CTRBENCH_COMMIT" in os.environ:
        return os.environ["CTRBENCH_COMMIT"]
    here = pathlib.Path(__file__).parent
    git = lambda *arguments: subprocess.run(["git", "-C", here, *arguments], stdout=subprocess.PIPE, text=True).stdout
    if not shutil.which("git"):
        return "unknown"
    changed = git("status", "--porcelain", "--untracked-files=no", "--", "../crates", "../benches", "../Cargo.lock", ".")
    return (git("rev-parse", "--short", "HEAD").strip() or "unknown") + (" with changes" if changed.strip() else "")


def machine(hardware):
    """The GPU (in a rehearsal none), or the processor and the number of threads, as part of a folder's name."""
    if "rehearsal" in hardware:
        return "rehearsal"
    if "gpu" in hardware:
        return "-".join(re.findall(r"[a-z0-9]+", hardware["gpu"]["name"].lower()))
    words = re.findall(r"[a-z0-9]+", hardware["system"]["cpu_model"].lower())
    return "-".join(words + [str(hardware["peaks"]["threads"]), "threads"])


def answer(case, ready, variant):
    """A round of the Python half in the form of ctrbench-peer's answer."""
    result = variant.round()
    if case.measure == "p99":
        return {"request_seconds": result}
    if case.measure == "auc":
        return {"auc": result}
    # The variants of fine-tuning answer in seconds a user, since a loop over all users would take too long.
    return {"seconds": result * ready["users"] if case.measure == "users/s" else result}


if __name__ == "__main__":
    main()
