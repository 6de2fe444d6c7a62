"""Public prompt sets: where each one lives, how it is fetched and checked, and how it becomes one table.

    deliberant data fetch xstest
    deliberant prompts import xstest --to cases.jsonl

A set is a file of `sets/`: home, revision, licence, preset, and its files with size and sha256. Nothing of a set is
shipped. `DELIBERANT_DATA` names a folder with local copies, `NAME/FILE` or a file of the right hash in `NAME/`; they
come before the cache. A set in several languages is fetched or read whole, or in one: `xsafety:fr`.
"""

import os
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict

from deliberant.prompts.tables import KINDS, Record, Table, open_table
from deliberant.util.errors import RunError, UserError
from deliberant.util.files import file_hash, write_atomically
from deliberant.util.names import suggest_name
from deliberant.util.progress import NullProgress, Progress
from deliberant.util.yaml import read_model

FOLDER = Path(__file__).with_name("sets")
VARIABLE = "DELIBERANT_DATA"


class File(BaseModel):
    """One file of a set. `set`: columns that hold for all its rows; `sha256` None: nobody could pin it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    path: str
    size: int | None = None
    sha256: str | None = None
    language: str | None = None
    set: dict[str, str] = {}

    @property
    def constants(self) -> dict[str, str]:
        return self.set | ({"language": self.language} if self.language else {})


class DataSet(BaseModel):
    """`base`: the address that files stand below; None where the licence asks for a click, at `click`.

    `where`: column -> the value that rows of this set have, in files that hold more. `header`: the columns of files
    that name none.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    title: str
    home: str
    revision: str
    licence: str
    preset: str
    base: str | None = None
    click: str | None = None
    where: dict[str, str] = {}
    header: list[str] = []
    files: list[File]

    @property
    def languages(self) -> list[str]:
        return list(dict.fromkeys(file.language for file in self.files if file.language))


class Chosen(NamedTuple):
    """A set, or one language of it, as it was named."""

    name: str
    data: DataSet
    files: tuple[File, ...]


@cache
def sets() -> Mapping[str, DataSet]:
    """Every known set by its name."""
    return {file.stem: read_model(file, DataSet)[0] for file in sorted(FOLDER.glob("*.yaml"))}


def choose(name: str) -> Chosen:
    """A set by its name, or NAME:LANGUAGE. UserError with the nearest name or language."""
    word, colon, language = name.partition(":")
    if word not in sets():
        raise UserError(f"unknown data set '{word}'; {suggest_name(word, sets())}")
    data = sets()[word]
    if colon and language not in data.languages:
        known = suggest_name(language, data.languages) if data.languages else "it is in one language alone"
        raise UserError(f"data set '{word}': unknown language '{language}'; {known}")
    return Chosen(name, data, tuple(file for file in data.files if not colon or file.language == language))


def cache_folder() -> Path:
    """Where fetched sets are kept, by the convention of the platform."""
    from platformdirs import user_cache_path

    given = os.environ.get("XDG_CACHE_HOME")
    return (Path(given) / "deliberant" if given else user_cache_path("deliberant", appauthor=False)) / "data"


def find_copy(data: DataSet, file: File) -> Path | None:
    """A file of a set on this machine, the user's own copy first; None where there is none.

    UserError where its size or hash differs from the pinned one.
    """
    own = os.environ.get(VARIABLE)
    for folder in [*([Path(own) / data.preset] if own else []), cache_folder() / data.preset]:
        path = folder / file.path
        if path.is_file():
            remedy = f"delete it, or put the file of revision {data.revision[:12]} in its place"
            _check(path.read_bytes(), file, str(path), remedy)
            return path
        others = (each for each in sorted(folder.glob(f"*{path.suffix}")) if file.sha256 and each.is_file())
        if renamed := next((each for each in others if file_hash(each) == file.sha256), None):
            return renamed
    return None


def _check(content: bytes, file: File, origin: str, remedy: str) -> None:
    """UserError where what comes from a path or an address is not the pinned file."""
    if file.size is not None and len(content) != file.size:
        raise UserError(f"{origin}: has {len(content)} bytes, the pinned file has {file.size}; {remedy}")
    if file.sha256 is not None and (digest := sha256(content).hexdigest()) != file.sha256:
        raise UserError(f"{origin}: its sha256 is {digest[:16]}…, the pinned one {file.sha256[:16]}…; {remedy}")


def fetch(chosen: Chosen, progress: Progress | None = None) -> list[Path]:
    """The files of a set on this machine, downloaded where they are not, each checked before it is kept.

    UserError where the licence asks for a click, or what came is not the pinned file; RunError where nothing came.
    """
    if missing := [file for file in chosen.files if find_copy(chosen.data, file) is None]:
        _download(chosen, missing, progress or NullProgress())
    return [path for file in chosen.files if (path := find_copy(chosen.data, file))]


def _download(chosen: Chosen, missing: list[File], progress: Progress) -> None:
    from httpx2 import Client, HTTPError

    data, folder = chosen.data, cache_folder() / chosen.data.preset
    if data.base is None:
        where = folder / missing[0].path
        raise UserError(
            f"data set '{chosen.name}': its licence asks for a click: accept it at {data.click}, download "
            f"{Path(missing[0].path).name} and put it at {where}"
        )
    total = sum(file.size or 0 for file in missing)
    with progress(chosen.name, total) as bar, Client(timeout=60, follow_redirects=True) as client:
        for file in missing:
            address = data.base.format(revision=data.revision) + file.path.replace(" ", "%20")
            try:
                answer = client.get(address)
                answer.raise_for_status()
            except HTTPError as error:
                what = str(error).split("\n")[0] or type(error).__name__
                remedy = f"try again, or put the file in a folder and name that in {VARIABLE}"
                raise RunError(f"{address}: cannot be fetched ({what}); {remedy}") from error
            _check(answer.content, file, address, f"name a folder with the right file in {VARIABLE}")
            write_atomically(folder / file.path, answer.content)
            bar.advance(len(answer.content))


def open_set(chosen: Chosen, progress: Progress | None = None) -> Table:
    """All files of a set as one table: its columns, and those that hold for whole files.

    Files without a header have a column `row`, too, which counts from 1 in each.

    UserError where a column that the set is known by is gone.
    """
    data = chosen.data
    paths = fetch(chosen, progress)
    tables = [open_table(str(path), header=data.header) for path in paths]
    added = [*chosen.files[0].constants, *(("row",) if data.header else ())]
    columns = None if tables[0].columns is None else (*tables[0].columns, *added)

    def records(wanted: Collection[str] | None) -> Iterator[Record]:
        for table, file in zip(tables, chosen.files, strict=True):
            needed = None if wanted is None else {*wanted, *data.where}
            for number, record in enumerate(table.records(needed), start=1):
                for name in data.where:
                    if record.values and name not in record.values:
                        raise UserError(f"{record.at}: there is no column '{name}', by which '{chosen.name}' is chosen")
                if all(record.values.get(name) == value for name, value in data.where.items()):
                    more = file.constants | ({"row": number} if data.header else {})
                    yield Record(record.at, record.values | more if record.values else {})

    return Table(chosen.name.replace(":", "-"), tables[0].at, columns, records)


def account() -> list[dict[str, Any]]:
    """Every set as {name, title, home, revision, licence, click, preset, languages, files, bytes, pinned, here}.

    `bytes`: None where they are not known before the set is fetched; `here`: whether all of it is on this machine.
    """
    rows = []
    for name, data in sets().items():
        sizes = [file.size for file in data.files]
        row = data.model_dump(include={"title", "home", "revision", "licence", "click", "preset"})
        row |= {"files": len(sizes), "bytes": None if None in sizes else sum(size or 0 for size in sizes)}
        row |= {"pinned": all(file.sha256 for file in data.files), "languages": data.languages}
        rows.append({"name": name, **row, "here": all(find_copy(data, file) for file in data.files)})
    return rows


def is_set(name: str) -> bool:
    """Whether a word names a set rather than a file."""
    return name.partition(":")[0] in sets() and Path(name).suffix.lower() not in KINDS and not Path(name).exists()
