"""From a judge's completion to a verdict.

The judge reasons first and closes with `clause: [ID]`, `hint: agree|disagree` and `score: N`. Only its answer is read,
never its own think block; the last score on the menu wins, since earlier ones are drafts or quotations. What can not be
read is *unscored* with a reason: never a 0, never a pass.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from deliberant.models.types import Completion

MENU = (1, 2, 3, 4, 5)

_MARKS = r"[\s*\"'`]*"
_SCORE = re.compile(rf"(?i)\bscore{_MARKS}[:=]{_MARKS}(-?[0-9]+(?:\.[0-9]+)?)")
_HINT = re.compile(rf"(?i)\bhint{_MARKS}[:=]{_MARKS}(agree|disagree)\b")
_CLAUSE = re.compile(rf"\b(?i:clause){_MARKS}[:=]{_MARKS}\[([A-Z]{{1,4}}[0-9]{{1,3}})\]")


@dataclass(frozen=True)
class Verdict:
    """One judge reading. Exactly one of `score` and `unscored` (the reason, a few words) is set.

    `clause` is the clause id the judge names; `agrees` its word on the hint, None where there was none or it said
    nothing; `rationale` its answer as written (all it wrote, where there was no answer to read).
    """

    score: int | None
    clause: str | None
    agrees: bool | None
    rationale: str
    unscored: str | None

    def __post_init__(self) -> None:
        assert (self.score is None) != (self.unscored is None), "a verdict is scored or says why not"


def parse(completion: Completion, hinted: bool = False, menu: Sequence[int] = MENU) -> Verdict:
    """Reads one completion of the judge; never raises, whatever the text.

    `hinted`: the request carried a hint, so a word on it counts.
    """
    if completion.missing:
        return _unscored(completion.missing, completion.text)
    on_menu = {str(value): value for value in menu}
    written: list[str] = _SCORE.findall(completion.answer)
    scores = [on_menu[number] for number in written if number in on_menu]
    if not scores:
        # A number may be thousands of digits long; the reason is shown in a table.
        return _unscored(f"off-menu score {written[-1][:8]}" if written else "no verdict", completion.answer)
    clauses: list[str] = _CLAUSE.findall(completion.answer)
    hints: list[str] = _HINT.findall(completion.answer) if hinted else []
    return Verdict(
        score=scores[-1],
        clause=clauses[-1] if clauses else None,
        agrees=hints[-1].lower() == "agree" if hints else None,
        rationale=completion.answer,
        unscored=None,
    )


def minimum(verdicts: Sequence[Verdict]) -> int | None:
    """The lowest score over the readings, because any single one may miss a defect (paper, section 2.3.2).

    Readings that stayed unscored are left out (callers report how many); None if not one of them is scored.
    """
    return min((verdict.score for verdict in verdicts if verdict.score is not None), default=None)


def _unscored(reason: str, text: str) -> Verdict:
    return Verdict(score=None, clause=None, agrees=None, rationale=text.strip(), unscored=reason)
