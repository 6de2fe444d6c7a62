"""Rows of other people's files: JSONL, CSV, Parquet, and data sets of Hugging Face, one at a time.

What stands in a row is data and stays as it is: control characters, HTML, Markdown headings, words of ours.
"""

import csv
import logging
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from deliberant.prompts.lines import MAX_LINE, lines, text_of
from deliberant.prompts.rows import json_object
from deliberant.util.errors import UserError
from deliberant.util.files import no_pipe
from deliberant.util.names import nearest, repeated

DELIMITERS = {".csv": ",", ".tsv": "\t"}
JSON_LINES = (".jsonl", ".ndjson")
KINDS = (*JSON_LINES, *DELIMITERS, ".parquet")


class Record(NamedTuple):
    """A row and where it stands, `file:line` or `file: row 5`; `values` is empty for a blank line."""

    at: str
    values: dict[str, Any]


Records = Callable[[Collection[str] | None], Iterator[Record]]


@dataclass(frozen=True)
class Table:
    """`at` is where the columns are named; `columns` are None where each row has its own keys.

    `records` takes the columns that are wanted, None for all, and can be called once. What is not wanted is left out
    where the file need not be read for it: in Parquet and data sets, where it does not have to be readable, then.
    """

    name: str
    at: str
    columns: tuple[str, ...] | None
    records: Records


def open_table(where: str, split: str | None = None, config: str | None = None) -> Table:
    """A file (.jsonl, .csv, .tsv, .parquet), a folder or a Hub id with its `split` (default train) and `config`.

    A row is read when it is asked for, and no value over `lines.MAX_LINE` bytes of a text file. UserError with file and
    line or row for what can not be read, here or while the records are gone through.
    """
    path = Path(where)
    no_pipe(path)
    if path.is_file():
        if split or config:
            raise UserError(f"{where}: --split and --config are for data sets; a file has neither")
        suffix = path.suffix.lower()
        if suffix in JSON_LINES:
            return Table(path.stem, where, None, lambda wanted: _json_lines(path))
        if suffix in DELIMITERS:
            return _delimited(path, DELIMITERS[suffix])
        if suffix == ".parquet":
            return _parquet(path)
        raise UserError(f"{where}: unknown kind of file '{suffix}'; known are: {', '.join(KINDS)}")
    if path.suffix.lower() in KINDS and not path.exists():
        raise UserError(f"{where}: there is no such file; check the path")  # and no data set to be asked for at the Hub
    return _data_set(where, split, config)


def _json_lines(path: Path) -> Iterator[Record]:
    for line in lines(path):
        here = f"{path}:{line.number}"
        text = text_of(line, path)
        yield Record(here, json_object(line.data, here) if text.strip() else {})


def _delimited(path: Path, delimiter: str) -> Table:
    """A CSV file with a header. The csv module sees one line at a time, so that a huge one stops before it is held."""
    csv.field_size_limit(MAX_LINE)
    source = lines(path)
    last = [0]

    def texts() -> Iterator[str]:
        for line in source:
            last[0] = line.number
            yield text_of(line, path)

    reader = csv.reader(texts(), delimiter=delimiter, strict=True)

    def row() -> tuple[int, list[str]] | None:
        """The line where the next row starts, and its fields."""
        first = last[0] + 1
        try:
            return first, next(reader)
        except StopIteration:
            return None
        except csv.Error as error:
            remedy = "quote fields that hold quotes or line ends"
            if "field limit" in str(error):
                remedy = f"close the quote that is open since line {first}, or split that field"
            raise UserError(f"{path}:{first}: is no CSV ({error}); {remedy}") from error

    head = row()
    header = head[1] if head else []
    if not header or len(set(header)) < len(header) or not all(name.strip() for name in header):
        raise UserError(f"{path}:1: has no header with a different name for each column; write one")

    def records(wanted: Collection[str] | None) -> Iterator[Record]:
        while found := row():
            first, fields = found
            here = f"{path}:{first}"
            if fields and len(fields) != len(header):
                raise UserError(f"{here}: has {len(fields)} fields, the header has {len(header)}; repair that row")
            yield Record(here, dict(zip(header, fields, strict=False)))

    return Table(path.stem, f"{path}:1", tuple(header), records)


def _parquet(path: Path) -> Table:
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    @contextmanager
    def reading(here: str) -> Iterator[None]:
        try:
            yield
        except (ArrowException, OSError, ValueError) as error:
            what = str(error).split("\n")[0]
            raise UserError(f"{here}: can not be read as Parquet ({what}); write the file anew") from error

    def cell(column: Any, place: int, here: str, name: str) -> Any:
        try:
            return column[place].as_py()
        except (ArrowException, ValueError, OverflowError) as error:
            remedy = "repair that value, or leave the column out"
            raise UserError(f"{here}: column '{name}' holds what can not be read ({error}); {remedy}") from error

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
    """A data set by Hub id or local folder, streamed; labels, in lists too, come as names, not as numbers."""
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
            loaded = loaded if single else _named(where, loaded, split)
        else:
            configs = get_dataset_config_names(where)
            if config is None and len(configs) > 1 and "default" not in configs:
                raise UserError(f"{where}: name one of its parts with --config; known are: {', '.join(configs)}")
            if config is not None and config not in configs:
                raise UserError(f"{where}: --config: unknown value '{config}'; {nearest(config, configs)}")
            loaded = _named(where, load_dataset(where, config, streaming=True), split)
    except UserError:
        raise
    except (DatasetsError, OSError, ValueError, RuntimeError, IndexError) as error:
        what = str(error).split("\n")[0]
        raise UserError(f"{where}: is neither a file nor a data set that can be loaded ({what}); check it") from error
    features = loaded.features or {}

    def named(value: Any, kind: Any) -> Any:
        if isinstance(kind, (List, LargeList)) and value is not None:
            return [named(each, kind.feature) for each in value]
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
                raise UserError(f"{where}: after row {number}: can not be read ({what}); repair it") from error
            if values is None:
                return
            number += 1
            values = {name: named(value, features.get(name)) for name, value in values.items()}
            yield Record(f"{where}: row {number}", values)

    return Table(path.name, where, tuple(features) or None, records)


def _named(where: str, splits: Any, split: str | None) -> Any:
    split = split or "train"
    if split not in splits:
        raise UserError(f"{where}: --split: unknown value '{split}'; {nearest(split, list(splits))}")
    return splits[split]
