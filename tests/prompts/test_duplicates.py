import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliberant.prompts import duplicates
from deliberant.prompts.duplicates import CROWD, LEADERS, Match, Sets, _steps, find_duplicates

A, B, C, FAR = "abcdefghijklmnop", "abcdefghijklmnopq", "abcdefghijklmnopqr", "zyxwvutsrqponmlkji"
NEAR = 12 / 13
PAIRS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(lambda pair: pair[0] != pair[1]), max_size=20)


def partition(pairs: list[tuple[int, int]], n: int = 10) -> list[int]:
    """The least number of everyone's set, the slow way."""
    sets = [{row} for row in range(n)]
    for one, other in pairs:
        merged = sets[one] | sets[other]
        for row in merged:
            sets[row] = merged
    return [min(members) for members in sets]


@given(PAIRS)
def test_joined_numbers_have_the_least_of_their_set_in_common(pairs: list[tuple[int, int]]) -> None:
    sets = Sets(10)
    for one, other in pairs:
        sets.join(one, other)
    assert [sets.first(row) for row in range(10)] == partition(pairs)


@given(PAIRS)
def test_steps_lead_from_every_row_to_the_first_of_its_cluster(pairs: list[tuple[int, int]]) -> None:
    steps = dict(_steps(Match(one, other, 0.9) for one, other in pairs))
    for row, first in enumerate(partition(pairs)):
        here, seen = row, list[int]()
        while here in steps:
            seen.append(here)
            assert len(seen) < 10 and {(here, steps[here].other), (steps[here].other, here)} & set(pairs)
            here = steps[here].other
        assert here == first


def test_what_is_alike_has_a_match_and_what_only_shares_a_band_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "candidates", lambda bands: iter([[0, 1, 3], [1, 2], [0, 1]]))
    found = find_duplicates([A, B, C, FAR, A], 0.9)
    assert found.matches == {1: Match(1, 0, NEAR), 2: Match(2, 1, 13 / 14), 4: Match(4, 0, 1.0, exact=True)}
    assert list(found.matches) == [1, 2, 4] and found.skipped == 0


def test_what_to_stay_away_from_comes_first_and_copies_share_their_first_ones_fate() -> None:
    found = find_duplicates([A, FAR, B, B, FAR, "another text"], 0.9, start=2)
    assert found.matches == {2: Match(2, 0, NEAR), 3: Match(3, 0, NEAR), 4: Match(4, 1, 1.0, exact=True)}
    assert find_duplicates([A, A, B], 0.9, start=3).matches == {}


def test_what_is_like_an_earlier_text_leads_to_no_other() -> None:
    found = find_duplicates([A, B, C], 0.925, start=1)  # B is like C alone at this threshold
    assert found.matches == {2: Match(2, 1, 13 / 14)}
    assert find_duplicates([A, B, C], 0.92, start=1).matches == {1: Match(1, 0, NEAR)}


def test_a_crowd_is_compared_with_a_few_and_the_rest_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [chr(200 + row) * 20 for row in range(CROWD + 10)]
    texts.append(texts[0] + "x")
    monkeypatch.setattr(duplicates, "candidates", lambda bands: iter([list(range(len(texts)))]))
    found = find_duplicates(texts, 0.5)
    assert list(found.matches) == [len(texts) - 1] and found.matches[len(texts) - 1].other == 0
    assert found.skipped == len(texts) - 1 - LEADERS
