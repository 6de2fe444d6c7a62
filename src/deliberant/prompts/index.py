"""Names by number in little memory: which of a million ids was seen before, and when.

A name costs 14 to 20 bytes, however long it is: 64 bits of its hash and its share of an open-addressed table. So two
names may be taken for one, in 1 of 37 million files of a million names; Python's hashes have a secret of the process in
them, so that no file can be made to do that.
"""

from array import array


class Index:
    """Distinct names, numbered from 0 in the order they came."""

    def __init__(self) -> None:
        self._keys = array("Q")
        self._slots = array("i", [-1]) * 1024

    def __len__(self) -> int:
        return len(self._keys)

    def get(self, name: str) -> int | None:
        """The number of a name, None where it did not come yet."""
        number = self._slots[self._slot(_key(name))]
        return number if number >= 0 else None

    def add(self, name: str) -> int | None:
        """`get`; a name that did not come yet has the next number from now on."""
        key = _key(name)
        slot = self._slot(key)
        if (number := self._slots[slot]) >= 0:
            return number
        self._slots[slot] = len(self._keys)
        self._keys.append(key)
        if 3 * len(self._keys) > 2 * len(self._slots):
            self._slots = array("i", [-1]) * (2 * len(self._slots))
            for number, key in enumerate(self._keys):
                self._slots[self._slot(key)] = number
        return None

    def _slot(self, key: int) -> int:
        """Where in the table a key's number is, or would be."""
        last = len(self._slots) - 1
        slot = key & last
        while (number := self._slots[slot]) >= 0 and self._keys[number] != key:
            slot = slot + 1 & last
        return slot


def _key(name: str) -> int:
    return hash(name) & 2**64 - 1
