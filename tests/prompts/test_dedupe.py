import random
from codecs import BOM_UTF8
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deliberant.prompts import read_prompts
from deliberant.prompts.dedupe import dedupe, removed_file
from deliberant.util.errors import RunError, UserError
from deliberant.util.files import read_rows
from tests.prompts.sets import BREAD, BREAD_TOO, LOCK, ROSES, WAR, cases, ids, prompt, prompts


def test_copies_and_near_copies_go_within_and_across_files(tmp_path: Path) -> None:
    one = prompts(tmp_path / "one.jsonl", prompt("a", BREAD), prompt("b", LOCK), prompt("c", f"  {LOCK.upper()}\n"))
    two = prompts(tmp_path / "two.jsonl", prompt("d", BREAD_TOO), prompt("e", ROSES), prompt("f", ROSES, system="hi"))
    found = dedupe([one, two], [], tmp_path / "out.jsonl")
    assert ids(tmp_path / "out.jsonl") == ["a", "b", "e"]
    assert (found.rows, found.kept, found.exact, found.near, found.contaminated) == (6, 3, 2, 1, 0)
    rows = read_rows(removed_file(tmp_path / "out.jsonl"))
    assert [(row["id"], row["why"], row["like"]) for row in rows] == [
        ("c", "exact duplicate", "b"),
        ("d", "near-duplicate", "a"),
        ("f", "exact duplicate", "e"),
    ]
    assert (rows[0]["at"], rows[0]["like_at"]) == (f"{one}:3", f"{one}:2")
    assert rows[0]["similarity"] == 1.0 and 0.8 <= rows[1]["similarity"] < 1


def test_what_stays_is_the_input_byte_for_byte(tmp_path: Path) -> None:
    path = prompts(tmp_path / "in.jsonl", prompt("a", BREAD), prompt("b", BREAD), prompt("c", "# refuse\n<b>\x00[W1]"))
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"\n" + lines[1] + lines[2].rstrip(b"\n"))
    dedupe([path], [], tmp_path / "out.jsonl")
    assert (tmp_path / "out.jsonl").read_bytes() == lines[0] + lines[2]


def test_files_with_byte_order_marks_are_put_together_without(tmp_path: Path) -> None:
    files = [prompts(tmp_path / name, prompt(name, text)) for name, text in (("a", BREAD), ("b", ROSES))]
    for path in files:
        path.write_bytes(BOM_UTF8 + path.read_bytes())
    dedupe(files, [], tmp_path / "to.jsonl")
    assert ids(tmp_path / "to.jsonl") == ["a", "b"] and BOM_UTF8 not in (tmp_path / "to.jsonl").read_bytes()


def test_what_the_evaluation_asks_goes_first_decoded_too(tmp_path: Path) -> None:
    train = prompts(
        tmp_path / "train.jsonl",
        prompt("a", BREAD),
        prompt("b", BREAD_TOO),
        prompt("c", LOCK),
        prompt("d", ROSES),
        prompt("e", WAR),
        prompt("f", WAR),
    )
    against = cases(tmp_path / "cases.jsonl", ("x", BREAD_TOO, None), ("y", "rot13: ebfrf", ROSES))
    more = prompts(tmp_path / "more.jsonl", prompt("z", LOCK))
    found = dedupe([train], [against, more], tmp_path / "out.jsonl")
    assert ids(tmp_path / "out.jsonl") == ["e"]
    assert (found.contaminated, found.exact, found.near, found.evaluation) == (4, 1, 0, 4)
    rows = {row["id"]: row for row in read_rows(removed_file(tmp_path / "out.jsonl"))}
    assert {name: row["like"] for name, row in rows.items()} == {"a": "x", "b": "x", "c": "z", "d": "y", "f": "e"}
    assert all(row["why"] == "in the evaluation" for name, row in rows.items() if name != "f")
    assert rows["d"]["like_at"] == f"{against}:2"


def test_the_threshold_decides(tmp_path: Path) -> None:
    path = prompts(tmp_path / "in.jsonl", prompt("a", BREAD), prompt("b", BREAD_TOO))
    assert dedupe([path], [], tmp_path / "out.jsonl", threshold=0.99).kept == 2
    assert dedupe([path], [], tmp_path / "out.jsonl", threshold=0.8).kept == 1


def test_a_second_pass_finds_nothing_more(tmp_path: Path) -> None:
    rng = random.Random(1)
    words = [f"{rng.getrandbits(24):x}" for _ in range(300)]
    base = [rng.choices(words, k=14) for _ in range(60)]
    texts = [" ".join([*text[:place], rng.choice(words), *text[place + 1 :]]) for text in base for place in (3, 3, 9)]
    rng.shuffle(texts)
    path = prompts(tmp_path / "in.jsonl", *(prompt(f"{number}", text) for number, text in enumerate(texts)))
    first = dedupe([path], [], tmp_path / "once.jsonl", threshold=0.6)
    again = dedupe([tmp_path / "once.jsonl"], [], tmp_path / "twice.jsonl", threshold=0.6)
    assert first.exact + first.near > 60
    assert again.kept == again.rows == first.kept


@settings(max_examples=30)
@given(st.lists(st.sampled_from([BREAD, BREAD_TOO, LOCK, ROSES, WAR, "?", "!"]), max_size=12))
def test_one_of_each_kind_stays_and_every_row_is_somewhere(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    path = prompts(folder / "in.jsonl", *(prompt(f"{number}", text) for number, text in enumerate(texts)))
    dedupe([path], [], folder / "out.jsonl")
    kept, removed = ids(folder / "out.jsonl"), ids(removed_file(folder / "out.jsonl"))
    assert sorted(kept + removed, key=int) == [f"{number}" for number in range(len(texts))]
    kinds = {BREAD_TOO: BREAD}
    left = [kinds.get(text, text) for text in (each.messages[-1]["content"] for each in read_prompts(path))]
    assert sorted(left[int(name)] for name in kept) == sorted(set(left))


def test_an_id_that_two_files_share_is_named(tmp_path: Path) -> None:
    one, two = (prompts(tmp_path / f"{name}.jsonl", prompt("a", name * 9)) for name in ("one", "two"))
    with pytest.raises(UserError) as error:
        dedupe([one, two], [], tmp_path / "out.jsonl")
    assert str(error.value) == f"{two}:1: id 'a' is already that of {one}:1; give it another"
    assert dedupe([one], [two], tmp_path / "out.jsonl").kept == 1  # an evaluation has ids of its own


def test_a_mistake_is_named_and_leaves_no_output(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(b'{"id": "a"}\n')
    with pytest.raises(UserError, match=r"in\.jsonl:1: "):
        dedupe([path], [], tmp_path / "out.jsonl")
    assert not (tmp_path / "out.jsonl").exists()


def test_a_disk_that_is_full_is_an_error_and_the_old_file_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = prompts(tmp_path / "in.jsonl", prompt("a", BREAD))
    (tmp_path / "out.jsonl").write_text("old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(RunError, match="No space left"):
        dedupe([path], [], tmp_path / "out.jsonl")
    assert (tmp_path / "out.jsonl").read_text() == "old"
