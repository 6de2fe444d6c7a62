import json
from pathlib import Path

import pytest

from deliberant.policy import print_policy
from deliberant.policy.importers import Wishes, import_policy, save_policy
from deliberant.util.errors import UserError
from tests.policy.folders import loaded, write

SCENARIO = {"name": "Stories for Children", "description": "Stories that are safe."}
LISTS = {
    "safety_specifications": ["No \u201cblood\u201d", "## No [A1] refuse"],
    "behavioral_specifications": ["Be\n  short"],
}


def files(lists: object = LISTS, scenario: object = SCENARIO) -> dict[str, str]:
    return {
        "Child/scenario.json": json.dumps(scenario, indent=1),
        "Child/specifications.json": json.dumps(lists, indent=1),
        "Child/prompts.json": "[]",
        "Travel/scenario.json": json.dumps(SCENARIO),
        "Travel/specifications.json": json.dumps(LISTS),
        "README.md": "x",
    }


def test_scenarios_are_categories_and_specifications_clauses(tmp_path: Path) -> None:
    write(tmp_path / "data", files())
    found = import_policy(tmp_path / "data", Wishes(style="comply"))
    assert [(count.found, count.imported) for count in found.counts] == [(2, 2), (6, 6)]
    child = found.policy.category("child")
    assert (child.title, child.summary) == (SCENARIO["name"], SCENARIO["description"])
    assert [(each.id, each.title, each.style) for each in child.clauses] == [
        ("CS1", "No \u201cblood\u201d", "comply"),
        ("CS2", "## No [A1] refuse", "comply"),
        ("CB1", "Be short", "comply"),
    ]
    assert any("prompts.json: prompts are no part of a policy" in remark for remark in found.remarks)
    assert loaded(print_policy(found.policy)) == found.policy
    save_policy(found.policy, tmp_path / "policy")
    one = import_policy(tmp_path / "data" / "Child" / "specifications.json", Wishes(style="refuse"))
    assert [category.id for category in one.policy.categories] == ["child"]


@pytest.mark.parametrize(
    ("lists", "line", "words"),
    [
        ({**LISTS, "safety_specs": []}, 9, "unknown key 'safety_specs'; did you mean 'safety_specifications'?"),
        ({"safety_specifications": []}, 1, "'behavioral_specifications' is missing"),
        ({**LISTS, "behavioral_specifications": "x"}, 6, "behavioral_specifications"),
        ({**LISTS, "behavioral_specifications": ["x", 17]}, 8, "not 17"),
    ],
)
def test_mistakes_are_named_with_their_line(tmp_path: Path, lists: object, line: int, words: str) -> None:
    write(tmp_path, files(lists))
    with pytest.raises(UserError) as caught:
        import_policy(tmp_path, Wishes(style="comply"))
    assert str(caught.value).startswith(f"{tmp_path / 'Child' / 'specifications.json'}:{line}: ")
    assert words in str(caught.value)


def test_a_byte_order_mark_is_no_matter(tmp_path: Path) -> None:
    write(tmp_path, {name: f"\ufeff{text}" for name, text in files().items()})
    assert import_policy(tmp_path, Wishes(style="comply")).policy.categories


def test_a_file_cut_in_half_is_named(tmp_path: Path) -> None:
    text = files()["Child/specifications.json"]
    write(tmp_path, files() | {"Child/specifications.json": text[: len(text) // 2]})
    with pytest.raises(UserError, match=r"specifications\.json:\d+: not valid YAML: "):
        import_policy(tmp_path, Wishes(style="comply"))


@pytest.mark.parametrize("name", ["scenario.json", "specifications.json"])
def test_a_scenario_without_one_of_its_files_is_refused(tmp_path: Path, name: str) -> None:
    write(tmp_path, files())
    (tmp_path / "Travel" / name).unlink()
    with pytest.raises(UserError, match=rf"Travel/{name}:1: no such file"):
        import_policy(tmp_path, Wishes(style="comply"))


@pytest.mark.parametrize(
    ("name", "key", "line"),
    [("scenario.json", "name", 2), ("specifications.json", "safety_specifications", 2)],
)
def test_a_key_given_twice_is_refused(tmp_path: Path, name: str, key: str, line: int) -> None:
    text = files()[f"Child/{name}"]
    twice = text[:-2] + f',\n "{key}": []\n}}'
    write(tmp_path, files() | {f"Child/{name}": twice})
    with pytest.raises(UserError, match=rf"Child/{name}:\d+: '{key}' is given twice"):
        import_policy(tmp_path, Wishes(style="comply"))


def test_a_scenario_and_those_below_it_are_all_imported(tmp_path: Path) -> None:
    here = {name.removeprefix("Child/"): text for name, text in files().items() if name.startswith("Child/")}
    write(tmp_path / "top", files() | here)
    found = import_policy(tmp_path / "top", Wishes(style="comply"))
    assert [category.id for category in found.policy.categories] == ["child", "top", "travel"]


def test_folders_with_the_same_initials_have_ids_of_their_own(tmp_path: Path) -> None:
    names = ("ask-big-cat-dogs", "ask-big-cat-eels", "ask-big-cats")
    both = {"scenario.json": json.dumps(SCENARIO), "specifications.json": json.dumps(LISTS)}
    write(tmp_path, {f"{name}/{file}": text for name in names for file, text in both.items()})
    found = import_policy(tmp_path, Wishes(style="comply"))
    assert [category.clauses[0].id for category in found.policy.categories] == ["ABCS1", "ABSS1", "ABKS1"]
    save_policy(found.policy, tmp_path / "policy")
