"""The sample reader's data: what a page's script shows of each sample, as one JSON object in the page.

Prompts stand there once, whoever answered them. The template writes the object so that nothing in it can end the block
that it stands in, and the script shows text as text alone.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from deliberant.evals import ScoredSample
from deliberant.policy import Policy
from deliberant.policy.types import CITATION
from deliberant.prompts import Case
from deliberant.report.selection import outcome, pick_samples

LIMIT = 10_000
"""Samples on one page."""
LETTERS = 24_000_000
"""Of their text in all: what a browser still opens in seconds."""


def reader_data(samples: Mapping[str, Sequence[ScoredSample]], policy: Policy | None) -> dict[str, Any]:
    """{total, cases, samples, clauses, citation}; as many samples of each arm as LIMIT and LETTERS have room for.

    They are drawn by the hash of their prompts' ids, so that every arm shows the same ones.
    """
    total = sum(map(len, samples.values()))
    letters = sum(_letters(sample) for arm in samples.values() for sample in arm)
    room = min(LIMIT, LIMIT if letters <= LETTERS else int(total * LETTERS / letters))
    places: dict[str, int] = {}
    cases: list[dict[str, Any]] = []
    rows = []
    for sample in pick_samples(samples, room // max(1, len(samples))):
        id = sample.case.prompt.id
        if id not in places:
            places[id] = len(cases)
            cases.append(_case(sample.case))
        rows.append(_row(sample, places[id]))
    clauses = policy.clauses.values() if policy else ()
    named = {clause.id: f"{clause.title} → {clause.style}" for clause in clauses}
    data = {"total": total, "cases": cases, "samples": rows}
    return {**data, "clauses": named, "citation": CITATION.pattern}


def _case(case: Case) -> dict[str, Any]:
    return {
        "id": case.prompt.id,
        "suite": case.suite,
        "attack": case.attack,
        "language": case.language,
        "asked": case.truth.style,
        "clause": case.truth.clause,
        "turns": [[turn["role"], turn["content"]] for turn in case.prompt.messages],
        "plain": case.plain,
    }


def _row(sample: ScoredSample, case: int) -> dict[str, Any]:
    """What is not there has no key. `turns`: a whole conversation, without its last answer, which is `answer`."""
    row = {
        "case": case,
        "arm": sample.arm,
        "outcome": outcome(sample),
        "style": sample.style,
        "harm": sample.harm,
        "reasoning": sample.reasoning,
        "answer": sample.answer,
        "decoded": sample.read,
        "turns": [[turn["role"], turn["content"]] for turn in _before_answer(sample)],
        "draw": sample.epoch if sample.epoch > 1 else None,
        "missing": _missing(sample),
    }
    return {name: each for name, each in row.items() if each not in (None, "", [])}


def _before_answer(sample: ScoredSample) -> Sequence[Any]:
    ends = bool(sample.turns) and sample.turns[-1]["role"] == "assistant"
    return sample.turns[:-1] if ends else sample.turns


def _missing(sample: ScoredSample) -> str | None:
    """Why there is no answer."""
    if not sample.empty:
        return None
    if sample.stop in ("length", "blocked"):
        return "cut at the token limit" if sample.stop == "length" else "blocked by the provider"
    return "none" if sample.complete else "the reasoning was not closed"


def _letters(sample: ScoredSample) -> int:
    spoken = (*sample.case.prompt.messages, *sample.turns)
    return len(sample.reasoning) + len(sample.answer) + sum(len(turn["content"]) for turn in spoken)
