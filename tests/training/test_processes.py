"""Two processes on a CPU train as one does: the same losses from the same rows, and one line where one of them dies."""

import math
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from deliberant.cli import app as cli
from deliberant.run.loader import load_recipe
from deliberant.run.opening import open_run
from deliberant.run.recipe import Sft
from deliberant.training import proofs
from deliberant.training.packing import fill_last_step
from deliberant.util import processes
from deliberant.util.errors import RunError, UserError
from deliberant.util.files import read_rows
from deliberant.util.locks import unlock
from tests.tiny import make_tiny_model
from tests.training.pairs import Pairs

ROOT = Path(__file__).parents[2]
SETTINGS = {
    "sft.epochs": "3",  # an odd number of rows: in the last step one process has nothing to learn from
    "sft.save_steps": "2",
    "sft.batch_size": "4",
    "sft.passes": "2",
    "sft.gradient_checkpointing": "true",
    "rl.prompts_per_step": "4",
    "rl.group_size": "4",
    "rl.batch_size": "8",
    "rl.learning_rate": "0.01",
}
OPTIONS = [text for key, value in SETTINGS.items() for text in ("--set", f"{key}={value}")]


def errors(said: str) -> list[str]:
    return re.findall("error: .*", said)  # maybe behind a bar


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pairs]:
    pairs = Pairs(tmp_path_factory.mktemp("pairs"))
    yield pairs
    pairs.close()


@pytest.fixture(scope="module")
def alone(world_recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of one process, its sft and rl arms trained."""
    root = tmp_path_factory.mktemp("alone")
    for words in (["helpful"], ["generate"], ["filter"], ["sft"], ["rl", "--arm", "rl"]):
        done = CliRunner().invoke(cli.app, [*words, str(world_recipe), "--root", str(root), *OPTIONS])
        assert done.exit_code == 0, done.output
    [folder] = root.iterdir()
    unlock(folder / ".lock")
    return folder


@pytest.fixture(scope="module")
def together(alone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run before its training."""
    folder = Path(shutil.copytree(alone, tmp_path_factory.mktemp("together") / alone.name))
    for arm in ("sft", "rl"):
        shutil.rmtree(folder / arm)
    return folder


def same(one: Path, two: Path, arm: str) -> None:
    """The metrics of an arm, step by step."""
    rows = [read_rows(folder / arm / "metrics.jsonl") for folder in (one, two)]
    for old, new in zip(*rows, strict=True):
        for key in ("loss", "grad_norm"):
            assert new.pop(key) == pytest.approx(old.pop(key), abs=1e-3, rel=1e-3), (old["step"], key)
        old.pop("entropy", None), new.pop("entropy", None)  # a mean over passes, whose rows are others
        assert new == pytest.approx(old)


@pytest.mark.slow
@pytest.mark.numbers
def test_a_killed_process_ends_both_with_one_line_and_both_resume_as_one(
    world_recipe: Path, alone: Path, together: Path, pairs: Pairs
) -> None:
    words = ["sft", world_recipe, "--root", together.parent, *OPTIONS]
    assert pairs.run(*words, dies=3) == [1, -signal.SIGKILL], pairs.said
    assert errors(pairs.said) == [f"error: {processes.ENDED}"], pairs.said
    assert not (together / "sft" / "checkpoint").exists() and (together / "sft" / "trainer" / "checkpoint-2").exists()
    assert pairs.run(*words) == [0, 0], pairs.said
    assert len(read_rows(alone / "sft" / "rows.jsonl")) % 2, "or no process ran out of rows"
    same(alone, together, "sft")
    left = {path.name for path in (together / "sft").iterdir()}
    assert left == {"begun.json", "rows.jsonl", "metrics.jsonl", "checkpoint", "manifest.json"}


@pytest.mark.slow
@pytest.mark.numbers
def test_two_processes_draw_and_learn_what_one_does(
    world_recipe: Path, alone: Path, together: Path, pairs: Pairs
) -> None:
    words = ["rl", world_recipe, "--root", together.parent, "--arm", "rl", *OPTIONS]
    assert pairs.run(*words) == [0, 0], pairs.said
    same(alone, together, "rl")
    assert any(row["grad_norm"] > 0 for row in read_rows(together / "rl" / "metrics.jsonl"))
    assert read_rows(alone / "rl" / "rollouts.jsonl")[0] == read_rows(together / "rl" / "rollouts.jsonl")[0]


@pytest.mark.slow
def test_a_model_in_parts_is_sampled_and_blended_whole(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"]
    done = subprocess.run(
        [*command, "tests.training.parts", str(make_tiny_model(tmp_path, "gpt2"))],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[Any]], None]:
    """This process is the first of two, which are not connected; the function says what both say to each other."""
    for name, value in {"WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1"}.items():
        monkeypatch.setenv(name, value)

    def say(found: list[Any]) -> None:
        monkeypatch.setattr(proofs, "gather", lambda own: found)

    return say


def test_a_port_that_is_taken_is_one_line(two: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setenv("MASTER_PORT", str(taken.getsockname()[1]))
        with pytest.raises(UserError, match=r"port 127.0.0.1:\d+ is taken.*--master-port"):
            processes.join()


def trainer(processes: int, rows: int = 8, seen: Any = None) -> Any:
    import torch

    data = range(rows)
    batches = seen or [[0, 1], [4, 5]]
    return SimpleNamespace(
        accelerator=SimpleNamespace(num_processes=processes),
        model=torch.nn.Linear(1, 1),
        args=SimpleNamespace(gradient_accumulation_steps=2),
        train_dataset=data,
        get_train_dataloader=lambda: SimpleNamespace(batch_sampler=batches),
        _get_train_sampler=iter,
    )


def test_processes_that_would_train_each_alone_are_found(two: Any) -> None:
    with pytest.raises(RunError, match="2 processes were launched and 1 would train, each alone"):
        proofs.check_connected(trainer(1))


def test_different_weights_are_found(two: Any) -> None:
    two([1.0, 0.0])
    with pytest.raises(RunError, match="different weights"):
        proofs.check_connected(trainer(2))


def test_processes_that_see_the_same_rows_are_found(two: Any) -> None:
    two([[0, 1, 4, 5], [2, 3, 6, 7]])
    proofs.sharing(trainer(2))
    two([[0, 1, 4, 5], [0, 1, 4, 5]])
    with pytest.raises(RunError, match=r"4 of 8 come twice"):
        proofs.sharing(trainer(2))


@pytest.mark.parametrize("flag", proofs.WRAPPERS)
def test_a_wrapper_that_accelerate_left_out_is_found(two: Any, monkeypatch: pytest.MonkeyPatch, flag: str) -> None:
    from torch.nn.parallel import DistributedDataParallel

    made = SimpleNamespace(model_wrapped=DistributedDataParallel.__new__(DistributedDataParallel))
    proofs.Wrapped(made).on_train_begin()
    monkeypatch.setenv(flag, "true")
    with pytest.raises(UserError, match=f"asks for {proofs.WRAPPERS[flag]}"):
        proofs.Wrapped(made).on_train_begin()


def test_a_row_without_a_label_is_found() -> None:
    proofs.check_labels([{"labels": [-100, 3]}])
    with pytest.raises(RunError, match="sequence 2 of 2"):
        proofs.check_labels([{"labels": [-100, 3]}, {"labels": [3, -100]}])  # nothing predicts a first token


@pytest.mark.parametrize("logs", [{"loss": math.nan}, {"loss": 1.0, "grad_norm": math.inf}])
def test_a_step_without_a_finite_loss_stops_the_run(logs: dict[str, float]) -> None:
    with pytest.raises(RunError, match="step 7"):
        proofs.check_finite(7, logs)


def test_without_vllm_a_recipe_that_asks_for_it_is_a_line(world_recipe: Path) -> None:
    with pytest.raises(UserError, match="vLLM is not installed here"):
        open_run(load_recipe(world_recipe, ["rl.vllm=colocate"]), make=False)


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you")])
def test_out_of_memory_names_the_setting(error: Exception) -> None:
    with pytest.raises(RunError, match=r"out of memory; sft.passes=4"), proofs.fitting("sft.passes=4"):
        raise error
    with pytest.raises(RuntimeError, match="another"), proofs.fitting("sft.passes=4"):
        raise RuntimeError("another")


def test_the_last_step_is_filled_evenly_and_with_nothing_to_learn(two: Any) -> None:
    rows = [{"input_ids": [number], "labels": [number]} for number in range(6)]
    full = fill_last_step(rows, 4)
    assert [row["labels"] for row in full] == [[0], [1], [2], [3], [-100], [4], [-100], [5]]
    assert fill_last_step(rows, 3) == rows


def test_what_does_not_divide_among_the_processes_is_said_before_the_run(two: Any, world_recipe: Path) -> None:
    recipe = load_recipe(world_recipe, ["sft.batch_size=3"])
    with pytest.raises(UserError, match=r"sft.batch_size by sft.packing: 3 .* 2 equal parts \(2 processes\)"):
        open_run(recipe)


def test_settings_that_fit_a_step_into_memory_are_no_part_of_a_runs_name(world_recipe: Path, tmp_path: Path) -> None:
    plain, fitted, other = (
        open_run(load_recipe(world_recipe, sets), tmp_path, make=False).root
        for sets in ([], ["sft.passes=2", "sft.gradient_checkpointing=true", "rl.batch_size=2"], ["sft.batch_size=4"])
    )
    assert plain == fitted != other
    assert Sft(passes=2).shaping == Sft().shaping
