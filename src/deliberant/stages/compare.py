"""Verb compare: any models asked the same cases, graded alike, side by side on both sides.

    deliberant compare RUN api:openai/gpt-4o theirs.eval --suite xstest --attack all --judge api:...

What a run or a log has answered is taken from there. Everything else is drawn in chunks, kept, and not drawn again by
a later comparison in the same folder, whoever else takes part in it. Differences are paired by prompt and resampled by
family (statistics.difference); who is on the Pareto front is read off the rates that are printed.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, cast

from deliberant.evals import METRICS, ScoredSample, StyleReader, compare_paired, from_row, rows, to_row
from deliberant.evals.agreement import agreement, draw_for_second, strip_grade
from deliberant.evals.attacks.decoding import FILE, WORLD_FILE, can_decode, codes_of, readable
from deliberant.evals.attacks.static import attacks_named
from deliberant.evals.log import write_log
from deliberant.evals.robustness import rows as robust_rows
from deliberant.evals.samples import count, spent
from deliberant.evals.scoring import ask_cases, read_answer
from deliberant.models.budget import Price, price_of
from deliberant.models.types import Sampling
from deliberant.policy import Policy
from deliberant.prompts.types import Case
from deliberant.report.comparison import AXES, POOLED, render
from deliberant.stages.entrants import Entrant, Open, user_text
from deliberant.util.errors import RunError
from deliberant.util.files import fingerprint, read_json, read_rows, write_atomically, write_json, write_rows
from deliberant.util.journal import delete_journal, in_chunks
from deliberant.util.progress import Progress

RESULT, PAGE, SAMPLES, LOG = "compare.json", "compare.html", "samples.jsonl", "cases.eval"
DIFFERENCES = ("not_unsafe", "harmful_declined", "harmless_answered", "style")
UNREAD = "unread.json"
SECOND = 100
"""Answers that a second judge reads."""
_FACETS = ("attack", "language", "style")

Grade = Callable[[Sequence[ScoredSample]], list[ScoredSample]]


@dataclass(frozen=True)
class Contest:
    """What everybody is asked, and how answers are read: by the world's `reader`, or by `grade`.

    `judge` is what grades, as results name it; `covers` whatever else shapes a grade. `second` grades some answers
    again, and `second_judge` is its name.
    """

    cases: Sequence[Case]
    policy: Policy | None
    sampling: Sampling
    seed: int
    reader: StyleReader | None = None
    grade: Grade | None = None
    judge: str | None = None
    covers: Any = None
    second: Grade | None = None
    second_judge: str | None = None


def compare(
    entrants: Sequence[Entrant],
    contest: Contest,
    folder: Path,
    progress: Progress,
    prices: Mapping[str, Price],
    chunk: int = 256,
) -> dict[str, Any]:
    """Ask, grade and count; writes compare.json, the page and, for each entrant, its samples and an Inspect log.

    RunError where a log answers none of the cases. The result has `models`, `rows` (by suite, all of them pooled as
    POOLED), `by` (rows by attack, language, style), `differences` to the first one, and `front`.
    """
    answers = {each.name: _answers(each, contest, folder, progress, chunk) for each in entrants}
    pooled = [sample for samples in answers.values() for sample in samples]
    everything = [replace(each, case=replace(each.case, suite=POOLED)) for each in pooled]
    table = rows([*pooled, *everything], contest.policy)
    result = {
        "models": [_account(each, answers[each.name], contest, prices) for each in entrants],
        "judge": contest.judge,
        "agreement": _agreement(pooled, contest),
        "sampling": asdict(contest.sampling),
        "rows": [*table, *robust_rows(pooled)],
        "by": {facet: rows(pooled, contest.policy, by=facet) for facet in _FACETS},
        "differences": _differences(answers, contest.policy),
        "front": pareto_front(table),
    }
    write_json(folder / RESULT, result)
    write_atomically(folder / PAGE, render(result, answers, contest.policy).encode())
    return result


def pareto_front(table: Sequence[Mapping[str, Any]]) -> list[str]:
    """The arms that no other one exceeds on one side without being behind on the other, in the pooled rows."""
    cell = {(row["arm"], row["metric"]): row["value"] for row in table if row["suite"] == POOLED}
    sides = {arm: tuple(cell[arm, side] for side in AXES) for arm, _ in cell}
    whole = {arm: both for arm, both in sides.items() if None not in both}
    return [
        arm
        for arm, ours in whole.items()
        if not any(
            theirs != ours and all(a >= b for a, b in zip(theirs, ours, strict=True)) for theirs in whole.values()
        )
    ]


def entrant_folder(folder: Path, entrant: Entrant, contest: Contest) -> Path:
    """The folder of what one entrant said in this contest: another one where anything that shapes it differs."""
    asked = [contest.cases, contest.sampling, contest.seed, contest.judge, contest.covers]
    word = "".join(each if each.isalnum() or each in "+-." else "-" for each in entrant.name)
    return folder / f"{word.strip('-.')[-60:]}-{fingerprint([entrant.identity, asked])[:8]}"


def _answers(entrant: Entrant, contest: Contest, folder: Path, progress: Progress, chunk: int) -> list[ScoredSample]:
    """What an entrant says to every case, read or graded. A log answers those that it holds."""
    cases = [case for case in contest.cases if entrant.open or user_text(case.prompt.messages) in entrant.said]
    if not cases:
        raise RunError(f"{entrant.name}: holds none of the {len(contest.cases)} cases; compare it on its own suite")
    home = entrant_folder(folder, entrant, contest)
    path = home / SAMPLES
    if path.exists():
        return [from_row(row) for row in read_rows(path)]
    open = entrant.open and cache(entrant.open)
    if open and any(case.attack for case in cases):
        unread = _unread(open, cases, contest, home)
        cases = [case for case in cases if case.attack not in unread]

    def work(some: Sequence[Case]) -> list[dict[str, Any]]:
        said = [entrant.said.get(user_text(case.prompt.messages)) for case in some]
        missing = [case for case, answer in zip(some, said, strict=True) if answer is None]
        drawn: Iterator[ScoredSample] = iter(())
        if missing and open:
            sampler, given = open()
            drawn = iter(
                ask_cases(entrant.name, sampler, missing, contest.sampling, contest.seed, contest.reader, given)
            )
        samples = [
            next(drawn) if answer is None else read_answer(entrant.name, case, answer, contest.reader)
            for case, answer in zip(some, said, strict=True)
        ]
        return list(map(to_row, contest.grade(samples) if contest.grade else samples))

    answered = in_chunks(path, home.name, cases, chunk, work, progress, entrant.name[-30:])
    samples = [from_row(row) for row in answered]
    write_rows(path, answered)
    write_log(
        home / LOG,
        samples,
        contest.policy,
        id=home.name,
        model=entrant.name,
        grader=contest.judge,
        sampling=contest.sampling,
        given=lambda case: case.prompt.messages,
        metadata={"identity": entrant.identity},
    )
    delete_journal(path)
    return samples


def _unread(open: Open, cases: Sequence[Case], contest: Contest, home: Path) -> list[str]:
    """The attacks in codes that a model cannot decode at all, which would count as held; asked once, and kept."""
    file = home / UNREAD
    if not file.exists():
        used = attacks_named(dict.fromkeys(case.attack for case in cases if case.attack))
        codes = codes_of(used)
        read = readable(used, can_decode(open()[0], codes, WORLD_FILE if contest.reader else FILE) if codes else {})
        write_json(file, [attack.name for attack in used if attack not in read])
    return cast(list[str], read_json(file, "delete it, and the model is asked again", list))


def _agreement(samples: Sequence[ScoredSample], contest: Contest) -> dict[str, Any] | None:
    """How far the second judge agrees on SECOND answers, drawn over all models; None without one."""
    if contest.second is None:
        return None
    drawn = draw_for_second(samples, SECOND, contest.seed)
    again = contest.second([strip_grade(sample) for sample in drawn])
    return {"judge": contest.second_judge, **agreement(drawn, again)}


def _account(
    entrant: Entrant, samples: Sequence[ScoredSample], contest: Contest, prices: Mapping[str, Price]
) -> dict[str, Any]:
    """Who it was, what it cost by list price (None: not known), what was not asked and what could not be scored."""
    attacks = {case.attack for case in contest.cases} - {sample.case.attack for sample in samples}
    used = spent(samples)
    price = price_of(entrant.price, prices) if entrant.price else None
    return {
        "name": entrant.name,
        "identity": entrant.identity,
        "cases": len(samples),
        "not_asked": sorted(filter(None, attacks)),
        "tokens": asdict(used),
        "dollars": price.of(used) if price else None,
        **count(list(samples)),
        "unscored": sum(each.unscored for each in samples),
    }


def _differences(answers: Mapping[str, Sequence[ScoredSample]], policy: Policy | None) -> list[dict[str, Any]]:
    """How much every other entrant scores above the first on the cases that both were asked."""
    (first, theirs), *others = answers.items()
    metrics = [metric for metric in METRICS if metric.name in DIFFERENCES]
    return [
        {"arm": name, "against": first, "metric": metric.name, **asdict(compare_paired(ours, theirs, metric, policy))}
        for name, ours in others
        for metric in metrics
    ]
