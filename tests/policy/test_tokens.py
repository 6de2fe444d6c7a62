from pathlib import Path

import pytest

from deliberant.policy.tokens import estimate, token_counter
from deliberant.util.errors import UserError
from tests.tiny import make_tiny_tokenizer


def test_without_a_tokenizer_counts_are_estimated_and_say_so() -> None:
    count, how = token_counter(None)
    assert [count(text) for text in ("", "a", "abcd", "abcde", "\u00e9" * 4)] == [0, 1, 1, 2, 2]
    assert (count, how) == (estimate, "estimated as UTF-8 bytes / 4; --tokenizer counts")


def test_a_tokenizer_is_a_file_or_a_folder(tmp_path: Path) -> None:
    make_tiny_tokenizer().save_pretrained(tmp_path)
    for name in (tmp_path, tmp_path / "tokenizer.json"):
        count, how = token_counter(str(name))
        assert (count("caf\u00e9"), how) == (5, f"counted by {name}")
    assert token_counter(str(tmp_path)).count("x" * 100_000) == 100_000


def test_a_hub_id_is_asked_for_its_tokenizer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tokenizers

    make_tiny_tokenizer().save_pretrained(tmp_path)
    loaded = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    monkeypatch.setattr("tokenizers.Tokenizer", type("Hub", (), {"from_pretrained": {"owner/name": loaded}.get}))
    count, how = token_counter("owner/name")
    assert (count("caf\u00e9"), how) == (5, "counted by owner/name")


@pytest.mark.parametrize("name", ["nowhere/none", "./no/such/folder", "a b"])
def test_a_name_that_is_nothing_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=r"--tokenizer: no tokenizer in '.*' \(.*\); name a tokenizer\.json"):
        token_counter(name)


def test_a_broken_tokenizer_and_a_folder_without_one_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no tokenizer in '.*' \(.+\)"):
        token_counter(str(tmp_path))
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(UserError, match=r"no tokenizer in '.*' \(.+\)"):
        token_counter(str(tmp_path))
