"""Asks a model for conflicts and ambiguities between clauses: `deliberant policy lint --with MODEL`.

Every pair of clauses of a category is read once, greedily. The last line of the answer is the verdict; a reading
without one is unscored: counted and shown, never taken for clear.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from deliberant.judge.ask import ask
from deliberant.models.types import Completion, Sampler
from deliberant.policy import Clause, Finding, Policy
from deliberant.policy.types import clause_heading, clause_parts
from deliberant.util.progress import Progress

PROMPT = Path(__file__).with_name("conflicts.txt")
SHOWN = 120
"""Letters of what a model wrote that could not be read."""
MENU = ("conflict", "ambiguous", "clear")
VERDICT = re.compile(r"[\s*\"'`]*verdict[\s*\"'`]*:[\s*\"'`]*(conflict|ambiguous|clear)[\s*\"'`.]*", re.IGNORECASE)


class Readings(NamedTuple):
    """`counts`: pairs by verdict, "unscored" among them. Findings: one for each pair, for unscored one a category."""

    findings: list[Finding]
    counts: Counter[str]


def find_conflicts(
    policy: Policy,
    sampler: Sampler,
    max_new_tokens: int = 1024,
    *,
    only: Sequence[str] = (),
    progress: Progress | None = None,
) -> Readings:
    """Reads all pairs, or those of the categories `only` names.

    UserError for an unknown category, and where a prompt does not fit the model.
    """
    categories = [policy.category(id) for id in only] or policy.categories
    pairs = [pair for category in categories for pair in combinations(category.clauses, 2)]
    texts = [{"first": _shown(first), "second": _shown(second)} for first, second in pairs]
    verdicts = [_verdict(answer) for answer in ask(sampler, PROMPT, texts, max_new_tokens, "pairs", progress)]
    counts = Counter(verdict if verdict in MENU else "unscored" for verdict, _ in verdicts)
    return Readings(list(_findings(policy, pairs, verdicts)), counts)


def _shown(clause: Clause) -> str:
    return "\n".join([clause_heading(clause), *clause_parts(clause)])


def _verdict(completion: Completion) -> tuple[str, str]:
    """The verdict and the answer, or why there is none and what was written."""
    if completion.stop != "stop":
        return str(completion.missing), completion.text
    lines = completion.answer.splitlines()
    verdict = VERDICT.fullmatch(lines[-1]) if lines else None
    return (verdict[1].lower(), completion.answer) if verdict else ("no verdict on the last line", completion.text)


def _findings(policy: Policy, pairs: list[tuple[Clause, Clause]], verdicts: list[tuple[str, str]]) -> Iterator[Finding]:
    unread: dict[str, Counter[str]] = {category.id: Counter() for category in policy.categories}
    examples: dict[str, str] = {}
    for (first, second), (verdict, answer) in zip(pairs, verdicts, strict=True):
        file = policy.category(first.category).file
        if verdict in MENU[:2]:
            why = " ".join(" ".join(answer.strip().splitlines()[:-1]).split())
            what = f"a model reads {first.id} and {second.id} as {verdict}"
            yield Finding(file, second.line, f"model-{verdict}", "warning", f"{what}; it says: {why or 'nothing'}")
        elif verdict != "clear":
            unread[first.category][verdict] += 1
            examples.setdefault(first.category, f"of {first.id} and {second.id} it says: {_start(answer)}")
    for category in policy.categories:
        if reasons := unread[category.id]:
            listed = ", ".join(f"{reason} {n}" for reason, n in reasons.most_common())
            what = f"{reasons.total()} pairs of {category.id!r} could not be read ({listed})"
            remedy = f"ask another model, or allow more tokens; {examples[category.id]}"
            yield Finding(category.file, category.clauses[0].line, "model-unscored", "warning", f"{what}; {remedy}")


def _start(text: str) -> str:
    words = " ".join(text.split())
    return f"{words[:SHOWN]} ..." if len(words) > SHOWN else words or "nothing"
