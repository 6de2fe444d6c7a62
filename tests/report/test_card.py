import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from deliberant.report.card import Card, Origin, escape_line, fenced, front_matter, name_of, render_card
from deliberant.run.folder import Manifest
from deliberant.run.recipe import Recipe
from tests.stages.scripted import POLICY

HOSTILE = "x | <img src=y onerror=z>\n# heading\n---\n```\n[a](b) *c* &amp; $d$"


def manifest(**counts: int) -> Manifest:
    return Manifest(stage="s", key="k", inputs={}, outputs={}, counts=counts, seconds=1.0, version="1", code="c0de")


def card(text: str = "plain") -> Card:
    """A card in which every word of other people is `text`."""
    policy = replace(POLICY, name=text, version=text)
    filtered = manifest(samples=9, kept=6, judged=8, readings=16, readings_unscored=1, **{f"rejected/{text}": 3})
    sizes = dict.fromkeys(("policy", "helpful", "policy_too_long", "helpful_too_long", "helpful_missing", "tokens"), 2)
    return Card(
        run="test-1",
        policy=policy,
        recipe=Recipe.model_validate(
            {
                "name": "test",
                "policy": "/home/me/policy",
                "base": "/home/me/models/Small",
                "judge": text,
                "prompts": "micro",
            }
        ),
        covers={name: f"{name}-hash" for name in ("base", "writer", "filter", "templates", "prompts")},
        manifests={"filter": filtered, "helpful": manifest(samples=3, kept=2), "sft": manifest(**sizes)},
        rows={"sft": 4, "rl": 5},
        columns={"sft": ["prompt"], "rl": ["prompt"]},
        origins=[Origin(text, text, 5, 4), Origin(None, None, 1, 0)],
        arms=[],
    )


def test_the_front_matter_is_what_the_hub_reads() -> None:
    from huggingface_hub import DatasetCard

    read: Any = DatasetCard(render_card(card()))
    assert read.data.to_dict() == front_matter(card())
    assert [each["config_name"] for each in read.data.configs] == ["sft", "rl"]
    assert read.data.license == "other" and "not-for-all-audiences" in read.data.tags
    assert "**Content warning.**" in read.text


def test_hostile_words_stay_words() -> None:
    tame, hostile = (render_card(card(text)) for text in ("plain", HOSTILE))
    assert yaml.safe_load(hostile.split("\n---\n")[0].removeprefix("---\n"))["configs"]
    assert "<img" not in hostile.split("## Make it again")[0].split("\n---\n", 1)[1]
    for mark in (r"^#", r"^\|", r"^```", r"^---$", r"^- "):
        assert len(re.findall(mark, hostile, re.MULTILINE)) == len(re.findall(mark, tame, re.MULTILINE)), mark


def test_no_path_of_the_machine_is_on_the_card() -> None:
    text = render_card(card())
    assert "/home/me" not in text and "| Small | writer-hash |" in text and "base: Small (hash writer-hash)" in text
    cached = "/root/hub/models--Qwen--Qwen3-0.6B/snapshots/abc123"
    assert name_of(cached) == "Qwen/Qwen3-0.6B, revision abc123"
    assert (name_of("micro"), name_of("Qwen/Qwen3-0.6B")) == ("micro", "Qwen/Qwen3-0.6B")


def test_one_who_states_no_licence_is_told_apart() -> None:
    assert front_matter(replace(card(), origins=[Origin("a", None, 1, 1)]))["license"] == "unknown"
    assert "| not stated | not stated | 1 | 0 |" in render_card(card())


@pytest.mark.parametrize("rows", [999, 1_000, 99_999, 5_000_000])
def test_sizes(rows: int) -> None:
    wanted = {999: "n<1K", 1_000: "1K<n<10K", 99_999: "10K<n<100K", 5_000_000: "n>1M"}
    assert front_matter(replace(card(), rows={"sft": rows}))["size_categories"] == [wanted[rows]]


@given(st.text())
def test_plain_is_one_line_without_markup(text: str) -> None:
    shown = str(escape_line(text))
    assert len(shown.splitlines()) <= 1 and "<" not in shown and ">" not in shown
    assert not re.search(r"(?<!\\)[|`*\[\]]", shown.replace("\\\\", ""))
    assert Markup(re.sub(r"\\([\\`*_{}\[\]()#|~$])", r"\1", shown)).unescape() == " ".join(text.split())


@given(st.text(alphabet="`a\n", max_size=30))
def test_nothing_closes_the_fence(text: str) -> None:
    fence, *inner, last = fenced(text, "yaml").split("\n")
    assert last == fence.removesuffix("yaml") and not [line for line in inner if line.strip().startswith(last)]


def test_the_template_is_shipped() -> None:
    import deliberant.report

    assert (Path(deliberant.report.__file__).parent / "card.jinja").is_file()
