import random

import pytest

from deliberant.prompts import bands
from deliberant.prompts.bands import PERMUTATIONS, RECALL, Bands, layout, recall
from deliberant.prompts.shingles import jaccard, shingle_set


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.8, 0.9, 1.0])
def test_the_bands_find_what_is_at_the_threshold_and_no_longer_ones_would(threshold: float) -> None:
    count, length = layout(threshold)
    assert count * length <= PERMUTATIONS
    assert recall(threshold, count, length) >= RECALL
    assert length == PERMUTATIONS or recall(threshold, PERMUTATIONS // (length + 1), length + 1) < RECALL


def grouped(texts: list[str], threshold: float = 0.8) -> set[tuple[int, int]]:
    found = Bands(threshold)
    for text in texts:
        found.add(text)
    groups = list(found.groups())
    assert all(group == sorted(set(group)) and len(group) > 1 for group in groups)
    return {(one, other) for group in groups for one in group for other in group if one < other}


def test_near_texts_are_candidates_and_others_are_not() -> None:
    rng = random.Random(0)
    words = [f"{rng.getrandbits(32):x}" for _ in range(500)]
    originals = [" ".join(rng.choices(words, k=20)) for _ in range(100)]
    changed = [text.replace(text.split()[7], "another", 1) for text in originals]
    near = {(place, place + 100) for place in range(100)}
    assert all(jaccard(shingle_set(originals[a]), shingle_set(changed[b - 100])) > 0.8 for a, b in near)
    assert near <= grouped(originals + changed)
    assert len(grouped(originals + changed) - near) < 3


def test_batches_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"how do i bake bread number {number % 7}?" for number in range(40)]
    whole = grouped(texts)
    monkeypatch.setattr(bands, "BATCH", 3)
    assert grouped(texts) == whole
    monkeypatch.setattr(bands, "BATCH_LETTERS", 10)
    assert grouped(texts) == whole


def test_nothing_is_no_group() -> None:
    assert list(Bands(0.8).groups()) == []
    assert grouped(["one text alone"]) == set()
