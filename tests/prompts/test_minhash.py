import random

import pytest

from deliberant.prompts import minhash
from deliberant.prompts.minhash import PERMUTATIONS, RECALL, band_hashes, candidates, choose_bands, recall
from deliberant.prompts.similarity import jaccard, shingles


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.8, 0.9, 1.0])
def test_the_bands_find_what_is_at_the_threshold_and_no_longer_ones_would(threshold: float) -> None:
    count, length = choose_bands(threshold)
    assert count * length <= PERMUTATIONS
    assert recall(threshold, count, length) >= RECALL
    assert length == PERMUTATIONS or recall(threshold, PERMUTATIONS // (length + 1), length + 1) < RECALL


def pairs(texts: list[str], threshold: float = 0.8) -> set[tuple[int, int]]:
    groups = list(candidates(band_hashes(texts, threshold)))
    assert all(group == sorted(set(group)) and len(group) > 1 for group in groups)
    return {(one, other) for group in groups for one in group for other in group if one < other}


def test_near_texts_are_candidates_and_others_are_not() -> None:
    rng = random.Random(0)
    words = [f"{rng.getrandbits(32):x}" for _ in range(500)]
    originals = [" ".join(rng.choices(words, k=20)) for _ in range(100)]
    changed = [text.replace(text.split()[7], "another", 1) for text in originals]
    near = {(place, place + 100) for place in range(100)}
    assert all(jaccard(shingles(originals[a]), shingles(changed[b - 100])) > 0.8 for a, b in near)
    found = pairs(originals + changed)
    assert near <= found and len(found - near) < 3


def test_pairs_at_the_threshold_are_found_as_often_as_the_formula_says() -> None:
    rng = random.Random(1)
    found = 0
    for _ in range(5):
        texts = []
        for _ in range(200):  # 90 shingles in common of 112: similarity 0.80
            head = "".join(chr(rng.randrange(0x4E00, 0x9E00)) for _ in range(94))
            texts += [head + "".join(chr(rng.randrange(0x4E00, 0x9E00)) for _ in range(11)) for _ in range(2)]
        near = {(place, place + 1) for place in range(0, 400, 2)}
        found += len(pairs(texts) & near)
    similarity = jaccard(shingles(texts[0]), shingles(texts[1]))
    assert found / 1000 == pytest.approx(recall(similarity, *choose_bands(0.8)), abs=0.02)


def test_batches_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["", *(f"how do i bake bread number {number % 7}?" for number in range(40)), "?"]
    whole = band_hashes(texts, 0.8)
    for letters in (1, 60):
        monkeypatch.setattr(minhash, "BATCH_LETTERS", letters)
        assert (band_hashes(texts, 0.8) == whole).all()


def test_nothing_is_no_group() -> None:
    assert pairs([]) == pairs(["one text alone"]) == set()
