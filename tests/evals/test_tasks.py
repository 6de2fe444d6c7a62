import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai.log import EvalLog, read_eval_log

from deliberant.evals.batching import Batcher
from deliberant.evals.provider import arm_model
from deliberant.evals.tasks import cases as cases_task_by_file
from deliberant.evals.tasks import load_reader
from deliberant.models.types import Completion, Reasoning, Request, Sampling
from deliberant.prompts import write_cases
from deliberant.prompts.types import Style
from deliberant.util.errors import UserError
from tests.completions import completed
from tests.evals.scored import case

CASES = [case("a"), case("b", style="comply", clause=None, harmful=False), case("c", suite="seen")]


def read_style(answer: str) -> Style | None:
    return {"sorry": "refuse", "sure": "comply"}.get(answer)  # type: ignore[return-value]


class Sorry:
    identity = "sorry"
    reasoning: Reasoning = "native"

    def sample(self, requests: Sequence[Request], sampling: Sampling) -> list[Completion]:
        return [completed("<think>policy [F1]</think>sorry") for _ in requests]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    def refuse(*_: Any) -> None:
        raise AssertionError("an evaluation of a local model reached for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    write_cases(tmp_path / "cases.jsonl", CASES)
    return tmp_path / "cases.jsonl"


def run(file: Path, **arguments: Any) -> EvalLog:
    task = cases_task_by_file(cases=str(file), **arguments)
    model = arm_model("sft", Batcher(Sorry(), gather=len(task.dataset), quiet=5))
    (log,) = inspect_eval(task, model=model, log_dir=str(file.parent), display="none", log_level="error")
    return log


def test_the_log_holds_every_reading(file: Path) -> None:
    log = run(file, arm="sft", style_reader="tests.evals.test_tasks:read_style")
    assert log.status == "success"
    again = read_eval_log(log.location)
    assert again.samples is not None
    scores = {sample.id: (sample.scores or {})["response"] for sample in again.samples}
    assert scores["a"].value["compliance"] == 1  # type: ignore[index, call-overload]
    assert scores["b"].value["harmless_refused"] == 1  # type: ignore[index, call-overload]
    assert scores["a"].answer == "sorry"
    metadata = scores["a"].metadata or {}
    assert (metadata["reasoning"], metadata["cited"], metadata["style"]) == ("policy [F1]", ["F1"], "refuse")


def test_one_suite_can_be_chosen_and_must_exist(file: Path) -> None:
    assert [sample.id for sample in cases_task_by_file(cases=str(file), suite="seen").dataset] == ["c"]
    with pytest.raises(UserError, match="no case of suite 'sene'"):
        cases_task_by_file(cases=str(file), suite="sene")


def test_the_policy_is_shown_only_when_asked_for(file: Path) -> None:
    from deliberant.micro import POLICY_DIR

    bare, shown = (cases_task_by_file(cases=str(file), policy=policy) for policy in (None, str(POLICY_DIR)))
    assert [message.role for message in bare.dataset[0].input] == ["user"]  # type: ignore[union-attr]
    assert [message.role for message in shown.dataset[0].input] == ["system", "user"]  # type: ignore[union-attr]
    assert "# summaries" in shown.dataset[0].input[0].text  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["nonsense", "no.such.module:f", "deliberant.evals:no_such_function"])
def test_a_reader_that_is_not_there_is_a_users_mistake(name: str) -> None:
    with pytest.raises(UserError, match="module:function"):
        load_reader(name)
