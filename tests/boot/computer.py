# SPDX-License-Identifier: BSD-3-Clause
"""Runs of facet boot and facet restore, each in a folder of its own."""

import json
import os
import subprocess

FACET = os.environ.get("FACET", os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__)))), "build", "facet"))
QUIET = "console=ttyS0 panic=-1 quiet"
# The host may be busy: this only ends what hangs.
TIMEOUT = int(os.environ.get("FACET_TEST_TIMEOUT", "1200"))


class Run:
    """How a run of facet ended: exit code, console, standard error, status document, statistics."""

    def __init__(self, code, console, stderr, folder):
        self.code, self.console, self.stderr, self.folder = code, console, stderr, folder
        self.status = json.loads(self.file("status.json") or "null")

    def file(self, name):
        path = os.path.join(self.folder, name)
        if not os.path.exists(path):
            return None
        with open(path, encoding="utf-8") as f:
            return f.read()

    @property
    def outcome(self):
        """All that must be the same whenever the machine is."""
        facts = {k: v for k, v in self.status.items() if k != "host_seconds"}
        return {"code": self.code, "console": self.console, "status": facts,
                "stats": self.file("stats.txt")}

    @property
    def complaints(self):
        """What facet itself said, but for checkpoints taken."""
        return [line[len("facet: "):] for line in self.stderr.splitlines()
                if line.startswith("facet: ") and not line.startswith("facet: checkpoint '")]

    @property
    def checkpoints(self):
        """The paths of the checkpoints that it took, as told on standard error."""
        return [line.split("'")[1] for line in self.stderr.splitlines()
                if line.startswith("facet: checkpoint '")]


class Computer:
    def __init__(self, folder):
        self.folder, self.count = str(folder), 0

    def start(self, command, *words, checkpoints=None, **options):
        """(process, folder) of a run in the background."""
        self.count += 1
        folder = os.path.join(self.folder, "run%d" % self.count)
        os.mkdir(folder)
        files = ["--status-file", os.path.join(folder, "status.json"),
                 "--stats-file", os.path.join(folder, "stats.txt"),
                 "--checkpoint-dir", checkpoints or os.path.join(folder, "checkpoints")]
        defaults = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE,
                    "stderr": subprocess.PIPE, "text": True, "errors": "replace"}
        return subprocess.Popen([FACET, command, *files, *map(str, words)],
                                **{**defaults, **options}), folder

    @staticmethod
    def finish(started):
        process, folder = started
        try:
            out, err = process.communicate(timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        return Run(process.returncode, out, err, folder)

    def boot(self, *words, **options):
        return self.finish(self.start("boot", *words, **options))

    def restore(self, *words, **options):
        return self.finish(self.start("restore", *words, **options))


def content(folder):
    """{name: bytes} of a checkpoint: the same machine gives the same bytes."""
    files = {}
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as f:
            files[name] = f.read()
    return files
