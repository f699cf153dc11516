"""Two builds of ctrbench-peer on the same work, round by round in turn: what a change is worth.

    python peers/before_after.py BEFORE AFTER [--rounds 15] -- fine-tuning deepfm --users 1024

BEFORE and AFTER are the programs; behind `--` stands the job, as `ctrbench-peer --help` lists them. Prints the median of the rounds'
ratios of seconds, above 1 where AFTER is faster, with their quartiles. docs/performance.md states such figures.
"""

import argparse
import statistics
import tempfile

from ours import Ours


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs", nargs=2, metavar="PROGRAM")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("job", nargs="+")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as before, tempfile.TemporaryDirectory() as after:
        both = [
            Ours(program, arguments.threads, folder, arguments.job)
            for program, folder in zip(arguments.programs, (before, after))
        ]
        for ours in both:
            ours.round()
        seconds = [[ours.round()["seconds"] for ours in both] for _ in range(arguments.rounds)]
        for ours in both:
            ours.close()
    low, median, high = statistics.quantiles([before / after for before, after in seconds], n=4)
    before, after = (statistics.median(each) for each in zip(*seconds))
    print(f"{before:.4g} s before, {after:.4g} s after: {median:.3f} x [{low:.3f}-{high:.3f}]")


if __name__ == "__main__":
    main()
