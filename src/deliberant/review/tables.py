"""A calibration in the terminal: rich tables, imported when there is something to show."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from deliberant.evals import Estimate
from deliberant.review.agreement import Figure
from deliberant.review.calibrate import Calibration
from deliberant.review.hinted import Hinted

if TYPE_CHECKING:
    from rich.table import Table

COEFFICIENTS = ("Cohen's kappa", "Krippendorff's alpha")


def calibration_tables(found: Calibration) -> "Iterator[Table]":
    """What the labels are, who decided what, the figures, and k."""
    from rich.table import Table

    built = Table("people", *(f"judge: {name}" for name in ("accept", "reject", "unscored")))
    for people, judge in found.confusion.items():
        built.add_row(people, *map(str, judge.values()))
    yield built
    yield _figures(
        "of",
        {"judge": found.judge, "filter": found.filter, "reviewers": found.reviewers, "clauses": found.clauses},
        ["percent [95% interval] n, coefficients from -1 to 1; the run: weighted by category, kept or rejected"],
    )
    if found.depths:
        built = Table("lowest of", caption="the run: percent [95% interval] n of labelled samples")
        for figure in found.depths[0].figures:
            built.add_column(figure.name, justify="right", no_wrap=True)
        for depth in found.depths:
            built.add_row(f"{depth.k}", *(_rate(figure.run or figure.labelled) for figure in depth.figures))
        yield built


def hinted_table(found: Hinted) -> "Table":
    """What hints do, one section for each kind."""
    notes = [f"{found.n} samples, {found.k} readings each, beside a first reading without a hint"]
    if found.restyled:
        notes.append(f"of {found.restyled} the wrong clause has a wrong style, too: no other one has the right style")
    if found.no_clauses:
        notes.append(f"no hints of clauses: {found.no_clauses}")
    return _figures("hint", {each.hint: [*each.figures, *each.beyond_chance] for each in found.effects}, notes)


def _figures(what: str, groups: Mapping[str, Sequence[Figure]], notes: Sequence[str]) -> "Table":
    """One section for each group, one row for each figure."""
    from rich.table import Table

    built = Table(caption="\n".join(notes))
    for title in (what, "figure"):
        built.add_column(title)
    for title in ("labelled samples", "the run", "unscored"):
        built.add_column(title, justify="right", no_wrap=True)
    for name, figures in groups.items():
        for place, figure in enumerate(figures):
            built.add_row("" if place else name, *_cells(figure))
        built.add_section()
    return built


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


def _cells(figure: Figure) -> tuple[str, str, str, str]:
    shown = _plain if figure.name.startswith(COEFFICIENTS) else _rate
    run = "-" if figure.run is None else shown(figure.run)
    return figure.name, shown(figure.labelled), run, str(figure.unscored)


def _rate(each: Estimate) -> str:
    return _shown(each, 100, 1)


def _plain(each: Estimate) -> str:
    return _shown(each, 1, 2)


def _shown(each: Estimate, scale: int, digits: int) -> str:
    if each.value is None:
        return f"- n={each.n}"
    interval = (
        "(no interval)"
        if each.low is None or each.high is None
        else f"[{scale * each.low:.{digits}f}, {scale * each.high:.{digits}f}]"
    )
    return f"{scale * each.value:.{digits}f} {interval} n={each.n}"
