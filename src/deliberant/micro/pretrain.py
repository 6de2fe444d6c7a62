"""Pre-train the built-in base model: `deliberant micro pretrain --out DIR`, from scratch or `--from` a checkpoint.

A Llama of a few million parameters on `corpus` rows, loss on assistant tokens only. Muon for the matrices, AdamW for
embeddings and norms; warm-up, plateau, linear decay; a curriculum from small policies to large ones. A loop of our own
because TRL has no pre-training and its trainers take one optimiser. Checkpoints every few minutes; the same command
resumes.
"""

import os
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deliberant.micro.batches import Row, batches, pad_width, tensors, tokenise
from deliberant.micro.corpus import corpus
from deliberant.micro.policies import HARDEST, Level
from deliberant.micro.tokenizer import END, PAD, build_tokenizer
from deliberant.models.checkpoint import model_folder
from deliberant.models.local.bars import hide_bars
from deliberant.util.errors import UserError
from deliberant.util.files import explain_write_errors

COPY_MIX = {"copy": 1.0}
EASY_MIX = {
    "lookup": 0.30,
    "policy": 0.25,
    "free": 0.12,
    "judge": 0.10,
    "skill": 0.10,
    "words": 0.08,
    "copy": 0.05,
}
FULL_MIX = {
    "policy": 0.24,
    "judge": 0.20,
    "free": 0.12,
    "summary": 0.09,
    "lookup": 0.08,
    "coded": 0.08,
    "skill": 0.06,
    "compare": 0.04,
    "match": 0.03,
    "help": 0.03,
    "words": 0.02,
    "copy": 0.01,
}
POLISH_MIX = {
    "policy": 0.22,
    "coded": 0.20,
    "judge": 0.19,
    "lookup": 0.13,
    "free": 0.09,
    "skill": 0.06,
    "summary": 0.05,
    "match": 0.02,
    "compare": 0.02,
    "help": 0.01,
    "words": 0.01,
}
SCHEDULE = (
    (0.052, COPY_MIX, Level(1)),
    (0.132, EASY_MIX, Level(1, synonyms=False)),
    (0.22, EASY_MIX, Level(3, synonyms=False)),
    (0.336, EASY_MIX, Level(3)),
    (0.8, FULL_MIX, HARDEST),
    (1.0, POLISH_MIX, HARDEST),
)
"""(until this share of the tokens, mix of rows, how hard the policies are).

Copying comes first and alone: mixed in from the start it had not formed after 6M tokens, alone it forms in 1M, and
every look-up stands on it. Looking up comes first in one category, in the words the base thinks in.
"""
CONTINUED_TOKENS = 2_000_000
"""What a build is trained on with, unless told otherwise."""


@dataclass(frozen=True)
class Plan:
    """Everything that determines the model: shape, budget, schedule. `tokens` counts all that are read, not padding.

    With `start`, a checkpoint of the built-in base, training goes on from it (its shape is what counts): the last
    phase's mix, at `rate` of the full rates, falling to zero.
    """

    hidden: int = 256
    layers: int = 4
    heads: int = 8
    feed_forward: int = 640
    tokens: int = 40_000_000
    batch_tokens: int = 4096
    muon_rate: float = 0.02
    adam_rate: float = 3e-3
    seed: int = 0
    start: Path | None = None
    rate: float = 0.05

    @property
    def schedule(self) -> tuple[tuple[float, dict[str, float], Level], ...]:
        return SCHEDULE[-1:] if self.start else SCHEDULE

    def factor(self, done: float) -> float:
        """Learning-rate factor after a share `done` of the budget."""
        return self.rate * max(0.0, 1 - done) if self.start else rate(done)


def build_model(plan: Plan, vocabulary: int, pad: int, end: int) -> Any:
    """A random `LlamaForCausalLM`, embeddings tied."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(plan.seed)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=plan.hidden,
        intermediate_size=plan.feed_forward,
        num_hidden_layers=plan.layers,
        num_attention_heads=plan.heads,
        num_key_value_heads=plan.heads,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        pad_token_id=pad,
        eos_token_id=end,
        bos_token_id=None,
        rope_theta=10000.0,
        initializer_range=0.02,
    )
    return LlamaForCausalLM(config)


def load_model(start: Path, vocabulary: int) -> Any:
    """A checkpoint to go on from, in fp32. UserError: there is none, or its vocabulary is not the built-in one."""
    import torch
    from transformers import AutoModelForCausalLM

    folder = model_folder(start)
    with hide_bars():
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    if model.config.vocab_size != vocabulary:
        raise UserError(
            f"{folder}: has {model.config.vocab_size} tokens where the built-in base has {vocabulary}; give a build of "
            "`deliberant micro pretrain`"
        )
    return model


def token_loss(model: Any, ids: Any, mask: Any) -> tuple[Any, Any, Any]:
    """(mean cross entropy, predictions, targets) at the tokens that carry loss; no logits elsewhere."""
    import torch

    hidden = model.model(input_ids=ids[:, :-1]).last_hidden_state.flatten(0, 1)
    chosen = mask[:, 1:].flatten().nonzero()[:, 0]
    targets = ids[:, 1:].flatten()[chosen]
    spare = pad_width(len(chosen)) - len(chosen)
    logits = model.lm_head(hidden[torch.nn.functional.pad(chosen, (0, spare))]).float()
    loss = torch.nn.functional.cross_entropy(logits, torch.nn.functional.pad(targets, (0, spare), value=-100))
    return loss, logits[: len(chosen)].argmax(-1), targets


def rate(done: float) -> float:
    """Learning-rate factor after a share `done` of the budget: high while copying forms, then a third, falling to zero;
    in the last phase a tenth, falling to zero again.

    A batch of 4,096 tokens is small for Muon, whose steps are as long when the gradient is noise: at the full rate
    nothing but copying was learned, and that was forgotten again.
    """
    copying, polish = SCHEDULE[0][0], SCHEDULE[-2][0]
    if done < copying:
        return min(1.0, 0.01 + done / 0.02)
    if done < polish:
        return 0.35 * (polish - done) / (polish - copying)
    return 0.1 * max(0.0, (1 - done) / (1 - polish))


def exact_turns(model: Any, tokenizer: Any, seed: int, rows: int = 48) -> dict[str, float]:
    """Share of assistant turns predicted right to the last token, by row type: a cheap, teacher-forced look."""
    import torch

    from deliberant.models.local.hardware import cpu_multiplies_bf16

    shares = {}
    pad, end = tokenizer.convert_tokens_to_ids([PAD, END])
    for name in FULL_MIX:
        source = corpus(random.Random(f"{seed} {name}"), {name: 1.0})
        ids, mask = tensors([tokenise(tokenizer, next(source)) for _ in range(rows)], pad)
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=cpu_multiplies_bf16()):
            _, guessed, targets = token_loss(model, ids, mask)
        turns = (targets == end).cumsum(0) - (targets == end).long()
        wrong = torch.zeros(int(turns.max()) + 1).index_add_(0, turns, (guessed != targets).float())
        shares[name] = round((wrong == 0).float().mean().item(), 3)
    return shares


def pretrain(
    out: Path,
    plan: Plan,
    report: Callable[[dict[str, Any]], None],
    save_minutes: float = 5,
    report_steps: int = 50,
    measure_steps: int = 250,
) -> None:
    """Train to the end of the plan and save a Hugging Face checkpoint in `out`; `out/state.pt` lets a call resume.

    `report` gets {step, tokens, loss, tokens_per_s} every `report_steps` and, now and then, the share of `exact` turns.
    """
    import torch

    from deliberant.models.local.hardware import cpu_multiplies_bf16

    tokenizer = build_tokenizer()
    pad, end = tokenizer.convert_tokens_to_ids([PAD, END])
    model = load_model(plan.start, len(tokenizer)) if plan.start else build_model(plan, len(tokenizer), pad, end)
    bf16 = cpu_multiplies_bf16()
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name]
    others = [p for name, p in model.named_parameters() if p.ndim != 2 or "embed" in name]
    optimizers = [
        torch.optim.Muon(matrices, lr=plan.muon_rate, weight_decay=0.01),
        torch.optim.AdamW(others, lr=plan.adam_rate, betas=(0.9, 0.95), weight_decay=0.0),
    ]
    base_rates = [plan.muon_rate, plan.adam_rate]
    seen, step = 0, 0
    with explain_write_errors(out, "nothing was lost"):
        out.mkdir(parents=True, exist_ok=True)
    state_file = out / "state.pt"
    if state_file.exists():
        state = torch.load(state_file, weights_only=True)
        model.load_state_dict(state["model"])
        for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        seen, step = state["seen"], state["step"]

    rng = random.Random(f"{plan.seed} {seen}")

    def stream() -> Iterator[Row]:
        sources = [(until * plan.tokens, corpus(rng, mix, level)) for until, mix, level in plan.schedule]
        while True:
            rows = next((rows for until, rows in sources if seen < until), sources[-1][1])
            yield tokenise(tokenizer, next(rows))

    def save() -> None:
        states = [optimizer.state_dict() for optimizer in optimizers]
        state = {"model": model.state_dict(), "optimizers": states, "seen": seen, "step": step}
        torch.save(state, state_file.with_suffix(".tmp"))
        os.replace(state_file.with_suffix(".tmp"), state_file)

    started, saved_at, losses = time.time(), time.time(), []
    first = seen
    try:
        for batch in batches(stream(), plan.batch_tokens):
            if seen >= plan.tokens:
                break
            for optimizer, base in zip(optimizers, base_rates, strict=True):
                for group in optimizer.param_groups:
                    group["lr"] = base * plan.factor(seen / plan.tokens)
            ids, mask = tensors(batch, pad)
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                loss, _, _ = token_loss(model, ids, mask)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            seen += sum(len(row.ids) for row in batch)
            step += 1
            losses.append(loss.item())
            if step % report_steps == 0:
                speed = round((seen - first) / (time.time() - started))
                mean = round(sum(losses[-report_steps:]) / report_steps, 4)
                row: dict[str, Any] = {"step": step, "tokens": seen, "loss": mean, "tokens_per_s": speed}
                if step % measure_steps == 0:
                    row["exact"] = exact_turns(model, tokenizer, step)
                report(row)
            if time.time() - saved_at > 60 * save_minutes:
                save()
                saved_at = time.time()
    finally:  # Ctrl-C loses nothing
        save()
    with hide_bars():
        model.to(torch.bfloat16).save_pretrained(out)
    tokenizer.save_pretrained(out)
