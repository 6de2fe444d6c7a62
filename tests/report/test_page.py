import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any, Literal

import pytest

from deliberant.evals import ScoredSample, rows
from deliberant.policy import Category, Clause, Guideline, Policy
from deliberant.prompts.types import Message
from deliberant.report import Coverage, Evidence, render
from deliberant.report import reader as reading
from deliberant.report.coverage import ClauseRow, Tally
from deliberant.report.facets import tabulate_facets
from deliberant.report.selection import OUTCOMES, outcome, pick_samples, worked_example
from deliberant.report.templates import link_citations
from tests.evals.scored import POLICY, case, cut, scored

HOSTILE = (
    "<script>alert('x')</script>\"' onmouseover=\"alert(1)\" </style><img src=x onerror=alert(2)> {{ 7 * 7 }} &amp;"
)


def evidence(samples: dict[str, list[ScoredSample]], **changes: Any) -> Evidence:
    made = Evidence(
        name="test-1a2b3c4d",
        policy=POLICY,
        recipe="name: test",
        facts={"seed": "0"},
        notes=[],
        stages=[],
        rows=rows([sample for arm in samples.values() for sample in arm], POLICY, resamples=20),
        samples=samples,
        metrics={},
    )
    return replace(made, **changes)


def both(**about: Any) -> list[ScoredSample]:
    harmless = case("ok", style="comply", clause="F2", harmful=False)
    return [scored("refuse", reasoning="the policy says [F1].", cited=("F1",), **about), scored("comply", of=harmless)]


class Tags(HTMLParser):
    """Every tag with its attributes, and all text outside scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] not in ("script", "style"):
            self.text += data


def hostile_page() -> str:
    policy = Policy(
        HOSTILE,
        HOSTILE,
        HOSTILE,
        (Guideline("refuse", HOSTILE),),
        (
            Category(
                "fire", HOSTILE, HOSTILE, HOSTILE, (Clause("F1", HOSTILE, "refuse", HOSTILE, (HOSTILE,), (HOSTILE,)),)
            ),
        ),
    )
    of = case(HOSTILE, text=HOSTILE, plain=HOSTILE, suite=HOSTILE)
    sample = scored("refuse", reasoning=f"{HOSTILE} [F1] [X9]", answer=HOSTILE, cited=("F1",), of=of)
    stage = {"stage": HOSTILE, "seconds": 1.0, "key": HOSTILE, "counts": {HOSTILE: 1}}
    kept = {"samples": 1, "kept": 1, "samples/" + HOSTILE: 1, "kept/" + HOSTILE: 1, "rejected/" + HOSTILE: 1}
    return render(
        evidence(
            {"base": [replace(sample, arm="base")], "sft": [sample]},
            name=HOSTILE,
            policy=policy,
            recipe=HOSTILE,
            facts={HOSTILE: HOSTILE},
            notes=[HOSTILE],
            stages=[stage, {**stage, "stage": "filter", "counts": kept}],
        )
    )


def test_nothing_a_model_or_a_user_wrote_becomes_markup() -> None:
    page = Tags(hostile_page())
    assert [attributes.get("type") for tag, attributes in page.tags if tag == "script"] == ["application/json", None]
    assert "img" not in [tag for tag, _ in page.tags]
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert page.text.count(HOSTILE) >= 15  # each shown, and shown as it is: not evaluated, not unescaped twice


def test_the_page_needs_nothing_from_elsewhere() -> None:
    html = render(evidence({"base": both(arm="base"), "sft": both()}))
    page = Tags(html)
    links = [attributes.get(name) for _, attributes in page.tags for name in ("href", "src") if name in attributes]
    assert links
    assert all(link and link.startswith("#") for link in links)
    assert not re.search(r"https?://|url\(|@import|fetch\(", html)
    targets = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    assert {str(link)[1:] for link in links} <= targets


def test_the_same_evidence_is_the_same_page() -> None:
    samples = {"base": both(arm="base"), "sft": both()}
    assert render(evidence(samples)) == render(evidence(samples))


@pytest.mark.parametrize(
    "samples",
    [
        {"base": [cut(arm="base")]},
        {"base": [scored(None, arm="base")]},
        {"sft": [scored("comply", suite="odd", style="comply", clause=None, category=None)]},
        {"base+spec": both(arm="base+spec"), "no-cot": both(arm="no-cot")},
    ],
)
def test_a_thin_run_still_has_a_page(samples: dict[str, list[ScoredSample]]) -> None:
    assert "What the metrics mean" in render(evidence(samples))


def test_the_page_says_what_it_leaves_out_and_what_failed() -> None:
    samples = [scored("refuse", name=f"p{i}", cited=("F1",)) for i in range(400)]
    html = render(evidence({"sft": [*samples, cut(name="cut")]}))
    assert "All 401 samples." in html and len(data_of(html)["samples"]) == 401
    assert "the judge read it" not in html
    assert "the judge read it" in render(evidence({"sft": samples}, notes=["the judge read it"]))


def data_of(html: str) -> dict[str, Any]:
    """What the page's script reads."""
    [block] = re.findall(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    return dict(json.loads(block))


def test_the_page_has_room_for_so_many_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = {
        arm: [scored("refuse", arm=arm, name=f"p{i}", cited=("F1",)) for i in range(40)] for arm in ("base", "sft")
    }
    monkeypatch.setattr(reading, "LIMIT", 20)
    html = render(evidence(samples))
    found = data_of(html)
    assert "20 of 80 samples" in html
    assert len(found["samples"]) == 20 and len(found["cases"]) == 10, "the same prompts for each arm, once"
    monkeypatch.setattr(reading, "LETTERS", 1)
    assert len(data_of(render(evidence(samples)))["samples"]) == 0


def test_a_conversation_and_a_decoded_answer_are_for_the_reader() -> None:
    said: list[tuple[Literal["user", "assistant"], str]] = [("user", "one"), ("assistant", "two"), ("user", "three")]
    turns = tuple(Message(role=role, content=text) for role, text in [*said, ("assistant", "four")])
    attacked = replace(case("p@crescendo"), attack="crescendo", language="fr")
    sample = replace(scored("refuse", of=attacked, answer="four"), turns=turns, read="4", harm=0.25, epoch=3)
    [row], [about] = (data_of(render(evidence({"sft": [sample]})))[name] for name in ("samples", "cases"))
    assert [text for _, text in row["turns"]] == ["one", "two", "three"]
    assert (row["answer"], row["decoded"], row["harm"], row["draw"], row["outcome"]) == ("four", "4", 0.25, 3, "partly")
    assert (about["attack"], about["language"], about["clause"]) == ("crescendo", "fr", "F1")


def told_apart(**facets: Any) -> dict[str, Any]:
    counts = dict.fromkeys(("unscored", "truncated", "empty", "blocked"), 0)
    row = {"arm": "sft", "suite": "unseen", "metric": "not_unsafe", "value": 0.5, "low": 0.25, "high": 0.75, "n": 12}
    return {**row, **counts, **facets}


def test_sections_are_there_where_their_data_is() -> None:
    made = evidence({"base": both(arm="base"), "sft": both()})
    ids = set(re.findall(r'<section id="([a-z]+)"', render(made)))
    assert ids & {"attacks", "languages", "budgets"} == set()
    more = [told_apart(attack="<i>"), told_apart(language="fr"), told_apart(budget=64), told_apart(budget=None)]
    more += [told_apart(k=k, arm=arm) for k in (1, 2) for arm in ("base", "sft")]
    flips = {"side": "harmful", "flips": 6, "to_comply": 5, "to_decline": 1}
    thinking = [told_apart(cut=0.2, swap=None, **flips), told_apart(cut=None, swap="base", **flips)]
    html = render(replace(made, rows=[*made.rows, *more], thinking=thinking))
    assert {"attacks", "languages", "budgets", "thinking"} <= set(re.findall(r'<section id="([a-z]+)"', html))
    assert 'data-attack="&lt;i&gt;"' in html and "no limit" in html
    assert "cut to its first 20%" in html and "that of base in its place" in html
    assert html.count('class="line arm-sft"') == 2, "a curve over budgets, one over draws"
    assert "cut to its first" not in render(made)


def test_attacks_that_the_last_arm_fares_worst_under_come_first() -> None:
    rows_ = [
        told_apart(arm=arm, attack=name, value=value)
        for arm, name, value in (("base", "a", 0.1), ("sft", "a", 0.9), ("base", "b", 0.8), ("sft", "b", 0.2))
    ]
    [found] = tabulate_facets(rows_, "attack", "sft")
    assert [name for name, _ in found.lines] == ["b", "a"]
    assert [cell and cell["value"] for cell in found.lines[0][1]] == [0.8, 0.2]


def test_what_the_reasoning_does_is_shown_for_the_arms_that_reason() -> None:
    corners = [f"{thought}_thought_{answer}_answer" for thought in ("safe", "unsafe") for answer in ("safe", "unsafe")]
    found = [told_apart(style="all", metric=name, value=0.25, n=4) for name in corners]
    found += [told_apart(style="refuse", metric="policy_retrieval", value=0.875)]
    found += [told_apart(arm="base", style="all", metric=name, value=None, n=0) for name in corners]
    html = render(evidence({"base": both(arm="base"), "sft": both()}, retrieval=found))
    assert html.count('<table class="corner') == 1
    assert "<b>87.5</b>" in html and html.count("<b>25.0</b>") == 4


def test_training_curves_and_accept_rates_are_drawn() -> None:
    losses = [{"step": step, "loss": 1 / step} for step in range(1, 9)]
    rewards = [{"step": step, "loss": 0.0, "reward": None if step == 3 else 0.5} for step in range(1, 9)]
    counts = {"samples": 8, "kept": 6, "samples/fire": 8, "kept/fire": 6, "rejected/low score": 2}
    stage = {"stage": "filter", "seconds": 1.0, "key": "k", "counts": counts}
    html = render(evidence({"sft": both()}, metrics={"sft": losses, "sft+rl": rewards}, stages=[stage]))
    assert "Supervised fine-tuning: loss" in html
    assert "Reinforcement learning, sft+rl: reward" in html
    assert "<b>75.0</b>" in html
    assert "low score" in html


def test_coverage_is_drawn_where_there_is_any() -> None:
    found = Coverage((("plain", "a"),), (ClauseRow("F1", "fire", "refuse", Tally(1, 4, 3), {}),))
    html = render(evidence({"sft": both()}, coverage=found))
    assert 'href="#coverage"' in html and 'id="coverage"' in html
    assert "3/4" in html
    assert "coverage" not in render(evidence({"sft": both()}))


def test_citations_link_to_clauses_that_exist() -> None:
    clauses = {clause.id: clause for clause in POLICY.categories[0].clauses}
    html = link_citations("see [F1] and [X9] & so", clauses)
    assert 'href="#clause-F1"' in html
    assert "#clause-X9" not in html
    assert html.endswith("&amp; so")


@pytest.mark.parametrize(
    ("sample", "expected"),
    [
        (scored("refuse", cited=("F1",)), "right"),
        (scored("refuse"), "other clause"),
        (scored("comply"), "harmful answered"),
        (scored("safe_complete"), "other style"),
        (scored("refuse", style="comply", harmful=False), "harmless refused"),
        (scored("comply", style="safe_complete", harmful=False), "other style"),
        (cut(), "no answer"),
        (scored(None), "unscored"),
    ],
)
def test_every_sample_has_one_outcome(sample: ScoredSample, expected: str) -> None:
    assert outcome(sample) == expected
    assert expected in OUTCOMES


def test_the_reader_shows_the_same_prompts_for_every_arm() -> None:
    samples = {
        arm: [
            scored("refuse", arm=arm, name=f"{suite}{i}", suite=suite) for suite in ("seen", "unseen") for i in range(9)
        ]
        for arm in ("base", "sft")
    }
    samples["sft"].reverse()
    chosen = pick_samples(samples, per_arm=6)
    ids = {arm: {sample.case.prompt.id for sample in chosen if sample.arm == arm} for arm in samples}
    assert ids["base"] == ids["sft"]
    assert len(ids["base"]) == 6
    assert sum(name.startswith("unseen") for name in ids["base"]) == 3


def test_the_example_is_an_encoded_harmful_prompt_that_was_declined() -> None:
    encoded = scored("refuse", cited=("F1",), name="e", plain="burn it", suite="encoded")
    wrong = scored("comply", name="w", plain="burn it", suite="encoded")
    base = scored("comply", arm="base", name="e", plain="burn it")
    found = worked_example({"base": [base], "sft": [scored("refuse", cited=("F1",), name="a"), wrong, encoded]})
    assert found is not None
    assert (found.sample, found.base) == (encoded, base)
    assert worked_example({"base": [base], "sft": [wrong]}) is None


def test_the_example_is_decoded_without_a_slip_where_there_is_such_a_one() -> None:
    def decoded(name: str, reasoning: str) -> ScoredSample:
        return scored("refuse", reasoning=reasoning, cited=("F1",), name=name, plain="burn it", suite="encoded")

    slip, clean = decoded("s", "decoded: ohea burnt vg at length [F1]"), decoded("c", "ohea burn vg it [F1]")
    found = worked_example({"sft": [slip, clean]})
    assert found is not None and found.sample == clean


def test_what_was_planned_stands_beside_what_was_spent() -> None:
    row = {"stage": "filter", "calls": (1200, 1100), "output": (50000, None), "dollars": (1.5, 0), "hours": (None, 0.5)}
    html = render(evidence({"base": both(arm="base")}, spent=[row]))
    cells = re.findall(r"<td[^>]*>(.*?)</td>", html[html.index('id="spent"') : html.index('id="metrics"')])
    assert cells == ["1,200", "1,100", "50,000", "", "1.50", "0.00", "", "0.500"]
    assert "Planned and spent" not in render(evidence({"base": both(arm="base")}))
