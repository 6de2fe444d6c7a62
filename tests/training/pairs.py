"""Launches of two processes as forks of one that has everything imported: they cost no seconds of importing."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

STEM = """
import json, os, signal, sys
import datasets, torch, trl
import deliberant.stages.rl, deliberant.stages.sft, deliberant.training.trainers
from deliberant.__main__ import main
from deliberant.training import proofs
for line in sys.stdin:
    order = json.loads(line)
    children = []
    for rank in range(2):
        children.append(os.fork())
        if children[-1] == 0:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            for stream in (1, 2):
                os.dup2(os.open(order["said"], os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream)
            os.environ |= {**order["environment"], "RANK": str(rank), "LOCAL_RANK": str(rank)}
            if rank == 1 and order["dies"]:
                finite = proofs.check_finite
                proofs.check_finite = lambda step, logs: (
                    os.kill(os.getpid(), signal.SIGKILL) if step == order["dies"] else finite(step, logs)
                )
            sys.argv[1:] = order["arguments"]
            main()
    print([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children], flush=True)
"""


class Pairs:
    """The stem process; `said` holds what both processes of the last launch wrote."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "said.txt"
        self._stem = subprocess.Popen(
            [sys.executable, "-c", STEM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
        )

    def run(self, *arguments: object, dies: int = 0) -> list[int]:
        """Exit codes of `deliberant ARGUMENTS` in both; the second kills itself at step `dies`."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        environment = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        order = {"arguments": [str(each) for each in arguments], "environment": environment, "dies": dies}
        self._file.write_text("")
        assert self._stem.stdin is not None and self._stem.stdout is not None
        self._stem.stdin.write(json.dumps({**order, "said": str(self._file)}) + "\n")
        self._stem.stdin.flush()
        codes: list[int] = json.loads(self._stem.stdout.readline())
        return codes

    @property
    def said(self) -> str:
        return self._file.read_text(encoding="utf-8")

    def close(self) -> None:
        assert self._stem.stdin is not None
        self._stem.stdin.close()
        self._stem.wait()
