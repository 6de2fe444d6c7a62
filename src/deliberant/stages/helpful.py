"""Stage helpful: the base model's own answers to harmless prompts, without any policy.

    deliberant helpful RUN

The paper mixes the distilled samples with other supervised data so that capability stays (section 2.3.3), and does not
say which. Ours comes from the base model itself, so the mix teaches nothing but the policy.
"""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from deliberant.files import fingerprint, write_rows
from deliberant.models.types import Request
from deliberant.prompts.types import Prompt
from deliberant.stages.filter import MALFORMED, malformed
from deliberant.stages.generate import sample_row, sample_seed

if TYPE_CHECKING:
    from deliberant.run import Run


def helpful(run: "Run") -> None:
    """Writes helpful/samples.jsonl, the complete ones, and helpful/rejected.jsonl, the others with their `reason`.

    Rows have the shape of the filter's: nothing was judged, so `verdicts` is empty and `score` None.
    """
    recipe = run.recipe.helpful
    sampler = run.sampler("base")
    prompts = run.helpful_prompts()
    hashes = {"model": sampler.identity, "sampling": fingerprint(recipe.sampling)}
    inputs = {**hashes, "prompts": fingerprint(prompts), "helpful": recipe, "seed": run.recipe.seed}
    folder = run.stage("helpful", inputs)
    if folder.complete:
        return

    def work(items: Sequence[tuple[Prompt, int]]) -> list[dict[str, Any]]:
        requests = [
            Request(prompt.messages, sample_seed(run.recipe.seed, prompt, index, "helpful")) for prompt, index in items
        ]
        drawn = sampler.sample(requests, recipe.sampling)
        return [
            {**sample_row(*item, request, completion, hashes, sampler.prefilled), "verdicts": [], "score": None}
            for item, request, completion in zip(items, requests, drawn, strict=True)
        ]

    items = [(prompt, index) for prompt in prompts for index in range(recipe.samples)]
    rows = run.in_chunks(folder, "drawn.jsonl", items, recipe.chunk, work)
    kept = [row for row in rows if malformed(row) is None]
    rejected = [{**row, "reason": reason, "detail": ""} for row in rows if (reason := malformed(row)) is not None]
    write_rows(folder.dir / "samples.jsonl", kept)
    write_rows(folder.dir / "rejected.jsonl", rejected)
    reasons = Counter(row["reason"] for row in rejected)
    counts = {"samples": len(rows), "kept": len(kept), "rejected": len(rejected)}
    counts |= {f"rejected/{reason}": reasons[reason] for reason in MALFORMED}
    (folder.dir / "drawn.jsonl").unlink(missing_ok=True)
    folder.finish(["samples.jsonl", "rejected.jsonl"], counts)
