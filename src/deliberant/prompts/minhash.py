"""Candidates for near-duplicates: MinHash signatures cut into bands (locality-sensitive hashing).

Two texts whose shingle sets have Jaccard similarity s agree in a band of r values with probability s^r, and in one of b
bands with 1 - (1 - s^r)^b (Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, section 3.4). Agreement makes
two texts candidates and no more: `duplicates` compares the texts themselves.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from deliberant.prompts.similarity import WIDTH

PERMUTATIONS = 128
RECALL = 0.98
"""Least probability with which a pair exactly at the threshold becomes a candidate; one above it does more surely."""
SEED = 1
BATCH_LETTERS = 2**17
"""Letters that are hashed at once, so that they stay in the processor's cache."""

Bands = NDArray[np.uint64]


def choose_bands(threshold: float) -> tuple[int, int]:
    """(bands, values per band): the longest bands that find a pair at `threshold`, in (0, 1], with `RECALL`."""
    lengths = range(1, PERMUTATIONS + 1)
    length = max(each for each in lengths if each == 1 or recall(threshold, PERMUTATIONS // each, each) >= RECALL)
    return PERMUTATIONS // length, length


def recall(similarity: float, bands: int, length: int) -> float:
    """The probability that a pair of this Jaccard similarity agrees in a band."""
    return float(1 - (1 - similarity**length) ** bands)


def band_hashes(texts: Sequence[str], threshold: float) -> Bands:
    """A hash of each band of each normalised text's signature, [bands, texts]."""
    count, length = choose_bands(threshold)
    rng = np.random.default_rng(SEED)
    # x -> a x + b modulo 2^32 with an odd a permutes 32-bit hashes
    factors = rng.integers(0, 2**32, count * length, np.uint32) | np.uint32(1)
    shifts = rng.integers(0, 2**32, count * length, np.uint32)
    weights = rng.integers(0, 2**64, (length, 1), np.uint64) | np.uint64(1)
    hashed = np.empty((count, len(texts)), np.uint64)
    for start, end in _batches(texts):
        hashes, offsets = _shingle_hashes(texts[start:end])
        signatures = np.empty((count * length, end - start), np.uint32)
        for place, (factor, shift) in enumerate(zip(factors, shifts, strict=True)):
            np.minimum.reduceat(hashes * factor + shift, offsets, out=signatures[place])
        hashed[:, start:end] = (signatures.reshape(count, length, -1) * weights).sum(axis=1)
    return hashed


def candidates(bands: Bands) -> Iterator[list[int]]:
    """Numbers of texts that agree in a band, two or more, ascending; a pair may come in several groups."""
    for hashes in bands:
        order = np.argsort(hashes, kind="stable")
        new = np.diff(hashes[order]) != 0
        edges = np.concatenate([[0], np.flatnonzero(new) + 1, [len(order)]])
        for group in np.flatnonzero(np.diff(edges) > 1):
            yield order[edges[group] : edges[group + 1]].tolist()


def _batches(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    start = letters = 0
    for end, text in enumerate(texts, start=1):
        letters += len(text)
        if letters >= BATCH_LETTERS or end == len(texts):
            yield start, end
            start, letters = end, 0


def _shingle_hashes(texts: Sequence[str]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Hashes of all shingles of all texts in one array, and where each text's begin."""
    padded = [text.ljust(WIDTH, "\0") for text in texts]
    lengths = np.fromiter(map(len, padded), np.int64, len(padded))
    letters = np.frombuffer("".join(padded).encode("utf-32-le"), np.uint32)
    total = len(letters) - WIDTH + 1
    hashes = np.zeros(total, np.uint64)
    for place in range(WIDTH):
        hashes *= np.uint64(0x9E3779B97F4A7C15)
        hashes += letters[place : place + total]
    ends = np.cumsum(lengths)
    inside = np.ones(len(letters), bool)  # a shingle that starts among a text's last four letters runs into the next
    for place in range(1, WIDTH):
        inside[ends - place] = False
    hashes = hashes[inside[:total]]
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):  # the finalizer of splitmix64
        hashes ^= hashes >> np.uint64(shift)
        hashes *= np.uint64(factor)
    return (hashes >> np.uint64(32)).astype(np.uint32), np.cumsum(lengths - WIDTH + 1) - (lengths - WIDTH + 1)
