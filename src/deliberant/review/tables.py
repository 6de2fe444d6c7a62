"""A calibration in the terminal: rich tables, imported when there is something to show."""

from collections.abc import Iterator
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
    built = Table(
        caption="percent [95% interval] n, coefficients from -1 to 1; the run: weighted by category, kept or rejected"
    )
    for title in ("of", "figure"):
        built.add_column(title)
    for title in ("labelled samples", "the run", "unscored"):
        built.add_column(title, justify="right", no_wrap=True)
    for name, figures in (
        ("judge", found.judge),
        ("filter", found.filter),
        ("reviewers", found.reviewers),
        ("clauses", found.clauses),
    ):
        for place, figure in enumerate(figures):
            built.add_row("" if place else name, *_cells(figure))
        built.add_section()
    yield built
    if found.depths:
        built = Table("lowest of", caption="the run: percent [95% interval] n of labelled samples")
        for figure in found.depths[0].figures:
            built.add_column(figure.name, justify="right", no_wrap=True)
        for depth in found.depths:
            built.add_row(f"{depth.k}", *(_rate(figure.run or figure.labelled) for figure in depth.figures))
        yield built


def hinted_table(found: Hinted) -> "Table":
    """What hints do, one column for each kind."""
    from rich.table import Table

    built = Table(
        "beside no hint",
        caption=f"{found.n} samples, {found.k} readings each; labelled samples: percent [95% interval] n",
    )
    for effect in found.effects:
        built.add_column(f"hint: {effect.hint}", justify="right", no_wrap=True)
    names = dict.fromkeys(figure.name for effect in found.effects for figure in effect.figures)
    for name in names:
        cells = [next((figure for figure in each.figures if figure.name == name), None) for each in found.effects]
        built.add_row(name, *("-" if cell is None else _rate(cell.labelled, cell.unscored) for cell in cells))
    more = [each.more_flips for each in found.effects]
    built.add_row("flips more than a second reading", *("-" if each is None else _rate(each) for each in more))
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


def _rate(each: Estimate, unscored: int = 0) -> str:
    left = f" ({unscored} unscored)" if unscored else ""
    return _shown(each, 100, 1) + left


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
