from dataclasses import replace
from pathlib import Path

import pytest

from deliberant.prompts import Case, Hint, Message, Prompt, Truth, write_cases, write_prompts
from deliberant.prompts.census import count_prompts
from deliberant.util.errors import UserError

USER = Message(role="user", content="hi")
PROMPTS = (
    Prompt("a", (USER,), ("theft", "weapons"), "f", (Hint("s", "refuse", clause="W1"),), "xstest", "MIT", "plain"),
    Prompt("b", (Message(role="system", content="x"), USER), ("theft",), "f", source="xstest"),
    Prompt("c", (USER, Message(role="assistant", content="yes?"), USER), (), "g"),
    Prompt("d", (Message(role="user", content="\x1b[2J"),), (), "h"),
)


def test_everything_is_counted(tmp_path: Path) -> None:
    write_prompts(tmp_path / "p.jsonl", PROMPTS)
    found = vars(count_prompts(tmp_path / "p.jsonl", ["fire", "theft", "weapons"]))
    assert found == {
        "prompts": 4,
        "several_turns": 1,
        "with_system": 1,
        "hinted": 1,
        "hinted_clause": 1,
        "several_categories": 1,
        "control": 1,
        "families": 3,
        "category": {"theft": 2, "weapons": 1, "outside every category": 2},
        "source": {"xstest": 2, "not stated": 2},
        "licence": {"MIT": 1, "not stated": 3},
        "framing": {"plain": 1, "not stated": 3},
        "missing": ["fire"],
    }


def test_cases_are_checked_as_such(tmp_path: Path) -> None:
    write_cases(tmp_path / "c.jsonl", [Case(replace(PROMPTS[0], hints=()), Truth("refuse", "W1", True), "unseen")])
    assert count_prompts(tmp_path / "c.jsonl", ["theft", "weapons"], ["W1"]).prompts == 1
    with pytest.raises(UserError, match=r"c\.jsonl:1: clause 'W1' is not in the policy; did you mean 'W2'"):
        count_prompts(tmp_path / "c.jsonl", ["theft", "weapons"], ["W2"])


def test_an_empty_file_has_no_prompts_and_a_mistake_has_a_line(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("\n")
    assert count_prompts(tmp_path / "empty.jsonl").prompts == 0
    write_prompts(tmp_path / "p.jsonl", PROMPTS)
    with pytest.raises(UserError, match=r"p\.jsonl:1: category 'weapons' is not in the policy"):
        count_prompts(tmp_path / "p.jsonl", ["theft"])
    with pytest.raises(UserError, match=r"hints\.0\.clause 'W1' is not in the policy"):
        count_prompts(tmp_path / "p.jsonl", None, ["W2"])
