"""Pre-training rows: conversations whose assistant turns teach one skill each, in the exact words the stages will use.

The mix makes the base helpful-only (without a policy it complies with everything, but for a residue of rule-talk),
spec-agnostic (every row that shows a policy shows a new one) and able to judge. Rows hold several turns over one
policy, so that most of the loss is look-ups.
"""

import random
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from deliberant.micro.policies import HARDEST, Level, Shown, random_policy, show
from deliberant.micro.replies import (
    SAME,
    Reply,
    any_ask,
    compare_topics,
    draw_judged,
    free_reply,
    judge_reply,
    name_clause,
    near_miss,
    opening,
    policy_reply,
    send,
    summary_reply,
)
from deliberant.micro.tasks import Task, decode_task, encoded_task, skills, word_task
from deliberant.micro.tokenizer import CLAUSE_IDS, asked_words
from deliberant.micro.world import (
    Ask,
    area_of_wording,
    clause_meaning,
    compliant_answer,
    kind_of_wording,
    language,
    styled_answer,
    topics,
)
from deliberant.policy import summary_view
from deliberant.prompts.types import STYLES, Message, Style
from deliberant.templates.loader import Templates

ENCODED_SHARE = 0.45
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def user(text: str) -> Message:
    return {"role": "user", "content": text}


def assistant(text: str) -> Message:
    return {"role": "assistant", "content": text}


def system(text: str) -> Message:
    return {"role": "system", "content": text}


def free_row(rng: random.Random) -> list[Message]:
    row: list[Message] = []
    for _ in range(rng.randint(2, 8)):
        ask = any_ask(rng)
        asked = send(ask, rng, rng.random() < ENCODED_SHARE)
        row += [user(asked.text), assistant(free_reply(ask, asked.decoding, rng).text)]
    return row


def converse(tasks: Iterable[Task]) -> list[Message]:
    """A conversation in which the assistant does one task after the other."""
    row: list[Message] = []
    for task in tasks:
        row += [user(task.request), assistant(f"<think>{task.reasoning}</think>{task.answer}")]
    return row


def skill_row(rng: random.Random) -> list[Message]:
    return converse(islice(skills(rng, list(topics())), rng.randint(2, 8)))


def copy_row(rng: random.Random) -> list[Message]:
    """Repeat a sequence of clause ids of any length: warms the circuit that every look-up needs."""
    tasks = []
    for _ in range(rng.randint(1, 4)):
        text = " ".join(["clause", *(f"[{name}]" for name in rng.choices(CLAUSE_IDS[:64], k=rng.randint(3, 30)))])
        tasks.append(Task("repeat", f"repeat after me: {text}", text))
    return converse(tasks)


def coded_row(rng: random.Random) -> list[Message]:
    """Decode words drawn at random: real requests hold a rare word too seldom, and its neighbours give it away. To tell
    what they ask for is another thing than decoding them: half of the messages hold a task."""
    tasks = []
    for _ in range(rng.randint(2, 4)):
        words = rng.choices(asked_words(), k=rng.randint(1, 14))
        task = decode_task(rng, " ".join(words))
        tasks.append(task if rng.random() < 0.5 else encoded_task(rng, word_task(rng, " ".join(words[:8]))))
    return converse(tasks)


def compare_row(rng: random.Random) -> list[Message]:
    """Ids and styles set side by side, as a judge does: same or other. As copying to look-ups, so this to judging."""
    row: list[Message] = []
    for _ in range(rng.randint(2, 3)):
        asked, told = [], []
        for _ in range(rng.randint(3, 6)):
            wanted, style = rng.choice(CLAUSE_IDS), rng.choice(STYLES)
            cited = wanted if rng.random() < 0.5 else rng.choice(CLAUSE_IDS)
            shown = style if rng.random() < 0.5 else rng.choice(STYLES)
            verb = language()["styles"][shown]["verb"]
            asked.append(f"clause [{wanted}] {style} cites [{cited}] {verb}")
            told.append(
                f"clause: [{wanted}] {style}. cites [{cited}]: {SAME[cited == wanted]}. {verb}: {SAME[shown == style]}."
            )
        row += [user(f"look up: {', '.join(asked)}"), assistant(f"<think>no use.</think>{' '.join(told)}")]
    return row


def match_row(rng: random.Random) -> list[Message]:
    """A request and an answer: is it about that request? In the words of the judge, with nothing else to look at."""
    row: list[Message] = []
    for _ in range(rng.randint(3, 8)):
        ask = any_ask(rng)
        answered = ask if rng.random() < 0.5 else rng.choice([any_ask(rng), near_miss(ask, rng), near_miss(ask, rng)])
        answer = compliant_answer(answered)
        verb = "complies: same" if answer == compliant_answer(ask) else "strays: other"
        said = f"{compare_topics(ask, answered)} {verb}."
        row += [user(f"request: {ask.text} answer: {answer}"), assistant(f"<think>{opening(ask)}</think>{said}")]
    return row


def words_row(rng: random.Random) -> list[Message]:
    """What the words of policies mean: a wording back to its area or kind."""
    meanings = list((area_of_wording() | kind_of_wording()).items())
    row: list[Message] = []
    for _ in range(rng.randint(2, 4)):
        picked = rng.sample(meanings, rng.randint(2, 10))
        asked, told = ", ".join(word for word, _ in picked), ", ".join(f"{word}: {what}" for word, what in picked)
        row += [user(f"look up: {asked}"), assistant(f"<think>no policy.</think>{told}")]
    return row


def lookup_row(rng: random.Random, level: Level) -> list[Message]:
    """Several clauses of one policy at once: nothing but look-ups in the loss."""
    shown = show(rng, categories=rng.randint(1, 3), level=level)
    row = [system(shown.view)]
    for _ in range(rng.randint(2, 4)):
        picked = rng.sample(shown.clauses, min(len(shown.clauses), rng.randint(2, 6)))
        asked = ", ".join(" ".join(clause_meaning(clause)) for clause in picked)
        told = [
            f"asks for {' '.join(clause_meaning(clause))}. policy: {name_clause(clause)} [{clause.id}] {clause.style}."
            for clause in picked
        ]
        row += [user(f"look up: {asked}"), assistant(f"<think>no use.</think>{' '.join(told)}")]
    return row


def policy_row(templates: Templates, rng: random.Random, level: Level) -> list[Message]:
    shown = show(rng, level=level)
    row = [templates.render("generate.txt", {"spec_view": shown.view})[0]]
    for ask, clause in shown.draw(rng, rng.randint(1, 6)):
        asked = send(ask, rng, rng.random() < ENCODED_SHARE)
        row += [user(asked.text), assistant(policy_reply(ask, clause, asked.decoding, rng).text)]
    return row


def summary_row(rng: random.Random) -> list[Message]:
    policy = random_policy(rng, honest_summaries=True)
    shown = Shown(policy, summary_view(policy), tuple(c for category in policy.categories for c in category.clauses))
    row = [system(shown.view)]
    for ask, clause in shown.draw(rng, rng.randint(1, 8)):
        asked = send(ask, rng, rng.random() < ENCODED_SHARE)
        row += [user(asked.text), assistant(summary_reply(ask, clause, asked.decoding).text)]
    return row


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
        reply, answered = draw_judged(ask, shown, clause, rng, right=rng.random() < 0.5)
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
        if rng.random() < 0.6:
            request, answer = ask.text, compliant_answer(ask)
        else:
            task = next(tasks)
            request, answer = task.request, task.answer
        outcome = rng.choice(["answers", "answers", "declines", "strays"])
        if outcome == "declines":
            answer = styled_answer(rng.choice(["refuse", "safe_complete"]), ask)
        elif outcome == "strays":
            other = compliant_answer(any_ask(rng)) if rng.random() < 0.6 else next(tasks).answer
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
