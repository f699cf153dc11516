"""From raw rounds to figures, and the files that a comparison leaves."""

import csv
import json
import statistics

import numpy as np

HIGHER_IS_BETTER = {"users/s": True, "rows/s": True, "p99": False, "s": False}
RAW_FIELDS = ["work", "case", "variant", "round", "measure", "value", "p50", "p95"]


def figure(case, ready, answer):
    """The reported figure of one round, and percentiles where a round is many requests."""
    if case.measure == "p99":
        seconds = np.array(answer["request_seconds"]) * 1e6
        p50, p95, p99 = np.percentile(seconds, [50, 95, 99])
        return {"value": p99, "p50": p50, "p95": p95}
    seconds = answer["seconds"]
    if case.measure == "users/s":
        return {"value": ready["users"] / seconds}
    if case.measure == "rows/s":
        return {"value": ready["rows"] / seconds}
    return {"value": seconds}


def summarize(rows, ready):
    """One line per case and variant: medians over rounds, our ratio to the variant, our share of the GEMM peak as measured
    just before the case."""
    lines = []
    for case in dict.fromkeys((row["work"], row["case"]) for row in rows):
        of_case = [row for row in rows if (row["work"], row["case"]) == case]
        median = lambda variant: statistics.median(row["value"] for row in of_case if row["variant"] == variant)
        measure, ours = of_case[0]["measure"], median("ctrbench")
        flops = ready[case].get("flops_per_user") or ready[case].get("flops_per_row") or 0
        share = flops * ours / (ready[case]["gemm_gflops"] * 1e9) if measure.endswith("/s") else 0
        others = [name for name in dict.fromkeys(row["variant"] for row in of_case) if name != "ctrbench"]
        for variant in others or [None]:
            theirs = median(variant) if variant else None
            better = HIGHER_IS_BETTER[measure]
            lines.append(
                {
                    "work": case[0],
                    "case": case[1],
                    "measure": measure,
                    "ctrbench": ours,
                    "variant": variant,
                    "theirs": theirs,
                    "times_as_fast": None if theirs is None else (ours / theirs if better else theirs / ours),
                    "share_of_gemm_peak": share or None,
                    "gemm_gflops": ready[case]["gemm_gflops"],
                    "difference": ready[case].get("differences", {}).get(variant),
                    "rounds": sum(row["variant"] == "ctrbench" for row in of_case),
                }
            )
    return lines


def markdown(lines, hardware, versions):
    """The table of a comparison."""
    system, peaks = hardware["system"], hardware["peaks"]
    number = lambda value: "–" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    text = [
        "# ctrbench beside PyTorch",
        "",
        f"{system['cpu_model']}, {peaks['threads']} threads of {system['logical_cores']} cores, "
        f"{system['memory_bytes'] / 1e9:.1f} GB, {system['os']}; measured peak {peaks['gemm_gflops']:.0f} GFLOP/s of f32 "
        f"matrix products at the start (the shares below are of the peak just before each case), {peaks['copy_gigabytes_per_second']:.1f} GB/s of copying.",
        "",
        f"{', '.join(f'{name} {version}' for name, version in versions.items())}. Medians of interleaved rounds on the "
        "same cores. `p99` is in microseconds. `times as fast` is ours against theirs, above 1 where we are faster; "
        "`difference` is how far the two results are apart (held-out log loss, largest logit, metric, rows).",
        "",
        "| work | case | measure | ctrbench | against | theirs | times as fast | share of GEMM peak | difference | rounds |",
        "|---|---|---|--:|---|--:|--:|--:|--:|--:|",
    ]
    for line in lines:
        share = "" if line["share_of_gemm_peak"] is None else f"{100 * line['share_of_gemm_peak']:.0f} %"
        ratio = "" if line["times_as_fast"] is None else f"{line['times_as_fast']:.2f}"
        difference = "" if line["difference"] is None else f"{line['difference']:.1e}"
        text.append(
            f"| {line['work']} | {line['case']} | {line['measure']} | {number(line['ctrbench'])} | "
            f"{line['variant'] or ''} | {number(line['theirs'])} | {ratio} | {share} | {difference} | {line['rounds']} |"
        )
    return "\n".join(text) + "\n"


def write(folder, rows, ready, hardware, versions):
    """raw.csv, summary.json and summary.md; rewritten after every case, so that a stopped comparison keeps what it has."""
    lines = summarize(rows, ready)
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
