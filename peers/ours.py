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
            raise SystemExit(f"{' '.join(map(str, self.process.args))} ended with {self.process.wait()}; its message is above")
        return json.loads(line)

    def round(self):
        self.process.stdin.write("round\n")
        self.process.stdin.flush()
        return self.answer()

    def peak(self):
        """One round, and the most memory that the process held in it."""
        process = pathlib.Path("/proc") / str(self.process.pid)
        # Resets the high-water mark to what is held now.
        (process / "clear_refs").write_text("5")
        self.round()
        peak_kilobytes = re.search(r"VmHWM:\s*(\d+) kB", (process / "status").read_text())[1]
        return {"mebibytes": int(peak_kilobytes) / 1024}

    def close(self):
        self.process.stdin.close()
        if self.process.wait():
            raise SystemExit(f"{' '.join(map(str, self.process.args))} ended with {self.process.returncode}")
