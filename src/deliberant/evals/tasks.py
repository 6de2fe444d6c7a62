"""The Inspect task `deliberant/cases`: the cases of a run, or of a policy of one's own, answered once and scored.

    inspect eval deliberant/cases --model openai/gpt-4o -T run=runs/<run> --model-role grader=anthropic/claude-opus-4-1
    inspect eval deliberant/cases --model ... -T cases=cases.jsonl -T policy=policy --model-role grader=...

Where answers can be read mechanically (the built-in world) no grader is needed. Scores are 1, 0 or NaN (does not apply,
or unscored, with the reason); Inspect averages what is there.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import GenerateConfig
from inspect_ai.scorer import Score, Scorer, Target, mean, scorer, stderr
from inspect_ai.solver import Generate, Solver, TaskState, solver

from deliberant.evals.forms import POLICY
from deliberant.evals.grader import Grader, generate_config
from deliberant.evals.metrics import Clauses, clause_facts, values
from deliberant.evals.provider import in_one_line, messages_of, read_output, turns
from deliberant.evals.samples import ScoredSample, StyleReader, case_row, reading_row, row_case
from deliberant.evals.scoring import add_summaries, case_seed, read_answer
from deliberant.policy import Policy, summary_view
from deliberant.prompts import Case, read_cases
from deliberant.run.arms import ARMS
from deliberant.run.recipe import Evaluate, Filter
from deliberant.run.roles import JudgeModel
from deliberant.run.run import Run
from deliberant.run.settings import DEFAULT
from deliberant.run.sources import list_names, load_named_policy
from deliberant.templates.loader import Templates
from deliberant.util.errors import UserError


@task
def cases(
    run: str | None = None,
    cases: str | None = None,
    policy: str | None = None,
    suite: str | None = None,
    arm: str = "model",
    summaries: bool = False,
) -> Task:
    """`run` names a run folder, whose recipe says how to ask and to judge; `cases` and `policy` a file and a policy.

    `suite` keeps one suite; `summaries` shows the model the policy's summaries. `arm` is what the model is called; the
    name of a trained arm that cites asks for the right clause, too.
    """
    with in_one_line():
        reader = None
        if run is not None:
            opened = Run.reopen(Path(run))
            rules, every_case, reader = opened.policy, opened.cases(), opened.style_reader
            templates, model = opened.judge_templates("evaluate"), opened.recipe.judge.evaluate
            asking, judging, seed = opened.recipe.evaluate, opened.recipe.filter, opened.recipe.seed
        elif cases is not None and policy is not None:
            rules = load_named_policy(policy)
            every_case = tuple(read_cases(Path(cases), *list_names(rules)))
            templates, model = Templates.load(DEFAULT), JudgeModel(model=DEFAULT)
            asking, judging, seed = Evaluate(), Filter(), 0
        else:
            raise UserError("deliberant/cases: give -T run=FOLDER, or -T cases=FILE and -T policy=FOLDER")
        chosen = [case for case in every_case if suite in (None, case.suite)]
        if not chosen:
            raise UserError(f"deliberant/cases: there is no case of suite '{suite}'")
    return case_task(
        "cases",
        chosen,
        arm=arm,
        policy=rules,
        reader=reader,
        grader=None if reader else Grader(templates, model.sampling, judging.k, seed),
        threshold=judging.threshold,
        system=summary_view(rules) if summaries or (arm in ARMS and ARMS[arm].summaries) else None,
        config=generate_config(asking.sampling),
        seed=seed,
    )


def case_task(
    name: str,
    chosen: Sequence[Case],
    *,
    arm: str,
    policy: Policy | None,
    config: GenerateConfig,
    reader: StyleReader | None = None,
    grader: Grader | None = None,
    form: str = POLICY,
    threshold: int = 4,
    system: str | None = None,
    seed: int = 0,
) -> Task:
    """Cases as an Inspect task: each asked once, its answer read by the world's reader or graded in this form."""
    return Task(
        name=name,
        dataset=MemoryDataset(
            [
                Sample(
                    id=case.prompt.id,
                    input=turns(add_summaries(case.prompt.messages, system)),
                    target=case.truth.style,
                    metadata=case_row(case),
                )
                for case in chosen
            ],
            name=name,
        ),
        solver=answer_once(seed, grader),
        scorer=response(arm, policy, reader, grader, threshold, form),
        config=config,
        metadata={"arm": arm, "form": form, "policy": policy and policy.hash},
    )


@solver
def answer_once(seed: int, grader: Grader | None) -> Solver:
    """One completion per sample, its randomness fixed. A missing grader is noticed before anything is asked."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        if grader:
            grader.model()
        return await generate(state, seed=case_seed(seed, str(state.sample_id), state.epoch))

    return solve


@scorer(metrics={"*": [mean(), stderr(cluster="family")]})
def response(
    arm: str,
    policy: Policy | None,
    reader: StyleReader | None,
    grader: Grader | None,
    threshold: int,
    form: str = POLICY,
) -> Scorer:
    """Reads the style of an answer, or has it graded. Where an attack took several turns they are kept with it."""
    clauses = clause_facts(policy) if policy else {}

    async def score(state: TaskState, target: Target) -> Score:
        sample = read_answer(arm, row_case(state.metadata), read_output(state.output), reader, state.epoch)
        if "queries" in state.metadata:
            sample = replace(sample, turns=messages_of(state.messages))
        if grader:
            sample = await grader.grade(sample, form, policy, threshold)
        return inspect_score(sample, clauses)

    return score


def inspect_score(sample: ScoredSample, clauses: Clauses) -> Score:
    """Every metric's value, the judge's readings as its explanation, and how the answer was read as metadata."""
    readings = [
        f"reading {n}: {each.score or each.unscored}\n\n{each.rationale}" for n, each in enumerate(sample.verdicts, 1)
    ]
    kept = ("complete", "stop", "cited", "style", "judged", "verdicts", "harm", "read", "epoch")
    row = reading_row(sample)
    return Score(
        value={**values(sample, clauses)},
        answer=sample.answer,
        explanation="\n\n---\n\n".join(readings) or None,
        reason=sample.unscored_reason,
        metadata={name: row[name] for name in kept},
    )
