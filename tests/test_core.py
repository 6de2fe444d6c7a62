"""Without the extra `train`: data is made and judged by API models, and what needs torch says so."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from deliberant.util.errors import TRAIN

ROOT = Path(__file__).parents[1]
WITHOUT = f"""
import sys
sys.modules.update(dict.fromkeys({TRAIN!r}))  # importing any of these fails, and find_spec finds none
from deliberant.__main__ import main
main()
"""
SAMPLE = "<think>\nThey ask how to choose. [G1] fits, so I comply.\n</think>\n\nTry two sizes, and walk in both."
VERDICT = "The answer fits the clause.\nclause: [G1]\nscore: 5"
STAND_IN = "api:openai-api/stand-in/m"
ROLES = ("base.model", "judge.filter.model", "judge.evaluate")
SETTINGS = [f"--set={key}={STAND_IN}" for key in ROLES] + ["--set=budget.dollars=null"]


class _Provider(BaseHTTPRequestHandler):
    """Writes the same sample for every prompt, and the same verdict on every one."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        text = VERDICT if "close with the lines asked for" in asked["messages"][-1]["content"] else SAMPLE
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        usage = {"prompt_tokens": 50, "completion_tokens": 20, "total_tokens": 70}
        reply = {
            "id": "1",
            "object": "chat.completion",
            "created": 0,
            "model": "m",
            "choices": [choice],
            "usage": usage,
        }
        body = json.dumps(reply).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def provider() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Provider)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


@pytest.fixture
def recipes(tmp_path: Path) -> Path:
    """The recipes that are shipped, with few prompts."""
    copy = shutil.copytree(ROOT / "recipes", tmp_path / "recipes")
    for name in ("train", "helpful", "cases"):
        file = copy / "shop" / f"{name}.jsonl"
        file.write_text("".join(file.read_text(encoding="utf-8").splitlines(keepends=True)[:4]), encoding="utf-8")
    return copy


def command(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WITHOUT, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "XDG_CACHE_HOME": str(folder), **environment},
        capture_output=True,
        text=True,
    )


def worked(folder: Path, *arguments: str, **environment: str) -> str:
    done = command(folder, *arguments, **environment)
    assert done.returncode == 0, (arguments, done.stdout, done.stderr)
    return done.stdout


def test_help_policies_prompts_and_plans_need_no_torch(recipes: Path, tmp_path: Path) -> None:
    assert "deliberant run recipes/micro.yaml" in worked(tmp_path, "--help")
    worked(tmp_path, "policy", "lint", "--policy", "micro")
    worked(tmp_path, "prompts", "check", "recipes/shop/train.jsonl", "--policy", "recipes/shop/policy")
    assert "generate" in worked(tmp_path, "plan", "recipes/api-data.yaml")


@pytest.mark.slow
def test_data_by_api_needs_no_torch(recipes: Path, provider: str, tmp_path: Path) -> None:
    keys = {"STAND_IN_API_KEY": "none", "STAND_IN_BASE_URL": provider}
    recipe = ("recipes/api-data.yaml", *SETTINGS)
    for stage in ("generate", "filter"):
        worked(tmp_path, stage, *recipe, **keys)
    [run] = (tmp_path / "runs").iterdir()
    counts = json.loads((run / "filter" / "manifest.json").read_text())["counts"]
    assert counts["kept"] == counts["samples"] == 8


NO_RL = ("--set", "evaluate.arms=[base,sft]")


@pytest.mark.parametrize(
    "arguments",
    [
        ("generate", "recipes/micro.yaml"),
        ("run", "recipes/qwen-0.5b-cpu.yaml", "--set", "base.model=micro", "--set", "judge=micro", *NO_RL),
        ("micro", "measure", "--n", "2"),
    ],
    ids=["a local model", "a run", "the built-in world"],
)
def test_what_needs_torch_says_how_to_get_it(arguments: tuple[str, ...], recipes: Path, tmp_path: Path) -> None:
    done = command(tmp_path, *arguments)
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: "), done.stderr
    assert "pip install 'deliberant[train]'" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
