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

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

from deliberant.templates.loader import Templates
from deliberant.util.yaml import TextLoader, read_model

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
    group = "names" if info.field_name == "pattern" else info.field_name
    if group not in pattern.groupindex:
        raise ValueError(f"has no group '{group}'; write (?P<{group}>...) around what is read")
    return pattern


Pattern = Annotated[re.Pattern[str], BeforeValidator(_pattern)]
"""A regular expression with a group of the key's name, or `names` in the key `pattern` (label.yaml)."""


class VerdictRule(BaseModel):
    """One verdict.yaml, checked; `scores` in small letters."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    part: Literal["answer", "reasoning"] = "answer"
    rationale: Literal["answer", "reasoning"] = "answer"
    verdict: Literal["text", "json"] = "text"
    score: Pattern | None = Field(None, validate_default=True)
    scores: dict[str, int] = {}
    clause: Pattern | None = None
    hint: Pattern | None = None

    @field_validator("score", "scores", "clause", "hint")
    @classmethod
    def _fitting(cls, value: Any, info: ValidationInfo) -> Any:
        if info.data.get("verdict") == "json" and value:
            raise ValueError("is not read with `verdict: json`; remove it")
        if info.data.get("verdict") == "text" and info.field_name == "score" and value is None:
            raise ValueError("is missing; write the pattern of a verdict, or `verdict: json`")
        if info.field_name != "scores":
            return value
        for word, score in value.items():
            if score not in MENU:
                raise ValueError(f"{word} stands for {score}, which is not on the menu {MENU}; change it")
        return {word.casefold(): score for word, score in value.items()}


def verdict_rule(templates: Templates) -> VerdictRule:
    """The rule of a folder of prompt files. UserError naming the file and line of a mistake in it."""
    if FILE not in templates.files:
        templates = Templates.load("default")
    return read_model(templates.folder / FILE, VerdictRule, templates.files[FILE], TextLoader)[0]
