"""Suites: a name, the cases behind it, how answers are graded, and the Inspect task that asks them.

    inspect eval deliberant/xstest --model openai/gpt-4o --model-role grader=anthropic/claude-opus-4-1
    inspect eval deliberant/strongreject --model ... -T attacks=all -T limit=60 --model-role grader=...

Each file of `suites/` has one or two. Public sets are fetched when a suite is first read (`prompts.sets`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Literal

from inspect_ai import Task

from deliberant.evals.attacks.static import attacked
from deliberant.evals.attacks.static import attacks as static_attacks
from deliberant.evals.forms import FORMS, POLICY
from deliberant.evals.grader import Grader, generate_config
from deliberant.evals.provider import in_one_line
from deliberant.evals.tasks import case_task
from deliberant.models.types import Sampling
from deliberant.policy import Policy
from deliberant.prompts import read_cases
from deliberant.prompts.importing import Import, import_cases
from deliberant.prompts.plan import read_plan
from deliberant.prompts.sets import choose, open_set
from deliberant.prompts.types import Case, Message, Prompt, Truth
from deliberant.run.recipe import DEFAULT, Evaluate, Filter
from deliberant.run.sources import names_in, policy_named
from deliberant.templates.loader import Templates
from deliberant.util.errors import UserError
from deliberant.util.files import fingerprint
from deliberant.util.names import nearest

Side = Literal["harm", "over-refusal", "both"]
GRADING = Sampling(0.0, 1.0, 1024)
"""Of graders: their most likely words."""
ALL = "all"


@dataclass(frozen=True)
class Suite:
    """`data`: a public set; None: the cases of a policy. `headline`: the metric that is quoted.

    `make`: what is asked, where that is not the cases of the data as they stand.
    """

    name: str
    title: str
    side: Side
    data: str | None
    form: str
    headline: str
    make: Callable[[Sequence[Case]], Sequence[Case]] = tuple


SUITES: dict[str, Suite] = {}


def add(suite: Suite) -> Suite:
    """Make a suite known by its name."""
    assert suite.form in FORMS and SUITES.get(suite.name, suite) == suite
    SUITES[suite.name] = suite
    return suite


def read_suite(name: str, policy: Policy | None = None, language: str | None = None) -> tuple[Case, ...]:
    """The cases of a suite, in the order of its data.

    UserError for an unknown name, for one that needs a policy and has none, for a language that the data lack.
    """
    if name not in SUITES:
        raise UserError(f"unknown suite '{name}'; {nearest(name, SUITES)}")
    suite = SUITES[name]
    if suite.data is not None:
        cases: Sequence[Case] = read_set(suite.data if language is None else f"{suite.data}:{language}")
    elif policy is None:
        raise UserError(f"suite '{name}' is made of a policy; name one")
    else:
        cases = example_cases(policy)
    return _of(suite, cases)


def _of(suite: Suite, cases: Sequence[Case]) -> tuple[Case, ...]:
    return tuple(replace(case, suite=suite.name) for case in suite.make(cases))


def read_set(name: str) -> tuple[Case, ...]:
    """A public set, or NAME:LANGUAGE, as cases. UserError as `prompts.sets` and `prompts.importing` raise it."""
    chosen = choose(name)
    return tuple(import_cases(open_set(chosen), read_plan(chosen.data.preset), Import()))


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


def limited(cases: Sequence[Case], limit: int | None) -> list[Case]:
    """At most `limit` of each suite, drawn by the hash of their ids, in their order."""
    if limit is None:
        return list(cases)
    kept: set[str] = set()
    for suite in dict.fromkeys(case.suite for case in cases):
        members = sorted((c for c in cases if c.suite == suite), key=lambda c: fingerprint(c.prompt.id))
        kept |= {case.prompt.id for case in members[:limit]}
    return [case for case in cases if case.prompt.id in kept]


def suite_task(
    suite: Suite,
    *,
    limit: int | None = None,
    attacks: str | Sequence[str] | None = None,
    language: str | None = None,
    policy: str | None = None,
    cases: str | None = None,
    form: str | None = None,
    arm: str = "model",
) -> Task:
    """The Inspect task of a suite. `limit` cases, drawn by hash.

    `attacks`: names, groups or `all`: harmful cases are asked under each of them, too; graders read the request itself.
    `policy` and `cases`: whose, and a file of cases in place of the suite's data. `form` grades otherwise.
    """
    with in_one_line():
        rules = policy_named(policy) if policy else None
        own = read_cases(Path(cases), *names_in(rules)) if cases else None
        chosen = limited(_of(suite, own) if own else read_suite(suite.name, rules, language), limit)
        names = attacks.split(",") if isinstance(attacks, str) else list(attacks or ())
        harmful = [case for case in chosen if case.truth.style != "comply"]
        under_attack = attacked(harmful, static_attacks() if ALL in names else names)
        how = form or suite.form
        if how not in FORMS:
            raise UserError(f"deliberant/{suite.name}: unknown form '{how}'; {nearest(how, FORMS)}")
        if how == POLICY and rules is None:
            raise UserError(f"deliberant/{suite.name}: graded by a policy; say which, as -T policy=FOLDER")
    grader = Grader(Templates.load(DEFAULT), GRADING, Filter().k, 0)
    return case_task(
        suite.name,
        [*chosen, *under_attack],
        arm=arm,
        policy=rules,
        grader=grader,
        form=how,
        config=generate_config(Evaluate().sampling),
    )


def _gather() -> None:
    """Import every file of `suites/`, which adds what it has."""
    from deliberant.evals import suites

    for module in iter_modules(suites.__path__, f"{suites.__name__}."):
        import_module(module.name)


_gather()
