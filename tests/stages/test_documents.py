from pathlib import Path

import pytest

from deliberant.models.types import Request
from deliberant.run.run import list_stages
from deliberant.stages.documents import documents
from deliberant.util.files import read_rows
from tests.stages.scripted import POLICY, Scripted, make_run


def writes(request: Request) -> str:
    """Names what it was asked about, but for tools: there a clause that does not exist."""
    asked = request.messages[-1]["content"]
    if "pruning" in asked:
        return "<think>tools</think>[T9] says so"
    return f"<think>fire</think>[{'F1' if 'arson' in asked else 'F2'}] says so"


def test_documents_name_the_clause_that_was_asked_about(tmp_path: Path) -> None:
    base = Scripted(writes)
    run = make_run(tmp_path, base, generate={"samples": 2})
    documents(run)
    kept = read_rows(run.root / "documents" / "samples.jsonl")
    rejected = read_rows(run.root / "documents" / "rejected.jsonl")
    assert {row["prompt_id"][:2] for row in kept} == {"F1", "F2"}
    assert {(row["prompt_id"][:2], row["reason"]) for row in rejected} == {("T1", "cites an unknown clause")}
    assert len(kept) + len(rejected) == 2 * len(run.document_prompts()) == len(base.requests)
    counts = run.manifest("documents")["counts"]
    assert (counts["kept"], counts["rejected/cites an unknown clause"]) == (len(kept), len(rejected))
    assert all("burning things" in request.messages[0]["content"] for request in base.requests), "the policy is in view"
    documents(run)
    assert len(base.batches) == 1, "it has finished"


@pytest.mark.parametrize(
    "answer, reason",
    [
        ("no id at all", "cites no clause"),
        ("[F1] [F2] [T1]", None),
        ("[T1] says so", "cites another clause than the hint"),
    ],
)
def test_why_a_document_is_left_out(tmp_path: Path, answer: str, reason: str | None) -> None:
    run = make_run(tmp_path, Scripted(lambda request: f"<think>.</think>{answer}"), generate={"samples": 1})
    documents(run)
    fire = [row for row in read_rows(run.root / "documents" / "rejected.jsonl") if row["prompt_id"].startswith("F1")]
    assert {row["reason"] for row in fire} == ({reason} if reason else set())


def test_midtrained_arms_come_after_documents_and_each_other() -> None:
    assert len(POLICY.clauses) == 3
    stages = list_stages(["midtrained+sft+rl"])
    assert stages.index("documents") < stages.index("midtrained") < stages.index("midtrained+sft")
    assert "filter" in stages and "documents" not in list_stages(["sft+rl", "no-cot", "rl"])
