"""Supervised fine-tuning on filtered samples: the policy moves from the context into the weights.

    deliberant sft RUN [--arm no-cot]

Paper, section 2.3.3. Arm `sft` trains on reasoning and answer; `no-cot` on the same rows with the reasoning emptied, to
show what the reasoning contributes. Departure: the paper gives neither the mix nor hyperparameters, so both are the
recipe's.

An incremental run (`from_run`) goes on from the old run's checkpoint of the same arm, with the rows of touched prompts
and a replay of the others, so that what did not change is not forgotten.
"""

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from deliberant.prompts.types import Prompt
from deliberant.run.arms import ARMS
from deliberant.run.checks import sequences_each
from deliberant.run.folder import TRAINER, StageFolder
from deliberant.training.packing import fill_last_step, order_by_length, pack_rows
from deliberant.training.rows import RowBuilder, Rows, TrainingRow, mix, replay
from deliberant.util.errors import RunError
from deliberant.util.files import Row, read_rows, write_rows
from deliberant.util.processes import count, is_leader, leader_first

if TYPE_CHECKING:
    from deliberant.models.local.sampler import LocalSampler
    from deliberant.run.recipe import Sft
    from deliberant.run.run import Run


def sft(run: "Run", arm: str = "sft") -> None:
    """Writes `<arm>/`: rows.jsonl, metrics.jsonl (a row per optimizer step) and checkpoint/. Resumes where killed.

    Raises UserError when filter or helpful have not finished, RunError when they left nothing to train on.
    """
    with leader_first():
        start = run.lineage.old.trainable(arm) if run.lineage else run.trainable(ARMS[arm].start)
        inputs = {
            "model": start.identity,
            "sft": settings(run).shaping,
            "lora": run.recipe.lora,
            "seed": run.recipe.seed,
        }
        if run.lineage:
            inputs |= run.lineage.training(run, "sft")
        folder = run.stage(arm, inputs)
        if folder.complete:
            return
        rows = collect_rows(run, arm)
        if is_leader():
            write_rows(folder.dir / "rows.jsonl", (row.as_json() for row in rows.rows))
    fit(run, folder, start, rows.rows)
    if is_leader():
        folder.finish(["rows.jsonl", "metrics.jsonl", "checkpoint"], rows.counts)


def settings(run: "Run") -> "Sft":
    """The recipe's, with the epochs of an incremental run where this is one."""
    recipe = run.recipe
    return recipe.sft.model_copy(update={"epochs": recipe.incremental.epochs}) if run.lineage else recipe.sft


def collect_rows(run: "Run", arm: str) -> Rows:
    """The arm's rows in training order. Both arms get the same rows: lengths are judged with the reasoning in."""
    base, recipe = run.trainable(), run.recipe.sft
    builder = RowBuilder(run.policy, base)

    def build(samples: Sequence[Row], source: str, prompts: Sequence[Prompt]) -> list[TrainingRow]:
        by_id = {prompt.id: prompt for prompt in prompts}
        return [builder.row(by_id[sample["prompt_id"]], source, sample) for sample in samples]

    stage, file = ("documents", "samples.jsonl") if ARMS[arm].documents else ("filter", "kept.jsonl")
    samples = read_rows(run.root / stage / file)
    counts: dict[str, int] = {}
    if run.lineage:
        anew = run.lineage.touched["sft"]
        touched = [row for row in samples if row["prompt_id"] in anew]
        if not touched:
            raise RunError(
                f"{run.root / 'filter' / 'kept.jsonl'}: no sample of a touched prompt was kept, so the edit cannot be "
                "taught; see rejected.jsonl beside it"
            )
        others = [row for row in samples if row["prompt_id"] not in anew]
        again = replay(others, round(run.recipe.incremental.replay * len(touched)), run.recipe.seed)
        samples = touched + again
        counts = {"touched": len(touched), "replayed": len(again)}
    kept = build(samples, "policy", run.document_prompts() if ARMS[arm].documents else run.sft_prompts())
    helpful = build(read_rows(run.root / "helpful" / "samples.jsonl"), "helpful", run.helpful_prompts())
    mixed = mix(kept, helpful, recipe.helpful_ratio, recipe.max_tokens, run.recipe.seed)
    if not mixed.counts["policy"]:
        raise RunError(f"{run.root / 'filter' / 'kept.jsonl'}: no row to train on: {_why_none(run, len(kept))}")
    rows = [builder.without_reasoning(row) for row in mixed.rows] if not ARMS[arm].reasons else mixed.rows
    return Rows(rows, mixed.counts | counts)


def _why_none(run: "Run", kept: int) -> str:
    """Why no sample is left: all are too long, or the filter rejected them, with its most frequent reason."""
    if kept:
        return f"the {kept} kept are all over sft.max_tokens ({run.recipe.sft.max_tokens}); raise it"
    reasons = Counter(row["reason"] for row in read_rows(run.root / "filter" / "rejected.jsonl"))
    often = "".join(f", most often for '{reason}' ({n})" for reason, n in reasons.most_common(1))
    return f"the filter rejected all {reasons.total()} samples{often}; see rejected.jsonl beside it"


def fit(run: "Run", folder: StageFolder, start: "LocalSampler", rows: list[TrainingRow]) -> None:
    """Train `start`'s model on `rows`, as often as the settings say; leaves metrics.jsonl and checkpoint/."""
    from datasets import Dataset
    from trl import SFTConfig

    from deliberant.training import proofs
    from deliberant.training import trainers as training

    recipe = settings(run)
    packs = pack_rows([row.tokens for row in rows], recipe.epochs, recipe.packing, recipe.max_tokens, run.recipe.seed)
    sequences = [[rows[index] for index in pack] for pack in packs]
    lengths = [sum(row.tokens for row in sequence) for sequence in sequences]
    each = sequences_each(recipe)
    batch = each * recipe.passes * count()
    order = order_by_length(lengths, batch, run.recipe.seed)
    steps = math.ceil(len(order) / batch)

    def metrics(step: int, logs: dict[str, Any]) -> dict[str, Any]:
        return {
            "loss": logs["loss"],
            "lr": logs["learning_rate"],
            "grad_norm": logs["grad_norm"],
            "epoch": round(logs["epoch"] * recipe.epochs, 4),
            "tokens": sum(lengths[index] for index in order[(step - 1) * batch : step * batch]),
        }

    data = [
        {
            "input_ids": [token for row in sequences[index] for token in row.input_ids],
            "labels": [label for row in sequences[index] for label in row.labels],
        }
        for index in order
    ]
    proofs.check_labels(data)
    with leader_first():
        resume = training.last_checkpoint(folder.dir / TRAINER)
        training.cut_back(folder.dir / "metrics.jsonl", resume)
    model, tokenizer = training.trainable(start, recipe.train_embeddings, run.recipe.lora, run.recipe.seed)
    remedy = f"sft.passes={2 * recipe.passes} halves what a pass takes, sft.gradient_checkpointing=true also saves"
    with training.quiet(), proofs.fitting(remedy), run.progress(folder.name, steps) as bar:
        trainer = training.SilentSFTTrainer(
            model=model,
            processing_class=tokenizer,
            train_dataset=Dataset.from_list(fill_last_step(data, batch)),
            args=SFTConfig(
                **training.common_settings(folder.dir / TRAINER, run.recipe.seed, recipe.save_steps),
                gradient_checkpointing=recipe.gradient_checkpointing,
                per_device_train_batch_size=each,
                gradient_accumulation_steps=recipe.passes,  # TRL divides a step's loss by its tokens, of all processes
                num_train_epochs=1,  # `order` already holds every epoch
                train_sampling_strategy="sequential",
                learning_rate=recipe.learning_rate,
                lr_scheduler_type="cosine",
                warmup_steps=math.ceil(recipe.warmup_ratio * steps),
                max_length=None,
                packing=False,
                dataset_kwargs={"skip_prepare_dataset": True},  # input_ids and labels are final
            ),
            callbacks=[
                training.StepLog(folder.dir / "metrics.jsonl", metrics, bar.advance),
                *([training.Blend(model, lambda: recipe.blend)] if recipe.blend < 1 else []),
            ],
        )
        training.train(trainer, resume, folder.dir / "checkpoint", start, run.recipe.lora)
