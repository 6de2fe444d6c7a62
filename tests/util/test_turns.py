from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from deliberant.util.turns import take_turns


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers())))
def test_no_kind_comes_again_before_every_other_that_is_left_has_come(items: list[tuple[str, int]]) -> None:
    found = take_turns(items, lambda item: item[0])
    assert Counter(found) == Counter(items)
    rounds = [sum(kind == other for kind, _ in found[:place]) for place, (other, _) in enumerate(found)]
    assert rounds == sorted(rounds)
    for kind in "abc":
        assert [item for item in found if item[0] == kind] == [item for item in items if item[0] == kind]
