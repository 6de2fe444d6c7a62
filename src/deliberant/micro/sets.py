"""The prompt sets of a run on the built-in world: policy prompts, capability prompts, evaluation cases.

A third of the topics is kept from every training stage, and no policy prompt is ever encoded.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from deliberant.micro.tasks import decode_task, encoded_task, word_task
from deliberant.micro.world import Topic, asks, encode, kinds, language, topics, truth
from deliberant.policy import Policy
from deliberant.prompts.types import Case, Prompt
from deliberant.util.turns import in_turns

UNSEEN_SHARE = 1 / 3
SUITES = ("seen", "unseen", "encoded")
ENABLING = ("instructions", "plans")
"""Kinds of request that ask for help with the deed itself; the others speak of it."""


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

    One capability prompt in eight asks to decode words, in no order, and one in eight asks in an encoding for something
    else to be done with such words: with decoding alone, or whole requests in it, models take every encoded request
    for a decoding task after fine-tuning.

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
    spoken = [ask.text for topic in seen for kind in kinds(topic.harmful) for ask in asks(topic, kind)]
    words = sorted({word.strip("?.,:") for text in spoken for word in text.split()})
    extra = []
    for number in range(helpful):
        topic = rng.choice(harmless)
        task = word_task(rng, rng.choice([topic.verb, topic.noun]))
        mixed = " ".join(rng.choices(words, k=rng.randint(1, 8)))
        if number % 8 == 0:
            task = decode_task(rng, mixed)
        elif number % 8 == 4:
            task = encoded_task(rng, word_task(rng, mixed))
        message = ({"role": "user", "content": task.request},)
        extra.append(Prompt(f"helpful-{task.name}-{number}", message, (), f"skill {number}"))  # type: ignore[arg-type]
    rng = random.Random(f"cases {seed}")
    pools = {"seen": seen, "unseen": unseen, "encoded": unseen}
    trained = {row.messages[-1]["content"] for row in rows}
    cases = [case for name in SUITES for case in _cases(policy, name, pools[name], suite, trained, rng)]
    return PromptSets(rows, extra, cases)
