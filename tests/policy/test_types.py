import dataclasses

import pytest

from deliberant.util.errors import UserError
from tests.policy.folders import FILES, loaded


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
