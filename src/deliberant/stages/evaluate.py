"""Stage evaluate: every arm answers every case, and what it did is counted (paper, sections 3 and 4).

    deliberant evaluate RUN

Each arm's answers are drawn in chunks, as every stage draws, and written as an Inspect log, too, that `inspect view`
opens; base+spec is the base model with the summaries of all categories as its system message (section 4.1). Styles are
read off the answer mechanically where the run has a reader for its world. Elsewhere the evaluation judge scores the
answer against the policy, and "meets the threshold" stands for the style asked for.

An RL arm that was not kept has the weights that it started from, and the answers of that arm where there are any. In
an incremental run the answers of `base`, and of `base+spec` where the summaries are the same, are the old run's. Every
other arm answers all cases anew.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from deliberant.evals.metrics import rows as result_rows
from deliberant.evals.samples import ScoredSample, from_row
from deliberant.models.types import Reasoning
from deliberant.policy import summary_view
from deliberant.run.arms import ARMS, BASE
from deliberant.run.folder import StageFolder, command, read_finished, read_manifest
from deliberant.stages.answers import DRAWN, SAMPLES, ask_arm, finish, grade_by_judge, messages_for_arm, read_samples
from deliberant.stages.measures import measure
from deliberant.stages.moved import MOVED, describe_moves
from deliberant.training.held_out import read_gains
from deliberant.util.errors import UserError
from deliberant.util.files import Row, read_json, write_json

if TYPE_CHECKING:
    from deliberant.run.run import Run

RESULTS = "results.json"
LOG = "cases.eval"


def evaluate(run: "Run", arm: str | None = None) -> None:
    """Writes evaluate/<arm>/{samples.jsonl, cases.eval} for each arm of the recipe, then evaluate/results.json.

    Where `arm` is given, those of this arm alone.

    A finished arm is not evaluated again. An incremental run also leaves evaluate/moved.json; what stages/measures.py
    adds comes last. Raises UserError when an arm has not been trained, RunError when more than `filter.max_unscored` of
    its answers stay unscored by the judge.
    """
    if arm is not None:
        return _evaluate_arm(run, arm)
    arms = run.recipe.evaluate.arms
    for arm in sorted(arms, key=list(ARMS).index):  # starts come before the RL arms that may have their answers
        _evaluate_arm(run, arm)
    files = {arm: _answers_hash(run, arm) for arm in arms}
    inputs = {"samples": files, "policy": run.policy.hash, "evaluate": run.recipe.evaluate.shaping}
    if run.lineage:
        inputs["from"] = {arm: _answers_hash(run.lineage.old, arm) for arm in arms}
    folder = run.stage("evaluate", inputs)
    if folder.complete:
        return measure(run)
    samples = [sample for arm in arms for sample in read_samples(run.root, arm)]
    table = result_rows(samples, run.policy, resamples=run.recipe.evaluate.bootstrap, seed=run.recipe.seed)
    write_json(folder.dir / RESULTS, table)
    outputs = [RESULTS]
    if run.lineage:
        before = [sample for arm in arms for sample in read_samples(run.lineage.old.root, arm)]
        write_json(folder.dir / MOVED, describe_moves(run, run.lineage, before, samples))
        outputs.append(MOVED)
    folder.finish(outputs, {"arms": len(arms), "samples": len(samples), "rows": len(table)})
    measure(run)


def results(run_root: Path) -> list[Row]:
    """The result rows of a run folder: {arm, suite, metric, value, low, high, n, unscored, truncated, empty,
    blocked}.

    UserError where there are none yet, RunError where they were changed since.
    """
    path = run_root / "evaluate" / RESULTS
    if read_finished(run_root, "evaluate") is None:
        raise UserError(f"{path}: no results yet; run `{command('evaluate', run_root)}` first")
    return cast(list[Row], read_json(path, "restore it", list))


def _answers_hash(run: "Run", arm: str) -> str:
    """Checks that the file of the arm's answers is as it was written."""
    return run.manifest(f"evaluate/{arm}")["outputs"][SAMPLES]["sha256"]


def _reusable(run: "Run", arm: str) -> bool:
    """Whether the old run asked this arm exactly the same: by model, cases and their order, system message."""
    if run.lineage is None or ARMS[arm].stage or not run.lineage.same_cases(run):
        return False
    return not ARMS[arm].summaries or summary_view(run.lineage.old.policy) == summary_view(run.policy)


def _twin(run: "Run", arm: str) -> str | None:
    """The arm of this run that has the same weights and has answered: the start of an RL arm that was not kept."""
    gain = read_gains(run.root).get(arm)
    start = ARMS[arm].start
    if gain is None or gain["kept"] or (run.lineage and start == BASE):  # which went on from the old run's
        return None
    return start if read_manifest(run.root / "evaluate" / start) else None


def _evaluate_arm(run: "Run", arm: str) -> None:
    recipe = run.recipe.evaluate
    inputs = {
        "base": run.covers["base"],
        "cases": run.covers["prompts"],
        "policy": run.policy.hash,
        "sampling": recipe.sampling,
        "chunk": recipe.chunk,
        "seed": run.recipe.seed,
    }
    if run.style_reader is None:
        templates = run.judge_templates("evaluate")
        inputs |= {"judge": run.covers["evaluate"], "templates": templates.hash, "filter": run.recipe.filter}
    reuse = run.lineage if _reusable(run, arm) else None
    if reuse:
        inputs["from"] = _answers_hash(reuse.old, arm)
    folder = run.stage(f"evaluate/{arm}", inputs)
    if folder.complete:
        return
    twin = _twin(run, arm)
    if reuse:
        before = read_samples(reuse.old.root, arm)
        samples = [replace(was, case=case) for was, case in zip(before, run.cases(), strict=True)]
    elif twin:
        _answers_hash(run, twin)
        samples = [replace(was, arm=arm) for was in read_samples(run.root, twin)]
    else:
        samples = _ask_all_cases(run, arm, folder)
    if run.style_reader is None and not twin:
        samples = grade_by_judge(run, folder, samples)
    _write_log(run, arm, folder, samples)
    finish(folder, samples, [SAMPLES, LOG], {"reused": len(samples)} if reuse or twin else {})


def _ask_all_cases(run: "Run", arm: str, folder: StageFolder) -> list[ScoredSample]:
    """What the arm says to every case, its style read where the run's world can."""
    recipe = run.recipe.evaluate
    rows = run.in_chunks(
        folder, DRAWN[0], run.cases(), recipe.chunk, lambda cases: ask_arm(run, arm, cases, recipe.sampling)
    )
    return [from_row(row) for row in rows]


def _write_log(run: "Run", arm: str, folder: StageFolder, samples: Sequence[ScoredSample]) -> None:
    from deliberant.evals.log import write_log

    trained = ARMS[arm].stage is not None
    reasoning: Reasoning = "native" if trained else run.recipe.base.reasoning
    write_log(
        folder.dir / LOG,
        samples,
        run.policy,
        id=folder.key,
        model=f"deliberant/{run.root.name}/{arm}" if trained else _log_name(run.models[BASE].model),
        grader=None if run.style_reader else _log_name(run.models["evaluate"].model),
        sampling=run.recipe.evaluate.sampling,
        given=lambda case: messages_for_arm(run, arm, reasoning, case.prompt.messages),
        metadata={"run": run.root.name, "arm": arm, "policy": run.policy.hash, "key": folder.key},
    )


def _log_name(model: str) -> str:
    """A model's name in logs: of a folder its name alone, since others have it elsewhere."""
    return f"deliberant/{Path(model).name if Path(model).is_absolute() else model}"
