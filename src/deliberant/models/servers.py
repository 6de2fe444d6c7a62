"""A `vllm serve` of our own: started when a model is first needed, stopped when the process ends."""

import atexit
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from urllib.request import urlopen

from deliberant.util.errors import RunError, UserError
from deliberant.util.progress import Progress

PATIENCE = 1800
"""Seconds that a server may take to load its weights and compile."""

_addresses: dict[tuple[str, ...], str] = {}
"""Of the servers that this process has started, by command."""


def serve(model: str, progress: Progress) -> str:
    """The address of a server of `model` (a folder or a Hub id), started on a free port unless it already runs.

    UserError: vLLM is not installed, or there is no GPU. RunError with the end of its log: it does not start.
    """
    if find_spec("vllm") is None:
        raise UserError(
            f"model 'vllm:{model}': vLLM is not installed; pip install 'deliberant[vllm]', or name a running server "
            "(vllm:http://host:8000/v1)"
        )
    import torch

    if not torch.cuda.is_available():
        raise UserError(
            f"model 'vllm:{model}': there is no GPU here; name the model without 'vllm:' to sample in this process, or "
            "a running server (vllm:http://host:8000/v1)"
        )
    command = (sys.executable, "-m", "vllm.entrypoints.cli.main", "serve", model, "--generation-config", "vllm")
    if command not in _addresses:
        _addresses[command] = start(command, progress)
    return _addresses[command]


def start(command: Sequence[str], progress: Progress) -> str:
    """Run `command --host … --port …`, wait until it answers, and stop it when this process ends; returns its address.

    It stays in this process's group, so that Ctrl-C in a terminal reaches it, too.
    """
    port = _free_port()
    with tempfile.NamedTemporaryFile(prefix="deliberant-server-", suffix=".log", delete=False) as log:
        server = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)], stdout=log, stderr=log, stdin=subprocess.DEVNULL
        )
    atexit.register(_stop, server)
    try:
        with progress(f"starting the model server (log: {log.name})", 1) as bar:
            _wait(server, f"http://127.0.0.1:{port}/health", Path(log.name))
            bar.advance()
    except BaseException:
        _stop(server)
        raise
    return f"http://127.0.0.1:{port}/v1"


def _wait(server: subprocess.Popen[bytes], health: str, log: Path) -> None:
    give_up = time.monotonic() + PATIENCE
    while time.monotonic() < give_up:
        if server.poll() is not None:
            last = log.read_text(errors="replace").strip().rpartition("\n")[2][:300]
            raise RunError(f"the model server ended with code {server.returncode}: {last} (all of it: {log})")
        try:
            with urlopen(health, timeout=5):
                return
        except OSError:
            time.sleep(1)
    raise RunError(f"the model server did not answer within {PATIENCE // 60} minutes; its log: {log}")


def _stop(server: subprocess.Popen[bytes]) -> None:
    if server.poll() is None:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
