"""The benchmark of prompt sets still runs what it measures."""

import subprocess
import sys


def test_every_verb_is_measured() -> None:
    command = [sys.executable, "-m", "benchmarks.prompts", "--rows", "300", "--peer-rows", "0"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["dedupe", "split", "coverage", "check", "import"]
    assert "65 clauses" in done.stdout
