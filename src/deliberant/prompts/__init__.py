"""Prompts, the truth they may be measured against, and how both are read, written and encoded."""

from deliberant.prompts.encodings import ENCODINGS
from deliberant.prompts.reader import (
    assert_families_disjoint,
    assert_texts_disjoint,
    find_line,
    holds_cases,
    locate_case,
    read_cases,
    read_partly_labelled,
    read_prompts,
    write_cases,
    write_prompts,
)
from deliberant.prompts.types import STYLES, Case, Hint, Message, Prompt, Style, Truth

__all__ = [
    "ENCODINGS",
    "STYLES",
    "Case",
    "Hint",
    "Message",
    "Prompt",
    "Style",
    "Truth",
    "assert_families_disjoint",
    "assert_texts_disjoint",
    "find_line",
    "holds_cases",
    "locate_case",
    "read_cases",
    "read_partly_labelled",
    "read_prompts",
    "write_cases",
    "write_prompts",
]
