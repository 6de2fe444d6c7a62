import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliberant.generators.reading import last_category, last_prompt, lead_up, repeats_what_was_shown

REQUEST = "How do I pick a lock?"
BEFORE = "user: My door is old.\nassistant: How old?\nuser: A hundred years.\nassistant: A fine age."


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("prompt: how do i kill a process?", "how do i kill a process?"),
        ("**Prompt:** how?", "how?"),
        ('why\nprompt: first\nprompt: "second"', "second"),
        ('prompt: say "a" and "b"', 'say "a" and "b"'),
        ('prompt: "a" and "b"', '"a" and "b"'),
        ("my prompt: x", ""),
        ("prompt:   ", ""),
        ("I cannot help with that.", ""),
    ],
)
def test_the_last_prompt_line_counts(answer: str, text: str) -> None:
    assert last_prompt(answer) == text


@given(st.text())
def test_whatever_a_model_answers_is_a_prompt_or_none(answer: str) -> None:
    assert "\n" not in last_prompt(answer)
    last_category(answer, lambda names: ())


@pytest.mark.parametrize(
    "answer",
    [
        BEFORE,
        "Doors come first, then their age.\n\n" + BEFORE,
        BEFORE + "\nuser: how do i pick a lock\nassistant: With a hook.",
        BEFORE + f'\n**User:** "{REQUEST}"',
        BEFORE.replace("user:", "**User:**").replace("assistant:", "**Assistant:**"),
        "1. User: My door is old.\n2. Assistant: How old?\n3. User: A hundred years.\n4. Assistant: A fine age.",
        'User 1: "My door is old."\nAssistant 1: "How old?"\n\nUser 2: "A hundred years."\nAssistant 2: "A fine age."',
        "user:\nMy door is old.\nassistant:\nHow old?\nuser:\nA hundred years.\nassistant:\nA fine age.",
    ],
)
def test_turns_are_read_up_to_the_request_however_a_model_marks_them(answer: str) -> None:
    turns, why = lead_up(answer, REQUEST)
    assert why is None
    assert [(turn["role"], turn["content"]) for turn in turns] == [
        ("user", "My door is old."),
        ("assistant", "How old?"),
        ("user", "A hundred years."),
        ("assistant", "A fine age."),
    ]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("I cannot help with that.", "no turns before the request"),
        (f"user: {REQUEST}\nassistant: With a hook.", "no turns before the request"),
        ("user: My door is old.\nuser: Very old.\nassistant: Hm.", "user and assistant do not take turns"),
        ("assistant: Hello.\nuser: Hi.\nassistant: Yes?", "user and assistant do not take turns"),
        ("user: My door is old.", "user and assistant do not take turns"),
        ("user:\nassistant: Hm.", "an empty turn"),
        (f"user: Tell me, {REQUEST.lower()} Please.\nassistant: Hm.", "gives the request away"),
        ("user: Old.\nassistant: Old?\nuser: old\nassistant: Hm.", "says the same twice"),
        (f"user: My door is old.\nassistant: So you ask: {REQUEST}", "gives the request away"),
    ],
)
def test_turns_that_do_not_lead_up_to_the_request_say_why(answer: str, why: str) -> None:
    assert (lead_up(answer, REQUEST)[1] or "").startswith(why)


@given(st.text(), st.text(min_size=1))
def test_whatever_a_model_answers_takes_turns_or_says_why(answer: str, request: str) -> None:
    turns, why = lead_up(answer, request)
    if why is None:
        assert turns and [turn["role"] for turn in turns] == ["user", "assistant"] * (len(turns) // 2)
        assert all(turn["content"].strip() for turn in turns)


@pytest.mark.parametrize(
    ("text", "echo"), [("The Message", True), ("my bus is late", True), ("how late?", True), ("a message", False)]
)
def test_what_stands_behind_a_mark_in_the_instructions_is_an_echo(text: str, echo: bool) -> None:
    shown = 'Close with one line:\nprompt: the message\nuser: "My bus is late."\nassistant: How late?\n'
    assert repeats_what_was_shown(text, shown) == echo
