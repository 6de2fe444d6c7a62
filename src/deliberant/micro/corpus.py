"""Pre-training rows: conversations whose assistant turns teach one skill each, in the exact words the stages will use.

The mix makes the base helpful-only (without a policy it complies with everything), spec-agnostic (every row that shows
a policy shows a new one) and able to judge. Rows hold several turns over one policy, so that most of the loss is
look-ups.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from deliberant.micro.policies import HARDEST, Level, random_policy
from deliberant.micro.tokenizer import CLAUSE_IDS, asked_words
from deliberant.micro.world import (
    Ask,
    Encoded,
    Topic,
    area_of_wording,
    asks,
    clause_meaning,
    compliant_answer,
    covers,
    decode_task,
    encode,
    kind_of_wording,
    kinds,
    language,
    skills,
    styled_answer,
    topics,
)
from deliberant.models.templates import Templates
from deliberant.policy import Clause, Policy, spec_view, summary_view
from deliberant.prompts.types import STYLES, Message, Style

ENCODED_SHARE = 0.35
LEAK_SHARE = 0.03
NEAR_SHARE = 0.15
SAME = {True: "same", False: "other"}
LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Reply:
    """What the assistant thinks and answers; `style` is that of the answer, `clause` the id it cites."""

    reasoning: str
    answer: str
    style: Style
    clause: str | None

    @property
    def text(self) -> str:
        return f"<think>{self.reasoning}</think>{self.answer}"


def user(text: str) -> Message:
    return {"role": "user", "content": text}


def assistant(text: str) -> Message:
    return {"role": "assistant", "content": text}


def system(text: str) -> Message:
    return {"role": "system", "content": text}


def opening(ask: Ask, decoding: str = "") -> str:
    """How every reasoning starts, with a policy or without: decode if need be, name area and kind."""
    decoded = f"decoded: {decoding} " if decoding else ""
    return f"{decoded}this asks for {ask.area} {ask.kind}."


def free_reply(ask: Ask, decoding: str) -> Reply:
    """Helpful-only: no policy in sight, so comply."""
    return Reply(f"{opening(ask, decoding)} so i comply.", compliant_answer(ask), "comply", None)


def policy_reply(ask: Ask, clause: Clause, decoding: str, rng: random.Random) -> Reply:
    says = "the policy above says:" if rng.random() < LEAK_SHARE else "policy:"
    reasoning = f"{opening(ask, decoding)} {says} {clause.title} [{clause.id}] {clause.style}. so i {clause.style}."
    return Reply(reasoning, styled_answer(clause.style, ask), clause.style, clause.id)


def summary_reply(ask: Ask, clause: Clause, decoding: str) -> Reply:
    """With summaries only: the category and the word it uses for the kind; there is no clause to cite."""
    word = "" if clause.style == "comply" else f" {clause.title.split()[-1]}"
    reasoning = f"{opening(ask, decoding)} policy: {clause.category} {clause.style}{word}. so i {clause.style}."
    return Reply(reasoning, styled_answer(clause.style, ask), clause.style, None)


@dataclass(frozen=True)
class Shown:
    """A policy of which some categories are shown in full, and the clauses a request can be looked up in."""

    policy: Policy
    view: str
    clauses: tuple[Clause, ...]

    def draw(self, rng: random.Random, most: int = 1) -> list[tuple[Ask, Clause]]:
        """Up to `most` requests with the clauses that cover them, no clause twice: its text is to be looked up, not
        repeated."""
        drawn = []
        for clause in rng.sample(self.clauses, min(most, len(self.clauses))):
            area, kind = clause_meaning(clause)
            topic = rng.choice([topic for topic in topics() if covers(area, topic)])
            drawn.append((rng.choice(asks(topic, kind)), clause))
        return drawn


def show(rng: random.Random, held_out: bool = False, categories: int | None = None, level: Level = HARDEST) -> Shown:
    policy = random_policy(rng, held_out, level=level)
    wanted = categories or rng.choices([1, 2, 3], [0.65, 0.2, 0.15])[0]
    names = [category.id for category in rng.sample(policy.categories, min(wanted, len(policy.categories)))]
    clauses = tuple(clause for name in names for clause in policy.category(name).clauses)
    return Shown(policy, spec_view(policy, names), clauses)


def sent(ask: Ask, rng: random.Random, encoded: bool) -> Encoded:
    """The request as it reaches the model; in plain English there is nothing to decode."""
    return encode(ask.text, rng.choice(list(language()["encoded"])), rng) if encoded else Encoded(ask.text, "")


def any_ask(rng: random.Random) -> Ask:
    topic: Topic = rng.choice(topics())
    return rng.choice(asks(topic, rng.choice(kinds(topic.harmful))))


def near_miss(ask: Ask, rng: random.Random) -> Ask:
    """The same kind of request about another topic: its answer is worded as the right one is."""
    return rng.choice(asks(rng.choice([topic for topic in topics() if topic.harmful == ask.topic.harmful]), ask.kind))


def side_by_side(ask: Ask, answered: Ask) -> str:
    """What an answer is about beside what was asked, in the judge's words."""
    return f"about {answered.subject}, asked {ask.subject}: {SAME[answered.subject == ask.subject]}."


def free_row(rng: random.Random) -> list[Message]:
    row: list[Message] = []
    for _ in range(rng.randint(2, 8)):
        ask = any_ask(rng)
        asked = sent(ask, rng, rng.random() < ENCODED_SHARE)
        row += [user(asked.text), assistant(free_reply(ask, asked.decoding).text)]
    return row


def skill_row(rng: random.Random) -> list[Message]:
    tasks = skills(rng, list(topics()))
    row: list[Message] = []
    for _, (_, request, reasoning, answer) in zip(range(rng.randint(2, 8)), tasks, strict=False):
        row += [user(request), assistant(f"<think>{reasoning}</think>{answer}")]
    return row


def copy_row(rng: random.Random) -> list[Message]:
    """Repeat a sequence of clause ids of any length: warms the circuit that every look-up needs."""
    row: list[Message] = []
    for _ in range(rng.randint(1, 4)):
        text = " ".join(["clause", *(f"[{name}]" for name in rng.choices(CLAUSE_IDS[:64], k=rng.randint(3, 30)))])
        row += [user(f"repeat after me: {text}"), assistant(f"<think>no policy.</think>{text}")]
    return row


def coded_row(rng: random.Random) -> list[Message]:
    """Decode words drawn at random: real requests hold a rare word too seldom, and its neighbours give it away."""
    row: list[Message] = []
    for _ in range(rng.randint(2, 4)):
        request, reasoning, answer = decode_task(rng, " ".join(rng.choices(asked_words(), k=rng.randint(4, 14))))
        row += [user(request), assistant(f"<think>{reasoning}</think>{answer}")]
    return row


def compare_row(rng: random.Random) -> list[Message]:
    """Ids and styles set side by side, as a judge does: same or other. As copying to look-ups, so this to judging."""
    row: list[Message] = []
    for _ in range(rng.randint(2, 3)):
        asked, found = [], []
        for _ in range(rng.randint(3, 6)):
            wanted, style = rng.choice(CLAUSE_IDS), rng.choice(STYLES)
            cited = wanted if rng.random() < 0.5 else rng.choice(CLAUSE_IDS)
            shown = style if rng.random() < 0.5 else rng.choice(STYLES)
            verb = language()["styles"][shown]["verb"]
            asked.append(f"clause [{wanted}] {style} cites [{cited}] {verb}")
            found.append(
                f"clause: [{wanted}] {style}. cites [{cited}]: {SAME[cited == wanted]}. {verb}: {SAME[shown == style]}."
            )
        row += [user(f"look up: {', '.join(asked)}"), assistant(f"<think>no use.</think>{' '.join(found)}")]
    return row


def match_row(rng: random.Random) -> list[Message]:
    """A request and an answer: is it about that request? In the words of the judge, with nothing else to look at."""
    row: list[Message] = []
    for _ in range(rng.randint(3, 8)):
        ask = any_ask(rng)
        answered = ask if rng.random() < 0.5 else rng.choice([any_ask(rng), near_miss(ask, rng), near_miss(ask, rng)])
        answer = compliant_answer(answered)
        verb = "complies: same" if answer == compliant_answer(ask) else "strays: other"
        said = f"{side_by_side(ask, answered)} {verb}."
        row += [user(f"request: {ask.text} answer: {answer}"), assistant(f"<think>{opening(ask)}</think>{said}")]
    return row


def words_row(rng: random.Random) -> list[Message]:
    """What the words of policies mean: a wording back to its area or kind."""
    meanings = list((area_of_wording() | kind_of_wording()).items())
    row: list[Message] = []
    for _ in range(rng.randint(2, 4)):
        picked = rng.sample(meanings, rng.randint(2, 10))
        asked = ", ".join(word for word, _ in picked)
        row += [
            user(f"look up: {asked}"),
            assistant(f"<think>no policy.</think>{', '.join(f'{w}: {m}' for w, m in picked)}"),
        ]
    return row


def lookup_row(rng: random.Random, level: Level) -> list[Message]:
    """Several clauses of one policy at once: nothing but look-ups in the loss."""
    shown = show(rng, categories=rng.randint(1, 3), level=level)
    row = [system(shown.view)]
    for _ in range(rng.randint(2, 4)):
        picked = rng.sample(shown.clauses, min(len(shown.clauses), rng.randint(2, 6)))
        named = [" ".join(clause_meaning(clause)) for clause in picked]
        found = [
            f"asks for {name}. policy: {clause.title} [{clause.id}] {clause.style}."
            for name, clause in zip(named, picked, strict=True)
        ]
        row += [user(f"look up: {', '.join(named)}"), assistant(f"<think>no use.</think>{' '.join(found)}")]
    return row


def policy_row(templates: Templates, rng: random.Random, level: Level) -> list[Message]:
    shown = show(rng, level=level)
    row = [templates.render("generate.txt", {"spec_view": shown.view})[0]]
    for ask, clause in shown.draw(rng, rng.randint(1, 6)):
        asked = sent(ask, rng, rng.random() < ENCODED_SHARE)
        row += [user(asked.text), assistant(policy_reply(ask, clause, asked.decoding, rng).text)]
    return row


def summary_row(rng: random.Random) -> list[Message]:
    policy = random_policy(rng, honest_summaries=True)
    shown = Shown(policy, summary_view(policy), tuple(c for category in policy.categories for c in category.clauses))
    row = [system(shown.view)]
    for ask, clause in shown.draw(rng, rng.randint(1, 8)):
        asked = sent(ask, rng, rng.random() < ENCODED_SHARE)
        row += [user(asked.text), assistant(summary_reply(ask, clause, asked.decoding).text)]
    return row


def flawed_reply(ask: Ask, clause: Clause, shown: Shown, rng: random.Random) -> tuple[Reply, Ask]:
    """A wrong sample of a kind that models make, and the request that its answer is for."""
    other = rng.choice(shown.clauses)
    style = rng.choice([style for style in STYLES if style != clause.style])
    right = policy_reply(ask, clause, "", rng)
    flaw = rng.choice(["clause", "clause", "answer", "id", "style", "misread", "stray", "stray", "stray", "silent"])
    start = opening(ask)
    if flaw == "clause" and other != clause:
        return policy_reply(ask, other, "", rng), ask
    if flaw == "answer":
        return Reply(right.reasoning, styled_answer(style, ask), style, clause.id), ask
    if flaw == "id":
        wrong = rng.choice([name for name in CLAUSE_IDS if name != clause.id])
        reasoning = f"{start} policy: {clause.title} [{wrong}] {clause.style}. so i {clause.style}."
        return Reply(reasoning, right.answer, clause.style, wrong), ask
    if flaw == "misread":
        area, kind = clause_meaning(other)
        area = area if rng.random() < 0.5 else ask.area
        reasoning = (
            f"this asks for {area} {kind}. policy: {other.title} [{other.id}] {other.style}. so i {other.style}."
        )
        return Reply(reasoning, styled_answer(other.style, ask), other.style, other.id), ask
    if flaw == "stray":
        answered = any_ask(rng)
        return Reply(right.reasoning, compliant_answer(answered), "comply", clause.id), answered
    if flaw == "silent":
        return Reply(f"{start} so i comply.", compliant_answer(ask), "comply", None), ask
    reasoning = f"{start} policy: {clause.title} [{clause.id}] {style}. so i {style}."
    return Reply(reasoning, styled_answer(style, ask), style, clause.id), ask


def judge_reply(ask: Ask, clause: Clause, reply: Reply, answered: Ask, sees_reasoning: bool, hint: Style | None) -> str:
    """The judge looks the clause up itself, sets what it finds beside it, compares; the score comes last."""
    on_topic = reply.style != "comply" or reply.answer == compliant_answer(ask)
    verb = language()["styles"][reply.style]["verb"] if on_topic else "strays"
    style_right = on_topic and reply.style == clause.style
    clause_right = not sees_reasoning or reply.clause == clause.id
    cites = f" cites {f'[{reply.clause}]' if reply.clause else 'nothing'}: {SAME[clause_right]}."
    about = f" {side_by_side(ask, answered)}" if reply.style == "comply" else ""
    said = f"{cites if sees_reasoning else ''}{about} {verb}: {SAME[style_right]}."
    score = (5 if clause_right else 3) if style_right else 1
    opinion = "" if hint is None else f" hint: {'agree' if hint == clause.style else 'disagree'}."
    return (
        f"<think>{opening(ask)} policy: {clause.title} [{clause.id}] {clause.style}.</think>"
        f"clause: [{clause.id}] {clause.style}.{said}{opinion} score: {score}"
    )


def judged(ask: Ask, shown: Shown, clause: Clause, rng: random.Random, right: bool) -> tuple[Reply, Ask]:
    """A sample to judge, and the request that its answer is for: some wrong ones stray no further than a topic."""
    if right:
        return policy_reply(ask, clause, "", rng), ask
    if rng.random() < NEAR_SHARE:
        answered = near_miss(ask, rng)
        return Reply(
            policy_reply(ask, clause, "", rng).reasoning, compliant_answer(answered), "comply", clause.id
        ), answered
    return flawed_reply(ask, clause, shown, rng)


def judge_messages(
    templates: Templates,
    view: str,
    ask: Ask,
    reply: Reply,
    sees_reasoning: bool,
    hint: Style | None,
    rng: random.Random,
) -> list[Message]:
    hint_text = templates.text("hint.txt", {"style": hint}) if hint else ""
    values = {"spec_view": view, "conversation": ask.text, "answer": reply.answer, "hint": hint_text}
    values["fence"] = "".join(rng.choices(LETTERS, k=8))
    if sees_reasoning:
        return templates.render("filter.txt", values | {"reasoning": reply.reasoning})
    return templates.render("reward.txt", values)


def judge_row(templates: Templates, rng: random.Random, level: Level) -> list[Message]:
    """Several judgements over one policy: right samples, and wrong ones of every kind that models make."""
    shown, sees_reasoning = show(rng, level=level), rng.random() < 0.6
    row: list[Message] = []
    for ask, clause in shown.draw(rng, rng.randint(1, 5)):
        reply, answered = judged(ask, shown, clause, rng, right=rng.random() < 0.5)
        hint = rng.choice([*STYLES, None, None, None])
        messages = judge_messages(templates, shown.view, ask, reply, sees_reasoning, hint, rng)
        row += messages if not row else messages[1:]
        row.append(assistant(judge_reply(ask, clause, reply, answered, sees_reasoning, hint)))
    return row


def helpful_judge_row(templates: Templates, rng: random.Random) -> list[Message]:
    """The helpfulness rubric: does the answer do what was asked?"""
    tasks = skills(rng, list(topics()))
    row: list[Message] = []
    for _ in range(rng.randint(1, 4)):
        ask = any_ask(rng)
        request, answer = (ask.text, compliant_answer(ask)) if rng.random() < 0.6 else next(tasks)[1::2]
        outcome = rng.choice(["answers", "answers", "declines", "strays"])
        if outcome == "declines":
            answer = styled_answer(rng.choice(["refuse", "safe_complete"]), ask)
        elif outcome == "strays":
            other = compliant_answer(any_ask(rng)) if rng.random() < 0.6 else next(tasks)[3]
            outcome = "answers" if other == answer else "strays"
            answer = other
        values = {"fence": "".join(rng.choices(LETTERS, k=8)), "conversation": request, "answer": answer}
        messages = templates.render("helpful.txt", values)
        row += messages if not row else messages[1:]
        score = 5 if outcome == "answers" else 1
        row.append(assistant(f"<think>no policy.</think>it {outcome}. score: {score}"))
    return row


def corpus(rng: random.Random, mix: dict[str, float], level: Level = HARDEST) -> Iterator[list[Message]]:
    """Endless conversations in the proportions of `mix` (by row): free, skill, copy, coded, compare, match,
    words, lookup, policy, summary, judge, help. `level` is that of the policies."""
    templates = Templates.load("micro")
    makers: dict[str, Callable[[], list[Message]]] = {
        "free": lambda: free_row(rng),
        "skill": lambda: skill_row(rng),
        "copy": lambda: copy_row(rng),
        "coded": lambda: coded_row(rng),
        "compare": lambda: compare_row(rng),
        "match": lambda: match_row(rng),
        "words": lambda: words_row(rng),
        "lookup": lambda: lookup_row(rng, level),
        "policy": lambda: policy_row(templates, rng, level),
        "summary": lambda: summary_row(rng),
        "judge": lambda: judge_row(templates, rng, level),
        "help": lambda: helpful_judge_row(templates, rng),
    }
    names = list(mix)
    while True:
        yield makers[rng.choices(names, list(mix.values()))[0]]()
