import json
from codecs import BOM_UTF8
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliberant.prompts import (
    STYLES,
    Case,
    Hint,
    Message,
    Prompt,
    Truth,
    assert_families_disjoint,
    read_cases,
    read_partly_labelled,
    read_prompts,
    write_cases,
    write_prompts,
)
from deliberant.util.errors import UserError

texts = st.text(min_size=1, max_size=20).filter(lambda text: bool(text.strip()))
styles = st.sampled_from(STYLES)
turns = st.builds(Message, role=st.sampled_from(["system", "assistant", "user", "tool"]), content=texts)
last = st.builds(Message, role=st.just("user"), content=texts)
prompts = st.builds(
    Prompt,
    id=texts,
    messages=st.tuples(turns, last) | st.tuples(last),
    categories=st.lists(texts, unique=True, max_size=3).map(tuple),
    family=texts,
    hints=st.just(()) | st.tuples(st.builds(Hint, texts, styles, st.none() | st.floats(0, 1), st.none() | texts)),
    source=texts | st.none(),
    licence=texts | st.none(),
    framing=texts | st.none(),
)
cases = st.builds(
    Case, prompts, st.builds(Truth, styles, texts | st.none(), st.booleans()), suite=texts, plain=texts | st.none()
)

ROW: dict[str, Any] = {
    "id": "a",
    "messages": [{"role": "user", "content": "hi"}],
    "category": "weapons",
    "family": "f",
    "hints": [{"source": "s", "style": "refuse"}],
}
CASE: dict[str, Any] = {**ROW, "truth": {"style": "refuse", "clause": "W1", "harmful": True}, "suite": "seen"}


def file(folder: Path, *rows: Any) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows))
    return path


@given(st.lists(prompts, unique_by=lambda prompt: prompt.id, max_size=4))
def test_prompts_survive_being_written_and_read(tmp_path_factory: pytest.TempPathFactory, given: list[Prompt]) -> None:
    path = tmp_path_factory.getbasetemp() / "prompts.jsonl"
    write_prompts(path, given)
    assert read_prompts(path) == given


@given(st.lists(cases, unique_by=lambda case: case.prompt.id, max_size=4))
def test_cases_survive_being_written_and_read(tmp_path_factory: pytest.TempPathFactory, given: list[Case]) -> None:
    path = tmp_path_factory.getbasetemp() / "cases.jsonl"
    write_cases(path, given)
    assert read_cases(path) == given


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"catgory": "x"}, "unknown key 'catgory'; did you mean 'category'?"),
        ({"id": " "}, "id: is blank"),
        ({"id": "first"}, "id 'first' is already that of line 1"),
        ({"id": 5}, "id: input should be a valid string, not 5; write a text"),
        ({"messages": []}, "messages: must end on a user turn"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, "messages: must end on a user turn"),
        ({"messages": [{"role": "usr", "content": "x"}]}, "unknown value 'usr'; did you mean 'user'?"),
        (
            {"messages": [{"role": "user", "content": "x", "name": "y"}]},
            "unknown key 'messages.0.name'; known are: role",
        ),
        ({"messages": [{"role": "user", "content": "\ud800"}]}, "half a surrogate pair"),
        ({"hints": [{"source": "s", "style": "refused"}]}, "unknown value 'refused'; did you mean 'refuse'?"),
        ({"category": "wepons"}, "category 'wepons' is not in the policy; did you mean 'weapons'?"),
        ({"family": None}, "family: input should be a valid string"),
        ({"categories": ["weapons"]}, "'category' and 'categories' are both given; keep one of them"),
        ({"hints": [{"source": "s", "style": "refuse", "confidence": 1.5}]}, "less than or equal to 1, not 1.5"),
        ({"hints": [{"source": "s", "style": "refuse", "clause": " "}]}, "hints.0.clause: is blank"),
        (
            {"hints": [{"source": "s", "style": "refuse", "clause": "W9"}]},
            "hints.0.clause 'W9' is not in the policy; did you mean 'W1'?",
        ),
        ({"framing": " "}, "framing: is blank"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    path = file(tmp_path, {**ROW, "id": "first"}, "\n", {**ROW, **change})
    with pytest.raises(UserError) as error:
        read_prompts(path, {"weapons"}, {"W1"})
    assert str(error.value).startswith(f"{path}:3: ")
    assert words in str(error.value)


def test_a_number_of_too_many_digits_is_one_line(tmp_path: Path) -> None:
    words = r"rows\.jsonl:2: is not a JSON object \(Exceeds the limit \(4300 digits\) .*; write one object"
    with pytest.raises(UserError, match=words):
        read_prompts(file(tmp_path, ROW, '{"id": ' + "9" * 5000 + "}\n"))


@pytest.mark.parametrize("line", ["{\n", "[]\n", "5\n", '{"id": "a", "id": "b"}\n', "not json\n"])
def test_what_is_no_object_is_named_with_its_line(tmp_path: Path, line: str) -> None:
    path = file(tmp_path, ROW, line)
    with pytest.raises(UserError, match=r"rows\.jsonl:2: "):
        read_prompts(path)


def test_a_byte_order_mark_stands_at_the_start_of_a_file_only(tmp_path: Path) -> None:
    rows = [json.dumps({**ROW, "id": id}) + "\n" for id in "ab"]
    assert len(read_prompts(file(tmp_path, "\ufeff", *rows))) == 2
    with pytest.raises(UserError, match=r"rows\.jsonl:2: begins with a byte order mark, which belongs at the start"):
        read_prompts(file(tmp_path, rows[0], "\ufeff", rows[1]))


@pytest.mark.parametrize("key", ["id", "messages", "category", "family"])
def test_a_missing_key_is_named(tmp_path: Path, key: str) -> None:
    path = file(tmp_path, {name: value for name, value in ROW.items() if name != key})
    with pytest.raises(UserError, match=f":1: '{key}' is missing; add it"):
        read_prompts(path)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"category": None}, ()),
        ({"category": "weapons"}, ("weapons",)),
        ({"categories": []}, ()),
        ({"categories": ["theft", "weapons"]}, ("theft", "weapons")),
    ],
)
def test_a_prompt_has_no_category_or_one_or_several(
    tmp_path: Path, given: dict[str, Any], expected: tuple[str, ...]
) -> None:
    row = {name: value for name, value in ROW.items() if name != "category"}
    [prompt] = read_prompts(file(tmp_path, {**row, **given}), {"weapons", "theft"})
    assert prompt.categories == expected


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["weapons", "wepons"], "category 'wepons' is not in the policy; did you mean 'weapons'?"),
        (["weapons", "weapons"], "categories: name 'weapons' twice"),
        ([""], "is blank"),
        (None, "categories: input should be a valid list"),
    ],
)
def test_a_mistake_among_several_categories_is_named(tmp_path: Path, names: Any, words: str) -> None:
    row = {**{name: value for name, value in ROW.items() if name != "category"}, "categories": names}
    with pytest.raises(UserError) as error:
        read_prompts(file(tmp_path, row), {"weapons"})
    assert str(error.value).startswith(f"{tmp_path / 'rows.jsonl'}:1: ")
    assert words in str(error.value)


def test_an_unknown_clause_is_named(tmp_path: Path) -> None:
    path = file(tmp_path, CASE)
    assert read_cases(path, {"weapons"}, {"W1"})[0].truth.clause == "W1"
    with pytest.raises(UserError, match="clause 'W1' is not in the policy; did you mean 'W2'"):
        read_cases(path, {"weapons"}, {"W2"})


def test_a_hints_clause_is_checked_in_cases_and_where_categories_are_left_out(tmp_path: Path) -> None:
    hints = [{"source": "s", "style": "refuse"}, {"source": "s", "style": "refuse", "clause": "W2"}]
    path = file(tmp_path, {**CASE, "hints": hints})
    assert [hint.clause for hint in read_cases(path)[0].prompt.hints] == [None, "W2"]
    with pytest.raises(UserError, match=r":1: hints\.1\.clause 'W2' is not in the policy; did you mean 'W1'"):
        read_cases(path, {"weapons"}, {"W1"})
    path = file(tmp_path, {name: value for name, value in ROW.items() if name != "category"} | {"hints": hints})
    with pytest.raises(UserError, match=r":1: hints\.1\.clause 'W2'"):
        read_partly_labelled(path, {"weapons"}, {"W1"})


def test_a_case_is_no_prompt(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="unknown key 'truth'"):
        read_prompts(file(tmp_path, CASE))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32-be"])
def test_another_encoding_is_refused_though_json_could_guess_it(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "p.jsonl").write_bytes(json.dumps(ROW).encode(encoding))
    with pytest.raises(UserError, match=r"p\.jsonl:1: is not"):
        read_prompts(tmp_path / "p.jsonl")


@given(st.binary(max_size=60))
def test_any_bytes_are_rows_or_a_user_error(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    path.write_bytes(data)
    try:
        assert read_prompts(path) == [] and not data.removeprefix(BOM_UTF8).strip()
    except UserError as error:
        assert str(error).startswith(f"{path}:")


def test_a_family_on_both_sides_is_named() -> None:
    message = (Message(role="user", content="x"),)
    train = [Prompt("t1", message, (), "one"), Prompt("t2", message, (), "two")]
    assert_families_disjoint(train, [Prompt("c1", message, (), "three")])
    words = r"^family 'two' is in training \(prompt 't2'\) and in evaluation \(case 'c2'\)"
    with pytest.raises(UserError, match=words):
        assert_families_disjoint(train, [Prompt("c2", message, (), "two")])
