"""What a model that was asked something answered, whether or not it writes reasoning tags."""

from deliberant.models.splitter import split
from deliberant.models.types import Completion

CUT = "cut at the token limit"
NO_ANSWER = "no answer after the reasoning"


def answer_of(completion: Completion, prefilled: bool) -> tuple[str, str | None]:
    """The answer and None, or "" and why there is none. Never raises.

    A model without reasoning tags has no reasoning to keep apart: its whole text is the answer. One that opened its
    reasoning and did not close it has none.
    """
    if completion.stop == "length":
        return "", CUT
    parts = split(completion.text, prefilled)
    if parts.complete:
        return parts.answer, None
    if prefilled or "<" in completion.text[:12]:
        return "", NO_ANSWER
    return completion.text.strip(), None
