"""The judge reads labelled samples again: more often than the filter did, or with a hint.

Each set of readings is a folder, RUN/review/<what>-<8 hex digits>/, named by everything that shapes it; so it resumes,
and readings of other samples, another k or other hints lie beside it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from deliberant.judge import FilterRequest, Verdict
from deliberant.policy import spec_view
from deliberant.prompts import Hint
from deliberant.review.people import Read
from deliberant.util.files import Row, fingerprint, read_rows

if TYPE_CHECKING:
    from deliberant.run.run import Run


def read_again(
    run: "Run",
    what: str,
    read: Sequence[Read],
    k: int,
    seed: int,
    hints: Mapping[str, tuple[Hint, ...]] | None = None,
) -> dict[str, list[Verdict]]:
    """k readings of each sample by the run's judge, with the filter's settings: sample -> verdicts.

    `hints`: by sample, for each of them, in place of the prompt's own. UserError where another process works here.
    """
    judge = run.judge("filter")
    rows = sorted((each.entry.row for each in read), key=lambda row: str(row["id"]))
    prompts = {each.entry.id: each.prompt for each in read}
    shown = {row["id"]: prompts[row["id"]] for row in rows}
    if hints is not None:
        shown = {name: replace(prompt, hints=hints[name]) for name, prompt in shown.items()}
    inputs: dict[str, Any] = {
        "policy": run.policy.hash,
        "templates": judge.templates.hash,
        "judge": run.covers["filter"],
        "filter": {**run.recipe.filter.model_dump(exclude={"k", "threshold", "max_unscored"}), "k": k},
        "samples": fingerprint([(row["id"], row["text"]) for row in rows]),
        "prompts": fingerprint(list(shown.values())),
        "seed": seed,
    }
    folder = run.stage(f"review/{what}-{fingerprint(inputs)[:8]}", inputs)
    if not folder.complete:

        def work(chunk: Sequence[Row]) -> list[Row]:
            requests = [
                FilterRequest(
                    shown[row["id"]], row["reasoning"], row["answer"], spec_view(run.policy, row["categories"])
                )
                for row in chunk
            ]
            return [
                {"sample_id": row["id"], "verdicts": [asdict(verdict) for verdict in verdicts]}
                for row, verdicts in zip(chunk, judge.read(requests, k, seed), strict=True)
            ]

        done = run.in_chunks(folder, "readings.jsonl", rows, run.recipe.filter.chunk, work)
        verdicts = [verdict for row in done for verdict in row["verdicts"]]
        unscored = sum(verdict["unscored"] is not None for verdict in verdicts)
        folder.finish(["readings.jsonl"], {"samples": len(done), "readings": len(verdicts), "unscored": unscored})
    return {
        row["sample_id"]: [Verdict(**verdict) for verdict in row["verdicts"]]
        for row in read_rows(folder.dir / "readings.jsonl")
    }
