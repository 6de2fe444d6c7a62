# ruff: noqa: RUF001
"""A policy that is written from right to left reaches a training row as it was written."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from deliberant.models.formats import formats
from deliberant.policy import lint, load_policy, spec_view
from deliberant.policy.importers import Wishes, export_policy, import_policy, save_policy
from deliberant.prompts import Case, Message, Prompt, Truth
from deliberant.stages.filter import filter
from deliberant.stages.generate import generate
from deliberant.training.rows import RowBuilder
from deliberant.util.files import read_rows
from tests.stages import scripted
from tests.stages.scripted import Scripted, make_run
from tests.tiny import make_tiny_tokenizer

SOURCE = "سیاست\n\n۱. روشنی\n- پاسخ باید کوتاه و خوانا باشد.\n\n۲. درستی\n- نام‌ها و شماره‌ها باید درست باشند.\n"
REASONING = "این در [C1] است: پاسخ باید کوتاه باشد"
ANSWER = "بله، با ۲ گام: «آب» و نمک."


def test_a_persian_policy_reaches_a_training_row_unharmed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "policy.txt").write_text(SOURCE, encoding="utf-8")
    imported = import_policy(tmp_path / "policy.txt", Wishes(style="comply"))
    save_policy(imported.policy, tmp_path / "made")
    policy = load_policy(tmp_path / "made")
    clarity, accuracy = policy.clauses.values()
    assert (policy.name, clarity.title) == ("سیاست", "پاسخ باید کوتاه و خوانا باشد.") and not imported.warnings
    assert accuracy.title == "نام‌ها و شماره‌ها باید درست باشند." and accuracy.source == "policy.txt:7"
    assert not [each for each in lint(policy) if each.severity == "error"]
    (tmp_path / "one.md").write_text(export_policy(policy), encoding="utf-8")
    assert import_policy(tmp_path / "one.md").policy == policy

    prompt = Prompt("p", (Message(role="user", content="چطور سوپ درست کنم؟"),), (clarity.category,), "p")
    other = Prompt("c", (Message(role="user", content="فردا هوا چطور است؟"),), (clarity.category,), "c")
    case = Case(other, Truth("comply", clarity.id, False), "seen")
    monkeypatch.setattr(scripted, "POLICY", policy)
    monkeypatch.setattr(scripted, "CASE", case)
    written = f"<think>{REASONING}</think>{ANSWER}"
    base = Scripted(lambda _: written)
    judge = Scripted(lambda _: f"<think>hm</think>clause: [{clarity.id}]\nscore: 5", "judge")
    run = make_run(tmp_path, base, judge, [prompt], generate={"samples": 1}, filter={"k": 1})
    generate(run)
    filter(run)
    [kept] = read_rows(run.root / "filter" / "kept.jsonl")
    assert spec_view(policy, [clarity.category]) in base.requests[0].messages[0]["content"]

    tokenizer = make_tiny_tokenizer()

    def encode(messages: Sequence[Message]) -> list[int]:
        return list(tokenizer.apply_chat_template(list(messages), add_generation_prompt=True, return_dict=False))

    sampler = SimpleNamespace(tokenizer=tokenizer, format=formats()["micro"], opened=False, encode=encode)
    row = RowBuilder(policy, sampler).row(prompt, "policy", kept)  # type: ignore[arg-type]
    assert tokenizer.decode(row.completion_ids[:-1]) == written
    assert "چطور سوپ درست کنم؟" in tokenizer.decode(row.prompt_ids) and "خوانا" not in tokenizer.decode(row.prompt_ids)
