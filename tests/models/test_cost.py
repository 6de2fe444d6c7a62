from pathlib import Path

import pytest

from deliberant.models.budget import Price
from deliberant.models.cost import (
    PER_MESSAGE,
    Asked,
    Speed,
    estimate_work,
    make_counter,
    read_speeds,
    remember_speeds,
)
from deliberant.models.refs import Reference, parse_reference
from deliberant.models.types import Usage
from deliberant.prompts.types import Message

API = parse_reference("api:openai/gpt-5-nano")
PRICES = {"openai/gpt-5-nano": Price(input=10, output=100, cached=1)}


def turns(*texts: str) -> tuple[Message, ...]:
    """A user's message, behind a system message where there are two."""
    system = [Message(role="system", content=text) for text in texts[:-1]]
    return (*system, Message(role="user", content=texts[-1]))


def test_what_was_sent_before_counts_as_cached() -> None:
    ten = " ".join(["word"] * 10)
    view, said = 13, 13 + PER_MESSAGE
    size = view + PER_MESSAGE + said
    found = estimate_work("generate", "base", API, [Asked(turns(ten, ten), times=3)] * 2, 7, PRICES, Speed(7, 2))
    assert (found.calls, found.usage.input, found.usage.output) == (6, 6 * size, 42)
    assert found.usage.cached == 4 * size + view  # all but the first draw of each, and the second one's system message
    assert found.dollars == pytest.approx((6 * size - found.usage.cached) * 1e-5 + found.usage.cached * 1e-6 + 42e-4)
    assert found.hours == pytest.approx(21 / 3600)


def test_different_samples_of_a_prompt_share_its_system_message_alone() -> None:
    [head], count = turns("a b c d"), make_counter(API)[0]
    found = estimate_work(
        "filter", "filter", API, [Asked(turns("x y", "a b"), extra=100, distinct=5, times=2)], 1, {}, None
    )
    each = count("x y") + count("a b") + 2 * PER_MESSAGE + 100
    assert found.usage == Usage(10 * each, 10, 4 * count("x y") + 5 * each)
    assert (found.dollars, found.hours) == (None, None)
    assert count(head["content"]) == round(4 * 1.3)


def test_a_tokenizer_that_is_here_counts(tiny_llama: Path) -> None:
    count, how = make_counter(parse_reference(str(tiny_llama)))
    assert (count("four words of text"), how) == (18, "its tokenizer")  # one token a byte
    assert make_counter(Reference("hf", "nobody/has-this"))[1] == "words times 1.3"
    assert make_counter(parse_reference("micro"))[1] == "its tokenizer"


def test_speeds_are_kept_by_model_and_role(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert read_speeds() == {}
    remember_speeds({("m", "base"): Speed(10, 20)})
    remember_speeds({("m", "filter"): Speed(1, 2), ("n", "base"): Speed(3, 4)})
    assert read_speeds() == {"m": {"base": Speed(10, 20), "filter": Speed(1, 2)}, "n": {"base": Speed(3, 4)}}
    (tmp_path / "deliberant" / "speeds.json").write_text("[")
    assert read_speeds() == {}
