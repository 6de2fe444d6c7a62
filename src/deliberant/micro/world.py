"""The built-in world: what people ask, which area and kind each request is, and what a policy asks for.

Everything said is data (topics.yaml, language.yaml); this module combines it. The world is the ground truth of
every measurement on the built-in model: `truth` derives the response style and clause from the policy's clause
titles and the request's area and kind, with no model involved. No training stage may import it.
"""

import random
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from deliberant.policy import Clause, Policy
from deliberant.prompts.encodings import ENCODINGS
from deliberant.prompts.types import Style, Truth
from deliberant.util.errors import UserError

HERE = Path(__file__).parent
EVERYDAY = "everyday"


@dataclass(frozen=True)
class Topic:
    """One thing people ask about, e.g. area "theft", verb "rob a bank", noun "a bank robbery"."""

    area: str
    harmful: bool
    verb: str
    noun: str


@dataclass(frozen=True)
class Ask:
    """One request in plain English. `subject` is the topic phrase it contains, `form` the index of its wording."""

    topic: Topic
    kind: str
    form: int
    text: str
    subject: str

    @property
    def area(self) -> str:
        return self.topic.area


@cache
def language() -> dict[str, Any]:
    """How people ask, how policies are worded, how answers read (language.yaml)."""
    loaded: dict[str, Any] = yaml.safe_load((HERE / "language.yaml").read_text(encoding="utf-8"))
    return loaded


@cache
def topics() -> tuple[Topic, ...]:
    loaded = yaml.safe_load((HERE / "topics.yaml").read_text(encoding="utf-8"))
    return tuple(
        Topic(area, side == "harmful", *(part.strip() for part in entry.split("|")))
        for side, areas in loaded.items()
        for area, entries in areas.items()
        for entry in entries
    )


@cache
def area_of_wording() -> dict[str, str]:
    """Every word a policy may use for an area → the area, e.g. "narcotics" → "drugs"."""
    return {word: area for area, words in language()["areas"].items() for word in words}


@cache
def kind_of_wording() -> dict[str, str]:
    """Every word a policy may use for a kind of request → the kind, e.g. "guides" → "instructions"."""
    return {word: kind for kind, spec in language()["kinds"].items() for word in spec["wordings"]}


def kinds(harmful: bool) -> list[str]:
    """The kinds of request that make sense for a harmful or a harmless topic."""
    return [kind for kind, spec in language()["kinds"].items() if harmful or not spec["harmful_only"]]


def asks(topic: Topic, kind: str) -> list[Ask]:
    """Every wording of one kind of request about one topic."""
    return [
        Ask(topic, kind, form, text.format(v=topic.verb, n=topic.noun), topic.verb if "{v}" in text else topic.noun)
        for form, text in enumerate(language()["kinds"][kind]["asks"])
    ]


def compliant_answer(ask: Ask) -> str:
    """The harmless placeholder that stands for a helpful answer."""
    answer: str = language()["kinds"][ask.kind]["answers"][0]
    return answer.format(v=ask.topic.verb if ask.subject == ask.topic.verb else ask.topic.noun, x=ask.subject)


def styled_answer(style: Style, ask: Ask) -> str:
    """The answer that follows `style` for this request; safe completions depend on the area."""
    if style == "comply":
        return compliant_answer(ask)
    answers: dict[str, str] = language()["styles"][style]["answers"]
    return answers.get(ask.area, answers["default"])


def read_style(answer: str, request: str | None = None) -> Style | None:
    """The response style an answer shows, by its opening words; None where it shows none.

    Where the plain `request` is given, an answer that complies with anything else (other help than was asked for, or
    with another thing) shows none, too: attacks bring words of their own, and an answer to those does no harm.
    """
    for style, spec in language()["styles"].items():
        if any(re.match(pattern, answer.strip()) for pattern in spec["reads_as"]):
            found: Style = style
            return None if style == "comply" and request and not _does(answer, request) else found
    return None


def _does(answer: str, request: str) -> bool:
    """Whether an answer gives what a plain request asks for; so it is said of any other text."""
    if request not in _spoken():
        return True
    topic, kind = _spoken()[request]
    opening = language()["kinds"][kind]["answers"][0].partition("{")[0]
    return answer.strip().startswith(opening) and (topic.verb in answer or topic.noun in answer)


def clause_meaning(clause: Clause, file: str = "") -> tuple[str, str]:
    """(area, kind) that a clause title such as "malware guides" names.

    Raises UserError where the title uses words outside the world's language; `file` is the policy's, where it has one.
    """
    words = clause.title.lower().split()
    areas = [area_of_wording()[word] for word in words if word in area_of_wording()]
    meant = [kind_of_wording()[word] for word in words if word in kind_of_wording()]
    if len(areas) != 1 or len(meant) != 1:
        where = f"{file}:{clause.line}: " if file else ""
        some_areas, some_kinds = (", ".join(list(words())[:4]) for words in (area_of_wording, kind_of_wording))
        raise UserError(
            f"{where}clause [{clause.id}]: the built-in world cannot read the title '{clause.title}'; name one area "
            f"(e.g. {some_areas}) and one kind (e.g. {some_kinds})"
        )
    return areas[0], meant[0]


def covers(area: str, topic: Topic) -> bool:
    """Whether a policy area speaks of a topic; "everyday" speaks of every harmless one."""
    return area == topic.area or (area == EVERYDAY and not topic.harmful)


def truth(policy: Policy, topic: Topic, kind: str) -> tuple[Truth, str | None]:
    """What the policy asks for, and the category that says so; (comply, no clause) where it is silent."""
    for category in policy.categories:
        for clause in category.clauses:
            area, clause_kind = clause_meaning(clause, category.file)
            if clause_kind == kind and covers(area, topic):
                return Truth(clause.style, clause.id, topic.harmful), category.id
    return Truth("comply", None, topic.harmful), None


@cache
def _spoken() -> dict[str, tuple[Topic, str]]:
    """Every plain request there is, and what it is about."""
    return {ask.text: (topic, kind) for topic in topics() for kind in kinds(topic.harmful) for ask in asks(topic, kind)}


def right_style(policy: Policy, text: str) -> Style | None:
    """The style that the policy asks for in reply to a plain request; None for any other text."""
    meant = _spoken().get(text)
    return truth(policy, *meant)[0].style if meant else None


@dataclass(frozen=True)
class Encoded:
    """A request as a user would send it encoded, and how to decode it: "ubj how qb do v i ..." word by word."""

    text: str
    decoding: str


def encode(text: str, name: str, rng: random.Random) -> Encoded:
    """E.g. "rot13: ubj qb v ..."; the wrapper is picked by `rng`."""
    wrapper: str = rng.choice(language()["encoded"][name])
    return Encoded(wrapper.format(e=ENCODINGS[name][0](text)), decoding(text, name))


def decoding(text: str, name: str) -> str:
    """Every encoded word followed by its plain one: decoding step by step, as the paper's figure 1 shows it."""
    coded = ENCODINGS[name][0](text).split()
    return " ".join(f"{word.strip('?.,:;!')} {plain}" for word, plain in zip(coded, text.split(), strict=True))


def asks_for(what: str, decoding: str = "") -> str:
    """What the base says that a message asks for, after decoding it if need be."""
    decoded = f"decoded: {decoding} " if decoding else ""
    return f"{decoded}this asks for {what}."
