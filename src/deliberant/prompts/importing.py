"""Turns other people's rows into prompts or cases: which column says what, and what is left out on the way.

deliberant prompts import xstest.csv --to cases.jsonl --preset xstest
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import yaml

from deliberant.prompts.lines import MAX_LINE
from deliberant.prompts.plan import Plan
from deliberant.prompts.reader import check_names
from deliberant.prompts.rows import CaseRow, PromptRow, prompt_row, validate
from deliberant.prompts.shapes import read_turns
from deliberant.prompts.tables import Table
from deliberant.prompts.types import STYLES, Case, Prompt, Style
from deliberant.util.errors import UserError
from deliberant.util.files import json_line
from deliberant.util.names import suggest_name

KNOWN: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("fields.yaml").read_text("utf-8"))
"""What is known of fields and of words in them; the file says what each is."""
FIELDS: dict[str, str] = KNOWN["fields"]
ONE_OF, OF_A_CASE, NEED_A_HINT = KNOWN["one_of"], KNOWN["of_a_case"], KNOWN["need_a_hint"]
HINT = set(KNOWN["make_a_hint"])
COLUMN = re.compile(r"\{([^{}]+)\}")


class Rule(NamedTuple):
    """What a clause of a policy says, for `label`."""

    category: str
    style: Style


@dataclass
class Import:
    """What was read. `skipped`: place and reason of each row that is not a prompt; `unused`: columns with no field.

    `defaulted`: how many prompts had no id, family or category of their own. `left`: what conversations lost;
    `unmapped`: values that a value map does not know, as they stand; `read`: words read as a style; `copies` of a text.
    """

    prompts: int = 0
    copies: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)
    unused: set[str] = field(default_factory=set)
    defaulted: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    unmapped: Counter[str] = field(default_factory=Counter)
    read: Counter[str] = field(default_factory=Counter)

    def row(self) -> dict[str, Any]:
        """As a JSON object; of the skipped rows the number."""
        shown = {name: dict(value) for name, value in vars(self).items() if isinstance(value, Counter) and value}
        counts = {"prompts": self.prompts, "skipped": len(self.skipped), "unused": sorted(self.unused)}
        return counts | {"defaulted": {}} | shown | ({"copies": self.copies} if self.copies else {})


Row = TypeVar("Row", bound=PromptRow)


def import_prompts(
    table: Table,
    plan: Plan,
    account: Import,
    categories: Collection[str] | None = None,
    clauses: Mapping[str, Rule] | Collection[str] | None = None,
) -> Iterator[Prompt]:
    """The table's rows as prompts, read as the plan says.

    A column with a field's name is that field, unless it is mapped otherwise or to another one. Rows without text, too
    long for a line of a prompt file, without a user turn or with two system turns are skipped and go into `account`.
    UserError with the nearest name for an unknown field, a missing column, a category not in `categories` or a clause
    not in `clauses`; for a mapped or constant part of a hint where no row has a hint; for a value map's key that no row
    has; with file and line or row for a repeated id and for whatever `PromptRow` refuses.
    """
    return (row.prompt() for row in _rows(table, plan, account, PromptRow, categories, clauses))


def import_cases(
    table: Table,
    plan: Plan,
    account: Import,
    categories: Collection[str] | None = None,
    clauses: Mapping[str, Rule] | Collection[str] | None = None,
) -> Iterator[Case]:
    """Likewise as cases: each row needs a truth, from its column, a value map, a constant or a label."""
    return (row.case() for row in _rows(table, plan, account, CaseRow, categories, clauses))


def _rows(
    table: Table,
    plan: Plan,
    account: Import,
    kind: type[Row],
    categories: Collection[str] | None,
    clauses: Mapping[str, Rule] | Collection[str] | None,
) -> Iterator[Row]:
    _check(plan)
    reader = _Reader(table.name, plan, account, kind is CaseRow, clauses if isinstance(clauses, Mapping) else {})
    seen, texts, hinted = set[str](), set[int](), False
    chosen = None if table.columns is None else _columns(table.columns, plan, table.at)
    wanted = None if chosen is None else [name for column in chosen.values() for name in _names(column)]
    account.unused |= {*(table.columns or ())} - {*(wanted or ())}
    for number, record in enumerate(table.records(wanted), start=1):
        if not record.values:
            account.skipped.append((record.at, "is blank"))
            continue
        columns = chosen or _columns(tuple(record.values), plan, record.at)
        account.unused |= record.values.keys() - {name for column in columns.values() for name in _names(column)}
        hinted |= bool(HINT & (columns.keys() | plan.set.keys()))
        values = {name: _cell(column, record.values) for name, column in columns.items()} | plan.set
        row = reader.row(number, values, record.at)
        if isinstance(row, str):
            account.skipped.append((record.at, row))
            continue
        valid = validate(row, kind, record.at)
        if len(json_line(prompt_row(valid.prompt()))) > MAX_LINE:
            account.skipped.append((record.at, f"is longer than {MAX_LINE / 2**20:g} MiB as a line of a prompt file"))
            continue
        if valid.id in seen:
            what = f"id '{valid.id}' is that of an earlier row; give one of the two another"
            raise UserError(f"{record.at}: {what}, or say --map family=id, which keeps the two together under new ids")
        seen.add(valid.id)
        check_names(record.at, valid, categories, clauses)
        account.prompts += 1
        texts.add(hash(tuple(turn.content for turn in valid.messages)))
        account.defaulted.update(name for name in ("id", "family") if _blank(values.get(name)))
        account.defaulted.update(() if valid.categories else ["category"])
        yield valid
    account.copies = account.prompts - len(texts)
    reader.check_values()
    stray = [name for name in NEED_A_HINT if name in plan.map or name in plan.set]
    if stray and account.prompts and not hinted:
        raise UserError(
            f"{table.at}: '{stray[0]}' belongs to a hint, and no row has one; name its column with --map hint=COLUMN"
        )


def _check(plan: Plan) -> None:
    for option, given in (("--map", plan.map), ("--set", plan.set), ("--values", plan.values)):
        for name in given:
            if name not in FIELDS:
                raise UserError(f"{option} {name}: unknown field '{name}'; {suggest_name(name, FIELDS)}")
            if name in OF_A_CASE and not plan.cases:
                raise UserError(f"{option} {name}: belongs to a case; add --cases, or leave it out")
    if both := plan.map.keys() & plan.set.keys():
        raise UserError(f"'{min(both)}' is given by --map and by --set; keep one of them")
    for one, other in ONE_OF:
        if {one, other} <= plan.map.keys() | plan.set.keys():
            raise UserError(f"'{one}' and '{other}' are both given; keep one of them")


def _names(column: str) -> list[str]:
    """The columns that a mapping names: one, or those of a template."""
    return COLUMN.findall(column) or [column]


def _cell(column: str, values: Mapping[str, Any]) -> Any:
    """A column's value; a template's columns are filled in, and what is blank leaves no gap."""
    names = COLUMN.findall(column)
    if not names:
        return values[column]
    if column == f"{{{names[0]}}}":
        return values.get(names[0])
    text = COLUMN.sub(lambda match: "" if values.get(match[1]) is None else str(values[match[1]]), column)
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def _columns(columns: tuple[str, ...], plan: Plan, at: str) -> dict[str, str]:
    """Field -> column, or template, of a table or of one row."""
    for name, column in plan.map.items():
        for each in _names(column):
            if each not in columns:
                raise UserError(
                    f"{at}: --map {name}={column}: there is no column '{each}'; {suggest_name(each, columns)}"
                )
    given = plan.map.keys() | plan.set.keys()
    shadowed = {each for pair in ONE_OF for each in pair if given & set(pair)}
    taken = {each for column in plan.map.values() for each in _names(column)}
    fields = [name for name in FIELDS if (plan.cases or name not in OF_A_CASE) and name != "label"]
    chosen = {name: name for name in fields if name in columns and name not in given | shadowed | taken} | plan.map
    if not {"text", "messages"} & chosen.keys():
        chosen |= next(({name: column} for name, column in KNOWN["usual"] if _names(column)[0] in columns), {})
    for one, other in ONE_OF:
        if {one, other} <= chosen.keys():
            raise UserError(f"{at}: has columns '{one}' and '{other}'; say which one with --map {one}={one}")
    if not {"text", "messages"} & chosen.keys():
        raise UserError(f"{at}: no column is 'text'; name it with --map text=COLUMN, columns are: {', '.join(columns)}")
    if HINT & (chosen.keys() | plan.set.keys()):
        return chosen
    return {name: column for name, column in chosen.items() if name not in NEED_A_HINT}


class _Reader:
    """Rows as `PromptRow` or `CaseRow` takes them."""

    def __init__(self, name: str, plan: Plan, account: Import, cases: bool, rules: Mapping[str, Rule]) -> None:
        self.name, self.plan, self.account, self.cases, self.rules = name, plan, account, cases, rules
        self.met: dict[str, set[str]] = {field: set() for field in plan.values}

    def row(self, number: int, values: dict[str, Any], at: str) -> dict[str, Any] | str:
        """A row, or why it is skipped."""
        values = {name: self.mapped(name, value) for name, value in values.items()}
        values = {name: value for name, value in values.items() if not _blank(value)}
        if "messages" in values:
            turns = read_turns(values["messages"], self.account.left)
        else:
            text = values.get("text")
            turns = [{"role": "user", "content": text[0] if isinstance(text, list) and len(text) == 1 else text}]
        is_list = isinstance(turns, list) and all(isinstance(turn, dict) for turn in turns)
        if is_list and all(_blank(turn.get("content", turn)) for turn in turns):
            return "has no text"
        if is_list and str(turns[-1].get("content")).strip().casefold() in KNOWN["redacted"]:
            return "is redacted"
        if is_list and all(isinstance(turn.get("role"), str) and turn["role"] != "user" for turn in turns):
            return "has no user turn"
        row: dict[str, Any] = {name: values[name] for name in ("source", "licence", "framing") if name in values}
        row["messages"] = turns
        if "system" in values and is_list:
            if any(turn.get("role") == "system" for turn in turns):
                return "has a system turn in its messages and a system text beside them"
            row["messages"] = [{"role": "system", "content": values["system"]}, *turns]
        if "label" in values:
            self.labelled(values, at)
        several = values.get("categories", values.get("category", []))
        row["categories"] = [several] if isinstance(several, str) else several
        row["id"] = values.get("id", f"{self.name}-{number}")
        row["family"] = values.get("family", row["id"])
        row["hints"] = values.get("hints", [])
        if "hint" in values or "hint_clause" in values:
            names = {"style": "hint", "clause": "hint_clause", "confidence": "confidence"}
            hint = {"source": values.get("hint_source", values.get("source", self.name))}
            row["hints"] = [hint | {key: values[name] for key, name in names.items() if name in values}]
        return self.case(row, values) if self.cases else row

    def mapped(self, name: str, value: Any) -> Any:
        """A value of a field: a name, names, or what a value map makes of it."""
        value = _name(value) if name in KNOWN["names"] else _number(value) if name == "confidence" else value
        if name in ("category", "categories") and not (name == "category" and isinstance(value, str)):
            value = _several(value, self.plan.separator)
        if name not in self.plan.values or value is None:
            return value
        if isinstance(value, list):
            return [each for each in (self.value(name, each) for each in value) if not _blank(each)]
        return self.value(name, str(value).lower() if isinstance(value, bool) else value)

    def value(self, name: str, value: Any) -> Any:
        known, key = self.plan.values[name], str(value).strip()
        if key in known:
            self.met[name].add(key)
            return known[key]
        if key:
            self.account.unmapped[f"{name} '{key}'"] += 1
        return value

    def check_values(self) -> None:
        """UserError for a key of a value map that no row has, and that is nearly one of those it does not know."""
        for name, known in self.plan.values.items():
            others = [key.split("'", 1)[1][:-1] for key in self.account.unmapped if key.startswith(f"{name} '")]
            for key in known.keys() - self.met[name]:
                if (remedy := suggest_name(key, others)).startswith("did you"):
                    raise UserError(f"--values {name}:{key}={known[key]}: no row has that value; {remedy}")
                self.account.unmapped[f"{name} '{key}', which no row has"] = 0

    def labelled(self, values: dict[str, Any], at: str) -> None:
        """Category, style and clause by a clause's id, or by what several clauses of one style begin with."""
        label = str(values.pop("label")).strip()
        rules = {id: rule for id, rule in self.rules.items() if id.startswith(label)}
        rules = {label: rules[label]} if label in rules else rules
        styles = {rule.style for rule in rules.values()}
        if len(styles) != 1:
            what = "begins clauses of several styles" if rules else "is no clause, nor begins one"
            remedy = suggest_name(label, self.rules) if self.rules else "name the --policy"
            raise UserError(f"{at}: label '{label}' {what}; {remedy}")
        values.setdefault("categories", list(dict.fromkeys(rule.category for rule in rules.values())))
        style, clause = styles.pop(), next(iter(rules)) if len(rules) == 1 else None
        names = ("truth", "truth_clause") if self.cases else ("hint", "hint_clause")
        values |= dict(zip(names, (style, clause), strict=True)) if clause else {names[0]: style}

    def case(self, row: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
        said = str(values.get("truth", "")).strip()
        style = said if said in STYLES else KNOWN["truths"].get(said.casefold(), said)
        if style != said:
            self.account.read[f"truth '{said}' as {style}"] += 1
        harmful = values.get("harmful")
        if isinstance(harmful, str):
            harmful = KNOWN["flags"].get(harmful.lower())
        if harmful is None:
            harmful = style == "refuse"
            self.account.defaulted["harmful"] += 1
        self.account.defaulted.update(() if "suite" in values else ["suite"])
        truth = {"style": style, "clause": values.get("truth_clause"), "harmful": bool(harmful)}
        row |= {"truth": truth, "suite": values.get("suite", self.name)}
        return row | {name: values[name] for name in ("plain", "language") if name in values}


def _several(value: Any, separator: str) -> Any:
    """Names as a list: those that are true, those of a text with separators, or a list as it is."""
    if isinstance(value, dict) and all(each is None or isinstance(each, (bool, int)) for each in value.values()):
        return [name for name, true in value.items() if true]
    if isinstance(value, str):
        return [part.strip() for part in value.split(separator) if part.strip()]
    return value


def _blank(value: Any) -> bool:
    return value is None or value == [] or (isinstance(value, str) and not value.strip())


def _name(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _number(value: Any) -> Any:
    """A number that a text file holds as text; the schema refuses what is not a number."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value
