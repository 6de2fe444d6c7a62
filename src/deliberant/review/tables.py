"""A calibration in the terminal: rich tables, imported when there is something to show."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from deliberant.evals import Estimate
from deliberant.report.terminal import format_rate, text_table
from deliberant.review.agreement import Figure
from deliberant.review.calibrate import Calibration
from deliberant.review.hinted import Hinted

if TYPE_CHECKING:
    from rich.table import Table

COEFFICIENTS = ("Cohen's kappa", "Krippendorff's alpha")


def calibration_tables(calibration: Calibration) -> "Iterator[Table]":
    """What the labels are, who decided what, the figures, and k."""
    decisions = ([people, *map(str, judge.values())] for people, judge in calibration.confusion.items())
    yield text_table(("people", "judge: accept", "judge: reject", "judge: unscored"), decisions)
    groups = {name: getattr(calibration, name) for name in ("judge", "filter", "reviewers", "clauses")}
    caption = "percent [95% interval] n, coefficients from -1 to 1; the run: weighted by category, kept or rejected"
    yield _figures("of", groups, caption)
    if calibration.depths:
        heads = ("lowest of", *(figure.name for figure in calibration.depths[0].figures))
        lines = (
            [f"{depth.k}", *(format_rate(vars(each.run or each.labelled)) for each in depth.figures)]
            for depth in calibration.depths
        )
        yield text_table(heads, lines, "the run: percent [95% interval] n of labelled samples")


def hinted_table(result: Hinted) -> "Table":
    """What hints do, one section for each kind."""
    notes = [f"{result.n} samples, {result.k} readings each, beside a first reading without a hint"]
    if result.restyled:
        notes.append(f"of {result.restyled} the wrong clause has a wrong style, too: no other one has the right style")
    if result.no_clauses:
        notes.append(f"no hints of clauses: {result.no_clauses}")
    groups = {effect.hint: list(effect.figures) for effect in result.effects}
    for effect in result.effects:
        if effect.more_flips:
            groups[effect.hint].append(Figure("flips more than a second reading", effect.more_flips, None, 0))
    return _figures("hint", groups, "\n".join(notes))


def _figures(what: str, groups: Mapping[str, Sequence[Figure]], caption: str) -> "Table":
    """One section for each group, one row for each figure."""
    lines: list[list[str] | None] = []
    for name, figures in groups.items():
        for place, figure in enumerate(figures):
            run = "-" if figure.run is None else _in_words(figure.name, figure.run)
            words = (figure.name, _in_words(figure.name, figure.labelled), run, str(figure.unscored))
            lines.append(["" if place else name, *words])
        lines.append(None)
    return text_table((what, "figure", "labelled samples", "the run", "unscored"), lines, caption, left=2)


def _in_words(name: str, estimate: Estimate) -> str:
    return format_rate(vars(estimate), *((1, 2) if name.startswith(COEFFICIENTS) else (100, 1)))


def count_lines(counts: dict[str, int]) -> Iterator[str]:
    """On what the figures stand, and what was left out."""
    yield (
        f"{counts['labels']} labels of {counts['reviewers']} reviewers on {counts['samples']} samples; "
        f"the judge read {counts['judged']} of them "
        f"({counts['readings']} readings, {counts['readings_unscored']} unscored)"
    )
    left = {
        "conflicting": "samples left out: reviewers are divided",
        "labels_of_other_texts": "labels left out: of other texts than this run's",
        "not_judged": "samples rejected before the judge; they count for the filter only",
        "labels_not_blind": "labels made with the verdict in view",
        "clause_corrected": f"of {counts['clause_known']} known clauses are not cited by their sample",
        "strata_without_label": (
            f"of {counts['strata']} strata have no label ({counts['samples_in_strata_without_label']} samples): "
            "figures of the run do not speak of them"
        ),
    }
    yield from (f"{counts[name]} {what}" for name, what in left.items() if counts[name])
