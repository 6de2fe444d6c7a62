"""Capability tasks of the built-in world: decode, repeat, name a word; no policy speaks of them.

They are taught in pre-training and mixed into fine-tuning, so that what a model could do stays.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from deliberant.micro.world import Topic, asks, asks_for, decoding, encode, kinds, language
from deliberant.prompts.encodings import ENCODINGS

ASKED = {"repeat": "repeat", "first": "first word", "last": "last word"}
"""What the base says a task asks for, where it names area and kind of other requests."""


@dataclass(frozen=True)
class Task:
    """A capability task, and how the base does it: what only had to be decoded is answered at once."""

    name: str
    request: str
    answer: str
    decoding: str = ""

    @property
    def reasoning(self) -> str:
        if self.name == "decode":
            return f"decoded: {self.decoding}"
        return f"{asks_for(ASKED[self.name], self.decoding)} no policy."


def decode_task(rng: random.Random, text: str) -> Task:
    """Decode `text`, which is sent in any encoding."""
    encoding = rng.choice(list(language()["encoded"]))
    request = rng.choice(language()["skills"]["decode"]).format(name=encoding, e=ENCODINGS[encoding][0](text))
    return Task("decode", request, f"it says: {text}", decoding(text, encoding))


def word_task(rng: random.Random, text: str) -> Task:
    """Repeat `text`, or name its first or its last word."""
    name = rng.choice(["repeat", "first", "last"])
    request = rng.choice(language()["skills"][name]).format(t=text)
    word = text.split()[0 if name == "first" else -1]
    return Task(name, request, text if name == "repeat" else f"the {name} word is {word}")


def encoded_task(rng: random.Random, task: Task) -> Task:
    """The same task in an encoded message, as an encoded request is sent."""
    sent = encode(task.request, rng.choice(list(language()["encoded"])), rng)
    return replace(task, request=sent.text, decoding=sent.decoding)


def skills(rng: random.Random, topics_: list[Topic]) -> Iterator[Task]:
    """Endless capability tasks over the topics given, half of them to decode something."""
    while True:
        topic = rng.choice(topics_)
        text = rng.choice([topic.verb, topic.noun])
        if rng.random() < 0.5:
            text = rng.choice(asks(topic, rng.choice(kinds(False)))).text if rng.random() < 0.7 else text
            yield decode_task(rng, text)
        else:
            yield word_task(rng, text)
