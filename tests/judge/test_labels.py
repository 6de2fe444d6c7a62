from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliberant.judge.labels import Label, Reading, Rule, label_of, majority
from deliberant.templates.loader import Templates
from deliberant.util.errors import UserError
from tests.completions import completed

MENU = ("weapons", "theft", "self-harm")


def rule(name: str = "default") -> Rule:
    return Rule(Templates.load(name), MENU)


def read(text: str, name: str = "default", opened: bool = False) -> Reading:
    return rule(name).read(completed(text, opened=opened, strict=False))


@pytest.mark.parametrize(
    ("text", "categories"),
    [
        ("<think>category: theft</think>It is about bombs.\ncategory: weapons", ("weapons",)),
        ("A model without tags.\n**Category: Theft**", ("theft",)),
        ("<think>x</think>categories: self-harm, weapons", ("weapons", "self-harm")),
        ("<think>x</think>category: none", ()),
        ("<think>x</think>category: theft\ncategory: weapons", ("weapons",)),
        ("<think>x</think>category: theft\ncategory: burglary", ("theft",)),
        ("<think>x</think>category: theft\ncategory: none, weapons", ("theft",)),
        ('<think>x</think>category: "theft".', ("theft",)),
    ],
)
def test_the_last_line_on_the_menu_wins(text: str, categories: tuple[str, ...]) -> None:
    assert read(text).categories == categories


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no category"),
        ("<think>x</think>It is theft.", "no category"),
        ("<think>category: theft", "no answer after the reasoning"),
        ("<think>category: theft</think>", "no category"),
        ("<think>x</think>category: burglary", "off-menu category 'burglary'"),
        ("<think>x</think>category: theft and weapons", "off-menu category 'theft and weapons'"),
        ("<think>x</think>category:", "off-menu category ''"),
        ("<think>x</think>my category: theft", "no category"),
    ],
)
def test_what_names_no_category_is_unscored_and_never_none(text: str, why: str) -> None:
    assert (read(text).categories, read(text).unscored) == (None, why)


def test_a_cut_reading_is_unscored_by_either_rule() -> None:
    cut = completed("<think>policy: theft refuse x.</think>category: theft", "length", strict=False)
    assert {rule(name).read(cut).unscored for name in ("default", "micro")} == {"cut at the token limit"}


def test_the_built_in_model_is_read_by_the_rule_beside_its_prompt_file() -> None:
    assert read("<think>this asks for theft plans. policy: theft refuse methods. so i", "micro").categories is None
    said = "<think>this asks for theft plans. policy: theft refuse methods. so i refuse.</think>sorry."
    assert read(said, "micro").categories == ("theft",)
    assert read(said).unscored == "no category"
    assert read("<think>no policy.</think>x", "micro").unscored == "no category"


@given(st.text(), st.sampled_from(["default", "micro"]), st.booleans())
def test_whatever_a_model_writes_is_a_reading(text: str, name: str, opened: bool) -> None:
    found = read(text, name, opened)
    assert found.categories is None or set(found.categories) <= set(MENU)


@given(st.text(), st.sampled_from(MENU))
def test_whatever_comes_before_the_line_it_counts(text: str, id: str) -> None:
    assert read(f"{text.replace('<', '')}\ncategory: {id}").categories == (id,)


def test_a_majority_is_more_than_half_of_all_readings() -> None:
    theft, weapons = Reading(("theft",), None, ""), Reading(("weapons",), None, "")
    silent = Reading(None, "no category", "")
    assert majority([theft, theft, weapons]).categories == ("theft",)
    assert majority([theft, theft, weapons]).share == pytest.approx(2 / 3)
    for split in ([theft, weapons], [theft, silent], [theft, silent, silent], [theft, weapons, silent]):
        assert (majority(split).categories, majority(split).unscored) == (None, "no majority")
    assert majority([silent, silent]).unscored == "no category"
    assert majority([Reading((), None, "")]).categories == ()


def test_a_label_survives_json() -> None:
    label = Label(("theft",), 0.5, None, (Reading(("theft",), None, "a"), Reading(None, "no category", "b")))
    row = {"categories": ["theft"], "share": 0.5, "unscored": None}
    readings: list[dict[str, object]] = [{"categories": ["theft"], "unscored": None, "text": "a"}]
    readings.append({"categories": None, "unscored": "no category", "text": "b"})
    assert label_of({**row, "readings": readings}) == label


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "label.yaml: is missing"),
        ("part: answer", "'pattern' is missing; add it"),
        ("part: anser\npattern: (?P<names>x)", "part: unknown value 'anser'; did you mean 'answer'?"),
        ("part: answer\npattern: '('", "label.yaml:2: pattern: is no regular expression"),
        ("part: answer\npattern: x", "pattern: has no group 'names'"),
        ("{", "label.yaml:1: not valid YAML: "),
        ("part: answer\npattern: " + "9" * 5000, "label.yaml:2: not valid YAML: "),
        ("- x", "label.yaml:1: should be keys with values"),
        ("part: answer\n\npatern: x", "label.yaml:3: unknown key 'patern'; did you mean 'pattern'?"),
    ],
)
def test_a_mistake_in_a_rule_names_the_file(tmp_path: Path, text: str | None, words: str) -> None:
    if text is not None:
        (tmp_path / "label.yaml").write_text(text)
    with pytest.raises(UserError, match=r"label\.yaml:(\d+:)? ") as caught:
        Rule(Templates.load(tmp_path), MENU)
    assert words in str(caught.value)


def test_a_category_called_none_is_refused() -> None:
    with pytest.raises(UserError, match="has a category 'none'"):
        Rule(Templates.load("default"), ("none",))
