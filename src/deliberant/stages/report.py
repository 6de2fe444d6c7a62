"""Stage report: one page that shows what was trained, what it changed and how sure that is.

    deliberant report RUN

Reads what the other stages left and nothing else, so the same run gives the same page, byte for byte.
"""

from importlib.metadata import version
from pathlib import Path
from platform import python_version
from typing import TYPE_CHECKING, Any

from deliberant.evals import rows as result_rows
from deliberant.evals.robustness import rows as robust_rows
from deliberant.report import Evidence, render
from deliberant.report.facets import ATTACK, LANGUAGE
from deliberant.run.folder import read_manifest
from deliberant.run.run import UPSTREAM
from deliberant.stages.answers import read_samples
from deliberant.stages.coverage import coverage
from deliberant.stages.evaluate import results
from deliberant.stages.moved import compare_cost, read_moved
from deliberant.stages.plan import compare_with_plan
from deliberant.training.held_out import READINGS, read_gains
from deliberant.util.errors import UserError
from deliberant.util.files import read_json, read_rows, write_atomically

if TYPE_CHECKING:
    from deliberant.run.run import Run

STAGES = tuple(UPSTREAM)
CALIBRATION = "calibration.json"
"""In evaluate/: how far the judge that evaluates agrees with people (`judge calibrate --answers`)."""
LIBRARIES = ("torch", "transformers", "trl", "inspect_ai")


def report(run: "Run") -> None:
    """Writes report.html in the run folder, from scratch each time. UserError where the run was not evaluated."""
    if read_manifest(run.root / "evaluate") is None:
        raise UserError(f"{run.root}: has not been evaluated yet; run `deliberant evaluate {run.root}` first")
    write_atomically(run.root / "report.html", render(gather(run)).encode())


def gather(run: "Run") -> Evidence:
    """The run's numbers, samples, manifests and training curves."""
    arms = run.recipe.evaluate.arms
    made = [name for name in STAGES if read_manifest(run.root / name) is not None]
    names = [*made, *(f"evaluate/{arm}" for arm in arms), "evaluate"]
    stages: list[dict[str, Any]] = [dict(run.manifest(name)) for name in names]
    metrics = {name: read_rows(path) for name in made if (path := run.root / name / "metrics.jsonl").exists()}
    notes, held_out = [], read_gains(run.root)
    copied = [arm for arm in arms if "reused" in run.manifest(f"evaluate/{arm}")["counts"]]
    notes += describe_judge(run)
    notes += [
        f"{arm} holds the weights that it started from: reinforcement learning did not raise the rewards of held-out "
        "prompts by more than chance."
        + (" Its answers are copied from the arm that it started from." if arm in copied else "")
        for arm, row in held_out.items()
        if not row["kept"]
    ]
    facts = {
        "policy": f"{run.policy.name}, version {run.policy.version}, hash {run.policy.hash}",
        "base model": f"{run.models['base'].model}, hash {run.covers['base']}",
        **{
            f"judge ({role})": f"{run.models[role].model}, hash {run.covers[role]}"
            for role in ("filter", "reward", "evaluate")
            if role in run.models
        },
        "prompt files": f"{run.recipe.templates}, hash {run.covers['templates']}",
        "prompts": f"{len(run.sft_prompts())} for sft, {len(run.rl_prompts())} for rl"
        f"{' (the same)' * (run.rl_prompts() == run.sft_prompts())}, {len(run.helpful_prompts())} helpful, "
        f"{len(run.cases())} cases; hash {run.covers['prompts']}",
        "seed": str(run.recipe.seed),
        "evaluation sampling": f"temperature {run.recipe.evaluate.temperature:g}, at most "
        f"{run.recipe.evaluate.max_new_tokens} new tokens, reasoning included",
        "intervals": f"95%, {run.recipe.evaluate.bootstrap} bootstrap resamples of prompt families",
        "versions": ", ".join(
            [*(f"deliberant {v}" for v in sorted({stage["version"] for stage in stages})), f"Python {python_version()}"]
            + [f"{name} {version(name)}" for name in LIBRARIES]
        ),
        "code": ", ".join(sorted({stage["code"] for stage in stages})),
    }
    if run.recipe.from_run:
        facts["continues"] = f"{Path(run.recipe.from_run).name}, hash {run.covers['from_run']}"
    samples = {arm: read_samples(run.root, arm) for arm in arms}
    pooled = [sample for members in samples.values() for sample in members]
    rows = [*results(run.root), *robust_rows(pooled), *_rows(run, "budgets"), *_rows(run, "worst_of")]
    for facet in (ATTACK, LANGUAGE):
        rows += result_rows(pooled, run.policy, by=facet)
    return Evidence(
        name=run.root.name,
        policy=run.policy,
        recipe=(run.root / "recipe.resolved.yaml").read_text(encoding="utf-8"),
        facts=facts,
        notes=notes,
        stages=stages,
        rows=rows,
        samples=samples,
        metrics=metrics,
        held_out=held_out,
        readings={arm: read_rows(path) for arm in held_out if (path := run.root / arm / READINGS).exists()},
        moved=read_moved(run.root),
        cost=compare_cost(run.root),
        spent=compare_with_plan(run),
        retrieval=_rows(run, "retrieval"),
        thinking=_rows(run, "thinking"),
        coverage=coverage(run.root) if read_manifest(run.root / "filter") is not None else None,
    )


def describe_judge(run: "Run") -> list[str]:
    """How far to trust rates that a model read; nothing where the run's world reads them."""
    if run.style_reader is not None:
        return []
    judges = run.recipe.judge
    said = [
        f"Styles are what a judge says, {judges.evaluate.model}: an answer that it accepts counts as the style that "
        "the policy asks for."
    ]
    if judges.filter.model == judges.evaluate.model:
        said.append("It also filtered the training samples, so these rates favour the answers it likes.")
    path = run.root / "evaluate" / CALIBRATION
    if not path.exists():
        said.append("Nobody has held it against people yet: deliberant judge calibrate RUN --answers FILE.")
        return [" ".join(said)]
    figures = {row["figure"]: row for row in read_json(path, "delete it and calibrate again")["judge"]}
    right, kappa = figures["accuracy"], figures["Cohen's kappa"]
    ends = [kappa[each] for each in ("value", "low", "high")]
    agreed = "none to tell" if None in ends else "{:.2f} [{:.2f}, {:.2f}], where 0 is chance".format(*ends)
    said.append(
        f"People agree with it on {100 * right['value']:.1f}% of {right['n']} answers; Cohen's kappa: {agreed}."
    )
    return [" ".join(said)]


def _rows(run: "Run", name: str) -> list[dict[str, Any]]:
    """What `measures` counted, where the run has it."""
    path = run.root / "evaluate" / f"{name}.json"
    return list(read_json(path, "delete it and measure again", list)) if path.exists() else []
