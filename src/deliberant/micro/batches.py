"""Pre-training rows as tensors: which tokens carry loss, and batches of one width."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from deliberant.micro.tokenizer import END
from deliberant.prompts.types import Message

WIDTH = 64


@dataclass(frozen=True)
class Row:
    """Token ids, and which of them carry loss (the assistant's turns, end tokens included)."""

    ids: list[int]
    loss: list[bool]


def tokenise(tokenizer: Any, messages: Sequence[Message]) -> Row:
    text = tokenizer.apply_chat_template(messages, tokenize=False)
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    speaker, end = tokenizer.convert_tokens_to_ids(["<|assistant|>", END])
    loss, speaking = [], False
    for token in ids:
        loss.append(speaking)
        speaking = (speaking or token == speaker) and token != end
    return Row(ids, loss)


def batches(rows: Iterator[Row], batch_tokens: int) -> Iterator[list[Row]]:
    """Full batches of about `batch_tokens`, of rows of one padded width: few shapes, so kernels are reused."""
    waiting: dict[int, list[Row]] = {}
    for row in rows:
        width = pad_width(len(row.ids))
        group = waiting.setdefault(width, [])
        group.append(row)
        if len(group) == max(1, batch_tokens // width):
            yield waiting.pop(width)


def pad_width(length: int) -> int:
    return math.ceil(length / WIDTH) * WIDTH


def tensors(batch: list[Row], pad: int) -> tuple[Any, Any]:
    """(ids, loss mask), right-padded: causal attention never looks at padding, so no attention mask is needed."""
    import torch

    width = pad_width(max(len(row.ids) for row in batch)) + 1
    ids = torch.full((len(batch), width), pad)
    mask = torch.zeros((len(batch), width), dtype=torch.bool)
    for index, row in enumerate(batch):
        ids[index, : len(row.ids)] = torch.tensor(row.ids)
        mask[index, : len(row.ids)] = torch.tensor(row.loss)
    return ids, mask
