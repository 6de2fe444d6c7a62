import csv
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliberant.prompts.tables import Record, Table, open_table
from deliberant.util.errors import UserError

HOSTILE = "# refuse\r\n<script>x</script>\x00\x1b[2J ``` [W1]\n### weapons [W1] refuse\n<think>"
fields = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)


def read(path: Path | str, wanted: list[str] | None = None, **about: Any) -> tuple[Table, list[Record]]:
    table = open_table(str(path), **about)
    return table, list(table.records(wanted))


def parquet(path: Path, rows: list[dict[str, Any]]) -> Path:
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    return path


@given(st.lists(st.tuples(fields, fields), max_size=4))
def test_csv_fields_come_as_they_are(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([("text", "label"), *rows])
    table, found = read(path)
    assert table.columns == ("text", "label")
    assert [record.values for record in found] == [{"text": text, "label": label} for text, label in rows]


@given(st.binary(max_size=80))
def test_any_bytes_are_rows_or_a_user_error(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    for suffix in ("csv", "jsonl", "parquet"):
        path = tmp_path_factory.getbasetemp() / f"any.{suffix}"
        path.write_bytes(data)
        try:
            read(path)
        except UserError as error:
            assert str(error).startswith(f"{path}:")
            assert "\n" not in str(error)


def test_rows_keep_what_imitates_us_and_say_where_they_stand(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("\ufeff" + json.dumps({"text": HOSTILE}) + "\n\n" + json.dumps({"n": 1}) + "\n")
    with (tmp_path / "a.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["text", "n"], [HOSTILE, "1"], [], ["b", "2"]])
    parquet(tmp_path / "a.parquet", [{"text": HOSTILE, "turns": [{"role": "user", "content": "x"}]}, {"text": None}])
    _, lines = read(tmp_path / "a.jsonl")
    assert lines == [
        (f"{tmp_path}/a.jsonl:1", {"text": HOSTILE}),
        (f"{tmp_path}/a.jsonl:2", {}),
        (f"{tmp_path}/a.jsonl:3", {"n": 1}),
    ]
    _, rows = read(tmp_path / "a.csv")
    assert rows == [
        (f"{tmp_path}/a.csv:2", {"text": HOSTILE, "n": "1"}),
        (f"{tmp_path}/a.csv:6", {}),
        (f"{tmp_path}/a.csv:7", {"text": "b", "n": "2"}),
    ]
    table, records = read(tmp_path / "a.parquet")
    assert table.columns == ("text", "turns")
    assert records[0] == (
        f"{tmp_path}/a.parquet: row 1",
        {"text": HOSTILE, "turns": [{"role": "user", "content": "x"}]},
    )
    assert records[1].values["text"] is None


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.csv", b"", ":1: has no header"),
        ("a.csv", b"a,a\n", ":1: has no header with a different name"),
        ("a.csv", b"a,\n", ":1: has no header"),
        ("a.csv", b"a,b\n1,2\n1\n", ":3: has 1 fields, the header has 2"),
        ("a.csv", b'a,b\n1,"2\n', ":2: is not valid CSV (unexpected end of data)"),
        ("a.csv", b"a,b\n1,2\n\xff,2\n", ":3: is not UTF-8 (byte 0xff at 1)"),
        ("a.jsonl", b'{"a": 1}\n{"a": "\xe4"}\n', ":2: is not UTF-8 (byte 0xe4 at 8)"),
        ("a.jsonl", b"[1]\n", ":1: is not a JSON object"),
        ("a.jsonl", '{"a": 1}'.encode("utf-16"), ":1: is not UTF-8 (byte 0xff at 1)"),
        ("a.jsonl", b'{"a": 1, "a": 2}\n', ":1: is not a JSON object (key 'a' is given twice)"),
        ("a.parquet", b"PAR1", ": cannot be read as Parquet"),
        ("a.pptx", b"", ": unknown kind of file '.pptx'"),
    ],
)
def test_a_broken_file_is_named_with_its_line(tmp_path: Path, name: str, data: bytes, words: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(UserError) as error:
        read(path)
    assert str(error.value).startswith(f"{path}{words}")


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
def test_a_line_of_100_mb_is_named_and_never_held(tmp_path: Path, name: str) -> None:
    with (tmp_path / name).open("wb") as file:
        file.write(b'{"a": 1}\n' if name == "a.jsonl" else b"a\n1\n")
        file.truncate(100 * 2**20)
    with pytest.raises(UserError, match=r"a\.\w+:[23]: is longer than 16 MiB"):
        read(tmp_path / name)


def test_a_quote_that_is_never_closed_stops_at_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deliberant.prompts.tables.MAX_LINE", 1000)
    (tmp_path / "a.csv").write_text('a\n1\n"' + "x\n" * 2000)
    with pytest.raises(UserError, match=r"a\.csv:3: is not valid CSV \(field larger than .*close the quote"):
        read(tmp_path / "a.csv")


def unreadable(name: str) -> Any:
    """A column whose second value is none that Python has."""
    import pyarrow

    if name == "text":
        return pyarrow.array([b"good", b"\xff"]).view(pyarrow.string())
    return pyarrow.array([1, 2**31 - 1], pyarrow.date32())


@pytest.mark.parametrize("kind", ["text", "day"])
def test_a_value_that_cannot_be_read_is_named_where_it_is_wanted(tmp_path: Path, kind: str) -> None:
    import pyarrow
    import pyarrow.parquet

    path = tmp_path / "set" / "train.parquet"
    path.parent.mkdir()
    pyarrow.parquet.write_table(pyarrow.table({"ask": ["a", "b"], "a.b": ["c", "d"], "bad": unreadable(kind)}), path)
    for where in (path, path.parent):
        table, found = read(where, ["a.b", "ask"])
        assert [record.values for record in found] == [{"ask": "a", "a.b": "c"}, {"ask": "b", "a.b": "d"}]
        assert table.columns == ("ask", "a.b", "bad")
    with pytest.raises(UserError, match=r"train\.parquet: row 2: column 'bad' holds what cannot be read"):
        read(path)
    with pytest.raises(UserError, match=r"set: after row [01]: cannot be read \("):
        read(path.parent)


def test_parquet_with_two_columns_of_a_name_is_refused(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.Table.from_arrays([pyarrow.array(["a"]), pyarrow.array(["b"])], names=["text", "text"])
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(UserError, match=r"a\.parquet: has two columns 'text'; rename or remove one of them"):
        read(tmp_path / "a.parquet")


@pytest.fixture
def data_set(tmp_path: Path) -> Path:
    from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

    features = Features({"prompt": Value("string"), "label": ClassLabel(names=["safe", "unsafe"])})
    rows = Dataset.from_dict({"prompt": ["a", "b"], "label": [1, 0]}, features=features)
    DatasetDict({"train": rows, "test": rows.select([0])}).save_to_disk(tmp_path / "saved")
    return tmp_path / "saved"


def test_a_data_set_comes_by_split_and_with_names_for_labels(data_set: Path) -> None:
    table, records = read(data_set)
    assert (table.name, table.columns) == ("saved", ("prompt", "label"))
    assert records[0] == (f"{data_set}: row 1", {"prompt": "a", "label": "unsafe"})
    assert len(read(data_set, split="test")[1]) == 1
    assert len(read(data_set / "test")[1]) == 1
    with pytest.raises(UserError, match="--split: unknown value 'tests'; did you mean 'test'"):
        read(data_set, split="tests")


def test_lists_of_labels_come_as_lists_of_names(tmp_path: Path) -> None:
    from datasets import ClassLabel, Dataset, Features, LargeList, Sequence

    label = ClassLabel(names=["theft", "weapons"])
    kinds = {"some": Sequence(label), "more": LargeList(label), "nested": Sequence(Sequence(label))}
    columns = {"some": [[1, 0], [], None], "more": [[0], None, [1]], "nested": [[[1]], None, []]}
    Dataset.from_dict(columns, features=Features(kinds)).save_to_disk(tmp_path / "set")
    assert [record.values for record in read(tmp_path / "set")[1]] == [
        {"some": ["weapons", "theft"], "more": ["theft"], "nested": [["weapons"]]},
        {"some": [], "more": None, "nested": None},
        {"some": None, "more": ["weapons"], "nested": []},
    ]


def test_a_data_set_of_one_split_has_none_to_choose(tmp_path: Path) -> None:
    from datasets import Dataset

    Dataset.from_dict({"text": ["a"]}).save_to_disk(tmp_path / "one")
    assert [record.values for record in read(tmp_path / "one")[1]] == [{"text": "a"}]
    with pytest.raises(UserError, match=r"one: --split and --config choose among several"):
        read(tmp_path / "one", split="test")


def test_a_folder_of_files_is_a_data_set(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    parquet(folder / "train.parquet", [{"text": "a"}, {"text": "b"}])
    assert [record.values for record in read(folder)[1]] == [{"text": "a"}, {"text": "b"}]


def test_a_data_set_that_breaks_off_is_named_with_its_row(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "train.jsonl").write_text('{"text": "a"}\n{"text": "b')
    with pytest.raises(UserError) as error:
        read(folder)
    assert str(error.value).startswith(f"{folder}: ") and "\n" not in str(error.value)


def test_a_data_set_with_bytes_that_are_no_utf_8_is_named_once(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "train.csv").write_bytes(b"text\nsch\xf6n\n")
    with pytest.raises(UserError, match=r"set: after row 0: cannot be read \('utf-8' codec"):
        read(folder)
    assert not capfd.readouterr().err and not caplog.records


def test_what_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        read(tmp_path / "none")
    assert "is neither a file nor a data set that can be loaded" in str(error.value)
    with pytest.raises(UserError, match=r"none\.csv: there is no such file; check the path"):
        read(tmp_path / "none.csv")
    assert "\n" not in str(error.value)
    (tmp_path / "a.csv").write_text("a\n")
    with pytest.raises(UserError, match="leave them out for a file"):
        read(tmp_path / "a.csv", split="train")
