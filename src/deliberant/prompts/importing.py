"""Other people's rows as our prompts: which column says what, and what is left out on the way.

deliberant prompts import xstest.csv --to xstest.jsonl --map text=prompt --map category=label --set source=xstest

Memory: 14 to 20 bytes for each prompt's id (see `index`), and what is said of each row that is skipped.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from deliberant.prompts.index import Index
from deliberant.prompts.lines import MAX_LINE
from deliberant.prompts.reader import check_names
from deliberant.prompts.rows import PromptRow, prompt_row, validate
from deliberant.prompts.tables import Table
from deliberant.prompts.types import Prompt
from deliberant.util.errors import UserError
from deliberant.util.files import json_line
from deliberant.util.names import nearest

FIELDS = {
    "id": "name of the prompt; without it, the file's name and the row's number",
    "text": "the one user turn",
    "system": "a system turn before it",
    "messages": "the whole conversation, a list of {role, content}; instead of text",
    "category": "a category of the policy; blank = outside every one",
    "categories": "several: a list, or text with ; between them",
    "family": "what must stay together in a split; without it, each prompt is its own",
    "source": "data set it comes from",
    "licence": "that data set's licence",
    "framing": "how it asks: plain, fiction, encoded, ...",
    "hints": "a list of {source, style, confidence, clause}",
    "hint": "what the source believes the right style is: comply, refuse or safe_complete",
    "hint_source": "who says so; without it, the source, or the file's name",
    "hint_clause": "the clause of the policy that it believes applies; goes with hint",
    "confidence": "how sure that is, from 0 to 1",
}
"""What a column can be mapped to."""

EITHER = (("text", "messages"), ("category", "categories"), ("hint", "hints"), ("hint_clause", "hints"))
HINT = {"hint", "hint_clause"}
"""Fields that make a hint."""
OF_A_HINT = ("hint_source", "confidence")
"""Fields that say nothing without a hint; their columns are then left out, like any other."""
NAMES = ("id", "category", "family", "source", "licence", "framing")
"""Fields whose numbers are read as names."""


@dataclass
class Import:
    """What was read. `skipped`: place and reason of each row that is no prompt; `unused`: columns nothing is mapped to.

    `defaulted`: how many prompts got an id, a family or no category for want of a value.
    """

    prompts: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)
    unused: set[str] = field(default_factory=set)
    defaulted: Counter[str] = field(default_factory=Counter)

    def row(self) -> dict[str, Any]:
        """As a JSON object; of the skipped rows the number."""
        return {
            "prompts": self.prompts,
            "skipped": len(self.skipped),
            "unused": sorted(self.unused),
            "defaulted": dict(self.defaulted),
        }


def imported(
    table: Table,
    mapped: Mapping[str, str],
    constants: Mapping[str, str],
    account: Import,
    categories: Collection[str] | None = None,
    clauses: Collection[str] | None = None,
) -> Iterator[Prompt]:
    """The table's rows as prompts. `mapped`: field -> column, `constants`: field -> value; see `FIELDS`.

    A column that bears a field's name is that field, unless it is mapped otherwise. Rows without text, too long for a
    line of a prompt file, or with two system turns are skipped and go into `account`. UserError, naming the nearest
    name, for an unknown field, a column that is missing, a category not among `categories` or a hint's clause not among
    `clauses`; for a mapped or constant part of a hint where no row has one; with file and line or row for a repeated id
    and whatever `PromptRow` refuses.
    """
    _check(mapped, constants)
    seen, hinted = Index(), False
    chosen = None
    if table.columns is not None:
        chosen = _columns(table.columns, mapped, constants, table.at)
        account.unused |= set(table.columns) - set(chosen.values())
    for number, record in enumerate(table.records(chosen and chosen.values()), start=1):
        if not record.values:
            account.skipped.append((record.at, "is blank"))
            continue
        columns = chosen
        if columns is None:
            columns = _columns(tuple(record.values), mapped, constants, record.at)
            account.unused |= record.values.keys() - set(columns.values())
        hinted |= bool(HINT & (columns.keys() | constants.keys()))
        values = {name: record.values[column] for name, column in columns.items()} | dict(constants)
        row = _row(table, number, values)
        if isinstance(row, str):
            account.skipped.append((record.at, row))
            continue
        valid = validate(row, PromptRow, record.at)
        prompt = valid.prompt()
        if len(json_line(prompt_row(prompt))) > MAX_LINE:
            account.skipped.append((record.at, f"is longer than {MAX_LINE / 2**20:g} MiB as a line of a prompt file"))
            continue
        if seen.add(prompt.id) is not None:
            what, remedy = "is that of an earlier row", "give one of the two another, or map another column to id"
            if _blank(values.get("id")):
                what, remedy = f"was made up for want of one and {what}", "give this row an id"
            raise UserError(f"{record.at}: id '{prompt.id}' {what}; {remedy}")
        check_names(record.at, valid, categories, clauses)
        account.prompts += 1
        account.defaulted.update(name for name in ("id", "family") if _blank(values.get(name)))
        account.defaulted.update(() if prompt.categories else ["category"])
        yield prompt
    stray = [name for name in OF_A_HINT if name in mapped or name in constants]
    if stray and account.prompts and not hinted:
        raise UserError(f"{table.at}: '{stray[0]}' is of a hint, and there is none; name it with --map hint=COLUMN")


def _check(mapped: Mapping[str, str], constants: Mapping[str, str]) -> None:
    for option, given in (("--map", mapped), ("--set", constants)):
        for name in given:
            if name not in FIELDS:
                raise UserError(f"{option} {name}={given[name]}: unknown field '{name}'; {nearest(name, FIELDS)}")
    if both := mapped.keys() & constants.keys():
        raise UserError(f"'{min(both)}' is given by --map and by --set; keep one of them")
    for one, other in EITHER:
        if {one, other} <= mapped.keys() | constants.keys():
            raise UserError(f"'{one}' and '{other}' are both given; keep one of them")


def _columns(
    columns: tuple[str, ...], mapped: Mapping[str, str], constants: Mapping[str, str], at: str
) -> dict[str, str]:
    """Field -> column of a table or of one row."""
    for name, column in mapped.items():
        if column not in columns:
            raise UserError(f"{at}: --map {name}={column}: there is no column '{column}'; {nearest(column, columns)}")
    given = mapped.keys() | constants.keys()
    shadowed = {each for pair in EITHER for each in pair if given & set(pair)}
    found = {name: name for name in FIELDS if name in columns and name not in given | shadowed}
    found |= mapped
    for one, other in EITHER:
        if {one, other} <= found.keys():
            raise UserError(f"{at}: has columns '{one}' and '{other}'; say which one with --map {one}={one}")
    if not HINT & (found.keys() | constants.keys()):
        found = {name: column for name, column in found.items() if name not in OF_A_HINT}
    if not {"text", "messages"} & found.keys():
        raise UserError(f"{at}: no column is 'text'; name it with --map text=COLUMN, columns are: {', '.join(columns)}")
    return found


def _row(table: Table, number: int, values: dict[str, Any]) -> dict[str, Any] | str:
    """A row as `PromptRow` takes it, or why it is skipped."""
    values = {name: _name(value) if name in NAMES else value for name, value in values.items()}
    values = {name: value for name, value in values.items() if not _blank(value)}
    turns = values.get("messages") or [{"role": "user", "content": values.get("text")}]
    whole = isinstance(turns, list)  # what is no list is left for the schema to refuse
    if whole and all(isinstance(turn, dict) and _blank(turn.get("content", turn)) for turn in turns):
        return "has no text"
    row: dict[str, Any] = {name: values[name] for name in ("source", "licence", "framing") if name in values}
    row["messages"] = turns
    if "system" in values and whole:
        if any(isinstance(turn, dict) and turn.get("role") == "system" for turn in turns):
            return "has a system turn in its messages and a system text beside them"
        row["messages"] = [{"role": "system", "content": values["system"]}, *turns]
    several = values.get("categories", values.get("category", []))
    if isinstance(several, str):
        parts = several.split(";") if "categories" in values else [several]
        several = [part.strip() for part in parts if part.strip()]
    row["categories"] = several
    row["id"] = values.get("id", f"{table.name}-{number}")
    row["family"] = values.get("family", row["id"])
    row["hints"] = values.get("hints", [])
    if "hint" in values or "hint_clause" in values:
        hint = {"source": values.get("hint_source", values.get("source", table.name))}
        hint |= {key: values[name] for key, name in (("style", "hint"), ("clause", "hint_clause")) if name in values}
        row["hints"] = [hint | ({"confidence": _number(values["confidence"])} if "confidence" in values else {})]
    return row


def _blank(value: Any) -> bool:
    return value is None or value == [] or (isinstance(value, str) and not value.strip())


def _name(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _number(value: Any) -> Any:
    """A number that a text file holds as text; what is none is left for the schema to refuse."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value
