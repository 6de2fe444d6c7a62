import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliberant.prompts import index
from deliberant.prompts.index import Index


@given(st.lists(st.text(max_size=3), max_size=200))
def test_names_are_numbered_as_they_come(names: list[str]) -> None:
    found, numbers = Index(), dict[str, int]()
    for name in names:
        assert found.get(name) == numbers.get(name)
        assert found.add(name) == numbers.get(name)
        numbers.setdefault(name, len(numbers))
    assert len(found) == len(numbers)
    assert {name: found.get(name) for name in names} == numbers
    assert found.get("a name that did not come") is None


def test_a_table_that_fills_up_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "_key", lambda name: int(name) % 5 + int(name) * 1024)  # all in five places
    found = Index()
    assert all(found.add(str(number)) is None for number in range(2000))
    assert [found.get(str(number)) for number in range(2000)] == list(range(2000))
    assert found.get("2001") is None
