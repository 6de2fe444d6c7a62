"""`deliberant review`, `judge calibrate` and `prompts hints`, from the command line to files and back."""

import json
import os
import signal
import subprocess
import sys
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from typer.testing import CliRunner, Result

from deliberant.cli import app as cli
from deliberant.review import Samples
from deliberant.review.calibrate import calibrate
from deliberant.util.files import read_rows
from tests.review.reviewed import labelled, reviewed


def invoke(*arguments: Any) -> Result:
    return CliRunner().invoke(cli.app, [str(each) for each in arguments])


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("deliberant.review.calibrate.calibrate", partial(calibrate, resamples=50))
    return reviewed(tmp_path).root


def test_labels_go_in_and_out_without_a_page(root: Path, tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text("sample_id,decision,mood\nhearth#0,accept,x\nhearth#1,reject,y\n")
    result = invoke("review", root, "--import", file, "--reviewer", "ana", "--export", tmp_path / "out.jsonl", "--json")
    assert result.exit_code == 0, result.output
    assert "2 labels read, 2 added" in result.stderr and "columns left out: mood" in result.stderr
    counts = json.loads(result.stdout)
    assert (counts["labelled"], counts["reviewers"]["ana"]["reject"]) == (2, 1)
    assert [row["sample_id"] for row in read_rows(tmp_path / "out.jsonl")] == ["hearth#0", "hearth#1"]
    assert "2 of 12 samples have a label" in invoke("review", root, "--import", tmp_path / "out.jsonl").stderr


def test_an_older_file_of_labels_undoes_nothing(root: Path, tmp_path: Path) -> None:
    labelled(Samples(root), "hearth#0 reject")
    file = tmp_path / "old.csv"
    file.write_text("sample_id,decision,reviewer,time\nhearth#0,accept,ana,2000-01-01\n")
    left = "1 labels left out: their reviewer has said otherwise since"
    result = invoke("review", root, "--import", file, "--json")
    assert "1 labels read, 0 added, 0 known before" in result.stderr and left in result.stderr
    assert json.loads(result.stdout)["reviewers"]["ana"]["accept"] == 0
    result = invoke("judge", "calibrate", root, "--labels", file, "--json")
    assert left in result.stderr and json.loads(result.stdout)["confusion"]["accept"]["accept"] == 0


def test_an_export_writes_over_nothing_that_is_read(root: Path, tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text("sample_id,decision\nhearth#0,accept\n")
    assert invoke("review", root, "--import", file, "--reviewer", "ana").exit_code == 0
    store = root / "review" / "labels.jsonl"
    for arguments, what in {
        ("--export", store): "labels.jsonl: is read here and would be lost",
        ("--import", file, "--reviewer", "ben", "--export", file): "labels.csv: is read here and would be lost",
        ("--export", root / "filter" / "kept.jsonl"): "kept.jsonl: lies in ",
    }.items():
        before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        result = invoke("review", root, *arguments)
        assert result.exit_code == 2 and what in result.stderr and result.stderr.count("\n") == 1, result.output
        assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_labels_from_a_pipe_are_a_mistake(root: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "labels.csv")
    for arguments in (("review", root, "--import"), ("judge", "calibrate", root, "--labels")):
        result = invoke(*arguments, tmp_path / "labels.csv")
        assert result.exit_code == 2 and "labels.csv: is a pipe; save it to a file first" in result.stderr


def test_an_export_is_no_first_store(root: Path, tmp_path: Path) -> None:
    store = root / "review" / "labels.jsonl"
    assert invoke("review", root, "--export", store).exit_code == 2 and not store.exists()


def test_mistakes_are_one_line_and_exit_2(root: Path, tmp_path: Path) -> None:
    for arguments, what in {
        ("review", tmp_path): "is no run folder",
        ("review", tmp_path / "none", "--json"): "is no run folder",
        ("review", root, "--import", tmp_path / "no.csv"): "there is no such file",
        ("review", root, "--no-open", "--reviewer", ""): "--reviewer: a reviewer's name",
        ("review", root, "--json", "--sample", 2): "--sample: says nothing to --json, which serves no page; leave one",
        ("review", root, "--import", tmp_path / "no.csv", "--port", 0): "--port: says nothing to --import",
        ("review", root, "--export", tmp_path / "x", "--seed", 0): "--seed: says nothing to --export",
        ("review", root, "--json", "--no-blind"): "--blind: says nothing to --json",
        ("review", root, "--json", "--no-open"): "--open: says nothing to --json",
        ("review", root, "--json", "--reviewer", "ana"): "--reviewer: says nothing to --json",
        ("judge", "calibrate", root): "has no labels",
        ("prompts", "hints", root / "prompts/sft.jsonl", "--from", root, "--to", tmp_path / "x"): "has no labels",
    }.items():
        result = invoke(*arguments)
        assert result.exit_code == 2 and what in result.stderr and result.stderr.count("\n") == 1, result.output
    assert not (tmp_path / "x").exists()


def test_without_a_login_name_it_says_to_give_one(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 1234")

    monkeypatch.setattr("deliberant.cli.review.getuser", nobody)
    (tmp_path / "labels.csv").write_text("sample_id,decision\nhearth#0,accept\n")
    result = invoke("review", root, "--import", tmp_path / "labels.csv")
    assert (result.exit_code, result.stderr) == (
        2,
        "error: --reviewer: you have no login name here; say whose labels these are\n",
    )
    assert invoke("review", root, "--json").exit_code == 0, "which takes no name"
    assert invoke("review", root, "--import", tmp_path / "labels.csv", "--reviewer", "ana").exit_code == 0


def test_columns_that_calibrate_leaves_out_are_told_and_can_not_steer_the_terminal(root: Path, tmp_path: Path) -> None:
    row = {"sample_id": "hearth#0", "decision": "accept", "x\x1b[2J": 1}
    (tmp_path / "labels.jsonl").write_text(json.dumps(row) + "\n")
    for arguments in (("review", root, "--import"), ("judge", "calibrate", root, "--labels")):
        result = invoke(*arguments, tmp_path / "labels.jsonl")
        assert result.exit_code == 0 and "columns left out: x\\x1b[2J" in result.stderr, result.output
        assert "\x1b[2J" not in result.stderr


def test_the_page_is_served_without_a_terminal_until_ctrl_c(root: Path) -> None:
    command = [sys.executable, "-m", "deliberant", "review", str(root), "--no-open", "--sample", "5"]
    process = subprocess.Popen(
        [*command, "--reviewer", "ana"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        assert process.stdout is not None
        url = urlsplit(process.stdout.readline().strip())
        connection = HTTPConnection("127.0.0.1", url.port or 0, timeout=30)
        connection.request("GET", url.path)
        assert "0 of 5 reviewed" in connection.getresponse().read().decode()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0 and "0 of 12 samples have a label" in err and "Traceback" not in err


def test_calibration_reads_stored_labels_and_files(root: Path, tmp_path: Path) -> None:
    labelled(Samples(root), "hearth#0 accept, hearth#1 accept, stove#0 accept, pruning#0 reject")
    file = tmp_path / "ben.csv"
    file.write_text("sample_id,decision\nhearth#1,reject\npruning#0,reject\npruning#3,reject\n")
    shown = json.loads(invoke("judge", "calibrate", root, "--labels", file, "--json").stdout)
    assert shown["counts"]["reviewers"] == 2 and shown["counts"]["conflicting"] == 1
    assert shown["confusion"]["reject"] == {"accept": 1, "reject": 1, "unscored": 0}
    [accuracy] = [row for row in shown["judge"] if row["figure"] == "accuracy"]
    assert accuracy["value"] == 3 / 4 and accuracy["n"] == 4 and accuracy["low"] < 0.75 < accuracy["high"]
    assert set(accuracy) == {"figure", "value", "low", "high", "n", "unscored", "run"}
    assert [row["k"] for row in shown["min_of_k"]] == [1, 2, 3] and shown["hints"] is None
    text = invoke("judge", "calibrate", root, "--labels", file).stdout
    assert "1 samples left out: reviewers are divided" in text and "Cohen's kappa, judge and ben" in text


def test_two_files_of_one_name_are_not_taken_for_one_person(root: Path, tmp_path: Path) -> None:
    files = [tmp_path / folder / "labels.csv" for folder in ("a", "b")]
    for file in files:
        file.parent.mkdir()
        file.write_text("sample_id,decision\nhearth#0,accept\n")
    result = invoke("judge", "calibrate", root, "--labels", files[0], "--labels", files[1])
    assert result.exit_code == 2 and result.stderr == (
        f"error: --labels {files[1]}: its reviewer would be 'labels', as of {files[0]}; rename one of the two, or add "
        "a column reviewer\n"
    )
    files[1].write_text("sample_id,decision,reviewer\nhearth#0,accept,ben\n")
    result = invoke("judge", "calibrate", root, "--labels", files[0], "--labels", files[1], "--json")
    assert json.loads(result.stdout)["counts"]["reviewers"] == 2


def test_hints_are_written_with_the_prompts(root: Path, tmp_path: Path) -> None:
    labelled(Samples(root), "hearth#0 accept")
    to = tmp_path / "hinted.jsonl"
    result = invoke("prompts", "hints", root / "prompts" / "sft.jsonl", "--from", root, "--to", to)
    assert "1 of 3 prompts have a hint of the review (comply 1)" in result.stdout
    first = read_rows(to)[0]
    assert first["hints"] == [{"source": "review:ana", "style": "comply", "confidence": 1.0, "clause": "F2"}]
