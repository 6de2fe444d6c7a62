"""Prompts for clauses that the data does not teach enough.

    deliberant prompts generate clauses RUN --policy POLICY --with MODEL --to more.jsonl --min 20

A clause is thin by the coverage of a run: distinct prompts whose samples cite it. A prompt file says of its prompts to
which category they belong but not which clause decides them, so there only those count that were made for the clause.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from deliberant.generators.writing import Job
from deliberant.judge.judge import with_fence
from deliberant.policy import Clause, Policy
from deliberant.policy.types import clause_heading, clause_parts
from deliberant.prompts.types import Hint, Message, Prompt
from deliberant.templates.loader import Templates
from deliberant.util.errors import UserError
from deliberant.util.files import fingerprint
from deliberant.util.yaml import read_text

FILE = "clause.txt"
SOURCE = re.compile(r"^generated:clauses:(?P<clause>[^@]+)@")


class _Count(BaseModel):
    model_config = ConfigDict(strict=True)

    clause: str
    prompts: int


def counts_of_coverage(path: Path, policy: Policy) -> dict[str, int]:
    """Clause -> prompts, of what `deliberant coverage RUN --json` printed. UserError where it is no such list."""
    try:
        rows = TypeAdapter(list[_Count]).validate_json(read_text(path))
    except ValidationError as error:
        what = "is not what `deliberant coverage RUN --json` prints; give that, a run folder or a prompt file (.jsonl)"
        raise UserError(f"{path}: {what}") from error
    return check_counts({row.clause: row.prompts for row in rows}, policy, str(path))


def check_counts(counts: Mapping[str, int], policy: Policy, where: str) -> dict[str, int]:
    """The counts of the policy's clauses. UserError where one is missing: they are those of another policy."""
    for id in policy.clauses:
        if id not in counts:
            raise UserError(f"{where}: has no count for clause {id} of policy {policy.name}; give its own policy")
    return {id: counts[id] for id in policy.clauses}


def counts_of_prompts(prompts: Iterable[Prompt], policy: Policy) -> dict[str, int]:
    """Clause -> prompts that were made for it."""
    counts = Counter(match["clause"] for prompt in prompts if (match := SOURCE.match(prompt.source or "")))
    return {id: counts[id] for id in policy.clauses}


def clause_jobs(
    policy: Policy,
    counts: Mapping[str, int],
    least: int,
    only: Sequence[str],
    templates: Templates,
    model: str,
    seed: int,
) -> list[Job]:
    """As many jobs per clause as it has fewer prompts than `least`; `only` some clauses, by id.

    Each prompt is a family of its own, has the clause's category and, as a hint, the clause's style: that is what the
    writer was told, and it may be wrong. UserError for an unknown clause.
    """
    wanted = [policy.clause(id) for id in only] or list(policy.clauses.values())
    return [
        _job(clause, policy, index, templates, model, seed)
        for clause in wanted
        for index in range(counts[clause.id], least)
    ]


def _job(clause: Clause, policy: Policy, index: int, templates: Templates, model: str, seed: int) -> Job:
    category = policy.category(clause.category)
    shown = "\n".join([clause_heading(clause), *clause_parts(clause)])
    others = "\n".join(clause_heading(each) for each in category.clauses if each.id != clause.id) or "none"
    values = {"category": f"{category.id}: {category.summary}", "clause": shown, "others": others}
    messages = templates.render(FILE, with_fence(values, seed))
    source = f"generated:clauses:{clause.id}@{templates.hash[:8]} by {model[:8]}"
    id = f"clause-{clause.id}-{index}-{fingerprint([seed, policy.hash, source, index])[:8]}"
    frame = Prompt(
        id=id,
        messages=(Message(role="user", content=""),),
        categories=(category.id,),
        family=id,
        hints=(Hint(source, clause.style),),
        source=source,
    )
    return Job(f"clauses:{clause.id}", clause.id, tuple(messages), frame, index)
