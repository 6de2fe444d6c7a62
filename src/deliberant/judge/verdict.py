"""From a judge's completion to a verdict, as the rule of its prompt files (`rules`) says.

The judge reasons first and gives its verdict last; the last one on the menu wins, since earlier ones are drafts or
quotations. By default its answer is read and never its own think block. What cannot be read is *unscored* with a
reason: never a 0, never a pass.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from deliberant.judge.rules import MENU, VerdictRule
from deliberant.models.types import Completion

_OBJECT = re.compile(r'\{\s*"')
_ID = re.compile(r"\[?([A-Z]{1,4}[0-9]{1,3})\]?")


@dataclass(frozen=True)
class Verdict:
    """One judge reading. Exactly one of `score` and `unscored` (the reason, a few words) is set.

    `clause` is the clause id the judge names; `agrees` its word on the hint, None where there was none or it said
    nothing; `rationale` its reasons as written (all it wrote, where there was no answer to read).
    """

    score: int | None
    clause: str | None
    agrees: bool | None
    rationale: str
    unscored: str | None

    def __post_init__(self) -> None:
        assert (self.score is None) != (self.unscored is None), "a verdict is scored or says why not"


class _Written(NamedTuple):
    """A verdict as it was written; `of`: the end of its scale, where it names one."""

    score: str
    of: str | None = None
    clause: str | None = None
    hint: str | None = None
    rationale: str | None = None


def parse(
    completion: Completion,
    rule: VerdictRule,
    hinted: bool = False,
    menu: Sequence[int] = MENU,
    number: Callable[[str], int] | None = None,
) -> Verdict:
    """Reads one completion of the judge; never raises, whatever the text.

    `hinted`: the request carried a hint, so a word on it counts. `number`: what a verdict as written stands for.
    """
    if completion.missing:
        return _unscored(completion.missing, completion.text)
    text = completion.answer if rule.part == "answer" else completion.reasoning
    written = list(_objects(text) if rule.verdict == "json" else _matches(text, rule))
    reasons = completion.reasoning if rule.rationale == "reasoning" else text
    for each in reversed(written):
        score = number(each.score) if number else _score(each, rule, menu)
        if score is not None and score in menu:
            agrees = each.hint == "agree" if hinted and each.hint else None
            return Verdict(score, each.clause, agrees, each.rationale or reasons or text, None)
    # A number may be thousands of digits long; the reason is shown in a table.
    return _unscored(f"off-menu score {written[-1].score[:8]}" if written else "no verdict", text)


def schema(rule: VerdictRule, clause: bool, hint: bool, menu: Sequence[int] = MENU) -> dict[str, Any] | None:
    """The JSON schema of a verdict, reasons first; None for verdicts in text.

    `clause`, `hint`: whether the judge was shown a policy, and another opinion. What `_objects` reads stands here.
    """
    if rule.verdict != "json":
        return None
    keys: dict[str, Any] = {"rationale": {"type": "string"}}
    if clause:
        keys["clause"] = {"type": "string"}
    if hint:
        keys["hint"] = {"type": "string", "enum": ["agree", "disagree"]}
    keys["score"] = {"type": "integer", "enum": list(menu)}
    return {"type": "object", "properties": keys, "required": list(keys), "additionalProperties": False}


def minimum(verdicts: Sequence[Verdict]) -> int | None:
    """The lowest score over the readings, because any single one may miss a defect (paper, section 2.3.2).

    Readings that stayed unscored are left out (callers report how many); None if not one of them is scored.
    """
    return min((verdict.score for verdict in verdicts if verdict.score is not None), default=None)


def _matches(text: str, rule: VerdictRule) -> Iterator[_Written]:
    """Every verdict in the text; clause and hint are the last ones written, wherever they stand."""
    assert rule.score is not None
    clause, hint = _last(rule.clause, "clause", text), _last(rule.hint, "hint", text)
    for match in rule.score.finditer(text):
        yield _Written(match["score"] or "", match.groupdict().get("of"), clause, hint and hint.lower())


def _last(pattern: re.Pattern[str] | None, group: str, text: str) -> str | None:
    matches = [match[group] for match in pattern.finditer(text)] if pattern else []
    return matches[-1] if matches else None


def _objects(text: str) -> Iterator[_Written]:
    """Every JSON object with a score, whatever stands around it."""
    decoder, end = json.JSONDecoder(), 0
    while start := _OBJECT.search(text, end):
        try:
            value, end = decoder.raw_decode(text, start.start())
        except (ValueError, RecursionError):
            value, end = {}, start.end()
        if "score" in value:
            words = {key: said for key, said in value.items() if isinstance(said, str)}
            clause = _ID.fullmatch(words.get("clause", "").strip())
            hint = words.get("hint", "").strip().lower()
            yield _Written(
                json.dumps(value["score"]).strip('"'),
                clause=clause and clause[1],
                hint=hint if hint in ("agree", "disagree") else None,
                rationale=words.get("rationale"),
            )


def _score(written: _Written, rule: VerdictRule, menu: Sequence[int]) -> int | None:
    """The score on the menu that a verdict stands for, None where it stands for none."""
    if rule.scores:
        score = rule.scores.get(written.score.casefold())
        return score if score in menu else None
    try:
        value, end = float(written.score), float(written.of or max(menu))
    except ValueError:
        return None
    return int(value) if value in menu and end == max(menu) else None


def _unscored(reason: str, text: str) -> Verdict:
    return Verdict(score=None, clause=None, agrees=None, rationale=text.strip(), unscored=reason)
