import json

from deliberant.judge.labelling import Checked
from deliberant.judge.labels import Label
from deliberant.report.confusion import confusion, matrix_table, rates_table


def checked(family: str, labelled: str, read: str | None) -> Checked:
    found = None if read is None else tuple(read.split())
    return Checked(family, tuple(labelled.split()), Label(found, 1.0, None if found is not None else "no category", ()))


ROWS = [
    checked("a", "theft", "theft"),
    checked("b", "theft", "fraud"),
    checked("c", "fraud", "fraud"),
    checked("d", "fraud", None),
    checked("e", "", ""),
    checked("f", "fraud theft", "theft"),
]


def test_unscored_is_in_no_rate_and_beside_all_of_them() -> None:
    found = confusion(ROWS, ["theft", "fraud", "drugs"])
    assert (found.n, found.unscored) == (6, {"no category": 1})
    assert (found.accuracy.value, found.accuracy.n) == (0.6, 5)
    assert list(found.categories) == ["theft", "fraud", "none"], "of the policy's, those that were met"
    rates = {id: (each["precision"].value, each["recall"].value) for id, each in found.categories.items()}
    assert rates == {"theft": (1.0, 2 / 3), "fraud": (0.5, 0.5), "none": (1.0, 1.0)}
    assert found.categories["theft"]["recall"].n == 3
    assert found.matrix == {
        ("fraud", "fraud"): 1,
        ("fraud", "unscored"): 1,
        ("fraud + theft", "theft"): 1,
        ("none", "none"): 1,
        ("theft", "fraud"): 1,
        ("theft", "theft"): 1,
    }
    row = json.loads(json.dumps(found.json()))
    assert row["accuracy"]["low"] < 0.6 < row["accuracy"]["high"]
    assert {"labelled": "theft", "read": "fraud", "prompts": 1} in row["matrix"]


def test_the_tables_have_every_cell() -> None:
    found = confusion(ROWS, ["theft", "fraud"])
    assert matrix_table(found).row_count == 4 and len(matrix_table(found).columns) == 5
    assert rates_table(found).row_count == 4
    assert "unscored: 1 of 6 (no category 1)" in str(rates_table(found).caption)


def test_nothing_checked_has_no_rates() -> None:
    found = confusion([], ["theft"])
    assert (found.accuracy.value, found.categories, found.matrix) == (None, {}, {})
    assert rates_table(found).row_count == 1
