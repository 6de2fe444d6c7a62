import json
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from deliberant.prompts import Hint, Prompt, read_prompts, write_prompts
from deliberant.prompts.importing import FIELDS, Import, imported
from deliberant.prompts.lines import MAX_LINE
from deliberant.prompts.tables import Record, Table, open_table
from deliberant.util.errors import UserError
from tests.prompts.test_reader import prompts


def run(
    rows: list[dict[str, Any]],
    mapped: dict[str, str] | None = None,
    columns: bool = True,
    categories: set[str] | None = None,
    clauses: set[str] | None = None,
) -> tuple[list[Prompt], Import]:
    """The rows of a table called `set`; a mapping that begins with `=` is a constant."""
    names = tuple(dict.fromkeys(name for row in rows for name in row)) if columns else None
    records = [Record(f"set:{place}", row) for place, row in enumerate(rows, start=2)]
    table = Table("set", "set", names, lambda wanted: iter(records))
    account = Import()
    mapped = mapped or {}
    constants = {name: value[1:] for name, value in mapped.items() if value.startswith("=")}
    columns_of = {name: value for name, value in mapped.items() if not value.startswith("=")}
    return list(imported(table, columns_of, constants, account, categories, clauses)), account


def test_columns_become_fields_and_the_rest_is_told() -> None:
    row = {"prompt": "hi", "label": "weapons", "group": 7, "sure": "0.5", "verdict": "refuse", "note": "x"}
    [prompt], account = run(
        [row],
        dict(
            text="prompt",
            category="label",
            family="group",
            hint="verdict",
            confidence="sure",
            source="=xstest",
            licence="=CC-BY-4.0",
            framing="=plain",
            system="=be brief",
        ),
    )
    assert [dict(turn) for turn in prompt.messages] == [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "hi"},
    ]
    assert (prompt.id, prompt.categories, prompt.family) == ("set-1", ("weapons",), "7")
    assert prompt.hints == (Hint("xstest", "refuse", 0.5),)
    assert (prompt.source, prompt.licence, prompt.framing) == ("xstest", "CC-BY-4.0", "plain")
    assert account.row() == {"prompts": 1, "skipped": 0, "unused": ["note"], "defaulted": {"id": 1}}


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_a_hints_clause_comes_from_every_kind_of_file(tmp_path: Path, suffix: str) -> None:
    rows: list[dict[str, Any]] = [
        {"text": "a", "said": "refuse", "rule": "W1"},
        {"text": "b", "said": "comply", "rule": None},
        {"text": "c", "said": None, "rule": None},
    ]
    path = tmp_path / f"set.{suffix}"
    if suffix == "csv":
        cells = [["text", "said", "rule"], *([value or "" for value in row.values()] for row in rows)]
        path.write_text("".join(",".join(line) + "\n" for line in cells))
    elif suffix == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    mapped = {"hint": "said", "hint_clause": "rule"}
    found = list(imported(open_table(str(path)), mapped, {"hint_source": "ana"}, Import(), None, {"W1"}))
    assert [prompt.hints for prompt in found] == [
        (Hint("ana", "refuse", clause="W1"),),
        (Hint("ana", "comply"),),
        (),
    ]
    with pytest.raises(UserError, match=r"set\.\w+:.* hints\.0\.clause 'W1' is not in the policy; did you mean 'W2'"):
        list(imported(open_table(str(path)), mapped, {}, Import(), None, {"W2"}))


def test_what_belongs_to_a_hint_is_told_as_left_out_where_there_is_none() -> None:
    [prompt], account = run([{"text": "a", "confidence": "0.5", "hint_source": "x"}])
    assert prompt.hints == () and account.unused == {"confidence", "hint_source"}


@pytest.mark.parametrize(("mapped", "constants"), [({"confidence": "c"}, {}), ({}, {"hint_source": "me"})])
def test_what_is_asked_for_of_a_hint_needs_one(mapped: dict[str, str], constants: dict[str, str]) -> None:
    record = Record("t.csv:2", {"text": "a", "c": "0.9"})
    table = Table("t", "t.csv:1", ("text", "c"), lambda wanted: iter([record]))
    with pytest.raises(UserError, match=r"t\.csv:1: '\w+' is of a hint, and there is none; name it with --map hint="):
        list(imported(table, mapped, constants, Import()))


def test_a_hints_source_is_for_the_rows_that_have_a_hint() -> None:
    rows = [{"text": "a"}, {"text": "b", "hint": "comply"}]
    assert [prompt.hints for prompt in run(rows, {"hint_source": "=me"}, columns=False)[0]] == [
        (),
        (Hint("me", "comply"),),
    ]
    with pytest.raises(UserError, match="set: 'hint_source' is of a hint, and there is none"):
        run(rows[:1], {"hint_source": "=me"}, columns=False)


def test_rows_without_text_are_skipped_and_listed() -> None:
    rows: list[dict[str, Any]] = [{"text": "a"}, {"text": " \n"}, {}, {"text": None}, {"text": "b"}]
    found, account = run(rows)
    assert [prompt.id for prompt in found] == ["set-1", "set-5"]
    assert account.skipped == [("set:3", "has no text"), ("set:4", "is blank"), ("set:5", "has no text")]
    assert run([{"messages": [{"role": "user", "content": " "}]}, {"messages": []}])[1].row()["skipped"] == 2


@pytest.mark.parametrize("mapped", [{"system": "rules"}, {"system": "=be kind"}])
def test_a_second_system_turn_is_not_added_but_the_row_skipped_and_listed(mapped: dict[str, str]) -> None:
    ask = {"role": "user", "content": "hi"}
    told = [{"role": "system", "content": "be brief"}, ask]
    [prompt], account = run([{"messages": told, "rules": "be kind"}, {"messages": [ask], "rules": "be kind"}], mapped)
    assert [turn["content"] for turn in prompt.messages] == ["be kind", "hi"]
    assert account.skipped == [("set:2", "has a system turn in its messages and a system text beside them")]
    [prompt], account = run([{"messages": told, "system": " "}])
    assert [turn["content"] for turn in prompt.messages] == ["be brief", "hi"] and not account.skipped


def test_what_no_prompt_file_could_hold_is_skipped_and_listed(tmp_path: Path) -> None:
    path = tmp_path / "set.parquet"
    quotes = '"' * (MAX_LINE // 2)  # two letters each as JSON
    texts = ["a", "x" * MAX_LINE, quotes, "b"]
    parquet.write_table(pyarrow.table({"text": texts}), path)
    account = Import()
    write_prompts(tmp_path / "to.jsonl", imported(open_table(str(path)), {}, {}, account))
    why = "is longer than 16 MiB as a line of a prompt file"
    assert account.skipped == [(f"{path}: row 2", why), (f"{path}: row 3", why)]
    assert [prompt.id for prompt in read_prompts(tmp_path / "to.jsonl")] == ["set-1", "set-4"]
    assert account.defaulted == {"id": 2, "family": 2, "category": 2}


@pytest.mark.parametrize(
    ("value", "column", "expected"),
    [
        ("weapons", "category", ("weapons",)),
        ("", "category", ()),
        (None, "category", ()),
        (3, "category", ("3",)),
        ("theft; weapons", "categories", ("theft", "weapons")),
        (["theft", "weapons"], "categories", ("theft", "weapons")),
        ([], "categories", ()),
    ],
)
def test_categories_come_as_a_name_a_list_or_text(value: Any, column: str, expected: tuple[str, ...]) -> None:
    [prompt], account = run([{"text": "a", column: value}])
    assert prompt.categories == expected
    assert account.defaulted["category"] == (not expected)


@pytest.mark.parametrize(
    ("row", "mapped", "words"),
    [
        (
            {"promt": "a"},
            {"text": "prompt"},
            "set: --map text=prompt: there is no column 'prompt'; did you mean 'promt'",
        ),
        ({"text": "a"}, {"txt": "text"}, "--map txt=text: unknown field 'txt'; did you mean 'text'"),
        ({"text": "a"}, {"licens": "=MIT"}, "--set licens=MIT: unknown field 'licens'; did you mean 'licence'"),
        ({"prompt": "a"}, {}, "set: no column is 'text'; name it with --map text=COLUMN, columns are: prompt"),
        ({"text": "a", "messages": []}, {}, "set: has columns 'text' and 'messages'; say which one"),
        ({"a": "a"}, {"text": "a", "messages": "a"}, "'text' and 'messages' are both given"),
        ({"a": "a"}, {"text": "a", "category": "=x", "categories": "=y"}, "'category' and 'categories' are both given"),
        ({"text": 5}, {}, "set:2: messages.0.content: input should be a valid string, not 5"),
        ({"text": "a", "hint": "no"}, {}, "set:2: hints.0.style: unknown value 'no'; known are: "),
        ({"text": "a", "hint": "comply", "confidence": "high"}, {}, "set:2: hints.0.confidence: "),
        ({"text": "a", "hint_clause": "W1"}, {}, "set:2: 'hints.0.style' is missing"),
        (
            {"text": "a", "hint": "comply", "hint_clause": "W2"},
            {},
            "set:2: hints.0.clause 'W2' is not in the policy; did you mean 'W1'?",
        ),
        (
            {"text": "a", "hint_clause": "W1", "hints": []},
            {"hint": "=comply", "hints": "hints"},
            "'hint' and 'hints' are both given",
        ),
        ({"messages": [{"role": "assistant", "content": "x"}]}, {}, "set:2: messages: must end on a user turn"),
        ({"messages": "x"}, {}, "set:2: messages"),
        (
            {"text": "a", "category": "wepons"},
            {},
            "set:2: category 'wepons' is not in the policy; did you",
        ),
    ],
)
def test_a_mistake_is_named_with_its_place(row: dict[str, Any], mapped: dict[str, str], words: str) -> None:
    with pytest.raises(UserError) as error:
        run([row], mapped, categories={"weapons"}, clauses={"W1"})
    assert str(error.value).startswith(words)


def test_an_id_that_comes_twice_is_named() -> None:
    words = "set:3: id 'a' is that of an earlier row; give one of the two another, or map another column to id"
    with pytest.raises(UserError, match=words):
        run([{"id": "a", "text": "x"}, {"id": "a", "text": "y"}])
    words = "set:3: id 'set-2' was made up for want of one and is that of an earlier row; give this row an id"
    with pytest.raises(UserError, match=words):
        run([{"id": "set-2", "text": "x"}, {"id": " ", "text": "y"}])


def test_numbers_lists_and_blanks_are_not_taken_for_text() -> None:
    with pytest.raises(UserError, match="set:2: messages: input should be a valid list, not 5"):
        run([{"messages": 5, "system": "x"}])
    [prompt], _ = run([{"text": "a", "categories": "; theft ;"}])
    assert prompt.categories == ("theft",)


def test_what_is_mapped_wins_over_a_column_of_that_name() -> None:
    [prompt], account = run([{"text": "no", "messages": [], "prompt": "yes"}], {"text": "prompt"})
    assert prompt.messages[-1]["content"] == "yes"
    assert account.unused == {"text", "messages"}


def test_rows_with_their_own_keys_are_mapped_one_by_one() -> None:
    found, _ = run([{"text": "a"}, {"text": "b", "family": "f"}], columns=False)
    assert [prompt.family for prompt in found] == ["set-1", "f"]
    with pytest.raises(UserError, match="set:3: --map family=f: there is no column 'f'"):
        run([{"text": "a", "f": "1"}, {"text": "b"}], {"family": "f"}, columns=False)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["role", "content"]), inner),
    max_leaves=4,
)


@given(st.lists(st.dictionaries(st.sampled_from(sorted(FIELDS)), json_values), max_size=3), st.booleans())
def test_any_row_is_a_prompt_or_skipped_or_a_user_error(rows: list[dict[str, Any]], columns: bool) -> None:
    if columns:
        rows = [{**dict.fromkeys(name for other in rows for name in other), **row} for row in rows]
    try:
        found, account = run(rows, columns=columns)
    except UserError as error:
        assert str(error).startswith("set")
    else:
        assert len(found) + len(account.skipped) == len(rows)


@given(st.lists(prompts, unique_by=lambda prompt: prompt.id, max_size=4))
def test_our_own_files_come_back_as_they_are(tmp_path_factory: pytest.TempPathFactory, given: list[Prompt]) -> None:
    path = tmp_path_factory.getbasetemp() / "own.jsonl"
    write_prompts(path, given)
    account = Import()
    assert list(imported(open_table(str(path)), {}, {}, account)) == given == read_prompts(path)
    assert not account.skipped and not account.unused


def test_every_field_is_explained_in_the_help() -> None:
    from deliberant.cli.prompts import import_file

    assert all(field in (import_file.__doc__ or "") for field in FIELDS)
