"""Our half: `ctrbench-peer`, kept running so that rounds of both halves alternate."""

import json
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

    def close(self):
        self.process.stdin.close()
        self.process.wait()
