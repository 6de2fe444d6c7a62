"""`deliberant review`, `judge calibrate` and `prompts hints`, from the command line to files and back."""

import json
import os
import signal
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from typer.testing import CliRunner, Result

from deliberant import cli
from deliberant.files import read_rows
from deliberant.review import Samples
from tests.review.reviewed import labelled, reviewed


def invoke(*arguments: Any) -> Result:
    return CliRunner().invoke(cli.app, [str(each) for each in arguments])


@pytest.fixture
def root(tmp_path: Path) -> Path:
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


def test_mistakes_are_one_line_and_exit_2(root: Path, tmp_path: Path) -> None:
    for arguments, what in {
        ("review", tmp_path): "filter has not finished",
        ("review", root, "--import", tmp_path / "no.csv"): "there is no such file",
        ("review", root, "--no-open", "--reviewer", ""): "--reviewer: a reviewer's name",
        ("judge", "calibrate", root): "has no labels",
        ("prompts", "hints", root / "prompts/train.jsonl", "--from", root, "--to", tmp_path / "x"): "has no labels",
    }.items():
        result = invoke(*arguments)
        assert result.exit_code == 2 and what in result.stderr and result.stderr.count("\n") == 1, result.output
    assert not (tmp_path / "x").exists()


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


def test_hints_are_written_with_the_prompts(root: Path, tmp_path: Path) -> None:
    labelled(Samples(root), "hearth#0 accept")
    to = tmp_path / "hinted.jsonl"
    result = invoke("prompts", "hints", root / "prompts" / "train.jsonl", "--from", root, "--to", to)
    assert "1 of 3 prompts have a hint of the review (comply 1)" in result.stdout
    first = read_rows(to)[0]
    assert first["hints"] == [{"source": "review:ana", "style": "comply", "confidence": 1.0}]
