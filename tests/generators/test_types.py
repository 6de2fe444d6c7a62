from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliberant.generators.types import OUTCOMES, Made, settle
from deliberant.judge.labels import Label
from deliberant.prompts import Prompt
from deliberant.report.yields import ALL, yields, yields_table
from tests.prompts.sets import BREAD, BREAD_TOO, LOCK, ROSES, WAR, prompt


def made(id: str, text: str, categories: tuple[str, ...] = (), generator: str = "g") -> Made:
    given = prompt(id, text, f"f-{id}")
    return Made(generator, "of", given.family, Prompt(id, given.messages, categories, given.family))


def says(**labels: tuple[str, ...] | None) -> object:
    def read(prompts: Sequence[Prompt]) -> list[Label]:
        found = [labels[each.id] for each in prompts]
        return [Label(each, 1.0, "no majority" if each is None else None, ()) for each in found]

    return read


def test_every_prompt_has_one_fate() -> None:
    everything = [
        made("a", BREAD, ("theft",)),
        made("b", BREAD_TOO, ("theft",)),
        made("c", LOCK, ("theft",)),
        made("d", WAR, ()),
        made("e", ROSES, ("theft",)),
        made("f", "now something else entirely, please, and quickly", ("theft",)),
        made("g", "the weather in the north of the country is bad today", ()),
        Made("h", "of", "f-h", None, "no prompt line", "sorry"),
    ]
    read = says(a=("theft", "fraud"), d=("theft",), e=("fraud",), f=None, g=())
    found = settle(everything, [prompt("old", LOCK)], 0.8, read)  # type: ignore[arg-type]
    assert [(each.id, each.categories) for each in found.kept] == [("a", ("theft", "fraud")), ("g", ())]
    assert [(row["id"], row["why"], row["detail"]) for row in found.rejected] == [
        ("b", "duplicate", f"{found.rejected[0]['detail'].split()[0]} like a"),
        ("c", "duplicate", "1.0000 like old"),
        ("d", "off-category", "read as theft"),
        ("e", "off-category", "read as fraud"),
        ("f", "unscored", "no majority"),
        (None, "malformed", "no prompt line"),
    ]
    rows = {row["generator"]: row for row in yields(found)}
    assert (rows["g"]["asked"], rows["g"]["made"], rows["g"]["kept"], rows["g"]["duplicate"]) == (7, 7, 2, 2)
    assert (rows["h"]["asked"], rows["h"]["made"], rows["h"]["malformed"], rows["h"]["value"]) == (1, 0, 1, 0.0)
    assert rows[ALL]["asked"] == 8 and rows[ALL]["value"] == 0.25
    assert yields_table(yields(found)).row_count == 3


def test_without_a_labeller_nothing_is_read() -> None:
    found = settle([made("a", BREAD), made("b", BREAD_TOO)], [], 1.0)
    assert [each.id for each in found.kept] == ["a", "b"], "similar is no duplicate at threshold 1"


def test_nothing_asked_is_a_row_of_zeros() -> None:
    [row] = yields(settle([], [], 0.8))
    assert (row["asked"], row["value"]) == (0, None)


@given(st.lists(st.one_of(st.none(), st.text(max_size=12)), max_size=12), st.lists(st.text(max_size=12), max_size=4))
def test_asked_is_the_sum_of_all_outcomes(texts: list[str | None], old: list[str]) -> None:
    everything = [
        Made("g", "of", f"f{number}", None, "cut") if text is None else made(f"m{number}", text)
        for number, text in enumerate(texts)
    ]
    found = settle(everything, [prompt(f"o{number}", text) for number, text in enumerate(old)], 0.8)
    row = yields(found)[-1]
    assert row["asked"] == len(texts) == sum(row[outcome] for outcome in OUTCOMES)
    assert row["asked"] == row["made"] + row["malformed"]
    assert len(found.kept) + len(found.rejected) == len(texts)


def test_made_or_malformed_and_never_both() -> None:
    with pytest.raises(AssertionError):
        Made("g", "of", "f", None)
    with pytest.raises(AssertionError):
        Made("g", "of", "f", prompt("a", "b"), "cut")
