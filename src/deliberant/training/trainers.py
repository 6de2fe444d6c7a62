"""What the two training stages share: TRL's trainers made quiet, resumable and exactly repeatable.

Imported inside the stages only, since importing TRL takes seconds. The two subclasses replace no training logic: both
are quiet, and that of GRPO draws the rollouts from our sampler.
"""

import copy
import json
import logging
import shutil
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from transformers import PrinterCallback, TrainerCallback
from trl import GRPOTrainer, SFTTrainer

from deliberant.models.formats import chat_prompt, find_opened_format
from deliberant.models.local.bars import hide_bars
from deliberant.models.local.hardware import multiplies_bf16
from deliberant.prompts.types import Prompt
from deliberant.training import proofs
from deliberant.training.adapters import save_adapter, with_adapter
from deliberant.training.shards import place_like, sharded, whole_state
from deliberant.util.errors import RunError, UserError
from deliberant.util.files import Row, json_line, write_rows
from deliberant.util.processes import is_leader

if TYPE_CHECKING:
    from deliberant.models.local.sampler import LocalSampler
    from deliberant.run.recipe import Lora, Rl

CHATTY = ("transformers", "trl", "accelerate", "datasets")
TORCH_WRITER = "inline_container"  # the source file that torch names when it cannot write a checkpoint


@contextmanager
def quiet() -> Iterator[None]:
    """Mute what the training libraries say below an error; the metrics files tell it better."""
    levels = {logger: logger.level for logger in map(logging.getLogger, CHATTY)}
    try:
        for logger in levels:
            logger.setLevel(logging.ERROR)
        with hide_bars(), warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            warnings.filterwarnings("ignore", message="fan_in_fan_out is set")  # peft sets it right by itself
            yield
    finally:
        for logger, level in levels.items():
            logger.setLevel(level)


def common_settings(output: Path, seed: int, save_steps: int) -> dict[str, Any]:
    """Arguments for SFTConfig and GRPOConfig alike.

    bf16 autocast wherever the hardware multiplies it natively (on a CPU 1.3 to 1.9 times fp32); the weights themselves
    stay fp32. TRL's defaults would refuse a CPU and slow it by a fifth (gradient checkpointing).
    """
    cuda = torch.cuda.is_available()
    return {
        "output_dir": str(output),
        "seed": seed,
        "use_cpu": not cuda,
        "bf16": multiplies_bf16(),
        "dataloader_pin_memory": cuda,
        "save_strategy": "steps",
        "save_steps": save_steps,
        "save_total_limit": 1,
        "ddp_find_unused_parameters": False,  # every parameter that is trained has a part in every pass
        "logging_steps": 1,
        "logging_nan_inf_filter": False,  # it would report the mean of earlier losses
        "report_to": "none",
        "disable_tqdm": True,
    }


def vllm_settings(recipe: "Rl") -> dict[str, Any]:
    """Arguments for GRPOConfig that have vLLM draw, or none."""
    if recipe.vllm == "off":
        return {}
    server = {"vllm_mode": "server", "vllm_server_base_url": recipe.vllm}
    where = {"vllm_mode": "colocate"} if recipe.vllm == "colocate" else server
    return {"use_vllm": True, **where, "top_p": recipe.top_p}


class _Silent:
    """Neither a telemetry ping per trainer nor a model card per checkpoint; and one process has one GPU."""

    def __init__(self, args: Any, **kwargs: Any) -> None:
        args._n_gpu = min(args.n_gpu, 1)  # else one process takes all GPUs, by nn.DataParallel, which TRL refuses
        super().__init__(args=args, **kwargs)  # type: ignore[call-arg]

    def _send_telemetry(self) -> None: ...

    def create_model_card(self, *args: Any, **kwargs: Any) -> None: ...


class SilentSFTTrainer(_Silent, SFTTrainer):  # type: ignore[misc]
    """SFTTrainer that says nothing."""


class SampledGRPOTrainer(_Silent, GRPOTrainer):  # type: ignore[misc]
    """GRPOTrainer whose completions come from `draw(every row's prompt ids, optimizer steps done)`, as token ids.

    `plan` has the prompt of each `place`, which may change until its step comes. With `sampler`, from whose weights
    `draw` draws, the first two steps prove that these are the trainer's. Where vLLM draws, by TRL's own means,
    `take(prompt ids, completion ids)` is told what.
    """

    _buffered_inputs: list[dict[str, Any]] | None  # the micro-batches of a step

    def __init__(
        self,
        draw: Callable[[list[list[int]], int], list[list[int]]],
        plan: Sequence[Prompt] = (),
        sampler: Any = None,
        take: Callable[[list[list[int]], list[list[int]]], None] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.draw, self.plan, self.sampler, self.take, self.unproven = draw, plan, sampler, take, 2

    def _generate_and_score_completions(self, inputs: Any) -> Any:
        scored = super()._generate_and_score_completions(inputs)
        if self.sampler is not None and self.unproven and not self.use_vllm:
            proofs.same_policy(self, self.sampler, scored)
            self.unproven -= 1
        return scored

    def _generate_single_turn(self, prompt_ids: list[list[int]], *rest: Any, **named: Any) -> tuple[Any, Any]:
        if not self.use_vllm:
            return self.draw(prompt_ids, self.state.global_step), None  # no log-probs: old and new policy are one
        drawn, log_probs = super()._generate_single_turn(prompt_ids, *rest, **named)
        assert self.take is not None
        self.take(prompt_ids, drawn)
        return drawn, log_probs

    def _prepare_inputs(self, generation_batch: Any) -> Any:
        """Completions with an advantage first, shortest first, each micro-batch as narrow as its rows."""
        fresh = self._buffered_inputs is None or self._step % self.args.steps_per_generation == 0
        if fresh and self.plan:
            generation_batch = [
                {**row, "prompt": [dict(turn) for turn in self.plan[row["place"]].messages]} for row in generation_batch
            ]
        inputs = super()._prepare_inputs(generation_batch)
        if not fresh or not self._skips:
            return inputs
        assert self._buffered_inputs is not None
        self._buffered_inputs = live_first(self._buffered_inputs)
        return self._buffered_inputs[self._step % self.args.steps_per_generation]

    def compute_loss(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Where no row has an advantage there is no gradient, so there is no pass through the model either."""
        if self._skips and not inputs["advantages"].any():
            return sum(each.sum() for each in model.parameters() if each.requires_grad) * 0.0
        return super().compute_loss(model, inputs, *args, **kwargs)

    @property
    def _skips(self) -> bool:
        """A KL term pulls at every row; all processes take every pass together; vLLM adds tensors that are not cut."""
        return bool(self.beta == 0 and self.accelerator.num_processes == 1 and not self.use_vllm)


def live_first(batches: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Micro-batches of one step with their rows in a new order: those with an advantage first, each kind by length.

    A group whose rewards are all the same has no advantage and no gradient (GRPO), and a row's place in its step makes
    no difference to the sum. Padding that a micro-batch does not need goes: prompts have it on the left, completions on
    the right.
    """
    rows = [name for name, value in batches[0].items() if torch.is_tensor(value) and value.dim()]
    whole = {name: torch.cat([batch[name] for batch in batches]) for name in rows}
    lengths = whole["completion_mask"].sum(1)
    order = torch.argsort((whole["advantages"] == 0) * (lengths.max() + 1) + lengths, stable=True)
    size, made = len(batches[0]["advantages"]), []
    for number, batch in enumerate(batches):
        picked = {name: value[order[number * size : (number + 1) * size]] for name, value in whole.items()}
        prompt = int(picked["prompt_mask"].sum(1).max())
        completion = int(picked["completion_mask"].sum(1).max())
        for name in ("prompt_ids", "prompt_mask"):
            picked[name] = picked[name][:, -prompt:]
        for name in ("completion_ids", "completion_mask"):
            picked[name] = picked[name][:, :completion]
        made.append({**batch, **picked})
    return made


class StepLog(TrainerCallback):  # type: ignore[misc]
    """One row of metrics.jsonl per optimizer step, and the progress bar.

    `row(step, logs)` picks what to write; the step is added here.
    """

    def __init__(
        self, path: Path, row: Callable[[int, dict[str, Any]], dict[str, Any]], advance: Callable[[int], Any]
    ) -> None:
        self.path, self.row, self.advance = path, row, advance

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.advance(state.global_step)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        if logs is None or "loss" not in logs:  # the summary after the last step
            return
        proofs.check_finite(state.global_step, logs)
        if not is_leader():
            return
        append_rows(self.path, [{"step": state.global_step, **self.row(state.global_step, logs)}])
        self.advance(1)


class AtCheckpoints(TrainerCallback):  # type: ignore[misc]
    """Calls `work(step)` before the first step, at every checkpoint, before it is saved, and at the end.

    Placed after `StepLog`, it finds the step's row written.
    """

    def __init__(self, work: Callable[[int], None], save_steps: int) -> None:
        self.work, self.save_steps = work, save_steps

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == 0:
            self.work(0)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        step = state.global_step
        if logs and "loss" in logs and (step % self.save_steps == 0 or step == state.max_steps):
            self.work(step)


def append_rows(path: Path, rows: Sequence[Row]) -> None:
    with path.open("ab") as file:
        file.writelines(json_line(row) for row in rows)


def last_checkpoint(folder: Path) -> Path | None:
    """The newest whole checkpoint under `folder`; torn ones are deleted.

    The trainer state is the last file a checkpoint gets, so a checkpoint without a readable one is torn.
    """
    for path in sorted(folder.glob("checkpoint-*"), key=_steps, reverse=True):
        try:
            json.loads((path / "trainer_state.json").read_bytes())
        except (OSError, ValueError):
            shutil.rmtree(path)
        else:
            return path
    return None


def cut_back(path: Path, checkpoint: Path | None) -> list[Row]:
    """Drop the rows of steps after `checkpoint`, which a killed run wrote and will redo; return the others."""
    done = _steps(checkpoint) if checkpoint else 0
    whole = path.read_bytes().split(b"\n")[:-1] if path.exists() else []  # behind the last newline is a torn row
    rows = [row for row in map(json.loads, whole) if row["step"] <= done]
    write_rows(path, rows)
    return rows


def _steps(checkpoint: Path) -> int:
    return int(checkpoint.name.split("-")[1])


class Blend(TrainerCallback):  # type: ignore[misc]
    """When training has ended, mixes the weights that it started from back in (WiSE-FT); `share()` is the trained part.

    At 1 nothing is mixed in, at 0 only the start is left. Checkpoints to resume from hold the trained weights alone. Of
    a new adapter, whose B is zero at the start, B alone is mixed: W + BA moves as W does.
    """

    def __init__(self, model: Any, share: Callable[[], float]) -> None:
        """`model` as training starts; what it trains is copied."""
        trained = {name: each for name, each in model.named_parameters() if each.requires_grad}
        fresh = not any(each.any() for name, each in trained.items() if ".lora_B." in name)
        self.start = {
            name: each.detach().clone() for name, each in trained.items() if not (fresh and ".lora_A." in name)
        }
        self.share = share

    def on_train_end(self, *_: Any, model: Any, **__: Any) -> None:
        if (share := self.share()) == 1:
            return
        with torch.no_grad():
            for name, trained in model.named_parameters():
                if name in self.start:
                    trained.lerp_(place_like(trained, self.start[name]), 1 - share)


def trainable(sampler: Any, embeddings: bool, lora: "Lora | None", seed: int) -> tuple[Any, Any]:
    """Copies of a sampler's model and tokenizer to train: the sampler goes on sampling from its own.

    What is trained is fp32. `embeddings`: whether input and output embeddings are trained, too. With `lora` an adapter
    alone is trained; the weights below it stay in bf16 where they are in it and the hardware multiplies it.
    """
    start = sampler.model.cpu() if sharded() else sampler.model  # each part goes to its GPU by itself
    model = copy.deepcopy(start)
    tokenizer = copy.deepcopy(sampler.tokenizer)
    opening_template(tokenizer, sampler)
    if lora is None or not multiplies_bf16():
        model = model.float()
    if lora is not None:
        with quiet():
            return with_adapter(model, lora, seed), tokenizer
    if hasattr(model, "peft_config"):  # an adapter's run that goes on without one
        model = model.merge_and_unload()
    for matrix in (model.get_input_embeddings(), model.get_output_embeddings()):
        matrix.weight.requires_grad_(embeddings)
    return model, tokenizer


def opening_template(tokenizer: Any, sampler: Any) -> None:
    """Have the chat template open the reasoning where the sampler's prompts do, so that it does so for everyone."""
    tokenizer.init_kwargs["reasoning_format"] = sampler.format.name
    if sampler.opened and find_opened_format(chat_prompt(tokenizer)) is None:
        opening = json.dumps(sampler.format.opening)
        tokenizer.chat_template += "{%- if add_generation_prompt %}{{- " + opening + " }}{%- endif %}"


def train(trainer: Any, resume: Path | None, checkpoint: Path, start: "LocalSampler", lora: "Lora | None") -> None:
    """Train, from `resume` on if given, then put model, tokenizer and chat template at `checkpoint` in one rename.

    Weights are saved in the precision that `start` has, an adapter merged into them unless the recipe says otherwise.

    RunError where the disk is full, UserError where a merged adapter is asked of weights in parts.
    """
    if lora and lora.merge and sharded():
        raise UserError("lora.merge: weights in parts cannot be merged with an adapter; set lora.merge to false")
    trainer.remove_callback(PrinterCallback)  # it prints every log row to stdout
    proofs.check_connected(trainer)
    trainer.add_callback(proofs.Wrapped(trainer))
    with saving(checkpoint.parent):
        trainer.train(resume_from_checkpoint=str(resume) if resume else None)
        state = whole_state(trainer)
        if not is_leader():
            return
        draft = checkpoint.with_name(checkpoint.name + ".draft")
        for stale in (draft, checkpoint):
            shutil.rmtree(stale, ignore_errors=True)
        model = trainer.accelerator.unwrap_model(trainer.model)
        model.config.use_cache = True  # off while training
        if lora and not lora.merge:
            save_adapter(model, draft, start.source, state)
        elif state is not None:
            model.save_pretrained(draft, state_dict={name: each.to(start.precision) for name, each in state.items()})
        else:
            (model.merge_and_unload() if lora else model).to(start.precision).save_pretrained(draft)
        trainer.processing_class.save_pretrained(draft)
        draft.rename(checkpoint)


@contextmanager
def saving(folder: Path) -> Iterator[None]:
    """Turn a failed write into one line; safetensors and torch have errors of their own for it."""
    try:
        yield
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        if isinstance(error, RuntimeError) and TORCH_WRITER not in reason:
            raise
        raise RunError(
            f"{folder}: cannot write ({reason}); the last whole checkpoint is kept; free some space, then the same "
            "command resumes"
        ) from error
