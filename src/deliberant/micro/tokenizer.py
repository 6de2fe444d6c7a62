"""The built-in model's tokenizer: one token per known word, bytes for everything else, one token per clause id.

A byte-level BPE without merges: a word of the world is one token (`ignore_merges`), and so is the same word in each of
the encodings that people send, as in the vocabulary of any tokenizer whose corpus holds much of such text. An unknown
word falls to its letters. Text is lower-cased and punctuation split off; the decoder glues it back. Departs from the
field's habit (tens of thousands of merges) to keep the parameters for thinking.
"""

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from deliberant.micro.world import language, topics
from deliberant.prompts.encodings import ENCODINGS

CLAUSE_LETTERS = "ABCDEFHKLMPRSTVW"
CLAUSE_IDS = tuple(f"{letter}{digit}" for letter in CLAUSE_LETTERS for digit in range(1, 9))
ROLES = ("<|system|>", "<|user|>", "<|assistant|>", "<|tool|>")
END, PAD, OPEN, CLOSE = "<|end|>", "<|pad|>", "<think>", "</think>"
PUNCTUATION = "?.,:;!"
CHAT_TEMPLATE = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
EXTRA_WORDS = """
this asks for policy so i comply refuse safe_complete decoded the reasoning answer request judge hint agree disagree
score clause it and cites nothing another ai determined summaries styles look up says last word is of else first
sorry cannot help complies refuses redirects strays no use 1 2 3 4 5 # ### - ( ) answers declines same other
"""


def _strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for key, item in value.items() for text in [str(key), *_strings(item)]]
    if isinstance(value, list):
        return [text for item in value for text in _strings(item)]
    return [str(value)]


def _words(texts: Iterable[str]) -> tuple[str, ...]:
    text = re.sub(r"\{\w\}|\{name\}", " ", " ".join(texts).lower())
    return tuple(sorted({word for word in re.sub(f"[{re.escape(PUNCTUATION)}]", " ", text).split()}))


def _phrases() -> list[str]:
    return [f"{topic.verb} {topic.noun}" for topic in topics()]


@cache
def vocabulary() -> tuple[str, ...]:
    """Every word of the world in a fixed order."""
    return _words([*_strings(language()), *_phrases(), EXTRA_WORDS])


@cache
def asked_words() -> tuple[str, ...]:
    """Every word of a request, in a fixed order."""
    return _words([*(ask for kind in language()["kinds"].values() for ask in kind["asks"]), *_phrases()])


@cache
def coded_vocabulary() -> tuple[str, ...]:
    """Every word of a request in every encoding that requests come in, in a fixed order."""
    return tuple(ENCODINGS[name][0](word) for name in language()["encoded"] for word in asked_words())


def build_tokenizer() -> Any:
    """A `PreTrainedTokenizerFast` with chat template; saved with the checkpoint, never trained."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    specials = [PAD, END, *ROLES, OPEN, CLOSE]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = [
        f"Ġ{word}" for word in [*vocabulary(), *PUNCTUATION] if len(word) > 1 or word in "ai12345#-()" + PUNCTUATION
    ] + [f"Ġ{word}" for word in coded_vocabulary()]
    vocab = {token: index for index, token in enumerate([*specials, *letters, *dict.fromkeys(words)])}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[], ignore_merges=True))
    space_out = [normalizers.Replace(mark, f" {mark}") for mark in PUNCTUATION]
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Lowercase(),
            normalizers.Prepend(" "),
            *space_out,
            normalizers.Replace(Regex(r" *\n[ \n]*"), "\n "),
            normalizers.Replace(Regex(" +"), " "),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\n| [^\s]+|[^\s]+"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    glue = [decoders.Replace(f" {mark}", mark) for mark in PUNCTUATION]
    tokenizer.decoder = decoders.Sequence([decoders.ByteLevel(), *glue])
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in specials])
    tokenizer.add_tokens([AddedToken(f" [{name}]", normalized=False) for name in CLAUSE_IDS])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=END, pad_token=PAD, clean_up_tokenization_spaces=False
    )
    fast.chat_template = CHAT_TEMPLATE
    fast.init_kwargs["reasoning_format"] = "micro"
    return fast
