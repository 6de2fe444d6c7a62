"""Files that are whole or absent, and the hashes that name them."""

import dataclasses
import errno
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from deliberant.util.errors import RunError, UserError

Row = dict[str, Any]
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
NO_PLACE = (
    *(errno.ENOENT, errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG),
    *(errno.EACCES, errno.EPERM, errno.EROFS),
)
"""Nothing can be written at such a path, whatever is repaired elsewhere."""


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, BaseModel):
        return value.model_dump()
    if isinstance(value, Path):
        return value.as_posix()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def json_line(value: Any) -> bytes:
    """One JSONL line, newline included; NaN and infinity are refused (ValueError)."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, default=_plain).encode() + b"\n"


def fingerprint(value: Any) -> str:
    """First 16 hex digits of sha256 over canonical JSON; dataclasses, pydantic models and paths allowed."""
    canonical = json.dumps(
        value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"), default=_plain
    )
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def seed_of(value: Any) -> int:
    """A seed below 2**31 that depends on `value` alone: its fingerprint as a number."""
    return int(fingerprint(value), 16) % 2**31


def file_hash(path: Path) -> str:
    """sha256 of one file's bytes, 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@cache
def code_hash() -> str:
    """16 hex digits over names and bytes of this package's sources and data files, weights excepted; needs no git."""
    package = Path(__file__).parents[1]
    files = sorted(
        path for path in package.rglob("*") if path.is_file() and path.suffix not in (".safetensors", ".pyc")
    )
    return fingerprint({path.relative_to(package).as_posix(): file_hash(path) for path in files})


@contextmanager
def explain_write_errors(path: Path, kept: str) -> Iterator[None]:
    """Turn a failed write into one line that says what was `kept` and what to do.

    Raises UserError where nothing can be written at `path`, e.g. because it is a folder, RunError on a full disk.
    """
    try:
        yield
    except OSError as error:
        if error.errno in NO_PLACE:
            raise UserError(f"{path}: cannot write ({error.strerror}); {kept}; name another place") from error
        remedy = "free some space" if error.errno in DISK_FULL else "repair that"
        raise RunError(
            f"{path}: cannot write ({error.strerror}); {kept}; {remedy}, then the same command resumes"
        ) from error


def _no_folder(path: Path) -> None:
    if path.is_dir():
        raise UserError(f"{path}: is a folder; name a file to write")


def _target(path: Path) -> Path:
    """The file that is written at `path`, where links lead. UserError where that is a folder, a pipe or a device."""
    _no_folder(path)
    if path.exists() and not path.is_file():
        raise UserError(f"{path}: is a pipe or a device; name a file to write")
    return Path(os.path.realpath(path))


def refuse_pipe(path: Path) -> None:
    """UserError where a file to read is a pipe, which can be gone through only once, or is waited for."""
    if path.is_fifo():
        raise UserError(f"{path}: is a pipe; save it to a file first")


def name_beside(path: Path, ending: str) -> Path:
    """`<path's stem>.<ending>`, for what belongs to an output file. UserError where `path` is a folder."""
    _no_folder(path)
    return path.with_name(f"{path.stem}.{ending}")


def check_outputs(written: Iterable[Path | None], read: Iterable[Path | str | None]) -> None:
    """Look, before the work, at all that a verb writes or deletes, and at the files and folders it reads (None: skip).

    UserError where what is `written` is what is `read` or lies in it, where two of `written` are one file, or one is a
    folder, a pipe or a device.
    """
    sources = [Path(source) for source in read if source is not None and Path(source).exists()]
    seen = set[Path]()
    for path in filter(None, written):
        target = _target(path)
        if target in seen:
            raise UserError(f"{path}: would be written twice; name another file for one of the two")
        seen.add(target)
        for source in sources:
            if any(each.exists() and source.samefile(each) for each in (target, *target.parents)):
                what = f"lies in {source}, which is read here" if source.is_dir() else "is read here and would be lost"
                raise UserError(f"{path}: {what}; name another file to write")


def write_atomically(path: Path, parts: bytes | Iterable[bytes]) -> None:
    """A reader, or a crash, finds either the old content or the new one. A link stays one: its target is written.

    UserError where `path` is a folder, a pipe or a device; RunError on a full disk.
    """
    target = _target(path)
    temporary = target.with_name(f".{target.name}.tmp")
    with explain_write_errors(path, "nothing finished is lost"):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                file.writelines([parts] if isinstance(parts, bytes) else parts)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)


def append_durably(path: Path, block: bytes) -> None:
    """Append in one write and fsync; after a failure the file has its old length again.

    Raises OSError, and UserError as `write_atomically`.
    """
    with _target(path).open("ab", buffering=0) as file:
        before = os.fstat(file.fileno()).st_size
        try:
            if file.write(block) != len(block):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(file.fileno())
        except OSError:
            file.truncate(before)
            raise


def write_json(path: Path, value: Any) -> None:
    """Indented JSON, written atomically."""
    write_atomically(path, json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1, default=_plain).encode())


def write_rows(path: Path, rows: Iterable[Any]) -> None:
    """JSONL, one row (mapping or dataclass) per line, written atomically."""
    write_atomically(path, (json_line(row) for row in rows))


def read_json(path: Path, remedy: str, kind: type[dict[str, Any]] | type[list[Any]] = dict) -> Any:
    """A JSON object, or a list if `kind` says so. RunError naming file and `remedy` where it is torn or not one."""
    try:
        value = json.loads(path.read_bytes())
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror}); {remedy}") from error
    except ValueError as error:
        raise RunError(f"{path}: is torn or no JSON ({error}); {remedy}") from error
    if not isinstance(value, kind):
        raise RunError(f"{path}: is not a JSON {'object' if kind is dict else 'list'}; {remedy}")
    return value


def read_rows(path: Path) -> list[Row]:
    """The rows of a JSONL file; RunError naming file and line where one is no JSON or the last one is torn."""
    remedy = "delete the stage's folder and run it again"
    try:
        *lines, rest = path.read_bytes().split(b"\n")
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror}); {remedy}") from error
    if rest:
        raise RunError(f"{path}:{len(lines) + 1}: is torn; {remedy}")
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            rows.append(json.loads(line))
        except ValueError as error:
            raise RunError(f"{path}:{number}: no JSON ({error}); {remedy}") from error
    return rows
