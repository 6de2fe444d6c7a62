"""Rows of other people's files, one at a time: JSONL, CSV, Excel, Parquet, and Hugging Face data sets.

What is in a row is data and stays as it is: control characters, HTML, Markdown headings, our own marks.
"""

import csv
import logging
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from deliberant.prompts.lines import MAX_LINE, decode, lines
from deliberant.prompts.rows import json_object, json_value
from deliberant.prompts.sheets import read_sheet
from deliberant.util.errors import UserError
from deliberant.util.files import refuse_pipe
from deliberant.util.names import find_repeated, suggest_name

DELIMITERS = {".csv": ",", ".tsv": "\t"}
JSON_LINES = (".jsonl", ".ndjson")
KINDS = (*JSON_LINES, ".json", *DELIMITERS, ".xlsx", ".parquet")


class Record(NamedTuple):
    """A row and where it stands, `file:line` or `file: row 5`; `values` is empty for a blank line."""

    at: str
    values: dict[str, Any]


@dataclass(frozen=True)
class Table:
    """`at` is where the columns are named; `columns` are None where each row has its own keys.

    `records` takes the columns that are wanted, None for all, and can be called once. Parquet files and data sets leave
    out the others, which need not be readable then.
    """

    name: str
    at: str
    columns: tuple[str, ...] | None
    records: Callable[[Collection[str] | None], Iterator[Record]]


def open_table(
    where: str,
    split: str | None = None,
    config: str | None = None,
    skip_lines: int = 0,
    header: Sequence[str] = (),
) -> Table:
    """A file (one of `KINDS`), a folder or a Hub id with its `split` (default train) and `config`.

    `skip_lines`: how many lines of a CSV file stand above its header. `header`: the columns of one without a header,
    whose further cells are left out.

    A row is read when it is asked for; in a text file, no value may be over `lines.MAX_LINE` bytes. UserError with file
    and line or row for what cannot be read, here or while the records are read.
    """
    path = Path(where)
    refuse_pipe(path)
    if path.is_file():
        if split or config:
            raise UserError(f"{where}: --split and --config are for data sets; leave them out for a file")
        suffix = path.suffix.lower()
        if suffix in JSON_LINES:
            return Table(path.stem, where, None, lambda wanted: _json_lines(path))
        if suffix in DELIMITERS:
            return _delimited(path, DELIMITERS[suffix], skip_lines, header)
        if skip_lines:
            raise UserError(f"{where}: --skip-lines is for .csv and .tsv files; leave it out")
        if suffix == ".json":
            return Table(path.stem, where, None, lambda wanted: _json_array(path))
        if suffix == ".xlsx":
            return _sheet(path, header)
        if suffix == ".parquet":
            return _parquet(path)
        raise UserError(f"{where}: unknown kind of file '{suffix}'; known are: {', '.join(KINDS)}")
    if path.suffix.lower() in KINDS and not path.exists():
        raise UserError(f"{where}: there is no such file; check the path")  # rather than ask the Hub for it
    return _data_set(where, split, config)


def _json_lines(path: Path) -> Iterator[Record]:
    for number, data in lines(path):
        here = f"{path}:{number}"
        yield Record(here, json_object(data, here) if data.strip() else {})


def _json_array(path: Path) -> Iterator[Record]:
    """A JSON file that is a list of objects, or an object with one such list; or objects one a line after all."""
    text = decode(b"".join(data for _, data in lines(path, sys.maxsize - 1)), str(path))
    if text.lstrip()[:1] == "{" and "\n{" in text.strip():
        yield from _json_lines(path)
        return
    value = json_value(text, str(path))
    if isinstance(value, dict):
        lists = [each for each in value.values() if isinstance(each, list) and each and isinstance(each[0], dict)]
        value = lists[0] if len(lists) == 1 else [value]
    for number, row in enumerate(value if isinstance(value, list) else [value], start=1):
        if not isinstance(row, dict):
            raise UserError(f"{path}: row {number} is not a JSON object; write a list of objects")
        yield Record(f"{path}: row {number}", row)


def _delimited(path: Path, delimiter: str, skip_lines: int, header: Sequence[str]) -> Table:
    """A CSV file. The csv module sees one line at a time, so that a quote left open stops at the limit."""
    csv.field_size_limit(MAX_LINE)
    texts = (decode(data, f"{path}:{number}") for number, data in lines(path) if number > skip_lines)

    def rows() -> Iterator[tuple[str, list[str]]]:
        reader, first = csv.reader(texts, delimiter=delimiter, strict=True), skip_lines + 1
        try:
            for cells in reader:
                yield f"{path}:{first}", cells
                first = reader.line_num + skip_lines + 1
        except csv.Error as error:
            remedy = "close the quote that opens there, or quote fields that hold quotes or line ends"
            raise UserError(f"{path}:{first}: is not valid CSV ({error}); {remedy}") from error

    remedy = "write one, or pass over the lines above it with --skip-lines 1"
    return _with_header(path, f"{path}:{skip_lines + 1}", rows(), header, remedy)


def _sheet(path: Path, header: Sequence[str]) -> Table:
    """The first sheet of an Excel file; rows that end early are filled up with blanks."""
    rows = read_sheet(path)
    width = len(header or rows[0]) if rows else 0
    filled = ([*cells, *[""] * width][:width] if any(cells) else [] for cells in rows)
    named = ((f"{path}: row {number}", cells) for number, cells in enumerate(filled, start=1))
    return _with_header(path, str(path), named, header, "write one")


def _with_header(
    path: Path, at: str, rows: Iterator[tuple[str, list[str]]], given: Sequence[str], remedy: str
) -> Table:
    """Rows of cells whose first one names the columns, unless those are `given`."""
    header = list(given) or next(rows, (at, []))[1]
    if not header or len(set(header)) < len(header) or not all(name.strip() for name in header):
        raise UserError(f"{at}: has no header with a different name for each column; {remedy}")

    def records(wanted: Collection[str] | None) -> Iterator[Record]:
        for where, cells in rows:
            if cells and len(cells) != len(header) and not given:
                remedy = "repair that row, or pass over the lines above the header with --skip-lines"
                raise UserError(f"{where}: has {len(cells)} fields, the header has {len(header)}; {remedy}")
            yield Record(where, dict(zip(header, cells, strict=False)))

    return Table(path.stem, at, tuple(header), records)


def _parquet(path: Path) -> Table:
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        file = ParquetFile(path)
    except (ArrowException, OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as Parquet ({_said(error)}); write the file again") from error
    columns = tuple(file.schema_arrow.names)
    if (twice := find_repeated(columns)) is not None:
        raise UserError(f"{path}: has two columns '{twice}'; rename or remove one of them")

    def records(wanted: Collection[str] | None) -> Iterator[Record]:
        names = [name for name in columns if wanted is None or name in wanted]
        row, name = 0, ""
        try:
            for batch in file.iter_batches(columns=names):
                for place in range(batch.num_rows):
                    row, values = row + 1, dict[str, Any]()
                    for name in names:
                        values[name] = batch.column(name)[place].as_py()
                    yield Record(f"{path}: row {row}", values)
        except (ArrowException, OSError, ValueError, OverflowError) as error:
            what = f"column '{name}' holds what cannot be read ({_said(error)})"
            raise UserError(f"{path}: row {row}: {what}; repair that value, or leave the column out") from error

    return Table(path.stem, str(path), columns, records)


def _data_set(where: str, split: str | None, config: str | None) -> Table:
    """A data set by Hub id or local folder, streamed; labels come as names, not as numbers, in lists too."""
    from datasets import ClassLabel, LargeList, List
    from datasets.exceptions import DatasetsError

    logging.getLogger("datasets").setLevel(logging.CRITICAL)  # it logs errors that it raises, too
    failures = (DatasetsError, OSError, ValueError, OverflowError, RuntimeError, IndexError)
    try:
        loaded = _load(where, split, config)
    except UserError:
        raise
    except failures as error:
        what = f"is neither a file nor a data set that can be loaded ({_said(error)})"
        raise UserError(f"{where}: {what}; check the name, and --config") from error
    features = loaded.features or {}

    def with_names(value: Any, kind: Any) -> Any:
        if isinstance(kind, (List, LargeList)) and value is not None:
            return [with_names(each, kind.feature) for each in value]
        if isinstance(kind, ClassLabel):
            return None if value is None or value < 0 else kind.int2str(value)
        return value

    def records(wanted: Collection[str] | None) -> Iterator[Record]:
        names = [name for name in features if wanted is None or name in wanted]
        number = 0
        try:
            for number, row in enumerate(loaded.select_columns(names) if features else loaded, start=1):
                values = {name: with_names(value, features.get(name)) for name, value in row.items()}
                yield Record(f"{where}: row {number}", values)
        except failures as error:
            what = f"after row {number}: cannot be read ({_said(error)})"
            raise UserError(f"{where}: {what}; repair it") from error

    return Table(Path(where).name, where, tuple(features) or None, records)


def _load(where: str, split: str | None, config: str | None) -> Any:
    """One split of a data set. UserError with the nearest name where there is no such split."""
    from datasets import load_dataset, load_from_disk

    if (Path(where) / "state.json").exists():
        if split or config:
            what = "--split and --config choose among several; this is one data set, leave them out"
            raise UserError(f"{where}: {what}")
        return load_from_disk(where)
    if (Path(where) / "dataset_dict.json").exists():
        splits: Any = load_from_disk(where)
    else:
        splits = load_dataset(where, config, streaming=True)
    split = split or "train"
    if split not in splits:
        raise UserError(f"{where}: --split: unknown value '{split}'; {suggest_name(split, list(splits))}")
    return splits[split]


def _said(error: Exception) -> str:
    """What a library says, on one line."""
    return " ".join(str(error).split())
