"""The benchmarks of training and sampling still run what they measure, here on very little."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

SMALL = {"built_in": "{sft: 48, rl: 32, helpful: 24, suite: 4}", "evaluate.arms": "[sft]", "rl.held_out": "0"}


@pytest.mark.slow
def test_training_is_measured_beside_its_peers(tmp_path: Path) -> None:
    settings = [part for key, value in SMALL.items() for part in ("--set", f"{key}={value}")]
    command = [sys.executable, "-m", "deliberant", "run", "recipes/smoke.yaml", "--root", str(tmp_path), *settings]
    made = subprocess.run(command, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    [run] = tmp_path.iterdir()
    little = ["--steps", "3", "--rows", "96", "--packs", "256"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.training", str(run), *little], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"^  ours/stock at its best: \d+\.\d\d$", done.stdout, re.MULTILINE)
    for whose in ("ours", "stock"):
        assert re.search(
            rf"^  {whose} \d+\.\d\d s.* reward \S+ \[.*\], groups of one reward \S+ \[", done.stdout, re.MULTILINE
        )


@pytest.mark.slow
def test_sampling_is_measured_beside_its_peer() -> None:
    little = ["--prompts", "2", "--samples", "1", "--new", "4", "--rounds", "1", "--batches", "1", "2", "--view", "20"]
    little += ["--dtypes", "fp32"]  # bf16 races only where the processor has it
    done = subprocess.run([sys.executable, "-m", "benchmarks.sampler", *little], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    _, *peers, ours = done.stdout.splitlines()
    assert len(peers) == 4 and sum(line.endswith("x1.00") for line in peers) >= 1
    assert all(re.search(r" \d+\.\d tokens/s  x\d+\.\d\d$", line) for line in (*peers, ours))
