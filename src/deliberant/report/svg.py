"""Pieces of inline SVG: numbers in, markup out. Colours and sizes of text are the page's CSS classes.

Each arm has its own Okabe-Ito colour and its own marker shape, so that no chart is read by colour alone. All text that
comes from data is escaped here.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup, escape

from deliberant.run.arms import ARMS


@dataclass(frozen=True)
class Look:
    """How one arm or model is drawn: `css` is the class that gives its colour, `shape` that of its marker."""

    css: str
    shape: str


def css_class(arm: str) -> str:
    return "arm-" + arm.replace("+", "-")


def assign_looks(names: Iterable[str]) -> dict[str, Look]:
    """The look of all in one chart: an arm has its own, other models those of arms that are not there, in turn."""
    shown = list(dict.fromkeys(names))
    free = [arm for arm in ARMS if arm not in shown] or list(ARMS)
    others = iter(free * len(shown))
    stands_for = {name: name if name in ARMS else next(others) for name in shown}
    return {name: Look(css_class(arm), ARMS[arm].marker) for name, arm in stands_for.items()}


def marker(look: Look, x: float, y: float, size: float = 6, kind: str = "mark") -> Markup:
    """A symbol, centred on (x, y)."""
    css = f"{kind} {look.css}"
    s = size
    if look.shape == "circle":
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
    corners = " ".join(f"{x + dx * s * 0.9:.1f},{y + dy * s * 0.9:.1f}" for dx, dy in outlines[look.shape])
    return Markup('<polygon class="{}" points="{}"/>').format(css, corners)


def open_svg(width: int, height: int, label: str) -> Markup:
    return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">').format(width, height, label)


def line(x1: float, y1: float, x2: float, y2: float, css: str) -> Markup:
    return Markup('<line class="{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>').format(css, x1, y1, x2, y2)


def text(x: float, y: float, text: str, css: str, anchor: str) -> Markup:
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(
        css, x, y, anchor, escape(text)
    )
