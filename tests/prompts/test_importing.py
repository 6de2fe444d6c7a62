import json
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from deliberant.prompts import Hint, Prompt, read_prompts, write_prompts
from deliberant.prompts.importing import FIELDS, Import, Rule, import_cases, import_prompts
from deliberant.prompts.lines import MAX_LINE
from deliberant.prompts.plan import PRESETS, Plan, read_plan, read_values, write_plan
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
    plan = Plan(map=columns_of, set=constants)
    return list(import_prompts(table, plan, account, categories, clauses)), account


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
    plan = Plan(map=mapped, set={"hint_source": "ana"})
    found = list(import_prompts(open_table(str(path)), plan, Import(), None, {"W1"}))
    assert [prompt.hints for prompt in found] == [
        (Hint("ana", "refuse", clause="W1"),),
        (Hint("ana", "comply"),),
        (),
    ]
    with pytest.raises(UserError, match=r"set\.\w+:.* hints\.0\.clause 'W1' is not in the policy; did you mean 'W2'"):
        list(import_prompts(open_table(str(path)), Plan(map=mapped), Import(), None, {"W2"}))


def test_what_belongs_to_a_hint_is_told_as_left_out_where_there_is_none() -> None:
    [prompt], account = run([{"text": "a", "confidence": "0.5", "hint_source": "x"}])
    assert prompt.hints == () and account.unused == {"confidence", "hint_source"}


@pytest.mark.parametrize(("mapped", "constants"), [({"confidence": "c"}, {}), ({}, {"hint_source": "me"})])
def test_what_is_asked_for_of_a_hint_needs_one(mapped: dict[str, str], constants: dict[str, str]) -> None:
    record = Record("t.csv:2", {"text": "a", "c": "0.9"})
    table = Table("t", "t.csv:1", ("text", "c"), lambda wanted: iter([record]))
    with pytest.raises(
        UserError, match=r"t\.csv:1: '\w+' belongs to a hint, and no row has one; name its column with --map hint="
    ):
        list(import_prompts(table, Plan(map=mapped, set=constants), Import()))


def test_a_hints_source_is_for_the_rows_that_have_a_hint() -> None:
    rows = [{"text": "a"}, {"text": "b", "hint": "comply"}]
    assert [prompt.hints for prompt in run(rows, {"hint_source": "=me"}, columns=False)[0]] == [
        (),
        (Hint("me", "comply"),),
    ]
    with pytest.raises(UserError, match="set: 'hint_source' belongs to a hint, and no row has one"):
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
    write_prompts(tmp_path / "to.jsonl", import_prompts(open_table(str(path)), Plan(), account))
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
        ({"text": "a"}, {"txt": "text"}, "--map txt: unknown field 'txt'; did you mean 'text'"),
        ({"text": "a"}, {"licens": "=MIT"}, "--set licens: unknown field 'licens'; did you mean 'licence'"),
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
    words = "set:3: id 'a' is that of an earlier row; give one of the two another, or say --map family=id, which"
    with pytest.raises(UserError, match=words):
        run([{"id": "a", "text": "x"}, {"id": "a", "text": "y"}])
    words = "set:3: id 'set-2' is that of an earlier row; give one of the two another"
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


@given(
    st.lists(st.dictionaries(st.sampled_from(sorted(set(FIELDS) - {"label"})), json_values), max_size=3), st.booleans()
)
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
    assert list(import_prompts(open_table(str(path)), Plan(), account)) == given == read_prompts(path)
    assert not account.skipped and not account.unused


def test_every_field_is_explained_in_the_help() -> None:
    from deliberant.cli.prompts import import_file

    assert all(field in (import_file.__doc__ or "") for field in FIELDS)


def table_of(*rows: dict[str, Any]) -> Table:
    names = tuple(dict.fromkeys(name for row in rows for name in row))
    return Table("set", "set", names, lambda wanted: iter([Record(f"set:{n}", row) for n, row in enumerate(rows, 2)]))


def test_cases_have_a_truth_read_from_usual_words() -> None:
    account = Import()
    plan = Plan(map={"text": "prompt", "truth": "label", "family": "id"}, set={"suite": "pairs"}, cases=True)
    rows = [{"id": "1", "prompt": "a", "label": "safe"}, {"id": "1", "prompt": "b", "label": "unsafe"}]
    first, second = import_cases(table_of(*rows), plan, account)
    assert (first.truth.style, first.truth.harmful, first.suite) == ("comply", False, "pairs")
    assert (second.truth.style, second.truth.harmful) == ("refuse", True)
    assert [each.prompt.id for each in (first, second)] == ["set-1", "set-2"] and first.prompt.family == "1"
    assert account.read == {"truth 'safe' as comply": 1, "truth 'unsafe' as refuse": 1}
    with pytest.raises(UserError, match="--map truth: belongs to a case; add --cases"):
        list(import_prompts(table_of(*rows), Plan(map={"text": "prompt", "truth": "label"}), Import()))
    with pytest.raises(UserError, match=r"truth\.style: unknown value 'odd'"):
        list(import_cases(table_of({"text": "a", "truth": "odd"}), Plan(cases=True), Import()))


def test_value_maps_keep_and_count_what_they_do_not_know_and_tell_of_slips() -> None:
    rows = [{"text": "a", "category": "ncr"}, {"text": "b", "category": "hlt"}, {"text": "c", "category": "ncr"}]
    account = Import()
    found = list(import_prompts(table_of(*rows), Plan(values={"category": {"ncr": "fraud"}}), account))
    assert [each.categories for each in found] == [("fraud",), ("hlt",), ("fraud",)]
    assert account.unmapped == {"category 'hlt'": 1}
    with pytest.raises(UserError, match="--values category:nrc=fraud: no row has that value; did you mean 'ncr'"):
        list(import_prompts(table_of(*rows), Plan(values={"category": {"nrc": "fraud"}}), Import()))
    with pytest.raises(UserError, match="--values categry: unknown field 'categry'; did you mean 'category'"):
        list(import_prompts(table_of(*rows), Plan(values={"categry": {}}), Import()))


def test_columns_are_joined_by_a_template_and_blanks_leave_no_gap() -> None:
    plan = Plan(map={"text": "{ask}\n\n{more}"})
    found = list(import_prompts(table_of({"ask": "a", "more": "b"}, {"ask": "c", "more": ""}), plan, Import()))
    assert [each.messages[0]["content"] for each in found] == ["a\n\nb", "c"]
    with pytest.raises(UserError, match="there is no column 'mor'; did you mean 'more'"):
        list(import_prompts(table_of({"ask": "a", "more": "b"}), Plan(map={"text": "{ask}{mor}"}), Import()))


def test_conversations_of_other_shapes_end_on_the_user() -> None:
    account = Import()
    turns = [
        {"from": "human", "value": "a"},
        {"from": "function_call", "value": "{}"},
        {"from": "observation", "value": "[]"},
        {"from": "gpt", "value": "b", "weight": 1},
        {
            "from": "human",
            "value": [{"type": "text", "text": "c"}, {"type": "image_url"}, {"type": "text", "text": "d"}],
        },
        {"from": "gpt", "value": None, "tool_calls": [{"name": "x"}]},
    ]
    [prompt] = import_prompts(table_of({"conversations": turns, "system": "s"}), Plan(), account)
    assert [turn["role"] for turn in prompt.messages] == ["system", "user", "assistant", "tool", "assistant", "user"]
    assert prompt.messages[-1]["content"] == "c\nd"
    assert account.left == {
        "key 'weight' of turns": 1,
        "parts of type 'image_url'": 1,
        "conversations cut behind the last user turn": 1,
    }
    [alpaca] = import_prompts(table_of({"instruction": "a", "input": "b", "output": "c"}), Plan(), Import())
    assert alpaca.messages[0]["content"] == "a\n\nb"
    nobody = table_of({"messages": [{"role": "assistant", "content": "x"}]})
    account = Import()
    assert list(import_prompts(nobody, Plan(), account)) == [] and account.skipped == [("set:2", "has no user turn")]


def test_flags_separators_redacted_rows_and_copies() -> None:
    account = Import()
    rows: list[dict[str, Any]] = [
        {"text": "a", "categories": {"theft": True, "fraud": False}},
        {"text": "a", "categories": "theft, fraud/scam"},
        {"text": "[REDACTED]", "categories": None},
    ]
    found = list(import_prompts(table_of(*rows), Plan(separator=","), account))
    assert [each.categories for each in found] == [("theft",), ("theft", "fraud/scam")]
    assert (account.skipped, account.copies) == ([("set:4", "is redacted")], 1)


def test_a_label_is_a_clause_or_what_its_clauses_begin_with() -> None:
    rules = {"RA001": Rule("ra", "comply"), "RA002": Rule("ra", "comply"), "RA101": Rule("ra", "refuse")}
    plan = Plan(map={"label": "said"}, cases=True)
    first, second = import_cases(
        table_of({"text": "a", "said": "RA0"}, {"text": "b", "said": "RA101"}), plan, Import(), None, rules
    )
    assert (first.truth.style, first.truth.clause, first.prompt.categories) == ("comply", None, ("ra",))
    assert (second.truth.style, second.truth.clause) == ("refuse", "RA101")
    with pytest.raises(UserError, match=r"set:2: label 'RA' begins clauses of several styles"):
        list(import_cases(table_of({"text": "a", "said": "RA"}), plan, Import(), None, rules))
    [prompt] = import_prompts(
        table_of({"text": "b", "said": "RA101"}), Plan(map={"label": "said"}), Import(), None, rules
    )
    assert prompt.hints == (Hint("set", "refuse", clause="RA101"),)


def test_a_plan_is_kept_and_read_again(tmp_path: Path) -> None:
    plan = Plan(map={"text": "a"}, values={"truth": {"1": "refuse", "true": "comply"}}, separator=",", cases=True)
    write_plan(tmp_path / "a.yaml", plan)
    assert read_plan(str(tmp_path / "a.yaml")) == plan
    (tmp_path / "values.yaml").write_text("category: {no: fraud, 2: theft, true: odd}\n")
    assert read_values(tmp_path / "values.yaml") == {"category": {"no": "fraud", "2": "theft", "true": "odd"}}
    (tmp_path / "wrong.yaml").write_text("mapp: {text: a}\n")
    with pytest.raises(UserError, match=r"wrong\.yaml:1: unknown key 'mapp'; did you mean 'map'"):
        read_plan(str(tmp_path / "wrong.yaml"))
    with pytest.raises(UserError, match="--preset: unknown value 'xtest'; did you mean 'xstest'"):
        read_plan("xtest")
    assert all(read_plan(path.stem).map for path in PRESETS.glob("*.yaml"))


def test_json_files_are_lists_of_rows_and_lines_above_a_header_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('[{"text": "a"},\n {"text": "b"}]')
    (tmp_path / "b.json").write_text('{"n": 1, "data": [{"text": "a"}]}')
    (tmp_path / "c.csv").write_text("made up,,\ntext,category,x\na,b,c\n")
    assert [len(list(open_table(str(tmp_path / name)).records(None))) for name in ("a.json", "b.json")] == [2, 1]
    [record] = open_table(str(tmp_path / "c.csv"), skip_lines=1).records(None)
    assert record == (f"{tmp_path}/c.csv:3", {"text": "a", "category": "b", "x": "c"})
    with pytest.raises(UserError, match=r"c\.csv:1: has no header .* with --skip-lines 1"):
        open_table(str(tmp_path / "c.csv"))
    (tmp_path / "d.json").write_text('[{"text": "a"}, 3]')
    with pytest.raises(UserError, match=r"d\.json: row 2 is not a JSON object"):
        list(open_table(str(tmp_path / "d.json")).records(None))
