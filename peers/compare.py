"""Runs ctrbench and PyTorch on the same work, round by round in turn, on the same cores.

    python peers/compare.py [--data-dir DIR] [--only fine-tuning] [--rounds 5] [--out FOLDER]

Equal work is proven before it is timed: a variant whose result differs from ours ends the comparison. Cases that the report's
folder holds already and that are not run again stay in it.
"""

import argparse
import datetime
import importlib.metadata
import json
import os
import pathlib
import re
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
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", help="cases whose work and name contain this text, as in 'training, deepfm'")
    arguments = parser.parse_args()

    # Before PyTorch starts its threads; ctrbench inherits it.
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: arguments.threads])

    import torch

    from cases import cases, variants
    from ours import Ours
    from report import figure, read, share_of_peak, write

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    hardware = measure_hardware(arguments)
    out = arguments.out or pathlib.Path("reports/peers") / f"{datetime.date.today()}-{machine(hardware)}"
    packages = ["torch", "numpy", "pandas", "scikit-learn"]
    versions = {name: importlib.metadata.version(name) for name in packages} | {"ctrbench": commit()}
    earlier = read(out)
    rows, all_ready = [], {}
    for case in cases(arguments.data_dir):
        if arguments.only and arguments.only not in f"{case.work}, {case.name}":
            continue
        print(f"{case.work}, {case.name}", file=sys.stderr, flush=True)
        start = lambda export, job: Ours(arguments.bin / "ctrbench-peer", arguments.threads, export, job)
        with tempfile.TemporaryDirectory() as folder:
            ours = start(folder, case.arguments)
            theirs, allowed = variants(case, folder, ours.ready, arguments.data_dir, start)
            differences = {}
            for name, variant in theirs.items():
                differences[name] = variant.check()
                if differences[name] is not None and not differences[name] <= allowed:
                    sys.exit(f"{case.work}, {case.name}, {name}: results differ by {differences[name]}, not the same work")
            excused = {name: len(getattr(variant, "excused", [])) for name, variant in theirs.items()}
            ready = ours.ready | {"differences": differences, "excused": excused, "commit": versions["ctrbench"]}
            all_ready[case.work, case.name] = ready
            rounds = min(arguments.rounds, case.settings.get("most_rounds", arguments.rounds))
            for round in range(-case.settings.get("warm_up", 1), rounds):
                answer_of_ours = ours.peak() if case.work == "memory" else ours.round()
                if share_of_peak(ready):
                    # Right after, since other guests of a shared machine change its peak from minute to minute.
                    peaks = [measure_hardware(arguments)["peaks"]["gemm_gflops"], gemm_gflops_of_pytorch(torch)]
                    answer_of_ours["gemm_gflops"] = max(peaks)
                answers = {"ctrbench": answer_of_ours} | answer_of_ours.pop("others", {})
                for name, variant in theirs.items():
                    answers[name] = answer(case, ready, variant)
                    time.sleep(SETTLE_SECONDS)
                # The rounds before number 0 warm up.
                for name, each in answers.items() if round >= 0 else []:
                    row = {"work": case.work, "case": case.name, "variant": name, "round": round, "measure": case.measure}
                    rows.append(row | figure(case, ready, each))
            for half in [ours, *theirs.values()]:
                if hasattr(half, "close"):
                    half.close()
        write(out, earlier, rows, all_ready, hardware, versions)
    print((out / "summary.md").read_text())


def measure_hardware(arguments):
    """What `ctrbench hardware` says."""
    command = [arguments.bin / "ctrbench", "hardware", "--json", "--threads", str(arguments.threads)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def gemm_gflops_of_pytorch(torch):
    """The rate of PyTorch's own matrix product, median of five."""
    side, seconds = 2048, []
    a, b = torch.rand(side, side), torch.rand(side, side)
    for _ in range(6):
        started = time.perf_counter()
        torch.mm(a, b)
        seconds.append(time.perf_counter() - started)
    time.sleep(SETTLE_SECONDS)
    return 2 * side**3 / statistics.median(seconds[1:]) / 1e9


def commit():
    """The commit of this source, marked where files differ from it."""
    here = pathlib.Path(__file__).parent
    git = lambda *arguments: subprocess.run(["git", "-C", here, *arguments], stdout=subprocess.PIPE, text=True).stdout
    changed = git("status", "--porcelain", "--untracked-files=no", "--", "../crates", "../benches", "../Cargo.lock", ".")
    return (git("rev-parse", "--short", "HEAD").strip() or "unknown") + (" with changes" if changed.strip() else "")


def machine(hardware):
    """The processor and the number of threads, as part of a folder's name."""
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
