"""What a comparison asks, and how it grades: from words to cases, a policy, and a reader or a grader."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from deliberant.evals.attacks.static import attack_cases, attacks, world_attacks
from deliberant.evals.forms import FORMS, POLICY, grade
from deliberant.evals.samples import ScoredSample, group_by
from deliberant.evals.suite import ALL, SUITES, limit_cases, read_suite
from deliberant.models.types import Sampler, Sampling
from deliberant.prompts import Case, read_cases
from deliberant.run.run import Run
from deliberant.run.sources import list_names, load_named_policy
from deliberant.stages.compare import Contest
from deliberant.templates.loader import Templates
from deliberant.util.errors import UserError
from deliberant.util.files import fingerprint
from deliberant.util.names import suggest_name

ATTACKED = "-attacked"


def make_contest(
    runs: Sequence[Run],
    suites: Sequence[str],
    file: Path | None,
    policy: str | None,
    attack: Sequence[str],
    limit: int | None,
    sampling: Sampling,
    seed: int,
) -> Contest:
    """The cases of `suites` (public ones, or the first run's), of `file`, or of the first run, and their attacked
    versions. UserError: nothing to ask, or a suite that nobody knows.

    `limit` cases of each suite, drawn by the hash of their ids, so that the same are asked of whoever comes later;
    every attack then asks each harmful one of them that is not encoded already.
    """
    run = runs[0] if runs else None
    rules = load_named_policy(policy) if policy else run.policy if run else None
    own: Sequence[Case] = read_cases(file, *list_names(rules)) if file else run.cases() if run else ()
    names = {case.suite for case in own}
    unknown = [name for name in suites if name not in names and name not in SUITES]
    if unknown:
        raise UserError(f"--suite: unknown value '{unknown[0]}'; {suggest_name(unknown[0], [*names, *SUITES])}")
    cases = [case for case in own if not suites or case.suite in suites]
    cases += [case for name in suites if name not in names for case in read_suite(name, rules)]
    if not cases:
        raise UserError("there is nothing to ask; give --suite, --cases with --policy, or a run")
    reads = run.style_reader if run and set(suites) <= names and not file else None
    cases = limit_cases(cases, limit)
    harmful = [case for case in cases if case.truth.style != "comply" and case.plain is None]
    known = list(world_attacks() if reads else attacks())
    asked = list(known if ALL in attack else attack)
    more = [replace(case, suite=f"{case.suite}{ATTACKED}") for case in attack_cases(harmful, asked)]
    return Contest([*cases, *more], rules, sampling, seed, reads)


def add_judge(
    contest: Contest,
    sampler: Sampler,
    name: str,
    sampling: Sampling,
    files: Templates,
    form: str | None = None,
    *,
    k: int = 1,
    threshold: int = 4,
) -> Contest:
    """The contest graded by this judge, each suite in its own form, or all in `form`; no world reads the answers then.

    `files` are the prompt files of the policy form, of whose k readings the lowest counts, right from `threshold` on.
    Where it has a judge already, this one is the second. UserError: no such form.
    """
    if form is not None and form not in FORMS:
        raise UserError(f"--form: unknown value '{form}'; {suggest_name(form, FORMS)}")
    forms = {name: suite.form for name, suite in SUITES.items()}
    grade_by = partial(
        grade,
        sampler=sampler,
        sampling=sampling,
        policy=contest.policy,
        templates=files,
        k=k,
        threshold=threshold,
        seed=contest.seed,
    )

    def graded(samples: Sequence[ScoredSample]) -> list[ScoredSample]:
        by_form = group_by(samples, lambda sample: form or forms.get(sample.case.suite.removesuffix(ATTACKED), POLICY))
        read = [each for how, members in by_form.items() for each in grade_by(members, how)]
        place = {_key(each): n for n, each in enumerate(samples)}
        return sorted(read, key=lambda each: place[_key(each)])

    covers = fingerprint([sampler.identity, form, forms, files.hash, sampling, k, threshold])
    if contest.grade:
        return replace(contest, second=graded, second_judge=name)
    return replace(contest, reader=None, grade=graded, judge=name, covers=covers)


def _key(sample: ScoredSample) -> tuple[str, str, int]:
    return sample.arm, sample.case.prompt.id, sample.epoch
