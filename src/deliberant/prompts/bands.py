"""Candidates for near-duplicates: MinHash signatures cut into bands, of which only the bands' hashes stay, on disk.

Two texts whose shingle sets have Jaccard similarity s agree in a band of r values with probability s^r, and in one of b
bands with 1 - (1 - s^r)^b (Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, section 3.4). What agrees is
only a candidate: whoever asks compares the texts themselves, so the signatures need not be kept.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from deliberant.prompts.columns import Column
from deliberant.prompts.shingles import mix, shingles

PERMUTATIONS = 128
RECALL = 0.98
"""Least probability with which a pair exactly at the threshold becomes a candidate; one above it does more surely."""
SEED = 1
BATCH = 1024
BATCH_LETTERS = 2**20
"""Texts and letters that are hashed at once."""


def layout(threshold: float) -> tuple[int, int]:
    """(bands, values per band): the longest bands that find a pair at `threshold`, in (0, 1], with `RECALL`."""
    found = 1
    for length in range(1, PERMUTATIONS + 1):
        if recall(threshold, PERMUTATIONS // length, length) >= RECALL:
            found = length
    return PERMUTATIONS // found, found


def recall(similarity: float, bands: int, length: int) -> float:
    """The probability that a pair of this Jaccard similarity agrees in a band."""
    return float(1 - (1 - similarity**length) ** bands)


class Bands:
    """The band hashes of a growing list of texts: 4 bytes of disk per band and text."""

    def __init__(self, threshold: float) -> None:
        self.count, self.length = layout(threshold)
        self._factors = np.random.default_rng(SEED).integers(1, 2**63, self.length, np.uint64) | np.uint64(1)
        self._columns = [Column(np.uint32) for _ in range(self.count)]
        self._waiting: list[str] = []
        self._letters = 0

    def add(self, text: str) -> None:
        """One more normalised text; it is hashed together with its neighbours."""
        self._waiting.append(text)
        self._letters += len(text)
        if len(self._waiting) == BATCH or self._letters >= BATCH_LETTERS:
            self._hash()

    def groups(self) -> Iterator[list[int]]:
        """Numbers of texts that agree in a band, two or more, ascending; a pair may come in several groups."""
        self._hash()
        for column in self._columns:
            yield from column.groups()

    def close(self) -> None:
        for column in self._columns:
            column.close()

    def _hash(self) -> None:
        if not self._waiting:
            return
        hashes = self._band_hashes(self._waiting)
        for band, column in enumerate(self._columns):
            column.extend(hashes[:, band])
        self._waiting, self._letters = [], 0

    def _band_hashes(self, texts: Sequence[str]) -> NDArray[np.uint32]:
        from rensa import RMinHash

        hashes, offsets = shingles(texts)
        matrix = RMinHash.digest_matrix_from_flat_token_hashes(hashes, offsets.astype(np.uint64), PERMUTATIONS, SEED)
        signatures = np.array(matrix.to_rows(), np.uint64)[:, : self.count * self.length]
        bands = signatures.reshape(len(texts), self.count, self.length)
        mixed = mix((bands * self._factors).sum(axis=2, dtype=np.uint64))
        return (mixed >> np.uint64(32)).astype(np.uint32)
