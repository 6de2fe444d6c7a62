"""Stage helpful: the base model's own answers to harmless prompts, without any policy.

    deliberant helpful RUN

The paper mixes the distilled samples with other supervised data so that capability stays (section 2.3.3), and does not
say which. Ours comes from the base model itself, so the mix teaches nothing but the policy.
"""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from deliberant.models.types import Reasoning
from deliberant.prompts.types import Message, Prompt
from deliberant.run.folder import StageFolder
from deliberant.stages.filter import MALFORMED, find_malformation
from deliberant.stages.generate import draw
from deliberant.templates.form import compose_request
from deliberant.templates.loader import Templates
from deliberant.util.files import Row, fingerprint, write_rows

if TYPE_CHECKING:
    from deliberant.run.run import Run

FILES = ("samples.jsonl", "rejected.jsonl")
DRAWN = "drawn.jsonl"
"""Both of them, until the stage is finished."""


def helpful(run: "Run") -> None:
    """Writes helpful/samples.jsonl, the complete ones, and helpful/rejected.jsonl, the others with their `reason`.

    Rows have the shape of the filter's: nothing was judged, so `verdicts` is empty and `score` None. In an incremental
    run the rows of prompts that the old run has, too, are the old ones: no policy is in their context.
    """
    recipe, sampler, prompts = run.recipe.helpful, run.sampler("base"), run.helpful_prompts()
    hashes = {"model": sampler.identity, "sampling": fingerprint(recipe.sampling)}
    inputs = {**hashes, "prompts": fingerprint(prompts), "helpful": recipe, "seed": run.recipe.seed}
    if run.lineage:
        inputs |= run.lineage.inputs("helpful", *FILES)
    folder = run.stage("helpful", inputs)
    if folder.complete:
        return
    reused = run.lineage.rows("helpful", *FILES) if run.lineage else {}

    def ask(prompt: Prompt, index: int) -> tuple[Message, ...]:
        return plain_messages(prompt, index, run.templates, sampler.reasoning)

    rows = draw(run, folder, DRAWN, sampler, recipe, prompts, ask, lambda prompt: hashes, reused)
    extra = {"reused": len(reused), "made": len(rows) - len(reused)} if run.lineage else {}
    finish(folder, rows, [find_malformation(row) for row in rows], MALFORMED, extra)


def finish(
    folder: StageFolder, rows: Sequence[Row], faults: Sequence[str | None], known: Sequence[str], extra: dict[str, int]
) -> None:
    """Write the rows without a fault, and the others with it as their `reason`; counts for each of the `known` ones."""
    unjudged: Row = {"verdicts": [], "score": None}
    kept = [row | unjudged for row, fault in zip(rows, faults, strict=True) if fault is None]
    rejected = [
        row | unjudged | {"reason": fault, "detail": ""} for row, fault in zip(rows, faults, strict=True) if fault
    ]
    for file, part in zip(FILES, (kept, rejected), strict=True):
        write_rows(folder.dir / file, part)
    reasons = Counter(faults)
    counts = {"samples": len(rows), "kept": len(kept), "rejected": len(rejected)}
    counts |= {f"rejected/{reason}": reasons[reason] for reason in known} | extra
    (folder.dir / DRAWN).unlink(missing_ok=True)
    folder.finish(FILES, counts)


def plain_messages(prompt: Prompt, index: int, templates: Templates, reasoning: Reasoning) -> tuple[Message, ...]:
    """What the base is given for one sample: the conversation and, where asked for, the form of reasoning."""
    return compose_request(prompt.messages, templates, reasoning, index=index)
