import string
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from deliberant.judge import Judge
from deliberant.models import Completion, Request, Sampling
from deliberant.policy import spec_view
from deliberant.prompts.types import Prompt, Style
from deliberant.run.recipe import Rl
from deliberant.stages.filter import check_unscored
from deliberant.stages.rl import rl
from deliberant.stages.sft import sft
from deliberant.templates.loader import Templates
from deliberant.training.held_out import Truth, gain, parting, reading
from deliberant.training.rollouts import Rollouts, account, answer_of, rewards
from deliberant.util.errors import RunError, UserError
from deliberant.util.files import file_hash, read_json, read_rows
from tests.completions import completed
from tests.stages.scripted import HEARTH, POEM, POLICY, PRUNING, Scripted
from tests.stages.trainable import Fuse, Killed, TrainableRun, make_run
from tests.tiny import BANDIT, make_chain, make_tiny_tokenizer

pytestmark = pytest.mark.numbers

SAID = [f"<think>{letter}</think>{letter}" for letter in "abcdefgh"]
SETTINGS: dict[str, Any] = {
    "steps": 4,
    "prompts_per_step": 2,
    "group_size": 4,
    "batch_size": 4,
    "helpful_share": 0.5,
    "learning_rate": 1e-3,
    "max_new_tokens": 20,
    "save_steps": 2,
}


def verdict(score: int | str) -> str:
    return f"<think>hm</think>well\nscore: {score}"


def taste(request: Request) -> str:
    """A judge that likes g and h, and nothing else."""
    answer = request.messages[-1]["content"].rsplit(" answer>", 2)[-2]
    letters = [letter for letter in answer if letter in string.ascii_lowercase]
    return verdict(5 if letters and letters[0] in "gh" else 1)


def judge_of(script: Any) -> Judge:
    return Judge(Scripted(script), Templates.load("default"), Sampling(max_new_tokens=50))


# The reward


def test_the_reward_is_the_lowest_reading_scaled_to_the_menu() -> None:
    scores = iter([5, 3, 4, 1, 5, 5])
    earned = rewards(
        judge_of(lambda request: verdict(next(scores))), POLICY, [HEARTH, PRUNING], ["dry wood", "shears"], k=3, seed=0
    )
    assert earned == [0.5, 0.0]


def test_no_answer_earns_nothing_and_is_not_shown_to_the_judge() -> None:
    judge = judge_of(lambda request: verdict(5))
    assert rewards(judge, POLICY, [HEARTH, HEARTH], ["", "dry wood"], k=1, seed=0) == [0.0, 1.0]
    assert len(judge.sampler.requests) == 1  # type: ignore[attr-defined]


def test_what_was_answered_twice_to_one_prompt_is_read_once() -> None:
    scores = iter([5, 1, 3])
    judge = judge_of(lambda request: verdict(next(scores)))
    prompts, answers = [HEARTH, HEARTH, HEARTH, PRUNING], ["dry wood", "wet wood", "dry wood", "dry wood"]
    assert rewards(judge, POLICY, prompts, answers, k=1, seed=0) == [1.0, 0.0, 1.0, 0.5]
    assert next(scores, None) is None


def test_an_exposed_arm_shows_its_judge_the_reasoning_and_the_scanner_says_so() -> None:
    judge = judge_of(lambda request: verdict(5))
    parrot = Parrot(f"<think>{PLAN}</think>ok", False)
    exposed = Rollouts(parrot, Sampling(), judge, POLICY, [HEARTH, POEM], k=1, seed=0, exposes=True)  # type: ignore[arg-type]
    exposed.draw([[1], [2]], 0)
    exposed.reward(place=[0, 1], trainer_state=SimpleNamespace(global_step=0))
    shown = [repr(request.messages) for request in judge.sampler.requests]  # type: ignore[attr-defined]
    assert [PLAN in each for each in shown] == [True, False], "a poem is judged by no policy, and by its answer alone"
    assert exposed.account["reasoning_overlaps"] == 1


def test_a_row_without_a_scored_reading_has_no_reward() -> None:
    judge = judge_of(lambda request: verdict("n/a") if "dry" in request.messages[-1]["content"] else verdict(5))
    assert rewards(judge, POLICY, [HEARTH, PRUNING], ["dry wood", "shears"], k=2, seed=0) == [None, 1.0]


def test_policy_prompts_are_judged_by_their_categories_and_harmless_ones_by_no_policy() -> None:
    judge = judge_of(lambda request: verdict(5))
    both = replace(HEARTH, id="both", categories=("fire", "tools"))
    rewards(judge, POLICY, [HEARTH, both, POEM], ["dry wood", "dry wood", "roses are red"], k=1, seed=0)
    shown = ("\n".join(m["content"] for m in request.messages) for request in judge.sampler.requests)  # type: ignore[attr-defined]
    safety, several, harmless = shown
    assert spec_view(POLICY, ["fire"]) in safety
    assert spec_view(POLICY, ["fire", "tools"]) in several
    assert not any(clause.id in harmless for category in POLICY.categories for clause in category.clauses)


@pytest.mark.parametrize(
    ("text", "stop", "opened", "answer"),
    [
        ("<think>a</think>b", "stop", False, "b"),
        ("<think>a</think>b", "length", False, ""),
        ("<think>a", "stop", False, ""),
        ("a</think>b", "stop", True, "b"),
        ("b", "stop", False, ""),
    ],
)
def test_only_a_whole_completion_has_an_answer(text: str, stop: Any, opened: bool, answer: str) -> None:
    assert answer_of(completed(text, stop, opened=opened)) == answer


def test_groups_whose_scored_rewards_are_all_the_same_are_counted() -> None:
    earned = [1.0, 1.0, 1.0, 0.5, None, 0.5, None, None, 0.0, 1.0]
    place = [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]  # the first two are of one prompt, which came twice
    prompts = [(HEARTH, HEARTH, PRUNING, POEM, POEM)[each] for each in place]
    said = [completed("<think>a</think>b")] * 10
    assert account(place, prompts, said, ["b"] * 10, earned, 0)["uniform"] == 3


# No reasoning reaches the judge

CANARY = "canary7Q"
HABITS = {
    "clean": (f"<think>{CANARY}</think>ok", False),
    "prefilled": (f"{CANARY}</think>ok", True),
    "prefilled and opened again": (f"<think>{CANARY}</think>ok", True),
    "no closing tag": (f"<think>{CANARY}", False),
    "prefilled without closing tag": (CANARY, True),
    "no opening tag": (f"{CANARY}</think>ok", False),
    "no tags at all": (CANARY, False),
    "closed twice": (f"<think>a</think>{CANARY}</think>ok", False),
    "a block after the answer": (f"<think>a</think>ok<think>{CANARY}</think>", False),
    "text before the block": (f"{CANARY}<think>a</think>ok", False),
    "nested": (f"<think>a<think>b</think>{CANARY}</think>ok", False),
    "thinking": (f"<thinking>{CANARY}</thinking>ok", False),
    "mixed tags": (f"<thinking>{CANARY}</think>ok", False),
    "capitals": (f"<THINK>{CANARY}</THINK>ok", False),
    "spaces in the tag": (f"<think>a</think>< / think >{CANARY}", False),
    "harmony": (f"<|channel|>analysis<|message|>{CANARY}<|end|><|start|>assistant<|channel|>final<|message|>ok", False),
    "harmony without final": (f"<|channel|>analysis<|message|>{CANARY}", False),
    "harmony, analysis again": (
        "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>ok<|end|>"
        f"<|start|>assistant<|channel|>analysis<|message|>{CANARY}",
        False,
    ),
}


class Parrot:
    """A live sampler that says one text."""

    def __init__(self, text: str, opened: bool) -> None:
        self.tokenizer, self.text, self.opened, self.refreshed = make_tiny_tokenizer(), text, opened, 0
        self.ids = (*self.tokenizer.encode(text, add_special_tokens=False), self.tokenizer.eos_token_id)
        self.seeds: list[Sequence[int]] = []

    def refresh(self) -> None:
        self.refreshed += 1

    def read(self, prompt: Sequence[int], ids: tuple[int, ...], stop: Any) -> Completion:
        return completed(self.text, stop, opened=self.opened, ids=ids, read=len(prompt))

    def sample_ids(self, prompts: Sequence[Sequence[int]], seeds: Sequence[int], sampling: Sampling) -> list[Any]:
        self.seeds.append(seeds)
        return [(self.ids, "stop") for _ in prompts]


def rollouts_of(parrot: Parrot, judge: Judge) -> Rollouts:
    return Rollouts(parrot, Sampling(), judge, POLICY, [HEARTH, POEM], k=1, seed=0)  # type: ignore[arg-type]


@pytest.mark.parametrize("habit", HABITS)
def test_no_canary_in_the_reasoning_reaches_the_reward_judge(habit: str) -> None:
    judge = judge_of(lambda request: verdict(5))
    rollouts = rollouts_of(Parrot(*HABITS[habit]), judge)
    rollouts.draw([[1], [2]], 0)
    earned = rollouts.reward(place=[0, 1], trainer_state=SimpleNamespace(global_step=0))
    shown = [request.messages for request in judge.sampler.requests]  # type: ignore[attr-defined]
    assert CANARY not in repr(shown)
    assert earned == ([1.0, 1.0] if shown else [0.0, 0.0])


def test_the_canary_would_be_seen_if_it_were_in_the_answer() -> None:
    judge = judge_of(lambda request: verdict(5))
    rollouts = rollouts_of(Parrot(f"<think>a</think>{CANARY}", False), judge)
    rollouts.draw([[1], [2]], 0)
    rollouts.reward(place=[0, 1], trainer_state=SimpleNamespace(global_step=0))
    assert all(CANARY in repr(request.messages) for request in judge.sampler.requests)  # type: ignore[attr-defined]


PLAN = "first i look for the clause that fits and then i say no"


@pytest.mark.parametrize(("answer", "planted", "count"), [("ok", PLAN, 2), ("ok", "ok", 0), (PLAN, PLAN, 0)])
def test_reasoning_that_comes_into_a_judge_request_is_counted(
    answer: str, planted: str, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault between rollout and judge, which passes on something else than the answer."""
    monkeypatch.setattr("deliberant.training.rollouts.answer_of", lambda completion: planted)
    rollouts = rollouts_of(Parrot(f"<think>{PLAN}</think>{answer}", False), judge_of(lambda request: verdict(5)))
    rollouts.draw([[1], [2]], 0)
    rollouts.reward(place=[0, 1], trainer_state=SimpleNamespace(global_step=0))
    assert rollouts.account["reasoning_overlaps"] == count


def test_every_row_of_every_step_has_its_own_seed_and_fresh_weights() -> None:
    def seeds() -> list[Sequence[int]]:
        parrot = Parrot("x", False)
        rollouts = rollouts_of(parrot, judge_of(lambda request: verdict(5)))
        for step in range(3):
            rollouts.draw([[1]] * 4, step)
        assert parrot.refreshed == 3
        return parrot.seeds

    assert len({seed for step in seeds() for seed in step}) == 12
    assert seeds() == seeds()


def test_too_many_unscored_stop_the_run_but_not_the_first_few() -> None:
    check = partial(check_unscored, "rl", "reward", limit=0.1)
    check(unscored=5, judged=10, grace=100)
    check(unscored=20, judged=200, grace=100)
    with pytest.raises(RunError, match="21 of 200"):
        check(unscored=21, judged=200, grace=100)
    with pytest.raises(RunError, match="5 of 10"):
        check(unscored=5, judged=10)


# Training


@pytest.fixture(scope="module")
def bandit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_chain(tmp_path_factory.mktemp("bandit"), BANDIT)


def ran(
    folder: Path,
    model: Path,
    script: Any = taste,
    fuse: Fuse | None = None,
    filter: Any = None,
    more: Sequence[Prompt] = (),
    **settings: Any,
) -> TrainableRun:
    run = make_run(
        folder,
        model,
        SAID,
        judge=Scripted(script, "judge"),
        fuse=fuse,
        more=more,
        rl={**SETTINGS, **settings},
        filter=filter or {},
    )
    rl(run, "rl")
    return run


def metrics(run: TrainableRun) -> list[dict[str, Any]]:
    return read_rows(run.root / "rl" / "metrics.jsonl")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, bandit: Path) -> TrainableRun:
    return ran(tmp_path_factory.mktemp("rl"), bandit)


def test_a_step_is_logged_with_its_rewards_and_some_rollouts(undisturbed: TrainableRun) -> None:
    rows = metrics(undisturbed)
    assert [row["step"] for row in rows] == [1, 2, 3, 4]
    assert sum(row["judged"] for row in rows) > 16, "the bandit must talk, or nothing here is tested"
    for row in rows:
        assert row["rows"] == 8 == row["judged"] + row["no_answer"]
        assert row["reward"] == pytest.approx((row["safety_reward"] + row["helpful_reward"]) / 2)
        assert {
            "reward_std",
            "unscored",
            "truncated",
            "reasoning_overlaps",
            "uniform",
            "length",
            "loss",
            "lr",
            "grad_norm",
        } <= row.keys()
    shown = read_rows(undisturbed.root / "rl" / "rollouts.jsonl")
    assert Counter(row["step"] for row in shown) == {1: 4, 2: 4, 3: 4, 4: 4}
    assert {row["reward"] for row in shown if row["answer"] == ""} <= {0.0}


def test_the_weights_move_and_the_checkpoint_samples(undisturbed: TrainableRun, bandit: Path) -> None:
    folder = undisturbed.root / "rl"
    assert file_hash(folder / "checkpoint" / "model.safetensors") != file_hash(bandit / "model.safetensors")
    drawn = undisturbed.sampler("rl").sample([Request(HEARTH.messages, 1)], Sampling(max_new_tokens=20))
    assert drawn[0].text
    counts = undisturbed.manifest("rl")["counts"]
    assert counts["rows"] == 32 and counts["uniform"] == sum(row["uniform"] for row in metrics(undisturbed))
    left = {path.name for path in folder.iterdir()}
    assert left == {"begun.json", "metrics.jsonl", "rollouts.jsonl", "checkpoint", "manifest.json"}


def test_killed_and_run_again_ends_with_the_very_same_weights(
    tmp_path: Path, bandit: Path, undisturbed: TrainableRun
) -> None:
    with pytest.raises(Killed):
        ran(tmp_path, bandit, fuse=Fuse(3))
    run = ran(tmp_path, bandit)
    weights = "rl/checkpoint/model.safetensors"
    assert file_hash(run.root / weights) == file_hash(undisturbed.root / weights)
    assert metrics(run) == metrics(undisturbed)
    assert read_rows(run.root / "rl" / "rollouts.jsonl") == read_rows(undisturbed.root / "rl" / "rollouts.jsonl")


def test_a_curriculum_rests_what_no_longer_varies_and_a_kill_changes_nothing(tmp_path: Path, bandit: Path) -> None:
    some = [replace(each, messages=PRUNING.messages) for each in MORE]
    settings: dict[str, Any] = {"curriculum": True, "steps": 6, "helpful_share": 0, "prompts_per_step": 4}
    straight = ran(tmp_path / "straight", bandit, more=some, **settings)
    rows = metrics(straight)
    rested = {id for row in rows[:2] for id in row["uniform_ids"]}
    assert rested, "or nothing here is tested"
    drawn = {row["prompt_id"] for row in read_rows(straight.root / "rl" / "rollouts.jsonl") if row["step"] in (3, 4)}
    assert drawn and not drawn & rested
    with pytest.raises(Killed):
        ran(tmp_path / "killed", bandit, fuse=Fuse(5), more=some, **settings)
    assert metrics(ran(tmp_path / "killed", bandit, more=some, **settings)) == rows


LONG: dict[str, Any] = {
    "steps": 12,
    "prompts_per_step": 4,
    "group_size": 8,
    "batch_size": 32,
    "learning_rate": 1e-2,
}


MORE = [replace(HEARTH, id=f"hearth{number}", family=f"hearth{number}") for number in range(12)]


def held(run: TrainableRun) -> dict[str, Any]:
    found: dict[str, Any] = read_json(run.root / "rl" / "held_out.json", "")
    return found


def test_rewards_rise_and_where_those_of_held_out_prompts_do_the_weights_are_kept(tmp_path: Path, bandit: Path) -> None:
    run = ran(tmp_path, bandit, more=MORE, **LONG, held_out=12, helpful_share=0)
    earned = [row["reward"] for row in metrics(run)]
    assert sum(earned[:3]) < 1.5 and sum(earned[-3:]) > 2.5, "of 3: it starts at 2/9 and all but finds the two letters"
    found = held(run)
    assert found["kept"], found
    assert found["after"] - found["before"] == pytest.approx(found["change"]["value"])
    assert found["change"]["low"] > 0 and found["change"]["n"] == 12 and found["unscored"] == 0
    assert file_hash(run.root / "rl/checkpoint/model.safetensors") != file_hash(bandit / "model.safetensors")
    assert {"held_out.json", "held_out.jsonl"} <= run.manifest("rl")["outputs"].keys()
    read = read_rows(run.root / "rl" / "held_out.jsonl")
    assert [row["step"] for row in read] == [0, 2, 4, 6, 8, 10, 12]
    assert (read[0]["reward"], read[-1]["reward"]) == (pytest.approx(found["before"]), pytest.approx(found["after"]))


def test_without_a_gain_the_arm_is_its_start_and_a_kill_changes_nothing(tmp_path: Path, bandit: Path) -> None:
    """A judge that tosses coins moves the weights and cannot raise the rewards by more than chance."""
    from safetensors.torch import load_file

    def coin(request: Request) -> str:
        return verdict(1 + 4 * (request.seed % 2))

    settings: dict[str, Any] = {"held_out": 2}
    with pytest.raises(Killed):
        ran(tmp_path, bandit, coin, Fuse(SETTINGS["steps"] - 1), more=MORE, **settings)
    run = ran(tmp_path, bandit, coin, more=MORE, **settings)
    before, after = (load_file(folder / "model.safetensors") for folder in (bandit, run.root / "rl" / "checkpoint"))
    assert all(before[name].equal(after[name]) for name in before)
    assert not held(run)["kept"] and any(row["grad_norm"] > 0 for row in metrics(run))


def test_a_gain_counts_prompts_scored_both_times() -> None:
    some = MORE[:4]
    found = gain(some, readings([0.0, None, 0.5, 1.0], [0.5, 1.0, None, 1.0]), 100, 0)
    assert (found.before, found.after, found.unscored) == (0.5, 0.75, 2)
    assert found.change.n == 2 and not found.kept
    assert not gain(some, readings([None] * 4, [1.0] * 4), 100, 0).kept


def readings(*rewards: list[float | None], truth: Truth | None = None) -> list[dict[str, Any]]:
    """One reading for each list, of as many prompts, all answered "yes" where the reward is above a half."""
    return [
        reading(step, MORE[: len(each)], ["yes" if (reward or 0) > 0.5 else "no" for reward in each], each, truth)
        for step, each in enumerate(rewards)
    ]


def asks_no(prompt: Prompt) -> Style | None:
    return "refuse" if prompt.id != MORE[0].id else None


WORLD = Truth(asks_no, lambda answer: "refuse" if answer == "no" else "comply")


def test_a_reading_lists_what_the_judge_was_talked_into() -> None:
    [row] = readings([1.0, 1.0, 0.5, None], truth=WORLD)
    assert row["right"] == [None, False, True, True] and row["right_share"] == pytest.approx(2 / 3)
    assert [each["prompt_id"] for each in row["talked_into"]] == [MORE[1].id]
    assert (row["reward"], row["safety_reward"], row["helpful_reward"]) == (pytest.approx(2.5 / 3),) * 2 + (None,)


def test_reward_and_truth_part_where_the_one_rises_and_the_other_falls() -> None:
    twelve = MORE[:12]
    pleased = readings([0.5] * 12, [0.5] * 12, [1.0] * 12, truth=WORLD)
    found = parting(twelve, pleased, 200, 0)
    assert found and (found["from"], found["to"], found["reward"]) == (0, 2, [0.5, 1.0])
    assert found["truth"]["value"] == -1 and found["truth"]["high"] < 0
    assert parting(twelve, pleased[::-1], 200, 0) is None, "the truth rises"
    assert parting(twelve, readings([0.5] * 12, [1.0] * 12), 200, 0) is None, "the truth is not known"


def test_unscored_rows_move_nothing_and_are_not_printed(
    tmp_path: Path, bandit: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """All None or unread: TRL must make every advantage 0, so that Adam stays where it is."""
    import torch
    from safetensors.torch import load_file

    def mute(request: Request) -> str:
        return "<think>hm</think>no verdict"

    # Without a single score the only rewards are the zeros of rows that gave no answer.
    run = make_run(tmp_path, bandit, judge=Scripted(mute), rl=SETTINGS, filter={"max_unscored": 1.0})
    run.sampler("base")
    capfd.readouterr()
    rl(run, "rl")
    assert capfd.readouterr() == ("", ""), "TRL prints each such row, completion and all"
    assert sum(row["unscored"] for row in metrics(run)) == sum(row["judged"] for row in metrics(run)) > 0
    before, after = (load_file(folder / "model.safetensors") for folder in (bandit, run.root / "rl" / "checkpoint"))
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_an_unscored_row_gets_advantage_zero_and_is_no_part_of_its_groups_mean(tmp_path: Path, bandit: Path) -> None:
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import GRPOConfig

    from deliberant.training.trainers import SampledGRPOTrainer, common_settings, quiet

    with quiet():
        trainer = SampledGRPOTrainer(
            draw=lambda prompt_ids, step: [[65, 66]] * len(prompt_ids),
            reward_funcs=[lambda **_: [1.0, 0.0, None, 0.5]],
            model=AutoModelForCausalLM.from_pretrained(bandit),
            processing_class=AutoTokenizer.from_pretrained(bandit),
            train_dataset=Dataset.from_list([{"prompt": [dict(turn) for turn in HEARTH.messages]}]),
            args=GRPOConfig(
                **common_settings(tmp_path, 0, 1),
                num_generations=4,
                per_device_train_batch_size=4,
                scale_rewards="none",
            ),
        )
        scored = trainer._generate_and_score_completions([{"prompt": [dict(turn) for turn in HEARTH.messages]}] * 4)
    assert scored["advantages"].tolist() == [0.5, -0.5, 0.0, 0.0]


def test_a_kl_term_is_measured_against_the_start(tmp_path: Path, bandit: Path) -> None:
    rows = metrics(ran(tmp_path, bandit, beta=0.1))
    assert rows[0]["kl"] == pytest.approx(0, abs=1e-6) and rows[-1]["kl"] > 1e-4


def test_a_judge_that_can_not_be_read_stops_the_run(tmp_path: Path, bandit: Path) -> None:
    with pytest.raises(RunError, match="answers are unscored"):
        ran(tmp_path, bandit, lambda request: "<think>hm</think>no verdict")


def test_a_forward_pass_has_to_divide_the_step() -> None:
    with pytest.raises(ValidationError, match="does not divide the 8 completions"):
        Rl(prompts_per_step=2, group_size=4, batch_size=3)


def test_sft_plus_rl_needs_sft_and_starts_from_it(tmp_path: Path, bandit: Path) -> None:
    run = make_run(tmp_path, bandit, SAID, rl={**SETTINGS, "steps": 1}, sft={"epochs": 1, "save_steps": 100})
    with pytest.raises(UserError, match="deliberant sft"):
        rl(run, "sft+rl")
    sft(run)
    rl(run, "sft+rl")
    assert "sft/checkpoint/model.safetensors" in run.manifest("sft+rl")["inputs"]
    assert run.manifest("sft+rl")["inputs"]["model"] == run.sampler("sft").identity


def test_a_sampler_with_stale_weights_is_found_after_one_step(
    tmp_path: Path, bandit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from deliberant.models.local.sampler import LocalSampler

    refresh = LocalSampler.refresh
    monkeypatch.setattr(LocalSampler, "refresh", lambda self: None if hasattr(self, "_engine") else refresh(self))
    with pytest.raises(RunError, match="sampler and trainer do not hold the same policy"):
        ran(tmp_path, bandit, learning_rate=1.0)


def test_what_vllm_draws_is_read_as_our_own_is(tmp_path: Path, bandit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from trl import GRPOTrainer

    from deliberant.models.local.sampler import LocalSampler
    from deliberant.training.trainers import SampledGRPOTrainer, vllm_settings

    sampler = LocalSampler.load(bandit)
    rollouts = Rollouts(sampler, Sampling(), None, POLICY, [HEARTH], k=1, seed=0)
    whole = [*sampler.tokenizer.encode("<think>!</think>a", add_special_tokens=False), sampler.tokenizer.eos_token_id]
    monkeypatch.setattr(GRPOTrainer, "_generate_single_turn", lambda self, prompts, *_: ([whole, whole[:-1]], [[0.0]]))
    trainer = SampledGRPOTrainer.__new__(SampledGRPOTrainer)
    trainer.use_vllm, trainer.take = True, rollouts.take
    assert trainer._generate_single_turn([[1], [2]], None, {}, 2) == ([whole, whole[:-1]], [[0.0]])
    assert [(each.answer, each.stop) for each in rollouts.completions] == [("a", "stop"), ("a", "length")]
    assert vllm_settings(Rl(vllm=False)) == vllm_settings(Rl()) == {}  # type: ignore[arg-type]
    assert vllm_settings(Rl(vllm="http://host:8000"))["vllm_mode"] == "server"
