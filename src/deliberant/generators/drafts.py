"""Clauses that a model drafts from a policy's prose, for a person to review.

    deliberant policy import constitution.md --to my-policy/ --with MODEL

The model is shown the text below each heading and says which rules it states: when each applies, its style, and the
words that say so. Nothing is invented: a draft whose quote does not stand in that text is no clause and is listed. A
clause's text are the source's own lines; its condition and style are the model's, and its `Source:` says so until a
person has deleted it, which `policy lint` asks for. Lines that no draft quotes are kept in the category's definitions.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from deliberant.judge.ask import ask
from deliberant.models.types import Completion, Sampler
from deliberant.policy.importers import Imported, Wishes
from deliberant.policy.importers.areas import Area
from deliberant.policy.importers.building import Builder
from deliberant.policy.importers.layouts import CLOSED, MARKED, assign, check_titles
from deliberant.policy.importers.sources import open_source
from deliberant.policy.markdown import clip
from deliberant.policy.outline import LEAF, Outline, Part
from deliberant.policy.words import read_style_words
from deliberant.prompts.types import Style
from deliberant.util.progress import Progress

PROMPT = Path(__file__).with_name("draft.txt")
QUOTES = "\"'\u201c\u201d\u00ab\u00bb "
LONGEST = 40
"""Lines of a passage, where its parts allow it."""
FIELD = re.compile(r"^[\s*\-\d.]*(rule|style|quote|example)s?[\s*]*:[\s*]*(.*?)[\s*]*$", re.IGNORECASE)


@dataclass
class Passage:
    """Text below a heading (`above`), in `parts`, and what has been drafted from it: clauses with their examples."""

    outline: Outline
    above: Part
    parts: list[Part]
    drafts: list[tuple[Part, list[str]]] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return self.outline.text(self.parts[0].line, self.parts[-1].end)

    @property
    def section(self) -> str:
        """The headings above it, from the top."""
        titles = [each.title for each in (self.above, *self.above.parents()) if each.kind != "document"]
        return " / ".join(titles[::-1]) or self.outline.root.title

    def find(self, quote: str) -> list[Part]:
        """The parts that a quote stands in, whatever its white space and case; none where it does not stand there."""
        words = [re.escape(word) for word in quote.casefold().split()]
        text = self.text.casefold()
        match = re.search(r"\s+(?:[-*>]\s+)?".join(words), text) if words else None
        if not match:
            return []
        first, last = (self.parts[0].line + text.count("\n", 0, place) for place in match.span())
        return [part for part in self.parts if part.line <= last and part.end >= first]


class Drafted(Builder):
    """Makes the policy of outlines whose passages have been drafted."""

    def __init__(self, path: Path, passages: Sequence[Passage], by: str) -> None:
        super().__init__(path.name, "drafted", None, path.is_dir())
        self.shown = {id(part): examples for each in passages for part, examples in each.drafts}
        self.by = by

    def clause(self, part: Part, area: Area) -> None:
        super().clause(part, area)
        clause = area.clauses[-1]
        source = f"{clause.source} drafted by {self.by}"
        area.clauses[-1] = replace(clause, examples=tuple(self.shown[id(part)]), source=source)


def draft_policy(
    path: Path,
    wishes: Wishes,
    sampler: Sampler,
    by: str,
    max_new_tokens: int = 512,
    progress: Progress | None = None,
) -> Imported:
    """The policy that a model drafts from a file or a folder; `warnings` has what was not drafted, and why.

    What `wishes` says of titles wins: a label's style over the model's, asides and definitions are not shown to it.
    """
    outlines = open_source(path)
    check_titles(outlines, wishes)
    passages: list[Passage] = []
    for outline in outlines:
        assign(outline, "prose", wishes)
        passages += _passages(outline, wishes)
    texts = [{"section": passage.section, "text": passage.text} for passage in passages]
    answers = ask(sampler, PROMPT, texts, max_new_tokens, "passages", progress)
    for passage, completion in zip(passages, answers, strict=True):
        _read(passage, completion)
    builder = Drafted(path, passages, by)
    for passage in passages:
        _settle(passage)
        place = f"{passage.outline.file}:{passage.parts[0].line}"
        for reason in passage.reasons:
            builder.warnings.append(f"{place}: not drafted: {reason}; write the clause by hand, or ask another model")
    for outline in outlines:
        builder.take(outline)
    return builder.done()


def _passages(outline: Outline, wishes: Wishes) -> Iterator[Passage]:
    """The text below each heading, save what is kept as it stands; headings become categories and groups."""
    for part in [outline.root, *outline.root.walk()]:
        if any(each.role in CLOSED for each in part.parents()) or part.role in CLOSED:
            continue
        if part.kind in MARKED and part.role in ("clause", "group"):
            level = wishes.category_level
            top = all(each.role in ("document", "title", "aside") for each in part.parents())
            part.role = "category" if level is None and top else "group"
        if part.kind not in ("document", *MARKED):
            continue
        run: list[Part] = []
        for each in [*part.inner, part]:
            prose = each is not part and each.kind not in (*MARKED, "rule", "front", "html")
            kept = each.role in CLOSED and each.role != "text"
            long = run and each.end - run[0].line >= LONGEST
            if run and (not prose or kept or long):
                yield Passage(outline, part, run)
                run = []
            if prose and not kept:
                run.append(each)


def _read(passage: Passage, completion: Completion) -> None:
    """Note the drafts of an answer, and why others are none."""
    rules: list[dict[str, list[str]]] = []
    for line in completion.answer.splitlines():
        if match := FIELD.match(line):
            name = match[1].lower()
            if name == "rule":
                rules.append({"rule": [], "style": [], "quote": [], "example": []})
            if rules and match[2]:
                rules[-1][name].append(match[2])
    if completion.stop != "stop":
        passage.reasons.append(str(completion.missing or f"the answer stopped by {completion.stop}"))
    elif not rules:
        said = " ".join(completion.answer.split())
        none = said.lower().startswith("none")
        passage.reasons.append("the model finds no rule" if none else f"the model says {clip(said)}")
    for rule in rules:
        title, style, quote = (" ".join(rule[name]) for name in ("rule", "style", "quote"))
        asked: Style | None = passage.above.style_above or read_style_words(style)[0]
        if not title or asked is None:
            passage.reasons.append(f"{clip(title or quote)} has no {'style' if title else 'condition'}")
        elif not (parts := passage.find(quote.strip(QUOTES))):
            passage.reasons.append(f"{clip(title)} quotes {clip(quote)}, which does not stand there")
        else:
            examples = [text for each in rule["example"] if passage.find(text := each.strip(QUOTES))]
            first, end = parts[0].line, parts[-1].end
            part = Part(
                "draft", LEAF, title, first, first - 1, end=end, above=passage.above, role="clause", style=asked
            )
            passage.drafts.append((part, examples))


def _settle(passage: Passage) -> None:
    """Put the drafts in the place of the parts that they quote; other parts stay, as text."""
    parts = [part for part, _ in passage.drafts]
    for each in passage.parts:
        each.role = "text"
        if not any(part.line <= each.line <= part.end for part, _ in passage.drafts):
            parts.append(each)
    inner = passage.above.inner
    place = inner.index(passage.parts[0])
    inner[place : place + len(passage.parts)] = sorted(parts, key=lambda part: part.line)
