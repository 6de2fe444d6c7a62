"""What people decided, stored beside the run: RUN/review/labels.jsonl, one row for each decision, never rewritten.

A later row of the same reviewer for the same sample counts. Each row has the hashes of the policy and of the sample's
text, so that a label never speaks of another text than the one that was read.
"""

import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from filelock import FileLock
from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, ValidationError

from deliberant.prompts.lines import lines
from deliberant.prompts.rows import json_object
from deliberant.prompts.tables import open_table
from deliberant.review.samples import Entry, Samples
from deliberant.util.errors import UserError
from deliberant.util.files import append_durably, explain_write_errors, json_line
from deliberant.util.mistakes import first_mistake
from deliberant.util.names import suggest_name

Decision = Literal["accept", "reject"]
COLUMNS = ("sample_id", "decision", "reviewer", "clause", "comment", "time", "blind", "policy", "sample")
NEEDED = COLUMNS[:2]
EACH_ROW = "each row needs sample_id and decision (accept or reject)"
LONGEST = 10_000
"""Letters of the longest comment."""


def _name(text: str) -> str:
    if not text.strip() or len(text) > 100 or not text.isprintable():
        raise ValueError("a reviewer's name is 1 to 100 printable letters; give such a name")
    return text.strip()


def _moment(text: str) -> datetime:
    """Without a zone it is UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text[:40]!r} is no ISO 8601 time; write it as 2026-11-25T09:30:00+00:00") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _time(text: str) -> str:
    _moment(text)
    return text


class Label(BaseModel):
    """One decision. `clause`: the clause that applies, where the reviewer named one (a correction, or a confirmation).

    `blind`: the judge's verdict was hidden until then; None where nobody recorded it. `sample`: fingerprint of its
    text.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    sample_id: str
    reviewer: Annotated[str, AfterValidator(_name)]
    decision: Decision
    clause: str | None = None
    comment: Annotated[str, StringConstraints(max_length=LONGEST)] = ""
    time: Annotated[str, AfterValidator(_time)]
    blind: bool | None = None
    policy: str
    sample: str

    @property
    def content(self) -> tuple[object, ...]:
        """What the label says, without when it was said."""
        return (self.decision, self.clause, self.comment, self.policy, self.sample)


def new_label(samples: Samples, entry: Entry, given: dict[str, Any], here: str) -> Label:
    """A label of a sample of this run, as it is now. UserError that starts with `here` and names the first mistake."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    row = {"time": now, "policy": samples.policy.hash, "sample": entry.hash, **given, "sample_id": entry.id}
    if (row["policy"], row["sample"]) != (samples.policy.hash, entry.hash):
        raise UserError(f"{here}: is about another text of '{entry.id}' than this run's; import it into that run")
    label, clauses = _label(row, here), samples.policy.clauses
    if label.clause is not None and label.clause not in clauses:
        raise UserError(f"{here}: clause '{label.clause}' is not in the policy; {suggest_name(label.clause, clauses)}")
    return label


class Labels:
    """The labels of a run: append-only, every append synced before it returns."""

    def __init__(self, samples: Samples) -> None:
        self.samples = samples
        self.path = samples.root / "review" / "labels.jsonl"

    def read(self) -> list[Label]:
        """Every label, in order; a row that a kill cut short was never acknowledged and does not count.

        UserError with file:line for anything else that is wrong.
        """
        if not self.path.exists():
            return []
        labels = []
        for number, data in lines(self.path):
            if data.endswith(b"\n"):
                here = f"{self.path}:{number}"
                labels.append(_label(json_object(data, here), here))
        return labels

    def append(self, labels: Sequence[Label]) -> None:
        """One write, one fsync. RunError on a full disk, which leaves what was there before."""
        if not labels:
            return
        with explain_write_errors(self.path, "the labels before are kept"):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(self.path.parent / ".lock"):  # several reviewers, each with a process, may write at once
                if self.path.exists() and not (stored := self.path.read_bytes()).endswith(b"\n"):
                    os.truncate(self.path, stored.rfind(b"\n") + 1)  # a row that a kill cut short
                append_durably(self.path, b"".join(json_line(label) for label in labels))

    def add(self, labels: Sequence[Label]) -> tuple[int, int]:
        """Append those that say something new, so a file can be imported twice; how many they and older ones are."""
        new, older = select_news(self.read(), labels)
        self.append(new)
        return len(new), older


class Account(NamedTuple):
    """What an import found. `unused`: columns that mean nothing here; `unnamed`: labels that named no reviewer."""

    labels: list[Label]
    unused: list[str]
    unnamed: int


def read_labels(file: Path, samples: Samples, reviewer: str) -> Account:
    """Labels from a CSV, TSV, JSONL or Parquet file with columns sample_id and decision, others of `COLUMNS` optional.

    `reviewer` stands in where the file names none. UserError with file and line for the first mistake, an unknown
    sample among them.
    """
    table = open_table(str(file))
    read, unused, unnamed = [], set(table.columns or ()) - set(COLUMNS), 0
    if table.columns is not None and (missing := [name for name in NEEDED if name not in table.columns]):
        raise UserError(f"{table.at}: has no column {missing[0]}; {EACH_ROW}")
    for at, values in table.records(COLUMNS):
        if not values:
            continue
        unused |= values.keys() - set(COLUMNS)
        given = {name: value for name in COLUMNS if (value := values.get(name)) not in (None, "")}
        for name in NEEDED:
            if name not in given:
                raise UserError(f"{at}: has no {name}; {EACH_ROW}")
        name = str(given.pop("sample_id"))
        if name not in samples.by_id:
            raise UserError(f"{at}: sample '{name}' is not in {samples.root}; take it out, or name its run")
        if isinstance(blind := given.get("blind"), str):
            words = {"true": True, "false": False}
            if blind.lower() not in words:
                raise UserError(f"{at}: blind: unknown value {blind!r}; known are: true, false")
            given["blind"] = words[blind.lower()]
        unnamed += "reviewer" not in given
        read.append(new_label(samples, samples.by_id[name], {"reviewer": reviewer, **given}, at))
    return Account(read, sorted(unused), unnamed)


def select_latest(labels: Iterable[Label]) -> dict[tuple[str, str], Label]:
    """(sample, reviewer) -> the label that counts: the last one."""
    return {(label.sample_id, label.reviewer): label for label in labels}


def select_current(labels: Iterable[Label], samples: Samples) -> tuple[dict[tuple[str, str], Label], int]:
    """The labels that count and speak of this run's texts, and how many speak of others and are left out."""
    last = select_latest(labels)
    kept = {
        key: label
        for key, label in last.items()
        if (entry := samples.by_id.get(label.sample_id))
        and (label.policy, label.sample) == (samples.policy.hash, entry.hash)
    }
    return kept, len(last) - len(kept)


def select_news(stored: Sequence[Label], labels: Iterable[Label]) -> tuple[list[Label], int]:
    """The labels that say something new, and how many are left out since the reviewer's stored one is newer.

    What stands among the stored ones, word for word, is not new, though a later one of the same second replaced it.
    """
    last, before, new, older = select_latest(stored), set(stored), [], 0
    for label in labels:
        key = (label.sample_id, label.reviewer)
        known = last.get(key)
        if known is not None and known.content != label.content and _moment(label.time) < _moment(known.time):
            older += 1
        elif known is None or (known.content != label.content and label not in before):
            last[key] = label
            new.append(label)
    return new, older


def check_reviewer(name: str) -> str:
    """The name, trimmed. UserError where it could not stand in a label."""
    try:
        return _name(name)
    except ValueError as error:
        raise UserError(f"--reviewer: {error}") from None


def _label(row: dict[str, Any], here: str) -> Label:
    try:
        return Label.model_validate(row)
    except ValidationError as error:
        raise UserError(f"{here}: {first_mistake(error, Label)[1]}") from error
