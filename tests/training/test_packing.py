import random

from hypothesis import given
from hypothesis import strategies as st

from deliberant.training.packing import order_by_length, pack_rows


@given(st.lists(st.integers(1, 99), min_size=1, max_size=60), st.integers(1, 3), st.integers(1, 5), st.integers(9, 200))
def test_every_epoch_has_every_row_once(lengths: list[int], epochs: int, packing: int, room: int) -> None:
    sequences = pack_rows(lengths, epochs, packing, room, seed=0)
    rows = [index for sequence in sequences for index in sequence]
    for epoch in range(epochs):
        assert sorted(rows[epoch * len(lengths) : (epoch + 1) * len(lengths)]) == list(range(len(lengths)))
    for sequence in sequences:
        assert 1 <= len(sequence) <= packing
        assert len(sequence) == 1 or sum(lengths[index] for index in sequence) <= room
    assert sequences == pack_rows(lengths, epochs, packing, room, seed=0)


@given(st.lists(st.integers(1, 99), max_size=60), st.integers(1, 7), st.integers(0, 3))
def test_the_order_holds_every_sequence_once(lengths: list[int], batch_size: int, seed: int) -> None:
    order = order_by_length(lengths, batch_size, seed)
    assert sorted(order) == list(range(len(lengths)))
    assert order == order_by_length(lengths, batch_size, seed)


def test_batches_hold_rows_of_like_length_in_no_order_of_length() -> None:
    lengths = [random.Random(index).randint(1, 500) for index in range(400)]
    order = order_by_length(lengths, 8, 0)
    batches = [[lengths[index] for index in order[start : start + 8]] for start in range(0, 400, 8)]
    padded = sum(8 * max(batch) for batch in batches)
    assert padded < 1.1 * sum(lengths)
    longest = [max(batch) for batch in batches]
    assert longest != sorted(longest)
