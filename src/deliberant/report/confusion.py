"""How a model's category labels compare with those that were there: `deliberant prompts label --check`.

A prompt of several categories is right where the set is; precision and recall count each category by itself, "none"
among them. Unscored readings are in no rate, and shown beside it. Intervals resample families, as everywhere.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from deliberant.evals.statistics import Estimate, Tally, rate
from deliberant.judge.labelling import Checked
from deliberant.judge.labels import NONE

if TYPE_CHECKING:
    from rich.table import Table

Estimates = dict[str, Estimate]


@dataclass(frozen=True)
class Confusion:
    """`matrix`: (labelled, read) -> prompts, both as `name` writes them; `categories`: id -> precision, recall.

    `accuracy` counts prompts with a label of the model's; `unscored` has the reasons of those without.
    """

    n: int
    unscored: dict[str, int]
    accuracy: Estimate
    categories: dict[str, Estimates]
    matrix: dict[tuple[str, str], int]

    def json(self) -> dict[str, Any]:
        """As a JSON object."""
        rates = [
            {"category": id, **{which: asdict(estimate) for which, estimate in each.items()}}
            for id, each in self.categories.items()
        ]
        matrix = [{"labelled": one, "read": other, "prompts": count} for (one, other), count in self.matrix.items()]
        return {
            "n": self.n,
            "unscored": self.unscored,
            "accuracy": asdict(self.accuracy),
            "categories": rates,
            "matrix": matrix,
        }


def confusion(checked: Sequence[Checked], categories: Sequence[str]) -> Confusion:
    """The report over prompts that were labelled and read; `categories` are the policy's, in its order."""
    scored = [(each, each.label.categories) for each in checked if each.label.categories is not None]
    pairs = [(set(each.labelled) or {NONE}, set(read) or {NONE}) for each, read in scored]
    families = [each.family for each, _ in scored]

    def share(hits: Callable[[set[str], set[str]], bool], trials: Callable[[set[str], set[str]], bool]) -> Estimate:
        return rate([Tally(int(hits(*pair)), 1) if trials(*pair) else Tally(0, 0) for pair in pairs], families)

    met = {id for pair in pairs for id in pair[0] | pair[1]}
    rates = {
        id: {
            "precision": share(lambda labelled, read, id=id: id in labelled, lambda _, read, id=id: id in read),  # type: ignore[misc]
            "recall": share(lambda labelled, read, id=id: id in read, lambda labelled, _, id=id: id in labelled),  # type: ignore[misc]
        }
        for id in (*categories, NONE)
        if id in met
    }
    cells = Counter(
        (name(each.labelled), "unscored" if each.label.categories is None else name(each.label.categories))
        for each in checked
    )
    return Confusion(
        n=len(checked),
        unscored=dict(Counter(each.label.unscored or "" for each in checked if each.label.categories is None)),
        accuracy=share(lambda labelled, read: labelled == read, lambda labelled, read: True),
        categories=rates,
        matrix=dict(sorted(cells.items())),
    )


def name(categories: Sequence[str]) -> str:
    """The categories of one prompt as one word."""
    return " + ".join(categories) or NONE


def matrix_table(found: Confusion) -> "Table":
    """A rich table: a row for each labelled set, a column for each set that was read."""
    from rich.table import Table
    from rich.text import Text

    columns = sorted({read for _, read in found.matrix}, key=lambda read: (read == "unscored", read))
    built = Table(caption="prompts: labelled (rows) as the model reads them (columns)")
    for title in ("labelled", *columns):
        built.add_column(Text(title), justify="left" if title == "labelled" else "right")
    for row in dict.fromkeys(labelled for labelled, _ in found.matrix):
        built.add_row(Text(row), *(str(found.matrix.get((row, column), "-")) for column in columns))
    return built


def rates_table(found: Confusion) -> "Table":
    """A rich table: precision and recall of each category, then the accuracy."""
    from rich.table import Table
    from rich.text import Text

    from deliberant.report.terminal import rate as words

    unscored = ", ".join(f"{why} {count}" for why, count in found.unscored.items())
    built = Table(
        caption=f"percent [95% interval] n; unscored: {sum(found.unscored.values())} of {found.n}"
        + (f" ({unscored})" if unscored else "")
    )
    for title in ("category", "precision", "recall"):
        built.add_column(title, justify="left" if title == "category" else "right")
    for id, each in found.categories.items():
        built.add_row(Text(id), *(Text(words(asdict(each[which]))) for which in ("precision", "recall")))
    built.add_section()
    built.add_row("accuracy", "", Text(words(asdict(found.accuracy))))
    return built
