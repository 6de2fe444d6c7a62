"""Command lines run as forks of one process that has everything imported.

A fork is a process like any other, to be killed, interrupted or limited; it only spares the seconds of importing
torch and TRL, so that a test affords many of them.
"""

import json
import os
import select
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

STEM = """
import gc, json, os, resource, sys
import datasets, inspect_ai, torch, trl
import deliberant.evals.tasks, deliberant.report, deliberant.stages.evaluate, deliberant.training.trainers
from deliberant.__main__ import main
gc.freeze()  # what was imported is no garbage: no fork searches it
for line in sys.stdin:
    order = json.loads(line)
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for file, stream in ((order["out"], 1), (order["err"], 2)):
            os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream)
        if order["limit"]:
            resource.setrlimit(resource.RLIMIT_FSIZE, (order["limit"], order["limit"]))
        sys.argv[1:] = order["arguments"]
        main()
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Forks:
    """The stem process, and the one fork that runs. `out` and `err`: where the fork's streams go."""

    def __init__(self, folder: Path) -> None:
        self.out, self.err = folder / "out.txt", folder / "err.txt"
        stem = subprocess.Popen([sys.executable, "-c", STEM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        assert stem.stdin is not None and stem.stdout is not None
        self._stem, self._orders, self._news = stem, stem.stdin, stem.stdout
        self._process = 0

    def start(self, *arguments: str | Path, limit: int = 0) -> None:
        """Begin `deliberant ARGUMENTS`; no file it writes may grow beyond `limit` bytes."""
        order = {"arguments": [str(each) for each in arguments], "out": str(self.out), "err": str(self.err)}
        self._orders.write(json.dumps({**order, "limit": limit}).encode() + b"\n")
        self._process = self._number()

    def ended(self, seconds: float = 0) -> bool:
        """Whether the fork has ended, or does so within `seconds`."""
        return bool(select.select([self._news], [], [], seconds)[0])

    def wait(self) -> int:
        """The fork's exit code once it has ended; negative: the signal that killed it."""
        return self._number()

    def run(self, *arguments: str | Path, limit: int = 0) -> int:
        """Start and wait."""
        self.start(*arguments, limit=limit)
        return self.wait()

    def stop(self, signal: int) -> int:
        """Send a signal and wait; a fork that has ended by itself has its own exit code."""
        with suppress(ProcessLookupError):
            os.kill(self._process, signal)
        return self.wait()

    @property
    def last_line(self) -> str:
        """The last line on stderr, which must hold no traceback."""
        text = self.err.read_text(encoding="utf-8")
        assert "Traceback" not in text, text
        return text.rstrip("\n").rpartition("\n")[2]

    def close(self) -> None:
        self._orders.close()
        self._stem.wait()

    def _number(self) -> int:
        line = self._news.readline()
        assert line, "the stem process died"
        return int(line)
