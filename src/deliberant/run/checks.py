"""What would stop a run hours later, or make its figures wrong: looked for before its folder is made.

These checks are not made where prompts are read: a run that exists was made of them, perhaps by a version without them.
"""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from deliberant.judge import verdict_rule
from deliberant.policy import Policy, traces
from deliberant.prompts import Case, Prompt, assert_texts_disjoint, find_line, locate_case
from deliberant.run.arms import ARMS, trained_by
from deliberant.run.recipe import Recipe, Rl, Sft
from deliberant.run.schedule import plan_prompts
from deliberant.run.sources import cases_file
from deliberant.util.errors import UserError
from deliberant.util.processes import count

if TYPE_CHECKING:
    from deliberant.run.run import Run


def check(run: "Run", stages: Sequence[str]) -> None:
    """UserError for the first thing that speaks against a run with these stages, with its file and line."""
    sets, recipe = run.sets, run.recipe
    for role, model in recipe.judge:
        if model is not None:
            verdict_rule(run.judge_templates(role))
    file = cases_file(recipe)
    if run.lineage and "documents" in stages:
        raise UserError("from_run: documents are not made anew for an edit; leave out the midtrained arms, or --from")
    if run.lineage:
        run.lineage.check(run, [*stages[:-1], *(f"evaluate/{arm}" for arm in recipe.evaluate.arms)])
    assert_texts_disjoint([*sets.sft, *sets.rl, *sets.helpful], [case.prompt for case in sets.cases], file)
    check_truths(sets.cases, run.policy, file)
    if sets.rl != sets.sft:
        _check_families(run)
    for name, prompts in (("sft", sets.sft), ("rl", sets.rl), ("helpful", sets.helpful)):
        _check_no_policy_text(run, name, prompts)
    if "generate" in stages and not any(prompt.categories for prompt in sets.sft):
        raise UserError(
            "prompts.sft: no prompt has a category, so there is nothing to fine-tune on; name some of the policy's, "
            "or leave the arms that sft trains out of evaluate.arms"
        )
    if {*trained_by("rl")} & {*stages}:
        plan_prompts(run)  # raises where there are too few prompts


def sequences_each(recipe: Sft) -> int:
    """Training sequences in one forward pass of one process. UserError where a step's do not divide."""
    return _each(max(1, recipe.batch_size // recipe.packing), recipe.passes * count(), "sft.batch_size by sft.packing")


def completions_each(recipe: Rl) -> int:
    """Completions in one forward pass of one process. UserError where `rl.batch_size` does not divide."""
    return _each(recipe.batch_size, count(), "rl.batch_size")


def _each(rows: int, parts: int, key: str) -> int:
    if rows % parts:
        what = f"{parts} equal parts ({count()} processes)" if count() > 1 else f"sft.passes: {parts} equal parts"
        raise UserError(f"{key}: {rows} cannot be divided into {what}; change one of them")
    return rows // parts


def check_shares(recipe: Recipe, stages: Sequence[str]) -> None:
    """UserError where one of these stages cannot run in this launch: its work cannot be shared, or vLLM is missing."""
    trained = {ARMS[stage].stage for stage in stages if stage in ARMS}
    if "sft" in trained:
        sequences_each(recipe.sft)
    if "rl" in trained:
        completions_each(recipe.rl)
        if recipe.rl.vllm != "off" and find_spec("vllm") is None:
            raise UserError("rl.vllm: vLLM is not installed here; pip install vllm (with a GPU), or write rl.vllm: off")


def check_truths(cases: Sequence[Case], policy: Policy, file: Path | None) -> None:
    """UserError naming the first case whose truth is not what its clause asks for, or not a clause of its categories.

    `file` is that of the cases, where they have one.
    """
    for case in cases:
        truth, prompt = case.truth, case.prompt
        if truth.clause is None:
            continue
        clause = policy.clause(truth.clause)
        if truth.style != clause.style:
            wrong = f"asks for {truth.style} by clause {clause.id}, which asks for {clause.style}"
        elif clause.category not in prompt.categories:
            wrong = f"names clause {clause.id} of category {clause.category}, which is none of the case's"
        else:
            continue
        raise UserError(
            f"{locate_case(file, prompt)}the truth of case '{prompt.id}' {wrong}; correct the case, or the policy"
        )


def _check_families(run: "Run") -> None:
    """UserError for the first family in both sets: RL cannot practise on what was fine-tuned on."""
    known = {prompt.family: prompt.id for prompt in run.sft_prompts()}
    for prompt in run.rl_prompts():
        if (same := known.get(prompt.family)) is not None:
            raise UserError(
                f"{_place_in(run, 'rl', prompt)}: family '{prompt.family}' is in prompts.rl (prompt '{prompt.id}') and "
                f"in prompts.sft (prompt '{same}'); move it to one of them, or name one file for both"
            )


def _check_no_policy_text(run: "Run", name: str, prompts: Sequence[Prompt]) -> None:
    """UserError for the first prompt with text of the policy, which the model is to recall without it."""
    passages = traces(run.policy)
    for prompt in prompts:
        if trace := next((each for each in passages for turn in prompt.messages if each in turn["content"]), None):
            raise UserError(
                f"{_place_in(run, name, prompt)}: prompt '{prompt.id}' holds text of the policy "
                f"({trace.splitlines()[-1]!r}), which must not come into training; leave that prompt out"
            )


def _place_in(run: "Run", name: str, prompt: Prompt) -> str:
    """The file of a prompt of this set, and its line where that is one of ours."""
    files, more = run.recipe.prompts, run.recipe.more
    source = more if isinstance(files, str) else getattr(files, name)
    assert source is not None, f"the built-in world made a wrong prompt: {prompt.id}"
    return f"{source}:{find_line(Path(source), prompt.id)}" if isinstance(source, str) else str(source.file)
