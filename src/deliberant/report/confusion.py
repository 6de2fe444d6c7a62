"""How a model's category labels compare with those that were there: `deliberant prompts label --check`.

A prompt of several categories is right where the set is; precision and recall count each category by itself, "none"
among them. Unscored readings are in no rate, and shown beside it. Intervals resample families, as everywhere.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from deliberant.evals.statistics import Estimate, Tally, rate
from deliberant.judge.labelling import Checked
from deliberant.judge.labels import NONE
from deliberant.report.terminal import format_rate as in_words
from deliberant.report.terminal import text_table

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True)
class Confusion:
    """`matrix`: (labelled, read) -> prompts, both as `name` writes them; `categories`: id -> precision, recall.

    `accuracy` counts prompts with a label of the model's; `unscored` has the reasons of those without.
    """

    n: int
    unscored: dict[str, int]
    accuracy: Estimate
    categories: dict[str, dict[str, Estimate]]
    matrix: dict[tuple[str, str], int]

    def json(self) -> dict[str, Any]:
        """As a JSON object."""
        row = asdict(self)
        row["categories"] = [{"category": id, **rates} for id, rates in row["categories"].items()]
        row["matrix"] = [
            {"labelled": labelled, "read": read, "prompts": count} for (labelled, read), count in self.matrix.items()
        ]
        return row


def confusion(checked: Sequence[Checked], categories: Sequence[str]) -> Confusion:
    """The report over prompts that were labelled and read; `categories` are the policy's, in its order."""
    scored = [(each, each.label.categories) for each in checked if each.label.categories is not None]
    pairs = [(set(each.labelled) or {NONE}, set(read) or {NONE}) for each, read in scored]
    families = [each.family for each, _ in scored]

    def share(trials: Sequence[bool], hits: Sequence[bool]) -> Estimate:
        return rate([Tally(int(t and h), int(t)) for t, h in zip(trials, hits, strict=True)], families)

    def rates(id: str) -> dict[str, Estimate]:
        labelled, read = ([id in pair[side] for pair in pairs] for side in (0, 1))
        return {"precision": share(read, labelled), "recall": share(labelled, read)}

    met = {id for labelled, read in pairs for id in labelled | read}
    cells = Counter(
        (name(each.labelled), "unscored" if each.label.categories is None else name(each.label.categories))
        for each in checked
    )
    return Confusion(
        n=len(checked),
        unscored=dict(Counter(each.label.unscored or "" for each in checked if each.label.categories is None)),
        accuracy=share([True] * len(pairs), [labelled == read for labelled, read in pairs]),
        categories={id: rates(id) for id in (*categories, NONE) if id in met},
        matrix=dict(sorted(cells.items())),
    )


def name(categories: Sequence[str]) -> str:
    """The categories of one prompt as one word."""
    return " + ".join(categories) or NONE


def matrix_table(report: Confusion) -> "Table":
    """A rich table: a row for each labelled set, a column for each set that was read."""
    columns = sorted({read for _, read in report.matrix}, key=lambda read: (read == "unscored", read))
    lines = (
        [row, *(str(report.matrix.get((row, column), "-")) for column in columns)]
        for row in dict.fromkeys(labelled for labelled, _ in report.matrix)
    )
    return text_table(("labelled", *columns), lines, "prompts: labelled (rows) as the model reads them (columns)")


def rates_table(report: Confusion) -> "Table":
    """A rich table: precision and recall of each category, then the accuracy."""
    caption = f"percent [95% interval] n; unscored: {sum(report.unscored.values())} of {report.n}"
    if report.unscored:
        caption += f" ({', '.join(f'{why} {count}' for why, count in report.unscored.items())})"
    lines: list[list[str] | None] = [
        [id, *(in_words(asdict(rates[which])) for which in ("precision", "recall"))]
        for id, rates in report.categories.items()
    ]
    lines += [None, ["accuracy", "", in_words(asdict(report.accuracy))]]
    return text_table(("category", "precision", "recall"), lines, caption)
