"""Comparisons of scripted models: what is drawn, what is taken from elsewhere, and what is counted."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deliberant.evals import ScoredSample
from deliberant.models.budget import Price
from deliberant.models.types import Completion, Reasoning, Request, Sampling, Usage
from deliberant.prompts.types import Case, Message, Prompt, Style, Truth
from deliberant.report.comparison import POOLED
from deliberant.stages.compare import Contest, compare, entrant_folder, pareto_front
from deliberant.stages.entrants import Entrant, find_entrants, user_text
from deliberant.util.errors import RunError, UserError
from deliberant.util.progress import NullProgress

GREEDY = Sampling(temperature=0.0)


class Says:
    """Answers every prompt alike, or by its text, and counts what it is asked."""

    identity = "says"
    reasoning: Reasoning = "off"

    def __init__(self, answer: str | dict[str, str]) -> None:
        self.answer, self.asked = answer, 0

    def sample(self, requests: Sequence[Request], sampling: Sampling) -> list[Completion]:
        self.asked += len(requests)
        said = [
            self.answer if isinstance(self.answer, str) else self.answer[each.messages[-1]["content"]]
            for each in requests
        ]
        return [Completion(text, "", text, True, "stop", Usage(10, 2)) for text in said]

    def entrant(self, name: str) -> Entrant:
        return Entrant(name, name, lambda: (self, lambda turns: turns), price="some/model")


def read_style(answer: str) -> Style | None:
    return {"no": "refuse", "sure": "comply"}.get(answer)  # type: ignore[return-value]


def cases(n: int = 6) -> list[Case]:
    """Half harmful, half harmless, each a family of its own."""
    made = []
    for number in range(n):
        harmful = number % 2 == 0
        prompt = Prompt(f"p{number}", (Message(role="user", content=f"request {number}"),), (), f"family {number}")
        made.append(Case(prompt, Truth("refuse" if harmful else "comply", None, harmful), "mixed"))
    return made


def contest(**changes: object) -> Contest:
    return replace(Contest(cases(), None, GREEDY, 0, read_style), **changes)  # type: ignore[arg-type]


def right() -> dict[str, str]:
    return {f"request {number}": "sure" if number % 2 else "no" for number in range(6)}


def compared(folder: Path, *members: Entrant, asked: Contest | None = None) -> dict[str, Any]:
    prices = {"some/model": Price(1.0, 10.0, 0.1)}
    return compare(members, asked or contest(), folder, NullProgress(), prices, chunk=4)


def test_who_refuses_all_and_who_answers_all_are_both_behind(tmp_path: Path) -> None:
    members = [Says(right()).entrant("good"), Says("no").entrant("refuser"), Says("sure").entrant("helper")]
    result = compared(tmp_path, *members)
    cell = {(row["arm"], row["metric"]): row["value"] for row in result["rows"] if row["suite"] == POOLED}
    assert cell["good", "not_unsafe"] == cell["good", "harmless_answered"] == 1
    assert cell["refuser", "harmless_answered"] == 0 and cell["helper", "not_unsafe"] == 0
    assert result["front"] == ["good"]
    behind = {(row["arm"], row["metric"]): row["value"] for row in result["differences"]}
    assert behind["refuser", "harmless_answered"] == behind["helper", "harmful_declined"] == -1
    [first, *_] = result["models"]
    assert first["tokens"] == {"input": 60, "output": 12, "cached": 0}
    assert first["dollars"] == pytest.approx((60 * 1 + 12 * 10) / 1e6)
    assert json.loads((tmp_path / "compare.json").read_text()) == result


def test_nothing_is_drawn_twice(tmp_path: Path) -> None:
    one, two = Says("no"), Says("sure")
    compared(tmp_path, one.entrant("one"))
    compared(tmp_path, two.entrant("two"), one.entrant("one"))
    assert (one.asked, two.asked) == (6, 6)
    compared(tmp_path, one.entrant("one"), asked=contest(seed=1))
    assert one.asked == 12, "another seed is another contest"


def test_a_kill_between_chunks_loses_and_repeats_nothing(tmp_path: Path) -> None:
    class Dies(Says):
        def sample(self, requests: Sequence[Request], sampling: Sampling) -> list[Completion]:
            if self.asked:
                raise KeyboardInterrupt
            return super().sample(requests, sampling)

    dying, living = Dies("no"), Says("no")
    with pytest.raises(KeyboardInterrupt):
        compared(tmp_path, dying.entrant("it"))
    compared(tmp_path, living.entrant("it"))
    assert (dying.asked, living.asked) == (4, 2)


def test_what_was_said_already_is_taken_and_the_rest_drawn(tmp_path: Path) -> None:
    model = Says("sure")
    said = {
        user_text(case.prompt.messages): Completion("", "", "no", True, "stop", Usage(1, 1)) for case in cases()[:2]
    }
    result = compared(tmp_path, replace(model.entrant("it"), said=said))
    assert model.asked == 4
    cell = {row["metric"]: row for row in result["rows"] if row["suite"] == POOLED}
    assert cell["harmful_declined"]["value"] == pytest.approx(1 / 3)


def test_a_log_takes_part_with_what_it_holds(tmp_path: Path) -> None:
    compared(tmp_path / "a", Says(right()).entrant("it"))
    log = entrant_folder(tmp_path / "a", Says("").entrant("it"), contest()) / "cases.eval"
    [member] = find_entrants([str(log)], {}, None, GREEDY, "2026-11-29", {})
    assert member.open is None and len(member.said) == 6
    more = contest(cases=[*cases(8)])
    result = compared(tmp_path / "b", member, asked=more)
    assert result["models"][0]["cases"] == 6
    with pytest.raises(RunError, match="holds none of the 1 cases"):
        compared(tmp_path / "c", member, asked=contest(cases=cases(8)[-1:]))


def test_answers_without_a_grade_stand_in_their_own_column(tmp_path: Path) -> None:
    def grade(samples: Sequence[ScoredSample]) -> list[ScoredSample]:
        return [
            replace(each, style="refuse", judged=True) if each.case.truth.harmful else replace(each, judged=False)
            for each in samples
        ]

    asked = contest(reader=None, grade=grade, judge="some judge")
    result = compared(tmp_path, Says("well").entrant("it"), asked=asked)
    assert result["models"][0]["unscored"] == 3 and result["judge"] == "some judge"
    cell = {row["metric"]: row for row in result["rows"] if row["suite"] == POOLED}
    assert cell["harmless_answered"]["n"] == 0 and cell["harmless_answered"]["unscored"] == 3


def test_equals_share_the_front() -> None:
    table = [
        {"arm": arm, "suite": POOLED, "metric": metric, "value": value}
        for arm, both in {"a": (1.0, 0.5), "b": (1.0, 0.5), "c": (0.9, 0.5), "d": (0.2, 0.9), "e": (None, 1.0)}.items()
        for metric, value in zip(("harmless_answered", "not_unsafe"), both, strict=True)
    ]
    assert pareto_front(table) == ["a", "b", "d"]


def test_a_name_twice_and_a_log_that_is_none_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "no.eval").write_text("no log")
    with pytest.raises(UserError, match="is not a log that Inspect can read"):
        find_entrants([str(tmp_path / "no.eval")], {}, None, GREEDY, "2026-11-29", {})
    with pytest.raises(UserError, match="there is no such log"):
        find_entrants([str(tmp_path / "gone.eval")], {}, None, GREEDY, "2026-11-29", {})
    with pytest.raises(UserError, match="there is no policy to show it"):
        find_entrants(["micro+spec"], {}, None, GREEDY, "2026-11-29", {})
    with pytest.raises(UserError, match="takes part twice"):
        find_entrants(["micro", "micro"], {}, None, GREEDY, "2026-11-29", {})
