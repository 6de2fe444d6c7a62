"""Coverage as a heat map: inline SVG, one row per clause, one column per framing and source.

A cell says how many samples were kept of how many; its shade says the same again, and so does its title.
"""

from markupsafe import Markup

from deliberant.report.coverage import ClauseRow, Coverage, Tally, titles

CELL, HIGH, HEAD = 92, 26, 74
LABEL = 190


def heat_map(coverage: Coverage) -> Markup:
    """The whole map; its last column is all framings and sources together."""
    names = [*titles(coverage.columns), "all"]
    width, height = LABEL + CELL * len(names) + 40, HEAD + HIGH * len(coverage.rows) + 6
    label = "samples kept of samples drawn, one row per clause, one column per framing and source"
    parts = [
        Markup('<svg class="heat" viewBox="0 0 {} {}" width="{}" role="img" aria-label="{}">').format(
            width, height, width, label
        )
    ]
    for place, name in enumerate(names):
        x = LABEL + CELL * place + CELL / 2
        slanted = '<text class="tick" text-anchor="start" transform="translate({:.1f} {}) rotate(-25)">{}</text>'
        parts.append(Markup(slanted).format(x - 14, HEAD - 10, _short(name)))
    for index, row in enumerate(coverage.rows):
        y = HEAD + HIGH * index
        parts.append(_name(row, y))
        cells = [row.cells.get(column) for column in coverage.columns]
        for place, (name, tally) in enumerate(zip(names, [*cells, row.total], strict=True)):
            parts.append(_cell(f"{row.name}, {name}", tally or Tally(), LABEL + CELL * place, y))
    return Markup("").join([*parts, Markup("</svg>")])


def _name(row: ClauseRow, y: float) -> Markup:
    if row.style is None:
        text = Markup('<text class="tick" x="{}" y="{}" text-anchor="end">{}</text>')
        return text.format(LABEL - 10, y + HIGH / 2 + 4, row.name)
    text = Markup('<text class="tick" x="{}" y="{}" text-anchor="end">{} <tspan class="label">{}</tspan></text>')
    return text.format(LABEL - 10, y + HIGH / 2 + 4, row.style.replace("_", " "), row.name)


def _cell(where: str, tally: Tally, x: float, y: float) -> Markup:
    if not tally.samples:
        empty = Markup('<g><rect class="hole" x="{}" y="{}" width="{}" height="{}"/><title>{}: no samples</title></g>')
        return empty.format(x + 1, y + 1, CELL - 2, HIGH - 2, where)
    counts = tally.row()
    words = (
        f"{where}: {tally.kept} of {tally.samples} samples kept, from {tally.prompts} prompts; {counts['value']:.1%} "
        f"[{counts['low']:.1%}, {counts['high']:.1%}]"
    )
    return Markup(
        '<g><rect class="shade" fill-opacity="{:.2f}" x="{}" y="{}" width="{}" height="{}"/>'
        '<text class="tick" x="{}" y="{}" text-anchor="middle">{}/{}</text><title>{}</title></g>'
    ).format(
        0.08 + 0.52 * counts["value"],
        *(x + 1, y + 1, CELL - 2, HIGH - 2),
        *(x + CELL / 2, y + HIGH / 2 + 4, tally.kept, tally.samples, words),
    )


def _short(name: str) -> str:
    return name if len(name) <= 24 else name[:23] + "\N{HORIZONTAL ELLIPSIS}"
