"""Stage evaluate: every arm answers every case, and what it did is counted (paper, sections 3 and 4).

    deliberant evaluate RUN

Each arm is one Inspect evaluation, so its log opens in `inspect view`; base+spec is the base model with the summaries
of all categories as its system message (section 4.1). Styles are read off the answer mechanically where the run has a
reader for its world. Elsewhere the recipe's judge scores the answer against the policy, and "meets the threshold"
stands for the style asked for; where that judge also gave the rewards, the report says so.

An RL arm that was not kept has the weights that it started from, and the answers of that arm where there are any. In
an incremental run the answers of `base`, and of `base+spec` where the summaries are the same, are the old run's. Every
other arm answers all cases anew.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from deliberant.evals.metrics import rows as result_rows
from deliberant.evals.samples import ScoredSample, from_row, to_row
from deliberant.judge import RewardRequest, minimum
from deliberant.policy import spec_view, summary_view
from deliberant.prompts.types import Style
from deliberant.run.arms import ARMS, BASE
from deliberant.run.folder import StageFolder, command, finished, read_manifest
from deliberant.stages.moved import MOVED, moved
from deliberant.training.held_out import read_gains
from deliberant.util.errors import RunError, UserError
from deliberant.util.files import read_json, read_rows, write_json, write_rows

if TYPE_CHECKING:
    from deliberant.run.run import Run

RESULTS = "results.json"
LOG = "cases.eval"


def evaluate(run: "Run") -> None:
    """Writes evaluate/<arm>/{samples.jsonl, cases.eval} for each arm of the recipe, then evaluate/results.json.

    A finished arm is not evaluated again. An incremental run also leaves evaluate/moved.json. Raises UserError when an
    arm has not been trained, RunError when an evaluation breaks or more than `filter.max_unscored` of its answers stay
    unscored by the judge.
    """
    arms = run.recipe.evaluate.arms
    for arm in sorted(arms, key=list(ARMS).index):  # starts come before the RL arms that may have their answers
        _evaluate_arm(run, arm)
    files = {arm: _manifest(run, arm)["outputs"]["samples.jsonl"]["sha256"] for arm in arms}
    inputs = {"samples": files, "policy": run.policy.hash, "evaluate": run.recipe.evaluate}
    if run.lineage:
        inputs["from"] = {arm: _manifest(run.lineage.old, arm)["outputs"]["samples.jsonl"]["sha256"] for arm in arms}
    folder = run.stage("evaluate", inputs)
    if folder.complete:
        return
    samples = [sample for arm in arms for sample in read_samples(run.root, arm)]
    table = result_rows(samples, run.policy, resamples=run.recipe.evaluate.bootstrap, seed=run.recipe.seed)
    write_json(folder.dir / RESULTS, table)
    outputs = [RESULTS]
    if run.lineage:
        before = [sample for arm in arms for sample in read_samples(run.lineage.old.root, arm)]
        write_json(folder.dir / MOVED, moved(run, run.lineage, before, samples))
        outputs.append(MOVED)
    folder.finish(outputs, {"arms": len(arms), "samples": len(samples), "rows": len(table)})


def results(run_root: Path) -> list[dict[str, Any]]:
    """The result rows of a run folder: {arm, suite, metric, value, low, high, n, unscored, truncated, empty}.

    UserError where there are none yet, RunError where they were changed since.
    """
    path = run_root / "evaluate" / RESULTS
    if finished(run_root, "evaluate") is None:
        raise UserError(f"{path}: no results yet; run `{command('evaluate', run_root)}` first")
    return cast(list[dict[str, Any]], read_json(path, "restore it", list))


def read_samples(run_root: Path, arm: str) -> list[ScoredSample]:
    """What an evaluated arm answered, in the order of the cases."""
    return [from_row(row) for row in read_rows(run_root / "evaluate" / arm / "samples.jsonl")]


def _manifest(run: "Run", arm: str) -> Any:
    return run.manifest(f"evaluate/{arm}")


def _reusable(run: "Run", arm: str) -> bool:
    """Whether the old run asked this arm the very same: the same model, cases in the same order, system message."""
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
        inputs["from"] = _manifest(reuse.old, arm)["outputs"]["samples.jsonl"]["sha256"]
    folder = run.stage(f"evaluate/{arm}", inputs)
    if folder.complete:
        return
    twin = _twin(run, arm)
    if reuse:
        before = read_samples(reuse.old.root, arm)
        samples = [replace(was, case=case) for was, case in zip(before, run.cases(), strict=True)]
    elif twin:
        _manifest(run, twin)  # checks that the file is as it was written
        samples = [replace(was, arm=arm) for was in read_samples(run.root, twin)]
    else:
        samples = _inspect(run, arm, folder)
    if run.style_reader is None and not twin:
        samples = _judged(run, folder, samples)
    write_rows(folder.dir / "samples.jsonl", map(to_row, samples))
    counts = {
        "samples": len(samples),
        "truncated": sum(sample.stop == "length" for sample in samples),
        "empty": sum(sample.empty for sample in samples),
        "unscored": sum(sample.unscored for sample in samples),
    }
    if reuse or twin:
        folder.finish(["samples.jsonl"], counts | {"reused": len(samples)})
    else:
        folder.finish(["samples.jsonl", LOG], counts)


def _inspect(run: "Run", arm: str, folder: StageFolder) -> list[ScoredSample]:
    """One Inspect evaluation in this process; its log becomes cases.eval."""
    from inspect_ai import eval as inspect_eval

    from deliberant.evals.batching import Batcher
    from deliberant.evals.provider import arm_model
    from deliberant.evals.tasks import cases_task

    cases = run.cases()
    for stale in folder.dir.glob("*.eval"):  # of a killed run
        stale.unlink()
    with run.progress(folder.name, len(cases)) as bar:
        batcher = Batcher(
            run.sampler(arm),
            gather=len(cases),
            quiet=60,  # all cases gather; a pause only means that the machine is busy
            chunk=run.recipe.evaluate.chunk,
            advance=bar.advance,
        )
        task = cases_task(
            cases,
            arm=arm,
            system=summary_view(run.policy) if ARMS[arm].summaries else None,
            reader=run.style_reader,
            sampling=run.recipe.evaluate.sampling,
            seed=run.recipe.seed,
        )
        with ThreadPoolExecutor(1) as apart:  # Ctrl-C falls into the main thread only, and Inspect is not made for it
            evaluation = apart.submit(
                inspect_eval,
                task,
                model=arm_model(arm, batcher),
                log_dir=str(folder.dir),
                log_format="eval",
                log_realtime=False,
                log_level="error",
                display="none",
                score_display=False,
                acp_server=False,
                ctl_server=False,
                fail_on_error=True,
                max_samples=len(cases),
                max_connections=len(cases),  # or Inspect starts with few and adapts, and batches hang on timing
            )
            try:
                [log] = evaluation.result()
            except KeyboardInterrupt:
                batcher.stop()
                raise
    if batcher.failure is not None:
        raise batcher.failure
    if log.status != "success" or log.samples is None:
        reason = log.error.message if log.error else log.status
        raise RunError(f"{folder.dir}: the evaluation broke ({reason}); its log lies there, the same command retries")
    by_id = {str(sample.id): (sample.scores or {})["response"].metadata or {} for sample in log.samples}
    location = Path(log.location.removeprefix("file://"))
    location.replace(folder.dir / LOG)
    return [
        ScoredSample(case=case, **{**by_id[case.prompt.id], "cited": tuple(by_id[case.prompt.id]["cited"])})
        for case in cases
    ]


def _judged(run: "Run", folder: StageFolder, samples: Sequence[ScoredSample]) -> list[ScoredSample]:
    """The samples with styles by the judge, from the answer alone: the right one, or one of the other side."""
    recipe = run.recipe.filter
    judge = run.judge("evaluate")

    def work(chunk: Sequence[ScoredSample]) -> list[dict[str, Any]]:
        readings = judge.read(
            [
                RewardRequest(
                    sample.case.prompt,
                    sample.answer,
                    spec_view(run.policy, named) if (named := sample.case.prompt.categories) else None,
                )
                for sample in chunk
            ],
            recipe.k,
            run.recipe.seed,
        )
        return [
            {"id": sample.case.prompt.id, "score": minimum(verdicts), "verdicts": [asdict(each) for each in verdicts]}
            for sample, verdicts in zip(chunk, readings, strict=True)
        ]

    answered = [sample for sample in samples if not sample.empty]
    judged = run.in_chunks(folder, "judged.jsonl", answered, recipe.chunk, work)
    unscored = sum(row["score"] is None for row in judged)
    if unscored > recipe.max_unscored * len(judged):
        raise RunError(
            f"{folder.dir}: {unscored} of {len(judged)} answers are unscored (filter.max_unscored allows "
            f"{recipe.max_unscored:.0%}); use another judge, or raise judge.evaluate.max_new_tokens or the limit"
        )
    scores = {row["id"]: row["score"] for row in judged}
    return [
        replace(each, style=style_of(each, score, recipe.threshold), judged=score is not None)
        for each in samples
        for score in [scores.get(each.case.prompt.id)]
    ]


def style_of(sample: ScoredSample, score: int | None, threshold: int) -> Style | None:
    """The style a judge's score stands for; None where there is no score."""
    if score is None:
        return None
    right = sample.case.truth.style
    return right if score >= threshold else "refuse" if right == "comply" else "comply"
