from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliberant.models.splitter import Parts, prefilled, split
from tests.tiny import make_tiny_tokenizer

HARMONY = ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>")
FORMS = [("<think>", "</think>"), ("<thinking>", "</thinking>"), HARMONY]
CANARY = "CANARY-7f3a"

plain = st.text(st.characters(exclude_characters="<>|", exclude_categories=["Cs"]), max_size=40)


@pytest.mark.parametrize(("opening", "closing"), FORMS)
@given(reasoning=plain, answer=plain)
def test_well_formed_text_splits_exactly(opening: str, closing: str, reasoning: str, answer: str) -> None:
    expected = Parts(reasoning.strip(), answer.strip(), True)
    assert split(f"{opening}{reasoning}{closing}{answer}") == expected
    assert split(f"\n {opening}\n{reasoning}\n{closing}\n\n{answer}") == expected
    assert split(f"{reasoning}{closing}{answer}", prefilled=True) == expected


@pytest.mark.parametrize(("opening", "closing"), FORMS)
def test_the_two_modes_do_not_accept_each_others_text(opening: str, closing: str) -> None:
    assert not split(f"{opening}a{closing}b", prefilled=True).complete
    assert not split(f"a{closing}b").complete


@pytest.mark.parametrize("end", ["<|return|>", "<|end|>", "<|return|>\n"])
def test_harmony_end_marks_are_not_part_of_the_answer(end: str) -> None:
    assert split(f"{HARMONY[0]}a{HARMONY[1]}b{end}") == Parts("a", "b", True)
    assert split(f"<|start|>assistant{HARMONY[0]}a{HARMONY[1]}b{end}") == Parts("a", "b", True)


def test_an_empty_block_is_complete() -> None:
    assert split("<think></think>answer") == Parts("", "answer", True)
    assert split("<think>a</think>") == Parts("a", "", True)


@pytest.mark.parametrize(
    ("text", "reasoning"),
    [
        ("", ""),
        ("no tags at all", "no tags at all"),
        ("<think>cut off", "cut off"),
        ("<thinking>cut off", "cut off"),
        (f"{HARMONY[0]}cut off", "cut off"),
        (f"{HARMONY[0]}cut off<|end|>", "cut off<|end|>"),
    ],
)
def test_no_closing_tag_is_no_answer_and_loses_no_text(text: str, reasoning: str) -> None:
    assert split(text) == Parts(reasoning, "", False)


@pytest.mark.parametrize(
    "text",
    [
        "<think>a</think>b<think>c</think>d",
        "<think>a</think>b</think>c",
        "<think>a<think>b</think>c</think>d",
        "<think><think>a</think>b",
        "late <think>a</think>b",
        "<think>a</thinking>b",
        "<thinking>a</think>b",
        "<think>a</think>b<thinking>c",
        "<think>a</think>b< THINK >c</ Think >d",
        '<think>a</think>b<think mode="deep">c',
        "<Think>a</Think>b",
        "</think>a<think>b",
        "<think>a</think>b<|channel|>analysis<|message|>c",
        f"{HARMONY[0]}a{HARMONY[1]}b<|end|><|start|>assistant<|channel|>analysis<|message|>c",
        f"{HARMONY[0]}a<|end|><|start|>assistant{HARMONY[0]}a{HARMONY[1]}b",
        f"{HARMONY[0]}a{HARMONY[1]}b<think>c</think>d",
        f"<|channel|>commentary<|message|>a{HARMONY[1]}b",
        "<|channel|>final<|message|>b",
    ],
)
@pytest.mark.parametrize("begun", [False, True])
def test_repeated_late_nested_or_mixed_tags_are_no_answer(text: str, begun: bool) -> None:
    if begun and text == "late <think>a</think>b":
        text = "<think>" + text
    parts = split(text, prefilled=begun)
    assert (parts.answer, parts.complete) == ("", False)


tag = st.sampled_from([mark for form in FORMS for mark in form] + ["<THINK>", "</Think >", "<think/>", "<|end|>"])


@given(before=st.lists(tag | plain), after=st.lists(tag | plain), begun=st.booleans())
def test_a_canary_in_reasoning_never_reaches_the_answer(before: list[str], after: list[str], begun: bool) -> None:
    """In reasoning: before a closing tag, after a second opening one, or after an opening one that is never closed."""
    for opening, closing in FORMS:
        start = "" if begun else opening
        assert CANARY not in split("".join([start, *before, CANARY, closing, *after]), begun).answer
        assert CANARY not in split("".join([start, *before, closing, *after, opening, CANARY]), begun).answer
        unclosed = [piece for piece in before if piece not in {mark for _, mark in FORMS}]
        assert CANARY not in split("".join([start, *unclosed, CANARY, *after]), begun).answer


@given(pieces=st.lists(tag | plain), begun=st.booleans())
def test_an_answer_is_a_clean_suffix_and_incomplete_means_empty(pieces: list[str], begun: bool) -> None:
    text = "".join(pieces)
    parts = split(text, begun)
    assert parts.complete or parts.answer == ""
    assert parts.answer in text
    assert "think" not in parts.answer.lower() or "<" not in parts.answer


@pytest.mark.parametrize(
    ("ending", "expected"),
    [
        ("<|im_start|>assistant\n", False),
        ("<|im_start|>assistant\n<think>\n", True),
        ("<thinking>", True),
        ("<|start|>assistant<|channel|>analysis<|message|>", True),
        ("<think>\n\n</think>\n\n", False),
    ],
)
def test_prefilled_reads_the_generation_prompt(ending: str, expected: bool) -> None:
    tokenizer: Any = make_tiny_tokenizer()
    tokenizer.chat_template = "{{ messages[0]['content'] }}{% if add_generation_prompt %}" + ending + "{% endif %}"
    assert prefilled(tokenizer) is expected
