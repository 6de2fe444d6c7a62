from dataclasses import replace

import pytest

from deliberant.evals.moves import moves
from deliberant.evals.samples import ScoredSample
from deliberant.prompts import Case
from tests.evals.scored import POLICY, case, scored


def touches(case: Case) -> bool:
    return "fire" in case.prompt.categories


def pair(name: str, was: str, now: str, **about: object) -> tuple[ScoredSample, ScoredSample]:
    """The same case before and after, `was` and `now` read off the answers; `before` is the old truth's style."""
    before = about.pop("before", None)
    of = case(name, **about)  # type: ignore[arg-type]
    old = of if before is None else replace(of, truth=replace(of.truth, style=before))  # type: ignore[arg-type]
    sample = scored(now, of=of, cited=("F1",))  # type: ignore[arg-type]
    return scored(was, of=old, cited=("F1",)), sample  # type: ignore[arg-type]


def test_both_runs_are_read_by_the_policy_as_it_is_now() -> None:
    pairs = [
        pair("flipped", "comply", "refuse", before="comply"),
        pair("beside", "refuse", "comply"),
        pair("far", "safe_complete", "safe_complete", category="tools", style="safe_complete", clause="F1"),
    ]
    rows = moves([old for old, _ in pairs], [new for _, new in pairs], POLICY, touches, resamples=20)
    found = {row["part"]: row for row in rows if row["metric"] == "style"}
    assert list(found) == ["asked anew", "touched", "untouched"]
    values = {part: tuple(row[name]["value"] for name in ("old", "new", "change")) for part, row in found.items()}
    assert values == {"asked anew": (0, 1, 1), "touched": (1, 0, -1), "untouched": (1, 1, 0)}
    for row in found.values():
        assert row["change"]["low"] <= row["change"]["value"] <= row["change"]["high"]
        assert (row["change"]["n"], row["unscored"]) == (1, 0)


def test_only_what_both_runs_answered_and_read_is_compared() -> None:
    same, cut = pair("same", "refuse", "refuse"), pair("unread", "refuse", "refuse")
    cut = (replace(cut[0], style=None, judged=False), cut[1])
    gone, new = pair("gone", "refuse", "refuse")[0], pair("new", "refuse", "refuse")[1]
    edited = pair("edited", "refuse", "refuse")
    other = replace(edited[1].case, prompt=replace(edited[1].case.prompt, messages=({"role": "user", "content": "x"},)))
    old = [same[0], cut[0], gone, edited[0]]
    [row] = [
        row
        for row in moves(old, [same[1], cut[1], new, replace(edited[1], case=other)], POLICY, touches, resamples=20)
        if row["metric"] == "style"
    ]
    assert (row["old"]["n"], row["new"]["n"], row["unscored"]) == (1, 1, 1)


@pytest.mark.parametrize("clause", ["F1", "F2"])
def test_a_case_whose_clause_is_another_is_asked_anew(clause: str) -> None:
    old, new = pair("p", "refuse", "refuse", clause=clause)
    old = replace(old, case=replace(old.case, truth=replace(old.case.truth, clause="F1")))
    parts = {row["part"] for row in moves([old], [new], POLICY, touches, resamples=20)}
    assert parts == {"touched" if clause == "F1" else "asked anew"}
