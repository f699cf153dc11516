"""Our half: `ctrbench-peer`, kept running so that rounds of both halves alternate."""

import json
import pathlib
import re
import subprocess


class Ours:
    """A prepared job of `ctrbench-peer`; `ready` is what it says of the work."""

    def __init__(self, binary, threads, export, arguments):
        command = [binary, "--threads", str(threads), "--export", str(export), *map(str, arguments)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ready = self.answer()["ready"]

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{' '.join(self.process.args)} ended with {self.process.wait()}; its message is above")
        return json.loads(line)

    def round(self):
        self.process.stdin.write("round\n")
        self.process.stdin.flush()
        return self.answer()

    def peak(self):
        """One round, and the most memory that the process held in it: all of it, and beyond what it held before."""
        process = pathlib.Path("/proc") / str(self.process.pid)
        mebibytes = lambda key: int(re.search(rf"{key}:\s*(\d+) kB", (process / "status").read_text())[1]) / 1024
        before = mebibytes("VmRSS")
        # Resets the high-water mark to what is held now.
        (process / "clear_refs").write_text("5")
        self.round()
        peak = mebibytes("VmHWM")
        return {"mebibytes": peak, "others": {"ctrbench, beyond the data": {"mebibytes": peak - before}}}

    def close(self):
        self.process.stdin.close()
        self.process.wait()
