"""Stage filter: which samples are good enough to be trained on (paper, section 2.3.2).

    deliberant filter RUN

First what needs no judge: malformed samples, references to a policy that will not be there, citations of nothing or of
clauses that do not exist. Then the judge reads the rest k times, reasoning included and the policy in its context; the
lowest score counts. The paper gives neither k nor threshold, so both are the recipe's; checking citations mechanically
and counting agreement with hints are ours. Every sample ends in kept.jsonl or, with its reason, in rejected.jsonl.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from deliberant.judge import FilterRequest, Leaks, minimum, shows_clauses
from deliberant.policy import Policy, spec_view
from deliberant.util.errors import RunError
from deliberant.util.files import read_rows, write_rows

if TYPE_CHECKING:
    from deliberant.run.run import Run

Row = dict[str, Any]

FILES = ("kept.jsonl", "rejected.jsonl")
CUT, BROKEN, EMPTY = MALFORMED = ("cut at the token limit", "malformed reasoning", "empty answer")
LEAK, NO_CLAUSE, UNKNOWN_CLAUSE = "policy leak", "cites no clause", "cites an unknown clause"
OTHER_CLAUSE = "cites another clause than the hint"
UNSCORED, LOW = "unscored", "low score"
REASONS = (*MALFORMED, LEAK, NO_CLAUSE, UNKNOWN_CLAUSE, OTHER_CLAUSE, UNSCORED, LOW)
"""Why a sample is rejected, in the order in which it is looked for."""


def filter(run: "Run") -> None:
    """Reads generate/samples.jsonl; writes filter/kept.jsonl and filter/rejected.jsonl.

    A row is the sample's own plus `verdicts` (k readings, [] if it was not judged), `score` (the lowest, None without
    one) and, if rejected, `reason` and `detail`. Raises UserError when generate has not finished, RunError when
    more than `max_unscored` of the judged samples have no score.

    In an incremental run the verdicts on samples of untouched prompts are the old ones. What needs no judge is looked
    for anew in all samples: a clause that is gone can be cited anywhere.
    """
    recipe = run.recipe.filter
    judge = run.judge("filter")
    inputs = {
        "policy": run.policy.hash,
        "templates": judge.templates.hash,
        "judge": run.covers["filter"],
        "filter": recipe,
        "seed": run.recipe.seed,
    }
    if run.lineage:
        inputs |= run.lineage.inputs("filter", *FILES)
    folder = run.stage("filter", inputs)
    if folder.complete:
        return
    before = run.lineage.rows("filter", *FILES) if run.lineage else {}
    reused = {id: _without_reason(row) for id, row in before.items() if row["verdicts"]}
    samples = read_rows(run.root / "generate" / "samples.jsonl")
    leaks = Leaks(run.templates)
    prompts = {prompt.id: prompt for prompt in run.sft_prompts()}
    hinted = {id: {hint.clause for hint in prompt.hints if hint.clause is not None} for id, prompt in prompts.items()}
    faults = {
        row["id"]: find_fault(row, leaks, run.policy, hinted[row["prompt_id"]] if recipe.by_hint else ())
        for row in samples
    }

    def work(rows: Sequence[Row]) -> list[Row]:
        requests = [
            FilterRequest(
                prompts[row["prompt_id"]], row["reasoning"], row["answer"], spec_view(run.policy, row["categories"])
            )
            for row in rows
        ]
        readings = judge.read(requests, recipe.k, run.recipe.seed)
        return [
            {**row, "verdicts": [asdict(verdict) for verdict in verdicts], "score": minimum(verdicts)}
            for row, verdicts in zip(rows, readings, strict=True)
        ]

    sound = [row for row in samples if faults[row["id"]] is None]
    anew = [row for row in sound if row["id"] not in reused]
    judged = run.in_chunks(folder, "judged.jsonl", anew, recipe.chunk, work)
    unscored = [row for row in judged if row["score"] is None]
    reasons = Counter(verdict["unscored"] for row in unscored for verdict in row["verdicts"])
    often = "".join(f", mostly '{reason}'" for reason, _ in reasons.most_common(1))
    check_unscored("filter", "filter", len(unscored), len(judged), recipe.max_unscored, often=often)
    by_id = {row["id"]: row for row in judged} | reused
    kept: list[Row] = []
    rejected: list[Row] = []
    for sample in samples:
        row = by_id.get(sample["id"], {**sample, "verdicts": [], "score": None})
        rejection = faults[row["id"]] or find_shortfall(row, recipe.threshold)
        if rejection is None:
            kept.append(row)
        else:
            rejected.append({**row, "reason": rejection[0], "detail": rejection[1]})
    assert sorted(row["id"] for row in [*kept, *rejected]) == sorted(row["id"] for row in samples), "lost or doubled"
    for file, part in zip(FILES, (kept, rejected), strict=True):
        write_rows(folder.dir / file, part)
    counts = tally(kept, rejected)
    if any(hinted.values()) and not shows_clauses(judge.templates):
        counts["hint_clause_not_shown"] = sum(bool(hinted[row["prompt_id"]]) for row in by_id.values())
    if run.lineage:
        counts |= {"reused": sum(row["id"] in reused for row in sound), "made": len(judged)}
    (folder.dir / "judged.jsonl").unlink(missing_ok=True)
    folder.finish(FILES, counts)


def _without_reason(row: Row) -> Row:
    """A finished row as the judge left it."""
    return {name: value for name, value in row.items() if name not in ("reason", "detail")}


def find_malformation(row: Row) -> str | None:
    """Why a completion is not a whole reasoning and answer, or None. A cut one is called so, whatever it lacks."""
    if row["stop"] == "length":
        return CUT
    if not row["complete"]:
        return BROKEN
    return EMPTY if not row["answer"].strip() else None


def find_fault(row: Row, leaks: Leaks, policy: Policy, hinted: Collection[str] = ()) -> tuple[str, str] | None:
    """(reason, detail) for a sample that needs no judge to be rejected, or None. `hinted`: one of them has to be cited,
    where there are any."""
    if reason := find_malformation(row):
        return reason, ""
    if passage := leaks.find(row["reasoning"], row["answer"]):
        return LEAK, passage
    if not row["cited"]:
        return NO_CLAUSE, ""
    unknown = [name for name in row["cited"] if name not in policy.clauses]
    if unknown:
        return UNKNOWN_CLAUSE, ", ".join(dict.fromkeys(unknown))
    other = hinted and not set(hinted) & set(row["cited"])
    return (OTHER_CLAUSE, ", ".join(sorted(hinted))) if other else None


def find_shortfall(row: Row, threshold: int) -> tuple[str, str] | None:
    """(reason, detail) for a judged sample below the threshold or without a score, or None."""
    if row["score"] is None:
        return UNSCORED, ", ".join(dict.fromkeys(verdict["unscored"] for verdict in row["verdicts"]))
    return (LOW, str(row["score"])) if row["score"] < threshold else None


def check_unscored(
    where: str, role: str, unscored: int, judged: int, limit: float, grace: int = 0, often: str = ""
) -> None:
    """RunError when more than the share `limit` of judged answers has no score: such a judge does not understand.

    Until `grace` answers, of `grace`.
    """
    if unscored > limit * max(judged, grace):
        raise RunError(
            f"{where}: {unscored} of {judged} judged answers are unscored{often} (filter.max_unscored allows "
            f"{limit:.0%}); use another judge, or raise judge.{role}.max_new_tokens or the limit"
        )


def tally(kept: Sequence[Row], rejected: Sequence[Row]) -> dict[str, int]:
    """The manifest's counts. Agreement with hints and unscored readings are counted by reading, all else by sample.

    A sample of several categories counts in each.
    """
    rows = [*kept, *rejected]
    verdicts = [verdict for row in rows for verdict in row["verdicts"]]
    reasons = Counter(row["reason"] for row in rejected)
    samples, passed = (Counter(name for row in part for name in row["categories"]) for part in (rows, kept))
    return {
        "samples": len(rows),
        "kept": len(kept),
        "rejected": len(rejected),
        "judged": sum(bool(row["verdicts"]) for row in rows),
        "readings": len(verdicts),
        "readings_unscored": sum(verdict["unscored"] is not None for verdict in verdicts),
        "readings_agree": sum(verdict["agrees"] is True for verdict in verdicts),
        "readings_disagree": sum(verdict["agrees"] is False for verdict in verdicts),
        **{f"rejected/{reason}": reasons[reason] for reason in REASONS},
        **{f"samples/{category}": samples[category] for category in sorted(samples)},
        **{f"kept/{category}": passed[category] for category in sorted(samples)},
    }
