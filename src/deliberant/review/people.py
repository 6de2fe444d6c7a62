"""What people say of a run's samples, one word for each: the majority of its reviewers.

A tie is a conflict: counted and left out. So are labels of other texts than the run has.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from deliberant.policy import Policy
from deliberant.prompts import Prompt
from deliberant.review.labels import Label, select_current
from deliberant.review.samples import Entry, Samples
from deliberant.util.errors import UserError

Word = TypeVar("Word", bool, str)


@dataclass(frozen=True)
class Read:
    """One sample that somebody has read, and its prompt."""

    entry: Entry
    prompt: Prompt


@dataclass(frozen=True)
class Labelled(Read):
    """One sample on which people agree. `clause`: the one they say applies, None where they do not say or disagree.

    `weight`: how many samples of the run it stands for, which are those of its stratum over the labelled ones there.
    People read as many rejected samples as kept ones, or what they please; the run has them in other shares. The weight
    holds as far as the labelled samples of a stratum were drawn by chance.
    """

    people: bool
    clause: str | None
    weight: float


@dataclass(frozen=True)
class People:
    """`read`: every sample that counts; `labelled`: without those on which reviewers are divided.

    `labels` count, by (sample, reviewer); `stale`: labels of other texts.
    """

    read: list[Read]
    labelled: list[Labelled]
    labels: dict[tuple[str, str], Label]
    stale: int

    @property
    def families(self) -> dict[str, str]:
        """Sample -> family."""
        return {each.entry.id: each.prompt.family for each in self.read}

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
            "samples": len(self.read),
            "conflicting": len(self.read) - len(self.labelled),
            "clause_known": len(known),
            "clause_corrected": sum(each.clause not in each.entry.row["cited"] for each in known),
        }


def select_counting(samples: Samples, labels: Sequence[Label]) -> tuple[dict[tuple[str, str], Label], int]:
    """The labels that count, by (sample, reviewer), and how many are of other texts. UserError where none counts."""
    counted, stale = select_current(labels, samples)
    if not counted:
        other = f" ({stale} are of other texts)" if stale else ""
        raise UserError(
            f"{samples.root}: has no labels{other}; make some with `deliberant review {samples.root}`, or import a file"
        )
    return counted, stale


def gather_people(samples: Samples, labels: Sequence[Label]) -> People:
    """Each labelled sample with people's word on it. UserError where no label counts."""
    counted, stale = select_counting(samples, labels)
    by_sample: dict[str, list[Label]] = defaultdict(list)
    for (name, _), label in counted.items():
        by_sample[name].append(label)
    entries = [samples.by_id[name] for name in by_sample]
    prompts = samples.prompts(entries)
    accepts = {name: majority([label.decision == "accept" for label in mine]) for name, mine in by_sample.items()}
    agreed = Counter(entry.stratum for entry in entries if accepts[entry.id] is not None)
    strata = Counter(entry.stratum for entry in samples.entries)
    labelled = []
    for entry in entries:
        if (decision := accepts[entry.id]) is not None:
            meanings = (infer_clause(label, entry.row["cited"], samples.policy) for label in by_sample[entry.id])
            clause = majority([clause for clause in meanings if clause])
            weight = strata[entry.stratum] / agreed[entry.stratum]
            labelled.append(Labelled(entry, prompts[entry.prompt_id], decision, clause, weight))
    return People([Read(entry, prompts[entry.prompt_id]) for entry in entries], labelled, counted, stale)


def infer_clause(label: Label, cited: Sequence[str], policy: Policy) -> str | None:
    """The clause that a label says applies: the one it names, or, in an accepted sample, the only one cited.

    An accepted sample may cite a clause that does not exist; then the label names none.
    """
    if label.clause is not None:
        return label.clause
    names = set(cited)
    return names.pop() if label.decision == "accept" and len(names) == 1 and names <= policy.clauses.keys() else None


def majority(words: Sequence[Word]) -> Word | None:
    """What more than half of them say, None where there is no such word."""
    for word, n in Counter(words).most_common(1):
        return word if 2 * n > len(words) else None
    return None
