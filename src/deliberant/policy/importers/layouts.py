"""What the parts of an outline are: the rules of a layout, a data file, and what a user says besides.

The first rule that fits a part decides its role. Its keys: `kind`; `section` and `code`, what the words of its title
say; `label`: they name a response style, or lines `Output: ...` below a grade do; `title`, a pattern; `level` of a
heading; `under`: the role of the nearest part above that has one of weight; `holds`: rules of which one fits a part
below it; `own`: the kind of a part directly below; `numbered`, `bold`. CLOSED parts are kept as they stand.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from deliberant.policy.outline import Outline, Part
from deliberant.policy.words import find_styles
from deliberant.prompts.types import STYLES, Style
from deliberant.util.errors import UserError
from deliberant.util.names import suggest_name

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

    def meaning_of(self, part: Part) -> str | None:
        """What the user says of a part."""
        return self.labels.get(fold_title(part.title)) or self.labels.get(fold_title(part.means.rest))


@cache
def layout(name: str) -> dict[str, Any]:
    """A layout by its name. UserError naming the nearest one."""
    if name not in NAMES:
        raise UserError(f"--layout: unknown value '{name}'; {suggest_name(name, NAMES)}")
    data: dict[str, Any] = yaml.safe_load((FOLDER / f"{name}.yaml").read_text("utf-8"))
    return data


def fold_title(title: str) -> str:
    """A title as users write it again: case, marks and closing colons do not count."""
    return re.sub(r"[*_`]", "", title).strip().rstrip(":").strip().casefold()


def choose(outlines: list[Outline], wishes: Wishes) -> str:
    """The first layout that a source fits. UserError where it has nothing that could be a rule."""
    parts = [part for outline in outlines for part in outline.root.walk()]
    for name in NAMES:
        when = dict(layout(name)["when"])
        times = when.pop("times", 1)
        styled = name == "labelled" and any(value in STYLES for value in wishes.labels.values())
        if styled or sum(_fits(when, part, wishes) for part in parts) >= times:
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
        said = wishes.meaning_of(part)
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
    if len(heads) == 1 and any(each.kind in (*MARKED, "item") for each in heads[0].inner) and not is_label(heads[0]):
        return heads[0]
    return None


def is_label(part: Part) -> bool:
    """Whether a part says which style the rules below it ask for."""
    if part.kind not in MARKED:
        return False
    if part.means.graded and (outputs := _outputs(part)):
        return len(find_styles(outputs)) == 1
    return bool(part.means.styles) and not part.title.rstrip().endswith(".")


def _outputs(part: Part) -> str:
    return " ".join(
        each.title.partition(":")[2] for each in part.walk() if each.kind == "lead" and each.mark == "output"
    )


def _style(part: Part, file: Path) -> Style:
    outputs = find_styles(_outputs(part)) if part.means.graded else frozenset()
    styles = outputs or part.means.styles
    if part.means.weak and not outputs and (above := part.style_above):
        other: Style = "comply" if above == "refuse" else "refuse"
        return above if "refuse" in styles else other
    if len(styles) != 1:
        said = " and ".join(sorted(styles)) or "nothing"
        remedy = f"say which with --label '{part.title}=refuse'"
        raise UserError(f"{file}:{part.line}: label {part.title!r} means {said}; {remedy}")
    return next(iter(styles))


def _above(part: Part) -> str:
    """The role of the nearest part above that has one of weight: groups have none."""
    role = next((each.role for each in part.parents() if each.role not in ("group", "")), "document")
    return {"category clause": "clause", "title": "document"}.get(role, role)


TESTS: dict[str, Callable[[list[Any], Part, Wishes], bool]] = {
    "kind": lambda wanted, part, _: part.kind in wanted,
    "section": lambda wanted, part, _: (part.mark if part.kind == "lead" else part.means.section) in wanted,
    "label": lambda _, part, wishes: is_label(part) or fold_title(part.title) in wishes.labels,
    "code": lambda _, part, __: part.kind in (*MARKED, "item") and any(each.isdigit() for each in part.means.code),
    "level": lambda wanted, part, _: part.level in wanted,
    "title": lambda wanted, part, _: re.search(wanted[0], part.title) is not None,
    "under": lambda wanted, part, _: _above(part) in wanted,
    "own": lambda wanted, part, _: any(each.kind in wanted for each in part.inner),
    "numbered": lambda _, part, __: part.kind == "item" and part.mark[:1].isalnum(),
    "bold": lambda _, part, __: part.title.startswith(("**", "__")),
    "holds": lambda wanted, part, wishes: any(_fits(rule, each, wishes) for each in part.walk() for rule in wanted),
}


def _fits(rule: Mapping[str, Any], part: Part, wishes: Wishes) -> bool:
    return all(
        TESTS[name](wanted if isinstance(wanted, list) else [wanted], part, wishes)
        for name, wanted in rule.items()
        if name != "is"
    )


def check_titles(outlines: list[Outline], wishes: Wishes) -> None:
    """UserError for a title that --label names and no part has, with the nearest."""
    parts = [part for outline in outlines for part in outline.root.walk()]
    titles = dict.fromkeys(fold_title(text) for part in parts for text in (part.title, part.means.rest))
    for title in wishes.labels:
        if title not in titles:
            raise UserError(f"--label {title}: no part of the source has that title; {suggest_name(title, titles)}")
