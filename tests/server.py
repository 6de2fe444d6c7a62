"""A real llama.cpp server with a tiny random model, and a proxy before it that spoils some of the traffic.

`python -m tests.server MODEL.gguf PORT [KEY]` serves until it is ended.
"""

import json
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal
from urllib.error import HTTPError, URLError

from tests.tiny import CHAT_TEMPLATE, SPECIAL

NAME = "tiny"
Fault = Literal["429", "500", "hang", "cut", "empty", "html", "no choices", "blank"]


def make_tiny_gguf(path: Path) -> Path:
    """Write a random one-layer Llama of 20,000 parameters, bytes as tokens and think tags among them; return `path`."""
    import gguf
    import numpy
    from tokenizers import pre_tokenizers

    width, inner, heads = 32, 64, 4
    tokens = [*sorted(pre_tokenizers.ByteLevel.alphabet()), *SPECIAL]
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_context_length(16384)
    writer.add_embedding_length(width)
    writer.add_block_count(1)
    writer.add_feed_forward_length(inner)
    writer.add_head_count(heads)
    writer.add_head_count_kv(heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(width // heads)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    kinds = {"<think>": gguf.TokenType.USER_DEFINED, "</think>": gguf.TokenType.USER_DEFINED}
    other = [gguf.TokenType.NORMAL] * 256 + [kinds.get(each, gguf.TokenType.CONTROL) for each in SPECIAL]
    writer.add_token_types(other)
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(tokens.index("<|pad|>"))
    writer.add_eos_token_id(tokens.index("<|im_end|>"))
    writer.add_pad_token_id(tokens.index("<|pad|>"))
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)
    random = numpy.random.default_rng(0)
    shapes = {
        "token_embd.weight": (len(tokens), width),
        **{f"blk.0.attn_{name}.weight": (width, width) for name in ("q", "k", "v", "output")},
        **{f"blk.0.ffn_{name}.weight": (inner, width) for name in ("gate", "up")},
        "blk.0.ffn_down.weight": (width, inner),
    }
    for name, shape in shapes.items():
        writer.add_tensor(name, random.normal(0, 0.25, shape).astype(numpy.float32))
    for name in ("blk.0.attn_norm.weight", "blk.0.ffn_norm.weight", "output_norm.weight"):
        writer.add_tensor(name, numpy.ones(width, numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(model: Path, key: str | None = None) -> Iterator[str]:
    """The address of a llama.cpp server of `model`, without /v1."""
    port = free_port()
    command = [sys.executable, "-m", "tests.server", str(model), str(port), *([key] if key else [])]
    here = Path(__file__).parents[1]
    server = subprocess.Popen(command, cwd=here, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        address = f"http://127.0.0.1:{port}"
        while not _healthy(address):
            assert server.poll() is None, "the server ended"
            time.sleep(0.05)
        yield address
    finally:
        server.kill()
        server.wait()


def drawn_tokens(address: str) -> int:
    """How many tokens the server itself says that it has drawn."""
    with urllib.request.urlopen(f"{address}/metrics") as reply:
        lines = reply.read().decode().splitlines()
    [count] = [line.split()[1] for line in lines if line.startswith("llamacpp:tokens_predicted_total ")]
    return int(float(count))


def _healthy(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/health", timeout=1):
            return True
    except (URLError, OSError):
        return False


class Proxy:
    """Forwards to `server`. `fault(n)` says what becomes of the n-th chat (from 0); None: nothing.

    `forwarded`: the bodies of the chats that the server was given; `busy`: how many of them it has not answered yet.
    """

    def __init__(self, server: str, fault: Callable[[int], Fault | None] = lambda n: None, delay: float = 0) -> None:
        self.server, self.fault, self.delay = server, fault, delay
        self.forwarded = list[dict[str, Any]]()
        self.asked = self.busy = 0
        self.lock = threading.Lock()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._send(*proxy.forward(self.path, None, dict(self.headers)))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with proxy.lock:
                    kind = proxy.fault(proxy.asked)
                    proxy.asked += 1
                if kind == "hang":
                    time.sleep(1.5)
                    self.close_connection = True
                elif kind == "429":
                    self._send(429, b'{"error": {"message": "slow down"}}', {"Retry-After": "1"})
                elif kind == "500":
                    self._send(500, b'{"error": {"message": "broken"}}')
                elif kind == "empty":
                    self._send(200, b"")
                elif kind == "html":
                    self._send(200, b"<html><body>Welcome to the hotel</body></html>", type="text/html")
                elif kind == "no choices":
                    self._send(200, b'{"ok": true}')
                else:
                    with proxy.lock:
                        proxy.forwarded.append(json.loads(body))
                        proxy.busy += 1
                    time.sleep(proxy.delay)
                    status, reply = proxy.forward(self.path, body, dict(self.headers))
                    with proxy.lock:
                        proxy.busy -= 1
                    if kind == "blank":
                        whole = json.loads(reply)
                        whole["choices"][0]["message"]["content"] = ""
                        reply = json.dumps(whole).encode()
                    self._send(status, reply, cut=kind == "cut")

            def _send(
                self,
                status: int,
                body: bytes,
                headers: dict[str, str] | None = None,
                type: str = "application/json",
                cut: bool = False,
            ) -> None:
                try:
                    self.send_response(status)
                    for name, value in {"Content-Type": type, **(headers or {})}.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body[: len(body) // 2] if cut else body)
                    self.close_connection |= cut
                except OSError:
                    self.close_connection = True  # the other side was killed

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}/v1"

    def forward(self, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        kept = {name: value for name, value in headers.items() if name.lower() in ("authorization", "content-type")}
        try:
            with urllib.request.urlopen(urllib.request.Request(self.server + path, body, kept)) as reply:
                return reply.status, reply.read()
        except HTTPError as error:
            return error.code, error.read()

    def __enter__(self) -> "Proxy":
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()


def main(model: str, port: str, key: str | None = None) -> None:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path, params.model_alias = model, {NAME}
    params.hostnames, params.port = ["127.0.0.1"], int(port)
    params.n_parallel, params.n_ctx = 4, 65536
    params.endpoint_metrics = True
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    if key:
        params.api_keys = [key]
    server = xllamacpp.Server(params)
    while server:
        time.sleep(3600)


if __name__ == "__main__":
    main(*sys.argv[1:])
