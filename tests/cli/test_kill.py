"""Kill it anywhere, run it again: a run ends with the very files of an undisturbed one.

Ctrl-C, a full disk, damaged files and mistakes in what was given, too, each end in one line.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from deliberant.cli import app as cli
from deliberant.util.files import read_rows
from deliberant.util.journal import Journal
from tests.forks import Forks
from tests.runs import write_recipe

SETTLED = (
    "helpful/*.jsonl",
    "generate/*.jsonl",
    "filter/*.jsonl",
    "*/rows.jsonl",
    "*/metrics.jsonl",
    "*/rollouts.jsonl",
    "*/checkpoint/*",
    "evaluate/*/samples.jsonl",
    "evaluate/results.json",
)
SCRAP = ("**/*.journal", "**/*.tmp", "**/.*.tmp", "**/*.draft", "*/trainer")
POINTS = {
    "generate has a chunk": "generate/samples.jsonl.journal",
    "sft has a checkpoint": "sft/trainer/checkpoint-*/trainer_state.json",
    "rl has begun": "rl/rollouts.jsonl",
    "an arm is answering": "evaluate/base/answers.jsonl.journal",
    "an arm is being judged": "evaluate/sft/judged.jsonl.journal",
}
"""A file whose appearance is the moment, in the order of a run."""


def outcome(root: Path) -> dict[str, bytes]:
    """All that must not depend on how often a run was stopped."""
    assert not [path for pattern in SCRAP for path in root.glob(pattern)], "a finished run holds no scrap"
    return {path.relative_to(root).as_posix(): path.read_bytes() for pattern in SETTLED for path in root.glob(pattern)}


def only(folder: Path) -> Path:
    """The one run in a folder."""
    [root] = folder.iterdir()
    return root


@pytest.fixture(scope="module")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    forks = Forks(tmp_path_factory.mktemp("forks"))
    yield forks
    forks.close()


@pytest.fixture(scope="module")
def undisturbed(forks: Forks, world_recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was left in peace."""
    runs = tmp_path_factory.mktemp("undisturbed")
    assert forks.run("run", world_recipe, "--root", runs) == 0, forks.err.read_text()
    return only(runs)


@pytest.fixture
def copy(undisturbed: Path, tmp_path: Path) -> Path:
    """The finished run again, to be damaged."""
    return shutil.copytree(undisturbed, tmp_path / "runs" / undisturbed.name)


def reached(forks: Forks, runs: Path, file: str) -> None:
    """Wait for the moment that a file appears in the run."""
    while not list(runs.glob(f"*/{file}")):
        assert not forks.ended(0.001), f"ended before there was {file}: {forks.err.read_text()}"


@pytest.mark.slow
def test_killed_at_every_stage_and_finished_by_the_real_command(
    forks: Forks, undisturbed: Path, world_recipe: Path, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    for point in POINTS.values():
        forks.start("run", world_recipe, "--root", runs)
        reached(forks, runs, point)
        assert forks.stop(signal.SIGKILL) == -signal.SIGKILL, point
    command = [sys.executable, "-m", "deliberant", "run", str(world_recipe), "--root", str(runs)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("report.html\n")
    assert outcome(only(runs)) == outcome(undisturbed)


@pytest.mark.slow
def test_ctrl_c_is_one_line_and_the_same_command_resumes(
    forks: Forks, undisturbed: Path, world_recipe: Path, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    for point in ("generate has a chunk", "sft has a checkpoint", "an arm is answering", "an arm is being judged"):
        forks.start("run", world_recipe, "--root", runs)
        reached(forks, runs, POINTS[point])
        assert forks.stop(signal.SIGINT) == 130, (point, forks.err.read_text())
        assert forks.last_line == "stopped; the same command resumes"
    assert forks.run("run", world_recipe, "--root", runs) == 0, forks.err.read_text()
    assert outcome(only(runs)) == outcome(undisturbed)


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_loses_nothing(
    forks: Forks, undisturbed: Path, world_recipe: Path, tmp_path: Path
) -> None:
    """No file may grow beyond a limit: what a full disk does to a write, without a disk to fill."""
    runs = tmp_path / "runs"
    assert forks.run("run", world_recipe, "--root", runs, limit=300_000) == 1, forks.err.read_text()
    assert re.fullmatch(r"error: .*/sft\b.*\bresumes", forks.last_line)
    assert not (only(runs) / "sft" / "manifest.json").exists()
    assert forks.run("run", world_recipe, "--root", runs) == 0, forks.err.read_text()
    assert outcome(only(runs)) == outcome(undisturbed)


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli.app, [str(each) for each in arguments])


def complaint(result: Result, code: int) -> str:
    """The one line of a command that failed as it should."""
    assert result.exit_code == code, result.output
    lines = [line for line in result.stderr.splitlines() if not line.startswith("run folder: ")]
    assert len(lines) == 1 and lines[0].startswith("error: "), result.stderr
    return lines[0].removeprefix("error: ")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("run.json", "is torn or no JSON"),
        ("filter/begun.json", "is torn or no JSON"),
        ("filter/manifest.json", "is torn or no JSON"),
        ("generate/samples.jsonl", "was changed since generate finished"),
        ("sft/checkpoint/model.safetensors", "was changed since sft finished"),
        ("evaluate/rl/samples.jsonl", "was changed since evaluate/rl finished"),
    ],
)
def test_a_cut_file_is_named(copy: Path, file: str, words: str) -> None:
    cut(copy / file)
    assert complaint(invoke("run", copy), 1).startswith(f"{copy / file}: {words}")


@pytest.mark.slow
def test_a_kill_right_after_a_stage_finished_leaves_no_scrap(copy: Path) -> None:
    (copy / "sft" / "trainer" / "checkpoint-20").mkdir(parents=True)
    (copy / "filter" / "judged.jsonl.journal").touch()
    assert invoke("run", copy).exit_code == 0
    outcome(copy)


@pytest.mark.slow
def test_following_the_remedy_repairs_a_run(copy: Path, undisturbed: Path) -> None:
    manifest = copy / "generate" / "manifest.json"
    cut(manifest)
    assert "delete it and run the stage again" in complaint(invoke("run", copy), 1)
    manifest.unlink()
    result = invoke("run", copy)
    assert result.exit_code == 0, result.output
    assert outcome(copy) == outcome(undisturbed)


@pytest.mark.slow
def test_damaged_and_cut_chunks_of_a_journal_are_done_again(copy: Path) -> None:
    folder = copy / "generate"
    whole = (folder / "samples.jsonl").read_bytes()
    rows = read_rows(folder / "samples.jsonl")
    for name in ("samples.jsonl", "manifest.json"):
        (folder / name).unlink()
    journal = Journal(folder / "samples.jsonl")
    for start in range(0, 9, 3):
        journal.append(rows[start : start + 3])
    sound = journal.file.read_bytes()
    damaged = sound.replace(b'"index": 1', b'"index": 7', 1)
    assert damaged != sound
    for broken in (damaged, sound[: len(sound) // 2]):
        (folder / "manifest.json").unlink(missing_ok=True)
        (folder / "samples.jsonl").unlink(missing_ok=True)
        journal.file.write_bytes(broken)
        assert invoke("generate", copy).exit_code == 0
        assert (folder / "samples.jsonl").read_bytes() == whole


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("recipe.yaml", "judge:", "sede: 3\njudge:", r":5: unknown key 'sede'; did you mean 'seed'\?"),
        ("recipe.yaml", "templates: micro", "templates: mirco", r":4: templates: there is no .*mirco"),
        ("policy/categories/weapons.md", "[W2]", "[W1]", r":13: clause id 'W1' is already taken at .*weapons\.md:11"),
        ("policy/categories/weapons.md", "comply", "comly", r":13: unknown style .*comly.*; did you mean 'comply'\?"),
        ("policy/categories/weapons.md", "Things made to hurt.", "", r":\d+: category 'weapons' has no summary"),
        ("policy/styles.md", "## refuse\nSay no.\n", "", r":1: no guideline for refuse"),
        ("train.jsonl", '"weapons"', '"wepons"', r":1: category 'wepons' .*did you mean 'weapons'\?"),
        ("cases.jsonl", '"W1"', '"W9"', r":1: clause 'W9' is not in the policy"),
    ],
)
def test_a_users_mistake_is_one_line_with_file_and_line(
    tmp_path: Path, tiny_model: Path, file: str, old: str, new: str, words: str
) -> None:
    recipe = write_recipe(tmp_path, tiny_model)
    path = tmp_path / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    line = complaint(invoke("run", recipe, "--root", tmp_path / "runs"), 2)
    assert re.match(rf"{re.escape(str(path))}{words}", line), line
    assert not (tmp_path / "runs").exists()
