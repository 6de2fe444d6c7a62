from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deliberant.models.types import Request
from deliberant.policy import spec_view
from deliberant.run.opening import open_run
from deliberant.run.run import Run
from deliberant.stages.generate import generate, sample_seed, with_spec
from deliberant.templates.loader import Templates
from deliberant.util.errors import UserError
from deliberant.util.files import read_rows
from tests.stages.scripted import HEARTH, POLICY, PRUNING, Scripted, make_run, recipe

GOOD = "<think>the rule on hearths [F2] says comply, [F2] again</think>use dry wood"


def rows_of(run: Run) -> list[dict[str, Any]]:
    return read_rows(run.root / "generate" / "samples.jsonl")


def test_every_categorised_prompt_is_sampled_with_its_spec_view(tmp_path: Path) -> None:
    base = Scripted(lambda request: GOOD)
    run = make_run(tmp_path, base, generate={"samples": 2})
    generate(run)
    assert [row["id"] for row in rows_of(run)] == ["hearth#0", "hearth#1", "pruning#0", "pruning#1"]
    hearth, pruning = base.requests[0].messages, base.requests[2].messages
    assert [message["role"] for message in hearth] == ["system", "user"]
    assert spec_view(POLICY, ["fire"]) in hearth[0]["content"]
    assert hearth[1] == HEARTH.messages[0]
    assert [message["role"] for message in pruning] == ["system", "user"]
    assert spec_view(POLICY, ["tools"]) in pruning[0]["content"]
    assert pruning[0]["content"].endswith("\n\nyou love roses")


def test_a_row_carries_parts_citations_and_provenance(tmp_path: Path) -> None:
    run = make_run(tmp_path, Scripted(lambda request: GOOD, "weights1"), generate={"samples": 1})
    generate(run)
    row = rows_of(run)[0]
    assert (row["prompt_id"], row["index"], row["categories"]) == ("hearth", 0, ["fire"])
    assert (row["text"], row["answer"], row["complete"], row["stop"]) == (GOOD, "use dry wood", True, "stop")
    assert (row["cited"], row["usage"]["output"], row["token_ids"]) == (["F2", "F2"], 2, [7, 8])
    assert row["hashes"].keys() == {"policy", "templates", "model", "sampling", "spec_view"}
    assert (row["hashes"]["model"], row["hashes"]["policy"]) == ("weights1", POLICY.hash)
    assert row["hashes"]["spec_view"] != rows_of(run)[1]["hashes"]["spec_view"]
    assert row["seed"] == sample_seed(0, HEARTH, 0, "generate")


def test_reasoning_that_the_prompt_opened_is_split_as_such(tmp_path: Path) -> None:
    base = Scripted(lambda request: GOOD.removeprefix("<think>"))
    run = make_run(tmp_path, base, generate={"samples": 1})
    generate(run)
    row = rows_of(run)[0]
    assert (row["answer"], row["cited"], row["complete"]) == ("use dry wood", ["F2", "F2"], True)


def test_a_real_model_draws_the_same_rows_twice(tmp_path: Path, tiny_llama: Path) -> None:
    drawing = {"samples": 2, "max_new_tokens": 6, "chunk": 3}
    rows = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        run = open_run(
            recipe(tmp_path / name, [HEARTH, PRUNING], tiny_llama, generate=drawing), tmp_path / name / "runs"
        )
        generate(run)
        rows.append(rows_of(run))
    assert rows[0] == rows[1]
    assert len({tuple(row["token_ids"]) for row in rows[0]}) == 4
    assert all(row["usage"]["input"] > 500 and row["usage"]["output"] <= 6 for row in rows[0])


def test_seeds_differ_by_recipe_prompt_index_and_stage() -> None:
    seeds = [
        sample_seed(*key)
        for key in [
            (0, HEARTH, 0, "generate"),
            (1, HEARTH, 0, "generate"),
            (0, PRUNING, 0, "generate"),
            (0, HEARTH, 1, "generate"),
            (0, HEARTH, 0, "helpful"),
        ]
    ]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_a_killed_run_resumes_without_repeating_or_losing(tmp_path: Path) -> None:
    whole = make_run(tmp_path / "whole", Scripted(lambda request: f"{GOOD} {request.seed}"), generate={"chunk": 3})
    generate(whole)

    def dies(request: Request) -> str:
        if request.seed == whole.scripted["base"].batches[1][0].seed:
            raise KeyboardInterrupt
        return f"{GOOD} {request.seed}"

    with pytest.raises(KeyboardInterrupt):
        generate(make_run(tmp_path / "killed", Scripted(dies), generate={"chunk": 3}))
    again = make_run(tmp_path / "killed", Scripted(lambda request: f"{GOOD} {request.seed}"), generate={"chunk": 3})
    generate(again)
    assert rows_of(again) == rows_of(whole)
    assert again.scripted["base"].batches == whole.scripted["base"].batches[1:]
    generate(again)
    assert len(again.scripted["base"].batches) == len(whole.scripted["base"].batches) - 1


def test_a_prompt_of_several_categories_is_shown_each_in_full(tmp_path: Path) -> None:
    base = Scripted(lambda request: GOOD)
    both = replace(HEARTH, categories=("fire", "tools"))
    run = make_run(tmp_path, base, train=[both], generate={"samples": 1})
    generate(run)
    assert spec_view(POLICY, ["fire", "tools"]) in base.requests[0].messages[0]["content"]
    assert rows_of(run)[0]["categories"] == ["fire", "tools"]


def test_unknown_category_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="fire"):
        generate(make_run(tmp_path, Scripted(lambda request: GOOD), train=[replace(HEARTH, categories=("fires",))]))


def test_a_template_with_more_than_a_system_section_is_the_users_mistake(tmp_path: Path) -> None:
    (tmp_path / "generate.txt").write_text("[system]\n{{spec_view}}\n[user]\nhello\n")
    with pytest.raises(UserError, match=r"generate\.txt:1: must hold one \[system\] section"):
        with_spec(HEARTH, "view", Templates(tmp_path))
