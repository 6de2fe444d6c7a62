"""Stage documents: what the base model writes about the policy while it has it in view; trains arm `midtrained`.

    deliberant documents RUN

Not in the paper. Elsewhere documents about a policy, trained on before alignment, halved the misalignment of agents
that deliberative alignment alone had left (model spec midtraining, arXiv 2605.02087). Here they are answers to
questions about each clause, drawn as samples are, and checked mechanically: whole, and naming the clause that was asked
about and none that does not exist.
"""

from typing import TYPE_CHECKING

from deliberant.models.types import Reasoning
from deliberant.policy import Policy, find_citations, spec_view
from deliberant.prompts.types import Message, Prompt
from deliberant.run.settings import BUILT_IN, DEFAULT
from deliberant.stages.filter import MALFORMED, NO_CLAUSE, OTHER_CLAUSE, UNKNOWN_CLAUSE, find_malformation
from deliberant.stages.generate import draw, with_spec
from deliberant.stages.helpful import DRAWN, finish
from deliberant.templates.form import compose_request
from deliberant.templates.loader import Templates
from deliberant.util.files import Row, fingerprint

if TYPE_CHECKING:
    from deliberant.run.run import Run

FOLDER = "documents"
"""Of prompt files: one for the built-in world, one for everybody."""
FAULTS = (*MALFORMED, NO_CLAUSE, UNKNOWN_CLAUSE, OTHER_CLAUSE)


def documents(run: "Run") -> None:
    """Writes documents/samples.jsonl and documents/rejected.jsonl (with their `reason`), in the shape of helpful's.

    Samples a question and their sampling are those of `generate`.
    """
    recipe, sampler, prompts = run.recipe.generate, run.sampler("writer"), run.document_prompts()
    hashes = {
        "policy": run.policy.hash,
        "templates": fingerprint([run.templates.hash, Templates.load(FOLDER).hash]),
        "model": sampler.identity,
        "sampling": fingerprint(recipe.sampling),
    }
    inputs = {**hashes, "prompts": fingerprint(prompts), "generate": recipe, "seed": run.recipe.seed}
    folder = run.stage("documents", inputs)
    if folder.complete:
        return

    def ask(prompt: Prompt, index: int) -> tuple[Message, ...]:
        return document_messages(prompt, index, run.policy, run.templates, run.world, sampler.reasoning)

    rows = draw(run, folder, DRAWN, sampler, recipe, prompts, ask, lambda prompt: hashes, {})
    wanted = {prompt.id: {hint.clause for hint in prompt.hints} for prompt in prompts}
    finish(folder, rows, [_fault(row, wanted[row["prompt_id"]], run.policy) for row in rows], FAULTS, {})


def document_messages(
    prompt: Prompt, index: int, policy: Policy, templates: Templates, world: str | None, reasoning: Reasoning
) -> tuple[Message, ...]:
    """What the writer is given for one document: the policy's category in view and, where asked for, the form."""
    view, file = spec_view(policy, prompt.categories), f"{BUILT_IN if world == BUILT_IN else DEFAULT}.txt"
    messages = with_spec(prompt, view, Templates.load(FOLDER), file)
    return compose_request(messages, templates, reasoning, policy.category(prompt.categories[0]).clauses, index)


def _fault(row: Row, asked: set[str | None], policy: Policy) -> str | None:
    """Why a document is rejected: it is not whole, or does not name the clause that it was asked about."""
    if reason := find_malformation(row):
        return reason
    named = set(find_citations(row["answer"]))
    if not named:
        return NO_CLAUSE
    if named - policy.clauses.keys():
        return UNKNOWN_CLAUSE
    return None if asked <= named else OTHER_CLAUSE
