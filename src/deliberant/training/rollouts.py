"""A GRPO step's completions and their rewards: the place where reasoning must not pass.

The judge's request has no field for reasoning; `answer_of` is the only reading of a completion that goes into one. One
reward in [0, 1], the lowest of k readings (the paper takes the minimum in its filter and is silent on the reward).
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from deliberant.judge import FilterRequest, Judge, JudgeRequest, RewardRequest, count_overlaps, minimum
from deliberant.models.types import Completion, Request, Sampling
from deliberant.policy import Policy, spec_view
from deliberant.prompts.types import Prompt
from deliberant.util.files import seed_of
from deliberant.util.processes import broadcast, gather, is_leader, rank

if TYPE_CHECKING:
    from deliberant.models.local.sampler import LocalSampler

SHOWN = 4
"""Rollouts of each step that are written to rollouts.jsonl."""


def answer_of(completion: Completion) -> str:
    """All that a reward may depend on: the answer of a whole completion with a clean split, otherwise ""."""
    return completion.answer if completion.stop == "stop" else ""


def rewards(
    judge: Judge,
    policy: Policy,
    prompts: Sequence[Prompt],
    answers: Sequence[str],
    k: int,
    seed: int,
    exposed: Sequence[str] | None = None,
) -> list[float | None]:
    """One reward in [0, 1] per answer: (lowest of k scores - menu's least) / (its greatest - its least).

    An empty answer earns 0 unread, so that no judge can be talked into liking silence, and what was answered twice to
    one prompt is read once. None = no reading was scored. `exposed`: the reasonings, for the arm that is there to show
    what becomes of them when the judge reads them.
    """
    alike = groups_of(prompts, answers, exposed)

    def request(row: int) -> JudgeRequest:
        prompt, answer = prompts[row], answers[row]
        view = spec_view(policy, prompt.categories) if prompt.categories else None
        if exposed is not None and view is not None:
            return FilterRequest(prompt, exposed[row], answer, view)
        return RewardRequest(prompt, answer, view)

    requests = [request(rows[0]) for rows in alike]
    earned: list[float | None] = [0.0] * len(answers)
    least, greatest = min(judge.menu), max(judge.menu)
    for rows, verdicts in zip(alike, judge.read(requests, k, seed), strict=True):
        score = minimum(verdicts)
        for row in rows:
            earned[row] = None if score is None else (score - least) / (greatest - least)
    return earned


def groups_of(
    prompts: Sequence[Prompt], answers: Sequence[str], exposed: Sequence[str] | None = None
) -> list[list[int]]:
    """The rows that have an answer, those together that ask the judge the same."""
    alike: dict[tuple[str, str, str], list[int]] = {}
    for row, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
        if answer:
            alike.setdefault((prompt.id, answer, exposed[row] if exposed else ""), []).append(row)
    return list(alike.values())


@dataclass
class Rollouts:
    """Draws a step's completions from the live model, has the answers judged, and keeps the step's account.

    `account` has the last step in numbers, `shown` some of its rollouts, `uniform` the ids of prompts whose rewards
    were all the same.

    The trainer calls `draw` and then `reward`, once each per optimizer step. Seeds depend on recipe seed, step and row,
    so a resumed run draws what an undisturbed one would have drawn. Of several processes each draws its own rows, and
    the leader has those of all of them judged: the others need no judge.
    """

    sampler: "LocalSampler"
    sampling: Sampling
    judge: Judge | None
    policy: Policy
    plan: Sequence[Prompt]
    k: int
    seed: int
    exposes: bool = False
    completions: list[Completion] = field(default_factory=list, init=False)
    account: dict[str, Any] = field(default_factory=dict, init=False)
    shown: list[dict[str, Any]] = field(default_factory=list, init=False)
    uniform: list[str] = field(default_factory=list, init=False)

    def draw(self, prompt_ids: list[list[int]], step: int) -> list[list[int]]:
        """Completion ids, end-of-turn included, for each row of prompt ids. The optimizer moved, so refresh first."""
        self.sampler.refresh()
        first = rank() * len(prompt_ids)
        seeds = [self._seed("rollout", step, row) for row in range(first, first + len(prompt_ids))]
        drawn = self.sampler.sample_ids(prompt_ids, seeds, self.sampling)
        self.completions = [self.sampler.read(ids, *each) for ids, each in zip(prompt_ids, drawn, strict=True)]
        return [list(completion.token_ids) for completion in self.completions]

    def take(self, prompt_ids: list[list[int]], drawn: list[list[int]]) -> None:
        """The completion ids that another engine drew for each row, in the place of `draw`."""
        self.completions = [
            self.sampler.read(prompt, *self.sampler.cut(ids)) for prompt, ids in zip(prompt_ids, drawn, strict=True)
        ]

    def answer(self, prompts: Sequence[Prompt]) -> tuple[list[str], list[float | None]]:
        """An answer to each prompt and its reward, outside training; whenever it is called, with the same seeds."""
        requests = [Request(prompt.messages, self._seed(prompt.id)) for prompt in prompts]
        completions = self.sampler.sample(requests, self.sampling)
        answers, _, earned = self._judge(prompts, completions, self.seed)
        return answers, earned

    def reward(self, place: Sequence[int], trainer_state: Any, **_: Any) -> list[float | None]:
        """TRL's reward function, for the rows drawn last; `place` is each row's prompt in the plan.

        TRL takes a None reward, when it is a row's only one, out of the group's mean and gives the row advantage 0.
        """
        parts = gather((list(place), self.completions))
        places = [number for numbers, _ in parts for number in numbers]
        completions = [each for _, drawn in parts for each in drawn]
        earned = broadcast(self._reward_step(trainer_state.global_step, places, completions) if is_leader() else [])
        return earned[rank() * len(place) :][: len(place)]

    def _judge(
        self, prompts: Sequence[Prompt], completions: Sequence[Completion], seed: int
    ) -> tuple[list[str], list[str] | None, list[float | None]]:
        """(answers, the reasonings where the judge reads them, rewards)."""
        assert self.judge is not None, "the leader alone judges"
        answers = [answer_of(completion) for completion in completions]
        exposed = [completion.reasoning for completion in completions] if self.exposes else None
        return answers, exposed, rewards(self.judge, self.policy, prompts, answers, self.k, seed, exposed)

    def _reward_step(self, step: int, places: Sequence[int], completions: Sequence[Completion]) -> list[float | None]:
        """The rewards of all rows of a step; leaves their account, and some to show."""
        prompts = [self.plan[number] for number in places]
        answers, exposed, earned = self._judge(prompts, completions, self._seed("judge", step))
        overlapping = self._count_overlaps(prompts, completions, groups_of(prompts, answers, exposed))
        self.account = account(places, prompts, completions, answers, earned, overlapping)
        by_prompt: dict[str, set[float | None]] = {}
        for prompt, reward in zip(prompts, earned, strict=True):
            by_prompt.setdefault(prompt.id, set()).add(reward)
        self.uniform = [id for id, several in by_prompt.items() if len(several - {None}) < 2]
        self.shown = [
            {
                "step": step + 1,
                "prompt_id": prompts[row].id,
                "reasoning": completions[row].reasoning,
                "answer": answers[row],
                "stop": completions[row].stop,
                "reward": earned[row],
            }
            for row in range(0, len(prompts), -(-len(prompts) // SHOWN))
        ]
        return earned

    def _count_overlaps(
        self, prompts: Sequence[Prompt], completions: Sequence[Completion], groups: Sequence[Sequence[int]]
    ) -> int:
        """Passages of the rows' reasoning in what the judge was just shown of their groups (invariant: none)."""
        assert self.judge is not None
        number = 0
        for rows, messages in zip(groups, self.judge.shown, strict=True):
            prompt, shown = prompts[rows[0]], [message["content"] for message in messages]
            known = [turn["content"] for turn in prompt.messages]
            known += [completions[rows[0]].answer, spec_view(self.policy, prompt.categories)]
            number += sum(count_overlaps(completions[row].reasoning, shown, known) for row in rows)
        return number

    def _seed(self, *parts: str | int) -> int:
        return seed_of([self.seed, *parts])


def account(
    place: Sequence[int],
    prompts: Sequence[Prompt],
    completions: Sequence[Completion],
    answers: Sequence[str],
    earned: Sequence[float | None],
    overlapping: int,
) -> dict[str, Any]:
    """A step in numbers. Means are over scored rows, None where there are none; counts are of rows, and `uniform` of
    groups, the rows of one `place` in the plan: those whose scored rewards are all the same, which teach nothing.

    `overlapping`: passages of reasoning that the judge was shown, which `reasoning_overlaps` reports.
    """
    scored = [reward for reward in earned if reward is not None]
    groups: dict[int, set[float]] = {number: set() for number in place}
    for number, reward in zip(place, earned, strict=True):
        groups[number] |= set() if reward is None else {reward}
    return {
        "reward": mean_reward(prompts, earned),
        "reward_std": statistics.pstdev(scored) if scored else None,
        "safety_reward": mean_reward(prompts, earned, covered=True),
        "helpful_reward": mean_reward(prompts, earned, covered=False),
        "rows": len(earned),
        "judged": sum(bool(answer) for answer in answers),
        "unscored": sum(reward is None for reward in earned),
        "no_answer": sum(not answer for answer in answers),
        "truncated": sum(completion.stop == "length" for completion in completions),
        "reasoning_overlaps": overlapping,
        "uniform": sum(len(several) < 2 for several in groups.values()),
        "length": statistics.fmean(len(completion.token_ids) for completion in completions),
    }


def mean_reward(
    prompts: Sequence[Prompt], rewards: Sequence[float | None], covered: bool | None = None
) -> float | None:
    """Over rows with a score, or those of prompts that the policy covers (or does not); None where there are none."""
    scored = [
        reward
        for prompt, reward in zip(prompts, rewards, strict=True)
        if reward is not None and covered in (None, bool(prompt.categories))
    ]
    return statistics.fmean(scored) if scored else None
