"""Golden tests of the formats, and the property that matters: what stands in the reasoning reaches no answer."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliberant.models.formats import Format, Parts, chat_prompt, find_format, find_opened_format, formats, split
from tests.tiny import make_tiny_tokenizer

FORMATS = list(formats().values())
HARMONY = formats()["harmony"]
TAGGED = [each for each in FORMATS if each is not HARMONY]
FORMS = [(each.open, each.close) for each in FORMATS]
CANARY = "CANARY-7f3a"

plain = st.text(st.characters(exclude_characters="<>|[]`", exclude_categories=["Cs"]), max_size=40)
each_format = pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
each_tagged = pytest.mark.parametrize("form", TAGGED, ids=lambda form: form.name)


@each_format
@given(reasoning=plain, answer=plain)
def test_whole_text_splits_exactly(form: Format, reasoning: str, answer: str) -> None:
    expected = Parts(reasoning.strip(), answer.strip(), True)
    assert split(form.join(reasoning, answer)) == expected
    assert split(f"\n {form.open}\n{reasoning}\n{form.close}\n\n{answer}") == expected
    assert split(f"{reasoning}{form.close}{answer}", opened=True) == expected
    assert split(form.join(reasoning, answer).removeprefix(form.opening), opened=True) == expected


@each_tagged
def test_a_closing_tag_alone_ends_the_reasoning(form: Format) -> None:
    assert split(f"a{form.close}b") == Parts("a", "b", True)
    assert split(f"{form.open}a{form.close}b", opened=True) == Parts("a", "b", True)


@each_format
def test_cut_reasoning_has_no_answer_and_loses_no_text(form: Format) -> None:
    for strict in (True, False):
        assert split(f"{form.open}cut off", strict=strict) == Parts("cut off", "", False)
        assert split("cut off", opened=True, strict=strict) == Parts("cut off", "", False)


@each_format
def test_an_empty_block_is_complete(form: Format) -> None:
    assert split(f"{form.open}{form.close}answer") == Parts("", "answer", True)
    assert split(f"{form.open}a{form.close}") == Parts("a", "", True)


@each_tagged
def test_doubled_blocks_have_no_answer(form: Format) -> None:
    for text in (
        f"{form.open}a{form.close}b{form.open}c{form.close}d",
        f"{form.open}a{form.close}b{form.close}c",
        f"{form.open}{form.open}a{form.close}b",
        f"late {form.open}a{form.close}b",
    ):
        for strict in (True, False):
            assert split(text, strict=strict).answer == "", text


@each_tagged
def test_a_tag_that_is_only_mentioned_is_text(form: Format) -> None:
    block = f"{form.open}a{form.close}"
    for answer in (
        f"begin with `{form.open}` and end with `{form.close}`.",
        f"the {form.open} tag opens it",
        f"like this:\n```\n{form.open}\nwell\n{form.close}\n```\ndone",
    ):
        assert split(block + answer) == Parts("a", answer, True)
    assert split(f"{form.open}i end with `{form.close}` here{form.close}b").answer == "b"
    assert split(f"{form.open}use `x`{form.close}`y` it is") == Parts("use `x`", "`y` it is", True)


def test_text_without_a_block_is_an_answer_of_models_that_need_none() -> None:
    assert split("no tags at all") == Parts("no tags at all", "", False)
    assert split("no tags at all", strict=False) == Parts("", "no tags at all", True)
    assert split("score: 5", opened=True, strict=False).complete is False


@pytest.mark.parametrize("end", ["<|return|>", "<|end|>", "<|return|>\n", ""])
def test_harmony_end_marks_are_not_part_of_the_answer(end: str) -> None:
    assert split(f"{HARMONY.join('a', 'b')}{end}") == Parts("a", "b", True)
    assert split(f"<|start|>assistant{HARMONY.join('a', 'b')}{end}") == Parts("a", "b", True)


def test_harmony_takes_several_analyses_and_a_commentary_before_the_final_message() -> None:
    more = "<|end|><|start|>assistant<|channel|>{}<|message|>{}".format
    text = HARMONY.open + "a" + more("analysis", "b") + more("commentary", "c") + more("final", "d")
    assert split(text) == Parts("a\n\nb\n\nc", "d", True)


@pytest.mark.parametrize(
    "text",
    [
        "<think>a</thinking>b",
        "<thinking>a</think>b",
        "<think>a</think>b<thinking>c",
        "<think>a</think>b< THINK >c</ Think >d",
        '<think>a</think>b<think mode="deep">c',
        "<Think>a</Think>b",
        "<think>a</think>b<|channel|>analysis<|message|>c",
        f"{HARMONY.join('a', 'b')}<|end|><|start|>assistant<|channel|>analysis<|message|>c",
        f"{HARMONY.open}a<|end|>{HARMONY.open}b",
        f"{HARMONY.join('a', 'b')}<think>c</think>d",
        f"<|channel|>commentary<|message|>a{HARMONY.close}b",
        "<|channel|>final<|message|>b",
    ],
)
def test_mixed_or_misspelt_tags_have_no_answer(text: str) -> None:
    assert (split(text).answer, split(text).complete) == ("", False)


tag = st.sampled_from([mark for form in FORMS for mark in form] + ["<THINK>", "</Think >", "<think/>", "<|end|>", "`"])


@given(before=st.lists(tag | plain), after=st.lists(tag | plain), opened=st.booleans())
def test_a_canary_in_reasoning_never_reaches_the_answer(before: list[str], after: list[str], opened: bool) -> None:
    """In reasoning: before a closing tag, after a second opening one, or after an opening one that is never closed."""
    for opening, closing in FORMS:
        start = "" if opened else opening
        assert CANARY not in split("".join([start, *before, CANARY, closing, *after]), opened).answer
        assert CANARY not in split("".join([start, *before, closing, *after, opening, CANARY]), opened).answer
        unclosed = [piece for piece in before if piece not in {mark for _, mark in FORMS}]
        assert CANARY not in split("".join([start, *unclosed, CANARY, *after]), opened).answer


@given(pieces=st.lists(tag | plain), opened=st.booleans(), strict=st.booleans())
def test_an_answer_is_a_suffix_and_incomplete_means_empty(pieces: list[str], opened: bool, strict: bool) -> None:
    text = "".join(pieces)
    parts = split(text, opened, strict)
    assert parts.complete or parts.answer == ""
    assert parts.answer in text


@pytest.mark.parametrize(
    ("ending", "name"),
    [
        ("<|im_start|>assistant\n", None),
        ("<|im_start|>assistant\n<think>\n", "think"),
        ("<thinking>", "thinking"),
        ("[THINK]", "mistral"),
        ("<|start|>assistant<|channel|>analysis<|message|>", "harmony"),
        ("<think>\n\n</think>\n\n", None),
    ],
)
def test_the_generation_prompt_says_whether_reasoning_is_open(ending: str, name: str | None) -> None:
    tokenizer: Any = make_tiny_tokenizer()
    tokenizer.chat_template = "{{ messages[0]['content'] }}{% if add_generation_prompt %}" + ending + "{% endif %}"
    found = find_opened_format(chat_prompt(tokenizer))
    assert found is None if name is None else found is not None and found.open == formats()[name].open


def test_a_models_format_is_declared_or_read_off_its_template_or_its_vocabulary() -> None:
    tokenizer: Any = make_tiny_tokenizer()
    assert find_format(tokenizer) is formats()["micro"]
    del tokenizer.init_kwargs["reasoning_format"]
    found = find_format(tokenizer)
    assert found is formats()["think"]  # a special token of the tiny tokenizer
    tokenizer.chat_template += "{# [THINK] #}"
    assert find_format(tokenizer) is formats()["mistral"]
