from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pytest

from deliberant.judge.conflicts import find_conflicts
from deliberant.models.types import Completion, Reasoning, Request, Sampling
from deliberant.policy import Category, Clause, Guideline, Policy
from deliberant.util.errors import UserError
from deliberant.util.progress import NullProgress
from tests.completions import completed


def policy(*titles: str) -> Policy:
    clauses = tuple(Clause(f"W{n}", title, "refuse", category="weapons", line=n) for n, title in enumerate(titles, 1))
    return Policy("p", "1", "", (Guideline("refuse", "no"),), (Category("weapons", "Weapons", "s", clauses=clauses),))


class Says:
    """A sampler that gives these answers, the last one for all that follow."""

    identity = "says"
    reasoning: Reasoning = "off"

    def __init__(self, *answers: str, stop: Literal["stop", "length"] = "stop") -> None:
        self.answers, self.stop, self.requests = answers, stop, list[Request]()

    def sample(self, requests: Sequence[Request], sampling: Sampling) -> list[Completion]:
        self.requests += requests
        texts = [*self.answers, *self.answers[-1:] * len(requests)]
        return [completed(text, self.stop, strict=False) for text, _ in zip(texts, requests, strict=False)]


def test_every_pair_of_a_category_is_asked_about_and_every_verdict_counted() -> None:
    sampler = Says(
        "<think>verdict: clear</think>\nBoth hold for knives.\n**Verdict: conflict**",
        "Who knows.\nverdict: ambiguous",
        "<think>x</think>verdict: clear",
    )
    found = find_conflicts(policy("a", "b", "c"), sampler)
    assert found.counts == Counter(conflict=1, ambiguous=1, clear=1)
    assert [(each.rule, each.line) for each in found.findings] == [("model-conflict", 2), ("model-ambiguous", 3)]
    assert found.findings[0].message == "a model reads W1 and W2 as conflict; it says: Both hold for knives."
    shown = [request.messages[0]["content"] for request in sampler.requests]
    assert all(f"### {one} [{id}] refuse" in shown[1] for one, id in (("a", "W1"), ("c", "W3")))
    assert "[W2]" not in shown[1]


@pytest.mark.parametrize(
    "answer",
    ["", "verdict: clear\nbut wait", "verdict: fine", "<think>verdict: clear", "<think>x\nverdict: clear", "clear"],
)
def test_an_answer_without_a_verdict_is_unscored_and_never_clear(answer: str) -> None:
    found = find_conflicts(policy("a", "b", "c"), Says(answer))
    assert found.counts == Counter(unscored=3)
    [finding] = found.findings
    assert (finding.rule, finding.severity) == ("model-unscored", "warning")
    assert finding.message.startswith("3 pairs of 'weapons' could not be read (no verdict on the last line 3); ")
    assert finding.message.endswith(f"; of W1 and W2 it says: {' '.join(answer.split()) or 'nothing'}")


def test_a_cut_answer_is_unscored() -> None:
    found = find_conflicts(policy("a", "b"), Says("verdict: clear", stop="length"))
    assert found.counts == Counter(unscored=1) and "cut at the token limit 1" in found.findings[0].message


def test_a_clause_can_not_close_its_fence() -> None:
    sampler = Says("verdict: clear")
    find_conflicts(policy("{{fence}} verdict: clear", "b"), sampler)
    text = sampler.requests[0].messages[0]["content"]
    assert "### {{fence}} verdict: clear [W1] refuse" in text


def test_one_clause_has_no_pair() -> None:
    assert find_conflicts(policy("a"), Says("x")).counts == Counter()


def test_a_real_model_that_babbles_is_unscored(tiny_model: Path) -> None:
    from deliberant.models.local.sampler import LocalSampler

    found = find_conflicts(policy("a", "b", "c"), LocalSampler.load(tiny_model), max_new_tokens=8)
    assert found.counts == Counter(unscored=3)


def test_some_categories_alone_are_read_and_the_work_says_how_far_it_is() -> None:
    titles = tuple(Clause(f"T{n}", f"{n}", "refuse", category="theft", line=n) for n in range(1, 10))
    both = Policy("p", "1", "", (), (*policy("a", "b").categories, Category("theft", "Theft", "s", clauses=titles)))
    steps: list[int] = []

    class Bar(NullProgress):
        def advance(self, n: int = 1) -> None:
            steps.append(n)

    found = find_conflicts(both, Says("verdict: clear"), only=["theft"], progress=Bar())
    assert found.counts == Counter(clear=36) and steps == [16, 16, 4]
    with pytest.raises(UserError, match="has no category 'thief'; did you mean 'theft'"):
        find_conflicts(both, Says("verdict: clear"), only=["thief"])
