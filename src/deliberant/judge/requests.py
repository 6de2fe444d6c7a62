"""What a judge may be asked about.

Two types, because the paper needs the judge to see the reasoning when it filters (section 2.3.2) and not when it
rewards (section 2.4): the reward's type has no field that could hold it, and slots leave no room to add one.
"""

from dataclasses import dataclass

from deliberant.prompts.types import Prompt


@dataclass(frozen=True, slots=True)
class FilterRequest:
    """One sample for the data filter: reasoning and answer against the spec view. Hints ride on `prompt.hints`."""

    prompt: Prompt
    reasoning: str
    answer: str
    spec_view: str


@dataclass(frozen=True, slots=True)
class RewardRequest:
    """One rollout for the reward: the splitter's answer, "" for a completion without one, and nothing of its reasoning.

    `spec_view` None asks for the helpfulness rubric, which knows no policy.
    """

    prompt: Prompt
    answer: str
    spec_view: str | None


JudgeRequest = FilterRequest | RewardRequest
