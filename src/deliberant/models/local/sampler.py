"""The local sampler: any Hugging Face causal LM with a chat template, batch in, batch out.

Llama, Qwen2 and Qwen3 models on a CPU take the fast path (`decoder`), every other model the general one (`generic`);
both draw the same way. The same requests in the same call give the same tokens, bit for bit. Nothing is ever
truncated: a prompt that does not fit is an error.
"""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from deliberant.models.checkpoint import model_folder, model_hash
from deliberant.models.formats import Format, Parts, chat_prompt, find_format, find_opened_format, formats, split
from deliberant.models.local.adapters import base_of, is_adapter
from deliberant.models.local.bars import hide_bars
from deliberant.models.local.batches import Group, Tokens, plan
from deliberant.models.local.decoder import Decoder, supports
from deliberant.models.local.draw import draw, uniforms
from deliberant.models.local.generic import Generic
from deliberant.models.local.hardware import cache_positions, device, multiplies_bf16
from deliberant.models.types import POLICY_ROLES, Completion, Reasoning, Request, Role, Sampling, Stop, Usage
from deliberant.prompts.types import Message
from deliberant.util.errors import DeliberantError, UserError
from deliberant.util.progress import NullProgress, Progress

BATCH_ROWS = 256
LARGE = 100_000_000
"""Parameters from which on the fast path multiplies in bf16, where it can; below, overheads hide what that spares."""
COMPACT = 0.75
"""Ended rows leave once fewer than this share of a batch is still running."""


class LocalSampler:
    """Samples from a model in this process. Satisfies `Sampler`.

    `identity`: hash of weights, tokenizer and chat template; whoever trains the model names it. `batch_tokens`: bound
    on the cached positions of one batch, the knob for memory; by default what fits into memory. `dtype`: what the
    fast path multiplies matrices in, whatever the checkpoint was saved in; by default fp32, which agrees with
    transformers token for token, but bf16 for a `LARGE` model on a CPU that has units for it.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        identity: str,
        batch_tokens: int | None = None,
        dtype: torch.dtype | None = None,
        progress: Progress | None = None,
    ) -> None:
        if tokenizer.chat_template is None:
            raise UserError(f"{tokenizer.name_or_path}: the tokenizer has no chat template; add chat_template.jinja")
        self._model = model
        self._progress = progress or NullProgress()
        self.source = str(model.config.name_or_path)
        self.precision: torch.dtype = getattr(model.config, "dtype", None) or model.dtype
        self.tokenizer = tokenizer
        self.identity = identity
        self.role: Role = "base"
        self.reasoning: Reasoning = "native"
        self.format: Format = find_format(tokenizer) or formats()["think"]
        self._template_opens = find_opened_format(chat_prompt(tokenizer)) is not None
        large = model.num_parameters() >= LARGE
        self.dtype = dtype or (torch.bfloat16 if large and multiplies_bf16() else torch.float32)
        ends = model.generation_config.eos_token_id
        ends = [*(ends if isinstance(ends, list) else [ends]), tokenizer.eos_token_id]
        self._ends = {end for end in ends if end is not None}
        self._limit = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        self.refresh()
        self.batch_tokens = batch_tokens or cache_positions(model.config, model.num_parameters(), self._engine.itemsize)

    @classmethod
    def load(
        cls, model: str | Path, trust_remote_code: bool = False, identity: str | None = None, **options: Any
    ) -> "LocalSampler":
        """A checkpoint folder or a hub id, on the GPU if there is one. `options` go to the constructor.

        `trust_remote_code`: run code that comes with the files. `identity`: a hash of the files where nobody knows it.

        UserError: no such model, not a checkpoint, no chat template.
        """
        from transformers import AutoTokenizer

        folder = model_folder(model)
        try:
            tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=trust_remote_code)
            live = _live(folder, trust_remote_code)
            sampler = cls(live, tokenizer, identity=identity or model_hash(folder), **options)
            sampler.encode([{"role": "user", "content": "?"}])  # a broken chat template shows only in use
        except (DeliberantError, MemoryError):
            raise
        except Exception as error:  # whatever three libraries raise over files that are not ours
            reason = next(iter(str(error).strip().splitlines()), "")
            raise UserError(
                f"{folder}: cannot be loaded ({type(error).__name__}: {reason}); check that the checkpoint is whole"
            ) from error
        if isinstance(sampler._engine, Decoder):
            sampler._model = folder  # the decoder has all that sampling needs
        return sampler

    @property
    def model(self) -> Any:
        """The live model; one that was loaded for the fast path is read anew, since its weights were let go."""
        if isinstance(self._model, Path):
            self._model = _live(self._model)
        return self._model

    def refresh(self) -> None:
        """Take up the live model's present weights; call after every change to them."""
        model = self.model
        self.__dict__.pop("_engine", None)  # a second copy of the weights may not fit beside it
        fast = model.device.type == "cpu" and supports(model.config)
        self._engine: Decoder | Generic = Decoder(model, self.dtype) if fast else Generic(model)

    def as_role(self, role: Role, reasoning: Reasoning = "native") -> "LocalSampler":
        """The same model in another role: weights and engine are shared."""
        other = copy.copy(self)
        other.role, other.reasoning = role, reasoning
        if reasoning == "prompted":
            other.format = formats()["think"]
        return other

    @property
    def strict(self) -> bool:
        """Whether text without a reasoning block has no answer."""
        return self.role in POLICY_ROLES and self.reasoning != "off"

    @property
    def opened(self) -> bool:
        """Whether prompts end inside the reasoning: the chat template opens it, or we do."""
        return self._template_opens or self.reasoning == "prompted"

    def encode(self, messages: Sequence[Message]) -> list[int]:
        """Token ids of the conversation in the chat template, generation prompt included, reasoning opened."""
        ids = self.tokenizer.apply_chat_template(list(messages), add_generation_prompt=True, return_dict=False)
        if self.opened and not self._template_opens:
            ids = [*ids, *self.tokenizer.encode(self.format.opening, add_special_tokens=False)]
        return list(ids)

    def sample(self, requests: Sequence[Request], sampling: Sampling) -> list[Completion]:
        """One completion per request, in order. UserError if a prompt and its new tokens exceed the positions."""
        encoded: dict[tuple[tuple[str, str], ...], list[int]] = {}
        prompts = []
        for request in requests:
            key = tuple((message["role"], message["content"]) for message in request.messages)
            if key not in encoded:
                encoded[key] = self.encode(request.messages)
            prompts.append([*encoded[key], *self._thought(request.thought)])
        forced = {request.thought is not None for request in requests}
        assert len(forced) <= 1, "of one batch all have their reasoning given, or none"
        if True in forced:
            sampling = replace(sampling, max_reasoning_tokens=None)
        drawn = self.sample_ids(prompts, [request.seed for request in requests], sampling)
        return [
            self.read(prompt, *each, request.thought)
            for prompt, each, request in zip(prompts, drawn, requests, strict=True)
        ]

    def _thought(self, thought: str | None) -> list[int]:
        """The ids that put a whole block of reasoning behind a prompt; none where the model is to reason for itself."""
        if thought is None:
            return []
        written = self.format.before_answer(thought)
        if self.opened:
            written = written.removeprefix(self.format.opening)
        ids: list[int] = self.tokenizer.encode(written, add_special_tokens=False)
        return ids

    def read(self, prompt: Sequence[int], ids: Tokens, stop: Stop, thought: str | None = None) -> Completion:
        """What was drawn behind a prompt, as text and split; behind a `thought` that was given it is the answer."""
        text, opened = self._decode(ids), self.opened
        if thought is not None:
            text, opened = self.format.before_answer(thought) + text, False
        parts = split(text, opened, self.strict)
        usage = Usage(len(prompt), len(ids))
        return Completion(text, parts.reasoning, parts.answer, parts.complete, stop, usage, ids)

    def sample_ids(
        self, prompts: Sequence[Sequence[int]], seeds: Sequence[int], sampling: Sampling
    ) -> list[tuple[Tokens, Stop]]:
        """As `sample`, on token ids; the sampled ids include the end of turn.

        With `max_reasoning_tokens` a second pass draws on: behind the closing tag that is set where none was drawn by
        then, or from where the first pass stopped. Prompted models that end their turn inside the reasoning go on, too.
        """
        assert len(prompts) == len(seeds)
        rows = [tuple(prompt) for prompt in prompts]
        self._check(rows, sampling)
        budget = sampling.max_reasoning_tokens
        if budget is None or budget >= sampling.max_new_tokens:
            return self._draw(rows, seeds, sampling)
        first = self._draw(rows, seeds, replace(sampling, max_new_tokens=budget))
        begun = {
            row: self._closed(ids)
            for row, (ids, stop) in enumerate(first)
            if stop == "length" or (self.reasoning == "prompted" and self.format.close not in self._decode(ids))
        }
        left = max(1, sampling.max_new_tokens - budget)
        rest = self._draw(
            [rows[row] + ids for row, ids in begun.items()],
            [seeds[row] + 1 for row in begun],
            replace(sampling, max_new_tokens=left),
        )
        second = {row: (ids + more, stop) for (row, ids), (more, stop) in zip(begun.items(), rest, strict=True)}
        return [second.get(row, each) for row, each in enumerate(first)]

    def log_probs(self, prompt: Sequence[int], completion: Sequence[int], temperature: float = 1.0) -> Tensor:
        """The log-probability (nats, fp32) of each token of a completion behind a prompt, as it is drawn here."""
        [groups] = plan([tuple(prompt)], len(completion), self.batch_tokens, 1)
        log_probs = []
        with torch.inference_mode():
            batch = self._engine.open(groups, len(completion))
            for place, token in enumerate(completion):
                if place:
                    batch.advance(torch.tensor([completion[place - 1]], device=batch.logits.device))
                log_probs.append((batch.logits[0].float() / temperature).log_softmax(-1)[token])
            return torch.stack(log_probs).clone()

    def _closed(self, ids: Tokens) -> Tokens:
        """The ids of a completion that the budget cut, its reasoning closed."""
        if self.format.close in self._decode(ids):
            return ids
        if ids[-1] in self._ends:
            ids = ids[:-1]
        return ids + tuple(self.tokenizer.encode(self.format.closing, add_special_tokens=False))

    def _draw(self, rows: Sequence[Tokens], seeds: Sequence[int], sampling: Sampling) -> list[tuple[Tokens, Stop]]:
        results: dict[int, tuple[Tokens, Stop]] = {}
        batches = plan(rows, sampling.max_new_tokens, self.batch_tokens, BATCH_ROWS, self._engine.copied)
        with self._progress("tokens", len(batches) * sampling.max_new_tokens, brief=True) as bar:
            for groups in batches:
                order = [row for group in groups for row in group.rows]
                out = torch.zeros(len(order), sampling.max_new_tokens, dtype=torch.long)
                for step, (live, tokens) in enumerate(self._steps(groups, [seeds[row] for row in order], sampling)):
                    out[live, step] = tokens
                    bar.advance()
                bar.advance(sampling.max_new_tokens - 1 - step)
                results |= {row: self.cut(ids) for row, ids in zip(order, out.tolist(), strict=True)}
        return [results[row] for row in range(len(rows))]

    def stream(self, messages: Sequence[Message], sampling: Sampling, seed: int) -> Iterator[Parts]:
        """What was said so far, as it is drawn, split; the last is what `sample` returns for the same request."""
        prompt = tuple(self.encode(messages))
        self._check([prompt], sampling)
        [groups] = plan([prompt], sampling.max_new_tokens, self.batch_tokens, 1)
        ids: Tokens = ()
        for _, tokens in self._steps(groups, [seed], sampling):
            ids = (*ids, int(tokens[0]))
            text = self._decode(ids)
            if not text.endswith("\N{REPLACEMENT CHARACTER}"):  # perhaps half a character
                yield split(text, self.opened, self.strict)
        yield split(self._decode(ids), self.opened, self.strict)

    def _steps(self, groups: list[Group], seeds: list[int], sampling: Sampling) -> Iterator[tuple[Tensor, Tensor]]:
        """(rows, their next tokens) until all have ended; a row that ended may still appear for some steps."""
        ends = torch.tensor(sorted(self._ends), dtype=torch.long)
        # Entered per piece of work: a generator must not leave inference mode on in its caller.
        with torch.inference_mode():
            batch = self._engine.open(groups, sampling.max_new_tokens)
            place = batch.logits.device  # logits stay there, tokens are few enough to travel
            noise = uniforms(seeds, sampling.max_new_tokens).to(place)
            rows = torch.arange(len(seeds))
            running = torch.ones(len(seeds), dtype=torch.bool)
            tokens = torch.zeros(len(seeds), dtype=torch.long)
        for step in range(sampling.max_new_tokens):
            with torch.inference_mode():
                if step:
                    if running.sum() < COMPACT * len(rows):
                        live = running.nonzero()[:, 0]
                        batch.keep(live.to(place))
                        rows, running, tokens = rows[live], running[live], tokens[live]
                    batch.advance(tokens.to(place))
                tokens = draw(batch.logits, noise[rows.to(place), step], sampling).cpu()
                running &= ~torch.isin(tokens, ends)
            yield rows, tokens
            if not running.any():
                return

    def cut(self, ids: list[int]) -> tuple[Tokens, Stop]:
        """The ids up to the end of turn, and whether there is one."""
        end = next((place for place, token in enumerate(ids) if token in self._ends), None)
        return (tuple(ids), "length") if end is None else (tuple(ids[: end + 1]), "stop")

    def _decode(self, ids: Tokens) -> str:
        """Think tags stay even where they are special tokens; only the end of turn goes."""
        if ids and ids[-1] in self._ends:
            ids = ids[:-1]
        text: str = self.tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return text

    def _check(self, prompts: Sequence[Tokens], sampling: Sampling) -> None:
        limit = self._limit
        for number, prompt in enumerate(prompts, start=1):
            assert prompt, "a prompt has at least one token"
            needed = len(prompt) + sampling.max_new_tokens
            if limit is not None and needed > limit:
                raise UserError(
                    f"prompt {number} of {len(prompts)}: {len(prompt)} tokens and {sampling.max_new_tokens} new ones "
                    f"are {needed - limit} over the model's {limit} positions; shorten it or lower max_new_tokens"
                )


def _live(folder: Path, trust_remote_code: bool = False) -> Any:
    """The model itself, in the precision it was saved in, or fp32 where this hardware only emulates that."""
    from transformers import AutoModelForCausalLM

    base = base_of(folder) if is_adapter(folder) else folder
    with hide_bars():
        loaded = AutoModelForCausalLM.from_pretrained(base, dtype="auto", trust_remote_code=trust_remote_code)
    native = loaded.dtype == torch.bfloat16 and multiplies_bf16()
    if device().type == "cpu" and not native and not supports(loaded.config):  # the decoder converts for itself
        loaded = loaded.float()
    if base != folder:
        from peft import PeftModel

        loaded = PeftModel.from_pretrained(loaded, folder)
    return loaded.to(device()).eval()
