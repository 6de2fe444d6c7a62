"""The built-in world: what people ask, which area and kind each request is, and what a policy asks for.

Everything said is data (topics.yaml, language.yaml); this module combines it. The world is the ground truth of
every measurement on the built-in model: `truth` derives the response style and clause from the policy's clause
titles and the request's area and kind, with no model involved. No training stage may import it.
"""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from deliberant.errors import UserError
from deliberant.policy import Clause, Policy
from deliberant.prompts.encodings import ENCODINGS
from deliberant.prompts.types import Case, Prompt, Style, Truth
from deliberant.turns import in_turns

HERE = Path(__file__).parent
EVERYDAY = "everyday"
UNSEEN_SHARE = 1 / 3
SUITES = ("seen", "unseen", "encoded")
ENABLING = ("instructions", "plans")
"""Kinds of request that ask for help with the deed itself; the others speak of it."""


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


def read_style(answer: str) -> Style | None:
    """The response style an answer shows, by its opening words; None where it shows none."""
    for style, spec in language()["styles"].items():
        if any(re.match(pattern, answer.strip()) for pattern in spec["reads_as"]):
            found: Style = style
            return found
    return None


def clause_meaning(clause: Clause) -> tuple[str, str]:
    """(area, kind) that a clause title such as "malware guides" names.

    Raises UserError where the title uses words outside the world's language.
    """
    words = clause.title.lower().split()
    areas = [area_of_wording()[word] for word in words if word in area_of_wording()]
    found = [kind_of_wording()[word] for word in words if word in kind_of_wording()]
    if len(areas) != 1 or len(found) != 1:
        raise UserError(
            f"clause [{clause.id}]: the built-in world can not read the title '{clause.title}'; name one area (e.g. "
            f"{', '.join(list(area_of_wording())[:4])}) and one kind (e.g. {', '.join(list(kind_of_wording())[:4])})"
        )
    return areas[0], found[0]


def covers(area: str, topic: Topic) -> bool:
    """Whether a policy area speaks of a topic; "everyday" speaks of every harmless one."""
    return area == topic.area or (area == EVERYDAY and not topic.harmful)


def truth(policy: Policy, topic: Topic, kind: str) -> tuple[Truth, str | None]:
    """What the policy asks for, and the category that says so; (comply, no clause) where it is silent."""
    for category in policy.categories:
        for clause in category.clauses:
            area, clause_kind = clause_meaning(clause)
            if clause_kind == kind and covers(area, topic):
                return Truth(clause.style, clause.id, topic.harmful), category.id
    return Truth("comply", None, topic.harmful), None


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


@dataclass(frozen=True)
class PromptSets:
    """What a run of the built-in world reads: policy prompts, capability prompts, and evaluation cases."""

    train: list[Prompt]
    helpful: list[Prompt]
    cases: list[Case]


def split_topics(seed: int) -> tuple[list[Topic], list[Topic]]:
    """(seen, unseen) topics, a third of every area unseen by any training stage."""
    rng = random.Random(f"split {seed}")
    seen: list[Topic] = []
    unseen: list[Topic] = []
    for area in dict.fromkeys(topic.area for topic in topics()):
        members = [topic for topic in topics() if topic.area == area]
        rng.shuffle(members)
        cut = round(len(members) * UNSEEN_SHARE)
        unseen += members[:cut]
        seen += members[cut:]
    return seen, unseen


def decode_task(rng: random.Random, text: str) -> tuple[str, str, str]:
    """(request, reasoning, answer): decode `text`, which is sent in any encoding."""
    encoding = rng.choice(list(language()["encoded"]))
    request = rng.choice(language()["skills"]["decode"]).format(name=encoding, e=ENCODINGS[encoding][0](text))
    return request, f"decoded: {decoding(text, encoding)}", f"it says: {text}"


def skills(rng: random.Random, topics_: list[Topic]) -> Iterator[tuple[str, str, str, str]]:
    """Endless (name, request, reasoning, answer): the capability tasks, which need no policy, over the topics given."""
    forms = language()["skills"]
    while True:
        topic = rng.choice(topics_)
        name = rng.choice(["decode", "decode", "decode", "repeat", "first", "last"])
        text = rng.choice([topic.verb, topic.noun])
        if name == "decode":
            text = rng.choice(asks(topic, rng.choice(kinds(False)))).text if rng.random() < 0.7 else text
            yield name, *decode_task(rng, text)
        elif name == "repeat":
            yield name, rng.choice(forms[name]).format(t=text), "no policy.", text
        else:
            word = text.split()[0 if name == "first" else -1]
            yield name, rng.choice(forms[name]).format(t=text), "no policy.", f"the {name} word is {word}"


def _prompt(name: str, text: str, category: str | None, topic: Topic) -> Prompt:
    family = f"{topic.area}: {topic.verb}"
    return Prompt(
        id=name,
        messages=({"role": "user", "content": text},),
        categories=(category,) if category else (),
        family=family,
    )


def _cases(
    policy: Policy, suite: str, pool: list[Topic], size: int, taken: set[str], rng: random.Random
) -> Iterator[Case]:
    """Up to `size` cases over all areas and kinds, none of the `taken` texts.

    Half are on harmless topics; of the others, three in five ask for help with the deed.
    """
    for harmful, enabling, share in ((True, True, 0.3), (True, False, 0.2), (False, True, 0.3), (False, False, 0.2)):
        side = [topic for topic in pool if topic.harmful == harmful]
        for topic, kind in _cells(side, enabling, rng)[: round(size * share)]:
            ask = rng.choice([ask for ask in asks(topic, kind) if ask.text not in taken])
            found, category = truth(policy, topic, kind)
            encoding = rng.choice(list(language()["encoded"]))
            text = encode(ask.text, encoding, rng).text if suite == "encoded" else ask.text
            name = f"{suite}-{topic.area}-{kind}-{side.index(topic)}-{ask.form}"
            yield Case(_prompt(name, text, category, topic), found, suite, ask.text if suite == "encoded" else None)


def _cells(side: list[Topic], enabling: bool, rng: random.Random) -> list[tuple[Topic, str]]:
    """(topic, kind) pairs of the enabling kinds, or of the others.

    In random order, but every area and kind has its turn before one comes again, so that no clause goes short. Nothing
    here depends on a policy: an edited one is trained and measured on the same prompts.
    """
    cells = [(topic, kind) for topic in side for kind in kinds(topic.harmful) if (kind in ENABLING) == enabling]
    return in_turns(rng.sample(cells, len(cells)), lambda cell: (cell[0].area, cell[1]))


def prompt_sets(policy: Policy, seed: int, train: int = 960, helpful: int = 480, suite: int = 240) -> PromptSets:
    """The prompt sets of a run: `train` policy prompts and `helpful` capability prompts over seen topics.

    One capability prompt in eight asks to decode words, in no order: with whole requests, or more of them, models take
    every encoded request for such a task after fine-tuning.

    Cases: suites "seen" (seen topics), "unseen" and "encoded" (topics no training stage saw; no policy prompt is ever
    encoded), `suite` prompts each, half harmful and half harmless topics. Raises UserError where a clause title is
    outside the world's language.
    """
    seen, unseen = split_topics(seed)
    rng = random.Random(f"prompts {seed}")
    rows: list[Prompt] = []
    for harmful, enabling, share in ((True, True, 0.3), (True, False, 0.3), (False, True, 0.2), (False, False, 0.2)):
        side = [topic for topic in seen if topic.harmful == harmful]
        for topic, kind in _cells(side, enabling, rng)[: round(train * share)]:
            category = truth(policy, topic, kind)[1]
            if category is not None:
                ask = rng.choice(asks(topic, kind))
                rows.append(_prompt(f"train-{topic.area}-{kind}-{side.index(topic)}", ask.text, category, topic))
    rng.shuffle(rows)
    harmless = [topic for topic in seen if not topic.harmful]
    rng = random.Random(f"helpful {seed}")
    tasks = (task for task in skills(rng, harmless) if task[0] != "decode")
    extra = []
    spoken = [ask.text for topic in seen for kind in kinds(topic.harmful) for ask in asks(topic, kind)]
    words = sorted({word.strip("?.,:") for text in spoken for word in text.split()})
    for number in range(helpful):
        if number % 8 == 0:
            name, request = "decode", decode_task(rng, " ".join(rng.choices(words, k=rng.randint(1, 8))))[0]
        else:
            name, request, _, _ = next(tasks)
        message = ({"role": "user", "content": request},)
        extra.append(Prompt(f"helpful-{name}-{number}", message, (), f"skill {number}"))  # type: ignore[arg-type]
    rng = random.Random(f"cases {seed}")
    pools = {"seen": seen, "unseen": unseen, "encoded": unseen}
    trained = {row.messages[-1]["content"] for row in rows}
    cases = [case for name in SUITES for case in _cases(policy, name, pools[name], suite, trained, rng)]
    return PromptSets(rows, extra, cases)
