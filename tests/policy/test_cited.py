import pytest

from deliberant.policy import find_citations


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("by [W1] and [IB12], not [W1].", ["W1", "IB12", "W1"]),
        ("[ZZZZ999] exists nowhere", ["ZZZZ999"]),
        ("[[W1]](x)", ["W1"]),
        ("W1, [w1], [W], [12], [W1234], [ABCDE1], [W 1], [W\u0661], [W1\n]", []),
    ],
)
def test_cited_reads_ids_in_brackets(text: str, ids: list[str]) -> None:
    assert find_citations(text) == ids
