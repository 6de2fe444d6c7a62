"""How a judge's completions become verdicts, as data: `verdict.yaml` of a folder of prompt files.

    part: answer | reasoning        what is read; default answer
    rationale: answer | reasoning   what is kept as the judge's reasons; default answer
    verdict: text | json            `json`: one object, whose keys `verdict.schema` gives, and no pattern
    score, clause, hint             regular expressions with a group of that name; the last match counts
    scores                          words that `score` matches -> scores; without it they are the scores themselves

A group `of` in `score` holds the scale's end ("4/5"); another end than the menu's is off the menu. A folder without the
file is read as the default prompt files are.
"""

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from deliberant.templates.loader import Templates
from deliberant.util.yaml import mistaken, parsed

FILE = "verdict.yaml"
MENU = (1, 2, 3, 4, 5)
"""The scores a judge may give."""


def _pattern(value: Any, info: ValidationInfo) -> Any:
    if not isinstance(value, str):
        return value  # pydantic words this mistake
    try:
        pattern = re.compile(value)
    except re.error as error:
        raise ValueError(f"is no regular expression ({error}); repair it") from error
    if info.field_name not in pattern.groupindex:
        raise ValueError(f"has no group '{info.field_name}'; write (?P<{info.field_name}>...) around what is read")
    return pattern


def _words(value: Any) -> Any:
    if isinstance(value, dict) and (bare := [word for word in value if not isinstance(word, str)]):
        raise ValueError(f"YAML reads the word {bare[0]!r} as a number or as true or false; write it in quotes")
    return value


Pattern = Annotated[re.Pattern[str], BeforeValidator(_pattern)]


class VerdictRule(BaseModel):
    """One verdict.yaml, checked; `scores` in small letters."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    part: Literal["answer", "reasoning"] = "answer"
    rationale: Literal["answer", "reasoning"] = "answer"
    verdict: Literal["text", "json"] = "text"
    score: Pattern | None = Field(None, validate_default=True)
    scores: Annotated[dict[str, int], BeforeValidator(_words)] = {}
    clause: Pattern | None = None
    hint: Pattern | None = None

    @field_validator("score")
    @classmethod
    def _needed(cls, score: re.Pattern[str] | None, info: ValidationInfo) -> re.Pattern[str] | None:
        if info.data.get("verdict") == "text" and score is None:
            raise ValueError("is missing; write the pattern of a verdict, or `verdict: json`")
        return score

    @field_validator("score", "scores", "clause", "hint")
    @classmethod
    def _read(cls, value: Any, info: ValidationInfo) -> Any:
        if info.data.get("verdict") == "json" and value:
            raise ValueError("is not read with `verdict: json`; remove it")
        return value

    @field_validator("scores")
    @classmethod
    def _on_menu(cls, scores: dict[str, int]) -> dict[str, int]:
        for word, score in scores.items():
            if score not in MENU:
                raise ValueError(f"{word} stands for {score}, which is not on the menu {MENU}; change it")
        return {word.casefold(): score for word, score in scores.items()}


def verdict_rule(templates: Templates) -> VerdictRule:
    """The rule of a folder of prompt files. UserError naming the file and line of a mistake in it."""
    if FILE not in templates.files:
        templates = Templates.load("default")
    data, places = parsed(templates.folder / FILE, templates.files[FILE])
    try:
        return VerdictRule.model_validate(data)
    except ValidationError as error:
        raise mistaken(error, VerdictRule, places) from error
