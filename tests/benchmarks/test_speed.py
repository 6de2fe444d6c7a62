"""The benchmarks of training and sampling still run what they measure, here on very little."""

import re
import subprocess
import sys

import pytest

LITTLE = """
from benchmarks import training
training.STEPS = 4
rl = training.RECIPE.rl.model_copy(update={"max_new_tokens": 4})
training.RECIPE = training.RECIPE.model_copy(update={"rl": rl})
training.main()
"""


@pytest.mark.slow
def test_training_is_measured_beside_its_peers() -> None:
    done = subprocess.run([sys.executable, "-c", LITTLE], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    _, sft, grpo = done.stdout.splitlines()
    assert re.fullmatch(r"sft +plain \d+\.\d\d s  ours \d+\.\d\d s  plain/ours \d+\.\d\d", sft)
    assert re.fullmatch(r"grpo +generate \d+\.\d\d s  ours \d+\.\d\d s  generate/ours \d+\.\d\d", grpo)


@pytest.mark.slow
def test_sampling_is_measured_beside_its_peer() -> None:
    little = ["--prompts", "2", "--samples", "1", "--new", "4", "--rounds", "1", "--batches", "1", "2", "--view", "20"]
    done = subprocess.run([sys.executable, "-m", "benchmarks.sampler", *little], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    _, *peers, ours = done.stdout.splitlines()
    assert len(peers) == 4 and sum(line.endswith("x1.00") for line in peers) >= 1
    assert all(re.search(r" \d+\.\d tokens/s  x\d+\.\d\d$", line) for line in (*peers, ours))
