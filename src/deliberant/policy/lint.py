"""What is wrong with a policy that loads: `deliberant policy lint`.

Errors are contradictions and references to nothing; warnings are wording and sizes that models learn badly from; notes
are remarks. The loader has already refused whatever is malformed: repeated ids, unknown or missing styles.
"""

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

from deliberant.policy.markdown import blank_out_code, clip
from deliberant.policy.passages import Passage, passages
from deliberant.policy.tokens import ESTIMATE, Count, estimate
from deliberant.policy.types import CLAUSE_ID, Policy
from deliberant.policy.views import show_category
from deliberant.prompts.census import CONTROL
from deliberant.prompts.types import STYLES
from deliberant.util.errors import UserError
from deliberant.util.files import write_atomically
from deliberant.util.names import suggest_name

SUMMARY = 120
COMPRESSED = (300, 600)
FULL = 1500
"""Sizes in tokens. Summaries stand in every view; 300 to 600 for a compressed category is what the guide to
gpt-oss-safeguard advises for views of many; the paper's categories have 5,000 to 10,000 in full."""

IDS = rf"{CLAUSE_ID}(?:\s*(?:,|;|-|\u2013|and|or|to)\s*{CLAUSE_ID})*"
REFERENCE = re.compile(rf"\[\s*{IDS}\s*\]|\b[Cc]lauses?\s+{IDS}\b")
"""What names clauses: [W1], [W1, W2], [W1-W3], "clause W1"."""
VAGUE = Path(__file__).with_name("vague")
"""A file of vague words for each language."""
UNSEEN = re.compile(rf"{CONTROL.pattern}|[\u202a-\u202e\u2066-\u2069]")
"""What no policy needs: control characters, and what turns the direction of writing around."""
LINK = re.compile(
    r"(?<!`)(?P<ticks>`+)(?!`)[^`]+(?P=ticks)(?!`)"
    r"|\]\([ \t]*(?:<(?P<bracketed>[^<>\n]+)>|(?P<inline>(?:[^\s()]|\([^\s()]*\))+))"
    r"|^ {0,3}\[[^\]\n^][^\]\n]*\]:[ \t]+(?=\S*?(?:/|\.\w))(?P<defined>\S+)(?:[ \t]+[\"'(].*)?$",
    re.MULTILINE,
)
"""Code, to step over it; `[words](target)`, images included; `[name]: target`, where it is a path and no word."""
ELSEWHERE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|//|#")
FILLERS = frozenset(["a", "an", "the", "please", "just", "do", "does", "did", "can", "could", "would", "will"])
"""Words whose absence makes no other request. Pronouns stay: "can you hurt me" is not "can i hurt you"."""

Words = tuple[str, ...]


@dataclass(frozen=True)
class Finding:
    """`path` is relative to the policy folder; `message` is `what; remedy`."""

    path: str
    line: int
    rule: str
    severity: Literal["error", "warning", "note"]
    message: str


def lint(policy: Policy, count: Count | None = None, root: Path | None = None) -> list[Finding]:
    """Every finding, in the order of files and lines. `count` gives a text's tokens; without it sizes are estimated.

    `root` is the policy's folder, where the files stand that it links to; without it links are not looked at.
    """
    texts = list(passages(policy))
    findings = [*_texts(policy, texts), *_whole(policy), *_contradictions(policy, texts), *_sizes(policy, count)]
    findings += _links(texts, root) if root else ()
    order = {path: place for place, path in enumerate(dict.fromkeys(text.path for text in texts))}
    return sorted(findings, key=lambda each: (order.get(each.path, len(order)), each.line))


def fix(root: Path, policy: Policy, findings: list[Finding]) -> int:
    """Mend in the policy's files what needs no decision; how many places.

    Characters that nobody sees go; a reference such as [W01] becomes [W1], where that is a clause.
    """
    mended = 0

    def right(match: re.Match[str]) -> str:
        nonlocal mended
        bare = re.sub(r"(?<=[A-Z])0+(?=\d)", "", match[0])
        wrong = match[0] not in policy.clauses and bare in policy.clauses
        mended += wrong
        return bare if wrong else match[0]

    for path in dict.fromkeys(each.path for each in findings if each.rule in ("control-character", "dangling-id")):
        before = (root / path).read_bytes().decode()
        text, unseen = UNSEEN.subn("", before)
        text = REFERENCE.sub(lambda match: re.sub(CLAUSE_ID, right, match[0]), text)
        mended += unseen
        if text != before:
            write_atomically(root / path, text.encode())
    return mended


def finding_of_load_error(root: Path, error: UserError) -> Finding:
    """What the loader said of a policy folder that cannot be loaded, as a finding."""
    place = re.fullmatch(r"(.*?):(\d+): (.*)", str(error), re.DOTALL)  # a file's name may hold a line feed
    assert place, f"no place in {error}"
    path = Path(place[1])
    shown = path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
    return Finding(shown, int(place[2]), "broken", "error", place[3])


def _texts(policy: Policy, texts: list[Passage]) -> Iterator[Finding]:
    """References to no clause, vague words, and what nobody sees."""
    known = policy.clauses
    for text in texts:
        # Examples are what users write, who may put anything in brackets.
        for place in REFERENCE.finditer(text.text) if text.kind != "example" else ():
            for id in re.findall(CLAUSE_ID, place[0]):
                if id not in known:
                    what = f"[{id}] is the id of no clause; {suggest_name(id, sorted(known))}"
                    yield Finding(text.path, text.line_of(place.start()), "dangling-id", "error", what)
        prose = LINK.sub(lambda match: match[0].replace(_target(match), " " * len(_target(match))), text.text)
        for pattern, remedy in _vague_words() if text.kind not in ("example", "exclusion") else ():
            for match in pattern.finditer(prose):
                what = f"{clip(match[0])} leaves the decision open; {remedy}"
                yield Finding(text.path, text.line_of(match.start()), "vague-word", "warning", what)
        for match in UNSEEN.finditer(text.text):
            what = f"holds the control character U+{ord(match[0]):04X}, which a reader does not see; delete it"
            yield Finding(text.path, text.line_of(match.start()), "control-character", "warning", what)


def _target(match: re.Match[str]) -> str:
    return match["bracketed"] or match["inline"] or match["defined"] or ""


def _links(texts: list[Passage], root: Path) -> Iterator[Finding]:
    """Links to files that are not there: a model sees no target, so a rule is lost.

    Examples and exclusions are what users write; code is text. Neither web addresses nor anchors count.
    """
    for text in (each for each in texts if each.kind not in ("title", "example", "exclusion")):
        for match in LINK.finditer(blank_out_code(text.text)):
            path = unquote(re.split("[?#]", _target(match))[0])
            if path and not ELSEWHERE.match(_target(match)) and not os.path.exists((root / text.path).parent / path):
                what = f"link to {clip(path)}, which is not there; correct the path, or say here what it says"
                yield Finding(text.path, text.line_of(match.start()), "dangling-link", "error", what)


@cache
def _vague_words() -> list[tuple[re.Pattern[str], str]]:
    lines = [line for file in sorted(VAGUE.glob("*.txt")) for line in file.read_text("utf-8").splitlines()]
    rows = [line.split("\t") for line in lines if line and not line.startswith("#")]
    return [(re.compile(pattern.replace(" ", r"\s+"), re.IGNORECASE), remedy) for pattern, remedy in rows]


def _whole(policy: Policy) -> Iterator[Finding]:
    """Styles without a clause; clauses without an example or a reason where others have one.

    A policy without any example or reason, like the built-in one, chose so: a note at most.
    """
    clauses = policy.clauses.values()
    used = {clause.style for clause in clauses}
    for guideline in policy.styles:
        if guideline.style not in used and guideline.category is None:
            what = f"no clause asks for {guideline.style}; write one, or a model never learns that style"
            yield Finding("styles.md", guideline.line, "unused-style", "warning", what)
    shown = any(clause.examples for clause in clauses)
    if not shown:
        what = "no clause has an example, so nothing shows where one ends; add lists `Examples:` below the clauses"
        yield Finding("policy.md", 1, "no-example", "note", what)
    for category in policy.categories:
        if lacking := [style for style in STYLES if style not in {clause.style for clause in category.clauses}]:
            what = f"category {category.id!r} never asks for {' or '.join(lacking)}; add a clause if one is due"
            yield Finding(category.file, category.lines[0], "missing-style", "note", what)
        for clause in category.clauses:
            place, drafted, model = clause.source.partition(" drafted by ")
            if drafted:
                what = f"clause {clause.id} was drafted by {model} from {place} and nobody has reviewed it"
                remedy = f"compare it with the source, then delete `{drafted.strip()} {model}` from its `Source:`"
                yield Finding(category.file, clause.line, "draft", "warning", f"{what}; {remedy}")
            if shown and not clause.examples:
                what = f"clause {clause.id} is reached by no example; add a list `Examples:` with prompts it decides"
                yield Finding(category.file, clause.line, "no-example", "warning", what)
    bare = [clause.id for clause in clauses if not clause.why]
    if 0 < len(bare) < len(clauses):
        what = f"{len(bare)} of {len(clauses)} clauses have no reason ({', '.join(bare[:8])}"
        what += ", ...)" if len(bare) > 8 else ")"
        yield Finding("policy.md", 1, "no-reason", "note", f"{what}; add a line `Why: ...` below each")


def _contradictions(policy: Policy, texts: list[Passage]) -> Iterator[Finding]:
    """One prompt cannot ask for two styles, nor be an example of a clause that excludes it.

    Prompts are compared by their words in Unicode NFKC: case, width, punctuation and white space do not count, and then
    a second time without FILLERS and plural endings. Nothing looser: "make a bath bomb" is one word away from "make a
    bomb" and is its harmless twin, not a copy.
    """
    alike: dict[Words, list[tuple[Words, Passage]]] = defaultdict(list)
    excluded: dict[tuple[str, Words], Passage] = {}
    for text in texts:
        words = tuple(re.findall(r"\w+", unicodedata.normalize("NFKC", text.text).casefold()))
        if text.kind == "exclusion":
            excluded[text.clause, words] = text
        elif text.kind == "example" and words:
            content = tuple(word.removesuffix("s") for word in words if word not in FILLERS)
            alike[content or words].append((words, text))
    for examples in alike.values():
        for place, (words, text) in enumerate(examples):
            if other := excluded.get((text.clause, words)):
                what = f"clause {text.clause} has {clip(text.text)} among its exclusions, too (line {other.line})"
                yield Finding(text.path, text.line, "contradiction", "error", f"{what}; delete one of the two")
            earlier = [each for said, each in examples[:place] if said == words and each.clause != text.clause]
            first = earlier[0] if earlier else examples[0][1]
            what = f"{clip(text.text)} is {'' if earlier else 'nearly '}the same example as that of {first.clause}"
            what += f" at {first.path}:{first.line}"
            style, other_style = policy.clauses[text.clause].style, policy.clauses[first.clause].style
            if style != other_style:
                what += f", but {text.clause} asks for {style} and {first.clause} for {other_style}"
                yield Finding(text.path, text.line, "contradiction", "error", f"{what}; keep it below one of the two")
            elif earlier:
                what += ", so which clause to cite is open; keep it below one of the two"
                yield Finding(text.path, text.line, "shared-example", "warning", what)


def _sizes(policy: Policy, count: Count | None) -> Iterator[Finding]:
    tokens = count or estimate
    about, how = ("about ", f" ({ESTIMATE})") if count is None else ("", "")
    low, high = COMPRESSED
    some = any(category.compressed for category in policy.categories)
    for category in policy.categories:
        if (size := tokens(category.summary)) > SUMMARY:
            what = f"the summary has {about}{size} tokens{how}, more than {SUMMARY}"
            what += "; shorten it: it stands in every view"
            yield Finding(category.file, category.lines[0], "summary-size", "warning", what)
        if category.compressed and not low <= (size := tokens(category.compressed)) <= high:
            what = f"the compressed text has {about}{size} tokens{how}, not {low} to {high}"
            what += "; shorten it" if size > high else "; say more of the category"
            yield Finding(category.file, category.lines[2], "compressed-size", "warning", what)
        if some and not category.compressed:
            what = f"category {category.id!r} has no compressed text, which others have; add `## Compressed`"
            yield Finding(category.file, category.lines[0], "no-compressed", "note", what)
        if (size := tokens(show_category(category))) < FULL:
            what = f"the category has {about}{size} tokens{how}, fewer than {FULL}"
            what += "; say more: definitions, boundary cases, exclusions"
            yield Finding(category.file, category.lines[0], "category-size", "note", what)
