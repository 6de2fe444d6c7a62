"""One reviewer at work: which samples, where they stand, what they decide. Knows no HTTP.

A blind session shows nothing of the judge, not even kept or rejected, before this reviewer has decided: a verdict
that is seen first pulls the decision towards it. Each label records whether it was made blind.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Lock
from urllib.parse import urlencode

from deliberant.review.labels import Label, Labels, check_reviewer, new_label, select_current
from deliberant.review.samples import Entry, Samples
from deliberant.util.errors import UserError

SHOWN = ("undecided", "all", "accepted", "rejected")


@dataclass(frozen=True)
class View:
    """Where the page is: `at` counts from 0 in the session's order; `fate` is kept, rejected or "" for both."""

    at: int = 0
    category: str = ""
    fate: str = ""
    show: str = "undecided"

    @property
    def query(self) -> str:
        """The view as the page's URL carries it."""
        return urlencode(vars(self))


class Session:
    """The samples that one reviewer reads, in order, and their labels, which are on disk before `decide` returns."""

    def __init__(
        self, samples: Samples, labels: Labels, entries: Sequence[Entry], reviewer: str, blind: bool = True
    ) -> None:
        """UserError where the reviewer's name is none."""
        self.samples = samples
        self.labels = labels
        self.entries = list(entries)
        self.reviewer = check_reviewer(reviewer)
        self.blind = blind
        self.prompts = samples.prompts(self.entries)
        self.by_id = {entry.id: entry for entry in self.entries}
        self.decided: dict[str, Label] = {
            name: label
            for (name, who), label in select_current(labels.read(), samples)[0].items()
            if who == self.reviewer
        }
        self._lock = Lock()

    @property
    def reviewed(self) -> int:
        """How many of this session's samples have a label of this reviewer."""
        return sum(entry.id in self.decided for entry in self.entries)

    @property
    def areas(self) -> list[str]:
        """The categories there are, one sample's several as one."""
        return sorted({entry.area for entry in self.entries})

    def view(self, query: Mapping[str, str]) -> View:
        """The view that a URL asks for; what it asks for in vain is left out."""
        category, fate, show = (query.get(name, "") for name in ("category", "fate", "show"))
        view = View(
            next((place for place in range(len(self.entries)) if str(place) == query.get("at")), -1),
            category if category in self.areas else "",
            fate if fate in ("kept", "rejected") else "",
            show if show in SHOWN else SHOWN[0],
        )
        return view if view.at >= 0 else replace(view, at=self.next(view) or 0)

    def open(self, entry: Entry) -> bool:
        """Whether the judge's word on a sample may be seen."""
        return not self.blind or entry.id in self.decided

    def next(self, view: View, step: int = 1) -> int | None:
        """The next sample of the view, None behind the last; `step` -1 goes back, past decided ones, too."""
        places = range(view.at + 1, len(self.entries)) if step > 0 else range(view.at - 1, -1, -1)
        return next((place for place in places if self.fits(self.entries[place], view, step < 0)), None)

    def left(self, view: View) -> int | None:
        """Where to go after a decision: the next sample of the view, from the start again behind the last."""
        place = self.next(view)
        return place if place is not None else self.next(replace(view, at=-1))

    def fits(self, entry: Entry, view: View, back: bool = False) -> bool:
        """Whether a sample belongs to the view; going `back`, decided ones belong to the undecided, too."""
        label = self.decided.get(entry.id)
        if view.category and entry.area != view.category:
            return False
        if view.fate and not (self.open(entry) and entry.fate == view.fate):
            return False
        if view.show == "undecided":
            return back or label is None
        return view.show == "all" or (label is not None and f"{label.decision}ed" == view.show)

    def decide(self, form: Mapping[str, str]) -> Label:
        """Store the decision of a submitted form. UserError for a form that is not ours, RunError on a full disk."""
        with self._lock:
            entry = self.by_id.get(form.get("sample_id", ""))
            if entry is None:
                raise UserError("the form names no sample of this session; go back and reload the page")
            given = {
                "reviewer": self.reviewer,
                "decision": form.get("decision", ""),
                "clause": form.get("clause") or None,
                "comment": form.get("comment", "").replace("\r\n", "\n").strip(),
                "blind": not self.open(entry),
            }
            label = new_label(self.samples, entry, given, "the form")
            self.labels.append([label])
            self.decided[entry.id] = label
            return label
