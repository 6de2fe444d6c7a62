"""What an incremental run moved, and what it cost, read from its folder.

`evaluate` writes evaluate/moved.json; the report and the end of `deliberant run` show it beside the cost.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from deliberant.evals import ScoredSample
from deliberant.evals.moves import moves
from deliberant.prompts import Prompt
from deliberant.run.folder import read_finished, read_manifest
from deliberant.run.lineage import Lineage, seconds
from deliberant.util.files import read_json

if TYPE_CHECKING:
    from deliberant.run.run import Run

MOVED = "moved.json"
ROWS = ("helpful", "generate", "filter")


def describe_moves(
    run: "Run", lineage: "Lineage[Run]", old: Sequence[ScoredSample], new: Sequence[ScoredSample]
) -> dict[str, Any]:
    """{from, policy, prompts, rows, cases, moves}: the edit, what it touched, what was reused, and what it did."""
    counts = {stage: manifest["counts"] for stage in ROWS if (manifest := read_manifest(run.root / stage))}
    sets = {"sft": run.sft_prompts(), "rl": run.rl_prompts()}
    touched = {_key(each) for name in sets for each in sets[name] if each.id in lineage.touched[name]}
    train, before = (
        {_key(each) for each in (*of.sft_prompts(), *of.rl_prompts()) if each.categories} for of in (run, lineage.old)
    )
    cases = run.cases()
    known = {case.prompt.id: case.prompt.messages for case in lineage.old.cases()}
    return {
        "from": lineage.old.root.name,
        "policy": list(lineage.diff.lines()),
        "prompts": {
            "touched": len(touched),
            "untouched": len(train - touched),
            "added": len(train - before),
            "removed": len(before - train),
        },
        "rows": {stage: {name: counted[name] for name in ("reused", "made")} for stage, counted in counts.items()},
        "cases": {
            "touched": sum(map(lineage.touches, cases)),
            "untouched": sum(not lineage.touches(case) for case in cases),
            "not compared": sum(known.get(case.prompt.id) != case.prompt.messages for case in cases),
        },
        "moves": moves(
            old, new, run.policy, lineage.touches, resamples=run.recipe.evaluate.bootstrap, seed=run.recipe.seed
        ),
    }


def _key(prompt: Prompt) -> tuple[str, str]:
    """Two prompt files may use the same ids, and share no family."""
    return prompt.family, prompt.id


def read_moved(root: Path) -> dict[str, Any] | None:
    """What `moved` left in a run folder, None where the run continues none. RunError where it was changed since."""
    manifest = read_finished(root, "evaluate")
    if manifest is None or MOVED not in manifest["outputs"]:
        return None
    return cast(dict[str, Any], read_json(root / "evaluate" / MOVED, "restore it"))


def compare_cost(root: Path) -> dict[str, Any] | None:
    """Seconds of an incremental run by stage, beside those of the last full run; None where the run continues none.

    {full, stages: [{stage, seconds, full}], seconds, same, whole}: `full` names that run, `same` is what the stages of
    this one took there, `whole` all of its stages. Seconds are those of the process that finished a stage.
    """
    note = read_json(root / "run.json", "give the recipe, which writes it anew").get("from")
    if note is None:
        return None
    before: dict[str, float] = note["seconds"]
    now = dict(seconds(root))
    order = sorted(now, key=lambda stage: list(before).index(stage) if stage in before else len(before))
    return {
        "full": note["full"],
        "stages": [{"stage": stage, "seconds": now[stage], "full": before.get(stage)} for stage in order],
        "seconds": sum(now.values()),
        "same": sum(taken for stage, taken in before.items() if stage in now),
        "whole": sum(before.values()),
    }
