from hypothesis import given
from hypothesis import strategies as st

from deliberant.prompts import clusters
from deliberant.prompts.clusters import CROWD, LEADERS, Comparer, Forest, Match, directed, near_any

A, B, C, FAR = "abcdefghijklmnop", "abcdefghijklmnopq", "abcdefghijklmnopqr", "zyxwvutsrqponmlkji"


def comparer(*texts: str, threshold: float = 0.8) -> Comparer:
    return Comparer(lambda row: texts[row], threshold)


def test_a_match_is_exact_or_says_how_near() -> None:
    compared = comparer(A, A, B, FAR)
    assert compared.match(1, 0) == Match(1, 0, 1.0, True)
    assert compared.match(2, 0) == Match(2, 0, 12 / 13, False)
    assert compared.match(3, 0) is None


def test_texts_that_were_forgotten_are_read_again() -> None:
    reads: list[int] = []

    def text(row: int) -> str:
        reads.append(row)
        return "x" * clusters.CACHED + str(row)

    compared = Comparer(text, 0.9)
    for _ in range(2):
        compared.match(0, 1)
        compared.match(2, 3)
    assert reads.count(0) > 1


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=20))
def test_joined_rows_have_the_least_of_their_set_as_root(pairs: list[tuple[int, int]]) -> None:
    forest = Forest.of(10)
    sets = [{row} for row in range(10)]
    for one, other in pairs:
        forest.join(one, other)
        merged = sets[one] | sets[other]
        for row in merged:
            sets[row] = merged
    assert [forest.root(row) for row in range(10)] == [min(members) for members in sets]


def test_what_is_alike_is_joined_and_what_only_shares_a_band_is_not() -> None:
    forest = Forest.of(4)
    forest.link([[0, 1, 3], [1, 2], [0, 1]], comparer(A, B, C, FAR))
    assert [forest.root(row) for row in range(4)] == [0, 0, 0, 3]
    assert [(match.row, match.other) for match in forest.matches] == [(1, 0), (2, 1)]
    assert forest.skipped == 0


def test_a_crowd_is_compared_with_a_few_and_the_rest_is_counted() -> None:
    texts = [f"{chr(200 + row) * 20}" for row in range(CROWD + 10)]
    forest = Forest.of(len(texts) + 1)
    forest.link([list(range(len(texts) + 1))], comparer(*texts, texts[0]))
    assert forest.root(len(texts)) == 0
    assert forest.skipped == len(texts) - LEADERS


def test_only_earlier_rows_count_as_those_to_stay_away_from() -> None:
    found = near_any([[0, 2, 3], [0, 2], [2, 3]], 2, comparer(A, FAR, B, B))
    assert found == {2: Match(2, 0, 12 / 13, False), 3: Match(3, 0, 12 / 13, False)}
    assert near_any([[0, 1]], 0, comparer(A, A)) == {}


def test_every_removed_row_leads_to_the_kept_one() -> None:
    matches = [Match(2, 1, 0.9, False), Match(1, 0, 0.8, False), Match(5, 4, 1.0, True)]
    assert directed(matches) == {
        1: Match(1, 0, 0.8, False),
        2: Match(2, 1, 0.9, False),
        5: Match(5, 4, 1.0, True),
    }
    assert directed([Match(2, 1, 0.9, False), Match(2, 0, 0.8, False)]) == {
        2: Match(2, 0, 0.8, False),
        1: Match(1, 2, 0.9, False),
    }
