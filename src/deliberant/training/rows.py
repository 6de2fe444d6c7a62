"""Training rows: the original prompt, then the reasoning and answer that the policy led to, and no policy anywhere.

This is the paper's context distillation (section 2.3.3): the model saw the policy when it wrote the sample and is
trained as if it had not. We tokenise and label the rows ourselves, so that no trainer's template or length limit can
drop the reasoning or cut a row. The paper does not give the mix; ours is `helpful_ratio` helpful rows per policy row.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from deliberant.policy import Policy, traces
from deliberant.prompts.types import Prompt
from deliberant.util.files import Row
from deliberant.util.turns import take_turns

if TYPE_CHECKING:
    from deliberant.models.local.sampler import LocalSampler

IGNORED = -100  # the label PyTorch's cross entropy skips


@dataclass(frozen=True)
class TrainingRow:
    """One example. `text` is the completion as trained on, end-of-turn apart; `source` is "policy" or "helpful"."""

    prompt_id: str
    sample_id: str
    source: str
    answer: str
    text: str
    prompt_ids: tuple[int, ...]
    completion_ids: tuple[int, ...]

    @property
    def input_ids(self) -> list[int]:
        return [*self.prompt_ids, *self.completion_ids]

    @property
    def labels(self) -> list[int]:
        """No loss on the prompt; loss on every completion token, reasoning and end-of-turn included."""
        return [IGNORED] * len(self.prompt_ids) + list(self.completion_ids)

    @property
    def tokens(self) -> int:
        return len(self.prompt_ids) + len(self.completion_ids)

    def as_json(self) -> dict[str, Any]:
        return {
            "prompt_id": self.prompt_id,
            "sample_id": self.sample_id,
            "source": self.source,
            "text": self.text,
            "tokens": self.tokens,
        }


@dataclass(frozen=True)
class Rows:
    """Rows in training order, and what was left out. `counts` goes into the manifest as it stands."""

    rows: list[TrainingRow]
    counts: dict[str, int]


class RowBuilder:
    """Builds rows in the form of the model that is trained, and asserts that the policy did not come along."""

    def __init__(self, policy: Policy, sampler: "LocalSampler") -> None:
        self.sampler = sampler
        self.traces = traces(policy)
        self.end_of_turn = end_of_turn(sampler.tokenizer)

    def row(self, prompt: Prompt, source: str, sample: Row) -> TrainingRow:
        """`sample`: a row of generate or helpful, whichever model wrote it."""
        for message in prompt.messages:
            trace = next((trace for trace in self.traces if trace in message["content"]), None)
            assert trace is None, f"prompt {prompt.id} carries policy text into training: {trace!r}"
        assert sample["complete"], f"sample {sample['id']} has no whole reasoning and answer"
        prompt_ids = tuple(self.sampler.encode(prompt.messages))
        row = TrainingRow(prompt.id, sample["id"], source, sample["answer"], "", prompt_ids, ())
        return self._completed(row, sample["reasoning"])

    def without_reasoning(self, row: TrainingRow) -> TrainingRow:
        """The no-cot arm's twin of a row: same prompt, same tags, same answer, empty reasoning."""
        return self._completed(row, "")

    def _completed(self, row: TrainingRow, reasoning: str) -> TrainingRow:
        format = self.sampler.format
        text = format.join(reasoning, row.answer)
        if self.sampler.opened:
            text = text.removeprefix(format.opening)
        ids = self.sampler.tokenizer.encode(text, add_special_tokens=False)
        return replace(row, text=text, completion_ids=(*ids, self.end_of_turn))


def end_of_turn(tokenizer: Any) -> int:
    """The special token that closes an assistant turn in the chat template; the tokenizer's eos where none does."""
    turns = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "ANSWER"}]
    tail = tokenizer.apply_chat_template(turns, tokenize=False).rpartition("ANSWER")[2]
    ids: list[int] = tokenizer.encode(tail, add_special_tokens=False)
    added = tokenizer.added_tokens_decoder
    return next((token for token in ids if token in added and added[token].special), tokenizer.eos_token_id)


def mix(
    policy_rows: Sequence[TrainingRow],
    helpful_rows: Sequence[TrainingRow],
    helpful_ratio: float,
    max_tokens: int,
    seed: int,
) -> Rows:
    """Rows short enough, `helpful_ratio` helpful ones per policy one, shuffled by `seed`.

    Longer than `max_tokens` (prompt and completion together) means dropped and counted, never cut. Where there are
    fewer helpful rows than the ratio asks for, all are used and the shortfall counted.
    """
    kept = [row for row in policy_rows if row.tokens <= max_tokens]
    helpful = [row for row in helpful_rows if row.tokens <= max_tokens]
    wanted = round(helpful_ratio * len(kept))
    rng = random.Random(seed)
    chosen = rng.sample(helpful, min(wanted, len(helpful)))
    rows = kept + chosen
    rng.shuffle(rows)
    counts = {
        "rows": len(rows),
        "policy": len(kept),
        "policy_too_long": len(policy_rows) - len(kept),
        "helpful": len(chosen),
        "helpful_too_long": len(helpful_rows) - len(helpful),
        "helpful_missing": wanted - len(chosen),
        "tokens": sum(row.tokens for row in rows),
        "p95_tokens": int(np.percentile([row.tokens for row in rows], 95, method="inverted_cdf")) if rows else 0,
    }
    return Rows(rows, counts)


def replay(samples: Sequence[Row], wanted: int, seed: int) -> list[Row]:
    """`wanted` of the kept samples (all, where there are fewer), drawn by `seed`; the clauses they cite take turns.

    A clause decides, by its id cited last, so that a small replay goes through all of them before it repeats one.
    """
    shuffled = random.Random(f"{seed} replay").sample(samples, len(samples))
    return take_turns(shuffled, lambda row: str(row["cited"][-1]))[:wanted]
