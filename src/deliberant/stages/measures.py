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
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from deliberant.evals import retrieval, thinking, worst
from deliberant.evals.draw import draw
from deliberant.evals.metrics import rows as result_rows
from deliberant.evals.samples import ScoredSample, count, from_row, to_row
from deliberant.models.types import Sampling
from deliberant.prompts import Case
from deliberant.stages.evaluate import DRAWN, SAMPLES, given, graded, read_samples
from deliberant.util.files import Row, read_rows, write_json, write_rows

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
    options: dict[str, Any] = {"resamples": recipe.bootstrap, "seed": run.recipe.seed}
    found = {"retrieval": retrieval.rows([each for own in samples.values() for each in own], run.policy, **options)}
    if recipe.thinking:
        found["thinking"] = _thinking(run, samples, options)
    if recipe.budgets:
        found["budgets"] = _budgets(run, options)
    if recipe.worst_of:
        found["worst_of"] = _worst_of(run, recipe.worst_of.k, recipe.worst_of.temperature, options)
    for name, table in found.items():
        write_json(run.root / "evaluate" / f"{name}.json", table)


def _thinking(run: "Run", samples: Mapping[str, list[ScoredSample]], options: Mapping[str, Any]) -> list[Row]:
    sampling, size = run.recipe.evaluate.sampling, run.recipe.evaluate.chunk
    given_to = {arm: list(thinking.forced(arm, samples)) for arm in samples}
    once = {  # arms that think alike ask the same
        (arm, each.case.prompt.id, each.thought): each for arm, all_ in given_to.items() for each in all_
    }
    jobs = []
    for arm in samples:
        own = [each for (of, *_), each in once.items() if of == arm]
        for chunk in _chunks(own, size):
            jobs.append(_Job(arm, [each.case for each in chunk], sampling, thoughts=[each.thought for each in chunk]))
    drawn = dict(zip(once, _drawn(run, "thinking", jobs, {"cuts": thinking.CUTS}), strict=True))
    table = []
    for arm, all_ in given_to.items():
        answers = [(each, drawn[arm, each.case.prompt.id, each.thought]) for each in all_]
        table += thinking.rows(arm, samples[arm], answers, **options)
    return table


def _budgets(run: "Run", options: Mapping[str, Any]) -> list[Row]:
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
        spent: dict[tuple[str, str], list[int]] = {}
        for sample in members:
            spent.setdefault((sample.arm, sample.case.suite), []).append(sample.usage.output)
        for row in result_rows(members, run.policy, **options):
            if row["metric"] in BY_BUDGET:
                used = spent[row["arm"], row["suite"]]
                table.append({**row, "budget": budget, "tokens": round(sum(used) / len(used), 2)})
    return table


def _worst_of(run: "Run", k: int, temperature: float, options: Mapping[str, Any]) -> list[Row]:
    recipe = run.recipe.evaluate
    sampling = replace(recipe.sampling, temperature=temperature)
    jobs = [
        _Job(arm, chunk, sampling, epoch)
        for arm in recipe.arms
        for epoch in range(1, k + 1)
        for chunk in _chunks(run.cases(), recipe.chunk)
    ]
    table = worst.rows(_drawn(run, "worst_of", jobs, {"k": k, "temperature": temperature}), **options)
    return [{**row, "temperature": temperature} for row in table]


def _drawn(run: "Run", name: str, jobs: Sequence[_Job], inputs: Mapping[str, Any]) -> list[ScoredSample]:
    """What the jobs draw, in their order, graded as the arms' own answers are; drawn once."""
    arms = {arm: run.manifest(f"evaluate/{arm}") for arm in run.recipe.evaluate.arms}
    known = {arm: [manifest["key"], manifest["outputs"][SAMPLES]["sha256"]] for arm, manifest in arms.items()}
    folder = run.stage(f"evaluate/{name}", {"arms": known, **inputs})
    if folder.complete:
        return [from_row(row) for row in read_rows(folder.dir / SAMPLES)]

    def work(jobs: Sequence[_Job]) -> list[Row]:
        [job] = jobs
        sampler = run.sampler(job.arm)
        shown = partial(given, run, job.arm, sampler.reasoning)
        seed, reader = run.recipe.seed, run.style_reader
        said = draw(job.arm, sampler, job.cases, job.sampling, seed, reader, shown, job.epoch, job.thoughts)
        return list(map(to_row, said))

    samples = [from_row(row) for row in run.in_chunks(folder, DRAWN[0], jobs, 1, work)]
    if run.style_reader is None:
        samples = graded(run, folder, samples)
    write_rows(folder.dir / SAMPLES, map(to_row, samples))
    for file in DRAWN:
        (folder.dir / file).unlink(missing_ok=True)
    unscored = sum(sample.unscored for sample in samples)
    folder.finish([SAMPLES], {"samples": len(samples), **count(samples), "unscored": unscored})
    return samples


def _chunks(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))
