"""From raw rounds to figures, and the files that a comparison leaves."""

import csv
import json
import statistics

import numpy as np

HIGHER_IS_BETTER = {"users/s": True, "rows/s": True, "p99": False, "s": False}
# A value each, not a speed.
ANSWERS = {"auc": "auc", "MiB": "mebibytes"}
RAW_FIELDS = ["work", "case", "variant", "round", "measure", "value", "p50", "p95", "gemm_gflops"]


def share_of_peak(ready):
    """Floating-point operations of dense layers in a user or row, where a case is said to have them."""
    return ready.get("flops_per_user") or ready.get("flops_per_row")


def figure(case, ready, answer):
    """The reported figure of one round, and percentiles where a round is many requests."""
    if case.measure == "p99":
        seconds = np.array(answer["request_seconds"]) * 1e6
        p50, p95, p99 = np.percentile(seconds, [50, 95, 99])
        return {"value": p99, "p50": p50, "p95": p95}
    if case.measure in ANSWERS:
        return {"value": answer[ANSWERS[case.measure]]}
    seconds, peak = answer["seconds"], {"gemm_gflops": answer["gemm_gflops"]} if "gemm_gflops" in answer else {}
    if case.measure == "users/s":
        return {"value": ready["users"] / seconds} | peak
    if case.measure == "rows/s":
        return {"value": ready["rows"] / seconds} | peak
    return {"value": seconds}


def summarize(rows, ready):
    """One line per case and variant: medians over rounds (of AUC means over seeds), the median of the rounds' own ratios
    with the least and the largest, and our share of the GEMM peak as measured right after each of our rounds."""
    lines = []
    for case in dict.fromkeys((row["work"], row["case"]) for row in rows):
        of_case = [row for row in rows if (row["work"], row["case"]) == case]
        measure = of_case[0]["measure"]
        middle = statistics.mean if measure == "auc" else statistics.median
        rounds_of = lambda variant: [row for row in of_case if row["variant"] == variant]
        value_of = lambda variant, key="value": middle(row[key] for row in rounds_of(variant))
        ours = rounds_of("ctrbench")
        flops = share_of_peak(ready[case])
        peaks = [row["gemm_gflops"] for row in ours if row.get("gemm_gflops")]
        shares = [flops * row["value"] / (row["gemm_gflops"] * 1e9) for row in ours] if peaks else []
        others = [name for name in dict.fromkeys(row["variant"] for row in of_case) if name != "ctrbench"]
        for variant in others or [None]:
            theirs = rounds_of(variant) if variant else []
            line = {
                "work": case[0],
                "case": case[1],
                "measure": measure,
                "ctrbench": value_of("ctrbench"),
                "variant": variant,
                "theirs": value_of(variant) if variant else None,
                "share_of_gemm_peak": statistics.median(shares) if shares else None,
                "gemm_gflops": statistics.median(peaks) if peaks else None,
                "difference": ready[case].get("differences", {}).get(variant),
                "excused_users": ready[case].get("excused", {}).get(variant),
                "moved_by_last_bit": ready[case].get("moved", {}).get(variant),
                "auc": ready[case].get("auc"),
                "auc_of_theirs": ready[case].get("aucs", {}).get(variant),
                "chunk_users": ready[case].get("chunk_users"),
                "rounds": len(ours),
                "ctrbench_commit": ready[case].get("commit"),
            }
            if theirs and measure in HIGHER_IS_BETTER:
                pairs = [(a["value"], b["value"]) for a, b in zip(ours, theirs)]
                ratios = [a / b if HIGHER_IS_BETTER[measure] else b / a for a, b in pairs]
                line["times_as_fast"] = statistics.median(ratios)
                line["times_as_fast_range"] = [min(ratios), max(ratios)]
            if measure == "p99":
                line["percentiles"] = {
                    name: [value_of(name, key) for key in ("p50", "p95", "value")] for name in ("ctrbench", variant)
                }
            if measure == "auc":
                line["difference"] = line["ctrbench"] - line["theirs"]
            lines.append(line)
    return lines


def read(folder, rehearsed):
    """Rows and lines that a folder holds already; a rehearsal's and a comparison's do not go together."""
    if not (folder / "summary.json").exists():
        return [], []
    if ("rehearsal" in json.loads((folder / "summary.json").read_text())["hardware"]) != rehearsed:
        raise SystemExit(f"{folder} holds {'a comparison' if rehearsed else 'a rehearsal'}: take another folder (--out), or remove it")
    with open(folder / "raw.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return rows, json.loads((folder / "summary.json").read_text())["lines"]


def gpu_lines(hardware):
    """The card, where the comparison ran on one."""
    if "rehearsal" in hardware:
        return ["**A rehearsal without a GPU: its kernels ran on the CPU, and so did PyTorch. Speeds are left out here; those in the other files say nothing.**", ""]
    if "gpu" not in hardware:
        return []
    card = hardware["gpu"]
    text = f"On {card['name']}, {card['memory_bytes'] / 1e9:.0f} GB, CUDA {card['cuda']}; shares are of PyTorch's matrix product there, in the case's precision. "
    return [text + "An AUC is of the held-out or judged samples, ours less theirs. The host:", ""]


def markdown(lines, hardware, versions):
    """The table of a comparison."""
    system, peaks = hardware["system"], hardware["peaks"]
    number = lambda value, digits=3: "" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.{digits}g}"
    text = [
        "# ctrbench beside PyTorch",
        "",
        *gpu_lines(hardware),
        f"{system['cpu_model']}, {peaks['threads']} threads of {system['logical_cores']} cores, "
        f"{system['memory_bytes'] / 1e9:.1f} GB, {system['os']}; measured peak {peaks['gemm_gflops']:.0f} GFLOP/s of f32 "
        f"matrix products at the start (the shares below are of the peak right after each round), {peaks['copy_gigabytes_per_second']:.1f} GB/s of copying.",
        "",
        f"{', '.join(f'{name} {version}' for name, version in versions.items())}. Medians of interleaved rounds on the "
        "same cores or card; of `auc` means over seeds. `p99` stands behind the 50th and 95th percentile, in microseconds. `times as "
        "fast` is ours against theirs, above 1 where we are faster, the median of the rounds' ratios [least-largest]; `difference` is how far the two results are apart (held-out log loss, largest logit, "
        "metric; of loading the larger of the epoch's mean loss and the held-out log loss), of `auc` ours less theirs.",
        "",
        "| work | case | measure | ctrbench | against | theirs | times as fast | share of GEMM peak | difference | rounds |",
        "|---|---|---|--:|---|--:|--:|--:|--:|--:|",
    ]
    for line in lines:
        share = "" if line["share_of_gemm_peak"] is None else f"{100 * line['share_of_gemm_peak']:.0f} %"
        ratio = "" if line.get("times_as_fast") is None else f"{line['times_as_fast']:.2f}"
        if "times_as_fast_range" in line:
            ratio += " [{:.2f}-{:.2f}]".format(*line["times_as_fast_range"])
        difference = "" if line["difference"] is None else f"{line['difference']:.1e}"
        if line.get("excused_users"):
            difference += f", {line['excused_users']} users excused"
        if line.get("moved_by_last_bit"):
            difference += f", the last bit moves theirs by {line['moved_by_last_bit']:.1e}"
        if line.get("auc_of_theirs"):
            difference += f"{', ' if difference else ''}AUC {line['auc'] - line['auc_of_theirs']:+.1e}"
        digits = 5 if line["measure"] == "auc" else 3
        value = {name: number(line[name], digits) for name in ("ctrbench", "theirs")}
        if "percentiles" in line:
            of = lambda name: " / ".join(map(number, line["percentiles"][name]))
            value = {"ctrbench": of("ctrbench"), "theirs": of(line["variant"])}
        if "rehearsal" in hardware and line["measure"] in HIGHER_IS_BETTER:
            value, ratio, share = {"ctrbench": "", "theirs": ""}, "", ""
        text.append(
            f"| {line['work']} | {line['case']} | {line['measure']} | {value['ctrbench']} | {line['variant'] or ''} | "
            f"{value['theirs']} | {ratio} | {share} | {difference} | {line['rounds']} |"
        )
    return "\n".join(text) + "\n"


def write(folder, earlier, rows, ready, hardware, versions):
    """raw.csv, summary.json and summary.md; rewritten after every case, so that a stopped comparison keeps what it has.
    Of the `earlier` content what is not run again stays, where it was."""
    new = summarize(rows, ready)
    key = lambda entry: (entry["work"], entry["case"])
    order = list(dict.fromkeys(key(entry) for entry in earlier[1] + new))
    kept = lambda old: [entry for entry in old if key(entry) not in ready]
    rows = sorted(kept(earlier[0]) + rows, key=lambda row: order.index(key(row)))
    lines = sorted(kept(earlier[1]) + new, key=lambda line: order.index(key(line)))
    files = {
        "summary.json": json.dumps({"hardware": hardware, "versions": versions, "lines": lines}, indent=1) + "\n",
        "summary.md": markdown(lines, hardware, versions),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.tmp").write_text(text)
        (folder / f"{name}.tmp").rename(folder / name)
    with open(folder / "raw.csv.tmp", "w", newline="") as file:
        writer = csv.DictWriter(file, RAW_FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    (folder / "raw.csv.tmp").rename(folder / "raw.csv")
