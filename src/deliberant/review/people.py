"""What people say of a run's samples, one word for each: the majority of its reviewers.

A tie is a conflict: counted and left out. So are labels of other texts than the run has.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from deliberant.errors import UserError
from deliberant.files import Row
from deliberant.judge import Verdict
from deliberant.prompts import Prompt
from deliberant.review.labels import Label, current
from deliberant.review.samples import Entry, Samples

Word = TypeVar("Word", bool, str)


@dataclass(frozen=True)
class Labelled:
    """One sample on which people agree. `clause`: the one they say applies, None where they do not say or disagree."""

    entry: Entry
    row: Row
    prompt: Prompt
    people: bool
    clause: str | None

    @property
    def readings(self) -> list[Verdict]:
        """The judge's, as the filter left them."""
        return [Verdict(**verdict) for verdict in self.row["verdicts"]]


@dataclass(frozen=True)
class People:
    """`labels` count by (sample, reviewer); `families`: of all labelled samples; `stale`: labels of other texts."""

    labelled: list[Labelled]
    labels: dict[tuple[str, str], Label]
    families: dict[str, str]
    stale: int

    @property
    def reviewers(self) -> list[str]:
        """By name."""
        return sorted({reviewer for _, reviewer in self.labels})

    @property
    def decisions(self) -> dict[tuple[str, str], bool]:
        """(sample, reviewer) -> whether they accept it."""
        return {key: label.decision == "accept" for key, label in self.labels.items()}

    @property
    def counts(self) -> dict[str, int]:
        """What there was to go by. `clause_corrected`: people's clause is not one that the sample cites."""
        known = [each for each in self.labelled if each.clause is not None]
        return {
            "labels": len(self.labels),
            "labels_of_other_texts": self.stale,
            "labels_not_blind": sum(label.blind is False for label in self.labels.values()),
            "reviewers": len(self.reviewers),
            "samples": len(self.families),
            "conflicting": len(self.families) - len(self.labelled),
            "clause_known": len(known),
            "clause_corrected": sum(each.clause not in each.row["cited"] for each in known),
        }


def people_of(samples: Samples, labels: Sequence[Label]) -> People:
    """Each labelled sample with people's word on it. UserError where no label speaks of this run's samples."""
    counted, stale = current(labels, samples)
    if not counted:
        other = f" ({stale} are of other texts)" if stale else ""
        raise UserError(
            f"{samples.root}: has no labels{other}; run `deliberant review {samples.root}`, or give --labels FILE"
        )
    by_sample: dict[str, list[Label]] = defaultdict(list)
    for (name, _), label in counted.items():
        by_sample[name].append(label)
    entries = [samples.by_id[name] for name in by_sample]
    prompts = samples.prompts(entries)
    labelled = []
    for entry in entries:
        mine, row = by_sample[entry.id], samples.row(entry)
        accepts = majority([label.decision == "accept" for label in mine])
        if accepts is not None:
            named = [clause for label in mine if (clause := meant(label, row["cited"])) is not None]
            labelled.append(Labelled(entry, row, prompts[entry.prompt_id], accepts, majority(named)))
    return People(labelled, counted, {entry.id: prompts[entry.prompt_id].family for entry in entries}, stale)


def meant(label: Label, cited: Sequence[str]) -> str | None:
    """The clause that a label says applies: the one it names, or, in an accepted sample, the only one cited."""
    if label.clause is not None:
        return label.clause
    names = set(cited)
    return names.pop() if label.decision == "accept" and len(names) == 1 else None


def majority(words: Sequence[Word]) -> Word | None:
    """What more than half of them say, None where there is no such word."""
    for word, n in Counter(words).most_common(1):
        return word if 2 * n > len(words) else None
    return None
