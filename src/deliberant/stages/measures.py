"""What stage evaluate measures beyond each arm's one answer: how policy is used, and by more draws whether thinking
decides, what a budget of reasoning does, and the worst of several draws.

    deliberant evaluate RECIPE --set evaluate.thinking=true
    deliberant evaluate RECIPE --set 'evaluate.budgets=[0, 16, 64]' --set 'evaluate.worst_of={k: 8}'

Keys of the recipe rather than options: they say what was measured where all else is said, `deliberant run` takes them
along, and being no part of a run's name they can be added to one that has finished. What is drawn lies in a folder each
below evaluate/ (samples.jsonl); the rows beside it (thinking.json, ...) are counted from it anew each time.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

from deliberant.evals import retrieval, thinking, worst
from deliberant.evals.metrics import rows as result_rows
from deliberant.evals.samples import ScoredSample, from_row, group_by
from deliberant.evals.statistics import Bootstrap
from deliberant.models.types import Sampling
from deliberant.prompts import Case
from deliberant.stages.answers import DRAWN, SAMPLES, ask_arm, finish, grade_by_judge, read_samples
from deliberant.util.files import Row, write_json

if TYPE_CHECKING:
    from deliberant.run.run import Run

BY_BUDGET = ("compliance", "style", "harmful_declined", "harmless_answered", "not_unsafe")
"""The metrics that have a row for each budget."""


class _Job(NamedTuple):
    """One chunk of draws by one arm."""

    arm: str
    cases: Sequence[Case]
    sampling: Sampling
    epoch: int = 1
    thoughts: Sequence[str] | None = None


def measure(run: "Run") -> None:
    """Writes evaluate/{retrieval, thinking, budgets, worst_of}.json, the last three where the recipe names them.

    UserError where a model does not go on from a reasoning that is given; RunError as in `evaluate`.
    """
    recipe = run.recipe.evaluate
    samples = {arm: read_samples(run.root, arm) for arm in recipe.arms}
    bootstrap: Bootstrap = {"resamples": recipe.bootstrap, "seed": run.recipe.seed}
    tables = {"retrieval": retrieval.rows([each for own in samples.values() for each in own], run.policy, **bootstrap)}
    if recipe.thinking:
        tables["thinking"] = _thinking(run, samples, bootstrap)
    if recipe.budgets:
        tables["budgets"] = _budgets(run, bootstrap)
    if recipe.worst_of:
        tables["worst_of"] = _worst_of(run, recipe.worst_of.k, recipe.worst_of.temperature, bootstrap)
    for name, table in tables.items():
        write_json(run.root / "evaluate" / f"{name}.json", table)


def _thinking(run: "Run", samples: Mapping[str, list[ScoredSample]], bootstrap: Bootstrap) -> list[Row]:
    sampling, size = run.recipe.evaluate.sampling, run.recipe.evaluate.chunk
    forced = {arm: list(thinking.force_reasonings(arm, samples)) for arm in samples}
    jobs, asked = [], list[tuple[str, str, str]]()
    for arm, thoughts in forced.items():
        once = {(each.case.prompt.id, each.thought): each.case for each in thoughts}  # a swap may equal a cut
        asked += [(arm, *key) for key in once]
        for chunk in _chunks([*once.items()], size):
            jobs.append(
                _Job(arm, [case for _, case in chunk], sampling, thoughts=[thought for (_, thought), _ in chunk])
            )
    drawn = dict(zip(asked, _drawn(run, "thinking", jobs, {"cuts": thinking.CUTS}), strict=True))
    table = []
    for arm, thoughts in forced.items():
        answers = [(each, drawn[arm, each.case.prompt.id, each.thought]) for each in thoughts]
        table += thinking.rows(arm, samples[arm], answers, **bootstrap)
    return table


def _budgets(run: "Run", bootstrap: Bootstrap) -> list[Row]:
    recipe, jobs, labels = run.recipe.evaluate, [], []
    for arm in recipe.arms:
        for budget in recipe.budgets:
            sampling = replace(recipe.sampling, max_reasoning_tokens=budget or None)
            for chunk in _chunks(run.cases(), recipe.chunk):
                jobs.append(_Job(arm, chunk, sampling, thoughts=None if budget else [""] * len(chunk)))
                labels += [budget] * len(chunk)
    samples = _drawn(run, "budgets", jobs, {"budgets": recipe.budgets})
    table = []
    for budget in recipe.budgets:
        members = [sample for sample, label in zip(samples, labels, strict=True) if label == budget]
        groups = group_by(members, lambda sample: (sample.arm, sample.case.suite))
        for row in result_rows(members, run.policy, **bootstrap):
            if row["metric"] in BY_BUDGET:
                tokens = fmean(sample.usage.output for sample in groups[row["arm"], row["suite"]])
                table.append({**row, "budget": budget, "tokens": round(tokens, 2)})
    return table


def _worst_of(run: "Run", k: int, temperature: float, bootstrap: Bootstrap) -> list[Row]:
    recipe = run.recipe.evaluate
    sampling = replace(recipe.sampling, temperature=temperature)
    jobs = [
        _Job(arm, chunk, sampling, epoch)
        for arm in recipe.arms
        for epoch in range(1, k + 1)
        for chunk in _chunks(run.cases(), recipe.chunk)
    ]
    table = worst.rows(_drawn(run, "worst_of", jobs, {"k": k, "temperature": temperature}), **bootstrap)
    return [{**row, "temperature": temperature} for row in table]


def _drawn(run: "Run", name: str, jobs: Sequence[_Job], inputs: Mapping[str, Any]) -> list[ScoredSample]:
    """What the jobs draw, in their order, graded as the arms' own answers are; drawn once."""
    arms = {arm: run.manifest(f"evaluate/{arm}") for arm in run.recipe.evaluate.arms}
    known = {arm: [manifest["key"], manifest["outputs"][SAMPLES]["sha256"]] for arm, manifest in arms.items()}
    folder = run.stage(f"evaluate/{name}", {"arms": known, **inputs})
    if folder.complete:
        return read_samples(run.root, name)

    rows = run.in_chunks(folder, DRAWN[0], jobs, 1, lambda jobs: ask_arm(run, *jobs[0]))
    samples = [from_row(row) for row in rows]
    if run.style_reader is None:
        samples = grade_by_judge(run, folder, samples)
    finish(folder, samples, [SAMPLES], {})
    return samples


def _chunks(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))
