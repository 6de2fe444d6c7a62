"""Stage generate: samples of the base model with the spec view in context (paper, section 2.3.1).

    deliberant generate RUN

The base model writes its own training data: what it reasons while the policy is before its eyes. The paper composes one
prompt of conversation, spec(category) and instructions (figure 5); here spec view and instructions are the system
message, so that all prompts of a category share their longest prefix and a prompt's own turns stay as they are. A
prompt of several categories is shown each of them in full.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from deliberant.evals.scoring import add_summaries as with_system
from deliberant.models.types import Completion, Reasoning, Request, Sampler
from deliberant.policy import Policy, find_citations, spec_view
from deliberant.prompts.types import Message, Prompt
from deliberant.run.folder import StageFolder
from deliberant.templates.form import compose_request
from deliberant.templates.loader import Templates
from deliberant.util.errors import UserError
from deliberant.util.files import Row, fingerprint, seed_of, write_rows

if TYPE_CHECKING:
    from deliberant.run.recipe import Generate, Helpful
    from deliberant.run.run import Run

SAMPLES = "samples.jsonl"


def generate(run: "Run") -> None:
    """Writes generate/samples.jsonl: `recipe.generate.samples` rows (see `sample_row`) per training prompt.

    In an incremental run the rows of untouched prompts are the old run's, byte for byte; the others are drawn.
    Prompts outside every category have no spec view; they belong to the helpful stage. Raises UserError for a category
    that the policy lacks.
    """
    recipe, sampler = run.recipe.generate, run.sampler("writer")
    prompts = [prompt for prompt in run.sft_prompts() if prompt.categories]
    hashes = {
        "policy": run.policy.hash,
        "templates": run.templates.hash,
        "model": sampler.identity,
        "sampling": fingerprint(recipe.sampling),
    }
    inputs = {**hashes, "prompts": fingerprint(prompts), "generate": recipe, "seed": run.recipe.seed}
    if run.lineage:
        inputs |= run.lineage.inputs("generate", SAMPLES)
    folder = run.stage("generate", inputs)
    if folder.complete:
        return
    reused = run.lineage.rows("generate", SAMPLES) if run.lineage else {}
    views = {named: spec_view(run.policy, named) for named in dict.fromkeys(prompt.categories for prompt in prompts)}

    def ask(prompt: Prompt, index: int) -> tuple[Message, ...]:
        return writer_messages(prompt, index, run.policy, run.templates, sampler.reasoning)

    def hashes_of(prompt: Prompt) -> dict[str, str]:
        return {**hashes, "spec_view": fingerprint(views[prompt.categories])}

    rows = draw(run, folder, SAMPLES, sampler, recipe, prompts, ask, hashes_of, reused)
    counts = {"prompts": len(prompts), "samples": len(rows), "complete": sum(row["complete"] for row in rows)}
    if run.lineage:
        write_rows(folder.dir / SAMPLES, rows)
        counts |= {"reused": len(reused), "made": len(rows) - len(reused)}
    folder.finish([SAMPLES], counts)


def draw(
    run: "Run",
    folder: StageFolder,
    file: str,
    sampler: Sampler,
    recipe: "Generate | Helpful",
    prompts: Sequence[Prompt],
    ask: Callable[[Prompt, int], tuple[Message, ...]],
    hashes: Callable[[Prompt], dict[str, str]],
    reused: Mapping[str, Row],
) -> list[Row]:
    """`recipe.samples` rows (see `sample_row`) per prompt, in order, drawn in chunks; those of `reused`, by id, are not
    drawn. `ask`: what the model is shown for a prompt's sample of that number."""

    def work(items: Sequence[tuple[Prompt, int]]) -> list[Row]:
        requests = [
            Request(ask(prompt, index), sample_seed(run.recipe.seed, prompt, index, folder.name))
            for prompt, index in items
        ]
        drawn = sampler.sample(requests, recipe.sampling)
        return [
            sample_row(prompt, index, request, completion, hashes(prompt))
            for (prompt, index), request, completion in zip(items, requests, drawn, strict=True)
        ]

    items = [(prompt, index) for prompt in prompts for index in range(recipe.samples)]
    missing = [(prompt, index) for prompt, index in items if sample_id(prompt, index) not in reused]
    drawn = run.in_chunks(folder, file, missing, recipe.chunk, work)
    rows = {**reused, **{row["id"]: row for row in drawn}}
    return [rows[sample_id(prompt, index)] for prompt, index in items]


def writer_messages(
    prompt: Prompt, index: int, policy: Policy, templates: Templates, reasoning: Reasoning
) -> tuple[Message, ...]:
    """What the writer is given for one sample: the policy's categories in view and, where asked for, the form."""
    messages = with_spec(prompt, spec_view(policy, prompt.categories), templates)
    clauses = [clause for name in prompt.categories for clause in policy.category(name).clauses]
    return compose_request(messages, templates, reasoning, clauses, index)


def with_spec(prompt: Prompt, view: str, templates: Templates, file: str = "generate.txt") -> tuple[Message, ...]:
    """The conversation behind a system message: instructions, spec view, then the prompt's own system text, if any."""
    filled = templates.render(file, {"spec_view": view})
    if [message["role"] for message in filled] != ["system"]:
        raise UserError(f"{templates.folder / file}:1: must hold one [system] section and no other")
    return with_system(prompt.messages, filled[0]["content"])


def sample_id(prompt: Prompt, index: int) -> str:
    return f"{prompt.id}#{index}"


def sample_seed(seed: int, prompt: Prompt, index: int, stage: str) -> int:
    """The seed of one sample: recipe, prompt, index and stage fix it, whatever else is drawn."""
    return seed_of([seed, prompt.id, index, stage])


def sample_row(prompt: Prompt, index: int, request: Request, completion: Completion, hashes: dict[str, str]) -> Row:
    """One sample as a row: where it belongs, the completion whole and in its parts, and what it came from.

    `cited`: the clause ids in the reasoning. `hashes` name policy, templates, model, sampling and spec view.
    """
    return {
        "id": sample_id(prompt, index),
        "prompt_id": prompt.id,
        "index": index,
        "categories": list(prompt.categories),
        "text": completion.text,
        "reasoning": completion.reasoning,
        "answer": completion.answer,
        "complete": completion.complete,
        "stop": completion.stop,
        "usage": asdict(completion.usage),
        "token_ids": list(completion.token_ids),
        "cited": find_citations(completion.reasoning),
        "hashes": hashes,
        "seed": request.seed,
    }
