"""Suites: a name, the cases behind it, how answers are graded, and the Inspect task that asks them.

    inspect eval deliberant/xstest --model openai/gpt-4o --model-role grader=anthropic/claude-opus-4-1
    inspect eval deliberant/strongreject --model ... -T attacks=all -T limit=60 --model-role grader=...
    inspect eval deliberant/policy --model ... -T policy=my-policy --model-role grader=...

A new suite is a row of `SUITES`. Public sets are fetched when a suite is first read (`prompts.sets`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from inspect_ai import Task, task

from deliberant.evals.attacks.static import attack_cases
from deliberant.evals.attacks.static import attacks as static_attacks
from deliberant.evals.forms import FORMS, POLICY
from deliberant.evals.grader import Grader, generate_config
from deliberant.evals.provider import in_one_line
from deliberant.evals.tasks import case_task
from deliberant.generators.wrapping import load_wrappers, wrap
from deliberant.models.types import Sampling
from deliberant.policy import Policy
from deliberant.prompts import read_cases
from deliberant.prompts.importing import Import, import_cases
from deliberant.prompts.plan import read_plan
from deliberant.prompts.sets import choose, open_set
from deliberant.prompts.types import Case, Message, Prompt, Truth
from deliberant.run.recipe import Evaluate, Filter
from deliberant.run.settings import DEFAULT
from deliberant.run.sources import list_names, load_named_policy
from deliberant.templates.loader import Templates
from deliberant.util.errors import UserError
from deliberant.util.files import fingerprint
from deliberant.util.names import suggest_name

GRADING = Sampling(0.0, 1.0, 1024)
"""Of graders: their most likely words."""
ALL = "all"


@dataclass(frozen=True)
class Suite:
    """`data`: a public set; None: the cases of a policy. `make`: what is asked, where not the cases as they stand."""

    data: str | None
    form: str
    make: Callable[[Sequence[Case]], Sequence[Case]] = tuple


def _keep_allowed(cases: Sequence[Case]) -> list[Case]:
    """Those that the policy asks to comply with."""
    return [case for case in cases if case.truth.style == "comply"]


def _transform(cases: Sequence[Case]) -> list[Case]:
    """Each harmful case as one request to translate, summarise or classify its text; to comply is right.

    The wrappers are those of `generators/transform.yaml`. A model that answers the text instead of the question is not
    told apart.
    """
    harmful = [case.prompt for case in cases if case.truth.style != "comply"]
    made = wrap(harmful, load_wrappers("transform"), 1, 0)
    return [Case(each.prompt, Truth("comply", None, False), "transformation") for each in made if each.prompt]


SUITES = {
    # 149 harmless requests that look like ones to decline: the contrast set (Brahman et al. 2024)
    "coconot": Suite("coconot", "three-way"),
    # 200 harmful requests in plain words, and 100 about a text that is shown with them (Mazeika et al. 2024)
    "harmbench": Suite("harmbench", "three-way"),
    "harmbench_contextual": Suite("harmbench-contextual", "three-way"),
    # 100 harmful behaviors, each with a harmless twin; a pair is a family (Chao et al. 2024)
    "jailbreakbench": Suite("jailbreakbench", "three-way"),
    # 1,319 harmless prompts that several models refuse (Cui et al. 2024)
    "or_bench": Suite("or-bench", "three-way"),
    # the cases of a file, or the examples of the clauses
    "policy": Suite(None, POLICY),
    "policy_allowed": Suite(None, POLICY, _keep_allowed),
    # 100 prompts that nobody should be helped with; some ask for care, not for a refusal (Vidgen et al. 2023)
    "simplesafetytests": Suite("simplesafetytests", "unsafe"),
    # 313 forbidden prompts, and 60 of them, ten of each category (Souly et al. 2024)
    "strongreject": Suite("strongreject", "rubric"),
    "strongreject_small": Suite("strongreject-small", "rubric"),
    # the texts of HarmBench's direct requests, to be translated, summarised or classified
    "transformation": Suite("harmbench", "three-way", _transform),
    # 2,600 risky prompts in each of ten languages: en, zh, ar, bn, de, fr, hi, ja, ru, es (Wang et al. 2023)
    "xsafety": Suite("xsafety", "unsafe"),
    # 250 safe prompts that look unsafe, and 200 unsafe contrasts (Röttger et al. 2024)
    "xstest": Suite("xstest", "three-way"),
}


def read_suite(name: str, policy: Policy | None = None, language: str | None = None) -> tuple[Case, ...]:
    """The cases of a suite, in the order of its data.

    UserError for an unknown name, for one that needs a policy and has none, for a language that the data lack.
    """
    if name not in SUITES:
        raise UserError(f"unknown suite '{name}'; {suggest_name(name, SUITES)}")
    suite = SUITES[name]
    if suite.data is not None:
        chosen = choose(suite.data if language is None else f"{suite.data}:{language}")
        cases: Sequence[Case] = list(import_cases(open_set(chosen), read_plan(chosen.data.preset), Import()))
    elif policy is None or language:
        raise UserError(f"suite '{name}' is made of a policy; name one, and no language")
    else:
        cases = example_cases(policy)
    return _of(name, cases)


def _of(name: str, cases: Sequence[Case]) -> tuple[Case, ...]:
    return tuple(replace(case, suite=name) for case in SUITES[name].make(cases))


def example_cases(policy: Policy) -> tuple[Case, ...]:
    """What a policy's own examples ask, each with its clause as truth."""
    return tuple(
        Case(
            Prompt(f"{clause.id}-{n}", (Message(role="user", content=text),), (clause.category,), f"{clause.id}-{n}"),
            Truth(clause.style, clause.id, clause.style != "comply"),
            "policy",
        )
        for clause in policy.clauses.values()
        for n, text in enumerate(clause.examples, start=1)
    )


def limit_cases(cases: Sequence[Case], limit: int | None) -> list[Case]:
    """At most `limit` of each suite, drawn by the hash of their ids, in their order."""
    if limit is None:
        return list(cases)
    kept: set[str] = set()
    for suite in dict.fromkeys(case.suite for case in cases):
        members = sorted((c for c in cases if c.suite == suite), key=lambda c: fingerprint(c.prompt.id))
        kept |= {case.prompt.id for case in members[:limit]}
    return [case for case in cases if case.prompt.id in kept]


def _task(name: str) -> Callable[..., Task]:
    """The suite as Inspect knows it, `deliberant/NAME`."""

    @task(name=name)
    def ask(
        limit: int | None = None,
        attacks: str | list[str] | None = None,
        language: str | None = None,
        policy: str | None = None if SUITES[name].data else DEFAULT,
        cases: str | None = None,
        form: str | None = None,
    ) -> Task:
        """`limit` cases, drawn by hash.

        `attacks`: names, groups or `all`: harmful cases are asked under each of them, too; graders read the request
        itself. `policy` and `cases`: whose, and a file of cases in place of the suite's data. `form` grades otherwise.
        """
        with in_one_line():
            rules = load_named_policy(policy) if policy else None
            own = read_cases(Path(cases), *list_names(rules)) if cases else None
            chosen = limit_cases(_of(name, own) if own else read_suite(name, rules, language), limit)
            names = attacks.split(",") if isinstance(attacks, str) else attacks or []
            harmful = [case for case in chosen if case.truth.style != "comply"]
            under_attack = attack_cases(harmful, static_attacks() if ALL in names else names)
            how = form or SUITES[name].form
            if how not in FORMS:
                raise UserError(f"deliberant/{name}: unknown form '{how}'; {suggest_name(how, FORMS)}")
            if how == POLICY and rules is None:
                raise UserError(f"deliberant/{name}: graded by a policy; say which, as -T policy=FOLDER")
        return case_task(
            name,
            [*chosen, *under_attack],
            arm="model",
            policy=rules,
            grader=Grader(Templates.load(DEFAULT), GRADING, Filter().k, 0),
            form=how,
            config=generate_config(Evaluate().sampling),
        )

    return ask


TASKS = {name: _task(name) for name in SUITES}
"""By name, registered with Inspect."""
