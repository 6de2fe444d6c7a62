"""What the parts of an outline are: the rules of a layout, a data file, and what a user says besides.

The first rule that fits a part decides its role. Its keys: `kind`; `section` and `code`, what the words of its title
say; `label`: they name a response style, or lines `Output: ...` below a grade do; `title`, a pattern; `level` of a
heading; `under`: the role of the nearest part above that has one of weight; `holds`: what stands somewhere below it;
`own: text`: prose directly below; `numbered`, `bold`. Below a part that is kept as it stands no rule is asked.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from deliberant.policy.outline import Outline, Part
from deliberant.policy.words import styles_in
from deliberant.prompts.types import STYLES, Style
from deliberant.util.errors import UserError
from deliberant.util.names import nearest

FOLDER = Path(__file__).parents[1] / "layouts"
NAMES = ("model-spec", "labelled", "taxonomy", "numbered", "prose")
"""In the order in which they are tried."""
CLOSED = ("aside", "summary", "compressed", "definitions", "why", "examples", "exclusions", "cases", "text")
"""Roles whose parts are kept as they stand."""
ROLES = ("category", "label", "clause", "group", *CLOSED)
MARKED = ("heading", "bold", "capitals")


@dataclass(frozen=True)
class Wishes:
    """What a user says of a source: titles -> a style or a role, the level of headings that are categories, a style."""

    labels: Mapping[str, str] = field(default_factory=dict)
    category_level: int | None = None
    style: Style | None = None


@cache
def layout(name: str) -> dict[str, Any]:
    """A layout by its name. UserError naming the nearest one."""
    if name not in NAMES:
        raise UserError(f"--layout: unknown value '{name}'; {nearest(name, NAMES)}")
    data: dict[str, Any] = yaml.safe_load((FOLDER / f"{name}.yaml").read_text("utf-8"))
    return data


def folded(title: str) -> str:
    """A title as users write it again: case, marks and closing colons do not count."""
    return re.sub(r"[*_`]", "", title).strip().rstrip(":").strip().casefold()


def choose(outlines: list[Outline], wishes: Wishes) -> str:
    """The first layout that a source fits. UserError where it has nothing that could be a rule."""
    for name in NAMES:
        when = dict(layout(name)["when"])
        times = when.pop("times", 1)
        if wishes.labels and name == "labelled" and any(value in STYLES for value in wishes.labels.values()):
            return name
        fits = sum(_fits(when, part, wishes) for outline in outlines for part in outline.root.walk())
        if fits >= times:
            return name
    file = outlines[0].file
    raise UserError(f"{file}:1: no heading, list or number, so no rule; write one rule a line with `- ` before it")


def assign(outline: Outline, name: str, wishes: Wishes) -> None:
    """Give every part its role, and labels their style. UserError with file and line where labels contradict."""
    top = _top(outline.root)
    stack = outline.root.inner[::-1]
    outline.root.role = "document"
    while stack:
        part = stack.pop()
        said = wishes.labels.get(folded(part.title)) or wishes.labels.get(folded(part.means.rest))
        if said in STYLES:
            part.role, part.style = "label", said
        elif said is not None:
            part.role = said
        elif part.kind == "heading" and part.level == wishes.category_level:
            part.role = "category"
        elif part is top and wishes.category_level != part.level and name != "model-spec":
            part.role = "title"
        else:
            part.role = next(rule["is"] for rule in layout(name)["parts"] if _fits(rule, part, wishes))
        if part.role == "label" and part.style is None:
            part.style = _style(part, outline.file)
        if part.role not in CLOSED:
            stack += part.inner[::-1]


def _top(root: Part) -> Part | None:
    """The one heading that all else stands below."""
    heads = [part for part in root.inner if part.kind in MARKED]
    least = min((part.level for part in heads), default=0)
    highest = [part for part in heads if part.level == least]
    if (
        len(heads) == 1
        and any(each.kind in (*MARKED, "item") for each in highest[0].inner)
        and not is_label(highest[0])
    ):
        return highest[0]
    return None


def is_label(part: Part) -> bool:
    """Whether a part says which style the rules below it ask for."""
    if part.kind not in MARKED:
        return False
    if part.means.graded and _outputs(part):
        return len(styles_in(" ".join(_outputs(part)))) == 1
    return bool(part.means.styles) and not part.title.rstrip().endswith(".")


def _outputs(part: Part) -> list[str]:
    return [each.title.partition(":")[2] for each in part.walk() if each.kind == "lead" and each.mark == "output"]


def _style(part: Part, file: Path) -> Style:
    outputs = styles_in(" ".join(_outputs(part))) if part.means.graded else frozenset()
    styles = outputs or part.means.styles
    above = next((each.style for each in part.parents() if each.style), None)
    if part.means.weak and not outputs and above:
        styles = frozenset([above if "refuse" in styles else _other(above)])
    if len(styles) != 1:
        said = " and ".join(sorted(styles))
        remedy = f"say which with --label '{part.title}=refuse'"
        raise UserError(f"{file}:{part.line}: label {part.title!r} means {said or 'nothing'}; {remedy}")
    return next(iter(styles))


def _other(style: Style) -> Style:
    return "comply" if style == "refuse" else "refuse"


def _above(part: Part) -> str:
    """The role of the nearest part above that has one of weight: groups have none, save at the top."""
    for each in part.parents():
        if each.role not in ("group", ""):
            return "clause" if each.role == "category clause" else each.role
    return "document"


def _fits(rule: Mapping[str, Any], part: Part, wishes: Wishes) -> bool:
    return all(_test(name, wanted, part, wishes) for name, wanted in rule.items() if name != "is")


def _test(name: str, wanted: Any, part: Part, wishes: Wishes) -> bool:
    many = wanted if isinstance(wanted, list) else [wanted]
    match name:
        case "kind":
            return part.kind in many
        case "section":
            return (part.mark if part.kind == "lead" else part.means.section) in many
        case "label":
            return is_label(part) or folded(part.title) in wishes.labels
        case "code":
            return part.kind in (*MARKED, "item") and any(each.isdigit() for each in part.means.code)
        case "level":
            return part.level in many
        case "title":
            return re.search(wanted, part.title) is not None
        case "under":
            return _above(part) in many or ("title" in many and _above(part) == "document")
        case "own":
            return any(each.kind == wanted for each in part.inner)
        case "numbered":
            return part.kind == "item" and part.mark[:1].isalnum()
        case "bold":
            return part.title.startswith(("**", "__"))
        case "holds":
            return any(_holds(wanted, each, wishes) for each in part.walk())
    raise AssertionError(name)


def _holds(wanted: Any, part: Part, wishes: Wishes) -> bool:
    if isinstance(wanted, dict):
        return _fits(wanted, part, wishes)
    if wanted == "label":
        return _test("label", True, part, wishes)
    coded = part.kind != "code" and _test("code", True, part, wishes)
    if wanted == "coded":
        return coded
    return bool(part.kind == wanted or (wanted == "code" and coded and part.kind == "item"))


def unknown(outlines: list[Outline], wishes: Wishes) -> Iterator[str]:
    """Each title that --label names and no part has, with the nearest."""
    if not wishes.labels:
        return
    titles = {folded(text) for each in outlines for part in each.root.walk() for text in (part.title, part.means.rest)}
    for title in wishes.labels:
        if title not in titles:
            yield f"--label {title}: no part of the source has that title; {nearest(title, titles)}"
