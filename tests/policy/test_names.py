import dataclasses

import pytest

from deliberant.errors import UserError
from deliberant.policy import cited, nearest
from tests.policy.folders import FILES, loaded


def test_nearest_always_finds_one() -> None:
    assert nearest("Refusal", ["comply", "refuse"]) == "refuse"
    assert nearest("SAFE-COMPLETE", ["comply", "safe_complete"]) == "safe_complete"
    assert nearest("w1", ["W1", "W2"]) == "W1"
    assert nearest("", ["only"]) == "only"


def test_lookups_name_the_nearest_id() -> None:
    policy = loaded(FILES)
    assert policy.category("weapons").title == "Weapons"
    assert policy.clause("S2").style == "safe_complete"
    with pytest.raises(UserError, match="no category 'wepons'; did you mean 'weapons'"):
        policy.category("wepons")
    with pytest.raises(UserError, match=r"no clause 'S3'; did you mean 'S[12]'"):
        policy.clause("S3")


def test_a_policy_can_not_be_changed_in_place() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        loaded(FILES).name = "other"  # type: ignore[misc]


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
    assert cited(text) == ids
