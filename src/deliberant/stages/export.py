"""A run's training data as a data set that others can load: Parquet files and a card.

    deliberant data export RUN --to DIR

Nothing of this package is needed to read it: `datasets.load_dataset(DIR, "sft")`, and TRL's trainers take its rows as
they are. The paper's data is not public; ours says of every row what it came from. The same run gives the same bytes.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deliberant.policy import Policy
from deliberant.prompts.types import Prompt
from deliberant.report.card import Card, Origin, is_card, render_card
from deliberant.run.arms import trained_by
from deliberant.run.folder import read_manifest
from deliberant.run.run import list_stages
from deliberant.run.schedule import plan_prompts
from deliberant.util.errors import UserError
from deliberant.util.files import Row, read_rows, write_atomically

if TYPE_CHECKING:
    from deliberant.run.run import Run

CARD = "README.md"
FILE = "train.parquet"
"""Each configuration is one folder with one file and one split, `train`."""
UNFINISHED = ".deliberant-unfinished"
"""Lies in the folder of an export until that is complete."""


def export(run: "Run", folder: Path, rejected: bool = False, force: bool = False) -> dict[str, int]:
    """Writes `<config>/train.parquet` for sft, rl and, if asked for, rejected; README.md, the card, last. Returns the
    number of rows of each configuration.

    UserError where filter, helpful or, if the recipe has it, sft have not finished, `folder` is the run's or in it, or
    holds something. With `force`, a former export in `folder`, known by its card, is replaced and whatever else is
    there stays; so is one that was broken off, known by `UNFINISHED`, without it, too.
    """
    if folder.resolve().is_relative_to(run.root.resolve()):
        raise UserError(f"{folder}: lies in the run itself; name a folder outside of {run.root}")
    unfinished = folder / UNFINISHED
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())) and not unfinished.exists():
        if not _is_export(folder):
            raise UserError(f"{folder}: is not empty, and holds no export with its card; name another folder")
        if not force:
            raise UserError(f"{folder}: is not empty; name another folder, or give --force to replace the export in it")
    stages = ("filter", "helpful", "sft") if _teaches(run) else ("filter", "helpful")
    manifests = {stage: run.manifest(stage) for stage in stages}
    tables = {"sft": list(sft_rows(run)), "rl": list(rl_rows(run))}
    if rejected:
        tables["rejected"] = list(rejected_rows(run))
    columns, counts = schemas(), {name: len(rows) for name, rows in tables.items()}
    origins = Counter((row["prompt_source"], row["licence"]) for row in tables["sft"])
    prompts = Counter((row["prompt_source"], row["licence"]) for row in tables["rl"])
    card = render_card(
        Card(
            run=run.root.name,
            policy=run.policy,
            recipe=run.recipe,
            covers=run.covers,
            manifests=manifests,
            rows=counts,
            columns={name: columns[name].names for name in tables},
            origins=[
                Origin(*key, prompts=prompts[key], rows=origins[key])
                for key in sorted(prompts | origins, key=lambda pair: [part or "" for part in pair])
            ],
            arms=_trained_arms(run),
        )
    )
    write_atomically(unfinished, b"")
    (folder / CARD).unlink(missing_ok=True)
    for name, schema in columns.items():
        path = folder / name / FILE
        if name in tables:
            write_atomically(path, parquet(tables[name], schema))
        else:
            path.unlink(missing_ok=True)
    write_atomically(folder / CARD, card.encode())
    unfinished.unlink()
    return counts


def _is_export(folder: Path) -> bool:
    card = folder / CARD
    return card.is_file() and is_card(card.read_bytes().decode(errors="replace"))


def _teaches(run: "Run") -> bool:
    """Whether the recipe fine-tunes an arm; one that does not is there for its data."""
    return "sft" in list_stages(run.recipe.evaluate.arms)


def sft_rows(run: "Run") -> Iterator[Row]:
    """The rows that the sft arm was trained on, in its order, each with its prompt, sample and verdicts.

    Where the recipe trains none: all that was kept, without a number of tokens.
    """
    prompts = _prompts(run)
    files = {"policy": "filter/kept.jsonl", "helpful": "helpful/samples.jsonl"}
    samples = {source: {row["id"]: row for row in read_rows(run.root / file)} for source, file in files.items()}
    chosen = [
        {"source": source, "prompt_id": row["prompt_id"], "sample_id": id, "tokens": None}
        for source, rows in samples.items()
        for id, row in rows.items()
    ]
    for row in read_rows(run.root / "sft" / "rows.jsonl") if _teaches(run) else chosen:
        source, sample = row["source"], samples[row["source"]][row["sample_id"]]
        assert row.get("text", sample["text"]) == sample["text"], row["sample_id"]
        yield {**_sample(prompts[source][row["prompt_id"]], sample, source, run.policy), "tokens": row["tokens"]}


def rl_rows(run: "Run") -> Iterator[Row]:
    """Every prompt that reinforcement learning draws from; `draws`: how often an arm did, null where none was trained.

    All arms draw alike.
    """
    draws = Counter(map(id, plan_prompts(run))) if _trained_arms(run) else None  # the plan holds these very objects
    for prompt in [*run.rl_prompts(), *run.helpful_prompts()]:
        yield {
            "prompt": _turns(prompt),
            "categories": list(prompt.categories),
            "hints": [asdict(hint) for hint in prompt.hints],
            **_provenance(prompt),
            "draws": None if draws is None else draws[id(prompt)],
        }


def rejected_rows(run: "Run") -> Iterator[Row]:
    """What filter and helpful rejected, with reasons."""
    prompts = _prompts(run)
    for source, file in (("policy", "filter/rejected.jsonl"), ("helpful", "helpful/rejected.jsonl")):
        for sample in read_rows(run.root / file):
            yield {
                **_sample(prompts[source][sample["prompt_id"]], sample, source, run.policy),
                "reason": sample["reason"],
                "detail": sample["detail"],
                "rationales": [verdict["rationale"] for verdict in sample["verdicts"]],
            }


def schemas() -> dict[str, Any]:
    """Columns and types of each configuration: written down, so that a set without a single hint has the column."""
    import pyarrow as pa

    text, number = pa.string(), pa.int64()
    texts, messages = pa.list_(text), pa.list_(pa.struct({"role": text, "content": text}))
    hint = pa.struct({"source": text, "style": text, "confidence": pa.float64(), "clause": text})
    provenance = dict.fromkeys(("prompt_id", "family", "framing", "prompt_source", "licence"), text)
    sample = {
        "prompt": messages,
        "completion": messages,
        "reasoning": text,
        "answer": text,
        "cited": texts,
        "categories": texts,
        "clause": text,
        "style": text,
        "source": text,
        "score": number,
        "scores": pa.list_(number),
        "sample_id": text,
        **provenance,
    }
    rl = {"prompt": messages, "categories": texts, "hints": pa.list_(hint), **provenance, "draws": number}
    return {
        "sft": pa.schema({**sample, "tokens": number}),
        "rl": pa.schema(rl),
        "rejected": pa.schema({**sample, "reason": text, "detail": text, "rationales": texts}),
    }


def parquet(rows: list[Row], schema: Any) -> bytes:
    """One Parquet file; the same rows give the same bytes with the same version of Arrow."""
    import pyarrow
    from pyarrow.parquet import write_table

    assert all(row.keys() == set(schema.names) for row in rows)
    sink = pyarrow.BufferOutputStream()
    write_table(pyarrow.Table.from_pylist(rows, schema), sink, compression="zstd")
    return bytes(sink.getvalue())


def _trained_arms(run: "Run") -> list[str]:
    return [arm for arm in trained_by("rl") if read_manifest(run.root / arm) is not None]


def _prompts(run: "Run") -> dict[str, dict[str, Prompt]]:
    """By source, then by id: two prompt files may use the same ids."""
    sets = {"policy": run.sft_prompts(), "helpful": run.helpful_prompts()}
    return {source: {prompt.id: prompt for prompt in prompts} for source, prompts in sets.items()}


def _turns(prompt: Prompt) -> list[dict[str, str]]:
    return [{"role": message["role"], "content": message["content"]} for message in prompt.messages]


def _provenance(prompt: Prompt) -> Row:
    return {
        "prompt_id": prompt.id,
        "family": prompt.family,
        "framing": prompt.framing,
        "prompt_source": prompt.source,
        "licence": prompt.licence,
    }


def _sample(prompt: Prompt, sample: Row, source: str, policy: Policy) -> Row:
    """`clause` is the one that the judge named in the reading that counts, the lowest; `style` the policy's for it."""
    named = (verdict["clause"] for verdict in sample["verdicts"] if verdict["score"] == sample["score"])
    clause = policy.clauses.get(next(named, None) or "")
    return {
        "prompt": _turns(prompt),
        "completion": [{"role": "assistant", "content": sample["text"]}],
        **{name: sample[name] for name in ("reasoning", "answer", "cited", "score")},
        "categories": list(prompt.categories),
        "clause": clause.id if clause else None,
        "style": clause.style if clause else None,
        "source": source,
        "scores": [verdict["score"] for verdict in sample["verdicts"]],
        "sample_id": sample["id"],
        **_provenance(prompt),
    }
