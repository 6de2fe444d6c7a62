"""The two-sided plot as inline SVG: what a model declines of harm against what it answers of the harmless."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from deliberant.report.published import Reference
from deliberant.report.svg import assign_looks, line, marker, open_svg, text

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Point:
    """One arm in the two-sided plot: fractions with their 95% intervals, (low, high)."""

    arm: str
    x: float
    y: float
    x_interval: tuple[float, float]
    y_interval: tuple[float, float]


def draw_two_sided(
    points: Sequence[Point],
    x_title: str,
    y_title: str,
    references: Sequence[Reference] = (),
    width: int = 520,
    height: int = 440,
) -> Markup:
    """Every arm or model at (harmless answered, harmful declined), both intervals drawn; up and right is better.

    A faint line joins those of the Pareto front, better than which none is on both sides. `references` are drawn
    hollow, as they were measured otherwise; they are on no front.
    """
    left, right, top, bottom = 58, 18, 16, 48
    look = assign_looks(point.arm for point in points)
    x_low, x_step = _zoom([*(min(p.x, *p.x_interval) for p in points), *(r.x for r in references)])
    y_low, y_step = _zoom([*(min(p.y, *p.y_interval) for p in points), *(r.y for r in references)])

    def px(value: float) -> float:
        return left + (value - x_low) / (1 - x_low) * (width - left - right - 8)

    def py(value: float) -> float:
        return height - bottom - (value - y_low) / (1 - y_low) * (height - top - bottom - 8)

    parts = [open_svg(width, height, f"{y_title} against {x_title}, one point per arm")]
    for value in _ticks(x_low, x_step):
        parts.append(line(px(value), top, px(value), height - bottom, "grid"))
        parts.append(text(px(value), height - bottom + 16, f"{value:.0%}", "tick", "middle"))
    for value in _ticks(y_low, y_step):
        parts.append(line(left, py(value), width - right, py(value), "grid"))
        parts.append(text(left - 8, py(value) + 4, f"{value:.0%}", "tick", "end"))
    parts.append(text((left + width - right) / 2, height - 8, f"{x_title} →", "axis", "middle"))
    upright = Markup('<text class="axis" text-anchor="middle" transform="translate(14 {:.1f}) rotate(-90)">{}</text>')
    parts.append(upright.format((top + height - bottom) / 2, f"{y_title} →"))
    places = [(px(x), py(y)) for x, y in [*((p.x, p.y) for p in points), *((r.x, r.y) for r in references)]]
    taken: list[Box] = [(x - 8, y - 8, x + 8, y + 8) for x, y in places]
    frame = (left, top, width - right, height - bottom)
    if len(best := list(front(points))) > 1:
        corners = " ".join(f"{px(each.x):.1f},{py(each.y):.1f}" for each in best)
        joined = Markup('<polyline class="front" points="{}"><title>Pareto front</title></polyline>')
        parts.append(joined.format(corners))
    for point in points:
        x, y = px(point.x), py(point.y)
        css = f"bar {look[point.arm].css}"
        parts.append(line(px(point.x_interval[0]), y, px(point.x_interval[1]), y, css))
        parts.append(line(x, py(point.y_interval[0]), x, py(point.y_interval[1]), css))
    for each in references:
        x, y = px(each.x), py(each.y)
        words = (
            f"{each.model}, published: {x_title} {each.x:.1%}, {y_title} {each.y:.1%}; not comparable: {each.setting}; "
            f"{each.source}"
        )
        symbol = Markup('<circle class="hollow" cx="{:.1f}" cy="{:.1f}" r="5.5"/>').format(x, y)
        parts.append(Markup("<g>{}<title>{}</title></g>").format(symbol, words))
        parts.append(_label(each.model, x, y, taken, frame, "label published"))
    for point in points:
        x, y = px(point.x), py(point.y)
        words = (
            f"{point.arm}: {x_title} {point.x:.1%} [{point.x_interval[0]:.1%}, {point.x_interval[1]:.1%}], "
            f"{y_title} {point.y:.1%} [{point.y_interval[0]:.1%}, {point.y_interval[1]:.1%}]"
        )
        parts.append(Markup("<g>{}<title>{}</title></g>").format(marker(look[point.arm], x, y), words))
        parts.append(_label(point.arm, x, y, taken, frame))
    return Markup("").join([*parts, Markup("</svg>")])


def draw_sides(
    cell: Mapping[tuple[str, str, str], Mapping[str, Any]],
    arms: Iterable[str],
    across: tuple[str, str],
    up: tuple[str, str],
    titles: Sequence[str],
    known: Sequence[Reference] = (),
) -> Markup | None:
    """The plot of all arms that have both rates, `across` and `up`, each a suite and a metric; None where none has."""
    points = []
    for arm in arms:
        x, y = cell.get((arm, *across)), cell.get((arm, *up))
        if x and y and x["n"] and y["n"]:
            points.append(Point(arm, x["value"], y["value"], (x["low"], x["high"]), (y["low"], y["high"])))
    return draw_two_sided(points, titles[0], titles[1], known) if points else None


def front(points: Sequence[Point]) -> Iterator[Point]:
    """The points that no other is as good as on both sides and better on one, from right to left."""
    height = -1.0
    for point in sorted(points, key=lambda each: (-each.x, -each.y)):
        if point.y > height:
            height = point.y
            yield point


def _zoom(values: Sequence[float]) -> tuple[float, float]:
    """(lowest value shown, tick step) of an axis that ends at 1 and starts below the data."""
    lowest = min(values)
    for low, step in ((0.9, 0.02), (0.8, 0.05), (0.6, 0.1), (0.5, 0.1), (0.0, 0.2)):
        if lowest >= low + step / 4:
            return low, step
    return 0.0, 0.2


def _ticks(low: float, step: float) -> list[float]:
    return [low + i * step for i in range(round((1 - low) / step) + 1)]


def _label(name: str, x: float, y: float, taken: list[Box], frame: Box, css: str = "label") -> Markup:
    """The arm's name beside its point, where it covers nothing yet; a thin line leads to it when it stands apart."""
    wide, high = 7.8 * len(name) + 4, 15.0
    choices = [(x + 11, y - 4), (x - 11 - wide, y - 4), (x + 11, y + 15), (x - 11 - wide, y + 15)]
    for reach in (26, 44, 62, 80):
        choices += [(x - wide / 2, y + reach), (x - wide - reach, y + reach / 2), (x - wide - reach, y - reach / 2)]
        choices += [(x - wide / 2, y - reach), (x + reach, y + reach), (x + reach, y - reach)]
    boxes = [(left, base - high + 3, left + wide, base + 3) for left, base in choices]
    free = [box for box in boxes if _inside(box, frame) and not any(_overlap(box, other) for other in taken)]
    box = (free or [box for box in boxes if _inside(box, frame)] or boxes)[0]
    taken.append(box)
    shown = text(box[0] + 2, box[3] - 3, name, css, "start")
    if box in boxes[:4]:
        return shown
    end_x, end_y = min(max(x, box[0]), box[2]), min(max(y, box[1]), box[3])
    return Markup("").join([line(x, y, end_x, end_y, "leader"), shown])


def _inside(box: Box, frame: Box) -> bool:
    return box[0] >= frame[0] and box[1] >= frame[1] and box[2] <= frame[2] + 14 and box[3] <= frame[3]


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
