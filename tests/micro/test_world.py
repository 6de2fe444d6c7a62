import random
from collections import Counter
from dataclasses import replace

import pytest

from deliberant.micro import POLICY_DIR
from deliberant.micro.world import (
    area_of_wording,
    asks,
    clause_meaning,
    encode,
    kind_of_wording,
    kinds,
    language,
    read_style,
    styled_answer,
    topics,
    truth,
)
from deliberant.policy import Policy, load_policy
from deliberant.prompts.encodings import ENCODINGS
from deliberant.prompts.types import STYLES
from deliberant.util.errors import UserError

PAPER_AREAS = {"erotic", "extremism", "harassment", "self-harm", "violence", "advice"}


@pytest.fixture(scope="module")
def policy() -> Policy:
    return load_policy(POLICY_DIR)


def test_world_has_the_papers_areas_and_look_alikes_on_both_sides() -> None:
    harmful = {topic.area for topic in topics() if topic.harmful}
    harmless = {topic.area for topic in topics() if not topic.harmful}
    assert len(harmful) >= 8 and len(harmless) >= 6 and harmful >= PAPER_AREAS
    for word in ("kill", "shoot", "steal", "bomb", "poison", "lock"):
        sides = {topic.harmful for topic in topics() if word in f"{topic.verb} {topic.noun}".split()}
        assert sides == {True, False}, word


def test_no_word_names_two_areas_or_two_kinds() -> None:
    words = [word for spec in language()["kinds"].values() for word in spec["wordings"]]
    areas = [word for names in language()["areas"].values() for word in names]
    assert not [word for word, n in Counter(words + areas).items() if n > 1]


def test_every_request_is_one_of_a_kind() -> None:
    texts = Counter(ask.text for topic in topics() for kind in kinds(topic.harmful) for ask in asks(topic, kind))
    assert not [text for text, n in texts.items() if n > 1]


@pytest.mark.parametrize("style", STYLES)
def test_every_answer_reads_as_its_style(style: str) -> None:
    for topic in topics():
        for kind in kinds(topic.harmful):
            for ask in asks(topic, kind):
                assert read_style(styled_answer(style, ask)) == style  # type: ignore[arg-type]


def test_other_text_has_no_style() -> None:
    assert read_style("") is None
    assert read_style("the moon is far away.") is None


def test_built_in_policy_covers_every_request(policy: Policy) -> None:
    for topic in topics():
        for kind in kinds(topic.harmful):
            found, category = truth(policy, topic, kind)
            assert found.clause is not None and category is not None
            assert found.style == "comply" or topic.harmful
            assert clause_meaning(policy.clause(found.clause))[1] == kind


def test_truth_follows_an_edited_clause(policy: Policy) -> None:
    theft = policy.category("theft")
    edited = replace(theft, clauses=(replace(theft.clauses[0], style="comply"), *theft.clauses[1:]))
    changed = replace(policy, categories=tuple(edited if c.id == "theft" else c for c in policy.categories))
    robbery = next(topic for topic in topics() if topic.verb == "rob a bank")
    assert truth(policy, robbery, "instructions")[0].style == "refuse"
    assert truth(changed, robbery, "instructions")[0].style == "comply"


def test_clause_title_outside_the_language_is_the_users_mistake(policy: Policy) -> None:
    odd = replace(policy.categories[0].clauses[0], title="quantum gardening")
    with pytest.raises(UserError, match="cannot read the title 'quantum gardening'"):
        clause_meaning(odd)
    with pytest.raises(UserError, match=rf"^categories/advice\.md:9: clause \[{odd.id}\]"):
        clause_meaning(replace(odd, line=9), policy.categories[0].file)


def test_policy_words_name_areas_and_kinds() -> None:
    assert area_of_wording()["narcotics"] == "drugs"
    assert kind_of_wording()["guides"] == "instructions"


@pytest.mark.parametrize("name", list(language()["encoded"]))
def test_every_request_survives_every_encoding(name: str) -> None:
    there, back = ENCODINGS[name]
    for topic in topics():
        for ask in asks(topic, "instructions") + asks(topic, "stories"):
            assert back(there(ask.text)) == ask.text
    sent = encode(ask.text, name, random.Random(0))
    assert ask.text not in sent.text
    assert " ".join(sent.decoding.split()[1::2]) == ask.text, "the decoding names every plain word in order"
