import json
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deliberant.prompts import read_prompts
from deliberant.prompts.corpus import Entry
from deliberant.prompts.duplicates import Match
from deliberant.prompts.split import _assert_apart, split
from deliberant.util.errors import UserError
from tests.prompts.sets import BREAD, BREAD_TOO, LOCK, ROSES, WAR, ids, prompt, prompts


def many(path: Path, families: int = 50) -> Path:
    return prompts(
        path,
        *(
            prompt(f"{family}-{number}", f"{family:04x} {number:04x} " * 6, f"family {family}")
            for family in range(families)
            for number in range(4)
        ),
    )


@settings(max_examples=20, deadline=None)
@given(st.floats(0.1, 0.9), st.integers(0, 5))
def test_families_stay_whole_and_the_share_is_met(
    tmp_path_factory: pytest.TempPathFactory, share: float, seed: int
) -> None:
    folder = tmp_path_factory.getbasetemp()
    found = split(many(folder / "many.jsonl"), folder / "sets", share, seed)
    train, held = (read_prompts(folder / "sets" / f"{name}.jsonl") for name in ("train", "held-out"))
    assert len(train) + len(held) == found.rows == 200
    assert not {each.family for each in train} & {each.family for each in held}
    assert abs(len(held) - share * 200) < 5
    assert (found.train, found.held_out) == (len(train), len(held))


def test_the_same_seed_is_the_same_split_and_another_is_not(tmp_path: Path) -> None:
    path = many(tmp_path / "many.jsonl")
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        split(path, tmp_path / name, 0.3, seed)
    held = [ids(tmp_path / name / "held-out.jsonl") for name in "abc"]
    assert held[0] == held[1] != held[2]


def test_near_duplicates_stay_together_across_families(tmp_path: Path) -> None:
    texts = {"a": BREAD, "b": BREAD_TOO, "c": LOCK, "d": LOCK, "e": ROSES, "f": WAR}
    path = prompts(tmp_path / "in.jsonl", *(prompt(name, text) for name, text in texts.items()))
    for seed in range(8):
        found = split(path, tmp_path / "sets", 0.5, seed)
        held = set(ids(tmp_path / "sets" / "held-out.jsonl"))
        assert len(held & {"a", "b"}) != 1 and len(held & {"c", "d"}) != 1
        assert (found.families, found.sets, found.joined, found.largest) == (6, 4, 4, 2)
    assert json.loads((tmp_path / "sets" / "split.json").read_text()) == asdict(found)


def test_a_chain_of_family_and_likeness_is_one_set(tmp_path: Path) -> None:
    path = prompts(
        tmp_path / "in.jsonl",
        prompt("a", BREAD, "one"),
        prompt("b", BREAD_TOO, "two"),
        prompt("c", LOCK, "two"),
        prompt("d", WAR),
    )
    found = split(path, tmp_path / "sets", 0.25, 0)
    assert ids(tmp_path / "sets" / "held-out.jsonl") == ["d"]
    assert (found.sets, found.largest) == (2, 3)


@pytest.mark.parametrize("share", [0.0, 1.0, -1.0, float("nan")])
def test_a_share_that_leaves_one_side_empty_is_refused(tmp_path: Path, share: float) -> None:
    path = prompts(tmp_path / "in.jsonl", prompt("a", BREAD, "one"), prompt("b", LOCK, "two"))
    with pytest.raises(UserError, match=r"--held-out .*: one side would be empty; give a share above 0 and below 1"):
        split(path, tmp_path / "sets", share, 0)


def test_the_remedy_for_an_empty_side_is_one(tmp_path: Path) -> None:
    path = prompts(tmp_path / "in.jsonl", prompt("a", BREAD, "one"), prompt("b", LOCK, "two"))
    with pytest.raises(UserError, match=r"its 2 rows are 2 sets .*; hold out another share"):
        split(path, tmp_path / "sets", 0.1, 0)
    with pytest.raises(UserError, match=r"its 0 rows are 0 sets .*; give a file with prompts"):
        split(prompts(tmp_path / "none.jsonl"), tmp_path / "sets", 0.5, 0)


@pytest.mark.parametrize("share", [0.1, 0.9])
def test_what_cannot_be_divided_is_an_error(tmp_path: Path, share: float) -> None:
    path = prompts(tmp_path / "in.jsonl", prompt("a", BREAD, "one"), prompt("b", LOCK, "one"), prompt("c", WAR, "one"))
    with pytest.raises(UserError, match=r"in\.jsonl: its 3 rows are 1 sets .* would be empty .*; give families"):
        split(path, tmp_path / "sets", share, 0)
    assert not (tmp_path / "sets" / "train.jsonl").exists()


def test_a_straddling_family_or_pair_is_an_invariant_broken() -> None:
    def entries(*families: str) -> list[Entry]:
        return [Entry(f"p:{number}", b"", f"{number}", family, "") for number, family in enumerate(families)]

    held, match = [True, False], Match(1, 0, 1.0)
    _assert_apart(entries("a", "b"), [], held)
    with pytest.raises(AssertionError, match="family"):
        _assert_apart(entries("a", "a"), [], held)
    with pytest.raises(AssertionError, match="near-duplicates"):
        _assert_apart(entries("a", "b"), [match], held)
