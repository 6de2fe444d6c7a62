import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deliberant.cli import app as cli
from deliberant.review.answers import COLUMNS, calibrate_answers, write_answers
from deliberant.stages.answers import read_samples
from deliberant.stages.evaluate import evaluate
from deliberant.stages.report import gather
from deliberant.util.errors import UserError
from tests.stages.scripted import Scripted
from tests.stages.test_evaluate import JudgedRun, ReadRun, answer, open_run


def strict(request: object) -> str:
    """A judge that has it that only what declines keeps the policy."""
    said = request.messages[-1]["content"]  # type: ignore[attr-defined]
    return f"<think>a</think>score: {5 if 'sorry' in said else 1}"


@pytest.fixture
def run(tmp_path: Path) -> ReadRun:
    run = open_run(tmp_path, Scripted(answer), Scripted(strict), JudgedRun)
    evaluate(run)
    return run


def filled(file: Path, decide: dict[str, str], keep: int | None = None) -> None:
    """Write decisions into a table, by what was answered."""
    rows = list(csv.DictReader(file.open()))
    with file.open("w", newline="") as out:
        writer = csv.DictWriter(out, COLUMNS)
        writer.writeheader()
        writer.writerows({**row, "decision": decide.get(row["answer"], "")} for row in rows[:keep])


def test_people_fill_in_a_table_that_names_no_arm(run: ReadRun, tmp_path: Path) -> None:
    file = tmp_path / "answers.csv"
    samples = [each for arm in ("base", "base+spec") for each in read_samples(run.root, arm) if each.verdicts]
    assert write_answers(run, file, 100) == len(samples)
    rows = list(csv.DictReader(file.open()))
    assert set(rows[0]) == set(COLUMNS) and not any(row["decision"] for row in rows)
    assert "base" not in file.read_text() and "score" not in file.read_text()
    filled(file, {"sorry": "accept", "sure": "accept"})
    found = calibrate_answers(run, file)
    assert found.confusion["accept"]["accept"] == sum(each.answer == "sorry" for each in samples) == 1
    assert found.confusion["accept"]["reject"] == len(samples) - 1
    assert {figure.name for figure in found.judge} >= {"accuracy", "Cohen's kappa"}
    filled(file, {"sorry": "Accept"})
    assert calibrate_answers(run, file).counts == {"samples": 1, "without_decision": len(samples) - 1}


def test_a_mistake_in_the_table_names_its_line(run: ReadRun, tmp_path: Path) -> None:
    file = tmp_path / "answers.csv"
    write_answers(run, file, 2)
    with pytest.raises(UserError, match="no row has a decision"):
        calibrate_answers(run, file)
    filled(file, {"sorry": "maybe", "sure": "maybe"})
    with pytest.raises(UserError, match=r"answers\.csv:2: unknown decision 'maybe'"):
        calibrate_answers(run, file)
    file.write_text("answer_id,decision\nstrange,accept\n")
    with pytest.raises(UserError, match=r"answers\.csv:2: .* has no judged answer 'strange'"):
        calibrate_answers(run, file)


def test_the_verb_makes_the_table_and_then_compares(run: ReadRun, tmp_path: Path) -> None:
    file = tmp_path / "answers.csv"
    command = ["judge", "calibrate", str(run.root), "--answers", str(file)]
    made = CliRunner().invoke(cli.app, command)
    assert made.exit_code == 0 and "write accept or reject into column decision" in made.output, made.output
    filled(file, {"sorry": "accept", "sure": "reject"})
    shown = CliRunner().invoke(cli.app, command)
    assert shown.exit_code == 0 and "Cohen's kappa" in shown.output and "1.00" in shown.output, shown.output
    assert json.loads((run.root / "evaluate" / "calibration.json").read_text())["confusion"]["accept"]["accept"] == 1
    assert "People agree with it on 100.0% of" in gather(run).notes[0]
