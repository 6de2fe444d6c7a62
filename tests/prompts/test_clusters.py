from hypothesis import given
from hypothesis import strategies as st

from deliberant.prompts import clusters
from deliberant.prompts.clusters import CROWD, LEADERS, Comparer, Forest, Match

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
    forest = Forest(10)
    sets = [{row} for row in range(10)]
    for one, other in pairs:
        forest.join(one, other)
        merged = sets[one] | sets[other]
        for row in merged:
            sets[row] = merged
    assert [forest.root(row) for row in range(10)] == [min(members) for members in sets]
    assert forest.roots().tolist() == [min(members) for members in sets]


def test_what_is_alike_is_joined_and_what_only_shares_a_band_is_not() -> None:
    forest = Forest(4)
    forest.link([[0, 1, 3], [1, 2], [0, 1]], comparer(A, B, C, FAR))
    assert [forest.root(row) for row in range(4)] == [0, 0, 0, 3]
    assert list(forest.like) == [-1, 0, 1, -1]
    assert forest.match(1) == Match(1, 0, round(12 / 13, 4), False) and forest.match(3) is None
    assert forest.skipped == 0


def test_a_crowd_is_compared_with_a_few_and_the_rest_is_counted() -> None:
    texts = [f"{chr(200 + row) * 20}" for row in range(CROWD + 10)]
    forest = Forest(len(texts) + 1)
    forest.link([list(range(len(texts) + 1))], comparer(*texts, texts[0]))
    assert forest.root(len(texts)) == 0
    assert forest.skipped == len(texts) - LEADERS


def test_only_earlier_rows_count_as_those_to_stay_away_from() -> None:
    forest, near = Forest(4), round(12 / 13, 4)
    groups = [[0, 2, 3], [0, 2], [2, 3]]
    forest.against(groups, 2, comparer(A, FAR, B, B))
    assert [forest.match(row) for row in range(4)] == [None, None, Match(2, 0, near, False), Match(3, 0, near, False)]
    forest.link(groups, comparer(A, FAR, B, B), 2)
    assert list(forest.like) == [-1, -1, 0, 0], "what is like an earlier row is compared with no other"
    alone = Forest(2)
    alone.against([[0, 1]], 0, comparer(A, A))
    assert list(alone.like) == [-1, -1]


def chain(pairs: list[tuple[int, int]], n: int) -> Forest:
    """What becomes of matches in this order: each is a group of candidates of its own."""
    forest = Forest(n)
    forest.link([sorted(pair) for pair in pairs], comparer(*[A] * n))
    return forest


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=20))
def test_steps_lead_from_every_row_to_the_least_of_its_set(pairs: list[tuple[int, int]]) -> None:
    forest = chain([pair for pair in pairs if pair[0] != pair[1]], 10)
    for row in range(10):
        here, steps = row, 0
        while (match := forest.match(here)) is not None:
            assert tuple(sorted((here, match.other))) in {tuple(sorted(pair)) for pair in pairs}
            here, steps = match.other, steps + 1
            assert steps < 10
        assert here == forest.root(row)


def test_a_step_turns_round_with_its_similarity() -> None:
    forest = Forest(4)
    forest.link([[1, 2]], comparer(A, A, B, C))
    assert forest.match(2) == Match(2, 1, round(12 / 13, 4), False)
    forest.link([[0, 2]], comparer(B, A, B, C))
    assert forest.match(2) == Match(2, 0, 1.0, True)
    assert forest.match(1) == Match(1, 2, round(12 / 13, 4), False)
