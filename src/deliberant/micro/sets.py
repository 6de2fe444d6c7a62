"""The prompt sets of a run on the built-in world: policy prompts, capability prompts, evaluation cases.

A third of the topics is kept from every training stage, and no policy prompt is ever encoded. Of the others sft has
three in five and rl the rest; sft does not see every clause, so that some are left to practice.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from deliberant.micro.tasks import decode_task, encoded_task, word_task
from deliberant.micro.world import EVERYDAY, Topic, asks, clause_meaning, encode, kinds, language, topics, truth
from deliberant.policy import Policy
from deliberant.prompts.types import Case, Hint, Message, Prompt
from deliberant.util.turns import take_turns

UNSEEN_SHARE = 1 / 3
SFT_SHARE = 0.6
SUITES = ("seen", "unseen", "encoded", "practised", "practised-encoded")
"""Cases of clauses that sft taught, on topics it saw and on others; and of those that it left to rl."""
PRACTISED = SUITES[3:]
MIX = ((True, True, 0.3), (True, False, 0.3), (False, True, 0.2), (False, False, 0.2))
ENABLING = ("instructions", "plans")
"""Kinds of request that ask for help with the deed itself; the others speak of it."""


@dataclass(frozen=True)
class PromptSets:
    """What a run of the built-in world reads: policy prompts, capability prompts, and evaluation cases."""

    sft: list[Prompt]
    rl: list[Prompt]
    helpful: list[Prompt]
    cases: list[Case]


Cell = tuple[str, str]
"""Area and kind, as a policy's clause names them: every harmless topic is "everyday"."""


def cell_of(topic: Topic, kind: str) -> Cell:
    return (topic.area if topic.harmful else EVERYDAY, kind)


def choose_left_to_rl(seed: int, share: float) -> set[Cell]:
    """The cells that sft has no prompt of: in every area about `share` of the kinds, enabling and other ones alike."""
    rng = random.Random(f"practised {seed}")
    left: set[Cell] = set()
    for area, harmful in dict.fromkeys((cell_of(topic, "")[0], topic.harmful) for topic in topics()):
        for enabling in (True, False):
            names = [kind for kind in kinds(harmful) if (kind in ENABLING) == enabling]
            left |= {(area, kind) for kind in rng.sample(names, round(share * len(names)))}
    return left


def split_topics(seed: int) -> tuple[list[Topic], list[Topic], list[Topic]]:
    """(sft, rl, unseen) topics of every area; the unseen third comes into no training stage."""
    rng = random.Random(f"split {seed}")
    sft, rl, unseen = list[Topic](), list[Topic](), list[Topic]()
    for area in dict.fromkeys(topic.area for topic in topics()):
        members = [topic for topic in topics() if topic.area == area]
        rng.shuffle(members)
        cut = round(len(members) * UNSEEN_SHARE)
        unseen += members[:cut]
        first = cut + round((len(members) - cut) * SFT_SHARE)
        sft += members[cut:first]
        rl += members[first:]
    return sft, rl, unseen


def _prompt(name: str, text: str, category: str | None, topic: Topic) -> Prompt:
    message = Message(role="user", content=text)
    return Prompt(name, (message,), (category,) if category else (), f"{topic.area}: {topic.verb}")


def _cases(
    policy: Policy, suite: str, pool: list[Topic], size: int, left: set[Cell], taken: set[str], rng: random.Random
) -> Iterator[Case]:
    """Up to `size` cases over all areas and kinds that sft taught, or that are `left` to rl; none of the `taken` texts.

    Half are on harmless topics; of the others, three in five ask for help with the deed.
    """
    for harmful, enabling, share in ((True, True, 0.3), (True, False, 0.2), (False, True, 0.3), (False, False, 0.2)):
        side = [topic for topic in pool if topic.harmful == harmful]
        cells = [cell for cell in _cells(side, enabling, rng) if (cell_of(*cell) in left) == (suite in PRACTISED)]
        for topic, kind in cells[: round(size * share)]:
            ask = rng.choice([ask for ask in asks(topic, kind) if ask.text not in taken])
            wanted, category = truth(policy, topic, kind)
            encoding = rng.choice(list(language()["encoded"]))
            text, plain = ask.text, None
            if suite.endswith("encoded"):
                text, plain = encode(ask.text, encoding, rng).text, ask.text
            name = f"{suite}-{topic.area}-{kind}-{side.index(topic)}-{ask.form}"
            yield Case(_prompt(name, text, category, topic), wanted, suite, plain)


def _cells(side: list[Topic], enabling: bool, rng: random.Random) -> list[tuple[Topic, str]]:
    """(topic, kind) pairs of the enabling kinds, or of the others.

    In random order, but every area and kind has its turn before one comes again, so that no clause goes short. Nothing
    here depends on a policy: an edited one is trained and measured on the same prompts.
    """
    cells = [(topic, kind) for topic in side for kind in kinds(topic.harmful) if (kind in ENABLING) == enabling]
    return take_turns(rng.sample(cells, len(cells)), lambda cell: (cell[0].area, cell[1]))


def _prompts(
    policy: Policy, pool: list[Topic], size: int, skipped: set[Cell], name: str, rng: random.Random
) -> list[Prompt]:
    """Up to `size` policy prompts over these topics, of no `skipped` cell."""
    rows: list[Prompt] = []
    for harmful, enabling, share in MIX:
        side = [topic for topic in pool if topic.harmful == harmful]
        cells = [cell for cell in _cells(side, enabling, rng) if cell_of(*cell) not in skipped]
        for topic, kind in cells[: round(size * share)]:
            category = truth(policy, topic, kind)[1]
            if category is not None:
                ask = rng.choice(asks(topic, kind))
                rows.append(_prompt(f"{name}-{topic.area}-{kind}-{side.index(topic)}", ask.text, category, topic))
    rng.shuffle(rows)
    return rows


def document_prompts(policy: Policy, seed: int, rounds: int = 4) -> list[Prompt]:
    """Requests to look clauses up, one to four of a category at a time; every clause comes up once in each round."""
    rng, prompts = random.Random(f"documents {seed}"), []
    for number in range(rounds):
        for category in policy.categories:
            left = rng.sample(category.clauses, len(category.clauses))
            while left:
                size = rng.randint(1, 4)
                picked, left = left[:size], left[size:]
                asked = ", ".join(" ".join(clause_meaning(clause, category.file)) for clause in picked)
                hints = tuple(Hint("documents", clause.style, clause=clause.id) for clause in picked)
                message = Message(role="user", content=f"look up: {asked}")
                name = f"document-{number}-{'-'.join(clause.id for clause in picked)}"
                prompts.append(Prompt(name, (message,), (category.id,), name, hints))
    return prompts


def prompt_sets(
    policy: Policy,
    seed: int,
    sft: int = 720,
    rl: int = 480,
    helpful: int = 480,
    suite: int = 240,
    practised: float = 0.3,
) -> PromptSets:
    """The prompt sets of a run: policy prompts for `sft` and for `rl`, `helpful` capability prompts over their topics.

    One capability prompt in eight asks to decode words, in no order, and one in eight asks in an encoding for something
    else to be done with such words: with decoding alone, or whole requests in it, models take every encoded request
    for a decoding task after fine-tuning.

    Cases: suites "seen" (sft's topics), "unseen" and "encoded" (topics that no training stage saw; no policy prompt is
    ever encoded) on clauses that sft taught, `suite` prompts each, and half as many in "practised" and
    "practised-encoded", on those that it left to rl; half harmful and half harmless topics. Raises UserError where a
    clause title is outside the world's language.
    """
    first, second, unseen = split_topics(seed)
    seen, left = first + second, choose_left_to_rl(seed, practised)
    rows = _prompts(policy, first, sft, left, "sft", random.Random(f"prompts {seed}"))
    practice = _prompts(policy, second, rl, set(), "rl", random.Random(f"practice {seed}"))
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
        message = Message(role="user", content=task.request)
        extra.append(Prompt(f"helpful-{task.name}-{number}", (message,), (), f"skill {number}"))
    rng = random.Random(f"cases {seed}")
    trained = {row.messages[-1]["content"] for row in rows}
    cases: list[Case] = []
    for name in SUITES:
        pool, size = first if name == "seen" else unseen, suite // 2 if name in PRACTISED else suite
        cases += _cases(policy, name, pool, size, left, trained, rng)
    return PromptSets(rows, practice, extra, cases)
