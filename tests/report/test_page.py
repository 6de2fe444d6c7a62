import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from deliberant.evals import ScoredSample, rows
from deliberant.policy import Category, Clause, Guideline, Policy
from deliberant.report import Coverage, Evidence, render
from deliberant.report.coverage import ClauseRow, Tally
from deliberant.report.page import linked
from deliberant.report.selection import OUTCOMES, outcome, pick, worked_example
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
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert "img" not in [tag for tag, _ in page.tags]
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert page.text.count(HOSTILE) >= 20  # each shown, and shown as it is: not evaluated, not unescaped twice


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
    assert "180 of 401 samples" in html
    assert html.count("<article") == 180
    assert "the judge read it" not in html
    assert "the judge read it" in render(evidence({"sft": samples}, notes=["the judge read it"]))


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
    assert "F1, all: 3 of 4 samples kept, from 1 prompts" in html
    assert "coverage" not in render(evidence({"sft": both()}))


def test_citations_link_to_clauses_that_exist() -> None:
    clauses = {clause.id: clause for clause in POLICY.categories[0].clauses}
    html = linked("see [F1] and [X9] & so", clauses)
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
    chosen = pick(samples, per_arm=6)
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
