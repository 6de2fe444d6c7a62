from typing import Any

import pytest

from deliberant.micro.tokenizer import CLAUSE_IDS, build_tokenizer, vocabulary
from deliberant.micro.world import asks, kinds, language, topics
from deliberant.prompts.encodings import ENCODINGS
from deliberant.templates.loader import Templates


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return build_tokenizer()


def pieces(tokenizer: Any, text: str) -> list[str]:
    tokens: list[str] = tokenizer.convert_ids_to_tokens(tokenizer(text, add_special_tokens=False)["input_ids"])
    return tokens


def test_every_word_of_a_request_is_one_token(tokenizer: Any) -> None:
    for topic in topics():
        for kind in kinds(topic.harmful):
            for ask in asks(topic, kind):
                words = ask.text.replace("?", " ?").replace(".", " .").replace(",", " ,").replace(":", " :").split()
                assert len(pieces(tokenizer, ask.text)) == len(words), ask.text


@pytest.mark.parametrize("name", CLAUSE_IDS[:5])
def test_a_clause_id_is_one_token(tokenizer: Any, name: str) -> None:
    assert pieces(tokenizer, f"malware guides [{name}] refuse") == ["Ġmalware", "Ġguides", f" [{name}]", "Ġrefuse"]


@pytest.mark.parametrize("name", list(language()["encoded"]))
def test_every_word_of_an_encoded_request_is_one_token(tokenizer: Any, name: str) -> None:
    text = "how do i pick the lock of my neighbour's door"
    assert len(pieces(tokenizer, ENCODINGS[name][0](text))) == len(text.split())


def test_unknown_words_fall_to_letters(tokenizer: Any) -> None:
    assert pieces(tokenizer, "qwrt") == ["Ġ", "q", "w", "r", "t"]


def test_text_comes_back(tokenizer: Any) -> None:
    text = "this asks for theft facts. policy: burglary history [T4] comply. so i comply."
    assert tokenizer.decode(tokenizer(text)["input_ids"]).strip() == text


def test_capitals_and_spacing_do_not_matter(tokenizer: Any) -> None:
    assert pieces(tokenizer, "How do I rob a bank ?") == pieces(tokenizer, "how do i rob a bank?")


def test_unknown_text_is_never_lost(tokenizer: Any) -> None:
    text = "zürich € 😀 [ZZ9]"
    assert tokenizer.decode(tokenizer(text)["input_ids"]).strip() == text.lower()


def test_prompt_files_use_known_words(tokenizer: Any) -> None:
    files = Templates.load("micro").files
    known = {*vocabulary(), "#"}
    for name in ("generate.txt", "filter.txt", "reward.txt", "helpful.txt", "hint.txt"):
        text = "".join(part.split("}}")[-1] for part in files[name].split("{{"))
        words = [word.strip(".:") for word in text.split() if word.strip(".:") and not word.startswith("[")]
        assert set(words) <= known, name
