"""Reinforcement learning against a judge that knows the policy and never sees the reasoning.

    deliberant rl RUN [--arm rl]

Paper, section 2.4: the judge gets prompt, answer and spec(category); the chain of thought is hidden from it, so that
nothing rewards a deceptive one. Departures: the paper discloses neither algorithm nor reward scale nor mix. Ours is
GRPO with a single reward (see `rollouts`), and a share of harmless prompts rewarded for helpfulness alone, so that
refusing everything does not pay. With `rl.held_out` what it leaves is used only where it helped (see `held_out`).
Arm `sft+rl-exposed` shows the judge the reasoning: the wrong way, to measure what that does.

In an incremental run (`from_run`) `rl` goes on from the old run's checkpoint and `sft+rl` starts from this run's sft
arm, both for a share of the steps, and prompts that the edit touches have their own share of each.
"""

from collections import Counter
from typing import TYPE_CHECKING, Any

from deliberant.judge import Judge
from deliberant.prompts.types import Prompt
from deliberant.run.arms import ARMS, BASE
from deliberant.run.checks import completions_each
from deliberant.run.folder import TRAINER, StageFolder
from deliberant.run.schedule import plan_prompts, replan_prompts, split_held_out
from deliberant.stages.filter import check_unscored
from deliberant.training import held_out
from deliberant.training.rollouts import Rollouts
from deliberant.util.files import fingerprint, write_json
from deliberant.util.processes import broadcast, is_leader, leader_first

if TYPE_CHECKING:
    from deliberant.models.local.sampler import LocalSampler
    from deliberant.run.run import Run

COUNTS = ("rows", "judged", "unscored", "no_answer", "truncated", "reasoning_overlaps", "uniform")
"""What is summed over the steps into the manifest."""
GRACE = 100
"""Judged answers before their unscored share says something."""


def rl(run: "Run", arm: str = "sft+rl") -> None:
    """Writes `<arm>/`: metrics.jsonl, rollouts.jsonl (rows per optimizer step) and checkpoint/. Resumes where killed.

    With `rl.held_out` held_out.jsonl, too, the rewards of those prompts at the start and at every checkpoint, and
    held_out.json: the change from the first to the last, and whether what was trained was kept.

    `rl` starts from the base model (or the old run's rl checkpoint), `sft+rl` from the sft checkpoint. Raises UserError
    where there are too few prompts, RunError when more than the share `filter.max_unscored` of the judged answers
    has no score.
    """
    recipe = run.recipe.rl
    with leader_first():
        judge = run.judge("reward") if is_leader() else None  # which judges the answers of all processes
        from_base = ARMS[arm].start == BASE
        start = run.lineage.old.trainable(arm) if run.lineage and from_base else run.trainable(ARMS[arm].start)
        inputs = {
            "model": start.identity,
            "judge": run.covers["reward"],
            "policy": run.policy.hash,
            "templates": run.judge_templates("reward").hash,
            "prompts": fingerprint([*run.rl_prompts(), *run.helpful_prompts()]),
            "rl": recipe.shaping,
            "lora": run.recipe.lora,
            "judging": run.recipe.filter,
            "seed": run.recipe.seed,
        }
        if run.lineage:
            inputs |= run.lineage.training(run, "rl")
        plan = plan_prompts(run)
        folder = run.stage(arm, inputs)
        if folder.complete:
            return
    account = fit(run, folder, start, judge, plan)
    if is_leader():
        extra = [held_out.READINGS, held_out.FILE] if recipe.held_out else []
        folder.finish(["metrics.jsonl", "rollouts.jsonl", *extra, "checkpoint"], account)


def fit(
    run: "Run", folder: StageFolder, start: "LocalSampler", judge: Judge | None, plan: list[Prompt]
) -> dict[str, int]:
    """GRPO over `plan`, one optimizer step per generation; leaves the stage's files, returns totals.

    `judge`: None in processes that do not lead.
    """
    from datasets import Dataset
    from trl import GRPOConfig

    from deliberant.models.local.sampler import LocalSampler
    from deliberant.training import proofs
    from deliberant.training import trainers as training
    from deliberant.training.shards import ShardSampler, sharded

    recipe = run.recipe.rl
    metrics_file, rollouts_file = folder.dir / "metrics.jsonl", folder.dir / "rollouts.jsonl"
    with leader_first():
        resume = training.last_checkpoint(folder.dir / TRAINER)
        done = training.cut_back(metrics_file, resume)
        training.cut_back(rollouts_file, resume)
        readings = training.cut_back(folder.dir / held_out.READINGS, resume) if recipe.held_out else []
    model, tokenizer = training.trainable(start, recipe.train_embeddings, run.recipe.lora, run.recipe.seed)
    live = ShardSampler if sharded() else LocalSampler
    rollouts = Rollouts(
        live(model, tokenizer, identity="live"),
        recipe.sampling,
        judge,
        run.policy,
        plan,
        recipe.judge_k,
        run.recipe.seed,
        ARMS[folder.name].exposes,
    )

    def rest(step: int) -> None:
        """Replans what comes after `step` by the last group of every prompt so far."""
        uniform: dict[str, bool] = {}
        for row in done:
            drawn = plan[(row["step"] - 1) * recipe.prompts_per_step :][: recipe.prompts_per_step]
            uniform |= {prompt.id: prompt.id in row["uniform_ids"] for prompt in drawn}
        resting = broadcast([id for id, rests in uniform.items() if rests])
        plan[:] = replan_prompts(run, plan, step, frozenset(resting))

    if recipe.curriculum:
        past, done = done, []
        for row in past:
            done.append(row)
            if row["step"] % recipe.save_steps == 0:
                rest(row["step"])
    totals = Counter({name: sum(row.get(name, 0) for row in done) for name in COUNTS})  # an older row lacks some

    def check(grace: int) -> None:
        limit = run.recipe.filter.max_unscored
        check_unscored("rl", "reward", totals["unscored"], totals["judged"], limit, grace)

    def metrics(step: int, logs: dict[str, Any]) -> dict[str, Any]:
        totals.update({name: rollouts.account[name] for name in COUNTS})
        check(GRACE)
        training.append_rows(rollouts_file, rollouts.shown)
        wanted = {"loss": "loss", "lr": "learning_rate", "grad_norm": "grad_norm", "entropy": "entropy", "kl": "kl"}
        wanted |= {"vllm_gap": "sampling/sampling_logp_difference/mean"}
        row = {**rollouts.account, **{name: logs[key] for name, key in wanted.items() if key in logs}}
        if recipe.curriculum:
            row["uniform_ids"] = rollouts.uniform
            done.append({"step": step, **row})
        return row

    steps = len(plan) // recipe.prompts_per_step
    held, _ = split_held_out(run)

    truth = held_out.Truth(run.right_style, run.style_reader) if run.style_reader else None

    def read(step: int) -> None:
        rollouts.sampler.refresh()
        if judge is None:
            return
        readings.append(held_out.reading(step, held, *rollouts.answer(held), truth))
        training.append_rows(folder.dir / held_out.READINGS, readings[-1:])

    def look(step: int) -> None:
        if recipe.curriculum and step:
            rest(step)
        if held:
            read(step)

    def helped() -> bool:
        if is_leader():
            gain = held_out.gain(held, readings, run.recipe.evaluate.bootstrap, run.recipe.seed)
            write_json(folder.dir / held_out.FILE, gain.as_json())
            return broadcast(gain.kept)
        return broadcast(False)

    remedy = "half of rl.batch_size halves what a pass takes, rl.gradient_checkpointing=true also saves"
    with training.quiet(), proofs.fitting(remedy), run.progress(folder.name, steps) as bar:
        trainer = training.SampledGRPOTrainer(
            draw=rollouts.draw,
            plan=plan,
            sampler=rollouts.sampler,
            take=rollouts.take,
            reward_funcs=[rollouts.reward],
            model=model,
            processing_class=tokenizer,
            train_dataset=Dataset.from_list(
                [
                    {"prompt": [dict(turn) for turn in prompt.messages], "place": place}
                    for place, prompt in enumerate(plan)
                ]
            ),
            args=GRPOConfig(
                **training.common_settings(folder.dir / TRAINER, run.recipe.seed, recipe.save_steps),
                **training.vllm_settings(recipe),
                max_steps=steps,
                shuffle_dataset=False,  # the plan is the order
                num_generations=recipe.group_size,
                gradient_checkpointing=recipe.gradient_checkpointing,
                per_device_train_batch_size=completions_each(recipe),
                gradient_accumulation_steps=recipe.prompts_per_step * recipe.group_size // recipe.batch_size,
                learning_rate=recipe.learning_rate,
                lr_scheduler_type="constant",
                temperature=recipe.temperature,
                max_completion_length=recipe.max_new_tokens,
                beta=recipe.beta,
                loss_type="dapo",  # every token weighs the same, however long its completion
                scale_rewards="batch",  # a group's own deviation would blow up one-reading differences
                mask_truncated_completions=False,  # unfinished reasoning earns 0, and has to learn from it
                disable_dropout=True,  # rollouts are drawn without it
            ),
            callbacks=[
                training.StepLog(metrics_file, metrics, bar.advance),
                training.AtCheckpoints(look, recipe.save_steps),
                *([training.Blend(model, helped)] if held else []),
            ],
        )
        training.train(trainer, resume, folder.dir / "checkpoint", start, run.recipe.lora)
    if is_leader():
        check(0)
    return dict(totals)
