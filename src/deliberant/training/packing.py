"""Which rows of fine-tuning stand in which sequence, and which sequences in which step."""

import random
from collections.abc import Sequence

from deliberant.training.rows import IGNORED
from deliberant.util.files import Row
from deliberant.util.processes import count

LENGTH_WINDOW = 50  # batches among which rows of similar length are brought together


def pack_rows(lengths: Sequence[int], epochs: int, packing: int, max_tokens: int, seed: int) -> list[tuple[int, ...]]:
    """Row indices of each training sequence: every epoch holds every row once, in an order of its own.

    A sequence takes the rows that come next, at most `packing` of them and, from the second on, `max_tokens` in all.
    """
    rng = random.Random(seed)
    sequences: list[list[int]] = []
    for _ in range(epochs):
        sequences.append([])
        for index in rng.sample(range(len(lengths)), len(lengths)):
            room = max_tokens - sum(lengths[each] for each in sequences[-1])
            if sequences[-1] and (len(sequences[-1]) == packing or lengths[index] > room):
                sequences.append([])
            sequences[-1].append(index)
    return [tuple(sequence) for sequence in sequences]


def fill_last_step(rows: list[Row], batch: int) -> list[Row]:
    """`rows`, the last step's filled up to `batch` where several processes share it: by rows without a label.

    Accelerate would fill it with rows from the beginning, which would be trained on twice.
    """
    if count() == 1 or not (rest := len(rows) % batch):
        return rows
    left = iter(rows[-rest:])
    empty = {"input_ids": rows[0]["input_ids"][:1], "labels": [IGNORED]}
    spread = [next(left) if (n + 1) * rest // batch > n * rest // batch else empty for n in range(batch)]
    return rows[:-rest] + spread


def order_by_length(lengths: Sequence[int], batch_size: int, seed: int) -> list[int]:
    """The order in which sequences are read: those of similar length side by side, to spare padding.

    Within windows of LENGTH_WINDOW batches they are sorted by length, cut into batches, and the batches shuffled; only
    the very last batch may be short.
    """
    rng = random.Random(seed)
    order: list[int] = []
    for start in range(0, len(lengths), LENGTH_WINDOW * batch_size):
        window = sorted(range(len(lengths))[start : start + LENGTH_WINDOW * batch_size], key=lambda i: lengths[i])
        batches = [window[i : i + batch_size] for i in range(0, len(window), batch_size)]
        short = [batches.pop()] if len(batches[-1]) < batch_size else []
        rng.shuffle(batches)
        order += [index for batch in batches + short for index in batch]
    return order
