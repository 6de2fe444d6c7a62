"""Ctrl-C at fixed points: one line, exit 130. In the midst of a run: tests/cli/test_kill.py."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

STAND_IN = """
import sys, time
def wait(*_):
    print("in it", flush=True)
    time.sleep(60)
{patch}
sys.argv[1:] = ["results", "."]
from deliberant.__main__ import main
main()
"""
IN_A_VERB = "import deliberant.stages.evaluate as stage; stage.results = wait"
IN_A_BAR = """
def bar(*_):
    from deliberant.cli.console import RichProgress
    with RichProgress()("sft", 3):
        wait()
import deliberant.stages.evaluate as stage; stage.results = bar
"""
IN_ASYNCIO = """
import asyncio
async def idle():
    print("in it", flush=True)
    await asyncio.sleep(60)
import deliberant.stages.evaluate as stage; stage.results = lambda *_: asyncio.run(idle())
"""
IN_AN_IMPORT = """
class Slow:
    def find_spec(self, name, *_):
        if name == "deliberant.cli.app":
            wait()
sys.meta_path.insert(0, Slow())
"""


def press(process: "subprocess.Popen[str]") -> tuple[str, int]:
    """Send Ctrl-C once the process says that it is there; its stderr and exit code."""
    assert process.stdout is not None and process.stdout.readline() == "in it\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    return err, process.returncode


@pytest.mark.parametrize("patch", [IN_A_VERB, IN_A_BAR, IN_ASYNCIO, IN_AN_IMPORT])
def test_it_is_one_line_and_exit_130(patch: str, tmp_path: Path) -> None:
    code = STAND_IN.format(patch=patch)
    pipe = subprocess.PIPE
    process = subprocess.Popen([sys.executable, "-c", code], stdout=pipe, stderr=pipe, text=True, cwd=tmp_path)
    err, status = press(process)
    assert (err.splitlines()[-1], status) == ("stopped; the same command resumes", 130)
    assert "Traceback" not in err and "Aborted" not in err
