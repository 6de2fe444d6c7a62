"""The commands of docs/evaluation.md on attackers, agents and probes, on the built-in model.

Its window is too short to attack and to grade: what the line with an attacker does is tested in test_adaptive.py.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from inspect_ai import Task
from inspect_ai import eval as inspect_eval
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.log import list_eval_logs, read_eval_log

from tests.evals.test_tasks import built_in_run
from tests.test_readme import blocks

SHOP = Path(__file__).parents[3] / "recipes" / "shop"
COMMANDS = [line for block in blocks("docs/evaluation.md", "bash") for line in block.splitlines()]
OURS = [line for line in COMMANDS if line.startswith("inspect ") and "inspect_evals/" not in line]


def test_they_are_shown() -> None:
    assert len(OURS) == 6 and any("inspect_evals/gsm8k" in line for line in COMMANDS)


@pytest.mark.slow
@pytest.mark.parametrize("command", [line for line in OURS if "attacker=" not in line])
def test_they_work(tmp_path: Path, command: str) -> None:
    shutil.copytree(SHOP / "policy", tmp_path / "my-policy")
    lines = (SHOP / "cases.jsonl").read_text(encoding="utf-8").splitlines()
    harmful = [line for line in lines if '"harmful": true' in line]
    (tmp_path / "cases.jsonl").write_text("\n".join(harmful[:1]) + "\n", encoding="utf-8")
    inspect_eval(
        Task(dataset=MemoryDataset([Sample(input="hi")])),
        model="deliberant/micro",
        log_dir=str(tmp_path / "made"),
        display="none",
    )
    [made] = list_eval_logs(str(tmp_path / "made"))
    (tmp_path / "logs").mkdir()
    shutil.copy(made.name.removeprefix("file://"), tmp_path / "logs/theirs.eval")
    if "run=" in command:
        command = command.replace("runs/micro-1a2b3c4d ", f"{built_in_run(tmp_path)} ")
    command = re.sub(r"deliberant/runs/\S+/checkpoint|(openai|anthropic)/\S+", "deliberant/micro", command)
    command = command.replace("inspect ", f"{Path(sys.executable).with_name('inspect')} ", 1)
    done = subprocess.run(f"{command} --display plain", shell=True, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    for log in list_eval_logs(str(tmp_path / "logs")):
        assert read_eval_log(log).status == "success", (command, done.stdout)
