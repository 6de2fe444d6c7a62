"""Charts as inline SVG, by pure functions: numbers in, markup out. Colours and text sizes are the page's CSS classes.

Each arm has its own Okabe-Ito colour and its own marker shape, so that no chart is read by colour alone. All text that
comes from data is escaped here.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from deliberant.run.arms import ARMS

"""Marker shape per arm."""

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Point:
    """One arm in the two-sided plot: fractions with their 95% intervals, (low, high)."""

    arm: str
    x: float
    y: float
    x_interval: tuple[float, float]
    y_interval: tuple[float, float]


@dataclass(frozen=True)
class Series:
    """One line; `css` is the class that gives its colour."""

    name: str
    css: str
    points: Sequence[tuple[float, float]]


def css_class(arm: str) -> str:
    return "arm-" + arm.replace("+", "-")


def marker(arm: str, x: float, y: float, size: float = 6) -> Markup:
    """The arm's symbol, centred on (x, y)."""
    shape = ARMS[arm].marker if arm in ARMS else "circle"
    css = f"mark {css_class(arm)}"
    s = size
    if shape == "circle":
        return Markup('<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="{}"/>').format(css, x, y, s * 0.95)
    outlines: dict[str, list[tuple[float, float]]] = {
        "square": [(-1, -1), (1, -1), (1, 1), (-1, 1)],
        "up": [(0, -1.25), (1.15, 0.85), (-1.15, 0.85)],
        "down": [(0, 1.25), (1.15, -0.85), (-1.15, -0.85)],
        "diamond": [(0, -1.35), (1.35, 0), (0, 1.35), (-1.35, 0)],
        "cross": [
            *[(-1.1, -0.5), (-0.5, -1.1), (0.0, -0.6), (0.5, -1.1), (1.1, -0.5), (0.6, 0.0)],
            *[(1.1, 0.5), (0.5, 1.1), (0.0, 0.6), (-0.5, 1.1), (-1.1, 0.5), (-0.6, 0.0)],
        ],
    }
    corners = " ".join(f"{x + dx * s * 0.9:.1f},{y + dy * s * 0.9:.1f}" for dx, dy in outlines[shape])
    return Markup('<polygon class="{}" points="{}"/>').format(css, corners)


def two_sided(points: Sequence[Point], x_title: str, y_title: str, width: int = 520, height: int = 440) -> Markup:
    """Every arm at (harmless answered, harmful declined), both intervals drawn; up and to the right is better."""
    left, right, top, bottom = 58, 18, 16, 48
    x_low, x_step = _zoom([edge for point in points for edge in (point.x, *point.x_interval)])
    y_low, y_step = _zoom([edge for point in points for edge in (point.y, *point.y_interval)])

    def px(value: float) -> float:
        return left + (value - x_low) / (1 - x_low) * (width - left - right - 8)

    def py(value: float) -> float:
        return height - bottom - (value - y_low) / (1 - y_low) * (height - top - bottom - 8)

    parts = [_open(width, height, f"{y_title} against {x_title}, one point per arm")]
    for value in _ticks(x_low, x_step):
        parts.append(_line(px(value), top, px(value), height - bottom, "grid"))
        parts.append(_text(px(value), height - bottom + 16, f"{value:.0%}", "tick", "middle"))
    for value in _ticks(y_low, y_step):
        parts.append(_line(left, py(value), width - right, py(value), "grid"))
        parts.append(_text(left - 8, py(value) + 4, f"{value:.0%}", "tick", "end"))
    parts.append(_text((left + width - right) / 2, height - 8, f"{x_title} →", "axis", "middle"))
    middle = (top + height - bottom) / 2
    parts.append(
        Markup('<text class="axis" text-anchor="middle" transform="translate(14 {:.1f}) rotate(-90)">{}</text>').format(
            middle, f"{y_title} →"
        )
    )
    taken: list[Box] = [(px(p.x) - 8, py(p.y) - 8, px(p.x) + 8, py(p.y) + 8) for p in points]
    for point in points:
        x, y = px(point.x), py(point.y)
        css = f"bar {css_class(point.arm)}"
        parts.append(_line(px(point.x_interval[0]), y, px(point.x_interval[1]), y, css))
        parts.append(_line(x, py(point.y_interval[0]), x, py(point.y_interval[1]), css))
    for point in points:
        x, y = px(point.x), py(point.y)
        words = _words(point, x_title, y_title)
        parts.append(Markup("<g>{}<title>{}</title></g>").format(marker(point.arm, x, y), words))
        parts.append(_label(point.arm, x, y, taken, (left, top, width - right, height - bottom)))
    return Markup("").join([*parts, Markup("</svg>")])


def curves(series: Sequence[Series], x_title: str, y_title: str, width: int = 420, height: int = 220) -> Markup:
    """Lines over a common x axis: the values, faint, and their moving average (centred, over a tenth of them)."""
    left, right, top, bottom = 48, 12, 12, 38
    xs = [x for line in series for x, _ in line.points]
    ys = [y for line in series for _, y in line.points]
    x_least, x_most = min(xs), max(max(xs), min(xs) + 1)
    ticks = _nice(min(0.0, *ys), max(*ys, 1e-9))
    y_least, y_most = ticks[0], ticks[-1]

    def place(x: float, y: float) -> str:
        across = left + (x - x_least) / (x_most - x_least) * (width - left - right)
        return f"{across:.1f},{height - bottom - (y - y_least) / (y_most - y_least) * (height - top - bottom):.1f}"

    parts = [_open(width, height, f"{y_title} over {x_title}")]
    for tick in ticks:
        y = float(place(x_least, tick).split(",")[1])
        parts += [_line(left, y, width - right, y, "grid"), _text(left - 6, y + 4, f"{tick:g}", "tick", "end")]
    for x in (x_least, x_most):
        across = float(place(x, y_least).split(",")[0])
        parts.append(_text(across, height - bottom + 16, f"{x:g}", "tick", "middle" if x == x_least else "end"))
    parts.append(_text((left + width - right) / 2, height - 6, x_title, "axis", "middle"))
    for line in series:
        raw = " ".join(place(x, y) for x, y in line.points)
        smooth = " ".join(place(x, y) for x, y in _moving_average(line.points))
        parts.append(Markup('<polyline class="line raw {}" points="{}"/>').format(line.css, raw))
        bold = Markup('<polyline class="line {}" points="{}"><title>{}</title></polyline>')
        parts.append(bold.format(line.css, smooth, line.name))
    return Markup("").join([*parts, Markup("</svg>")])


def _moving_average(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    reach = len(points) // 20
    smooth = []
    for i, (x, _) in enumerate(points):
        half = min(reach, i, len(points) - 1 - i)  # centred to the very ends, so that it never lags
        window = [y for _, y in points[i - half : i + half + 1]]
        smooth.append((x, sum(window) / len(window)))
    return smooth


def _zoom(values: Sequence[float]) -> tuple[float, float]:
    """(lowest value shown, tick step) of an axis that ends at 1 and starts below the data."""
    lowest = min(values)
    for low, step in ((0.9, 0.02), (0.8, 0.05), (0.6, 0.1), (0.5, 0.1), (0.0, 0.2)):
        if lowest >= low + step / 4:
            return low, step
    return 0.0, 0.2


def _ticks(low: float, step: float) -> list[float]:
    return [low + i * step for i in range(round((1 - low) / step) + 1)]


def _nice(low: float, high: float) -> list[float]:
    """About five round ticks that enclose [low, high]."""
    raw = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 10) for i in range(first, last + 1)]


def _label(text: str, x: float, y: float, taken: list[Box], frame: Box) -> Markup:
    """The arm's name beside its point, where it covers nothing yet; a thin line leads to it when it stands apart."""
    wide, high = 7.2 * len(text) + 4, 15.0
    choices = [(x + 11, y - 4), (x - 11 - wide, y - 4), (x + 11, y + 15), (x - 11 - wide, y + 15)]
    for reach in (26, 44, 62, 80):
        choices += [(x - wide / 2, y + reach), (x - wide - reach, y + reach / 2), (x - wide - reach, y - reach / 2)]
        choices += [(x - wide / 2, y - reach), (x + reach, y + reach), (x + reach, y - reach)]
    boxes = [(left, base - high + 3, left + wide, base + 3) for left, base in choices]
    free = [box for box in boxes if _inside(box, frame) and not any(_overlap(box, other) for other in taken)]
    box = (free or [box for box in boxes if _inside(box, frame)] or boxes)[0]
    taken.append(box)
    name = _text(box[0] + 2, box[3] - 3, text, "label", "start")
    if box in boxes[:4]:
        return name
    end_x, end_y = min(max(x, box[0]), box[2]), min(max(y, box[1]), box[3])
    return Markup("").join([_line(x, y, end_x, end_y, "leader"), name])


def _inside(box: Box, frame: Box) -> bool:
    return box[0] >= frame[0] and box[1] >= frame[1] and box[2] <= frame[2] + 14 and box[3] <= frame[3]


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _words(point: Point, x_title: str, y_title: str) -> str:
    return (
        f"{point.arm}: {x_title} {point.x:.1%} [{point.x_interval[0]:.1%}, {point.x_interval[1]:.1%}], "
        f"{y_title} {point.y:.1%} [{point.y_interval[0]:.1%}, {point.y_interval[1]:.1%}]"
    )


def _open(width: int, height: int, label: str) -> Markup:
    return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">').format(width, height, label)


def _line(x1: float, y1: float, x2: float, y2: float, css: str) -> Markup:
    return Markup('<line class="{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>').format(css, x1, y1, x2, y2)


def _text(x: float, y: float, text: str, css: str, anchor: str) -> Markup:
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(
        css, x, y, anchor, escape(text)
    )
