"""The one splitter: raw completion → reasoning, answer, complete?

The filter, the reward, evaluation, chat and the report all split here, so that reasoning can not reach a judge of
answers through a second, laxer reader. The rule is one-sided on purpose: the answer is whatever follows exactly one
well-formed reasoning block at the very start; anything else has no answer. A parser that keeps "the last block" lets a
model hide text between two blocks, and one that returns the whole text when the closing tag is missing shows the
reasoning to whoever reads the answer.

The paper (section 2.1) takes reasoning and answer as separate fields from the model's own API; open models write tags.
"""

import re
from dataclasses import dataclass
from typing import Any

# Detection is lax (case, spaces, attributes, either name), acceptance strict: a stray look-alike voids the answer.
_TAG = re.compile(r"<\s*/?\s*think(?:ing)?\b[^<>]*>", re.IGNORECASE)
_CLOSING = {"<think>": "</think>", "<thinking>": "</thinking>"}

_CHANNEL = re.compile(r"<\|(?:channel|message)\|>")
_CONTROL = re.compile(r"<\|(?:channel|message|start|end|return|call|constrain)\|>")
_ANALYSIS = r"(?:<\|start\|>assistant)?<\|channel\|>analysis<\|message\|>"
_HARMONY = re.compile(
    rf"\s*(?P<open>{_ANALYSIS})?(?P<reasoning>.*?)<\|end\|>"
    r"<\|start\|>assistant<\|channel\|>final<\|message\|>(?P<answer>.*?)(?:<\|return\|>|<\|end\|>)?\s*",
    re.DOTALL,
)
_PREFILL = re.compile(rf"(?:<think>|<thinking>|{_ANALYSIS})\s*\Z")


@dataclass(frozen=True)
class Parts:
    """Both texts are stripped of outer white space. Not `complete`: answer "" and everything in `reasoning`."""

    reasoning: str
    answer: str
    complete: bool


def split(text: str, prefilled: bool = False) -> Parts:
    """Split one raw completion; `prefilled` says that the prompt already ended with the opening tag.

    Complete means: one opening tag at the start (none when prefilled), one closing tag of the same kind, no other
    reasoning tag anywhere. An empty block counts, an empty answer too; text without tags is not an answer.
    """
    if _CHANNEL.search(text):
        return _split_harmony(text, prefilled)
    tags = [(match.group(), match.start(), match.end()) for match in _TAG.finditer(text)]
    if prefilled:
        if len(tags) == 1 and tags[0][0] in _CLOSING.values():
            _, start, end = tags[0]
            return Parts(text[:start].strip(), text[end:].strip(), True)
    elif len(tags) == 2 and not text[: tags[0][1]].strip() and _CLOSING.get(tags[0][0]) == tags[1][0]:
        return Parts(text[tags[0][2] : tags[1][1]].strip(), text[tags[1][2] :].strip(), True)
    return _incomplete(text)


def _split_harmony(text: str, prefilled: bool) -> Parts:
    """One analysis message, then one final message (the harmony format of gpt-oss)."""
    match = _HARMONY.fullmatch(text)
    if match is None or (match["open"] is None) != prefilled:
        return _incomplete(text)
    reasoning, answer = match["reasoning"], match["answer"]
    if any(mark.search(part) for mark in (_CONTROL, _TAG) for part in (reasoning, answer)):
        return _incomplete(text)
    return Parts(reasoning.strip(), answer.strip(), True)


def _incomplete(text: str) -> Parts:
    stripped = text.strip()
    opening = re.match(rf"<think>|<thinking>|{_ANALYSIS}", stripped)
    return Parts(stripped[opening.end() if opening else 0 :].strip(), "", False)


def prefilled(tokenizer: Any) -> bool:
    """Whether the tokenizer's generation prompt ends with an opening reasoning tag, so completions start after it."""
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": "?"}], add_generation_prompt=True, tokenize=False
    )
    return _PREFILL.search(prompt) is not None
