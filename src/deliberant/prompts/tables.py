"""Rows of other people's files, one at a time: JSONL, CSV, Excel, Parquet, and Hugging Face data sets.

What is in a row is data and stays as it is: control characters, HTML, Markdown headings, our own marks.
"""

import csv
import logging
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from deliberant.prompts.lines import MAX_LINE, decode, lines
from deliberant.prompts.rows import json_object, json_value
from deliberant.prompts.sheets import rows_of
from deliberant.util.errors import UserError
from deliberant.util.files import no_pipe
from deliberant.util.names import nearest, repeated

DELIMITERS = {".csv": ",", ".tsv": "\t"}
JSON_LINES = (".jsonl", ".ndjson")
KINDS = (*JSON_LINES, ".json", *DELIMITERS, ".xlsx", ".parquet")


class Record(NamedTuple):
    """A row and where it stands, `file:line` or `file: row 5`; `values` is empty for a blank line."""

    at: str
    values: dict[str, Any]


Records = Callable[[Collection[str] | None], Iterator[Record]]


@dataclass(frozen=True)
class Table:
    """`at` is where the columns are named; `columns` are None where each row has its own keys.

    `records` takes the columns that are wanted, None for all, and can be called once. Parquet files and data sets leave
    out the others, which need not be readable then.
    """

    name: str
    at: str
    columns: tuple[str, ...] | None
    records: Records


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
    no_pipe(path)
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


def _delimited(path: Path, delimiter: str, skip_lines: int, given: Sequence[str]) -> Table:
    """A CSV file with a header, or the `given` one.

    The csv module sees one line at a time, so that a huge one stops before it is held.
    """
    csv.field_size_limit(MAX_LINE)
    texts = (decode(data, f"{path}:{number}") for number, data in lines(path) if number > skip_lines)
    reader = csv.reader(texts, delimiter=delimiter, strict=True)

    def rows() -> Iterator[tuple[int, list[str]]]:
        """The line where each row starts, and its fields."""
        while True:
            first = reader.line_num + 1 + skip_lines
            try:
                fields = next(reader, None)
            except csv.Error as error:
                remedy = "quote fields that hold quotes or line ends"
                if "field limit" in str(error):
                    remedy = f"close the quote that is open since line {first}, or split that field"
                raise UserError(f"{path}:{first}: is not valid CSV ({error}); {remedy}") from error
            if fields is None:
                return
            yield first, fields

    source = rows()
    header = list(given) or next(source, (1, []))[1]
    top = skip_lines + 1
    if not header or len(set(header)) < len(header) or not all(name.strip() for name in header):
        remedy = "write one, or pass over the lines above it with --skip-lines 1"
        raise UserError(f"{path}:{top}: has no header with a different name for each column; {remedy}")

    def records(wanted: Collection[str] | None) -> Iterator[Record]:
        for first, fields in source:
            here = f"{path}:{first}"
            if fields and len(fields) != len(header) and not given:
                remedy = "repair that row, or pass over the lines above the header with --skip-lines"
                raise UserError(f"{here}: has {len(fields)} fields, the header has {len(header)}; {remedy}")
            yield Record(here, dict(zip(header, fields, strict=False)))

    return Table(path.stem, f"{path}:{top}", tuple(header), records)


def _sheet(path: Path, given: Sequence[str]) -> Table:
    """The first sheet of an Excel file; its first row is the header, where none is `given`."""
    rows = list(enumerate(rows_of(path), start=1))
    header = list(given) or (rows.pop(0)[1] if rows else [])
    if not header or len(set(header)) < len(header) or not all(name.strip() for name in header):
        raise UserError(f"{path}: has no header with a different name for each column; write one")

    def records(wanted: Collection[str] | None) -> Iterator[Record]:
        for number, fields in rows:
            cells = dict(zip(header, [*fields, *[""] * len(header)], strict=False))
            yield Record(f"{path}: row {number}", cells if any(fields) else {})

    return Table(path.stem, str(path), tuple(header), records)


def _parquet(path: Path) -> Table:
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    @contextmanager
    def reading(here: str) -> Iterator[None]:
        try:
            yield
        except (ArrowException, OSError, ValueError) as error:
            what = str(error).split("\n")[0]
            raise UserError(f"{here}: cannot be read as Parquet ({what}); write the file again") from error

    def cell(column: Any, place: int, here: str, name: str) -> Any:
        try:
            return column[place].as_py()
        except (ArrowException, ValueError, OverflowError) as error:
            remedy = "repair that value, or leave the column out"
            raise UserError(f"{here}: column '{name}' holds what cannot be read ({error}); {remedy}") from error

    with reading(str(path)):
        file = ParquetFile(path)
        columns = tuple(file.schema_arrow.names)
    if (twice := repeated(columns)) is not None:
        raise UserError(f"{path}: has two columns '{twice}'; rename or remove one of them")

    def records(wanted: Collection[str] | None) -> Iterator[Record]:
        names = [name for name in columns if wanted is None or name in wanted]
        number = 0
        batches = file.iter_batches(batch_size=256, columns=names)
        while True:
            with reading(f"{path}: after row {number}"):
                batch = next(batches, None)
            if batch is None:
                return
            found = {name: batch.column(name) for name in names}
            for place in range(batch.num_rows):
                number += 1
                here = f"{path}: row {number}"
                yield Record(here, {name: cell(column, place, here, name) for name, column in found.items()})

    return Table(path.stem, str(path), columns, records)


def _data_set(where: str, split: str | None, config: str | None) -> Table:
    """A data set by Hub id or local folder, streamed; labels come as names, not as numbers, in lists too."""
    from datasets import ClassLabel, LargeList, List, get_dataset_config_names, load_dataset, load_from_disk
    from datasets.exceptions import DatasetsError

    logging.getLogger("datasets").setLevel(logging.CRITICAL)  # it logs errors that it raises, too
    path = Path(where)
    saved = path.is_dir() and any((path / name).exists() for name in ("state.json", "dataset_dict.json"))
    try:
        if saved:
            single, loaded = (path / "state.json").exists(), load_from_disk(where)
            if single and (split or config):
                raise UserError(
                    f"{where}: --split and --config choose among several; this is one data set, leave them out"
                )
            loaded = loaded if single else _choose_split(where, loaded, split)
        else:
            configs = get_dataset_config_names(where)
            if config is None and len(configs) > 1 and "default" not in configs:
                raise UserError(f"{where}: name one of its parts with --config; known are: {', '.join(configs)}")
            if config is not None and config not in configs:
                raise UserError(f"{where}: --config: unknown value '{config}'; {nearest(config, configs)}")
            loaded = _choose_split(where, load_dataset(where, config, streaming=True), split)
    except UserError:
        raise
    except (DatasetsError, OSError, ValueError, RuntimeError, IndexError) as error:
        what = str(error).split("\n")[0]
        raise UserError(
            f"{where}: is neither a file nor a data set that can be loaded ({what}); check the name"
        ) from error
    features = loaded.features or {}

    def with_names(value: Any, kind: Any) -> Any:
        if isinstance(kind, (List, LargeList)) and value is not None:
            return [with_names(each, kind.feature) for each in value]
        if isinstance(kind, ClassLabel):
            return None if value is None or value < 0 else kind.int2str(value)
        return value

    def records(wanted: Collection[str] | None) -> Iterator[Record]:
        names = [name for name in features if wanted is None or name in wanted]
        source, number = iter(loaded.select_columns(names) if features else loaded), 0
        while True:
            try:
                values = next(source, None)
            except (DatasetsError, OSError, ValueError, OverflowError, RuntimeError) as error:
                what = str(error).split("\n")[0]
                raise UserError(f"{where}: after row {number}: cannot be read ({what}); repair it") from error
            if values is None:
                return
            number += 1
            values = {name: with_names(value, features.get(name)) for name, value in values.items()}
            yield Record(f"{where}: row {number}", values)

    return Table(path.name, where, tuple(features) or None, records)


def _choose_split(where: str, splits: Any, split: str | None) -> Any:
    split = split or "train"
    if split not in splits:
        raise UserError(f"{where}: --split: unknown value '{split}'; {nearest(split, list(splits))}")
    return splits[split]
