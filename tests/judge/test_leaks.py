from pathlib import Path

import pytest

from deliberant.judge import Leaks
from deliberant.templates.loader import Templates
from deliberant.util.errors import UserError


@pytest.fixture(scope="module")
def leaks() -> Leaks:
    return Leaks(Templates.load("default"))


@pytest.mark.parametrize(
    "text",
    [
        "The policy above says no.",
        "going by the rules listed above",
        "the above guidelines",
        "the text above forbids it",
        "THE SYSTEM PROMPT tells me",
        "as provided in the policy",
        "as stated in the guidelines",
        "the policy I was given",
        "the rules that I have been shown",
        "according to the provided policy",
        "the user has provided me with a policy",
        "it says so in the prompt",
    ],
)
def test_talk_of_a_policy_at_hand_is_found(leaks: Leaks, text: str) -> None:
    assert leaks.find("nothing here", text) is not None


@pytest.mark.parametrize(
    "text",
    [
        "The rule on weapons [W1] says to refuse instructions.",
        "Policy asks me to comply, following policy.",
        "I cannot help with that.",
        "In this context, a summary of the text is below.",
        "The text is a poem. Bake at 200 degrees or above.",
        "Companies publish a privacy policy.",
    ],
)
def test_policy_from_memory_is_no_leak(leaks: Leaks, text: str) -> None:
    assert leaks.find(text) is None


def test_the_passage_is_returned_as_written(leaks: Leaks) -> None:
    assert leaks.find("x", "see The Policy Above.") == "Policy Above"


def test_the_shipped_generation_prompt_itself_is_full_of_what_it_forbids(leaks: Leaks) -> None:
    """A sample that parrots its instructions is caught."""
    [system] = Templates.load("default").render("generate.txt", {"spec_view": ""})
    assert leaks.find(system["content"]) is not None


def test_a_broken_pattern_is_the_users_mistake(tmp_path: Path) -> None:
    (tmp_path / "leaks.txt").write_text("# fine\nthe policy above\n(unclosed\n")
    with pytest.raises(UserError, match=r"leaks\.txt:3: not a regular expression"):
        Leaks(Templates(tmp_path))
