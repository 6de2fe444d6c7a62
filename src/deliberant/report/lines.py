"""Charts of lines over a common axis: training curves, and rates with their intervals over budgets or draws."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from deliberant.report.svg import Look, line, marker, open_svg, text


@dataclass(frozen=True)
class Series:
    """One line; `css` is the class that gives its colour."""

    name: str
    css: str
    points: Sequence[tuple[float, float]]


def draw_curves(series: Sequence[Series], x_title: str, y_title: str, width: int = 420, height: int = 220) -> Markup:
    """Lines over a common x axis: the values, faint, and their moving average (centred, over a tenth of them)."""
    left, right, top, bottom = 48, 12, 12, 38
    xs = [x for each in series for x, _ in each.points]
    ys = [y for each in series for _, y in each.points]
    x_least, x_most = min(xs), max(max(xs), min(xs) + 1)
    ticks = _nice(min(0.0, *ys), max(*ys, 1e-9))
    y_least, y_most = ticks[0], ticks[-1]

    def place(x: float, y: float) -> str:
        across = left + (x - x_least) / (x_most - x_least) * (width - left - right)
        return f"{across:.1f},{height - bottom - (y - y_least) / (y_most - y_least) * (height - top - bottom):.1f}"

    parts = [open_svg(width, height, f"{y_title} over {x_title}")]
    for tick in ticks:
        y = float(place(x_least, tick).split(",")[1])
        parts += [line(left, y, width - right, y, "grid"), text(left - 6, y + 4, f"{tick:g}", "tick", "end")]
    for x in (x_least, x_most):
        across = float(place(x, y_least).split(",")[0])
        parts.append(text(across, height - bottom + 16, f"{x:g}", "tick", "middle" if x == x_least else "end"))
    parts.append(text((left + width - right) / 2, height - 6, x_title, "axis", "middle"))
    for each in series:
        raw = " ".join(place(x, y) for x, y in each.points)
        smooth = " ".join(place(x, y) for x, y in _moving_average(each.points))
        parts.append(Markup('<polyline class="line raw {}" points="{}"/>').format(each.css, raw))
        bold = Markup('<polyline class="line {}" points="{}"><title>{}</title></polyline>')
        parts.append(bold.format(each.css, smooth, each.name))
    return Markup("").join([*parts, Markup("</svg>")])


def draw_rates(
    lines: Sequence[tuple[str, Look, Sequence[tuple[str, Mapping[str, Any]]]]],
    x_title: str,
    y_title: str,
    width: int = 420,
    height: int = 240,
) -> Markup:
    """A rate of each arm at steps that need not be even (budgets, numbers of draws), each with its 95% interval.

    `lines`: (name, look, [(step, result row), ...]); rows of nothing to count are left out. From 0 to 100%.
    """
    left, right, top, bottom = 48, 14, 12, 40
    steps = list(dict.fromkeys(step for _, _, points in lines for step, _ in points))
    parts = [open_svg(width, height, f"{y_title} over {x_title}")]

    def px(step: str) -> float:
        return left + (steps.index(step) + 0.5) / len(steps) * (width - left - right)

    def py(value: float) -> float:
        return height - bottom - value * (height - top - bottom)

    for tick in (0, 0.25, 0.5, 0.75, 1):
        parts += [line(left, py(tick), width - right, py(tick), "grid")]
        parts += [text(left - 6, py(tick) + 4, f"{tick:.0%}", "tick", "end")]
    parts += [text(px(step), height - bottom + 16, step, "tick", "middle") for step in steps]
    parts.append(text((left + width - right) / 2, height - 6, x_title, "axis", "middle"))
    for place, (name, look, points) in enumerate(lines):
        aside = 3.0 * (place - (len(lines) - 1) / 2)  # so that intervals of several arms at one step can be told apart
        shown = [(px(step) + aside, step, row) for step, row in points if row["value"] is not None]
        path = " ".join(f"{x:.1f},{py(row['value']):.1f}" for x, _, row in shown)
        parts.append(Markup('<polyline class="line {}" points="{}"/>').format(look.css, path))
        for x, step, row in shown:
            parts.append(line(x, py(row["low"]), x, py(row["high"]), f"bar {look.css}"))
            words = f"{name}, {x_title} {step}: {row['value']:.1%} [{row['low']:.1%}, {row['high']:.1%}] n={row['n']}"
            point = marker(look, x, py(row["value"]), 4.5)
            parts.append(Markup("<g>{}<title>{}</title></g>").format(point, words))
    return Markup("").join([*parts, Markup("</svg>")])


def _moving_average(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    reach = len(points) // 20
    smooth = []
    for i, (x, _) in enumerate(points):
        half = min(reach, i, len(points) - 1 - i)  # centred to the very ends, so that it never lags
        window = [y for _, y in points[i - half : i + half + 1]]
        smooth.append((x, sum(window) / len(window)))
    return smooth


def _nice(low: float, high: float) -> list[float]:
    """About five round ticks that enclose [low, high]."""
    raw = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 10) for i in range(first, last + 1)]
