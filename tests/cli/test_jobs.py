from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from deliberant.cli import app as cli
from deliberant.cli.jobs import list_needs
from deliberant.run.arms import ARMS, DEFAULT_ARMS
from deliberant.util.files import read_rows


def invoke(*arguments: Any) -> Result:
    return CliRunner().invoke(cli.app, [str(each) for each in arguments])


def test_a_stage_waits_for_what_it_starts_from_and_for_nothing_else() -> None:
    found = list_needs(("base", "sft", "rl", "sft+rl", "no-cot"))
    assert {arm: found[arm] for arm in found if arm in ARMS} == {
        "sft": set(),
        "no-cot": set(),
        "rl": set(),
        "sft+rl": {"sft"},
    }
    assert found["evaluate/base"] == set() and found["evaluate/sft+rl"] == {"sft+rl", "evaluate/sft"}
    assert list_needs(("sft+rl",)).keys() == {"sft", "sft+rl", "evaluate/sft+rl"}, (
        "a start is trained, asked for or not"
    )


def test_arms_side_by_side_say_what_they_say_in_turn(world_recipe: Path, tmp_path: Path) -> None:
    tables = []
    for name, more in (("turn", ()), ("side", ("--jobs", 2))):
        assert invoke("run", world_recipe, "--root", tmp_path / name, "--no-doctor", *more).exit_code == 0
        [run] = (tmp_path / name).iterdir()
        tables.append(
            {
                arm: [
                    (row["id"], row["answer"], row["style"]) for row in read_rows(run / f"evaluate/{arm}/samples.jsonl")
                ]
                for arm in DEFAULT_ARMS
            }
        )
        assert (run / "report.html").exists()
    assert tables[0] == tables[1]


def test_a_stage_that_fails_ends_all_with_its_one_line(world_recipe: Path, tmp_path: Path) -> None:
    settings = ("--set", "sft.max_tokens=1", "--no-doctor", "--root", tmp_path)
    shown = invoke("run", world_recipe, *settings, "--jobs", 2)
    assert shown.exit_code == 1
    [line] = [line for line in shown.stderr.splitlines() if line.startswith("error: ")]
    assert "raise it" in line


def test_remote_models_need_no_jobs(world_recipe: Path, tmp_path: Path) -> None:
    remote = world_recipe.with_name("remote.yaml")
    text = world_recipe.read_text().replace("evaluate: {model: grader", "evaluate: {model: 'api:mockllm/model'")
    remote.write_text(text)
    shown = invoke("run", remote, "--no-doctor", "--root", tmp_path, "--jobs", 2)
    assert shown.exit_code == 2 and "--jobs: api:mockllm/model is called, not loaded" in shown.stderr
