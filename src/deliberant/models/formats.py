"""Reasoning formats: the one splitter of raw text into reasoning and answer, and the table of tags behind it.

Samplers split here, so reasoning cannot reach a judge of answers through a second, laxer reader. The answer is what
follows one closing tag: the text that a user would be shown. Anything doubled, nested or mixed has no answer; a parser
that keeps "the last block" lets a model hide text between two blocks. All families' tags count in every model's text.

The paper (section 2.1) takes reasoning and answer as separate fields from the model's own API; open models write tags.
"""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

_CHANNEL = re.compile(r"<\|(?:channel|message)\|>")
_CONTROL = re.compile(r"<\|(?:channel|message|start|end|return|call|constrain)\|>")
_HARMONY_MESSAGE = re.compile(
    r"\s*(?:<\|start\|>assistant)?<\|channel\|>(\w+)[^<]*<\|message\|>(.*?)(?:<\|end\|>|<\|return\|>|\Z)\s*", re.DOTALL
)
_FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Format:
    """One family's way to write reasoning: its tags, and a whole completion with {reasoning} and {answer} in place."""

    name: str
    open: str
    close: str
    written: str
    families: str

    def join(self, reasoning: str, answer: str) -> str:
        """The raw text of a whole completion; `split` is its inverse."""
        return f"{self.before_answer(reasoning)}{answer}"

    def before_answer(self, reasoning: str) -> str:
        """The raw text up to where the answer begins."""
        return self.written.removesuffix("{answer}").replace("{reasoning}", reasoning)

    @property
    def opening(self) -> str:
        """The raw text up to where the reasoning begins."""
        return self.written.partition("{reasoning}")[0]

    @property
    def closing(self) -> str:
        """The raw text between reasoning and answer."""
        return self.before_answer("").removeprefix(self.opening)


@dataclass(frozen=True)
class Parts:
    """Both texts are stripped of outer white space. Not `complete`: answer "" and everything in `reasoning`."""

    reasoning: str
    answer: str
    complete: bool


class _Tag(NamedTuple):
    start: int
    end: int
    format: Format | None
    """None: it only looks like a tag (case, spaces, attributes), so it voids the answer."""
    opens: bool


@cache
def formats() -> dict[str, Format]:
    """The table of formats by name, in the order of formats.yaml."""
    rows = yaml.safe_load(Path(__file__).with_name("formats.yaml").read_text(encoding="utf-8"))
    return {row["name"]: Format(**row) for row in rows}


def find_format(tokenizer: Any) -> Format | None:
    """The format that a tokenizer's chat template and vocabulary speak; None: the model has no reasoning of its own.

    `reasoning_format` in tokenizer_config.json names it outright; deliberant writes it into what it fine-tunes.
    """
    if declared := getattr(tokenizer, "init_kwargs", {}).get("reasoning_format"):
        return formats()[declared]
    template = str(tokenizer.chat_template or "")
    known = [each for name, each in formats().items() if name != "micro"]
    if shown := next((each for each in known if each.open in template or each.close in template), None):
        return shown
    words = tokenizer.get_vocab()
    return next((each for each in known if each.open in words and each.close in words), None)


def chat_prompt(tokenizer: Any) -> str:
    """What a model is given of one short question: its end shows whether the chat template opens the reasoning."""
    turns = [{"role": "user", "content": "?"}]
    text: str = tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
    return text


def find_opened_format(prompt: str) -> Format | None:
    """The format whose opening tag a prompt ends with, so that completions start inside the reasoning."""
    return next((each for each in formats().values() if prompt.rstrip().endswith(each.open)), None)


def split(text: str, opened: bool = False, strict: bool = True) -> Parts:
    """Split one raw completion; `opened`: the prompt had already opened the reasoning.

    Complete: at most one opening tag, at the start, and one closing tag of its kind. An empty block counts, an empty
    answer too. A tag that is only mentioned (in code, or an opening one in the midst of a line) is text.

    The one rule for text without any block: `strict` (a policy model) has no answer; else (a judge, a writer, a model
    without reasoning) all of it is the answer, unless the prompt had opened the reasoning.
    """
    if _CHANNEL.search(text):
        return _split_harmony(text, opened)
    tags = _tags(text)
    if not tags and not opened and not strict:
        return Parts("", text.strip(), True)
    begin, format = 0, None
    if tags and tags[0].opens and not text[: tags[0].start].strip():
        begin, format = tags[0].end, tags[0].format
        if format is None:
            return _incomplete(text)
        tags = tags[1:]
    if len(tags) != 1 or tags[0].opens or tags[0].format is None:
        return _incomplete(text)
    close = tags[0]
    if format is not None and close.format.close != format.close:  # type: ignore[union-attr]
        return _incomplete(text)
    return Parts(text[begin : close.start].strip(), text[close.end :].strip(), True)


def _incomplete(text: str) -> Parts:
    stripped = text.strip()
    openings = [each.open for each in formats().values() if stripped.startswith(each.open)]
    return Parts(stripped.removeprefix(openings[0] if openings else "").strip(), "", False)


def _tags(text: str) -> list[_Tag]:
    """Every tag that is not only mentioned, in order."""
    tags = [_tag(match) for match in _any_tag().finditer(text)]
    if not tags:
        return []
    code = [match.span() for match in _FENCE.finditer(text)]

    def in_code(tag: _Tag) -> bool:
        return text[tag.start - 1 : tag.start] == text[tag.end : tag.end + 1] == "`" or any(
            start <= tag.start < end for start, end in code
        )

    def in_prose(tag: _Tag) -> bool:
        line = text[text.rfind("\n", 0, tag.start) + 1 : tag.start]
        return tag.opens and bool(line.strip()) and line[-1].isspace() and text[tag.end : tag.end + 1].isspace()

    written = [tag for tag in tags if not in_code(tag) and not in_prose(tag)]
    closings = [tag for tag in tags if not tag.opens]
    if len(closings) == 1 and closings[0] not in written:  # code on both sides of the one tag that ends the reasoning
        written = sorted([*written, closings[0]])
    return written


def _tag(match: re.Match[str]) -> _Tag:
    text = match.group()
    for each in formats().values():
        if text in (each.open, each.close):
            return _Tag(*match.span(), each, text == each.open)
    return _Tag(*match.span(), None, "/" not in text)


@cache
def _any_tag() -> re.Pattern[str]:
    """Detection is lax where tags are XML-like: a look-alike is found, too, and voids the answer."""
    names, literal = [], []
    for each in formats().values():
        if name := re.fullmatch(r"<([a-z:]+)>", each.open):
            names.append(name[1])
        elif each.name != "harmony":
            literal += [each.open, each.close]
    lax = rf"<\s*/?\s*(?:{'|'.join(dict.fromkeys(names))})(?![\w:])[^<>]*>"
    return re.compile("|".join([lax, *map(re.escape, literal)]), re.IGNORECASE)


def _split_harmony(text: str, opened: bool) -> Parts:
    """Analysis and commentary messages, then one final message (the harmony format of gpt-oss)."""
    begun = f"{formats()['harmony'].open}{text}" if opened else text
    messages, place = [], 0
    while place < len(begun) and (match := _HARMONY_MESSAGE.match(begun, place)):
        messages.append((match[1], match[2].strip()))
        place = match.end()
    channels = [channel for channel, _ in messages]
    whole = place == len(begun) and channels[:1] == ["analysis"] and channels[-1:] == ["final"]
    if not whole or {*channels[:-1]} - {"analysis", "commentary"}:
        return _incomplete(text)
    if any(_CONTROL.search(said) or _tags(said) for _, said in messages):
        return _incomplete(text)
    return Parts("\n\n".join(said for _, said in messages[:-1]), messages[-1][1], True)
