"""Supervised fine-tuning on filtered samples: the policy moves from the context into the weights.

    deliberant sft RUN [--arm no-cot]

Paper, section 2.3.3. Arm `sft` trains on reasoning and answer; `no-cot` on the same rows with the reasoning emptied, to
show what the reasoning contributes. Departure: the paper gives neither the mix nor hyperparameters, so both are the
recipe's.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from deliberant.errors import RunError
from deliberant.files import read_rows, write_rows
from deliberant.folder import TRAINER, StageFolder
from deliberant.prompts.types import Prompt
from deliberant.stages.rows import RowBuilder, Rows, TrainingRow, mix

if TYPE_CHECKING:
    from deliberant.run import Run

SFTArm = Literal["sft", "no-cot"]


def sft(run: "Run", arm: SFTArm = "sft") -> None:
    """Writes `<arm>/`: rows.jsonl, metrics.jsonl (a row per optimizer step) and checkpoint/. Resumes where killed.

    Raises UserError when filter or helpful have not finished, RunError when they left nothing to train on.
    """
    inputs = {"model": run.sampler("base").identity, "sft": run.recipe.sft, "seed": run.recipe.seed}
    folder = run.stage(arm, inputs)
    if folder.complete:
        return
    rows = collect(run, arm)
    write_rows(folder.dir / "rows.jsonl", (row.as_json() for row in rows.rows))
    fit(run, folder, rows.rows)
    folder.finish(["rows.jsonl", "metrics.jsonl", "checkpoint"], rows.counts)


def collect(run: "Run", arm: SFTArm) -> Rows:
    """The arm's rows in training order. Both arms get the same rows: lengths are judged with the reasoning in."""
    base, recipe = run.sampler("base"), run.recipe.sft
    builder = RowBuilder(run.policy, base.tokenizer, base.prefilled)

    def build(file: str, source: str, prompts: Sequence[Prompt]) -> list[TrainingRow]:
        by_id = {prompt.id: prompt for prompt in prompts}
        samples = read_rows(run.root / file)
        return [builder.row(by_id[sample["prompt_id"]], sample["id"], source, sample["text"]) for sample in samples]

    kept = build("filter/kept.jsonl", "policy", run.train_prompts())
    helpful = build("helpful/samples.jsonl", "helpful", run.helpful_prompts())
    mixed = mix(kept, helpful, recipe.helpful_ratio, recipe.max_tokens, run.recipe.seed)
    if not mixed.counts["policy"]:
        raise RunError(
            f"{run.root / 'filter' / 'kept.jsonl'}: no row to train on ({len(kept)} kept, all over sft.max_tokens "
            f"{recipe.max_tokens}); see rejected.jsonl beside it, or raise sft.max_tokens"
        )
    return Rows([builder.without_reasoning(row) for row in mixed.rows], mixed.counts) if arm == "no-cot" else mixed


def fit(run: "Run", folder: StageFolder, rows: list[TrainingRow]) -> None:
    """Train the base model on `rows`, `recipe.sft.epochs` times over; leaves metrics.jsonl and checkpoint/."""
    from datasets import Dataset
    from trl import SFTConfig

    from deliberant.stages import training

    recipe, base = run.recipe.sft, run.sampler("base")
    packs = training.packs(
        [row.tokens for row in rows], recipe.epochs, recipe.packing, recipe.max_tokens, run.recipe.seed
    )
    sequences = [[rows[index] for index in pack] for pack in packs]
    lengths = [sum(row.tokens for row in sequence) for sequence in sequences]
    batch = max(1, recipe.batch_size // recipe.packing)
    order = training.batch_order(lengths, batch, run.recipe.seed)
    steps = math.ceil(len(order) / batch)

    def metrics(step: int, logs: dict[str, Any]) -> dict[str, Any]:
        return {
            "loss": logs["loss"],
            "lr": logs["learning_rate"],
            "grad_norm": logs["grad_norm"],
            "epoch": round(logs["epoch"] * recipe.epochs, 4),
            "tokens": sum(lengths[index] for index in order[(step - 1) * batch : step * batch]),
        }

    resume = training.last_checkpoint(folder.dir / TRAINER)
    training.cut_back(folder.dir / "metrics.jsonl", resume)
    model, tokenizer = training.trainable(base, recipe.train_embeddings)
    with training.quiet(), run.progress(folder.name, steps) as bar:
        trainer = training.OrderedSFTTrainer(
            model=model,
            processing_class=tokenizer,
            train_dataset=Dataset.from_list(
                [
                    {
                        "input_ids": [token for row in sequences[index] for token in row.input_ids],
                        "labels": [label for row in sequences[index] for label in row.labels],
                    }
                    for index in order
                ]
            ),
            args=SFTConfig(
                **training.common_settings(folder.dir / TRAINER, run.recipe.seed, recipe.save_steps),
                per_device_train_batch_size=batch,
                num_train_epochs=1,  # `order` already holds every epoch
                learning_rate=recipe.learning_rate,
                lr_scheduler_type="cosine",
                warmup_steps=math.ceil(recipe.warmup_ratio * steps),
                max_length=None,
                packing=False,
                dataset_kwargs={"skip_prepare_dataset": True},  # input_ids and labels are final
            ),
            callbacks=[
                training.StepLog(folder.dir / "metrics.jsonl", metrics, bar.advance),
                training.Blend(base.model, recipe.blend),
            ],
        )
        training.train(trainer, resume, folder.dir / "checkpoint")
