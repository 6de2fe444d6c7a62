from pathlib import Path

import pytest

from deliberant.errors import UserError
from deliberant.policy.tokens import estimate, token_counter
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


def test_a_folder_without_tokenizer_json_goes_to_transformers(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'.*' is no tokenizer here or on the Hub \(.*\); check the name$"):
        token_counter(str(tmp_path))


def test_a_broken_tokenizer_is_named(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(UserError, match=r"tokenizer\.json:1: is no tokenizer \(.+\); name one"):
        token_counter(str(tmp_path))
